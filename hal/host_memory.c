/* SPDX-License-Identifier: Apache-2.0 */
/* Pinned host memory, from an allocator of its own, and the ranges that a program registered: a sorted array, since
 * there are few and they are looked up far more often than changed. */
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "layers/layers.h"
#include "memory_state.h"
#include "process.h"

/* Idle pinned memory that is kept for later; pinning is slow, but it takes memory from everybody else. */
#define PINNED_KEPT (UINT64_C(64) << 20)

struct registration {
    uint64_t start, size;
    bool is_ready; /* the backend has it; else it only keeps others from overlapping */
};

/* Index of the first registration that ends behind the address. */
static uint32_t first_behind(const struct memory *memory, uint64_t address)
{
    uint32_t low = 0, high = memory->registration_count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const struct registration *at = &memory->registrations[middle];
        if (address - at->start < at->size || at->start > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

bool host_find_registered(struct memory *memory, const void *address, uint64_t size, void **out_start,
                          uint64_t *out_size)
{
    const uint64_t at = (uint64_t)(uintptr_t)address;
    bool is_found = false;
    if (LIKELY(atomic_load_explicit(&memory->registration_count, memory_order_acquire) == 0))
        return false;
    short_lock_acquire(&memory->registration_lock);
    const uint32_t i = first_behind(memory, at);
    if (i < memory->registration_count) {
        const struct registration *range = &memory->registrations[i];
        is_found = range->is_ready && at >= range->start && at - range->start < range->size &&
                   size <= range->size - (at - range->start);
        if (is_found && out_start != NULL) {
            *out_start = (void *)(uintptr_t)range->start;
            *out_size = range->size;
        }
    }
    short_lock_release(&memory->registration_lock);
    return is_found;
}

static haly_status fail_overlap(uint64_t start, uint64_t size, const struct registration *other)
{
    return FAIL(HALY_ERR_INVALID, "[0x%llx, +%llu) overlaps the registered range [0x%llx, +%llu)",
                (unsigned long long)start, (unsigned long long)size, (unsigned long long)other->start,
                (unsigned long long)other->size);
}

/* Under the lock. */
static haly_status registration_add(struct memory *memory, uint64_t start, uint64_t size)
{
    const uint32_t count = memory->registration_count, i = first_behind(memory, start);
    if (i < count && memory->registrations[i].start < start + size)
        return fail_overlap(start, size, &memory->registrations[i]);
    if (count == memory->registration_capacity) {
        const uint32_t capacity = count * 2 + 8;
        struct registration *grown = realloc(memory->registrations, capacity * sizeof *grown);
        if (grown == NULL)
            return fail_host_oom("registered ranges", capacity * sizeof *grown);
        memory->registrations = grown;
        memory->registration_capacity = capacity;
    }
    memmove(memory->registrations + i + 1, memory->registrations + i, (count - i) * sizeof *memory->registrations);
    memory->registrations[i] = (struct registration){start, size, false};
    atomic_store_explicit(&memory->registration_count, count + 1, memory_order_release);
    return HALY_OK;
}

/* The registration that starts at an address; NULL when there is none, or it is just being made or ended. */
static struct registration *registration_at(struct memory *memory, uint64_t start)
{
    const uint32_t i = first_behind(memory, start);
    struct registration *found = i < memory->registration_count ? &memory->registrations[i] : NULL;
    return found != NULL && found->start == start ? found : NULL;
}

static void registration_remove(struct memory *memory, uint64_t start)
{
    short_lock_acquire(&memory->registration_lock);
    struct registration *found = registration_at(memory, start);
    const uint32_t left = memory->registration_count - 1;
    memmove(found, found + 1, (size_t)(memory->registrations + left - found) * sizeof *found);
    atomic_store_explicit(&memory->registration_count, left, memory_order_release);
    short_lock_release(&memory->registration_lock);
}

static bool is_ours(const void *address)
{
    return address_find(address) != NULL || window_is_inside_any(address);
}

haly_status haly_host_register(haly_context *context, void *address, uint64_t size)
{
    PUT_OFF_CANCELLATION();
    ENTRY_LIVE(context, HALY_OBJECT_CONTEXT, context);
    REQUIRE(address);
    struct memory *memory = context->memory;
    const uint64_t start = (uint64_t)(uintptr_t)address;
    if (size == 0 || size > UINT64_MAX - start)
        return FAIL(HALY_ERR_INVALID, "%llu bytes at %p are no range to register", (unsigned long long)size, address);
    if ((context->device->spec.capabilities & HALY_CAP_HOST_REGISTER) == 0)
        return FAIL(HALY_ERR_UNSUPPORTED, "device \"%s\" cannot register host memory", context->device->spec.name);
    if (is_ours(address) || is_ours((const char *)address + size - 1))
        return FAIL(HALY_ERR_INVALID, "[%p, +%llu) is device or pinned memory already", address,
                    (unsigned long long)size);
    short_lock_acquire(&memory->registration_lock);
    haly_status status = registration_add(memory, start, size);
    short_lock_release(&memory->registration_lock);
    TRY(status);
    const uint64_t serial = error_serial();
    status = context->backend->host_register(context->block, address, size);
    if (status != HALY_OK) {
        registration_remove(memory, start);
        return HAND_ON(context_failed(context, serial, status));
    }
    short_lock_acquire(&memory->registration_lock);
    registration_at(memory, start)->is_ready = true;
    short_lock_release(&memory->registration_lock);
    return HALY_OK;
}

haly_status haly_host_unregister(haly_context *context, void *address)
{
    PUT_OFF_CANCELLATION();
    ENTRY_LIVE(context, HALY_OBJECT_CONTEXT, context);
    struct memory *memory = context->memory;
    const uint64_t start = (uint64_t)(uintptr_t)address;
    short_lock_acquire(&memory->registration_lock);
    struct registration *found = registration_at(memory, start);
    const bool is_ready = found != NULL && found->is_ready;
    const uint64_t size = is_ready ? found->size : 0;
    if (is_ready)
        found->is_ready = false;
    short_lock_release(&memory->registration_lock);
    if (!is_ready)
        return FAIL(HALY_ERR_INVALID, "no range registered in this context starts at %p", address);
    context->backend->host_unregister(context->block, address, size);
    registration_remove(memory, start);
    return HALY_OK;
}

haly_status haly_host_alloc(haly_context *context, uint64_t size, void **out_address)
{
    PUT_OFF_CANCELLATION();
    ENTRY_LIVE(context, HALY_OBJECT_CONTEXT, context);
    REQUIRE(out_address);
    if (size == 0) {
        *out_address = NULL;
        return HALY_OK;
    }
    const struct allocation request = {.size = size};
    const haly_status status = allocator_alloc(&context->memory->pinned, &request, out_address);
    if (status == HALY_ERR_DEVICE_OOM) /* too much for any address */
        return HAND_ON(fail_host_oom("pinned memory", size));
    TRY(status);
    if (context->layers != NULL)
        layers_memory_taken(context, *out_address, size, NULL);
    return HALY_OK;
}

haly_status haly_host_free(haly_context *context, void *address)
{
    PUT_OFF_CANCELLATION();
    ENTRY_LIVE(context, HALY_OBJECT_CONTEXT, context);
    if (address == NULL)
        return HALY_OK;
    struct allocator *pinned = &context->memory->pinned;
    struct chunk *chunk = memory_live_chunk(context, address, HALY_MEMORY_PINNED);
    if (chunk == NULL)
        return HAND_ON(HALY_ERR_INVALID);
    if (context->layers != NULL)
        TRY(layers_memory_given(context, address, LAYERS_GIVE_AT_ONCE, NULL));
    const bool is_large = chunk_bytes(chunk) >= GRANULE_BYTES;
    TRY(allocator_free(pinned, chunk, NULL, 0));
    if (is_large)
        allocator_trim(pinned, PINNED_KEPT);
    return HALY_OK;
}

void host_close(struct memory *memory)
{
    haly_context *context = memory->context;
    for (uint32_t i = 0; i < memory->registration_count; i++)
        context->backend->host_unregister(context->block, (void *)(uintptr_t)memory->registrations[i].start,
                                          memory->registrations[i].size);
    free(memory->registrations);
    memory->registrations = NULL;
    memory->registration_count = 0;
    allocator_close(&memory->pinned);
}
