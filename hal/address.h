/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies at an address: one table for the process, two levels of 2 MiB granules over 48 bits, read without a lock.
 * A granule names up to two segments, because neighbours need not be aligned to granules (segments are at least one
 * granule long, so three cannot meet in one). Level two is mapped on first need and stays.
 */
#ifndef HAL_ADDRESS_H
#define HAL_ADDRESS_H

#include "segment.h"

#define GRANULE_SHIFT 21
#define GRANULE_BYTES (UINT64_C(1) << GRANULE_SHIFT)
#define ADDRESS_BITS 48
#define ADDRESS_LEAF_BITS 14

struct address_entry {
    struct segment *_Atomic first, *_Atomic second;
};

struct address_leaf {
    struct address_entry entries[1 << ADDRESS_LEAF_BITS];
};

extern struct address_leaf *_Atomic address_root[1 << (ADDRESS_BITS - GRANULE_SHIFT - ADDRESS_LEAF_BITS)];

/* Publishes a segment whose base and size are set, or takes it out. HALY_ERR_HOST_OOM; HALY_ERR_INTERNAL (it overlaps
 * others). */
haly_status address_insert(struct segment *segment);
void address_remove(struct segment *segment);

/* The segment that holds the address, or NULL. A segment may go while it is looked at, if the caller has no live memory
 * in it; its storage stays readable for ever. */
static inline struct segment *address_find(const void *address)
{
    const uint64_t at = (uint64_t)(uintptr_t)address;
    if (UNLIKELY(at >> ADDRESS_BITS != 0))
        return NULL;
    struct address_leaf *leaf =
        atomic_load_explicit(&address_root[at >> (GRANULE_SHIFT + ADDRESS_LEAF_BITS)], memory_order_acquire);
    if (leaf == NULL)
        return NULL;
    struct address_entry *entry = &leaf->entries[(at >> GRANULE_SHIFT) & ((1U << ADDRESS_LEAF_BITS) - 1)];
    struct segment *segment = atomic_load_explicit(&entry->first, memory_order_acquire);
    if (segment != NULL && segment_holds(segment, at))
        return segment;
    segment = atomic_load_explicit(&entry->second, memory_order_acquire);
    return segment != NULL && segment_holds(segment, at) ? segment : NULL;
}

#endif
