/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file kernel_storage.h
 * Part of kernel.h: half and bfloat16 as storage. Values are converted to float, computed with, and rounded when
 * stored; no target needs half arithmetic. The conversions are integer code without branches: that vectorises on every
 * instruction set, where the one-value conversion instruction (F16C) would keep the loop around it scalar.
 */
#ifndef HALYARD_KERNEL_STORAGE_H
#define HALYARD_KERNEL_STORAGE_H

#include <halyard/kernel_target.h>

#if defined(HALY_TARGET_ASCEND)
/* The same types where objects of a class do not move between address spaces. */
enum class haly_f16 : haly_u16 {};
enum class haly_bf16 : haly_u16 {};
#define HALY_STORED_BITS_(value) ((haly_u16)(value))
#define HALY_STORED_(type, result, from) type result = (type)(from)
#else
/** IEEE binary16. A struct, so that arithmetic on the bits does not compile. */
typedef struct haly_f16 {
    haly_u16 bits;
} haly_f16;

/** bfloat16: the upper half of a binary32. */
typedef struct haly_bf16 {
    haly_u16 bits;
} haly_bf16;
#define HALY_STORED_BITS_(value) ((value).bits)
#define HALY_STORED_(type, result, from)                                                                               \
    type result;                                                                                                       \
    result.bits = (from)
#endif

/** The 16 bits of a stored number, and the number with these bits, on every target. */
HALY_FN haly_u16 haly_f16_bits(haly_f16 value)
{
    return HALY_STORED_BITS_(value);
}

HALY_FN haly_f16 haly_f16_from_bits(haly_u16 bits)
{
    HALY_STORED_(haly_f16, result, bits);
    return result;
}

HALY_FN haly_u16 haly_bf16_bits(haly_bf16 value)
{
    return HALY_STORED_BITS_(value);
}

HALY_FN haly_bf16 haly_bf16_from_bits(haly_u16 bits)
{
    HALY_STORED_(haly_bf16, result, bits);
    return result;
}

/** Exact; subnormals, infinities and NaN payloads are kept. */
HALY_FN float haly_f16_to_f32(haly_f16 value)
{
    const haly_u32 magnitude = haly_f16_bits(value) & 0x7fffU;
    const haly_u32 sign = (haly_u32)(haly_f16_bits(value) & 0x8000U) << 16;
    const haly_u32 normal = (magnitude << 13) + (112U << 23);
    /* 0.5 + m * 2^-24 has the subnormal's m in its last bits, and subtracting 0.5 is exact. */
    const haly_u32 subnormal = haly_f32_bits(haly_f32_from_bits(magnitude | 0x3f000000U) - 0.5f);
    const haly_u32 finite = magnitude < 0x0400U ? subnormal : normal;
    return haly_f32_from_bits((magnitude >= 0x7c00U ? normal + (112U << 23) : finite) | sign);
}

/** Round to nearest even; too large gives infinity; NaN stays NaN (quiet, upper payload bits kept). */
HALY_FN haly_f16 haly_f32_to_f16(float value)
{
    const haly_u32 bits = haly_f32_bits(value);
    const haly_u32 magnitude = bits & 0x7fffffffU;
    const haly_u32 sign = (bits >> 16) & 0x8000U;
    const haly_u32 rebiased = magnitude - (112U << 23);
    const haly_u32 normal = (rebiased + 0xfffU + ((rebiased >> 13) & 1U)) >> 13;
    const haly_u32 subnormal = haly_f32_bits(haly_f32_from_bits(magnitude) + 0.5f) - 0x3f000000U;
    const haly_u32 finite = magnitude < 0x38800000U ? subnormal : normal;
    const haly_u32 ordered = magnitude >= 0x47800000U ? 0x7c00U : finite;
    const haly_u32 quiet = 0x7e00U | ((magnitude >> 13) & 0x3ffU);
    return haly_f16_from_bits((haly_u16)((magnitude > 0x7f800000U ? quiet : ordered) | sign));
}

/** Exact. */
HALY_FN float haly_bf16_to_f32(haly_bf16 value)
{
    return haly_f32_from_bits((haly_u32)haly_bf16_bits(value) << 16);
}

/** Round to nearest even; too large gives infinity; NaN stays NaN (quiet, upper payload bits kept). */
HALY_FN haly_bf16 haly_f32_to_bf16(float value)
{
    const haly_u32 bits = haly_f32_bits(value);
    const haly_u32 rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
    return haly_bf16_from_bits((haly_u16)((bits & 0x7fffffffU) > 0x7f800000U ? (bits >> 16) | 0x40U : rounded));
}

/* f32 as a storage type among the others, so that one body serves all three. */
HALY_FN float haly_f32_to_f32(float value)
{
    return value;
}

#endif
