/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rotary position embedding. A group does one position of the sequence: sines and cosines once, then all heads. Angles
 * are turns in 64-bit fixed point (see haly_sin_turns), so large positions cost no accuracy.
 */
#define HALY_MAX_ITEMS 256
#include <halyard/kernel.h>
#include "access.h"

HALY_FN haly_i64 rotary_position(const struct haly_rotary *a, HALY_GLOBAL const void *positions, haly_i64 b, haly_i64 s)
{
    if (a->position_dtype == HALY_KERNEL_NONE)
        return a->position_first + s;
    return a->position_first +
           load_index(positions, a->position_dtype, b * a->position_strides[0] + s * a->position_strides[1]);
}

/* first * ratio^exponent, all fractions of 2^64; by squaring, so that any item gets its own without the ones before. */
HALY_FN haly_u64 rotary_frequency(haly_u64 first, haly_u64 ratio, haly_u32 exponent)
{
    if (ratio == 0) /* stands for 1 */
        return first;
    for (; exponent != 0; exponent >>= 1) {
        if ((exponent & 1U) != 0)
            first = haly_mul_high_u64(first, ratio);
        ratio = haly_mul_high_u64(ratio, ratio);
    }
    return first;
}

HALY_FN void rotary_angle(const struct haly_rotary *a, HALY_GLOBAL const void *cos_cache,
                          HALY_GLOBAL const void *sin_cache, haly_i64 position, haly_u32 pair,
                          HALY_LOCAL_MEMORY float *cosine, HALY_LOCAL_MEMORY float *sine)
{
    if (a->cache_dtype == HALY_KERNEL_NONE) {
        const haly_u64 phase = (haly_u64)position * rotary_frequency(a->frequency_first, a->frequency_ratio, pair);
        *cosine = haly_cos_turns(phase);
        *sine = haly_sin_turns(phase);
    } else if (position < 0 || (haly_u64)position >= a->cache_rows) {
        *cosine = *sine = HALY_NAN;
    } else {
        const haly_i64 column = pair;
        *cosine =
            load_real(cos_cache, a->cache_dtype, position * a->cache_strides[0][0] + column * a->cache_strides[0][1]);
        *sine =
            load_real(sin_cache, a->cache_dtype, position * a->cache_strides[1][0] + column * a->cache_strides[1][1]);
    }
}

#define KERNEL_BODY "rotary_body.h"
#include "for_each_real.h"
