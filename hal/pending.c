/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frees that queued work holds back. A free behind one stream goes into that stream's pool, where the same stream may
 * have it at once; a free behind several waits at a fence. All sequences are compared with what the pools know; asking
 * the timelines, which may ask the backend, happens in one place, without the lock.
 */
#include <stdlib.h>

#include "allocator.h"
#include "process.h"
#include "planted.h"

/* Streams come and go; beyond this many, pools with nothing in them are dropped. */
#define POOLS_KEPT 16U

/* One wait takes at most this, so that several streams are waited for in turn. */
#define WAIT_SLICE UINT64_C(2000000)

struct fence {
    uint32_t references; /* chunks behind it */
    uint32_t count;
    struct pool_use points[];
};

struct free_pool *pool_find(const struct allocator *allocator, const struct timeline *timeline)
{
    for (uint32_t i = 0; i < allocator->pool_count; i++)
        if (allocator->pools[i]->timeline == timeline)
            return allocator->pools[i];
    return NULL;
}

struct free_pool *pool_get(struct allocator *allocator, struct timeline *timeline)
{
    struct free_pool *pool = pool_find(allocator, timeline);
    if (pool != NULL)
        return pool;
    if (allocator->pool_count == allocator->pool_capacity) {
        const uint32_t capacity = allocator->pool_capacity * 2 + 8;
        struct free_pool **pools = realloc(allocator->pools, capacity * sizeof *pools);
        if (pools == NULL)
            return NULL;
        allocator->pools = pools;
        allocator->pool_capacity = capacity;
    }
    pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    timeline_retain(timeline);
    pool->timeline = timeline;
    pool->completed = atomic_load_explicit(&timeline->completed, memory_order_acquire);
    allocator->pools[allocator->pool_count++] = pool;
    return pool;
}

void pool_release(struct free_pool *pool)
{
    if (--pool->references == 0 && pool->has_ended)
        free(pool);
}

/* Takes the pool out; its chunks are ready by now, and what still names it sees that it is complete. */
static void pool_end(struct allocator *allocator, uint32_t index)
{
    struct free_pool *pool = allocator->pools[index];
    allocator->pools[index] = allocator->pools[--allocator->pool_count];
    timeline_release(pool->timeline);
    pool->timeline = NULL;
    pool->has_ended = true;
    if (pool->references == 0)
        free(pool);
}

static void want(struct free_pool *pool, uint64_t sequence)
{
    if (sequence > pool->wanted)
        pool->wanted = sequence;
}

void chunk_make_ready(struct allocator *allocator, struct chunk *chunk)
{
    struct segment *segment = chunk_segment(chunk);
    const uint64_t bytes = chunk_bytes(chunk);
    allocator->counters.cached_bytes += bytes;
    chunk->sequence = 0;
    if (LIKELY(!segment->is_dedicated)) {
        free_pool_put(&allocator->ready, chunk, bytes);
        return;
    }
    atomic_store_explicit(&chunk->state, CHUNK_RETIRED, memory_order_release);
    segment_unlink(allocator, segment);
    segment->next = allocator->retired;
    allocator->retired = segment;
}

static void fence_release(struct fence *fence)
{
    if (--fence->references != 0)
        return;
    for (uint32_t i = 0; i < fence->count; i++)
        pool_release(fence->points[i].pool);
    free(fence);
}

static bool fence_has_finished(const struct fence *fence)
{
    for (uint32_t i = 0; i < PLANTED_OR(fence_waits_for_one_stream, fence->count, 1); i++)
        if (fence->points[i].sequence > fence->points[i].pool->completed)
            return false;
    return true;
}

/* The latest fence when it stands for the same points: a burst of frees shares one. */
static struct fence *fence_share(const struct allocator *allocator, const struct timeline_point *points, uint32_t count)
{
    struct fence *fence = allocator->pending != NULL ? allocator->pending->fence : NULL;
    if (fence == NULL || fence->count != count)
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        if (fence->points[i].pool->timeline != points[i].timeline || fence->points[i].sequence != points[i].sequence)
            return NULL;
    return fence;
}

static struct fence *fence_get(struct allocator *allocator, const struct timeline_point *points, uint32_t count)
{
    struct fence *fence = fence_share(allocator, points, count);
    if (fence != NULL) {
        fence->references++;
        return fence;
    }
    fence = malloc(sizeof *fence + count * sizeof *fence->points);
    if (fence == NULL)
        return NULL;
    *fence = (struct fence){.references = 1};
    for (uint32_t i = 0; i < count; i++) {
        struct free_pool *pool = pool_get(allocator, points[i].timeline);
        if (pool == NULL) {
            fence_release(fence);
            return NULL;
        }
        pool->references++;
        want(pool, points[i].sequence);
        fence->points[fence->count++] = (struct pool_use){pool, points[i].sequence};
    }
    return fence;
}

/* Puts the chunk in the pool of the one stream that it waits for. */
static haly_status wait_in_pool(struct allocator *allocator, struct chunk *chunk, const struct timeline_point *point)
{
    struct free_pool *pool = pool_get(allocator, point->timeline);
    if (pool == NULL)
        return fail_host_oom("a stream's freed memory", sizeof *pool);
    /* Asked since the caller looked: a sweep that is over would not see the chunk. */
    if (point->sequence <= pool->completed) {
        chunk_make_ready(allocator, chunk);
        return HALY_OK;
    }
    chunk->sequence = point->sequence;
    want(pool, point->sequence);
    allocator->counters.pending_bytes += chunk_bytes(chunk);
    free_pool_put(pool, chunk, chunk_bytes(chunk));
    return HALY_OK;
}

static haly_status wait_at_fence(struct allocator *allocator, struct chunk *chunk, const struct timeline_point *points,
                                 uint32_t count)
{
    struct fence *fence = fence_get(allocator, points, count);
    if (fence == NULL)
        return fail_host_oom("a pending free", sizeof *fence);
    if (fence_has_finished(fence)) {
        fence_release(fence);
        chunk_make_ready(allocator, chunk);
        return HALY_OK;
    }
    chunk->fence = fence;
    chunk->previous = NULL;
    chunk->next = allocator->pending;
    if (chunk->next != NULL)
        chunk->next->previous = chunk;
    allocator->pending = chunk;
    allocator->counters.pending_bytes += chunk_bytes(chunk);
    atomic_store_explicit(&chunk->state, CHUNK_PENDING, memory_order_release);
    return HALY_OK;
}

haly_status chunk_make_pending(struct allocator *allocator, struct chunk *chunk, const struct timeline_point *points,
                               uint32_t count)
{
    /* A dedicated segment is nobody's to reuse, so it always waits at a fence. */
    if (count == 1 && !chunk_segment(chunk)->is_dedicated)
        return wait_in_pool(allocator, chunk, points);
    return wait_at_fence(allocator, chunk, points, count);
}

/* What a chunk waited for has finished. */
static void reclaim(struct allocator *allocator, struct chunk *chunk)
{
    allocator->counters.pending_bytes -= chunk_bytes(chunk);
    allocator->reclaimed++;
    chunk_make_ready(allocator, chunk);
}

static void sweep_pool(struct allocator *allocator, struct free_pool *pool)
{
    struct chunk *chunk = pool->bytes != 0 ? free_pool_drain(pool, pool->completed) : NULL;
    while (chunk != NULL) {
        struct chunk *next = chunk->next;
        reclaim(allocator, chunk);
        chunk = next;
    }
    pool->swept = pool->completed;
}

static void sweep_fences(struct allocator *allocator)
{
    for (struct chunk *chunk = allocator->pending, *next; chunk != NULL; chunk = next) {
        next = chunk->next;
        if (!fence_has_finished(chunk->fence))
            continue;
        if (next != NULL)
            next->previous = chunk->previous;
        if (chunk->previous != NULL)
            chunk->previous->next = next;
        else
            allocator->pending = next;
        fence_release(chunk->fence);
        reclaim(allocator, chunk);
    }
}

void pending_sweep(struct allocator *allocator)
{
    bool has_news = false;
    for (uint32_t i = 0; i < allocator->pool_count; i++) {
        struct free_pool *pool = allocator->pools[i];
        if (pool->completed == pool->swept)
            continue;
        has_news = true;
        sweep_pool(allocator, pool);
    }
    if (has_news)
        sweep_fences(allocator);
    for (uint32_t i = allocator->pool_count; i > 0 && allocator->pool_count > POOLS_KEPT; i--)
        if (allocator->pools[i - 1]->bytes == 0 && allocator->pools[i - 1]->references == 0)
            pool_end(allocator, i - 1);
}

static void ask(struct allocator *allocator, struct timeline *timeline, uint64_t sequence)
{
    timeline_retain(timeline);
    short_lock_release(&allocator->lock);
    const bool has_finished = timeline_has_finished(timeline, sequence);
    const uint64_t completed =
        has_finished ? sequence : atomic_load_explicit(&timeline->completed, memory_order_acquire);
    short_lock_acquire(&allocator->lock);
    struct free_pool *pool = pool_find(allocator, timeline);
    if (pool != NULL && completed > pool->completed)
        pool->completed = completed;
    timeline_release(timeline);
}

void pending_reclaim(struct allocator *allocator)
{
    for (uint32_t i = 0; i < allocator->pool_count; i++) {
        const struct free_pool *pool = allocator->pools[i];
        if (pool->wanted > pool->completed)
            ask(allocator, pool->timeline, pool->wanted);
    }
    pending_sweep(allocator);
}

/* Lowest sequence of the pool's timeline that a chunk is held back by. */
static uint64_t lowest_wanted(const struct allocator *allocator, struct free_pool *pool)
{
    uint64_t lowest = free_pool_lowest(pool);
    for (const struct chunk *chunk = allocator->pending; chunk != NULL; chunk = chunk->next)
        for (uint32_t i = 0; i < chunk->fence->count; i++)
            if (chunk->fence->points[i].pool == pool && chunk->fence->points[i].sequence > pool->completed &&
                chunk->fence->points[i].sequence < lowest)
                lowest = chunk->fence->points[i].sequence;
    return lowest;
}

haly_status pending_wait(struct allocator *allocator, uint32_t turn, uint64_t moment)
{
    for (uint32_t i = 0; i < allocator->pool_count; i++) {
        struct free_pool *pool = allocator->pools[(turn + i) % allocator->pool_count];
        const uint64_t sequence = lowest_wanted(allocator, pool);
        if (sequence == UINT64_MAX)
            continue;
        struct timeline *timeline = pool->timeline;
        const uint64_t left = process_remaining(moment);
        timeline_retain(timeline);
        short_lock_release(&allocator->lock);
        const haly_status status = timeline_wait(timeline, sequence, left < WAIT_SLICE ? left : WAIT_SLICE);
        short_lock_acquire(&allocator->lock);
        timeline_release(timeline);
        return status == HALY_TIMEOUT && left > WAIT_SLICE ? HALY_OK : status;
    }
    return HALY_NOT_READY;
}

void allocator_timeline_ended(struct allocator *allocator, const struct timeline *timeline)
{
    short_lock_acquire(&allocator->lock);
    struct free_pool *pool = pool_find(allocator, timeline);
    if (pool != NULL) {
        pool->completed = UINT64_MAX;
        pending_sweep(allocator); /* may drop the pool already */
        for (uint32_t i = 0; i < allocator->pool_count; i++)
            if (allocator->pools[i]->timeline == timeline)
                pool_end(allocator, i);
    }
    short_lock_release(&allocator->lock);
}

void pending_close(struct allocator *allocator)
{
    while (allocator->pending != NULL) {
        struct chunk *chunk = allocator->pending;
        allocator->pending = chunk->next;
        fence_release(chunk->fence);
    }
    while (allocator->pool_count > 0)
        pool_end(allocator, allocator->pool_count - 1);
    free(allocator->pools);
    allocator->pools = NULL;
}
