/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The quantised matrix product for AVX-512. Nibbles become weights by a 16-entry table in a register: the permute reads
 * just the low four bits of each index, so neither masking nor conversion to float is needed, and the table holds d * q
 * + m already.
 */
#include <immintrin.h>
#include <stddef.h>
#include <string.h>

#define TILE_MR 6U
#define TILE_NR 4U

typedef __m512 vec;

static inline vec vec_zero(void)
{
    return _mm512_setzero_ps();
}

static inline vec vec_load(const float *from)
{
    return _mm512_loadu_ps(from);
}

static inline void vec_store(float *to, vec value)
{
    _mm512_storeu_ps(to, value);
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline float vec_sum(vec value)
{
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(value), _mm512_extractf32x8_ps(value, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* to[j] = sum of from[j] + bias[j] for four vectors, in the order of vec_sum but with half as many shuffles. */
static inline void vec_sum_4(const float (*from)[16], const float *bias, float *to)
{
    const __m512 a = vec_load(from[0]), b = vec_load(from[1]), c = vec_load(from[2]), d = vec_load(from[3]);
    const __m512 ab = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
    const __m512 cd = _mm512_add_ps(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xee));
    const __m512 four = _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
    const __m512 two = _mm512_add_ps(four, _mm512_permute_ps(four, 0xee));
    const __m512 one = _mm512_add_ps(two, _mm512_permute_ps(two, 0x55));
    const __m512i first = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m128 sums = _mm512_castps512_ps128(_mm512_permutexvar_ps(first, one));
    _mm_storeu_ps(to, _mm_add_ps(sums, _mm_loadu_ps(bias)));
}

#include "cpu_quantized_matmul_f16c.h"

static inline __attribute__((always_inline)) void block_decode(const uint8_t *block, uint32_t format,
                                                               const float *scale, vec *low, vec *high)
{
    const __m512 d = _mm512_set1_ps(scale[0]);
    if (format == HALY_Q8_0) {
        const __m512i first = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(block + 2)));
        const __m512i second = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(block + 18)));
        *low = _mm512_mul_ps(_mm512_cvtepi32_ps(first), d);
        *high = _mm512_mul_ps(_mm512_cvtepi32_ps(second), d);
        return;
    }
    const __m512 numbers =
        _mm512_setr_ps(0.f, 1.f, 2.f, 3.f, 4.f, 5.f, 6.f, 7.f, 8.f, 9.f, 10.f, 11.f, 12.f, 13.f, 14.f, 15.f);
    const __m512 table = format == HALY_Q4_1 ? _mm512_fmadd_ps(numbers, d, _mm512_set1_ps(scale[1]))
                                             : _mm512_mul_ps(_mm512_sub_ps(numbers, _mm512_set1_ps(8.f)), d);
    const uint8_t *nibbles = block + (format == HALY_Q4_1 ? 4 : 2);
    const __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)nibbles));
    *low = _mm512_permutexvar_ps(bytes, table);
    *high = _mm512_permutexvar_ps(_mm512_srli_epi32(bytes, 4), table);
}

#include "cpu_quantized_matmul_tile.h"

QUANTIZED_MATMUL(haly_cpu_quantized_matmul_avx512)
