/* SPDX-License-Identifier: Apache-2.0 */
/* The quantised matrix product in portable C, for baseline x86-64 and other processors: 16 lanes as four vectors of
 * four. */
#include <halyard/dtype.h>
#include <halyard/kernel.h>
#include "cpu_vector.h"
#include "planted.h"

#define TILE_MR 1U
#define TILE_NR 2U

static inline float half_at(const uint8_t *bytes)
{
    const haly_f16 half = {(haly_u16)(bytes[0] | (haly_u32)bytes[1] << 8)}; /* on machines of either byte order */
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
INLINE void block_decode(const uint8_t *block, uint32_t format, const float *scale, vec *low, vec *high)
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
            second[i] = d * (float)PLANTED_OR(baseline_takes_the_low_nibble, bytes[i] >> 4, bytes[i] & 15) + m;
        }
    }
    *low = vec_load(first);
    *high = vec_load(second);
}

#include "cpu_quantized_matmul_tile.h"

QUANTIZED_MATMUL(haly_cpu_quantized_matmul_baseline)
