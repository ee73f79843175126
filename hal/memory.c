/* SPDX-License-Identifier: Apache-2.0 */
/* Device memory: the public functions, checked and handed over to the allocator. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "dtype.h"
#include "graph.h"
#include "layers/layers.h"
#include "memory_state.h"
#include "param.h"
#include "stream.h"
#include "planted.h"

#define ALIGNMENT_MOST (UINT64_C(2) << 20)
#define ALIGNMENT_LEAST 64U
#define FLAGS_KNOWN (HALY_MEMORY_DEDICATED | HALY_MEMORY_HOLDS_ADDRESSES | HALY_MEMORY_ZERO)

/* Points on this many streams need no memory of their own. */
#define POINTS_ON_STACK 16U

static haly_status window_needed(haly_context *context, const struct memory_config *config, struct memory *memory)
{
    uint64_t bytes = config->window_bytes;
    if (context->native_addresses && (context->flags & HALY_CONTEXT_MOVABLE) == 0)
        return HALY_OK;
    if (bytes == 0)
        bytes = window_default_bytes(context->device->spec.memory_bytes);
    TRY(window_open(&memory->window, bytes, config->window_is_exact));
    memory->has_window = true;
    return HALY_OK;
}

static haly_status device_alignment(const haly_context *context, uint64_t *out_alignment)
{
    const uint64_t alignment = context->device->spec.allocation_alignment;
    if ((alignment & (alignment - 1)) != 0 || alignment > ALIGNMENT_MOST)
        return FAIL(HALY_ERR_BACKEND,
                    "backend \"%s\" asks for an alignment of %llu, expected a power of two up to 2 MiB",
                    context->device->backend->name, (unsigned long long)alignment);
    *out_alignment = alignment > ALIGNMENT_LEAST ? alignment : ALIGNMENT_LEAST;
    return HALY_OK;
}

haly_status memory_open_with(haly_context *context, const struct memory_config *config)
{
    const haly_device_spec *spec = &context->device->spec;
    uint64_t alignment = 0;
    TRY(device_alignment(context, &alignment));
    struct memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL)
        return fail_host_oom("a context's memory", sizeof *memory);
    const haly_status status = window_needed(context, config, memory);
    if (status != HALY_OK) {
        free(memory);
        return status;
    }
    memory->context = context;
    const struct allocator_config device = {context,
                                            memory->has_window ? &memory->window : NULL,
                                            memory->has_window && (spec->capabilities & HALY_CAP_PLACEMENT) != 0,
                                            HALY_MEMORY_DEVICE,
                                            alignment,
                                            config->limit,
                                            spec->max_allocation_bytes};
    const struct allocator_config pinned = {
        .context = context, .memory_class = HALY_MEMORY_PINNED, .alignment = ALIGNMENT_LEAST};
    allocator_open(&memory->device, &device);
    allocator_open(&memory->pinned, &pinned);
    context->memory = memory;
    memory_enlist(memory);
    return HALY_OK;
}

haly_status memory_open(haly_context *context, uint64_t memory_limit, uint64_t window_bytes)
{
    const struct params *params = instance_params(context->instance);
    struct memory_config config = {memory_limit, window_bytes, window_bytes != 0};
    if (config.limit == 0)
        config.limit = param_size(params, "mem_limit");
    if (config.window_bytes == 0)
        config.window_bytes = param_size(params, "window");
    return memory_open_with(context, &config);
}

void memory_close(haly_context *context)
{
    struct memory *memory = context->memory;
    memory_delist(memory);
    /* An abandoned device may still write to what it was given: all of it stays as it is, and so does the context. */
    if (context_is_abandoned(context))
        return;
    host_close(memory);
    allocator_close(&memory->device);
    if (memory->has_window)
        window_close(&memory->window);
    context->memory = NULL;
    free(memory);
}

void memory_window(haly_context *context, uint64_t *out_base, uint64_t *out_bytes)
{
    const struct memory *memory = context->memory;
    *out_base = memory->has_window ? memory->window.base : 0;
    *out_bytes = memory->has_window ? memory->window.bytes : 0;
}

void memory_note_pinned(haly_context *context, int64_t bytes)
{
    atomic_fetch_add_explicit(&context->memory->other_pinned, bytes, memory_order_relaxed);
}

static haly_status check_request(haly_context *context, uint64_t size, const haly_memory_desc *desc,
                                 struct allocation *request)
{
    haly_memory_desc checked;
    TRY(CHECK_INPUT(desc, haly_memory_desc, ext, &checked));
    TRY(check_unknown(checked.flags, FLAGS_KNOWN, 0, "haly_memory_desc"));
    if ((checked.alignment & (checked.alignment - 1)) != 0 || checked.alignment > ALIGNMENT_MOST)
        return FAIL(HALY_ERR_INVALID, "haly_memory_desc.alignment is %llu, expected 0 or a power of two up to 2 MiB",
                    (unsigned long long)checked.alignment);
    if ((checked.flags & HALY_MEMORY_HOLDS_ADDRESSES) != 0 &&
        (!context->native_addresses || (context->flags & HALY_CONTEXT_MOVABLE) != 0))
        return FAIL(HALY_ERR_UNSUPPORTED, "HALY_MEMORY_HOLDS_ADDRESSES: the addresses of this context %s",
                    context->native_addresses ? "may not be stored on the device, because it is movable"
                                              : "mean nothing to the device");
    if (size > UINT64_MAX - ALIGNMENT_MOST)
        return FAIL(HALY_ERR_INVALID, "size %llu overflows when it is rounded up", (unsigned long long)size);
    TRY(check_no_ext(checked.ext, "haly_memory_desc"));
    request->flags = checked.flags;
    request->alignment = checked.alignment;
    request->deadline = checked.deadline;
    return HALY_OK;
}

/*
 * Fills before haly_malloc() returns, on a stream that the context keeps for this. Only one thread may submit to it, so
 * it is taken out while in use; a second thread makes another, and only one is kept. No lock is held over the wait.
 */
static haly_status zero_now(haly_context *context, void *address, uint64_t size)
{
    static const uint8_t zero = 0;
    struct memory *memory = context->memory;
    haly_stream *stream = atomic_exchange(&memory->zero_stream, NULL), *none = NULL;
    if (stream == NULL) {
        TRY(haly_stream_create(context, NULL, &stream));
        stream->object.is_internal = true;
    }
    haly_status status =
        haly_fill(stream, address, &zero, 1, PLANTED_OR(zero_flag_leaves_the_tail, size, size / 8 * 8));
    if (status == HALY_OK)
        status = haly_stream_sync(stream, HALY_FOREVER);
    if (status != HALY_OK || !atomic_compare_exchange_strong(&memory->zero_stream, &none, stream))
        haly_stream_release(stream);
    return status;
}

haly_status haly_malloc(haly_context *context, uint64_t size, const haly_memory_desc *desc, void **out_address)
{
    struct allocation request = {.size = size};
    void *address;
    ENTRY_LIVE(context, HALY_OBJECT_CONTEXT, context);
    REQUIRE(out_address);
    if (UNLIKELY(desc != NULL || size > UINT64_MAX - ALIGNMENT_MOST))
        TRY(check_request(context, size, desc, &request));
    if (UNLIKELY(size == 0)) {
        *out_address = NULL;
        return HALY_OK;
    }
    TRY(allocator_alloc(&context->memory->device, &request, &address));
    if (UNLIKELY(context->layers != NULL))
        layers_memory_taken(context, address, size, NULL);
    if (UNLIKELY((request.flags & HALY_MEMORY_ZERO) != 0)) {
        const haly_status status = zero_now(context, address, size);
        if (status != HALY_OK) {
            const haly_error failure = *error_detail();
            haly_free(context, address);
            return HAND_ON(error_restore(&failure));
        }
    }
    *out_address = address;
    return HALY_OK;
}

APART static haly_status alloc_watched(haly_stream *stream, struct allocation *request, void **out_address)
{
    if (stream_is_capturing(stream))
        return capture_alloc(stream, request, out_address);
    request->timeline = stream->timeline;
    TRY(allocator_alloc(&stream->object.context->memory->device, request, out_address));
    layers_memory_taken(stream->object.context, *out_address, request->size, stream);
    return HALY_OK;
}

/* In the order of a stream, or of the graph that the stream is captured into. */
static haly_status alloc_on_stream(haly_stream *stream, struct allocation *request, void **out_address)
{
    if (UNLIKELY(stream_is_watched(stream)))
        return alloc_watched(stream, request, out_address);
    request->timeline = stream->timeline;
    return allocator_alloc(&stream->object.context->memory->device, request, out_address);
}

haly_status haly_malloc_async(haly_stream *stream, uint64_t size, const haly_memory_desc *desc, void **out_address)
{
    static const uint8_t zero = 0;
    struct allocation request = {.size = size};
    void *address;
    ENTRY_STREAM(stream);
    REQUIRE(out_address);
    if (UNLIKELY(desc != NULL || size > UINT64_MAX - ALIGNMENT_MOST))
        TRY(check_request(stream->object.context, size, desc, &request));
    if (UNLIKELY(size == 0)) {
        *out_address = NULL;
        return HALY_OK;
    }
    TRY(alloc_on_stream(stream, &request, &address));
    if (UNLIKELY((request.flags & HALY_MEMORY_ZERO) != 0)) {
        const haly_status status = haly_fill(stream, address, &zero, 1, size);
        if (status != HALY_OK) {
            const haly_error failure = *error_detail();
            haly_free_async(stream, address);
            return HAND_ON(error_restore(&failure));
        }
    }
    *out_address = address;
    return HALY_OK;
}

/* Counts the unfinished timelines of the context, and keeps as many as there is room for. */
static uint32_t collect_unfinished(haly_context *context, struct timeline_point *points, uint32_t capacity)
{
    uint32_t count = 0;
    short_lock_acquire(&context->timelines_lock);
    for (struct timeline *timeline = context->timelines; timeline != NULL; timeline = timeline->next) {
        const uint64_t sequence = timeline_submitted(timeline);
        if (LIKELY(atomic_load_explicit(&timeline->completed, memory_order_acquire) >= sequence))
            continue;
        if (count < capacity) {
            timeline_retain(timeline);
            points[count] = (struct timeline_point){timeline, sequence};
        }
        count++;
        PLANTED(free_looks_at_one_stream, break);
    }
    short_lock_release(&context->timelines_lock);
    return count;
}

static void release_points(const struct timeline_point *points, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        timeline_release(points[i].timeline);
}

/* More unfinished streams than the stack has room for; `count` of them a moment ago. */
static haly_status free_behind_many(haly_context *context, struct chunk *chunk, uint32_t count)
{
    for (;;) {
        const uint32_t capacity = count + POINTS_ON_STACK;
        struct timeline_point *points = malloc(capacity * sizeof *points);
        if (points == NULL)
            return fail_host_oom("a pending free", capacity * sizeof *points);
        count = collect_unfinished(context, points, capacity);
        haly_status status = HALY_OK;
        if (count <= capacity)
            status = allocator_free(&context->memory->device, chunk, points, count);
        release_points(points, count < capacity ? count : capacity);
        free(points);
        if (count <= capacity)
            return status;
    }
}

/* The live chunk at an address that the program may free; NULL with HALY_ERR_INVALID's detail. */
static inline struct chunk *freeable_chunk(haly_context *context, void *address)
{
    struct chunk *chunk = memory_live_chunk(context, address, HALY_MEMORY_DEVICE);
    if (UNLIKELY(chunk != NULL && (chunk->flags & ALLOCATION_OF_GRAPH) != 0)) {
        FAIL(HALY_ERR_INVALID, "%p belongs to a graph, which frees it when it is released", address);
        return NULL;
    }
    return chunk;
}

haly_status haly_free(haly_context *context, void *address)
{
    struct timeline_point points[POINTS_ON_STACK];
    ENTRY_LIVE(context, HALY_OBJECT_CONTEXT, context);
    if (UNLIKELY(address == NULL))
        return HALY_OK;
    struct chunk *chunk = freeable_chunk(context, address);
    if (UNLIKELY(chunk == NULL))
        return HAND_ON(HALY_ERR_INVALID);
    if (UNLIKELY(context->layers != NULL))
        TRY(layers_memory_given(context, address, LAYERS_GIVE_BEHIND_ALL, NULL));
    const uint32_t count = collect_unfinished(context, points, POINTS_ON_STACK);
    if (UNLIKELY(count > POINTS_ON_STACK)) {
        release_points(points, POINTS_ON_STACK);
        return HAND_ON(free_behind_many(context, chunk, count));
    }
    const haly_status status = allocator_free(&context->memory->device, chunk, points, count);
    if (UNLIKELY(count != 0))
        release_points(points, count);
    return HAND_ON(status);
}

APART static haly_status free_watched(haly_stream *stream, void *address)
{
    haly_context *context = stream->object.context;
    if (stream_is_capturing(stream))
        return capture_free(stream, address);
    struct chunk *chunk = freeable_chunk(context, address);
    if (chunk == NULL)
        return HALY_ERR_INVALID;
    TRY(layers_memory_given(context, address, LAYERS_GIVE_IN_STREAM, stream));
    return allocator_free_ordered(&context->memory->device, chunk, stream->timeline);
}

haly_status haly_free_async(haly_stream *stream, void *address)
{
    ENTRY_STREAM(stream);
    haly_context *context = stream->object.context;
    if (UNLIKELY(address == NULL))
        return HALY_OK;
    if (UNLIKELY(stream_is_watched(stream)))
        return HAND_ON(free_watched(stream, address));
    struct chunk *chunk = freeable_chunk(context, address);
    if (UNLIKELY(chunk == NULL))
        return HAND_ON(HALY_ERR_INVALID);
    return HAND_ON(allocator_free_ordered(&context->memory->device, chunk, stream->timeline));
}

haly_status haly_memory_used_on(haly_stream *stream, void *address)
{
    ENTRY_STREAM(stream);
    haly_context *context = stream->object.context;
    REQUIRE(address);
    struct chunk *chunk = memory_live_chunk(context, address, HALY_MEMORY_DEVICE);
    if (chunk == NULL)
        return HAND_ON(HALY_ERR_INVALID);
    if (UNLIKELY(stream_is_layered(stream)))
        layers_memory_used(stream, address);
    TRY(allocator_note_use(&context->memory->device, chunk, stream->timeline));
    return HALY_OK;
}

static haly_status check_description(const haly_memory_description *description)
{
    if ((uint32_t)description->retention > HALY_RETAIN_DISCARD)
        return FAIL(HALY_ERR_INVALID, "haly_memory_description.retention is %d", (int)description->retention);
    if (description->dtype != HALY_DTYPE_NONE && !dtype_is_known(description->dtype))
        return FAIL(HALY_ERR_INVALID, "haly_memory_description.dtype is %d", (int)description->dtype);
    if (description->rank > HALY_MAX_RANK)
        return FAIL(HALY_ERR_INVALID, "haly_memory_description.rank is %u, expected at most %d", description->rank,
                    HALY_MAX_RANK);
    for (uint32_t i = 0; i < description->rank; i++)
        if (description->shape[i] < 0)
            return FAIL(HALY_ERR_INVALID, "haly_memory_description.shape[%u] is %lld", i,
                        (long long)description->shape[i]);
    if (description->name != NULL && memchr(description->name, '\0', 128) == NULL)
        return FAIL(HALY_ERR_INVALID, "haly_memory_description.name is longer than 127 bytes");
    return HALY_OK;
}

haly_status haly_memory_describe(haly_context *context, void *address, const haly_memory_description *description)
{
    haly_memory_description checked;
    haly_status status = HALY_OK;
    ENTRY_LIVE(context, HALY_OBJECT_CONTEXT, context);
    REQUIRE(address);
    REQUIRE(description);
    TRY(CHECK_INPUT(description, haly_memory_description, shape, &checked));
    TRY(check_description(&checked));
    struct chunk *chunk = memory_live_chunk(context, address, HALY_MEMORY_DEVICE);
    if (chunk == NULL)
        return HAND_ON(HALY_ERR_INVALID);
    struct allocator *allocator = &context->memory->device;
    struct chunk_detail *detail = allocator_detail(allocator, chunk, &status);
    if (detail == NULL)
        return HAND_ON(status);
    detail->description = checked;
    snprintf(detail->name, sizeof detail->name, "%s", checked.name != NULL ? checked.name : "");
    detail->description.name = detail->name;
    short_lock_release(&allocator->lock);
    return HALY_OK;
}

haly_status haly_memory_stats_get(haly_context *context, haly_memory_stats *out_stats)
{
    struct allocator_counters device, pinned;
    uint64_t largest, largest_pinned;
    ENTRY_LIVE(context, HALY_OBJECT_CONTEXT, context);
    struct memory *memory = context->memory;
    allocator_stats(&memory->device, &device, &largest);
    allocator_stats(&memory->pinned, &pinned, &largest_pinned);
    const haly_memory_stats stats = {
        HALY_MEMORY_STATS_INIT,
        .limit_bytes = memory->device.limit,
        .allocated_bytes = device.allocated_bytes,
        .allocated_peak = device.allocated_peak,
        .segment_bytes = device.segment_bytes,
        .segment_peak = device.segment_peak,
        .cached_bytes = device.cached_bytes,
        .pending_bytes = device.pending_bytes,
        .largest_free_bytes = largest,
        .allocation_count = device.allocation_count,
        .segment_count = device.segment_count,
        .malloc_calls = device.malloc_calls,
        .cache_hits = device.cache_hits,
        .pinned_bytes =
            pinned.allocated_bytes + (uint64_t)atomic_load_explicit(&memory->other_pinned, memory_order_relaxed),
    };
    TRY(CHECK_OUTPUT(out_stats, haly_memory_stats, pinned_bytes, &stats));
    return HALY_OK;
}

haly_status haly_memory_trim(haly_context *context, uint64_t keep_bytes)
{
    ENTRY_LIVE(context, HALY_OBJECT_CONTEXT, context);
    allocator_trim(&context->memory->device, keep_bytes);
    if (keep_bytes == 0)
        allocator_trim(&context->memory->pinned, 0);
    return HALY_OK;
}

haly_status memory_alloc_ordered(haly_context *context, struct timeline *timeline, uint64_t size, void **out_address)
{
    struct allocator *allocator = &context->memory->device;
    /* Nobody checks the free. */
    const struct allocation request = {.size = size, .timeline = timeline, .keeps_pool = true};
    if (size == 0) {
        *out_address = NULL;
        return HALY_OK;
    }
    return allocator_alloc(allocator, &request, out_address);
}

void memory_free_ordered(haly_context *context, struct timeline *timeline, void *address)
{
    if (address == NULL)
        return;
    const haly_error before = *error_detail();
    struct chunk *chunk = memory_live_chunk(context, address, HALY_MEMORY_DEVICE);
    if (chunk == NULL || allocator_free_ordered(&context->memory->device, chunk, timeline) != HALY_OK)
        *error_detail() = before; /* it stays allocated until the context closes */
}

haly_status memory_alloc_for_graph(haly_context *context, const struct allocation *request, void **out_address)
{
    struct allocation own = *request;
    own.flags |= ALLOCATION_OF_GRAPH;
    TRY(allocator_alloc(&context->memory->device, &own, out_address));
    if (context->layers != NULL)
        layers_graph_memory_taken(context, *out_address, request->size);
    return HALY_OK;
}

void memory_free_of_graph(haly_context *context, void *address)
{
    const haly_error before = *error_detail();
    struct chunk *chunk = memory_live_chunk(context, address, HALY_MEMORY_DEVICE);
    if (chunk != NULL && context->layers != NULL)
        layers_memory_given(context, address, LAYERS_GIVE_BEHIND_ALL, NULL);
    if (chunk == NULL || allocator_free(&context->memory->device, chunk, NULL, 0) != HALY_OK)
        *error_detail() = before; /* it stays allocated until the context closes */
}

void memory_timeline_ended(haly_context *context, struct timeline *timeline)
{
    allocator_timeline_ended(&context->memory->device, timeline);
}
