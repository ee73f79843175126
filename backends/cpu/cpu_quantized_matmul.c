/* SPDX-License-Identifier: Apache-2.0 */
/* The quantised matrix product in portable C, for baseline x86-64 and ARMv8: 16 lanes as four vectors of four. */
#include <stddef.h>
#include <string.h>

#include <halyard/dtype.h>
#include <halyard/kernel.h>

#define TILE_MR 1U
#define TILE_NR 2U

typedef float four __attribute__((vector_size(16)));
typedef struct {
    four part[4];
} vec;

static inline vec vec_zero(void)
{
    const vec zero = {{{0}, {0}, {0}, {0}}};
    return zero;
}

static inline vec vec_load(const float *from)
{
    vec value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline void vec_store(float *to, vec value)
{
    memcpy(to, &value, sizeof value);
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    for (int i = 0; i < 4; i++)
        c.part[i] += a.part[i] * b.part[i];
    return c;
}

static inline float vec_sum(vec value)
{
    const four sum = (value.part[0] + value.part[2]) + (value.part[1] + value.part[3]);
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

/* to[j] = sum of from[j] + bias[j] for four vectors, in the order of vec_sum. */
static inline void vec_sum_4(const float (*from)[16], const float *bias, float *to)
{
    for (int j = 0; j < 4; j++)
        to[j] = vec_sum(vec_load(from[j])) + bias[j];
}

static inline float half_at(const uint8_t *bytes)
{
    haly_f16 half;
    memcpy(&half, bytes, sizeof half);
    return haly_f16_to_f32(half);
}

/* scales[b] = {d, m}; m is meaningless where the format has none. */
static inline void scales_decode(const uint8_t *row, uint32_t format, uint32_t count, float (*scales)[2])
{
    const uint32_t bytes = format == HALY_Q8_0 ? 34U : format == HALY_Q4_0 ? 18U : 20U;
    for (uint32_t b = 0; b < count; b++) {
        scales[b][0] = half_at(row + (size_t)b * bytes);
        scales[b][1] = half_at(row + (size_t)b * bytes + 2);
    }
}

/* Plain loops over 16 weights, which compilers turn into vector code. */
static inline __attribute__((always_inline)) void block_decode(const uint8_t *block, uint32_t format,
                                                               const float *scale, vec *low, vec *high)
{
    const float d = scale[0], m = format == HALY_Q4_1 ? scale[1] : 0.0f;
    const uint8_t *bytes = block + (format == HALY_Q4_1 ? 4 : 2);
    float first[16], second[16];
    for (int i = 0; i < 16; i++) {
        if (format == HALY_Q8_0) {
            first[i] = d * (float)(int8_t)bytes[i];
            second[i] = d * (float)(int8_t)bytes[i + 16];
        } else if (format == HALY_Q4_0) {
            first[i] = d * (float)((bytes[i] & 15) - 8);
            second[i] = d * (float)((bytes[i] >> 4) - 8);
        } else {
            first[i] = d * (float)(bytes[i] & 15) + m;
            second[i] = d * (float)(bytes[i] >> 4) + m;
        }
    }
    *low = vec_load(first);
    *high = vec_load(second);
}

#include "cpu_quantized_matmul_tile.h"

QUANTIZED_MATMUL(haly_cpu_quantized_matmul_baseline)
