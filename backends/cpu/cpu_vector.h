/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vector of 16 floats on whatever instruction set this file is compiled for: one AVX-512 register, two of AVX2, four
 * of SSE or NEON. The operations do the same on each lane and vec_sum adds lanes in the same order, so AVX2 and AVX-512
 * code gives the same bits; the baseline rounds products, having no fused multiply-add on x86-64.
 */
#ifndef CPU_VECTOR_H
#define CPU_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline, unused))
/* In front of loops with small constant counts whose bodies index arrays that must end up in registers. */
#if defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 8")
#endif

#if defined(__AVX512F__) && defined(__AVX512DQ__)

typedef __m512 vec;

INLINE vec vec_set(float value)
{
    return _mm512_set1_ps(value);
}

INLINE vec vec_load(const float *from)
{
    return _mm512_loadu_ps(from);
}

INLINE void vec_store(float *to, vec value)
{
    _mm512_storeu_ps(to, value);
}

INLINE vec vec_add(vec a, vec b)
{
    return _mm512_add_ps(a, b);
}

INLINE vec vec_mul(vec a, vec b)
{
    return _mm512_mul_ps(a, b);
}

INLINE vec vec_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}

INLINE float vec_sum(vec value)
{
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(value), _mm512_extractf32x8_ps(value, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* In the order of vec_sum, with half as many shuffles as four of them. */
INLINE void vec_sum_4(vec a, vec b, vec c, vec d, float *to)
{
    const __m512 ab = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
    const __m512 cd = _mm512_add_ps(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xee));
    const __m512 four = _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
    const __m512 two = _mm512_add_ps(four, _mm512_permute_ps(four, 0xee));
    const __m512 one = _mm512_add_ps(two, _mm512_permute_ps(two, 0x55));
    const __m512i first = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    _mm_storeu_ps(to, _mm512_castps512_ps128(_mm512_permutexvar_ps(first, one)));
}

#else

#if defined(__AVX2__) && defined(__FMA__)
#define VEC_PARTS 2
#define EACH_PART(statement) statement(0) statement(1)
typedef __m256 part;
#define PART_SET(value) _mm256_set1_ps(value)
#define PART_FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#else
#define VEC_PARTS 4
#define EACH_PART(statement) statement(0) statement(1) statement(2) statement(3)
typedef float part __attribute__((vector_size(16)));
#define PART_SET(value) ((part){value, value, value, value})
#define PART_FMA(a, b, c) ((a) * (b) + (c))
#endif

typedef struct {
    part part[VEC_PARTS];
} vec;

INLINE vec vec_set(float value)
{
    vec result;
#define SET(i) result.part[i] = PART_SET(value);
    EACH_PART(SET)
#undef SET
    return result;
}

INLINE vec vec_load(const float *from)
{
    vec result;
#define LOAD(i) memcpy(&result.part[i], from + (i)*16 / VEC_PARTS, sizeof(part));
    EACH_PART(LOAD)
#undef LOAD
    return result;
}

INLINE void vec_store(float *to, vec value)
{
#define STORE(i) memcpy(to + (i)*16 / VEC_PARTS, &value.part[i], sizeof(part));
    EACH_PART(STORE)
#undef STORE
}

INLINE vec vec_add(vec a, vec b)
{
#define ADD(i) a.part[i] = a.part[i] + b.part[i];
    EACH_PART(ADD)
#undef ADD
    return a;
}

INLINE vec vec_mul(vec a, vec b)
{
#define MUL(i) a.part[i] = a.part[i] * b.part[i];
    EACH_PART(MUL)
#undef MUL
    return a;
}

INLINE vec vec_fma(vec a, vec b, vec c)
{
#define FMA(i) c.part[i] = PART_FMA(a.part[i], b.part[i], c.part[i]);
    EACH_PART(FMA)
#undef FMA
    return c;
}

#if VEC_PARTS == 2
INLINE float vec_sum(vec value)
{
    const __m256 eight = _mm256_add_ps(value.part[0], value.part[1]);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
#else
INLINE float vec_sum(vec value)
{
    const part sum = (value.part[0] + value.part[2]) + (value.part[1] + value.part[3]);
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}
#endif

INLINE void vec_sum_4(vec a, vec b, vec c, vec d, float *to)
{
    to[0] = vec_sum(a);
    to[1] = vec_sum(b);
    to[2] = vec_sum(c);
    to[3] = vec_sum(d);
}

#endif

#endif
