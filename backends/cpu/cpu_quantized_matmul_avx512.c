/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The quantised matrix product for AVX-512. Nibbles become weights by a 16-entry table in a register: the permute reads
 * just the low four bits of each index, so neither masking nor conversion to float is needed, and the table holds d * q
 * + m already.
 */
#include "cpu_vector.h"

#define TILE_MR 6U
#define TILE_NR 4U

#include "cpu_quantized_matmul_f16c.h"
#include "planted.h"

INLINE void block_decode(const uint8_t *block, uint32_t format, const float *scale, vec *low, vec *high)
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
    *high = _mm512_permutexvar_ps(PLANTED_OR(avx512_takes_the_low_nibble, _mm512_srli_epi32(bytes, 4), bytes), table);
}

#include "cpu_quantized_matmul_tile.h"

QUANTIZED_MATMUL(haly_cpu_quantized_matmul_avx512)
