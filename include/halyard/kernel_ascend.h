/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file kernel_ascend.h
 * Part of kernel.h: what Ascend C (910C, whose cores have no threads) calls the things that the dialect is made of. One
 * core runs a group as a host does, in loops over its items. A core knows a one-dimensional block index alone, so the
 * launch appends six more haly_u32 arguments: the groups of the grid and the items of a group, x y z each. Cores do not
 * see each other's caches: hence rule R6, and atomics are plain steps, right within a group and in kernels that declare
 * shared lines, whose groups run on one core. Checked against documented facts, not on a device.
 */
#ifndef HALYARD_KERNEL_ASCEND_H
#define HALYARD_KERNEL_ASCEND_H

#if defined(HALY_TARGET_ASCEND) /* kernel_target.h says for which compiler */
#include <kernel_operator.h>

typedef unsigned char haly_u8;
typedef signed char haly_i8;
typedef unsigned short haly_u16;
typedef short haly_i16;
typedef unsigned int haly_u32;
typedef int haly_i32;
typedef unsigned long long haly_u64;
typedef long long haly_i64;

#define HALY_GLOBAL __gm__
#define HALY_LOCAL_MEMORY
#define HALY_LOCAL_STORAGE
#define HALY_FN static __aicore__ inline __attribute__((unused))
#define HALY_INLINE static __aicore__ inline __attribute__((always_inline, unused))
#define HALY_NOT_INLINE_ static __aicore__ __attribute__((unused))

/* sin and cos need a fused multiply-add where double arithmetic is missing. */
#define HALY_HAS_FMA 1

HALY_FN haly_u32 haly_f32_bits(float value)
{
    haly_u32 bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return bits;
}

HALY_FN float haly_f32_from_bits(haly_u32 bits)
{
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

HALY_FN float haly_mad(float a, float b, float c)
{
    return __builtin_fmaf(a, b, c);
}

/* Correctly rounded, a bit of the root at a time: the cores have no C library. */
HALY_FN float haly_sqrtf(float x)
{
    haly_u32 bits = haly_f32_bits(x);
    if ((bits & 0x7fffffffU) == 0 || bits == 0x7f800000U)
        return x;
    if (bits > 0x7f800000U)
        return haly_f32_from_bits(0x7fc00000U);
    haly_i32 exponent = (haly_i32)(bits >> 23) - 127;
    haly_u64 rest = bits & 0x7fffffU;
    if (exponent == -127) /* subnormal */
        for (exponent = -126; (rest & 0x800000U) == 0; exponent--)
            rest <<= 1;
    rest = (rest | 0x800000U) << (25 + (exponent & 1)); /* the root gets 25 bits, one more than is kept */
    haly_u64 root = 0;
    for (haly_u64 bit = 1ULL << 48; bit != 0; bit >>= 2) {
        const haly_u64 with = root + bit;
        root >>= 1;
        if (rest >= with) {
            rest -= with;
            root += bit;
        }
    }
    /* 25 bits of a root are never half way: x would have 50 of them. */
    const haly_u32 half_exponent = (haly_u32)((exponent - (exponent & 1)) / 2 + 127);
    return haly_f32_from_bits((half_exponent << 23) + (haly_u32)((root + 1) >> 1) - 0x800000U);
}

HALY_FN haly_u64 haly_mul_high_u64(haly_u64 a, haly_u64 b)
{
    const haly_u64 low = 0xffffffffULL;
    const haly_u64 middle = (a >> 32) * (b & low) + (((a & low) * (b & low)) >> 32);
    const haly_u64 other = (a & low) * (b >> 32) + (middle & low);
    return (a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32);
}

/* The entry unpacks the block index and calls the body for that group. */
#define HALY_PASS_(kname, kind, type, arg) arg
#define HALY_GROUP_SIZE(x, y, z) (x, y, z)
#define HALY_GROUP_SIZE_SHARED_LINES(x, y, z) (x, y, z)
#define HALY_KERNEL(name, ...) HALY_KERNEL_DEFINE_(name, haly_size_x, haly_size_y, haly_size_z, __VA_ARGS__)
#define HALY_KERNEL_SIZED(name, size, ...) HALY_KERNEL_DEFINE(name, HALY_UNWRAP size, __VA_ARGS__)
#define HALY_KERNEL_DEFINE(...) HALY_KERNEL_DEFINE_(__VA_ARGS__)
/* clang-format off */
#define HALY_KERNEL_DEFINE_(kname, sx, sy, sz, ...)                                                                    \
    HALY_INLINE void kname##_body(const struct haly_group *haly_g,                                                     \
                                  HALY_MAP_COMMA(HALY_PARAMETER_, kname, __VA_ARGS__));                                \
    extern "C" __global__ __aicore__ void HALY_CAT(kname, HALY_KERNEL_SUFFIX)(                                         \
        HALY_MAP_COMMA(HALY_PARAMETER_, kname, __VA_ARGS__), haly_u32 haly_groups_x, haly_u32 haly_groups_y,           \
        haly_u32 haly_groups_z, haly_u32 haly_size_x, haly_u32 haly_size_y, haly_u32 haly_size_z)                      \
    {                                                                                                                  \
        const haly_u32 haly_index = (haly_u32)AscendC::GetBlockIdx();                                                  \
        (void)haly_size_x, (void)haly_size_y, (void)haly_size_z; /* where the kernel is compiled for a size */         \
        const struct haly_group haly_launched = {                                                                      \
            {haly_index % haly_groups_x, haly_index / haly_groups_x % haly_groups_y,                                   \
             haly_index / haly_groups_x / haly_groups_y},                                                              \
            {haly_groups_x, haly_groups_y, haly_groups_z},                                                             \
            {sx, sy, sz},                                                                                              \
            {0}};                                                                                                      \
        kname##_body(&haly_launched, HALY_MAP_COMMA(HALY_PASS_, kname, __VA_ARGS__));                                  \
    }                                                                                                                  \
    HALY_INLINE void kname##_body(const struct haly_group *haly_g __attribute__((unused)),                             \
                                  HALY_MAP_COMMA(HALY_PARAMETER_, kname, __VA_ARGS__))
/* clang-format on */

#ifndef HALY_KERNEL_SUFFIX
#define HALY_KERNEL_SUFFIX /* nothing */
#endif

#define HALY_ATOMIC_(op, type, suffix, result)                                                                         \
    template <typename address_type> HALY_FN type haly_atomic_##op##_##suffix(address_type address, type value)        \
    {                                                                                                                  \
        const type old = *address;                                                                                     \
        *address = (result);                                                                                           \
        return old;                                                                                                    \
    }
#define HALY_ATOMICS_(type, suffix)                                                                                    \
    HALY_ATOMIC_(add, type, suffix, (type)((haly_u32)old + (haly_u32)value))                                           \
    HALY_ATOMIC_(and, type, suffix, old &value)                                                                        \
    HALY_ATOMIC_(or, type, suffix, old | value)                                                                        \
    HALY_ATOMIC_(xor, type, suffix, old ^ value)                                                                       \
    HALY_ATOMIC_(min, type, suffix, value < old ? value : old)                                                         \
    HALY_ATOMIC_(max, type, suffix, value > old ? value : old)                                                         \
    HALY_ATOMIC_(exchange, type, suffix, value)                                                                        \
    template <typename address_type>                                                                                   \
    HALY_FN type haly_atomic_compare_exchange_##suffix(address_type address, type expected, type value)                \
    {                                                                                                                  \
        const type old = *address;                                                                                     \
        if (old == expected)                                                                                           \
            *address = value;                                                                                          \
        return old;                                                                                                    \
    }
HALY_ATOMICS_(haly_u32, u32)
HALY_ATOMICS_(haly_i32, i32)

/** Four floats that move as one 16-byte access; the address must be a multiple of 16. */
typedef struct __attribute__((aligned(16), may_alias)) haly_f32x4 {
    float x, y, z, w;
} haly_f32x4;

HALY_FN haly_f32x4 haly_load_f32x4(__gm__ const float *address)
{
    __gm__ const haly_f32x4 *at = (__gm__ const haly_f32x4 *)address;
    haly_f32x4 value;
    value.x = at->x;
    value.y = at->y;
    value.z = at->z;
    value.w = at->w;
    return value;
}

HALY_FN void haly_store_f32x4(__gm__ float *address, haly_f32x4 value)
{
    address[0] = value.x;
    address[1] = value.y;
    address[2] = value.z;
    address[3] = value.w;
}

#endif
#endif
