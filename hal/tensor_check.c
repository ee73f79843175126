/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors by themselves: soundness, extents, overlap. All arithmetic is checked, since every number comes from outside.
 */
#include "tensor_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dtype.h"

void tensor_shape_text(uint32_t rank, const int64_t *shape, char text[TENSOR_SHAPE_TEXT])
{
    int used = snprintf(text, TENSOR_SHAPE_TEXT, "[");
    for (uint32_t i = 0; i < rank && used < TENSOR_SHAPE_TEXT; i++)
        used += snprintf(text + used, (size_t)(TENSOR_SHAPE_TEXT - used), "%s%lld", i == 0 ? "" : ", ",
                         (long long)shape[i]);
    if (used < TENSOR_SHAPE_TEXT)
        snprintf(text + used, (size_t)(TENSOR_SHAPE_TEXT - used), "]");
}

int64_t tensor_elements(const haly_tensor *tensor)
{
    int64_t count = 1;
    for (uint32_t i = 0; i < tensor->rank; i++)
        count *= tensor->shape[i];
    return count;
}

bool tensor_same_shape(const haly_tensor *a, const haly_tensor *b)
{
    return a->rank == b->rank && memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0;
}

bool tensor_same_layout(const haly_tensor *a, const haly_tensor *b)
{
    if (!tensor_same_shape(a, b) || haly_dtype_block_bytes(a->dtype) != haly_dtype_block_bytes(b->dtype) ||
        haly_dtype_block_elements(a->dtype) != haly_dtype_block_elements(b->dtype))
        return false;
    for (uint32_t i = 0; i < a->rank; i++)
        if (a->shape[i] > 1 && a->strides[i] != b->strides[i])
            return false;
    return true;
}

static haly_status check_block_rules(const haly_tensor *tensor, const char *name)
{
    const char *dtype = haly_dtype_name(tensor->dtype);
    if (tensor->rank == 0)
        return FAIL(HALY_ERR_INVALID, "%s is a scalar of type %s; block types need a last dimension", name, dtype);
    const uint32_t last = tensor->rank - 1;
    if (tensor->shape[last] % 32 != 0)
        return FAIL(HALY_ERR_INVALID, "%s has %lld elements in its last dimension; %s needs a multiple of 32", name,
                    (long long)tensor->shape[last], dtype);
    if (tensor->shape[last] > 1 && tensor->strides[last] != 1)
        return FAIL(HALY_ERR_INVALID, "%s has stride %lld in its last dimension; %s needs 1", name,
                    (long long)tensor->strides[last], dtype);
    for (uint32_t i = 0; i < last; i++)
        if (tensor->shape[i] > 1 && tensor->strides[i] % 32 != 0)
            return FAIL(HALY_ERR_INVALID, "%s has stride %lld in dimension %u; %s needs multiples of 32", name,
                        (long long)tensor->strides[i], i, dtype);
    return HALY_OK;
}

static haly_status check_shape(const haly_tensor *tensor, const char *name)
{
    if (!dtype_is_known(tensor->dtype))
        return FAIL(HALY_ERR_INVALID, "%s has type number %u, which is no haly_dtype of this library", name,
                    (unsigned)tensor->dtype);
    if (tensor->rank > HALY_MAX_RANK)
        return FAIL(HALY_ERR_INVALID, "%s has rank %u, expected at most %d", name, tensor->rank, HALY_MAX_RANK);
    if (tensor->reserved != 0)
        return FAIL(HALY_ERR_UNSUPPORTED, "%s.reserved is %llu, expected 0", name,
                    (unsigned long long)tensor->reserved);
    for (uint32_t i = 0; i < tensor->rank; i++)
        if (tensor->shape[i] < 0)
            return FAIL(HALY_ERR_INVALID, "%s has %lld elements in dimension %u", name, (long long)tensor->shape[i], i);
    return haly_dtype_block_elements(tensor->dtype) > 1 ? check_block_rules(tensor, name) : HALY_OK;
}

static bool has_no_elements(const haly_tensor *tensor)
{
    for (uint32_t i = 0; i < tensor->rank; i++)
        if (tensor->shape[i] == 0)
            return true;
    return false;
}

/* Adds the reach of one dimension; false on overflow. */
static bool reach_add(int64_t count, int64_t stride, int64_t *low, int64_t *high)
{
    int64_t reach;
    if (__builtin_mul_overflow(count - 1, stride, &reach))
        return false;
    return !__builtin_add_overflow(reach < 0 ? *low : *high, reach, reach < 0 ? low : high);
}

static haly_status find_extent(const haly_tensor *tensor, const char *name, struct tensor_extent *out_extent)
{
    const int64_t block_elements = haly_dtype_block_elements(tensor->dtype);
    const int64_t block_bytes = haly_dtype_block_bytes(tensor->dtype);
    int64_t low = 0, high = 0, count = 1;
    bool fits = true;
    for (uint32_t i = 0; i < tensor->rank && fits; i++)
        fits = reach_add(tensor->shape[i], tensor->strides[i], &low, &high) &&
               !__builtin_mul_overflow(count, tensor->shape[i], &count);
    /* From the last element to the one behind it; block types end on a block, see check_block_rules(). */
    fits = fits && !__builtin_add_overflow(high, (int64_t)1, &high) &&
           !__builtin_mul_overflow(low / block_elements, block_bytes, &low) &&
           !__builtin_mul_overflow(high / block_elements, block_bytes, &high) && low > INT64_MIN / 4 &&
           high < INT64_MAX / 4 && count < INT64_MAX / 4;
    if (!fits)
        return FAIL(HALY_ERR_INVALID, "%s reaches further than 61 bits: shape times strides overflow", name);
    *out_extent = (struct tensor_extent){low, high};
    return HALY_OK;
}

struct dimension {
    int64_t step; /* |stride| in elements */
    int64_t count;
};

static int compare_steps(const void *left, const void *right)
{
    const struct dimension *a = left, *b = right;
    return (a->step > b->step) - (a->step < b->step);
}

/* Elements are apart when every stride steps over all that the smaller strides reach. Layouts that interleave in other
 * ways are refused too: no kernel is written for them. */
static haly_status check_written(const haly_tensor *tensor, const char *name)
{
    struct dimension dimensions[HALY_MAX_RANK];
    uint32_t count = 0;
    for (uint32_t i = 0; i < tensor->rank; i++)
        if (tensor->shape[i] > 1)
            dimensions[count++] = (struct dimension){llabs(tensor->strides[i]), tensor->shape[i]};
    qsort(dimensions, count, sizeof *dimensions, compare_steps);
    int64_t reach = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (dimensions[i].step <= reach)
            return FAIL(HALY_ERR_INVALID,
                        "%s is written, and its stride %lld lets elements share memory or interleave; expected every "
                        "stride to step over the dimensions with smaller ones",
                        name, (long long)dimensions[i].step);
        reach += (dimensions[i].count - 1) * dimensions[i].step;
    }
    return HALY_OK;
}

haly_status tensor_check(const haly_tensor *tensor, bool is_written, const char *name, struct tensor_extent *out_extent)
{
    *out_extent = (struct tensor_extent){0, 0};
    TRY(check_shape(tensor, name));
    if (has_no_elements(tensor))
        return HALY_OK;
    TRY(find_extent(tensor, name, out_extent));
    return is_written ? check_written(tensor, name) : HALY_OK;
}

/* The bytes of a tensor modulo `pitch`, for strides that are multiples of it left out: a start and a length, which is 0
 * when they fill more than one pitch. */
static int64_t band(const haly_tensor *tensor, uintptr_t address, int64_t pitch, int64_t *out_start)
{
    const int64_t block_elements = haly_dtype_block_elements(tensor->dtype);
    const int64_t block_bytes = haly_dtype_block_bytes(tensor->dtype);
    int64_t low = 0, high = block_elements - 1;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        const int64_t count = tensor->shape[i], stride = tensor->strides[i];
        if (i + 1 == tensor->rank && block_elements > 1)
            high += count - block_elements;
        else if (count > 1 && stride / block_elements * block_bytes % pitch != 0)
            *(stride < 0 ? &low : &high) += (count - 1) * stride;
    }
    low = low / block_elements * block_bytes;
    const int64_t length = (high + 1) / block_elements * block_bytes - low;
    *out_start = (int64_t)((address + (uintptr_t)low) % (uintptr_t)pitch);
    return length > pitch ? 0 : length;
}

static bool bands_are_apart(const haly_tensor *a, uintptr_t a_address, const haly_tensor *b, uintptr_t b_address,
                            int64_t pitch)
{
    int64_t a_start, b_start;
    const int64_t a_length = band(a, a_address, pitch, &a_start);
    const int64_t b_length = band(b, b_address, pitch, &b_start);
    if (a_length == 0 || b_length == 0)
        return false;
    const int64_t a_to_b = ((b_start - a_start) % pitch + pitch) % pitch;
    return a_to_b >= a_length && pitch - a_to_b >= b_length;
}

bool tensor_is_disjoint(const haly_tensor *a, uintptr_t a_address, const haly_tensor *b, uintptr_t b_address)
{
    const haly_tensor *const both[2] = {a, b};
    for (uint32_t which = 0; which < 2; which++) {
        const haly_tensor *tensor = both[which];
        const int64_t block_elements = haly_dtype_block_elements(tensor->dtype);
        const int64_t block_bytes = haly_dtype_block_bytes(tensor->dtype);
        for (uint32_t i = 0; i < tensor->rank; i++) {
            if (tensor->shape[i] <= 1)
                continue; /* its stride is never used and may be anything */
            const int64_t pitch = llabs(tensor->strides[i]) / block_elements * block_bytes;
            if (pitch > 0 && bands_are_apart(a, a_address, b, b_address, pitch))
                return true;
        }
    }
    return false;
}
