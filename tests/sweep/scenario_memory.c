/* SPDX-License-Identifier: Apache-2.0 */
/* Device memory, host memory, copies and host calls. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

#define LARGE (UINT64_C(3) << 20)

static void describe(struct world *world, void *address, uint64_t size)
{
    const haly_memory_description description = {HALY_MEMORY_DESCRIPTION_INIT, .name = "weights", .dtype = HALY_U8,
                                                 .rank = 1, .shape = {(int64_t)size}};
    haly_memory_info info = {HALY_MEMORY_INFO_INIT};
    STEP(haly_memory_describe, world->context, address, &description);
    STEP(haly_memory_info_get, (char *)address + 1, &info);
    CHECK(info.base == address && info.size == size && info.offset == 1 && info.context == world->context);
    CHECK(strcmp(info.name, "weights") == 0);
}

static void malloc_with(struct world *world, uint64_t size, uint32_t flags, uint64_t alignment, void **out_address)
{
    const haly_memory_desc desc = {HALY_MEMORY_DESC_INIT, .flags = flags, .alignment = alignment};
    STEP_OUT(*out_address, haly_malloc, world->context, size, &desc, out_address);
    CHECK((uintptr_t)*out_address % alignment == 0);
}

void run_memory(struct world *world)
{
    void *small[40], *large = NULL, *own = NULL, *aligned = NULL, *zero = NULL;
    haly_memory_stats stats = {HALY_MEMORY_STATS_INIT};
    GO(world_open(world));
    for (unsigned i = 0; i < 40; i++)
        GO(world_memory(world, 100 + 1000 * (uint64_t)i, &small[i]));
    GO(world_memory(world, LARGE, &large));
    GO(malloc_with(world, 5000, HALY_MEMORY_DEDICATED, 64, &own));
    GO(malloc_with(world, 5000, 0, 1U << 20, &aligned));
    GO(malloc_with(world, 256, HALY_MEMORY_ZERO, 64, &zero));
    GO(world_compare(world, zero, (const char[256]){0}, 256));
    GO(describe(world, large, LARGE));
    STEP(haly_memory_stats_get, world->context, &stats);
    CHECK(stats.allocation_count == 44);
    for (unsigned i = 0; i < 40; i += 2)
        STEP(haly_free, world->context, small[i]);
    STEP(haly_free, world->context, large);
    STEP(haly_free, world->context, own);
    STEP(haly_free, world->context, zero);
    STEP(haly_memory_trim, world->context, 0);
    GO(world_memory(world, LARGE, &large));
    STEP(haly_memory_stats_get, world->context, &stats);
    CHECK(stats.allocation_count == 22);
}

/* Frees behind work that is still queued, in one stream, in two, and on behalf of another. */
void run_memory_in_stream_order(struct world *world)
{
    static const uint8_t pattern = 7;
    haly_stream *other = NULL;
    haly_event *event = NULL;
    void *memory[8] = {NULL};
    GO(world_open(world));
    GO(world_stream(world, &other));
    GO(world_event(world, 0, &event));
    for (unsigned i = 0; i < 8; i++) {
        STEP_OUT(memory[i], haly_malloc_async, world->stream, 1U << 16, NULL, &memory[i]);
        STEP(haly_fill, world->stream, memory[i], &pattern, 1, 1U << 16);
    }
    STEP(haly_event_record, event, world->stream);
    STEP(haly_stream_wait, other, event);
    STEP(haly_copy, other, memory[1], memory[0], 1U << 16);
    STEP(haly_memory_used_on, other, memory[0]);
    STEP(haly_free_async, world->stream, memory[0]);
    STEP(haly_free_async, world->stream, memory[2]);
    STEP(haly_free_async, other, memory[3]);
    STEP(haly_free, world->context, memory[4]);
    STEP_OUT(memory[5], haly_malloc_async, world->stream, 1U << 16, NULL, &memory[5]);
    STEP_OUT(memory[6], haly_malloc_async, other, 1U << 16, NULL, &memory[6]);
    STEP(haly_fill, other, memory[6], &pattern, 1, 1U << 16);
    GO(world_sync(world, other));
    world_release_now(world, other);
    STEP(haly_context_sync, world->context, HALY_FOREVER);
    GO(world_memory(world, LARGE, &memory[7]));
}

/* Memory is short: caches are given back, and pending frees are waited for. */
void run_memory_with_limit(struct world *world)
{
    const haly_memory_desc patient = {HALY_MEMORY_DESC_INIT, .deadline = UINT64_C(20000000000)};
    void *first = NULL, *second = NULL;
    GO(world_open(world)); /* the scenario's parameter limits it to 8 MiB */
    STEP_OUT(first, haly_malloc, world->context, UINT64_C(5) << 20, NULL, &first);
    EXPECT(HALY_ERR_DEVICE_OOM, haly_malloc, world->context, UINT64_C(5) << 20, NULL, &second);
    STEP(haly_fill, world->stream, first, "x", 1, UINT64_C(5) << 20);
    STEP(haly_free, world->context, first);
    STEP_OUT(second, haly_malloc, world->context, UINT64_C(6) << 20, &patient, &second);
    GO(world_sync(world, world->stream));
}

void run_host_memory(struct world *world)
{
    static unsigned char own[3][8192];
    void *pinned[3] = {NULL}, *device = NULL;
    const bool registers = strcmp(world->scenario->backend, "cpu") == 0;
    GO(world_open(world));
    STEP_OUT(pinned[0], haly_host_alloc, world->context, 8192, &pinned[0]);
    STEP_OUT(pinned[1], haly_host_alloc, world->context, LARGE, &pinned[1]);
    world_fill(world, pinned[0], 8192);
    GO(world_memory(world, 8192, &device));
    STEP(haly_copy, world->stream, device, pinned[0], 8192);
    STEP(haly_copy, world->stream, pinned[1], device, 8192);
    GO(world_sync(world, world->stream));
    CHECK(memcmp(pinned[0], pinned[1], 8192) == 0);
    for (unsigned i = 0; i < 3 && registers; i++)
        STEP(haly_host_register, world->context, own[i], sizeof own[i]);
    STEP(haly_copy, world->stream, own[1], device, 8192);
    GO(world_sync(world, world->stream));
    CHECK(memcmp(own[1], pinned[0], 8192) == 0);
    for (unsigned i = 0; i < 2 && registers; i++)
        STEP(haly_host_unregister, world->context, own[i]);
    STEP(haly_host_free, world->context, pinned[1]);
    STEP(haly_host_free, world->context, pinned[0]);
    STEP_OUT(pinned[2], haly_host_alloc, world->context, 100, &pinned[2]);
}

/* ---- copies ---- */

/* A rectangle out of host memory, through the device, into another place. */
static void copy_rectangle(struct world *world, void *device, const unsigned char *from, unsigned char *to)
{
    const haly_copy_2d_desc in = {HALY_COPY_2D_DESC_INIT, .dst = device, .dst_pitch = 256, .src = from,
                                  .src_pitch = 100,       .width = 60,   .height = 50};
    const haly_copy_2d_desc out = {HALY_COPY_2D_DESC_INIT, .dst = to,   .dst_pitch = 64, .src = device,
                                   .src_pitch = 256,       .width = 60, .height = 50};
    STEP(haly_copy_2d, world->stream, &in);
    STEP(haly_copy_2d, world->stream, &out);
    GO(world_sync(world, world->stream));
    for (unsigned row = 0; row < 50; row++)
        CHECK(memcmp(to + (size_t)row * 64, from + (size_t)row * 100, 60) == 0);
}

void run_copies(struct world *world)
{
    static unsigned char from[3 << 20], to[WORLD_RUNS][64 * 50];
    void *device = NULL, *second = NULL;
    GO(world_open(world));
    world_fill(world, from, sizeof from);
    GO(world_upload(world, from, sizeof from, &device)); /* several chunks where it is staged */
    GO(world_memory(world, sizeof from, &second));
    STEP(haly_copy, world->stream, second, device, sizeof from);
    GO(world_compare(world, second, from, sizeof from));
    GO(copy_rectangle(world, device, from, to[world->run % WORLD_RUNS]));
    GO(world_compare(world, (char *)second + 12345, from + 12345, 1000));
}

/* Through host memory, by the service thread. */
void run_copies_across_contexts(struct world *world)
{
    static unsigned char bytes[300000];
    haly_context *first = NULL, *second = NULL;
    void *near = NULL, *far = NULL;
    GO(world_open(world));
    first = world->context;
    world_fill(world, bytes, sizeof bytes);
    GO(world_upload(world, bytes, sizeof bytes, &near));
    GO(world_context(world, HALY_CONTEXT_MOVABLE ^ world->scenario->context_flags, &second));
    world->context = second;
    GO(world_memory(world, sizeof bytes, &far));
    world->context = first;
    STEP(haly_copy, world->stream, far, near, sizeof bytes);
    GO(world_sync(world, world->stream));
    GO(world_compare(world, far, bytes, sizeof bytes));
}

/* ---- host calls ---- */

static haly_status count_call(void *user, haly_status status)
{
    (void)status;
    atomic_fetch_add((_Atomic uint32_t *)user, 1);
    return HALY_OK;
}

void run_host_calls(struct world *world)
{
    static _Atomic uint32_t counts[WORLD_RUNS]; /* queued calls outlive a run that failed */
    _Atomic uint32_t *count = &counts[world->run % WORLD_RUNS];
    haly_stream *other = NULL;
    GO(world_open(world));
    GO(world_stream(world, &other));
    for (unsigned i = 0; i < 5; i++) {
        STEP(haly_host_call, world->stream, count_call, count);
        STEP(haly_host_call, other, count_call, count);
    }
    GO(world_sync(world, world->stream));
    GO(world_sync(world, other));
    CHECK(atomic_load(count) == 10);
}
