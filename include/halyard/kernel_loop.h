/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file kernel_loop.h
 * Part of kernel.h: bodies and regions where one thread runs a group, on a host and on the cores of Ascend 910C. A
 * region is a loop over the items, a barrier is nothing, what items keep for themselves is an array.
 */
#ifndef HALYARD_KERNEL_LOOP_H
#define HALYARD_KERNEL_LOOP_H

#include <halyard/kernel_target.h>
#include <halyard/kernel_arguments.h>

/* Items a group may have at most; sizes HALY_PRIVATE. Define it before the include to save stack. */
#ifndef HALY_MAX_ITEMS
#define HALY_MAX_ITEMS 1024
#endif

/** Which group of which launch `entry` is to run. */
struct haly_group {
    haly_u32 group[3];    /**< index of the group */
    haly_u32 groups[3];   /**< groups in the grid */
    haly_u32 size[3];     /**< items of a group; at most max_items in all */
    haly_u32 reserved[7]; /**< 0 */
};

/* clang-format off */
#define HALY_TYPE_IN(type) HALY_GLOBAL const type *
#define HALY_TYPE_OUT(type) HALY_GLOBAL type *
#define HALY_TYPE_INOUT(type) HALY_GLOBAL type *
#define HALY_TYPE_VAL(type) type
#define HALY_PARAMETER_(kname, kind, type, arg) HALY_TYPE_##kind(type) arg

#define HALY_GROUP_FN HALY_NOT_INLINE_
#define HALY_GROUP_INLINE HALY_INLINE
#define HALY_GROUP_PARAM const struct haly_group *haly_g __attribute__((unused))
#define HALY_GROUP_ARG haly_g

/* ---- in the body ---- */
/* The empty statement claims to fill the array: gcc cannot know that loops over items never run zero times, and would
   warn of reading what was not written. It costs nothing. */
#if defined(HALY_CHECK_ADDRESS_SPACES) || defined(HALY_TARGET_ASCEND)
#define HALY_FILLED_(name)
#else
#define HALY_FILLED_(name) __asm__("" : "=m"(name))
#endif
#define HALY_LOCAL(type, name, count)                                                                                  \
    HALY_LOCAL_STORAGE HALY_LOCAL_MEMORY type name[count] __attribute__((aligned(64)));                                \
    HALY_FILLED_(name)
#define HALY_PRIVATE(type, name)                                                                                       \
    type name[HALY_MAX_ITEMS] __attribute__((aligned(64)));                                                            \
    HALY_FILLED_(name)
#define HALY_PRIVATE_ARRAY(type, name, count)                                                                          \
    type name[count][HALY_MAX_ITEMS] __attribute__((aligned(64)));                                                     \
    HALY_FILLED_(name)
#define HALY_P(name, t) name[t]
#define HALY_P2(name, x, y) name[(y) * haly_g->size[0] + (x)]
#define HALY_P3(name, x, y, z) name[((z) * haly_g->size[1] + (y)) * haly_g->size[0] + (x)]
#define HALY_PA(name, i, t) name[i][t]
#define HALY_GROUP(d) (haly_g->group[d])
#define HALY_GROUPS(d) (haly_g->groups[d])
#define HALY_SIZE(d) (haly_g->size[d])
#define HALY_ITEM_COUNT (haly_g->size[0] * haly_g->size[1] * haly_g->size[2])
#define HALY_GLOBAL_INDEX(t) ((haly_u64)haly_g->group[0] * HALY_ITEM_COUNT + (t))

/* ---- regions ---- */
/* Items of one region are independent of each other (R3), which is just what these tell the vectoriser. */
#if defined(__clang__)
#define HALY_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#pragma clang diagnostic ignored "-Wpass-failed" /* not every region can be vectorised, and need not be */
#define HALY_UNROLL _Pragma("clang loop unroll(full)")
#else
#define HALY_INDEPENDENT _Pragma("GCC ivdep")
#define HALY_UNROLL _Pragma("GCC unroll 32")
#endif

HALY_INLINE haly_u32 haly_items_below(const struct haly_group *haly_g, haly_u64 limit)
{
    return limit < HALY_ITEM_COUNT ? (haly_u32)limit : HALY_ITEM_COUNT;
}

/* The switch makes `break` end the item, as it does where a region is not a loop. */
#define HALY_ITEMS_BELOW_NB(t, limit)                                                                                  \
    HALY_INDEPENDENT for (haly_u32 t = 0, t##_end = haly_items_below(haly_g, (limit)); t < t##_end; t++) switch (0)    \
    default:
#define HALY_ITEMS_NB(t)                                                                                               \
    HALY_INDEPENDENT for (haly_u32 t = 0, t##_end = HALY_ITEM_COUNT; t < t##_end; t++) switch (0)                      \
    default:
#define HALY_ITEMS2_NB(x, y)                                                                                           \
    for (haly_u32 y = 0, y##_end = haly_g->size[1]; y < y##_end; y++)                                                  \
        HALY_INDEPENDENT for (haly_u32 x = 0, x##_end = haly_g->size[0]; x < x##_end; x++) switch (0)                  \
        default:
#define HALY_ITEMS3_NB(x, y, z)                                                                                        \
    for (haly_u32 z = 0, z##_end = haly_g->size[2]; z < z##_end; z++)                                                  \
        HALY_ITEMS2_NB(x, y)
/* One thread runs the group, so the barrier that a region's end stands for is nothing here. */
#define HALY_BARRIER ((void)0)
#define HALY_ITEMS(t) HALY_ITEMS_NB(t)
#define HALY_ITEMS_BELOW(t, limit) HALY_ITEMS_BELOW_NB(t, limit)
#define HALY_ITEMS2(x, y) HALY_ITEMS2_NB(x, y)
#define HALY_ITEMS3(x, y, z) HALY_ITEMS3_NB(x, y, z)

/* clang-format on */

#endif
