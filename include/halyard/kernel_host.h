/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file kernel_host.h
 * Part of kernel.h: the host branch. A region is a loop over the items, a barrier is nothing, local memory is the stack
 * of the thread that runs the group, and each kernel exports a description from which it is found, checked and called.
 */
#ifndef HALYARD_KERNEL_HOST_H
#define HALYARD_KERNEL_HOST_H

#include <halyard/kernel_target.h>
#include <halyard/kernel_arguments.h>
#include <halyard/kernel_loop.h>

#ifndef HALY_KERNEL_SUFFIX
#define HALY_KERNEL_SUFFIX /* nothing */
#endif

/** One field of the packed argument block. */
struct haly_kernel_argument {
    haly_u32 offset;
    haly_u32 size;
    haly_u8 is_address; /**< 1: a device address, 8 bytes */
    haly_u8 is_const;   /**< 1: an address that is only read through, or a value */
    haly_u8 reserved[6];
};

enum haly_kernel_flags {
    HALY_KERNEL_SHARES_LINES = 1 /**< groups may write one 64-byte line: see rule R6 */
};

/** What `haly_kernel_meta_<name>` holds. It only grows at the end; struct_size says how far it reaches. */
struct haly_kernel_meta {
    haly_u32 struct_size;
    haly_u32 argument_count;
    const struct haly_kernel_argument *arguments;
    haly_u32 argument_bytes; /**< of the packed block, laid out and aligned as a C struct; at most 8-byte alignment */
    haly_u32 group_size[3];  /**< compiled group size; 0 = any */
    haly_u32 flags;          /**< enum haly_kernel_flags */
    const char *name;
    /** Runs one group. Re-entrant; blocks on nothing; touches only what the arguments name. */
    void (*entry)(const struct haly_group *group, const void *arguments);
    haly_u32 max_items; /**< items a group may have */
    haly_u32 reserved;
};

#define HALY_KERNEL_EXPORT __attribute__((visibility("default")))
/* A const object at file scope would be local to the file in C++. */
#ifdef __cplusplus
#define HALY_KERNEL_DECLARE_ extern "C"
#define HALY_KERNEL_DEFINITION_ extern "C"
#else
#define HALY_KERNEL_DECLARE_ extern
#define HALY_KERNEL_DEFINITION_
#endif

/** The exported symbol of a kernel's description. */
#define HALY_KERNEL_META(name) HALY_CAT(HALY_CAT(haly_kernel_meta_, name), HALY_KERNEL_SUFFIX)

/* clang-format off */
/* ---- arguments ---- */
#define HALY_FACTS_IN 1, 1
#define HALY_FACTS_OUT 1, 0
#define HALY_FACTS_INOUT 1, 0
#define HALY_FACTS_VAL 0, 1
#define HALY_FIELD_(kname, kind, type, arg) HALY_TYPE_##kind(type) arg;
#define HALY_PASS_(kname, kind, type, arg) haly_a->arg
#define HALY_ROW_(kname, kind, type, arg)                                                                              \
    {(haly_u32)offsetof(struct kname##_arguments, arg), (haly_u32)sizeof(HALY_TYPE_##kind(type)), HALY_FACTS_##kind, {0}}

/* ---- declaring ---- */
#define HALY_GROUP_SIZE(x, y, z) (x, y, z, 0)
#define HALY_GROUP_SIZE_SHARED_LINES(x, y, z) (x, y, z, HALY_KERNEL_SHARES_LINES)
#define HALY_KERNEL(name, ...) HALY_KERNEL_DEFINE(name, 0, 0, 0, 0, __VA_ARGS__)
#define HALY_KERNEL_SIZED(name, size, ...) HALY_KERNEL_DEFINE(name, HALY_UNWRAP size, __VA_ARGS__)
#define HALY_KERNEL_DEFINE(...) HALY_KERNEL_DEFINE_(__VA_ARGS__)
/* The block is made elsewhere, through other types: hence may_alias. The entry copies the group with the compiled sizes
   as constants, so that loops over items have known lengths. */
#define HALY_KERNEL_DEFINE_(kname, sx, sy, sz, kflags, ...)                                                            \
    HALY_INLINE void kname##_body(const struct haly_group *haly_g,                                                     \
                                  HALY_MAP_COMMA(HALY_PARAMETER_, kname, __VA_ARGS__));                                \
    struct __attribute__((may_alias)) kname##_arguments {                                                              \
        HALY_MAP(HALY_FIELD_, kname, __VA_ARGS__)                                                                      \
    };                                                                                                                 \
    static void kname##_entry(const struct haly_group *haly_launched, const void *haly_packed)                         \
    {                                                                                                                  \
        const struct kname##_arguments *haly_a = (const struct kname##_arguments *)haly_packed;                        \
        struct haly_group haly_sized = *haly_launched;                                                                 \
        haly_sized.size[0] = (sx) != 0 ? (sx) : haly_launched->size[0];                                                \
        haly_sized.size[1] = (sy) != 0 ? (sy) : haly_launched->size[1];                                                \
        haly_sized.size[2] = (sz) != 0 ? (sz) : haly_launched->size[2];                                                \
        kname##_body(&haly_sized, HALY_MAP_COMMA(HALY_PASS_, kname, __VA_ARGS__));                                     \
    }                                                                                                                  \
    static const struct haly_kernel_argument kname##_table[] = {HALY_MAP_COMMA(HALY_ROW_, kname, __VA_ARGS__)};        \
    HALY_KERNEL_DECLARE_ const struct haly_kernel_meta HALY_KERNEL_META(kname) HALY_KERNEL_EXPORT;                     \
    HALY_KERNEL_DEFINITION_ const struct haly_kernel_meta HALY_KERNEL_META(kname) = {                                  \
        (haly_u32)sizeof(struct haly_kernel_meta),                                                                     \
        HALY_COUNT(__VA_ARGS__),                                                                                       \
        kname##_table,                                                                                                 \
        (haly_u32)sizeof(struct kname##_arguments),                                                                    \
        {sx, sy, sz},                                                                                                  \
        kflags,                                                                                                        \
        HALY_TEXT(kname),                                                                                              \
        kname##_entry,                                                                                                 \
        HALY_MAX_ITEMS,                                                                                                \
        0};                                                                                                            \
    HALY_INLINE void kname##_body(const struct haly_group *haly_g __attribute__((unused)),                             \
                                  HALY_MAP_COMMA(HALY_PARAMETER_, kname, __VA_ARGS__))

/* clang-format on */

/* ---- atomics: relaxed, on HALY_GLOBAL or HALY_LOCAL_MEMORY; each returns the value before ---- */
#if defined(HALY_CHECK_ADDRESS_SPACES)
/* Types alone: functions cannot take addresses of both spaces. */
#define HALY_ATOMIC_CHECKED_(address, value) (*(address) = (value))
#define haly_atomic_add_u32 HALY_ATOMIC_CHECKED_
#define haly_atomic_min_u32 HALY_ATOMIC_CHECKED_
#define haly_atomic_max_u32 HALY_ATOMIC_CHECKED_
#define haly_atomic_and_u32 HALY_ATOMIC_CHECKED_
#define haly_atomic_or_u32 HALY_ATOMIC_CHECKED_
#define haly_atomic_xor_u32 HALY_ATOMIC_CHECKED_
#define haly_atomic_exchange_u32 HALY_ATOMIC_CHECKED_
#define haly_atomic_compare_exchange_u32(address, expected, value) (*(address) = (expected) + (value))
#define haly_atomic_add_i32 HALY_ATOMIC_CHECKED_
#define haly_atomic_min_i32 HALY_ATOMIC_CHECKED_
#define haly_atomic_max_i32 HALY_ATOMIC_CHECKED_
#define haly_atomic_and_i32 HALY_ATOMIC_CHECKED_
#define haly_atomic_or_i32 HALY_ATOMIC_CHECKED_
#define haly_atomic_xor_i32 HALY_ATOMIC_CHECKED_
#define haly_atomic_exchange_i32 HALY_ATOMIC_CHECKED_
#define haly_atomic_compare_exchange_i32(address, expected, value) (*(address) = (expected) + (value))
#else
#define HALY_ATOMIC_(op, builtin, type, suffix)                                                                        \
    HALY_FN type haly_atomic_##op##_##suffix(type *address, type value)                                                \
    {                                                                                                                  \
        return builtin(address, value, __ATOMIC_RELAXED);                                                              \
    }
#define HALY_ATOMIC_SELECT_(op, compare, type, suffix)                                                                 \
    HALY_FN type haly_atomic_##op##_##suffix(type *address, type value)                                                \
    {                                                                                                                  \
        type old = __atomic_load_n(address, __ATOMIC_RELAXED);                                                         \
        while (value compare old &&                                                                                    \
               !__atomic_compare_exchange_n(address, &old, value, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {            \
        }                                                                                                              \
        return old;                                                                                                    \
    }
#define HALY_ATOMICS_(type, suffix)                                                                                    \
    HALY_ATOMIC_(add, __atomic_fetch_add, type, suffix)                                                                \
    HALY_ATOMIC_(and, __atomic_fetch_and, type, suffix)                                                                \
    HALY_ATOMIC_(or, __atomic_fetch_or, type, suffix)                                                                  \
    HALY_ATOMIC_(xor, __atomic_fetch_xor, type, suffix)                                                                \
    HALY_ATOMIC_(exchange, __atomic_exchange_n, type, suffix)                                                          \
    HALY_ATOMIC_SELECT_(min, <, type, suffix)                                                                          \
    HALY_ATOMIC_SELECT_(max, >, type, suffix)                                                                          \
    /** Stores `value` if `expected` was there. */                                                                     \
    HALY_FN type haly_atomic_compare_exchange_##suffix(type *address, type expected, type value)                       \
    {                                                                                                                  \
        __atomic_compare_exchange_n(address, &expected, value, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);                 \
        return expected;                                                                                               \
    }
HALY_ATOMICS_(haly_u32, u32)
HALY_ATOMICS_(haly_i32, i32)
#endif

/** Four floats that move as one 16-byte access; the address must be a multiple of 16. */
typedef struct __attribute__((aligned(16), may_alias)) haly_f32x4 {
    float x, y, z, w;
} haly_f32x4;

HALY_FN haly_f32x4 haly_load_f32x4(HALY_GLOBAL const float *address)
{
    return *(HALY_GLOBAL const haly_f32x4 *)address;
}

HALY_FN void haly_store_f32x4(HALY_GLOBAL float *address, haly_f32x4 value)
{
    *(HALY_GLOBAL haly_f32x4 *)address = value;
}

#endif
