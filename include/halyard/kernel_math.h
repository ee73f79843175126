/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file kernel_math.h
 * Part of kernel.h: mathematical functions made of arithmetic and selects only, so that they vectorise, need no library
 * and agree between targets. Polynomials are minimax fits made for this file. Bounds are a little above the
 * largest error found on one float in five of the stated range against double precision, with and without fused
 * multiply-add (tests/unit/test_kernel_math.c holds them on a sample), in units in the last place (ulp) of the exact
 * result. NaN gives NaN everywhere.
 *
 *   haly_expf      1.1 ulp; below -103.98 gives 0, above 88.72 infinity; subnormal results are correct to 1.1 units
 *   haly_logf      0.9 ulp; 0 gives -infinity, negative gives NaN; subnormal arguments are right
 *   haly_tanhf     1.4 ulp
 *   haly_erff      1.4 ulp
 *   haly_sigmoidf  2.6 ulp for x >= -87; below that an absolute error under 1e-38
 *   haly_sinf, haly_cosf   2.2 ulp for |x| <= 2^20; NaN outside, rather than a wrong value
 *   haly_sin_turns, haly_cos_turns   1.3e-7 absolute
 *   haly_sqrtf     correctly rounded (kernel_target.h);   haly_rsqrtf  1.5 ulp
 */
#ifndef HALYARD_KERNEL_MATH_H
#define HALYARD_KERNEL_MATH_H

#include <halyard/kernel_target.h>

#define HALY_INFINITY haly_f32_from_bits(0x7f800000U)
#define HALY_NAN haly_f32_from_bits(0x7fc00000U)

HALY_FN float haly_absf(float x)
{
    return haly_f32_from_bits(haly_f32_bits(x) & 0x7fffffffU);
}

/** |magnitude| with the sign of `sign`. */
HALY_FN float haly_copysignf(float magnitude, float sign)
{
    return haly_f32_from_bits((haly_f32_bits(magnitude) & 0x7fffffffU) | (haly_f32_bits(sign) & 0x80000000U));
}

HALY_FN haly_u32 haly_is_nanf(float x)
{
    return (haly_f32_bits(x) & 0x7fffffffU) > 0x7f800000U;
}

/** The larger; b when either is NaN (one instruction, unlike the form below). */
HALY_FN float haly_maxf(float a, float b)
{
    return a > b ? a : b;
}
HALY_FN float haly_minf(float a, float b)
{
    return a < b ? a : b;
}

/** The larger; NaN when either is NaN. */
HALY_FN float haly_max_nanf(float a, float b)
{
    return a > b || a != a ? a : b;
}
HALY_FN float haly_min_nanf(float a, float b)
{
    return a < b || a != a ? a : b;
}

HALY_FN haly_u64 haly_min_u64(haly_u64 a, haly_u64 b)
{
    return a < b ? a : b;
}

HALY_FN float haly_rsqrtf(float x)
{
    return 1.0f / haly_sqrtf(x);
}

/* Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits: no conversion that could overflow. */
#define HALY_ROUND_MAGIC 12582912.0f

/** e^x = 2^n * e^r with |r| <= ln2 / 2; 2^n is applied in two halves so that n = 128 and subnormal results work. */
HALY_FN float haly_expf(float x)
{
    const float low = x < -104.0f ? -104.0f : x;
    const float bounded = low > 89.0f ? 89.0f : low;
    const float magic = bounded * 1.442695f + HALY_ROUND_MAGIC;
    const float n = magic - HALY_ROUND_MAGIC;
    const haly_i32 power = (haly_i32)(haly_f32_bits(magic) - haly_f32_bits(HALY_ROUND_MAGIC));
    const haly_i32 first = power >> 1; /* in two factors: one alone may be no normal number */
    const float r = haly_mad(n, -1.4286068e-06f, haly_mad(n, -0.69314575f, bounded)); /* ln2, first part 15 bits */
    float p = haly_mad(0.0013951713f, r, 0.008369598f);
    p = haly_mad(p, r, 0.041666187f);
    p = haly_mad(p, r, 0.16666512f);
    p = haly_mad(p, r, 0.5f);
    p = haly_mad(p * r, r, r) + 1.0f;
    return p * haly_f32_from_bits((haly_u32)(first + 127) << 23) *
           haly_f32_from_bits((haly_u32)(power - first + 127) << 23);
}

/** Natural logarithm. x = 2^e * (1 + f) with 1 + f between sqrt(1/2) and sqrt(2). */
HALY_FN float haly_logf(float x)
{
    const haly_u32 is_tiny = x < 1.1754944e-38f;
    const haly_u32 bits = haly_f32_bits(is_tiny ? x * 8388608.0f : x);
    const haly_i32 exponent = (haly_i32)(bits - 0x3f3504f3U) >> 23;
    const float f = haly_f32_from_bits(bits - ((haly_u32)exponent << 23)) - 1.0f;
    const float e = (float)(exponent - (is_tiny ? 23 : 0));
    float p = haly_mad(0.069155455f, f, -0.11789839f);
    p = haly_mad(p, f, 0.118729085f);
    p = haly_mad(p, f, -0.12384339f);
    p = haly_mad(p, f, 0.14218667f);
    p = haly_mad(p, f, -0.16669251f);
    p = haly_mad(p, f, 0.20002227f);
    p = haly_mad(p, f, -0.24999987f);
    p = haly_mad(p, f, 0.3333331f);
    const float square = f * f;
    const float tail = haly_mad(e, 1.4286068e-06f, haly_mad(p * f, square, -0.5f * square));
    const float result = haly_mad(e, 0.69314575f, f + tail);
    const float positive = x == HALY_INFINITY ? x : result;
    const float ordered = x == 0.0f ? -HALY_INFINITY : positive;
    return x < 0.0f || x != x ? HALY_NAN : ordered;
}

HALY_FN float haly_tanhf(float x)
{
    const float a = haly_absf(x);
    const float z = x * x;
    float p = haly_mad(-0.0056793154f, z, 0.020618133f);
    p = haly_mad(p, z, -0.053734004f);
    p = haly_mad(p, z, 0.13331383f);
    p = haly_mad(p, z, -0.3333328f);
    const float small = haly_mad(p * z, a, a);
    const float large = 1.0f - 2.0f / (haly_expf(2.0f * a) + 1.0f);
    return haly_copysignf(a < 0.625f ? small : large, x);
}

HALY_FN float haly_sigmoidf(float x)
{
    return 1.0f / (1.0f + haly_expf(-x));
}

/** Error function: x + x * P(x^2) near 0, 1 - e^-Q(|x|) further out, where Q is fitted to -log(erfc). */
HALY_FN float haly_erff(float x)
{
    const float a = haly_absf(x);
    const float z = x * x;
    float p = haly_mad(-0.00059768965f, z, 0.004990981f);
    p = haly_mad(p, z, -0.026765568f);
    p = haly_mad(p, z, 0.112818025f);
    p = haly_mad(p, z, -0.37612495f);
    p = haly_mad(p, z, 0.12837915f);
    const float small = haly_mad(p, a, a);
    const float b = a > 4.0f ? 4.0f : a;
    float q = haly_mad(2.1038937e-05f, b, -0.0004337958f);
    q = haly_mad(q, b, 0.0041677416f);
    q = haly_mad(q, b, -0.025110437f);
    q = haly_mad(q, b, 0.1082658f);
    q = haly_mad(q, b, 0.63336027f);
    q = haly_mad(q, b, 1.1295081f);
    q = haly_mad(q, b, -0.00017324033f);
    return haly_copysignf(a < 0.92f ? small : 1.0f - haly_expf(-q), x);
}

/** sin(r) and cos(r) for |r| <= pi/4. */
HALY_FN float haly_sin_near_zero(float r)
{
    const float z = r * r;
    float p = haly_mad(-0.00019516656f, z, 0.008332173f);
    p = haly_mad(p, z, -0.16666655f);
    return haly_mad(p * z, r, r);
}
HALY_FN float haly_cos_near_zero(float r)
{
    const float z = r * r;
    float p = haly_mad(2.4437732e-05f, z, -0.0013887362f);
    p = haly_mad(p, z, 0.041666646f);
    return haly_mad(p * z, z, haly_mad(-0.5f, z, 1.0f));
}

/** Picks sin or cos of quarter turn `quadrant` plus r, for sin; cos is the next quadrant's. */
HALY_FN float haly_sin_quadrant(float r, haly_u32 quadrant)
{
    const float value = (quadrant & 1U) != 0 ? haly_cos_near_zero(r) : haly_sin_near_zero(r);
    return haly_f32_from_bits(haly_f32_bits(value) ^ ((quadrant & 2U) << 30));
}

/** x less the nearest multiple of pi/2, whose number is added to the quadrant. For |x| <= 2^20. */
HALY_FN float haly_reduce_quarter(float x, haly_u32 *quadrant)
{
    const float magic = x * 0.63661975f + HALY_ROUND_MAGIC;
    const float n = magic - HALY_ROUND_MAGIC;
    *quadrant += haly_f32_bits(magic) - haly_f32_bits(HALY_ROUND_MAGIC);
#if defined(HALY_HAS_FMA)
    float r = haly_mad(n, -1.5707964f, x); /* pi/2 in three parts; the first step is exact */
    r = haly_mad(n, 4.371139e-08f, r);
    return haly_mad(n, 1.7151245e-15f, r);
#else
    /* Here pi/2 in two doubles, the first of 32 bits, so that its product is exact. */
    return (float)((double)x - (double)n * 1.5707963267341256 - (double)n * 6.077100506506192e-11);
#endif
}

HALY_FN float haly_sinf(float x)
{
    haly_u32 quadrant = 0;
    const float r = haly_reduce_quarter(x, &quadrant);
    return haly_absf(x) <= 1048576.0f ? haly_sin_quadrant(r, quadrant) : HALY_NAN;
}

HALY_FN float haly_cosf(float x)
{
    haly_u32 quadrant = 1;
    const float r = haly_reduce_quarter(x, &quadrant);
    return haly_absf(x) <= 1048576.0f ? haly_sin_quadrant(r, quadrant) : HALY_NAN;
}

/**
 * Angles as turns in 64-bit fixed point: phase / 2^64 of a full turn. Multiplying such a number by an integer wraps
 * around just as the angle does, so position * frequency needs no range reduction and loses nothing, however large the
 * position. @return the rest after whole quarter turns, in radians within [-pi/4, pi/4].
 */
HALY_FN float haly_reduce_turns(haly_u64 phase, haly_u32 *quadrant)
{
    const haly_u64 rounded = phase + (1ULL << 61);
    *quadrant += (haly_u32)(rounded >> 62);
    return (float)(haly_i64)((rounded & 0x3fffffffffffffffULL) - (1ULL << 61)) * 3.4061217e-19f;
}

HALY_FN float haly_sin_turns(haly_u64 phase)
{
    haly_u32 quadrant = 0;
    const float r = haly_reduce_turns(phase, &quadrant);
    return haly_sin_quadrant(r, quadrant);
}

HALY_FN float haly_cos_turns(haly_u64 phase)
{
    haly_u32 quadrant = 1;
    const float r = haly_reduce_turns(phase, &quadrant);
    return haly_sin_quadrant(r, quadrant);
}

#endif
