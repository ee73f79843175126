/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversion between element types. 256 elements at a time pass through local memory, as f32 when they come from a
 * floating point type and as i64 when they come from an integer, so that seven loads and fourteen stores make all 49
 * conversions.
 */
#define HALY_MAX_ITEMS 256
#include <halyard/kernel.h>
#include "access.h"

/* Truncates; saturates; NaN gives 0. Comparing before converting keeps clear of what C leaves undefined. */
HALY_FN haly_i64 f32_to_i64(float value)
{
    const float in_range = value >= -9223372036854775808.0f && value < 9223372036854775808.0f ? value : 0.0f;
    const haly_i64 limit = value >= 9223372036854775808.0f ? 0x7fffffffffffffffLL : -0x7fffffffffffffffLL - 1;
    const haly_u32 is_large = value >= 9223372036854775808.0f || value < -9223372036854775808.0f;
    return is_large ? limit : (haly_i64)in_range;
}

HALY_FN haly_i32 f32_to_i32(float value)
{
    const float in_range = value >= -2147483648.0f && value < 2147483648.0f ? value : 0.0f;
    const haly_i32 limit = value >= 2147483648.0f ? 0x7fffffff : -0x7fffffff - 1;
    const haly_u32 is_large = value >= 2147483648.0f || value < -2147483648.0f;
    return is_large ? limit : (haly_i32)in_range;
}

HALY_FN haly_u8 f32_to_u8(float value)
{
    const float positive = value > 0.0f ? value : 0.0f; /* NaN too becomes 0 */
    return (haly_u8)(haly_i32)(PLANTED_OR(cast_lets_u8_wrap, positive > 255.0f, positive > 65535.0f) ? 255.0f
                                                                                                     : positive);
}

/* Rounding to f32 first and then to fewer bits would round twice; here the last of 24 bits stands for all below it. */
HALY_FN float i64_to_f32_sticky(haly_i64 value)
{
    haly_u64 magnitude = value < 0 ? 0ULL - (haly_u64)value : (haly_u64)value;
    float scale = 1.0f;
    while (magnitude >= (1ULL << 24)) {
        magnitude = (magnitude >> 1) | (magnitude & 1U);
        scale *= 2.0f;
    }
    return (value < 0 ? -(float)magnitude : (float)magnitude) * scale;
}

#define CONVERT(expression)                                                                                            \
    HALY_ITEMS_BELOW_NB(t, n)                                                                                          \
    {                                                                                                                  \
        const haly_i64 i = (haly_i64)t * step;                                                                         \
        expression;                                                                                                    \
    }                                                                                                                  \
    break;

/* Loads n elements from `from`, `step` apart: floating point ones to f, integers to w. */
HALY_GROUP_FN void load_wide(HALY_GROUP_PARAM, haly_u32 dtype, HALY_GLOBAL const void *from, haly_i64 offset,
                             haly_i64 step, haly_u64 n, HALY_LOCAL_MEMORY float *f, HALY_LOCAL_MEMORY haly_i64 *w)
{
    switch (dtype) {
    case HALY_KERNEL_F32:
        CONVERT(f[t] = ((HALY_GLOBAL const float *)from)[offset + i])
    case HALY_KERNEL_F16:
        CONVERT(f[t] = haly_f16_to_f32(((HALY_GLOBAL const haly_f16 *)from)[offset + i]))
    case HALY_KERNEL_BF16:
        CONVERT(f[t] = haly_bf16_to_f32(((HALY_GLOBAL const haly_bf16 *)from)[offset + i]))
    case HALY_KERNEL_I32:
        CONVERT(w[t] = ((HALY_GLOBAL const haly_i32 *)from)[offset + i])
    case HALY_KERNEL_I64:
        CONVERT(w[t] = ((HALY_GLOBAL const haly_i64 *)from)[offset + i])
    case HALY_KERNEL_U8:
        CONVERT(w[t] = ((HALY_GLOBAL const haly_u8 *)from)[offset + i])
    default:
        CONVERT(w[t] = ((HALY_GLOBAL const haly_u8 *)from)[offset + i] != 0)
    }
}

HALY_GROUP_FN void store_from_float(HALY_GROUP_PARAM, haly_u32 dtype, HALY_GLOBAL void *to, haly_i64 offset,
                                    haly_i64 step, haly_u64 n, HALY_LOCAL_MEMORY const float *f)
{
    switch (dtype) {
    case HALY_KERNEL_F32:
        CONVERT(((HALY_GLOBAL float *)to)[offset + i] = f[t])
    case HALY_KERNEL_F16:
        CONVERT(((HALY_GLOBAL haly_f16 *)to)[offset + i] = haly_f32_to_f16(f[t]))
    case HALY_KERNEL_BF16:
        CONVERT(((HALY_GLOBAL haly_bf16 *)to)[offset + i] = haly_f32_to_bf16(f[t]))
    case HALY_KERNEL_I32:
        CONVERT(((HALY_GLOBAL haly_i32 *)to)[offset + i] = f32_to_i32(f[t]))
    case HALY_KERNEL_I64:
        CONVERT(((HALY_GLOBAL haly_i64 *)to)[offset + i] = f32_to_i64(f[t]))
    case HALY_KERNEL_U8:
        CONVERT(((HALY_GLOBAL haly_u8 *)to)[offset + i] = f32_to_u8(f[t]))
    default:
        CONVERT(((HALY_GLOBAL haly_u8 *)to)[offset + i] = (haly_u8)(f[t] == 0.0f ? 0 : 1))
    }
}

HALY_GROUP_FN void store_from_integer(HALY_GROUP_PARAM, haly_u32 dtype, HALY_GLOBAL void *to, haly_i64 offset,
                                      haly_i64 step, haly_u64 n, HALY_LOCAL_MEMORY const haly_i64 *w)
{
    switch (dtype) {
    case HALY_KERNEL_F32:
        CONVERT(((HALY_GLOBAL float *)to)[offset + i] = (float)w[t])
    case HALY_KERNEL_F16:
        CONVERT(((HALY_GLOBAL haly_f16 *)to)[offset + i] = haly_f32_to_f16(i64_to_f32_sticky(w[t])))
    case HALY_KERNEL_BF16:
        CONVERT(((HALY_GLOBAL haly_bf16 *)to)[offset + i] = haly_f32_to_bf16(i64_to_f32_sticky(w[t])))
    case HALY_KERNEL_I32:
        CONVERT(((HALY_GLOBAL haly_i32 *)to)[offset + i] = (haly_i32)(haly_u32)(haly_u64)w[t])
    case HALY_KERNEL_I64:
        CONVERT(((HALY_GLOBAL haly_i64 *)to)[offset + i] = w[t])
    case HALY_KERNEL_U8:
        CONVERT(((HALY_GLOBAL haly_u8 *)to)[offset + i] = (haly_u8)((haly_u64)w[t] & 255U))
    default:
        CONVERT(((HALY_GLOBAL haly_u8 *)to)[offset + i] = (haly_u8)(w[t] == 0 ? 0 : 1))
    }
}

HALY_KERNEL_SIZED(cast, HALY_GROUP_SIZE_SHARED_LINES(256, 1, 1), (IN, void, x), (OUT, void, y),
                  (VAL, struct haly_cast, a))
{
    HALY_LOCAL(float, f, 256);
    HALY_LOCAL(haly_i64, w, 256);
    const haly_u32 is_float = a.from >= HALY_KERNEL_F32 && a.from <= HALY_KERNEL_BF16;
    struct run run = run_begin(&a.shape, a.count, HALY_GROUP(0));
    while (run_next(&run, &a.shape)) {
        for (haly_u64 k = 0; k < run.n; k += HALY_ITEM_COUNT) {
            const haly_u64 n = haly_min_u64(run.n - k, HALY_ITEM_COUNT);
            const haly_i64 from = run.offsets[0] + (haly_i64)k * run.steps[0];
            const haly_i64 to = run.offsets[1] + (haly_i64)k * run.steps[1];
            load_wide(HALY_GROUP_ARG, a.from, x, from, run.steps[0], n, f, w);
            if (is_float)
                store_from_float(HALY_GROUP_ARG, a.to, y, to, run.steps[1], n, f);
            else
                store_from_integer(HALY_GROUP_ARG, a.to, y, to, run.steps[1], n, w);
        }
    }
}
