/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The caching, stream-ordered allocator of a context: one for device memory, one for pinned host memory. It takes large
 * segments from the backend and cuts them; freed chunks go into the pool of whoever may use them first. One short lock
 * guards it all; backends and timelines are asked without it.
 */
#ifndef HAL_ALLOCATOR_H
#define HAL_ALLOCATOR_H

#include "free_pool.h"
#include "short_lock.h"
#include "timeline.h"

struct window;

struct allocator_counters {
    uint64_t segment_bytes, segment_peak; /* what is being taken or given back included */
    uint64_t allocated_bytes, allocated_peak;
    uint64_t cached_bytes, pending_bytes;
    uint64_t allocation_count, segment_count;
    uint64_t malloc_calls, cache_hits;
};

struct allocator {
    struct short_lock lock;
    haly_context *context;
    struct window *window; /* NULL: addresses are the backend's */
    bool places;           /* segments are placed in the window, not translated */
    bool grows;            /* segments may be larger than what is asked for now */
    haly_memory_class memory_class;
    uint32_t unit_shift[FAMILY_COUNT];
    uint64_t alignment; /* every chunk starts on a multiple, at least */
    uint64_t limit;     /* bytes of segments; 0: none */
    uint64_t most;      /* bytes of one segment; 0: no known limit */
    uint64_t next_segment[FAMILY_COUNT];

    struct segment *segments;
    struct segment *retired; /* dedicated and idle: to be given back by whoever releases the lock next */
    struct free_pool ready;
    struct free_pool **pools; /* of streams */
    uint32_t pool_count, pool_capacity;
    struct chunk *pending; /* behind fences, in no order */
    uint32_t in_flight;    /* threads that take or give back a segment at this moment */
    uint64_t reclaimed;    /* how many chunks have waited for queued work and are ready */
    struct allocator_counters counters;
};

struct allocator_config {
    haly_context *context;
    struct window *window;
    bool places;
    haly_memory_class memory_class;
    uint64_t alignment; /* power of two up to 2 MiB */
    uint64_t limit;
    uint64_t most;
};

/* Beside HALY_MEMORY_… in the flags of an allocation: it is a graph's, and only that may free it. */
#define ALLOCATION_OF_GRAPH 0x80U

/* One request. */
struct allocation {
    uint64_t size;             /* not 0 */
    uint64_t alignment;        /* 0: the allocator's */
    uint32_t flags;            /* HALY_MEMORY_…, or ALLOCATION_OF_GRAPH */
    struct timeline *timeline; /* in whose order; NULL: for anybody at once */
    uint64_t deadline;         /* how long to wait for pending frees; only without a timeline */
    bool keeps_pool;           /* only with one: freeing it in that order will not fail for want of memory */
};

/* What few allocations have. Made on first need, freed with the allocation. */
struct chunk_detail {
    haly_memory_description description;
    char name[128];
    struct pool_use *uses; /* streams named by haly_memory_used_on() */
    uint32_t use_count, use_capacity;
};

/* A point on the timeline of a pool, which it keeps. */
struct pool_use {
    struct free_pool *pool;
    uint64_t sequence;
};

void allocator_open(struct allocator *allocator, const struct allocator_config *config);
/* Gives everything back, live allocations too. The context is idle. */
void allocator_close(struct allocator *allocator);

haly_status allocator_alloc(struct allocator *allocator, const struct allocation *request, void **out_address);

/* Frees a live chunk behind the given points. HALY_ERR_INVALID when it is not live any more; HALY_ERR_HOST_OOM: it
 * stays live. */
haly_status allocator_free(struct allocator *allocator, struct chunk *chunk, const struct timeline_point *points,
                           uint32_t count);

/* Frees it in the order of a stream: behind what was submitted to that, and what haly_memory_used_on() named. */
haly_status allocator_free_ordered(struct allocator *allocator, struct chunk *chunk, struct timeline *timeline);

/* Notes a use of a live chunk. */
haly_status allocator_note_use(struct allocator *allocator, struct chunk *chunk, struct timeline *timeline);

/* The detail of a live chunk, made if need be, with the lock held on success. NULL: not live, or host memory
 * exhausted (*out_status says which). */
struct chunk_detail *allocator_detail(struct allocator *allocator, struct chunk *chunk, haly_status *out_status);

/* Gives idle segments back, as long as at least `keep_bytes` stay cached. Returns how many. */
uint32_t allocator_trim(struct allocator *allocator, uint64_t keep_bytes);

/* Counters and the largest free chunk, after a reclaim. */
void allocator_stats(struct allocator *allocator, struct allocator_counters *out_counters, uint64_t *out_largest);

/* A stream has ended: all of its work has finished. Calls no backend. */
void allocator_timeline_ended(struct allocator *allocator, const struct timeline *timeline);

/* ---- between allocator.c and pending.c, under the lock ---- */

static inline bool chunk_is_live(struct chunk *chunk)
{
    return atomic_load_explicit(&chunk->state, memory_order_acquire) == CHUNK_LIVE;
}

/* The pool of a timeline; pool_get() makes it, NULL: host memory exhausted. */
struct free_pool *pool_find(const struct allocator *allocator, const struct timeline *timeline);
struct free_pool *pool_get(struct allocator *allocator, struct timeline *timeline);
void pool_release(struct free_pool *pool);

/* Where a chunk goes that is no longer live. */
void chunk_make_ready(struct allocator *allocator, struct chunk *chunk);
haly_status chunk_make_pending(struct allocator *allocator, struct chunk *chunk, const struct timeline_point *points,
                               uint32_t count);

/* Moves to the ready pool what is known to have finished. */
void pending_sweep(struct allocator *allocator);
/* Asks the timelines, then sweeps. Lets go of the lock meanwhile. */
void pending_reclaim(struct allocator *allocator);
/* Waits a slice of time for something pending; the turn-th choice. HALY_NOT_READY when nothing is pending. Lets go of
 * the lock meanwhile. */
haly_status pending_wait(struct allocator *allocator, uint32_t turn, uint64_t moment);
void pending_close(struct allocator *allocator);

/* ---- allocator_segments.c: growing and shrinking, under the lock, which they let go of meanwhile ---- */

/* Takes a segment for the request and cuts it out of that. */
haly_status segments_grow(struct allocator *allocator, const struct allocation *request,
                          const struct chunk_request *fit, struct chunk **out_chunk);
void segment_unlink(struct allocator *allocator, struct segment *segment);
uint32_t segments_trim(struct allocator *allocator, uint64_t keep_bytes);
void segments_give_retired(struct allocator *allocator);

#endif
