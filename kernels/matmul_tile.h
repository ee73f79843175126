/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inner part of the matmul kernels: a group's 32 x 128 output tile, an item a column, from tiles of 32 steps of k
 * in local memory. Every sum runs through k in order, whatever the tile sizes, so the number of rows does not change
 * its bits.
 */
#ifndef HALYARD_KERNELS_MATMUL_TILE_H
#define HALYARD_KERNELS_MATMUL_TILE_H

#include "access.h"

#define TILE_ROWS HALY_MATMUL_ROWS
#define TILE_COLUMNS HALY_MATMUL_COLUMNS
#define TILE_DEPTH 32U

/* acc[r][t] += a[r][0..31] * b[0..31][t]; four steps of k and, while there are, four rows at a time. */
#define TILE_STEP(r)                                                                                                   \
    {                                                                                                                  \
        float sum = HALY_PA(acc, (r), t);                                                                              \
        sum = haly_mad(a_tile[(r)*TILE_DEPTH + k], b0, sum);                                                           \
        sum = haly_mad(a_tile[(r)*TILE_DEPTH + k + 1], b1, sum);                                                       \
        sum = haly_mad(a_tile[(r)*TILE_DEPTH + k + 2], b2, sum);                                                       \
        HALY_PA(acc, (r), t) = haly_mad(a_tile[(r)*TILE_DEPTH + k + 3], b3, sum);                                      \
    }
#define TILE_LOAD_B                                                                                                    \
    const float b0 = b_tile[k * TILE_COLUMNS + t];                                                                     \
    const float b1 = b_tile[(k + 1) * TILE_COLUMNS + t];                                                               \
    const float b2 = b_tile[(k + 2) * TILE_COLUMNS + t];                                                               \
    const float b3 = b_tile[(k + 3) * TILE_COLUMNS + t];
#define TILE_MULTIPLY(rows)                                                                                            \
    {                                                                                                                  \
        haly_u32 r = 0;                                                                                                \
        for (; r + 4 <= (rows); r += 4)                                                                                \
            for (haly_u32 k = 0; k < TILE_DEPTH; k += 4)                                                               \
                HALY_ITEMS_NB(t)                                                                                       \
                {                                                                                                      \
                    TILE_LOAD_B                                                                                        \
                    TILE_STEP(r)                                                                                       \
                    TILE_STEP(r + 1)                                                                                   \
                    TILE_STEP(r + 2)                                                                                   \
                    TILE_STEP(r + 3)                                                                                   \
                }                                                                                                      \
        for (; r < (rows); r++)                                                                                        \
            for (haly_u32 k = 0; k < TILE_DEPTH; k += 4)                                                               \
                HALY_ITEMS_NB(t)                                                                                       \
                {                                                                                                      \
                    TILE_LOAD_B                                                                                        \
                    TILE_STEP(r)                                                                                       \
                }                                                                                                      \
    }
#define TILE_CLEAR(rows)                                                                                               \
    for (haly_u32 r = 0; r < (rows); r++)                                                                              \
        HALY_ITEMS_NB(t)                                                                                               \
        {                                                                                                              \
            HALY_PA(acc, r, t) = 0.0f;                                                                                 \
        }

/* A mistake to plant: the sums so far rounded to the storage type. */
#define TILE_ROUND(rows)                                                                                               \
    for (haly_u32 r = 0; r < (rows); r++)                                                                              \
        HALY_ITEMS_NB(t)                                                                                               \
        {                                                                                                              \
            HALY_PA(acc, r, t) = REAL_LOAD(REAL_STORE(HALY_PA(acc, r, t)));                                            \
        }

#endif
