/* SPDX-License-Identifier: Apache-2.0 */
/* Regions of memory and how they relate. */
#include "layers/region.h"

#include <stdlib.h>

/* Rows looked at one by one where two regions have different pitches. */
#define ROWS_COMPARED 4096U

struct region region_of_range(const void *address, uint64_t bytes)
{
    return (struct region){(uint64_t)(uintptr_t)address, bytes, bytes, bytes != 0, true};
}

struct region region_of_rectangle(const void *address, uint64_t pitch, uint64_t width, uint64_t height)
{
    if (height == 0 || width == 0)
        return region_of_range(address, 0);
    if (height == 1 || pitch == width)
        return region_of_range(address, width * height);
    return (struct region){(uint64_t)(uintptr_t)address, width, pitch, height, true};
}

struct dimension {
    uint64_t step; /* bytes */
    uint64_t count;
};

static int compare_steps(const void *left, const void *right)
{
    const struct dimension *a = left, *b = right;
    return (a->step > b->step) - (a->step < b->step);
}

/* The dimensions that lead to other bytes, in bytes, and the first byte touched. */
static uint32_t take_dimensions(const haly_tensor *tensor, struct dimension *dimensions, uint64_t *start)
{
    const int64_t elements = haly_dtype_block_elements(tensor->dtype), bytes = haly_dtype_block_bytes(tensor->dtype);
    uint32_t count = 0;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        const bool is_in_blocks = elements > 1 && i + 1 == tensor->rank;
        const int64_t many = is_in_blocks ? tensor->shape[i] / elements : tensor->shape[i];
        const int64_t step = is_in_blocks ? bytes : tensor->strides[i] / elements * bytes;
        if (many <= 1 || step == 0)
            continue;
        if (step < 0)
            *start -= (uint64_t)(many - 1) * (uint64_t)-step;
        dimensions[count++] = (struct dimension){(uint64_t)llabs(step), (uint64_t)many};
    }
    return count;
}

static bool has_no_elements(const haly_tensor *tensor)
{
    for (uint32_t i = 0; i < tensor->rank; i++)
        if (tensor->shape[i] == 0)
            return true;
    return tensor->dtype == HALY_DTYPE_NONE;
}

struct region region_of_tensor(const haly_tensor *tensor, const void *address)
{
    struct dimension dimensions[HALY_MAX_RANK];
    if (has_no_elements(tensor))
        return region_of_range(address, 0);
    struct region region = region_of_range(address, (uint64_t)haly_dtype_block_bytes(tensor->dtype));
    const uint32_t count = take_dimensions(tensor, dimensions, &region.start);
    qsort(dimensions, count, sizeof *dimensions, compare_steps);
    for (uint32_t i = 0; i < count; i++) {
        const struct dimension *dimension = &dimensions[i];
        if (region.rows == 1 && dimension->step == region.width) {
            region.width *= dimension->count; /* goes on where the row ends */
        } else if (region.rows == 1 && dimension->step > region.width) {
            region.pitch = dimension->step;
            region.rows = dimension->count;
        } else if (region.rows > 1 && dimension->step == region.pitch * region.rows) {
            region.rows *= dimension->count;
        } else {
            const uint64_t bytes = region_end(&region) - region.start + dimension->step * (dimension->count - 1);
            region = (struct region){region.start, bytes, bytes, 1, false};
        }
    }
    return region;
}

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/*
 * Whether a row of `a` shares a byte with one of `b`, both of one pitch (of no consequence where there is one row).
 * Row i of a and row j of b do when b's lies less than b->width before and less than a->width behind a's; their
 * distance is that of the first rows and a multiple j - i of the pitch.
 */
static bool rows_meet(const struct region *a, const struct region *b, uint64_t pitch)
{
    const int64_t distance = (int64_t)(b->start - a->start), step = (int64_t)pitch;
    const int64_t least = -(int64_t)(a->rows - 1), most = (int64_t)(b->rows - 1);
    int64_t rows = floor_divide(-(int64_t)b->width - distance, step) + 1;
    if (rows < least)
        rows = least;
    return rows <= most && distance + rows * step < (int64_t)a->width;
}

static enum region_relation relate_rows(const struct region *a, const struct region *b)
{
    if (a->rows == 1 || b->rows == 1 || a->pitch == b->pitch)
        return rows_meet(a, b, a->rows > 1 ? a->pitch : b->pitch) ? REGIONS_MEET : REGIONS_APART;
    const struct region *few = a->rows <= b->rows ? a : b, *many = few == a ? b : a;
    if (few->rows > ROWS_COMPARED)
        return REGIONS_PERHAPS_MEET;
    for (uint64_t row = 0; row < few->rows; row++) {
        const struct region one = {few->start + row * few->pitch, few->width, few->pitch, 1, true};
        if (rows_meet(&one, many, many->pitch))
            return REGIONS_MEET;
    }
    return REGIONS_APART;
}

enum region_relation region_relate(const struct region *a, const struct region *b)
{
    if (a->rows == 0 || b->rows == 0 || region_end(a) <= b->start || region_end(b) <= a->start)
        return REGIONS_APART;
    const enum region_relation relation = relate_rows(a, b);
    return relation == REGIONS_MEET && !(a->is_exact && b->is_exact) ? REGIONS_PERHAPS_MEET : relation;
}

bool region_covers(const struct region *outer, const struct region *inner)
{
    if (!outer->is_exact)
        return false;
    if (outer->rows == 1)
        return outer->start <= inner->start && region_end(inner) <= region_end(outer);
    return outer->start == inner->start && outer->width == inner->width && outer->pitch == inner->pitch &&
           outer->rows == inner->rows;
}
