/* SPDX-License-Identifier: Apache-2.0 */
/* The quantised matrix product for AVX2 with FMA and F16C: the 16 lanes are two registers, so the bits are those of
 * AVX-512. */
#include "cpu_vector.h"

#define TILE_MR 2U
#define TILE_NR 2U

#include "cpu_quantized_matmul_f16c.h"
#include "planted.h"

static inline __m256i eight_bytes(const uint8_t *bytes, int is_signed)
{
    const __m128i eight = _mm_loadl_epi64((const __m128i *)(const void *)bytes);
    return is_signed ? _mm256_cvtepi8_epi32(eight) : _mm256_cvtepu8_epi32(eight);
}

/* d * q + m with one rounding; q4_0 has no m, and q - 8 is exact. */
static inline __m256 weights_of(__m256i q, uint32_t format, __m256 d, __m256 m)
{
    if (format == HALY_Q4_1)
        return _mm256_fmadd_ps(_mm256_cvtepi32_ps(q), d, m);
    return _mm256_mul_ps(_mm256_cvtepi32_ps(format == HALY_Q4_0 ? _mm256_sub_epi32(q, _mm256_set1_epi32(8)) : q), d);
}

INLINE void block_decode(const uint8_t *block, uint32_t format, const float *scale, vec *low, vec *high)
{
    const __m256 d = _mm256_set1_ps(scale[0]), m = _mm256_set1_ps(scale[1]);
    if (format == HALY_Q8_0) {
        low->part[0] = weights_of(eight_bytes(block + 2, 1), format, d, m);
        low->part[1] = weights_of(eight_bytes(block + 10, 1), format, d, m);
        high->part[0] = weights_of(eight_bytes(block + 18, 1), format, d, m);
        high->part[1] = weights_of(eight_bytes(block + 26, 1), format, d, m);
        return;
    }
    const uint8_t *nibbles = block + (format == HALY_Q4_1 ? 4 : 2);
    const __m256i first = eight_bytes(nibbles, 0), second = eight_bytes(nibbles + 8, 0);
    const __m256i mask = _mm256_set1_epi32(15);
    low->part[0] = weights_of(_mm256_and_si256(first, mask), format, d, m);
    low->part[1] = weights_of(_mm256_and_si256(second, mask), format, d, m);
    high->part[0] = weights_of(_mm256_srli_epi32(first, 4), format, d, m);
    high->part[1] =
        weights_of(_mm256_srli_epi32(PLANTED_OR(avx2_repeats_eight_weights, second, first), 4), format, d, m);
}

#include "cpu_quantized_matmul_tile.h"

QUANTIZED_MATMUL(haly_cpu_quantized_matmul_avx2)
