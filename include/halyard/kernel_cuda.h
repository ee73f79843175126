/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file kernel_cuda.h
 * Part of kernel.h: what CUDA C (NVRTC, nvcc) calls the things that the dialect is made of. Compile with --fmad=false,
 * which rule R9 asks for; haly_mad() is fused all the same. It includes nothing, so NVRTC needs no folder of headers.
 */
#ifndef HALYARD_KERNEL_CUDA_H
#define HALYARD_KERNEL_CUDA_H

#if defined(HALY_TARGET_CUDA) /* kernel_target.h says for which compiler */

#define HALY_HAS_FMA 1

typedef unsigned char haly_u8;
typedef signed char haly_i8;
typedef unsigned short haly_u16;
typedef short haly_i16;
typedef unsigned int haly_u32;
typedef int haly_i32;
typedef unsigned long long haly_u64;
typedef long long haly_i64;

#define HALY_GLOBAL
#define HALY_LOCAL_MEMORY
#define HALY_FN static __device__ inline
#define HALY_INLINE static __device__ __forceinline__
#define HALY_UNROLL _Pragma("unroll")

#define HALY_DECLARE_KERNEL_ extern "C" __global__
#define HALY_DECLARE_SIZED_(x, y, z) extern "C" __global__ __launch_bounds__((x) * (y) * (z))
#define HALY_LOCAL_ARRAY_(type, name, count) __shared__ __align__(64) type name[count]

#define HALY_OF_(value, d) ((d) == 0 ? (value).x : (d) == 1 ? (value).y : (value).z)
#define HALY_ITEM_(d) HALY_OF_(threadIdx, d)
#define HALY_GROUP(d) HALY_OF_(blockIdx, d)
#define HALY_GROUPS(d) HALY_OF_(gridDim, d)
#define HALY_SIZE(d) HALY_OF_(blockDim, d)
#define HALY_BARRIER __syncthreads()

HALY_FN haly_u32 haly_f32_bits(float value)
{
    return __float_as_uint(value);
}

HALY_FN float haly_f32_from_bits(haly_u32 bits)
{
    return __uint_as_float(bits);
}

HALY_FN float haly_mad(float a, float b, float c)
{
    return __fmaf_rn(a, b, c);
}

HALY_FN float haly_sqrtf(float x)
{
    return __fsqrt_rn(x);
}

HALY_FN haly_u64 haly_mul_high_u64(haly_u64 a, haly_u64 b)
{
    return __umul64hi(a, b);
}

typedef float4 haly_f32x4;

HALY_FN haly_f32x4 haly_load_f32x4(const float *address)
{
    return *(const float4 *)address;
}

HALY_FN void haly_store_f32x4(float *address, haly_f32x4 value)
{
    *(float4 *)address = value;
}

#define HALY_ATOMIC_(op, builtin, type, suffix)                                                                        \
    HALY_FN type haly_atomic_##op##_##suffix(type *address, type value)                                                \
    {                                                                                                                  \
        return builtin(address, value);                                                                                \
    }
#define HALY_ATOMICS_(type, suffix)                                                                                    \
    HALY_ATOMIC_(add, atomicAdd, type, suffix)                                                                         \
    HALY_ATOMIC_(min, atomicMin, type, suffix)                                                                         \
    HALY_ATOMIC_(max, atomicMax, type, suffix)                                                                         \
    HALY_ATOMIC_(and, atomicAnd, type, suffix)                                                                         \
    HALY_ATOMIC_(or, atomicOr, type, suffix)                                                                           \
    HALY_ATOMIC_(xor, atomicXor, type, suffix)                                                                         \
    HALY_ATOMIC_(exchange, atomicExch, type, suffix)                                                                   \
    HALY_FN type haly_atomic_compare_exchange_##suffix(type *address, type expected, type value)                       \
    {                                                                                                                  \
        return atomicCAS(address, expected, value);                                                                    \
    }
HALY_ATOMICS_(haly_u32, u32)
HALY_ATOMICS_(haly_i32, i32)

#endif
#endif
