/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file kernel_opencl.h
 * Part of kernel.h: what OpenCL C (1.2 and newer) calls the things that the dialect is made of. The driver compiles one
 * self-contained text; correctly rounded division and square root take -cl-fp32-correctly-rounded-divide-sqrt, where
 * the device has them.
 */
#ifndef HALYARD_KERNEL_OPENCL_H
#define HALYARD_KERNEL_OPENCL_H

#if defined(HALY_TARGET_OPENCL) /* kernel_target.h says for which compiler */

#pragma OPENCL FP_CONTRACT OFF
/* Without double arithmetic a fused multiply-add is needed, however slow, to keep the bits that sin and cos take. */
#if defined(FP_FAST_FMAF) || !(defined(cl_khr_fp64) || defined(__opencl_c_fp64))
#define HALY_HAS_FMA 1
#endif

typedef uchar haly_u8;
typedef char haly_i8;
typedef ushort haly_u16;
typedef short haly_i16;
typedef uint haly_u32;
typedef int haly_i32;
typedef ulong haly_u64;
typedef long haly_i64;

#define HALY_GLOBAL __global
#define HALY_LOCAL_MEMORY __local
#define HALY_FN static inline
#define HALY_INLINE static inline __attribute__((always_inline))
#define HALY_UNROLL _Pragma("unroll")

#define HALY_DECLARE_KERNEL_ __kernel
#define HALY_DECLARE_SIZED_(x, y, z) __kernel __attribute__((reqd_work_group_size(x, y, z)))
#define HALY_LOCAL_ARRAY_(type, name, count) __local type name[count] __attribute__((aligned(64)))

#define HALY_ITEM_(d) ((haly_u32)get_local_id(d))
#define HALY_GROUP(d) ((haly_u32)get_group_id(d))
#define HALY_GROUPS(d) ((haly_u32)get_num_groups(d))
#define HALY_SIZE(d) ((haly_u32)get_local_size(d))
#define HALY_BARRIER barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE)

HALY_FN haly_u32 haly_f32_bits(float value)
{
    return as_uint(value);
}

HALY_FN float haly_f32_from_bits(haly_u32 bits)
{
    return as_float(bits);
}

HALY_FN float haly_mad(float a, float b, float c)
{
#if defined(HALY_HAS_FMA)
    return fma(a, b, c);
#else
    return a * b + c;
#endif
}

HALY_FN float haly_sqrtf(float x)
{
    return sqrt(x);
}

HALY_FN haly_u64 haly_mul_high_u64(haly_u64 a, haly_u64 b)
{
    return mul_hi(a, b);
}

typedef float4 haly_f32x4;

HALY_FN haly_f32x4 haly_load_f32x4(__global const float *address)
{
    return *(__global const float4 *)address;
}

HALY_FN void haly_store_f32x4(__global float *address, haly_f32x4 value)
{
    *(__global float4 *)address = value;
}

/* Macros, because the built-in functions take addresses of both spaces. */
#define haly_atomic_add_u32(address, value) atomic_add((address), (value))
#define haly_atomic_min_u32(address, value) atomic_min((address), (value))
#define haly_atomic_max_u32(address, value) atomic_max((address), (value))
#define haly_atomic_and_u32(address, value) atomic_and((address), (value))
#define haly_atomic_or_u32(address, value) atomic_or((address), (value))
#define haly_atomic_xor_u32(address, value) atomic_xor((address), (value))
#define haly_atomic_exchange_u32(address, value) atomic_xchg((address), (value))
#define haly_atomic_compare_exchange_u32(address, expected, value) atomic_cmpxchg((address), (expected), (value))
#define haly_atomic_add_i32(address, value) atomic_add((address), (value))
#define haly_atomic_min_i32(address, value) atomic_min((address), (value))
#define haly_atomic_max_i32(address, value) atomic_max((address), (value))
#define haly_atomic_and_i32(address, value) atomic_and((address), (value))
#define haly_atomic_or_i32(address, value) atomic_or((address), (value))
#define haly_atomic_xor_i32(address, value) atomic_xor((address), (value))
#define haly_atomic_exchange_i32(address, value) atomic_xchg((address), (value))
#define haly_atomic_compare_exchange_i32(address, expected, value) atomic_cmpxchg((address), (expected), (value))

#endif
#endif
