/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file kernel_target.h
 * Part of kernel.h: which target this source is compiled for, the fixed-size types and bit casts. Everything above it
 * (storage types, math, group primitives) is written once on what a target's branch defines here and in its own file.
 */
#ifndef HALYARD_KERNEL_TARGET_H
#define HALYARD_KERNEL_TARGET_H

#if defined(__OPENCL_VERSION__) || defined(__OPENCL_C_VERSION__)
#define HALY_TARGET_OPENCL 1
#define HALY_TARGET_SIMT 1
#elif defined(__CUDACC__) || defined(__CUDACC_RTC__) || defined(__CUDA__)
#define HALY_TARGET_CUDA 1
#define HALY_TARGET_SIMT 1
#elif defined(__NPU_ARCH__) || defined(__CCE_AICORE__)
#define HALY_TARGET_ASCEND 1
#elif defined(__GNUC__) && (defined(__x86_64__) || defined(__aarch64__) || defined(__s390x__))
#define HALY_TARGET_HOST 1
#else
#error "halyard/kernel.h needs gcc or clang for x86-64, aarch64 or s390x to compile a kernel for the host"
#endif

#if defined(HALY_TARGET_HOST) && defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
#error "this compiler computes float expressions in a wider type; kernels need binary32: add -fexcess-precision=fast"
#endif

#if defined(HALY_TARGET_OPENCL)
#include <halyard/kernel_opencl.h>
#elif defined(HALY_TARGET_CUDA)
#include <halyard/kernel_cuda.h>
#elif defined(HALY_TARGET_ASCEND)
#include <halyard/kernel_ascend.h>
#else
#include <stddef.h>
#include <stdint.h>

typedef uint8_t haly_u8;
typedef int8_t haly_i8;
typedef uint16_t haly_u16;
typedef int16_t haly_i16;
typedef uint32_t haly_u32;
typedef int32_t haly_i32;
typedef uint64_t haly_u64;
typedef int64_t haly_i64;

/* Address spaces of kernel arguments and of HALY_LOCAL. A host has one; HALY_CHECK_ADDRESS_SPACES (clang, compile
   only) keeps them apart as other targets do, so that mixing them up is an error here already. */
#if defined(HALY_CHECK_ADDRESS_SPACES)
#define HALY_GLOBAL __attribute__((address_space(1)))
#define HALY_LOCAL_MEMORY __attribute__((address_space(3)))
#define HALY_LOCAL_STORAGE static
#else
#define HALY_GLOBAL
#define HALY_LOCAL_MEMORY
#define HALY_LOCAL_STORAGE
#endif
#define HALY_FN static inline __attribute__((unused))
#define HALY_NOT_INLINE_ static __attribute__((unused))
#define HALY_INLINE static inline __attribute__((always_inline, unused))

/* Fused multiply-add is one instruction, and haly_mad() uses it. */
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define HALY_HAS_FMA 1
#endif

/** The 32 bits of a float. */
HALY_FN haly_u32 haly_f32_bits(float value)
{
    haly_u32 bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return bits;
}

/** The float with these bits. */
HALY_FN float haly_f32_from_bits(haly_u32 bits)
{
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

/** a * b + c, rounded once where that is one instruction on the target, else after each step. */
HALY_FN float haly_mad(float a, float b, float c)
{
#if defined(HALY_HAS_FMA)
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

/** The correctly rounded square root; NaN for x < 0. Inline code, never a call of the C library. */
HALY_FN float haly_sqrtf(float x)
{
#if defined(__NO_MATH_ERRNO__)
    return __builtin_sqrtf(x);
#elif defined(__x86_64__)
    __asm__("sqrtss %0, %0" : "+x"(x));
    return x;
#elif defined(__aarch64__)
    __asm__("fsqrt %s0, %s0" : "+w"(x));
    return x;
#else
    __asm__("sqebr %0, %0" : "+f"(x));
    return x;
#endif
}

/** The upper 64 bits of a 64 x 64 bit product. */
HALY_FN haly_u64 haly_mul_high_u64(haly_u64 a, haly_u64 b)
{
    __extension__ typedef unsigned __int128 wide;
    return (haly_u64)(((wide)a * b) >> 64);
}
#endif

#endif
