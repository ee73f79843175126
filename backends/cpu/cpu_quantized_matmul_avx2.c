/* SPDX-License-Identifier: Apache-2.0 */
/* The quantised matrix product for AVX2 with FMA and F16C: the 16 lanes are two registers, so the bits are those of
 * AVX-512. */
#include <immintrin.h>
#include <stddef.h>
#include <string.h>

#define TILE_MR 2U
#define TILE_NR 2U

typedef struct {
    __m256 a, b;
} vec;

static inline vec vec_zero(void)
{
    const vec zero = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    return zero;
}

static inline vec vec_load(const float *from)
{
    const vec value = {_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)};
    return value;
}

static inline void vec_store(float *to, vec value)
{
    _mm256_storeu_ps(to, value.a);
    _mm256_storeu_ps(to + 8, value.b);
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    const vec value = {_mm256_fmadd_ps(a.a, b.a, c.a), _mm256_fmadd_ps(a.b, b.b, c.b)};
    return value;
}

static inline float vec_sum(vec value)
{
    const __m256 eight = _mm256_add_ps(value.a, value.b);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* to[j] = sum of from[j] + bias[j] for four vectors, in the order of vec_sum. */
static inline void vec_sum_4(const float (*from)[16], const float *bias, float *to)
{
    for (int j = 0; j < 4; j++)
        to[j] = vec_sum(vec_load(from[j])) + bias[j];
}

#include "cpu_quantized_matmul_f16c.h"

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

static inline __attribute__((always_inline)) void block_decode(const uint8_t *block, uint32_t format,
                                                               const float *scale, vec *low, vec *high)
{
    const __m256 d = _mm256_set1_ps(scale[0]), m = _mm256_set1_ps(scale[1]);
    if (format == HALY_Q8_0) {
        low->a = weights_of(eight_bytes(block + 2, 1), format, d, m);
        low->b = weights_of(eight_bytes(block + 10, 1), format, d, m);
        high->a = weights_of(eight_bytes(block + 18, 1), format, d, m);
        high->b = weights_of(eight_bytes(block + 26, 1), format, d, m);
        return;
    }
    const uint8_t *nibbles = block + (format == HALY_Q4_1 ? 4 : 2);
    const __m256i first = eight_bytes(nibbles, 0), second = eight_bytes(nibbles + 8, 0);
    const __m256i mask = _mm256_set1_epi32(15);
    low->a = weights_of(_mm256_and_si256(first, mask), format, d, m);
    low->b = weights_of(_mm256_and_si256(second, mask), format, d, m);
    high->a = weights_of(_mm256_srli_epi32(first, 4), format, d, m);
    high->b = weights_of(_mm256_srli_epi32(second, 4), format, d, m);
}

#include "cpu_quantized_matmul_tile.h"

QUANTIZED_MATMUL(haly_cpu_quantized_matmul_avx2)
