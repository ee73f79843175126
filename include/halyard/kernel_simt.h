/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file kernel_simt.h
 * Part of kernel.h: kernels and regions where each item is a thread of the hardware. A region is run once by every
 * item, as a loop of one turn whose step is the barrier: so `break` and `continue` end the item and still reach the
 * barrier.
 */
#ifndef HALYARD_KERNEL_SIMT_H
#define HALYARD_KERNEL_SIMT_H

#include <halyard/kernel_target.h>
#include <halyard/kernel_arguments.h>

#if defined(HALY_TARGET_SIMT)
#ifndef HALY_KERNEL_SUFFIX
#define HALY_KERNEL_SUFFIX /* nothing */
#endif

/* As enum haly_kernel_flags of kernel_host.h. */
#define HALY_KERNEL_SHARES_LINES 1

/* clang-format off */
/* ---- arguments: one parameter each, in order ---- */
#define HALY_TYPE_IN(type) HALY_GLOBAL const type *
#define HALY_TYPE_OUT(type) HALY_GLOBAL type *
#define HALY_TYPE_INOUT(type) HALY_GLOBAL type *
#define HALY_TYPE_VAL(type) type
#define HALY_PARAMETER_(kname, kind, type, arg) HALY_TYPE_##kind(type) arg

/* ---- declaring ---- */
#define HALY_GROUP_SIZE(x, y, z) (x, y, z, 0)
#define HALY_GROUP_SIZE_SHARED_LINES(x, y, z) (x, y, z, HALY_KERNEL_SHARES_LINES)
#define HALY_KERNEL(name, ...)                                                                                         \
    HALY_DESCRIBE_(name, 0, 0, 0, 0, __VA_ARGS__)                                                                      \
    HALY_DECLARE_KERNEL_ void HALY_CAT(name, HALY_KERNEL_SUFFIX)(HALY_MAP_COMMA(HALY_PARAMETER_, name, __VA_ARGS__))
#define HALY_KERNEL_SIZED(name, size, ...) HALY_KERNEL_SIZED_(name, HALY_UNWRAP size, __VA_ARGS__)
#define HALY_KERNEL_SIZED_(...) HALY_KERNEL_SIZED__(__VA_ARGS__)
#define HALY_KERNEL_SIZED__(name, sx, sy, sz, kflags, ...)                                                             \
    HALY_DESCRIBE_(name, sx, sy, sz, kflags, __VA_ARGS__)                                                              \
    HALY_DECLARE_SIZED_(sx, sy, sz) void HALY_CAT(name, HALY_KERNEL_SUFFIX)(                                           \
        HALY_MAP_COMMA(HALY_PARAMETER_, name, __VA_ARGS__))

/* With HALY_DESCRIBE every kernel gets a second one, haly_describe_<name>, which writes what the compiler knows of its
   arguments: their count, the bytes of the packed block, the compiled group size, the flags, and for each argument its
   offset in the block, its size, whether it is an address, whether it is only read. */
#if defined(HALY_DESCRIBE)
#define HALY_FIELD_IN(type) haly_u64
#define HALY_FIELD_OUT(type) haly_u64
#define HALY_FIELD_INOUT(type) haly_u64
#define HALY_FIELD_VAL(type) type
#define HALY_IS_ADDRESS_IN 1
#define HALY_IS_ADDRESS_OUT 1
#define HALY_IS_ADDRESS_INOUT 1
#define HALY_IS_ADDRESS_VAL 0
#define HALY_IS_CONST_IN 1
#define HALY_IS_CONST_OUT 0
#define HALY_IS_CONST_INOUT 0
#define HALY_IS_CONST_VAL 1
#define HALY_LAYOUT_(kname, kind, type, arg) HALY_FIELD_##kind(type) arg;
#define HALY_DESCRIBE_ROW_(kname, kind, type, arg)                                                                     \
    *haly_out++ = (haly_u32)__builtin_offsetof(struct kname##_layout, arg);                                            \
    *haly_out++ = (haly_u32)sizeof(HALY_FIELD_##kind(type));                                                           \
    *haly_out++ = HALY_IS_ADDRESS_##kind;                                                                              \
    *haly_out++ = HALY_IS_CONST_##kind;
#define HALY_DESCRIBE_(kname, sx, sy, sz, kflags, ...)                                                                 \
    struct kname##_layout {                                                                                            \
        HALY_MAP(HALY_LAYOUT_, kname, __VA_ARGS__)                                                                     \
    };                                                                                                                 \
    HALY_DECLARE_KERNEL_ void HALY_CAT(haly_describe_, HALY_CAT(kname, HALY_KERNEL_SUFFIX))(                           \
        HALY_GLOBAL haly_u32 *haly_out)                                                                                \
    {                                                                                                                  \
        *haly_out++ = HALY_COUNT(__VA_ARGS__);                                                                         \
        *haly_out++ = (haly_u32)sizeof(struct kname##_layout);                                                         \
        *haly_out++ = sx;                                                                                              \
        *haly_out++ = sy;                                                                                              \
        *haly_out++ = sz;                                                                                              \
        *haly_out++ = kflags;                                                                                          \
        HALY_MAP(HALY_DESCRIBE_ROW_, kname, __VA_ARGS__)                                                               \
    }
#else
#define HALY_DESCRIBE_(...)
#endif

/* Functions of a group are run by all its items, which know by themselves who they are. */
#define HALY_GROUP_FN HALY_FN
#define HALY_GROUP_INLINE HALY_INLINE
#define HALY_GROUP_PARAM haly_u32 haly_group_
#define HALY_GROUP_ARG 0

/* ---- in the body ---- */
#define HALY_LOCAL(type, name, count) HALY_LOCAL_ARRAY_(type, name, count)
#define HALY_PRIVATE(type, name) type name
#define HALY_PRIVATE_ARRAY(type, name, count) type name[count]
#define HALY_P(name, t) name
#define HALY_P2(name, x, y) name
#define HALY_P3(name, x, y, z) name
#define HALY_PA(name, i, t) name[i]
#define HALY_ITEM_COUNT (HALY_SIZE(0) * HALY_SIZE(1) * HALY_SIZE(2))
#define HALY_GLOBAL_INDEX(t) ((haly_u64)HALY_GROUP(0) * HALY_ITEM_COUNT + (t))
#define HALY_ITEM_INDEX_ ((HALY_ITEM_(2) * HALY_SIZE(1) + HALY_ITEM_(1)) * HALY_SIZE(0) + HALY_ITEM_(0))

/* ---- regions ---- */
#define HALY_INDEPENDENT
#define HALY_MAYBE_UNUSED_ __attribute__((unused))
#define HALY_NO_BARRIER_
#define HALY_END_BARRIER_ HALY_BARRIER,
#define HALY_REGION_(t, end)                                                                                           \
    for (haly_u32 t HALY_MAYBE_UNUSED_ = HALY_ITEM_INDEX_, t##_left = 1; t##_left != 0; end t##_left = 0) switch (0)   \
    default:
#define HALY_REGION_BELOW_(t, limit, end)                                                                              \
    for (haly_u32 t HALY_MAYBE_UNUSED_ = HALY_ITEM_INDEX_, t##_left = 1; t##_left != 0; end t##_left = 0)              \
        switch ((haly_u32)(t < (limit)))                                                                               \
        case 1:
#define HALY_REGION2_(x, y, end)                                                                                       \
    for (haly_u32 x HALY_MAYBE_UNUSED_ = HALY_ITEM_(0), y HALY_MAYBE_UNUSED_ = HALY_ITEM_(1), x##_left = 1;            \
         x##_left != 0; end x##_left = 0)                                                                              \
    switch (0)                                                                                                         \
    default:
#define HALY_REGION3_(x, y, z, end)                                                                                    \
    for (haly_u32 x HALY_MAYBE_UNUSED_ = HALY_ITEM_(0), y HALY_MAYBE_UNUSED_ = HALY_ITEM_(1),                          \
                  z HALY_MAYBE_UNUSED_ = HALY_ITEM_(2), x##_left = 1; x##_left != 0;                                   \
         end x##_left = 0)                                                                                             \
    switch (0)                                                                                                         \
    default:
#define HALY_ITEMS(t) HALY_REGION_(t, HALY_END_BARRIER_)
#define HALY_ITEMS_NB(t) HALY_REGION_(t, HALY_NO_BARRIER_)
#define HALY_ITEMS_BELOW(t, limit) HALY_REGION_BELOW_(t, limit, HALY_END_BARRIER_)
#define HALY_ITEMS_BELOW_NB(t, limit) HALY_REGION_BELOW_(t, limit, HALY_NO_BARRIER_)
#define HALY_ITEMS2(x, y) HALY_REGION2_(x, y, HALY_END_BARRIER_)
#define HALY_ITEMS2_NB(x, y) HALY_REGION2_(x, y, HALY_NO_BARRIER_)
#define HALY_ITEMS3(x, y, z) HALY_REGION3_(x, y, z, HALY_END_BARRIER_)
#define HALY_ITEMS3_NB(x, y, z) HALY_REGION3_(x, y, z, HALY_NO_BARRIER_)
/* clang-format on */

#endif
#endif
