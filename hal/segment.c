/* SPDX-License-Identifier: Apache-2.0 */
/* Segments: their storage, their map of chunks, and getting them from the backend. */
#define _GNU_SOURCE
#include "segment.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "address.h"
#include "allocator.h"
#include "block.h"
#include "context.h"
#include "process.h"
#include "short_lock.h"
#include "window.h"
#include "planted.h"

_Static_assert(sizeof(struct chunk) == 64, "one cache line a chunk");
_Static_assert(sizeof(struct segment) % 64 == 0, "chunks start on a cache line");

/* Storage of segments that are gone, by the power of two of their capacity. */
static struct segment *spare[33];
static struct short_lock spare_lock = SHORT_LOCK_INIT;

/* LeakSanitizer's, when it is linked in: blocks that only storage of ours points at are not leaked. */
extern void __lsan_register_root_region(const void *start, size_t bytes) __attribute__((weak));

static uint64_t words(uint64_t bits)
{
    return (bits + 63) / 64;
}

static uint64_t storage_bytes(uint64_t capacity)
{
    return sizeof(struct segment) + capacity * sizeof(struct chunk) + 8 * (words(capacity) + words(words(capacity)));
}

static uint32_t capacity_power(uint64_t units)
{
    return units <= 1 ? 0 : 64U - (uint32_t)__builtin_clzll(units - 1);
}

static struct segment *storage_take(uint64_t units)
{
    const uint32_t power = capacity_power(units);
    const uint64_t capacity = UINT64_C(1) << power;
    short_lock_acquire_process(&spare_lock);
    struct segment *segment = spare[power];
    if (segment != NULL)
        spare[power] = segment->next;
    short_lock_release(&spare_lock);
    if (segment != NULL)
        return segment;
    void *mapped =
        mmap(NULL, storage_bytes(capacity), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED)
        return NULL;
    madvise(mapped, storage_bytes(capacity), MADV_NOHUGEPAGE); /* sparse: huge pages would fill it */
    if (__lsan_register_root_region != NULL)
        __lsan_register_root_region(mapped, storage_bytes(capacity));
    segment = mapped;
    segment->capacity = (uint32_t)capacity;
    segment->starts = (_Atomic uint64_t *)(void *)(segment_chunks(segment) + capacity);
    segment->summary = segment->starts + words(capacity);
    return segment;
}

/* Below this, clearing memory is cheaper than giving it back. */
#define PAGES_CLEARED 4U

/* Makes the map zeros, and gives its pages back where the system takes them: they read as zeros then. */
static void map_clear(struct segment *segment)
{
    char *map = (char *)segment_chunks(segment), *end = (char *)segment + storage_bytes(segment->capacity);
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    char *whole = (char *)segment + page; /* the first page is the head's, too */
    if (end < map + PAGES_CLEARED * page || madvise(whole, (uint64_t)(end - whole), MADV_DONTNEED) != 0)
        whole = end;
    memset(map, 0, (uint64_t)(whole - map));
}

/* Leaves the head alone, which late readers look at. */
static void storage_give(struct segment *segment)
{
    segment->block = NULL;
    atomic_store_explicit(&segment->bytes, 0, memory_order_release);
    map_clear(segment);
    const uint32_t power = capacity_power(segment->capacity);
    short_lock_acquire_process(&spare_lock);
    segment->next = spare[power];
    spare[power] = segment;
    short_lock_release(&spare_lock);
}

static void start_set(struct segment *segment, uint32_t unit)
{
    _Atomic uint64_t *word = &segment->starts[unit / 64];
    _Atomic uint64_t *summary = &segment->summary[unit / 64 / 64];
    const uint64_t bit = UINT64_C(1) << unit % 64, summary_bit = UINT64_C(1) << unit / 64 % 64;
    atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) | bit, memory_order_release);
    atomic_store_explicit(summary, atomic_load_explicit(summary, memory_order_relaxed) | summary_bit,
                          memory_order_release);
}

static void start_clear(struct segment *segment, uint32_t unit)
{
    _Atomic uint64_t *word = &segment->starts[unit / 64];
    _Atomic uint64_t *summary = &segment->summary[unit / 64 / 64];
    const uint64_t left = atomic_load_explicit(word, memory_order_relaxed) & ~(UINT64_C(1) << unit % 64);
    atomic_store_explicit(word, left, memory_order_release);
    if (left == 0)
        atomic_store_explicit(summary,
                              atomic_load_explicit(summary, memory_order_relaxed) & ~(UINT64_C(1) << unit / 64 % 64),
                              memory_order_release);
}

struct chunk *segment_chunk_before(struct segment *segment, uint64_t word)
{
    for (uint64_t at = word; at > 0;) {
        const uint64_t last = at - 1; /* look at summary bits up to this one */
        const uint64_t bits = atomic_load_explicit(&segment->summary[last / 64], memory_order_acquire)
                              << (63 - last % 64);
        if (bits == 0) {
            at = last / 64 * 64;
            continue;
        }
        const uint64_t found = last - (uint64_t)__builtin_clzll(bits);
        const uint64_t starts = atomic_load_explicit(&segment->starts[found], memory_order_acquire);
        if (starts != 0)
            return segment_chunks(segment) + (found * 64 + 63 - (uint64_t)__builtin_clzll(starts));
        at = found;
    }
    return NULL;
}

struct chunk *segment_next(struct chunk *chunk)
{
    const uint32_t index = chunk->index + chunk->units;
    return index < chunk_segment(chunk)->unit_count ? chunk + chunk->units : NULL;
}

struct chunk *segment_previous(struct chunk *chunk)
{
    return chunk->before != 0 ? chunk - chunk->before : NULL;
}

struct chunk *segment_split(struct chunk *chunk, uint32_t units)
{
    struct chunk *behind = segment_next(chunk);
    struct chunk *rest = chunk + units;
    rest->index = chunk->index + units;
    rest->units = chunk->units - units - PLANTED_OR(split_loses_a_unit, 0, 1);
    rest->before = units;
    rest->flags = 0;
    rest->next = rest->previous = NULL;
    rest->pool = chunk->pool;
    rest->sequence = chunk->sequence;
    rest->detail = NULL;
    atomic_store_explicit(&rest->requested, 0, memory_order_relaxed);
    atomic_store_explicit(&rest->state, CHUNK_FREE, memory_order_relaxed);
    if (behind != NULL)
        behind->before = rest->units;
    chunk->units = units;
    start_set(chunk_segment(chunk), rest->index);
    return rest;
}

void segment_join(struct chunk *chunk, struct chunk *next)
{
    struct chunk *behind = segment_next(next);
    chunk->units += next->units;
    if (behind != NULL)
        behind->before = chunk->units;
    start_clear(chunk_segment(chunk), next->index);
    atomic_store_explicit(&next->state, CHUNK_NONE, memory_order_relaxed);
}

static haly_status device_take(struct segment *segment, uint64_t bytes, void **out_base, void **out_native)
{
    const struct allocator *allocator = segment->allocator;
    haly_context *context = allocator->context;
    void *slot = NULL;
    if (allocator->window != NULL)
        TRY(window_take(allocator->window, bytes, &slot));
    const haly_segment_desc desc = {sizeof desc, segment->is_dedicated ? HALY_MEMORY_DEDICATED : 0U, bytes,
                                    GRANULE_BYTES, allocator->places ? slot : NULL};
    const uint64_t serial = error_serial();
    haly_status status = context->backend->segment_alloc(context->block, segment->block, &desc, out_native);
    if (status != HALY_OK) {
        status = context_failed(context, serial, status);
    } else if (allocator->places ? *out_native != slot : (uintptr_t)*out_native % GRANULE_BYTES != 0) {
        context->backend->segment_free(context->block, segment->block);
        status =
            FAIL(HALY_ERR_BACKEND, "backend \"%s\" put a segment at %p, expected %s", context->device->backend->name,
                 *out_native, allocator->places ? "the place it was given" : "a multiple of 2 MiB");
    }
    if (status != HALY_OK && slot != NULL)
        window_give(allocator->window, slot, bytes);
    *out_base = slot != NULL ? slot : *out_native;
    return status;
}

static haly_status pinned_take(const struct segment *segment, uint64_t bytes, void **out_address)
{
    haly_context *context = segment->allocator->context;
    TRY_CONTEXT(context, context->backend->host_alloc(context->block, bytes, out_address));
    if ((uintptr_t)*out_address % 64 == 0)
        return HALY_OK;
    context->backend->host_free(context->block, *out_address, bytes);
    return FAIL(HALY_ERR_BACKEND, "backend \"%s\" pinned host memory at %p, expected a multiple of 64",
                context->device->backend->name, *out_address);
}

static void backend_give(struct segment *segment)
{
    const struct allocator *allocator = segment->allocator;
    haly_context *context = allocator->context;
    if (context_is_abandoned(context))
        return;
    if (segment->memory_class == HALY_MEMORY_PINNED) {
        context->backend->host_free(context->block, (void *)(uintptr_t)segment->base, segment->bytes);
        return;
    }
    context->backend->segment_free(context->block, segment->block);
    if (allocator->window != NULL)
        window_give(allocator->window, (void *)(uintptr_t)segment->base, segment->bytes);
}

/* Makes the segment one chunk and sets what readers look at, `bytes` last. */
static void segment_describe(struct segment *segment, uint64_t bytes, const void *base, const void *native,
                             uint32_t unit_shift)
{
    struct chunk *chunk = segment_chunks(segment);
    segment->unit_count = segment->is_dedicated ? 1 : (uint32_t)(bytes >> unit_shift);
    *chunk = (struct chunk){.units = segment->unit_count};
    start_set(segment, 0);
    segment->memory_class = segment->allocator->memory_class;
    segment->context = segment->allocator->context;
    segment->unit_shift = unit_shift;
    segment->native = (uint64_t)(uintptr_t)native;
    segment->base = (uint64_t)(uintptr_t)base;
    segment->bytes = bytes;
}

haly_status segment_create(struct allocator *allocator, uint64_t bytes, uint32_t family, bool is_dedicated,
                           struct segment **out_segment)
{
    PUT_OFF_CANCELLATION();
    uint32_t shift = allocator->unit_shift[family];
    void *base = NULL, *native = NULL;
    if (is_dedicated)
        shift = capacity_power(bytes); /* one unit */
    struct segment *segment = storage_take(is_dedicated ? 1 : bytes >> shift);
    if (segment == NULL)
        return fail_host_oom("the map of a segment", storage_bytes(bytes >> shift));
    segment->allocator = allocator;
    segment->family = family;
    segment->is_dedicated = is_dedicated;
    segment->block = block_create(allocator->context->backend->segment_size);
    haly_status status = segment->block != NULL ? HALY_OK : fail_host_oom("a segment", sizeof *segment);
    if (status == HALY_OK && allocator->memory_class == HALY_MEMORY_PINNED) {
        status = pinned_take(segment, bytes, &native);
        base = native;
    } else if (status == HALY_OK) {
        status = device_take(segment, bytes, &base, &native);
    }
    if (status == HALY_OK) {
        segment_describe(segment, bytes, base, native, shift);
        status = address_insert(segment);
        if (status != HALY_OK)
            backend_give(segment);
    }
    if (status != HALY_OK) {
        block_destroy(segment->block);
        storage_give(segment);
        return status;
    }
    *out_segment = segment;
    return HALY_OK;
}

void segment_destroy(struct segment *segment)
{
    PUT_OFF_CANCELLATION();
    address_remove(segment);
    atomic_fetch_add_explicit(&segment->allocator->context->mapping_epoch, 1, memory_order_release);
    backend_give(segment);
    if (!context_is_abandoned(segment->allocator->context))
        block_destroy(segment->block); /* else the backend may still look at it */
    storage_give(segment);
}
