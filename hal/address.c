/* SPDX-License-Identifier: Apache-2.0 */
/* The writing side of the address table. */
#define _GNU_SOURCE
#include "address.h"

#include <sys/mman.h>

#include "short_lock.h"

struct address_leaf *_Atomic address_root[1 << (ADDRESS_BITS - GRANULE_SHIFT - ADDRESS_LEAF_BITS)];

static struct short_lock write_lock = SHORT_LOCK_INIT;

/* The leaf over an address, mapped when it is missing. A race for a missing one is decided by the exchange. */
static struct address_leaf *leaf_get(uint64_t address)
{
    struct address_leaf *_Atomic *slot = &address_root[address >> (GRANULE_SHIFT + ADDRESS_LEAF_BITS)];
    struct address_leaf *leaf = atomic_load_explicit(slot, memory_order_acquire);
    if (leaf != NULL)
        return leaf;
    void *mapped = mmap(NULL, sizeof *leaf, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED)
        return NULL;
    if (!atomic_compare_exchange_strong(slot, &leaf, mapped)) {
        munmap(mapped, sizeof *leaf);
        return leaf;
    }
    return mapped;
}

static struct address_entry *entry_get(uint64_t address)
{
    struct address_leaf *leaf = leaf_get(address);
    return leaf != NULL ? &leaf->entries[(address >> GRANULE_SHIFT) & ((1U << ADDRESS_LEAF_BITS) - 1)] : NULL;
}

static bool entry_set(struct address_entry *entry, struct segment *segment)
{
    if (atomic_load_explicit(&entry->first, memory_order_relaxed) == NULL)
        atomic_store_explicit(&entry->first, segment, memory_order_release);
    else if (atomic_load_explicit(&entry->second, memory_order_relaxed) == NULL)
        atomic_store_explicit(&entry->second, segment, memory_order_release);
    else
        return false;
    return true;
}

static void entry_clear(struct address_entry *entry, const struct segment *segment)
{
    if (atomic_load_explicit(&entry->first, memory_order_relaxed) == segment)
        atomic_store_explicit(&entry->first, NULL, memory_order_release);
    else if (atomic_load_explicit(&entry->second, memory_order_relaxed) == segment)
        atomic_store_explicit(&entry->second, NULL, memory_order_release);
}

/* Clears the granules in [from, end). */
static void clear_range(const struct segment *segment, uint64_t from, uint64_t end)
{
    short_lock_acquire_process(&write_lock);
    for (uint64_t at = from; at < end; at += GRANULE_BYTES) {
        struct address_entry *entry = entry_get(at);
        if (entry != NULL)
            entry_clear(entry, segment);
    }
    short_lock_release(&write_lock);
}

haly_status address_insert(struct segment *segment)
{
    const uint64_t base = segment->base, end = base + segment->bytes;
    const uint64_t first = base & ~(GRANULE_BYTES - 1);
    if (end < base || end > UINT64_C(1) << ADDRESS_BITS)
        return FAIL(HALY_ERR_UNSUPPORTED, "device memory at 0x%llx lies beyond %d-bit addresses",
                    (unsigned long long)base, ADDRESS_BITS);
    for (uint64_t at = first; at < end; at += GRANULE_BYTES)
        if (entry_get(at) == NULL)
            return fail_host_oom("the address table", sizeof(struct address_leaf));
    uint64_t at = first;
    short_lock_acquire_process(&write_lock);
    while (at < end && entry_set(entry_get(at), segment))
        at += GRANULE_BYTES;
    short_lock_release(&write_lock);
    if (at >= end)
        return HALY_OK;
    clear_range(segment, first, at);
    return FAIL(HALY_ERR_INTERNAL, "memory at 0x%llx, %llu bytes, overlaps memory that is already in use",
                (unsigned long long)base, (unsigned long long)segment->bytes);
}

void address_remove(struct segment *segment)
{
    clear_range(segment, segment->base & ~(GRANULE_BYTES - 1), segment->base + segment->bytes);
}
