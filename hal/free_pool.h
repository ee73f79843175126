/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool of free chunks. The allocator has one that is ready for anybody, and one for each stream that freed chunks its
 * queued work may still use: those are ready for the same stream at once. A chunk that is freed goes whole on a quick
 * list of its size; when no list serves a request, the quick lists are merged into bins, from which the best fit is
 * cut. Everything here is under the allocator's lock.
 */
#ifndef HAL_FREE_POOL_H
#define HAL_FREE_POOL_H

#include "segment.h"

struct timeline;

#define QUICK_LISTS 128U
#define BINS 240U

struct bins {
    uint64_t occupied[(BINS + 63) / 64];
    struct chunk *first[BINS];
};

struct free_pool {
    struct timeline *timeline; /* counted; NULL: ready for anybody, or its stream has ended */
    uint64_t completed;        /* of the timeline, as far as known here */
    uint64_t wanted;           /* highest sequence that anybody here waits for */
    uint64_t swept;            /* `completed` when chunks were last looked through */
    uint64_t bytes;            /* of its chunks */
    uint32_t references;       /* fences, uses and live chunks that name it */
    bool has_ended;
    struct chunk *quick[FAMILY_COUNT][QUICK_LISTS];
    struct bins bins[FAMILY_COUNT];
};

/* What is looked for. */
struct chunk_request {
    uint32_t family;
    uint32_t units;
    uint64_t alignment;
    uint64_t latest; /* chunks freed later in their stream do not serve */
};

static inline struct chunk **free_pool_list(struct free_pool *pool, uint32_t family, uint32_t units)
{
    return &pool->quick[family][units % QUICK_LISTS];
}

/* Puts a chunk of so many bytes on the quick list of its size. */
static inline void free_pool_put(struct free_pool *pool, struct chunk *chunk, uint64_t bytes)
{
    struct chunk **list = free_pool_list(pool, chunk_segment(chunk)->family, chunk->units);
    chunk->pool = pool;
    chunk->next = *list;
    *list = chunk;
    pool->bytes += bytes;
    atomic_store_explicit(&chunk->state, CHUNK_QUICK, memory_order_release);
}

/* Takes a chunk of the very size off its quick list; NULL when there is none. */
struct chunk *free_pool_take_same(struct free_pool *pool, const struct chunk_request *request);

/* Cuts the best fit out of the bins; NULL when there is none. */
struct chunk *free_pool_take_fit(struct free_pool *pool, const struct chunk_request *request);

/* Merges the quick lists into the bins. */
void free_pool_merge(struct free_pool *pool);

/* Takes out all chunks freed up to a sequence, linked by `next`. */
struct chunk *free_pool_drain(struct free_pool *pool, uint64_t latest);

/* Takes out one chunk that is in the bins. */
void free_pool_remove(struct free_pool *pool, struct chunk *chunk);

/* Puts a chunk in the bins, merged with its neighbours. */
void free_pool_insert(struct free_pool *pool, struct chunk *chunk);

/* Bytes of the largest chunk of the bins. */
uint64_t free_pool_largest(struct free_pool *pool);

/* Lowest sequence beyond `completed` of its chunks; UINT64_MAX when there is none. */
uint64_t free_pool_lowest(struct free_pool *pool);

#endif
