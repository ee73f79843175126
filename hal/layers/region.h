/* SPDX-License-Identifier: Apache-2.0 */
/* Which bytes a command touches: rows of equal width at equal distances. */
#ifndef HAL_LAYERS_REGION_H
#define HAL_LAYERS_REGION_H

#include <stdbool.h>
#include <stdint.h>

#include <halyard/tensor.h>

struct region {
    uint64_t start, width; /* of the first row; width 0: nothing */
    uint64_t pitch, rows;  /* pitch counts when there is more than one row */
    bool is_exact;         /* else no more than these bytes, perhaps fewer */
};

enum region_relation { REGIONS_APART, REGIONS_PERHAPS_MEET, REGIONS_MEET };

struct region region_of_range(const void *address, uint64_t bytes);
struct region region_of_rectangle(const void *address, uint64_t pitch, uint64_t width, uint64_t height);
/* All elements of a tensor that was checked. Layouts that are no rows become their extent, which is not exact. */
struct region region_of_tensor(const haly_tensor *tensor, const void *address);

/* The address behind the last byte. */
static inline uint64_t region_end(const struct region *region)
{
    return region->rows == 0 ? region->start : region->start + (region->rows - 1) * region->pitch + region->width;
}

/* Do they share a byte? */
enum region_relation region_relate(const struct region *a, const struct region *b);

/* Whether every byte of `inner` is known to be one of `outer`, which is exact. */
bool region_covers(const struct region *outer, const struct region *inner);

#endif
