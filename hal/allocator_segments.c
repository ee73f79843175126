/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing and shrinking. Space under the limit is reserved under the lock, the backend is called without it, and the
 * result is published under it again.
 */
#include "address.h"
#include "allocator.h"
#include "planted.h"

#define SMALL_MOST_SEGMENT (UINT64_C(16) << 20)
#define LARGE_MOST_SEGMENT (UINT64_C(256) << 20)

static haly_status check_room(const struct allocator *allocator, uint64_t bytes)
{
    if (allocator->most != 0 && bytes > allocator->most)
        return FAIL(HALY_ERR_DEVICE_OOM, "the device gives at most %llu bytes in one piece",
                    (unsigned long long)allocator->most);
    if (allocator->limit != 0 && bytes > allocator->limit - allocator->counters.segment_bytes)
        return FAIL(HALY_ERR_DEVICE_OOM, "%llu more bytes would pass the limit", (unsigned long long)bytes);
    return HALY_OK;
}

static void segment_link(struct allocator *allocator, struct segment *segment)
{
    segment->previous = NULL;
    segment->next = allocator->segments;
    if (segment->next != NULL)
        segment->next->previous = segment;
    allocator->segments = segment;
}

void segment_unlink(struct allocator *allocator, struct segment *segment)
{
    if (segment->previous != NULL)
        segment->previous->next = segment->next;
    else
        allocator->segments = segment->next;
    if (segment->next != NULL)
        segment->next->previous = segment->previous;
}

static haly_status segment_take(struct allocator *allocator, uint64_t bytes, uint32_t family, bool is_dedicated,
                                struct segment **out_segment)
{
    struct allocator_counters *counters = &allocator->counters;
    TRY(check_room(allocator, PLANTED_OR(limit_is_not_charged, bytes, 0)));
    counters->segment_bytes += bytes;
    allocator->in_flight++;
    short_lock_release(&allocator->lock);
    const haly_status status = segment_create(allocator, bytes, family, is_dedicated, out_segment);
    short_lock_acquire(&allocator->lock);
    allocator->in_flight--;
    if (status != HALY_OK) {
        counters->segment_bytes -= bytes;
        return status;
    }
    segment_link(allocator, *out_segment);
    counters->segment_count++;
    if (counters->segment_bytes > counters->segment_peak)
        counters->segment_peak = counters->segment_bytes;
    return HALY_OK;
}

haly_status segments_grow(struct allocator *allocator, const struct allocation *request,
                          const struct chunk_request *fit, struct chunk **out_chunk)
{
    const bool is_dedicated = (request->flags & HALY_MEMORY_DEDICATED) != 0;
    const uint64_t least = (request->size + GRANULE_BYTES - 1) & ~(GRANULE_BYTES - 1);
    uint64_t bytes = least, *next = &allocator->next_segment[fit->family];
    struct segment *segment = NULL;
    if (!is_dedicated && *next > least && (allocator->grows || fit->family == FAMILY_SMALL))
        bytes = *next;
    haly_status status = segment_take(allocator, bytes, fit->family, is_dedicated, &segment);
    if ((status == HALY_ERR_DEVICE_OOM || status == HALY_ERR_HOST_OOM) && bytes > least)
        status = segment_take(allocator, bytes = least, fit->family, is_dedicated, &segment);
    if (status != HALY_OK)
        return status;
    const uint64_t most = fit->family == FAMILY_SMALL ? SMALL_MOST_SEGMENT : LARGE_MOST_SEGMENT;
    if (bytes == *next)
        *next = bytes * 2 < most ? bytes * 2 : most;
    struct chunk *chunk = segment_chunks(segment);
    allocator->counters.cached_bytes += segment->bytes;
    chunk->pool = &allocator->ready;
    if (!is_dedicated && chunk->units > fit->units)
        free_pool_insert(&allocator->ready, segment_split(chunk, fit->units));
    *out_chunk = chunk;
    return HALY_OK;
}

/* Destroys a list of unlisted segments, without the lock. */
static void give_back(struct allocator *allocator, struct segment *segments)
{
    uint64_t bytes = 0, count = 0;
    allocator->in_flight++;
    short_lock_release(&allocator->lock);
    for (struct segment *segment = segments, *next; segment != NULL; segment = next) {
        next = segment->next;
        bytes += segment->bytes;
        count++;
        segment_destroy(segment);
    }
    short_lock_acquire(&allocator->lock);
    allocator->in_flight--;
    allocator->counters.segment_bytes -= bytes;
    allocator->counters.cached_bytes -= bytes;
    allocator->counters.segment_count -= count;
}

void segments_give_retired(struct allocator *allocator)
{
    struct segment *retired = allocator->retired;
    allocator->retired = NULL;
    give_back(allocator, retired);
}

uint32_t segments_trim(struct allocator *allocator, uint64_t keep_bytes)
{
    uint64_t cached = allocator->counters.cached_bytes;
    uint32_t count = 0;
    struct segment *idle = NULL;
    free_pool_merge(&allocator->ready);
    for (struct segment *segment = allocator->segments, *next; segment != NULL; segment = next) {
        struct chunk *chunk = segment_chunks(segment);
        next = segment->next;
        if (atomic_load_explicit(&chunk->state, memory_order_relaxed) != CHUNK_FREE ||
            chunk->pool != &allocator->ready || chunk->units != segment->unit_count ||
            cached - segment->bytes < PLANTED_OR(trim_keeps_nothing, keep_bytes, 0))
            continue;
        cached -= segment->bytes;
        free_pool_remove(&allocator->ready, chunk);
        segment_unlink(allocator, segment);
        segment->next = idle;
        idle = segment;
        count++;
    }
    if (idle != NULL)
        give_back(allocator, idle);
    return count;
}
