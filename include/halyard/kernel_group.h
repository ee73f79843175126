/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file kernel_group.h
 * Part of kernel.h: what a group does together. Written with regions alone, so each target gets them and each gives the
 * same bits. `scratch` is HALY_LOCAL with at least `count` elements; every item may read `result` afterwards. The
 * statements stand outside regions, in uniform control flow (R1).
 */
#ifndef HALYARD_KERNEL_GROUP_H
#define HALYARD_KERNEL_GROUP_H

#include <halyard/kernel_target.h>

/* clang-format off */
#define HALY_COMBINE_ADD_(a, b) ((a) + (b))
#define HALY_COMBINE_MAX_(a, b) ((a) > (b) ? (a) : (b))
#define HALY_COMBINE_MIN_(a, b) ((a) < (b) ? (a) : (b))

/* A tree by halves: the order depends on `count` alone. 0 < count <= items of the group. The scratch is overwritten. */
#define HALY_GROUP_REDUCE_(combine, type, scratch, count, result)                                                      \
    do {                                                                                                               \
        for (haly_u32 haly_n = (count); haly_n > 1;) {                                                                 \
            const haly_u32 haly_h = (haly_n + 1) / 2;                                                                  \
            HALY_ITEMS_BELOW(haly_t, haly_n - haly_h)                                                                  \
            {                                                                                                          \
                scratch[haly_t] = combine(scratch[haly_t], scratch[haly_t + haly_h]);                                  \
            }                                                                                                          \
            haly_n = haly_h;                                                                                           \
        }                                                                                                              \
        HALY_GROUP_BROADCAST(type, scratch, 0, result);                                                                \
    } while (0)

/** result = sum of scratch[0 .. count-1], each item having stored its own and ended the region. */
#define HALY_GROUP_REDUCE_ADD(type, scratch, count, result)                                                            \
    HALY_GROUP_REDUCE_(HALY_COMBINE_ADD_, type, scratch, count, result)
/** result = the largest; of NaN and a number either may win. */
#define HALY_GROUP_REDUCE_MAX(type, scratch, count, result)                                                            \
    HALY_GROUP_REDUCE_(HALY_COMBINE_MAX_, type, scratch, count, result)
#define HALY_GROUP_REDUCE_MIN(type, scratch, count, result)                                                            \
    HALY_GROUP_REDUCE_(HALY_COMBINE_MIN_, type, scratch, count, result)

/** result = scratch[index]; afterwards the scratch may be written again. */
#define HALY_GROUP_BROADCAST(type, scratch, index, result)                                                             \
    do {                                                                                                               \
        const type haly_value = scratch[index];                                                                        \
        HALY_BARRIER;                                                                                                  \
        (result) = haly_value;                                                                                         \
    } while (0)

/** scratch[i] = scratch[0] + ... + scratch[i] for i < count, by doubling distances. 0 < count <= items of the group. */
#define HALY_GROUP_SCAN_ADD(type, scratch, count)                                                                      \
    do {                                                                                                               \
        HALY_PRIVATE(type, haly_carry);                                                                                \
        for (haly_u32 haly_d = 1; haly_d < (count); haly_d *= 2) {                                                     \
            HALY_ITEMS_BELOW(haly_t, (count) - haly_d)                                                                   \
            {                                                                                                          \
                HALY_P(haly_carry, haly_t) = scratch[haly_t];                                                          \
            }                                                                                                          \
            HALY_ITEMS_BELOW(haly_t, (count) - haly_d)                                                                   \
            {                                                                                                          \
                scratch[haly_t + haly_d] = scratch[haly_t + haly_d] + HALY_P(haly_carry, haly_t);                      \
            }                                                                                                          \
        }                                                                                                              \
    } while (0)

/* clang-format on */

#endif
