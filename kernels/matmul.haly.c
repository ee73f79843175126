/* SPDX-License-Identifier: Apache-2.0 */
/* Batched matrix product over any strides, optionally with a bias; b may have another floating point type. */
#define HALY_MAX_ITEMS 128
#include <halyard/kernel.h>
#include "matmul_tile.h"

/* One tile of b as f32; what lies outside b is 0. With a constant type and step the common layouts vectorise. */
HALY_GROUP_INLINE void load_b(HALY_GROUP_PARAM, HALY_LOCAL_MEMORY float *b_tile, HALY_GLOBAL const void *b,
                              haly_u32 dtype, haly_i64 first, haly_i64 k_step, haly_i64 n_step, haly_u32 depth,
                              haly_u32 columns)
{
    for (haly_u32 k = 0; k < depth; k++)
        HALY_ITEMS_BELOW_NB(t, columns)
        {
            b_tile[k * TILE_COLUMNS + t] = load_real(b, dtype, first + (haly_i64)k * k_step + (haly_i64)t * n_step);
        }
}

HALY_GROUP_FN void matmul_load_b(HALY_GROUP_PARAM, HALY_LOCAL_MEMORY float *b_tile, HALY_GLOBAL const void *b,
                                 haly_u32 dtype, haly_i64 first, const haly_i64 *strides, haly_u32 depth,
                                 haly_u32 columns)
{
    if (columns < TILE_COLUMNS || depth < TILE_DEPTH)
        for (haly_u32 k = 0; k < TILE_DEPTH; k++)
            HALY_ITEMS_NB(t)
            {
                b_tile[k * TILE_COLUMNS + t] = 0.0f;
            }
    if (dtype == HALY_KERNEL_F32 && strides[1] == 1)
        load_b(HALY_GROUP_ARG, b_tile, b, HALY_KERNEL_F32, first, strides[0], 1, depth, columns);
    else if (dtype == HALY_KERNEL_F16 && strides[1] == 1)
        load_b(HALY_GROUP_ARG, b_tile, b, HALY_KERNEL_F16, first, strides[0], 1, depth, columns);
    else if (dtype == HALY_KERNEL_BF16 && strides[1] == 1)
        load_b(HALY_GROUP_ARG, b_tile, b, HALY_KERNEL_BF16, first, strides[0], 1, depth, columns);
    else
        load_b(HALY_GROUP_ARG, b_tile, b, dtype, first, strides[0], strides[1], depth, columns);
    HALY_BARRIER; /* both tiles are complete */
}

#define KERNEL_BODY "matmul_body.h"
#include "for_each_real.h"
