/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment: a large piece of memory from the backend, and the map of the chunks that it is cut into. The map is an
 * array of records, one per unit of the segment, of which only those of first units count, and a bitmap of first units:
 * so any address leads to its chunk without a lock, and a chunk to its neighbours by arithmetic. Its storage is reused
 * for later segments but never unmapped, so that a reader that comes too late reads stale facts, not foreign memory.
 */
#ifndef HAL_SEGMENT_H
#define HAL_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>

#include <halyard/memory.h>

#include "object.h"

struct allocator;
struct free_pool;
struct fence;
struct chunk_detail;

enum chunk_state {
    CHUNK_NONE = 0,    /* no chunk starts here */
    CHUNK_LIVE = 1,    /* allocated */
    CHUNK_QUICK = 2,   /* free, kept whole for the next request of its size */
    CHUNK_FREE = 3,    /* free, merged with its neighbours */
    CHUNK_PENDING = 4, /* freed, waiting for a fence */
    CHUNK_RETIRED = 5, /* its dedicated segment is about to be given back */
};

struct chunk {
    uint32_t index; /* of its first unit in the segment */
    uint32_t units;
    uint32_t before; /* units of the chunk in front of it; 0: it is the first */
    _Atomic uint8_t state;
    uint8_t flags; /* HALY_MEMORY_… of the live allocation */
    uint16_t reserved;
    _Atomic uint64_t requested;    /* while live: bytes as asked for */
    struct chunk *next, *previous; /* in the list that its state says */
    union {
        struct free_pool *pool; /* free: where it lies; live: in whose order it was allocated, or NULL */
        struct fence *fence;    /* pending */
    };
    uint64_t sequence;           /* of the pool's timeline: when it may be reused, or was allocated */
    struct chunk_detail *detail; /* while live: what few allocations have, or NULL */
};

enum segment_family { FAMILY_SMALL = 0, FAMILY_LARGE = 1, FAMILY_COUNT = 2 };

struct segment {
    _Alignas(64) _Atomic uint64_t base; /* as the program sees it */
    _Atomic uint64_t bytes;             /* 0 while it is not in use */
    _Atomic uint64_t native;            /* the backend's address of the base */
    haly_context *_Atomic context;
    _Atomic uint32_t memory_class; /* HALY_MEMORY_DEVICE or _PINNED */
    _Atomic uint32_t unit_shift;
    uint32_t capacity;         /* units that the map has room for; with the next two, fixed for ever */
    uint32_t family;           /* enum segment_family */
    _Atomic uint64_t *starts;  /* bit per unit: a chunk starts there */
    _Atomic uint64_t *summary; /* bit per word of `starts`: it is not zero */

    struct allocator *allocator;
    struct segment *next, *previous; /* among the allocator's; under its lock */
    void *block;                     /* the backend's */
    uint32_t unit_count;
    bool is_dedicated;
};

static inline bool segment_holds(struct segment *segment, uint64_t address)
{
    /* A segment that is reused meanwhile sets bytes to 0, then base, then bytes: reading base twice finds it. */
    const uint64_t base = atomic_load_explicit(&segment->base, memory_order_acquire);
    const uint64_t bytes = atomic_load_explicit(&segment->bytes, memory_order_acquire);
    return address - base < bytes && atomic_load_explicit(&segment->base, memory_order_relaxed) == base;
}

static inline struct chunk *segment_chunks(struct segment *segment)
{
    return (struct chunk *)(void *)(segment + 1);
}

static inline struct segment *chunk_segment(struct chunk *chunk)
{
    return (struct segment *)(void *)(chunk - chunk->index) - 1;
}

static inline uint64_t chunk_bytes(struct chunk *chunk)
{
    const struct segment *segment = chunk_segment(chunk);
    return UNLIKELY(segment->is_dedicated) ? segment->bytes : (uint64_t)chunk->units << segment->unit_shift;
}

static inline uint64_t chunk_address(struct chunk *chunk)
{
    const struct segment *segment = chunk_segment(chunk);
    return segment->base + ((uint64_t)chunk->index << segment->unit_shift);
}

/* The chunk that starts nearest before a word of the bitmap. */
struct chunk *segment_chunk_before(struct segment *segment, uint64_t word);

/* The chunk that holds an address of the segment. No lock. NULL only when the segment went meanwhile. */
static inline struct chunk *segment_chunk_at(struct segment *segment, const void *address)
{
    const uint64_t offset = (uint64_t)(uintptr_t)address - segment->base;
    const uint64_t unit = offset >> segment->unit_shift;
    if (UNLIKELY(unit >= segment->capacity))
        return NULL;
    const uint64_t word = atomic_load_explicit(&segment->starts[unit >> 6], memory_order_acquire) << (63 - (unit & 63));
    if (LIKELY(word != 0))
        return segment_chunks(segment) + (unit - (uint64_t)__builtin_clzll(word));
    return segment_chunk_before(segment, unit >> 6);
}

/* Cuts the chunk after `units`; returns the new one behind it, with the same pool and sequence and no list. */
struct chunk *segment_split(struct chunk *chunk, uint32_t units);
/* Joins a chunk with the one that follows it. */
void segment_join(struct chunk *chunk, struct chunk *next);
/* Neighbours, or NULL. */
struct chunk *segment_next(struct chunk *chunk);
struct chunk *segment_previous(struct chunk *chunk);

/*
 * Takes `bytes` (a multiple of 2 MiB) from the backend as one chunk without state, and publishes it in the address
 * table. HALY_ERR_DEVICE_OOM also when the window is used up. No lock of ours may be held.
 */
haly_status segment_create(struct allocator *allocator, uint64_t bytes, uint32_t family, bool is_dedicated,
                           struct segment **out_segment);

/* Gives it back. It is idle and unlisted. In an abandoned context the backend is not called and the memory leaks. */
void segment_destroy(struct segment *segment);

#endif
