/* SPDX-License-Identifier: Apache-2.0 */
/* What an address is: for commands, for frees, and for programs that ask. */
#include <sched.h>
#include <stdio.h>

#include "address.h"
#include "check.h"
#include "memory_state.h"
#include "planted.h"

/* Open memories of the process. */
static struct memory *memories;
static struct short_lock memories_lock = SHORT_LOCK_INIT;

typedef unsigned long long ull; /* for messages */

void memory_enlist(struct memory *memory)
{
    short_lock_acquire_process(&memories_lock);
    memory->next = memories;
    memories = memory;
    short_lock_release(&memories_lock);
}

void memory_delist(struct memory *memory)
{
    short_lock_acquire_process(&memories_lock);
    struct memory **link = &memories;
    while (*link != NULL && *link != memory)
        link = &(*link)->next;
    if (*link != NULL)
        *link = memory->next;
    short_lock_release(&memories_lock);
    while (atomic_load_explicit(&memory->visitors, memory_order_acquire) != 0)
        sched_yield(); /* they look at one address */
}

static uint64_t chunk_requested(struct chunk *chunk)
{
    return atomic_load_explicit(&chunk->requested, memory_order_relaxed);
}

static uint64_t chunk_offset(const struct segment *segment, const struct chunk *chunk, const struct chunk *first)
{
    return (uint64_t)(chunk - first) << segment->unit_shift;
}

static haly_status fail_range(const char *what, const void *address, uint64_t size, struct segment *segment,
                              struct chunk *chunk)
{
    const uint64_t base = segment->base + chunk_offset(segment, chunk, segment_chunks(segment));
    return FAIL(HALY_ERR_INVALID, "%s: [%p, +%llu) leaves its allocation of %llu bytes at 0x%llx", what, address,
                (ull)size, (ull)chunk_requested(chunk), (ull)base);
}

/* An address just behind a live allocation is fine when no bytes are asked of it. */
static bool is_end_of_live(struct segment *segment, const void *address)
{
    const uint64_t at = (uint64_t)(uintptr_t)address;
    if (at == segment->base)
        return false;
    struct chunk *chunk = segment_chunk_at(segment, (const char *)address - 1);
    return chunk != NULL && chunk_is_live(chunk) &&
           at - segment->base == chunk_offset(segment, chunk, segment_chunks(segment)) + chunk_requested(chunk);
}

static haly_status resolve_in_segment(struct segment *segment, const void *address, uint64_t size, const char *what,
                                      struct memory_view *out_view)
{
    struct chunk *chunk = segment_chunk_at(segment, address);
    const uint64_t at = (uint64_t)(uintptr_t)address;
    const uint64_t offset = PLANTED_OR(offset_in_32_bits, at - segment->base, (uint32_t)(at - segment->base));
    if (UNLIKELY(chunk == NULL || !chunk_is_live(chunk))) {
        if (size != 0 || !is_end_of_live(segment, address))
            return FAIL(HALY_ERR_INVALID, "%s: %p lies in freed memory", what, address);
    } else {
        const uint64_t inside = offset - chunk_offset(segment, chunk, segment_chunks(segment));
        const uint64_t requested = chunk_requested(chunk);
        if (UNLIKELY(inside > requested || size > PLANTED_OR(range_ends_one_behind, requested, requested + 1) - inside))
            return fail_range(what, address, size, segment, chunk);
    }
    out_view->memory_class = (haly_memory_class)segment->memory_class;
    out_view->context = segment->context;
    return HALY_OK;
}

static haly_status refuse_other(const void *address, uint64_t size, const char *what)
{
    if (address == NULL)
        return FAIL(HALY_ERR_INVALID, "%s is NULL, expected %llu bytes", what, (ull)size);
    if (window_is_inside_any(address))
        return FAIL(HALY_ERR_INVALID,
                    "%s: %p lies in an address window, but in no live allocation: freed, or never "
                    "allocated",
                    what, address);
    return FAIL(HALY_ERR_INVALID, "%s: [%p, +%llu) runs into device memory", what, address, (ull)size);
}

static bool runs_into_device_memory(const void *address, uint64_t size)
{
    const struct segment *segment = address_find((const char *)address + size - 1);
    return segment != NULL && segment->memory_class == HALY_MEMORY_DEVICE;
}

/* Not in the address table. */
static haly_status resolve_other(haly_context *context, const void *address, uint64_t size, const char *what,
                                 struct memory_view *out_view)
{
    if (size != 0 && (address == NULL || runs_into_device_memory(address, size)))
        return refuse_other(address, size, what);
    if (window_is_inside_any(address))
        return refuse_other(address, size, what);
    *out_view = (struct memory_view){.memory_class = HALY_MEMORY_UNKNOWN};
    if (host_find_registered(context->memory, address, size, NULL, NULL))
        out_view->memory_class = HALY_MEMORY_REGISTERED;
    else if (context->native_addresses && address != NULL)
        out_view->memory_class = context->backend->pointer_info(context->block, address);
    if (out_view->memory_class != HALY_MEMORY_UNKNOWN)
        out_view->context = context;
    return HALY_OK;
}

haly_status memory_resolve(haly_context *context, const void *address, uint64_t size, const char *what,
                           struct memory_view *out_view)
{
    if (UNLIKELY(size > UINT64_MAX - (uint64_t)(uintptr_t)address))
        return FAIL(HALY_ERR_INVALID, "%s: [%p, +%llu) wraps around the address space", what, address, (ull)size);
    struct segment *segment = address_find(address);
    if (LIKELY(segment != NULL))
        return resolve_in_segment(segment, address, size, what, out_view);
    return resolve_other(context, address, size, what, out_view);
}

haly_status memory_check_owner(const struct memory_view *view, const void *address)
{
    if (object_is_sound(&view->context->object, HALY_OBJECT_CONTEXT))
        return HALY_OK;
    return FAIL(HALY_ERR_INVALID, "%p is memory of a context that was released, or opened before fork()", address);
}

void *memory_translate(haly_context *context, const void *address)
{
    if (LIKELY(context->native_addresses))
        return (void *)(uintptr_t)address;
    const struct segment *segment = address_find(address);
    if (segment == NULL)
        return (void *)(uintptr_t)address;
    return (void *)(uintptr_t)((uint64_t)(uintptr_t)address - segment->base + segment->native);
}

static void visit(struct memory *memory)
{
    atomic_fetch_add_explicit(&memory->visitors, 1, memory_order_relaxed);
}

static void visit_end(struct memory *memory)
{
    atomic_fetch_sub_explicit(&memory->visitors, 1, memory_order_release);
}

/* The index-th open memory, visited: it stays open until the visit ends. */
static struct memory *visit_nth(uint32_t index)
{
    short_lock_acquire_process(&memories_lock);
    struct memory *memory = memories;
    while (memory != NULL && index-- > 0)
        memory = memory->next;
    if (memory != NULL)
        visit(memory);
    short_lock_release(&memories_lock);
    return memory;
}

/* After a fork the parent's memories are none of ours: its backends must not be called, and a thread that is not here
 * may hold their locks. */
static bool is_of_this_process(const haly_context *context)
{
    return context->object.generation == process_current_generation();
}

/* The memory that a segment is of, visited: its context and allocators may be looked at. NULL: it was closed meanwhile,
 * or is none of this process. */
static struct memory *visit_owner(const struct segment *segment)
{
    short_lock_acquire_process(&memories_lock);
    const haly_context *context = segment->context;
    struct memory *memory = memories;
    while (memory != NULL && memory->context != context)
        memory = memory->next;
    if (memory != NULL && !is_of_this_process(context))
        memory = NULL;
    if (memory != NULL)
        visit(memory);
    short_lock_release(&memories_lock);
    return memory;
}

static void fail_elsewhere(const struct segment *segment, const void *address)
{
    struct memory *memory = visit_owner(segment);
    if (memory == NULL) {
        FAIL(HALY_ERR_INVALID, "%p belongs to a context that was closed, or opened before fork()", address);
        return;
    }
    FAIL(HALY_ERR_INVALID, "%p belongs to context %llu", address, (ull)memory->context->object.id);
    visit_end(memory);
}

/* Says what an address is that is not the start of a live allocation of the class in the context. */
static void fail_not_allocation(haly_context *context, const void *address, haly_memory_class memory_class)
{
    const char *wanted = memory_class == HALY_MEMORY_PINNED ? "pinned" : "device";
    struct segment *segment = address_find(address);
    struct chunk *chunk = segment != NULL ? segment_chunk_at(segment, address) : NULL;
    if (segment == NULL)
        FAIL(HALY_ERR_INVALID, "%p is %s, not the start of an allocation of %s memory", address,
             window_is_inside_any(address) ? "freed memory" : "ordinary host memory", wanted);
    else if (chunk == NULL || !chunk_is_live(chunk))
        FAIL(HALY_ERR_INVALID, "%p was freed already, or never allocated", address);
    else if (segment->memory_class != memory_class)
        FAIL(HALY_ERR_INVALID, "%p is %s memory, expected %s memory", address,
             segment->memory_class == HALY_MEMORY_PINNED ? "pinned" : "device", wanted);
    else if (segment->context != context)
        fail_elsewhere(segment, address);
    else
        FAIL(HALY_ERR_INVALID, "%p lies inside the allocation at 0x%llx, not at its start", address,
             (ull)(segment->base + chunk_offset(segment, chunk, segment_chunks(segment))));
}

struct chunk *memory_live_chunk(haly_context *context, const void *address, haly_memory_class memory_class)
{
    struct segment *segment = address_find(address);
    if (LIKELY(segment != NULL && segment->context == context && segment->memory_class == (uint32_t)memory_class)) {
        struct chunk *chunk = segment_chunk_at(segment, address);
        if (LIKELY(chunk != NULL && chunk_is_live(chunk) &&
                   chunk_offset(segment, chunk, segment_chunks(segment)) ==
                       (uint64_t)(uintptr_t)address - segment->base))
            return chunk;
    }
    fail_not_allocation(context, address, memory_class);
    return NULL;
}

static void describe_live(struct segment *segment, struct chunk *chunk, uint64_t offset, haly_memory_info *info)
{
    info->memory_class = (haly_memory_class)segment->memory_class;
    info->context = segment->context;
    info->base = (void *)(uintptr_t)chunk_address(chunk);
    info->offset = offset;
    info->size = chunk_requested(chunk);
    info->flags = chunk->flags;
    const struct chunk_detail *detail = chunk->detail;
    if (detail == NULL)
        return;
    info->retention = detail->description.retention;
    info->dtype = detail->description.dtype;
    info->rank = detail->description.rank;
    for (uint32_t i = 0; i < HALY_MAX_RANK; i++)
        info->shape[i] = detail->description.shape[i];
    info->name = detail->name;
}

/* Looks under the lock of the allocator, which may be closing: whoever asks need not own the memory. */
static void describe_in_segment(struct segment *segment, const void *address, haly_memory_info *info)
{
    struct memory *memory = visit_owner(segment);
    if (memory == NULL)
        return;
    struct allocator *allocator = segment->memory_class == HALY_MEMORY_PINNED ? &memory->pinned : &memory->device;
    short_lock_acquire(&allocator->lock);
    /* It may have gone meanwhile, and its storage serve another allocator. */
    const bool is_still = address_find(address) == segment && segment->allocator == allocator;
    struct chunk *chunk = is_still ? segment_chunk_at(segment, address) : NULL;
    if (chunk != NULL && chunk_is_live(chunk)) {
        const uint64_t offset = (uint64_t)(uintptr_t)address - chunk_address(chunk);
        if (offset < chunk_requested(chunk))
            describe_live(segment, chunk, offset, info);
    }
    short_lock_release(&allocator->lock);
    visit_end(memory);
}

/* What one open memory knows of an address that no segment holds. */
static void ask_memory(struct memory *memory, const void *address, haly_memory_info *info)
{
    haly_context *context = memory->context;
    if (host_find_registered(memory, address, 0, &info->base, &info->size))
        info->memory_class = HALY_MEMORY_REGISTERED;
    else if (context->native_addresses && !context_is_abandoned(context))
        info->memory_class = context->backend->pointer_info(context->block, address);
    if (info->memory_class != HALY_MEMORY_UNKNOWN)
        info->context = context;
    if (info->memory_class == HALY_MEMORY_REGISTERED)
        info->offset = (uint64_t)((const char *)address - (const char *)info->base);
}

static void describe_other(const void *address, haly_memory_info *info)
{
    struct memory *memory;
    for (uint32_t i = 0; info->memory_class == HALY_MEMORY_UNKNOWN && (memory = visit_nth(i)) != NULL; i++) {
        if (is_of_this_process(memory->context)) /* nor is a backend called behind haly_shutdown() */
            ask_memory(memory, address, info);
        visit_end(memory);
    }
}

haly_status haly_memory_info_get(const void *address, haly_memory_info *out_info)
{
    haly_memory_info info = {HALY_MEMORY_INFO_INIT, .name = ""};
    struct segment *segment = address_find(address);
    if (segment != NULL)
        describe_in_segment(segment, address, &info);
    else if (address != NULL && !window_is_inside_any(address))
        describe_other(address, &info);
    TRY(CHECK_OUTPUT(out_info, haly_memory_info, name, &info));
    return HALY_OK;
}
