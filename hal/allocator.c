/* SPDX-License-Identifier: Apache-2.0 */
/* Allocating and freeing: the quick path first, then everything that can be tried before memory is said to be out. */
#include "allocator.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "process.h"
#include "planted.h"

#define SMALL_UNIT_SHIFT 9U  /* 512 bytes */
#define LARGE_UNIT_SHIFT 16U /* 64 KiB */
#define SMALL_MOST (UINT64_C(1) << 20)
#define SIZE_MOST (UINT64_C(1) << 46)

#define SMALL_FIRST_SEGMENT (UINT64_C(2) << 20)
#define LARGE_FIRST_SEGMENT (UINT64_C(20) << 20)

/* Times to try again because another thread is just taking or giving back a segment. */
#define IN_FLIGHT_RETRIES 1000

static uint32_t shift_for(uint32_t least, uint64_t alignment)
{
    const uint32_t power = (uint32_t)__builtin_ctzll(alignment);
    return power > least ? power : least;
}

void allocator_open(struct allocator *allocator, const struct allocator_config *config)
{
    const bool is_device = config->memory_class == HALY_MEMORY_DEVICE;
    *allocator = (struct allocator){.context = config->context,
                                    .window = config->window,
                                    .places = config->places,
                                    .grows = is_device,
                                    .memory_class = config->memory_class,
                                    .alignment = config->alignment,
                                    .limit = config->limit,
                                    .most = config->most,
                                    .next_segment = {SMALL_FIRST_SEGMENT, LARGE_FIRST_SEGMENT}};
    allocator->unit_shift[FAMILY_SMALL] = shift_for(SMALL_UNIT_SHIFT, config->alignment);
    allocator->unit_shift[FAMILY_LARGE] = shift_for(LARGE_UNIT_SHIFT, config->alignment);
}

/* Releases the lock, after giving back what became idle and was dedicated. */
static inline void unlock(struct allocator *allocator)
{
    if (UNLIKELY(allocator->retired != NULL))
        segments_give_retired(allocator);
    short_lock_release(&allocator->lock);
}

static void detail_drop(struct chunk_detail *detail)
{
    if (detail == NULL)
        return;
    for (uint32_t i = 0; i < detail->use_count; i++)
        pool_release(detail->uses[i].pool);
    free(detail->uses);
    free(detail);
}

/* Makes a chunk of so many bytes that was taken from a pool a live allocation. */
static inline void adopt(struct allocator *allocator, struct chunk *chunk, uint64_t bytes,
                         const struct allocation *request, struct free_pool *own)
{
    struct allocator_counters *counters = &allocator->counters;
    struct free_pool *order = NULL;
    if (LIKELY(chunk->pool == &allocator->ready)) {
        counters->cached_bytes -= bytes;
    } else {
        counters->pending_bytes -= bytes;
        /* Unfinished work of the stream may still use it: whoever frees it elsewhere must be behind this point. */
        if (PLANTED_OR(reused_block_forgets_its_stream, chunk->sequence > chunk->pool->completed, false) &&
            own != NULL) {
            order = own;
            chunk->sequence = timeline_submitted(request->timeline);
        }
    }
    if (UNLIKELY(request->keeps_pool && order == NULL)) {
        order = own;
        chunk->sequence = 0; /* nothing unfinished uses it */
    }
    if (order != NULL)
        order->references++;
    chunk->pool = order;
    chunk->flags = (uint8_t)request->flags;
    chunk->detail = NULL;
    atomic_store_explicit(&chunk->requested, request->size, memory_order_relaxed);
    atomic_store_explicit(&chunk->state, CHUNK_LIVE, memory_order_release);
    counters->allocation_count++;
    counters->allocated_bytes += bytes;
    if (counters->allocated_bytes > counters->allocated_peak)
        counters->allocated_peak = counters->allocated_bytes;
}

static struct chunk *take_same(struct allocator *allocator, struct free_pool *own, const struct chunk_request *fit)
{
    struct chunk *chunk = own != NULL && own->bytes != 0 ? free_pool_take_same(own, fit) : NULL;
    return chunk != NULL ? chunk : free_pool_take_same(&allocator->ready, fit);
}

static struct chunk *take_fit(struct allocator *allocator, struct free_pool *own, const struct chunk_request *fit)
{
    struct chunk *chunk = own != NULL && own->bytes != 0 ? free_pool_take_fit(own, fit) : NULL;
    return chunk != NULL ? chunk : free_pool_take_fit(&allocator->ready, fit);
}

static struct chunk *take_merged(struct allocator *allocator, struct free_pool *own, const struct chunk_request *fit)
{
    if (own != NULL)
        free_pool_merge(own);
    free_pool_merge(&allocator->ready);
    return take_fit(allocator, own, fit);
}

/* From the pool of another stream that this one has waited for, up to the sequence that it waited for. */
static struct chunk *take_behind(struct allocator *allocator, struct timeline *timeline, struct timeline *other,
                                 uint64_t sequence, const struct chunk_request *fit)
{
    struct chunk_request limited = *fit;
    struct chunk *chunk = NULL;
    timeline_retain(other);
    short_lock_release(&allocator->lock);
    const bool is_after = timeline_is_after(timeline, other, sequence);
    short_lock_acquire(&allocator->lock);
    struct free_pool *pool = pool_find(allocator, other);
    timeline_release(other);
    if (!is_after || pool == NULL)
        return NULL;
    limited.latest = sequence;
    chunk = free_pool_take_same(pool, &limited);
    if (chunk == NULL)
        chunk = free_pool_take_fit(pool, &limited);
    if (chunk == NULL && sequence >= pool->wanted) {
        free_pool_merge(pool);
        chunk = free_pool_take_fit(pool, &limited);
    }
    return chunk;
}

static struct chunk *take_from_others(struct allocator *allocator, struct timeline *timeline,
                                      const struct chunk_request *fit)
{
    struct chunk *chunk = NULL;
    if (pool_find(allocator, timeline) == NULL)
        return NULL; /* what it uses meanwhile could not be noted */
    for (uint32_t i = 0; i < allocator->pool_count && chunk == NULL; i++) {
        struct free_pool *pool = allocator->pools[i];
        if (pool->timeline == timeline || pool->bytes == 0)
            continue;
        struct timeline *other = pool->timeline;
        const uint64_t lowest = free_pool_lowest(pool), highest = pool->wanted;
        chunk = take_behind(allocator, timeline, other, highest, fit);
        if (chunk == NULL && lowest < highest)
            chunk = take_behind(allocator, timeline, other, lowest, fit);
    }
    return chunk;
}

/* All that can be had without the backend's memory, cheapest first. Lets go of the lock meanwhile. */
static struct chunk *search(struct allocator *allocator, const struct allocation *request,
                            const struct chunk_request *fit)
{
    struct free_pool *own = request->timeline != NULL ? pool_find(allocator, request->timeline) : NULL;
    struct chunk *chunk = take_same(allocator, own, fit);
    if (chunk == NULL)
        chunk = take_fit(allocator, own, fit);
    if (chunk == NULL)
        chunk = take_merged(allocator, own, fit);
    if (chunk != NULL)
        return chunk;
    pending_reclaim(allocator);
    own = request->timeline != NULL ? pool_find(allocator, request->timeline) : NULL;
    chunk = take_same(allocator, own, fit);
    if (chunk == NULL)
        chunk = take_merged(allocator, own, fit);
    if (chunk == NULL && request->timeline != NULL)
        chunk = take_from_others(allocator, request->timeline, fit);
    return chunk;
}

/* From segments that are cut for requests of the other kind of size: a block of theirs is better than none. */
static struct chunk *search_other_family(struct allocator *allocator, const struct allocation *request,
                                         const struct chunk_request *fit)
{
    struct chunk_request other = *fit;
    other.family = fit->family == FAMILY_SMALL ? FAMILY_LARGE : FAMILY_SMALL;
    const uint32_t shift = allocator->unit_shift[other.family];
    const uint64_t units = (request->size + (UINT64_C(1) << shift) - 1) >> shift;
    other.units = (uint32_t)units;
    return (request->flags & HALY_MEMORY_DEDICATED) == 0 && units <= UINT32_MAX ? search(allocator, request, &other)
                                                                                : NULL;
}

/* What is left to do when the backend or the limit refuses. HALY_OK: take *out_chunk or, when that is NULL, try again.
 */
static haly_status make_room(struct allocator *allocator, const struct allocation *request,
                             const struct chunk_request *fit, uint32_t turn, uint64_t moment, struct chunk **out_chunk)
{
    if (allocator->retired != NULL) {
        segments_give_retired(allocator);
        return HALY_OK;
    }
    if (PLANTED_OR(out_of_memory_without_trim, segments_trim(allocator, 0) != 0, false))
        return HALY_OK;
    if (allocator->in_flight != 0 && turn < IN_FLIGHT_RETRIES) {
        short_lock_release(&allocator->lock);
        sched_yield();
        short_lock_acquire(&allocator->lock);
        return HALY_OK;
    }
    *out_chunk = search_other_family(allocator, request, fit);
    if (*out_chunk != NULL)
        return HALY_OK;
    if (request->timeline != NULL || request->deadline == 0)
        return HALY_NOT_READY;
    return pending_wait(allocator, turn, moment);
}

static haly_status fail_out_of_memory(struct allocator *allocator, const struct allocation *request)
{
    const haly_error refusal = *error_detail();
    char limit[32] = "none";
    free_pool_merge(&allocator->ready);
    const uint64_t largest = free_pool_largest(&allocator->ready), held = allocator->counters.segment_bytes;
    const uint64_t allocated = allocator->counters.allocated_bytes;
    short_lock_release(&allocator->lock);
    if (allocator->limit != 0)
        snprintf(limit, sizeof limit, "%llu bytes", (unsigned long long)allocator->limit);
    error_set("", HALY_ERR_DEVICE_OOM, HALY_SCOPE_CALL, HALY_RECOVER_RETRY, refusal.native_code, refusal.native_text,
              "out of device memory: %llu bytes asked, limit %s, %llu bytes held, %llu of them allocated, largest free "
              "block %llu bytes; %.160s",
              (unsigned long long)request->size, limit, (unsigned long long)held, (unsigned long long)allocated,
              (unsigned long long)largest, refusal.message);
    snprintf(error_detail()->backend, sizeof error_detail()->backend, "%s", refusal.backend);
    short_lock_acquire(&allocator->lock);
    return HALY_ERR_DEVICE_OOM;
}

/* The cache has no chunk of the very size. Under the lock, which it lets go of meanwhile. */
static haly_status alloc_slowly(struct allocator *allocator, const struct allocation *request,
                                const struct chunk_request *fit, struct chunk **out_chunk)
{
    const haly_error before = *error_detail(); /* attempts that fail leave no trace when a later one succeeds */
    const uint64_t moment = request->deadline != 0 ? process_deadline(request->deadline) : 0;
    const bool is_dedicated = (request->flags & HALY_MEMORY_DEDICATED) != 0;
    struct chunk *chunk = NULL;
    for (uint32_t turn = 0;; turn++) {
        if (is_dedicated)
            pending_reclaim(allocator);
        else
            chunk = search(allocator, request, fit);
        if (chunk != NULL) {
            allocator->counters.cache_hits += turn == 0;
            break;
        }
        const uint64_t reclaimed = allocator->reclaimed;
        const haly_status refusal = segments_grow(allocator, request, fit, &chunk);
        if (refusal == HALY_OK)
            break;
        if (refusal != HALY_ERR_DEVICE_OOM && refusal != HALY_ERR_HOST_OOM)
            return refusal;
        const haly_status status = make_room(allocator, request, fit, turn, moment, &chunk);
        if (status == HALY_NOT_READY && allocator->reclaimed != reclaimed)
            continue; /* nothing is left to wait for, since it has come meanwhile */
        if (status == HALY_TIMEOUT || status == HALY_NOT_READY)
            return refusal == HALY_ERR_DEVICE_OOM ? fail_out_of_memory(allocator, request) : refusal;
        if (status != HALY_OK)
            return status;
        if (chunk != NULL)
            break;
    }
    *error_detail() = before;
    *out_chunk = chunk;
    return HALY_OK;
}

/* What nearly every request gets: the chunk of the very size that anybody freed last. */
static inline struct chunk *take_last(struct allocator *allocator, uint32_t family, uint32_t units, uint64_t *out_bytes)
{
    struct chunk **list = free_pool_list(&allocator->ready, family, units), *chunk = *list;
    if (UNLIKELY(chunk == NULL || chunk->units != units))
        return NULL;
    *list = chunk->next;
    *out_bytes = (uint64_t)units << allocator->unit_shift[family];
    allocator->ready.bytes -= *out_bytes;
    return chunk;
}

static bool alloc_last(struct allocator *allocator, const struct allocation *request, void **out_address)
{
    const uint32_t family = request->size > SMALL_MOST, shift = allocator->unit_shift[family];
    const uint32_t units = (uint32_t)((request->size + (UINT64_C(1) << shift) - 1) >> shift);
    uint64_t bytes = 0;
    if (UNLIKELY(request->size > SIZE_MOST || (request->flags & HALY_MEMORY_DEDICATED) != 0 ||
                 request->timeline != NULL ||
                 PLANTED_OR(cached_block_of_any_alignment, request->alignment > allocator->alignment, false)))
        return false;
    short_lock_acquire(&allocator->lock);
    struct chunk *chunk = take_last(allocator, family, units, &bytes);
    if (LIKELY(chunk != NULL)) {
        allocator->counters.malloc_calls++;
        allocator->counters.cache_hits++;
        adopt(allocator, chunk, bytes, request, NULL);
        *out_address = (void *)(uintptr_t)chunk_address(chunk);
    }
    unlock(allocator);
    return chunk != NULL;
}

/* alloc_slowly() with the stream's own pool held: it must not go, empty as it is, while the lock is let go of. */
static haly_status alloc_holding(struct allocator *allocator, struct free_pool *own, const struct allocation *request,
                                 const struct chunk_request *fit, struct chunk **out_chunk)
{
    if (own != NULL)
        own->references++;
    const haly_status status = alloc_slowly(allocator, request, fit, out_chunk);
    if (status == HALY_OK)
        adopt(allocator, *out_chunk, chunk_bytes(*out_chunk), request, own);
    if (own != NULL)
        pool_release(own);
    return status;
}

/* Under the lock. */
static haly_status alloc_locked(struct allocator *allocator, const struct allocation *request,
                                const struct chunk_request *fit, struct chunk **out_chunk)
{
    struct free_pool *own = request->timeline != NULL ? pool_find(allocator, request->timeline) : NULL;
    allocator->counters.malloc_calls++;
    if (UNLIKELY(request->keeps_pool && own == NULL)) {
        own = pool_get(allocator, request->timeline);
        if (own == NULL)
            return fail_host_oom("a stream's freed memory", sizeof *own);
    }
    if (LIKELY((request->flags & HALY_MEMORY_DEDICATED) == 0))
        *out_chunk = take_same(allocator, own, fit);
    if (LIKELY(*out_chunk != NULL)) {
        allocator->counters.cache_hits++;
        adopt(allocator, *out_chunk, chunk_bytes(*out_chunk), request, own);
        return HALY_OK;
    }
    if (own == NULL && request->timeline != NULL)
        own = pool_get(allocator, request->timeline); /* NULL: does without what other streams freed */
    return alloc_holding(allocator, own, request, fit, out_chunk);
}

haly_status allocator_alloc(struct allocator *allocator, const struct allocation *request, void **out_address)
{
    struct chunk *chunk = NULL;
    if (LIKELY(alloc_last(allocator, request, out_address)))
        return HALY_OK;
    struct chunk_request fit = {
        .family = request->size > SMALL_MOST, .alignment = request->alignment, .latest = UINT64_MAX};
    if (UNLIKELY(request->size > SIZE_MOST))
        return error_set("", HALY_ERR_DEVICE_OOM, HALY_SCOPE_CALL, HALY_RECOVER_NONE, 0, NULL,
                         "out of device memory: %llu bytes asked, more than addresses have room for",
                         (unsigned long long)request->size);
    const uint32_t shift = allocator->unit_shift[fit.family];
    fit.units = (uint32_t)((request->size + (UINT64_C(1) << shift) - 1) >> shift);
    if (fit.alignment < allocator->alignment)
        fit.alignment = allocator->alignment;
    short_lock_acquire(&allocator->lock);
    const haly_status status = alloc_locked(allocator, request, &fit, &chunk);
    if (LIKELY(status == HALY_OK))
        *out_address = (void *)(uintptr_t)chunk_address(chunk);
    unlock(allocator);
    return status;
}

static haly_status fail_not_live(void)
{
    return error_set("", HALY_ERR_INVALID, HALY_SCOPE_CALL, HALY_RECOVER_NONE, 0, NULL,
                     "the allocation was freed by another thread meanwhile");
}

/* Ends a live chunk behind unfinished points. Under the lock. On failure it stays live. */
static haly_status end_live(struct allocator *allocator, struct chunk *chunk, const struct timeline_point *points,
                            uint32_t count)
{
    struct free_pool *order = chunk->pool;
    struct chunk_detail *detail = chunk->detail;
    const uint64_t bytes = chunk_bytes(chunk);
    if (count == 0)
        chunk_make_ready(allocator, chunk);
    else
        TRY(chunk_make_pending(allocator, chunk, points, count));
    allocator->counters.allocated_bytes -= bytes;
    allocator->counters.allocation_count--;
    if (UNLIKELY(order != NULL))
        pool_release(order);
    if (UNLIKELY(detail != NULL))
        detail_drop(detail);
    return HALY_OK;
}

/* The same for what nothing holds back, no stream's order and no detail concerns. */
static inline void end_idle(struct allocator *allocator, struct chunk *chunk)
{
    const uint64_t bytes = (uint64_t)chunk->units << chunk_segment(chunk)->unit_shift;
    struct allocator_counters *counters = &allocator->counters;
    chunk->sequence = 0;
    free_pool_put(&allocator->ready, chunk, bytes);
    counters->cached_bytes += bytes;
    counters->allocated_bytes -= PLANTED_OR(freed_bytes_stay_allocated, bytes, 0);
    counters->allocation_count--;
}

haly_status allocator_free(struct allocator *allocator, struct chunk *chunk, const struct timeline_point *points,
                           uint32_t count)
{
    short_lock_acquire(&allocator->lock);
    const bool is_live = chunk_is_live(chunk);
    if (LIKELY(is_live && count == 0 && chunk->pool == NULL && chunk->detail == NULL &&
               !chunk_segment(chunk)->is_dedicated)) {
        end_idle(allocator, chunk);
        unlock(allocator);
        return HALY_OK;
    }
    const haly_status status = LIKELY(is_live) ? end_live(allocator, chunk, points, count) : HALY_OK;
    unlock(allocator);
    return LIKELY(is_live) ? status : fail_not_live();
}

/* Points of other streams that the chunk was used in or came from, each counted; under the lock. */
static uint32_t other_points(const struct chunk *chunk, const struct timeline *timeline, struct timeline_point *points)
{
    uint32_t count = 0;
    const struct chunk_detail *detail = chunk->detail;
    const uint32_t uses = detail != NULL ? PLANTED_OR(used_on_is_forgotten, detail->use_count, 0) : 0;
    for (uint32_t i = 0; i <= uses; i++) {
        const struct pool_use use = i < uses ? detail->uses[i] : (struct pool_use){chunk->pool, chunk->sequence};
        if (use.pool == NULL || use.pool->timeline == NULL || use.pool->timeline == timeline ||
            use.sequence <= use.pool->completed)
            continue;
        timeline_retain(use.pool->timeline);
        points[count++] = (struct timeline_point){use.pool->timeline, use.sequence};
    }
    return count;
}

/* One point for each timeline, the highest, of those that `timeline` is not behind already. The others are let go. */
static uint32_t reduce_points(struct timeline *timeline, struct timeline_point *points, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t same = 0;
        while (same < kept && points[same].timeline != points[i].timeline)
            same++;
        if (same < kept || timeline_is_after(timeline, points[i].timeline, points[i].sequence)) {
            if (same < kept && points[i].sequence > points[same].sequence)
                points[same].sequence = points[i].sequence;
            timeline_release(points[i].timeline);
        } else {
            points[kept++] = points[i];
        }
    }
    return kept;
}

/* The chunk was used by other streams too. Comes with the lock, goes without. */
static haly_status free_shared(struct allocator *allocator, struct chunk *chunk, struct timeline *timeline,
                               uint64_t sequence, bool is_idle)
{
    const uint32_t capacity = 2 + (chunk->detail != NULL ? chunk->detail->use_count : 0);
    struct timeline_point *points = malloc(capacity * sizeof *points);
    if (points == NULL) {
        unlock(allocator);
        return fail_host_oom("the uses of an allocation", capacity * sizeof *points);
    }
    uint32_t count = other_points(chunk, timeline, points);
    unlock(allocator);
    count = reduce_points(timeline, points, count);
    if (!is_idle) {
        timeline_retain(timeline);
        points[count++] = (struct timeline_point){timeline, sequence};
    }
    const haly_status status = allocator_free(allocator, chunk, points, count);
    for (uint32_t i = 0; i < count; i++)
        timeline_release(points[i].timeline);
    free(points);
    return status;
}

haly_status allocator_free_ordered(struct allocator *allocator, struct chunk *chunk, struct timeline *timeline)
{
    const struct timeline_point point = {timeline, timeline_submitted(timeline)};
    const bool is_idle = atomic_load_explicit(&timeline->completed, memory_order_acquire) >= point.sequence;
    short_lock_acquire(&allocator->lock);
    if (!chunk_is_live(chunk)) {
        unlock(allocator);
        return fail_not_live();
    }
    const bool has_uses = chunk->detail != NULL && chunk->detail->use_count != 0;
    if (UNLIKELY(has_uses || (chunk->pool != NULL && chunk->pool->timeline != timeline)))
        return free_shared(allocator, chunk, timeline, point.sequence, is_idle);
    const haly_status status = end_live(allocator, chunk, &point, is_idle ? 0 : 1);
    unlock(allocator);
    return status;
}

struct chunk_detail *allocator_detail(struct allocator *allocator, struct chunk *chunk, haly_status *out_status)
{
    short_lock_acquire(&allocator->lock);
    const bool is_live = chunk_is_live(chunk);
    if (is_live && chunk->detail == NULL)
        chunk->detail = calloc(1, sizeof *chunk->detail);
    if (is_live && chunk->detail != NULL)
        return chunk->detail;
    unlock(allocator);
    *out_status = is_live ? fail_host_oom("an allocation's description", sizeof *chunk->detail) : fail_not_live();
    return NULL;
}

static struct pool_use *use_slot(struct chunk_detail *detail, struct free_pool *pool)
{
    for (uint32_t i = 0; i < detail->use_count; i++)
        if (detail->uses[i].pool == pool)
            return &detail->uses[i];
    if (detail->use_count == detail->use_capacity) {
        const uint32_t capacity = detail->use_capacity * 2 + 2;
        struct pool_use *uses = realloc(detail->uses, capacity * sizeof *uses);
        if (uses == NULL)
            return NULL;
        detail->uses = uses;
        detail->use_capacity = capacity;
    }
    pool->references++;
    detail->uses[detail->use_count] = (struct pool_use){pool, 0};
    return &detail->uses[detail->use_count++];
}

haly_status allocator_note_use(struct allocator *allocator, struct chunk *chunk, struct timeline *timeline)
{
    haly_status status = HALY_OK;
    const uint64_t sequence = timeline_submitted(timeline);
    struct chunk_detail *detail = allocator_detail(allocator, chunk, &status);
    if (detail == NULL)
        return status;
    struct free_pool *pool = pool_get(allocator, timeline);
    struct pool_use *use = pool != NULL ? use_slot(detail, pool) : NULL;
    if (use != NULL && sequence > use->sequence)
        use->sequence = sequence;
    unlock(allocator);
    return use != NULL ? HALY_OK : fail_host_oom("the use of an allocation", sizeof *use);
}

uint32_t allocator_trim(struct allocator *allocator, uint64_t keep_bytes)
{
    short_lock_acquire(&allocator->lock);
    pending_reclaim(allocator);
    const uint32_t count = segments_trim(allocator, keep_bytes);
    unlock(allocator);
    return count;
}

void allocator_stats(struct allocator *allocator, struct allocator_counters *out_counters, uint64_t *out_largest)
{
    short_lock_acquire(&allocator->lock);
    pending_reclaim(allocator);
    if (allocator->retired != NULL)
        segments_give_retired(allocator);
    free_pool_merge(&allocator->ready);
    *out_counters = allocator->counters;
    *out_largest = free_pool_largest(&allocator->ready);
    unlock(allocator);
}

void allocator_close(struct allocator *allocator)
{
    for (struct segment *segment = allocator->segments; segment != NULL; segment = segment->next) {
        for (struct chunk *chunk = segment_chunks(segment); chunk != NULL; chunk = segment_next(chunk)) {
            if (!chunk_is_live(chunk))
                continue;
            if (chunk->pool != NULL)
                pool_release(chunk->pool);
            detail_drop(chunk->detail);
        }
    }
    pending_close(allocator);
    for (int list = 0; list < 2; list++) {
        struct segment *segment = list == 0 ? allocator->segments : allocator->retired;
        while (segment != NULL) {
            struct segment *next = segment->next;
            segment_destroy(segment);
            segment = next;
        }
    }
    allocator->segments = allocator->retired = NULL;
}
