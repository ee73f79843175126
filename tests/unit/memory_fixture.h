/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A context over a backend that lives in the test: memory comes from mmap with knobs to refuse it, streams advance when
 * the test says so, and everything taken and given back is counted. It is built by hand, without instance or loader,
 * so that only memory and timelines are under test.
 */
#ifndef MEMORY_FIXTURE_H
#define MEMORY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "memory_state.h"
#include "process.h"
#include "stream.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define FAKE_STREAMS 24

/* What the backend did and may do. */
struct fake {
    _Atomic uint64_t room;          /* bytes of segments it still gives */
    _Atomic uint32_t segment_calls; /* successful and refused */
    _Atomic uint32_t segments, host_blocks, registered;
    _Atomic uint64_t segment_bytes;
    _Atomic uint32_t misplaces;       /* puts segments where they must not be */
    _Atomic uint32_t calls_are_fatal; /* the context was abandoned */
    const char *_Atomic foreign;      /* one address that is the vendor's */
    void (*on_query)(void *user);     /* happens within every query of a stream, until it says so itself */
    void *user;
};
static struct fake fake;

struct fake_segment {
    void *address;
    uint64_t size;
    bool is_placed;
};

/* A stream whose commands finish when the test says so, or at once. */
struct fake_stream {
    _Atomic uint64_t completed;
    _Atomic uint32_t finishes_at_once;
};

struct fixture {
    struct haly_device device;
    struct backend backend;
    haly_context *context;
    haly_stream streams[FAKE_STREAMS];
    struct fake_stream blocks[FAKE_STREAMS];
    bool is_open[FAKE_STREAMS];
};

static inline void fake_called(void)
{
    if (fake.calls_are_fatal != 0)
        abort();
}

static inline void fake_context_abandon(void *context)
{
    (void)context;
}

static inline haly_status fake_segment_alloc(void *context, void *segment, const haly_segment_desc *desc, void **out)
{
    struct fake_segment *block = segment;
    (void)context;
    fake_called();
    fake.segment_calls++;
    uint64_t room = fake.room;
    do {
        if (desc->size > room)
            return error_set("fake", HALY_ERR_DEVICE_OOM, HALY_SCOPE_CALL, HALY_RECOVER_RETRY, -7, "no more",
                             "fake is full");
    } while (!atomic_compare_exchange_weak(&fake.room, &room, room - desc->size));
    char *at;
    if (desc->place != NULL) {
        at = mmap(desc->place, desc->size, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    } else {
        char *wide = mmap(NULL, desc->size + desc->alignment, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (wide == MAP_FAILED)
            abort();
        at = wide + (-(uintptr_t)wide & (desc->alignment - 1));
        if (at != wide)
            munmap(wide, (size_t)(at - wide));
        munmap(at + desc->size, desc->alignment - (size_t)(at - wide));
    }
    if (at == MAP_FAILED)
        abort();
    *block = (struct fake_segment){at, desc->size, desc->place != NULL};
    fake.segments++;
    fake.segment_bytes += desc->size;
    *out = fake.misplaces != 0 ? at + 4096 : at;
    return HALY_OK;
}

static inline void fake_segment_free(void *context, void *segment)
{
    const struct fake_segment *block = segment;
    (void)context;
    fake_called();
    if (block->is_placed)
        mmap(block->address, block->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    else
        munmap(block->address, block->size);
    fake.segments--;
    fake.segment_bytes -= block->size;
    fake.room += block->size;
}

static inline haly_status fake_host_alloc(void *context, uint64_t size, void **out)
{
    (void)context;
    fake_called();
    if (size > GIB)
        return error_set("fake", HALY_ERR_HOST_OOM, HALY_SCOPE_CALL, HALY_RECOVER_RETRY, 0, NULL, "no host memory");
    *out = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (*out == MAP_FAILED)
        abort();
    fake.host_blocks++;
    if (fake.misplaces != 0)
        *out = (char *)*out + 32;
    return HALY_OK;
}

static inline void fake_host_free(void *context, void *address, uint64_t size)
{
    (void)context;
    fake_called();
    munmap((void *)((uintptr_t)address & ~(uintptr_t)4095), size);
    fake.host_blocks--;
}

static inline haly_status fake_host_register(void *context, void *address, uint64_t size)
{
    (void)context, (void)address, (void)size;
    fake_called();
    if (size == 12345)
        return error_set("fake", HALY_ERR_BACKEND, HALY_SCOPE_CALL, HALY_RECOVER_NONE, 3, NULL, "cannot pin that");
    fake.registered++;
    return HALY_OK;
}

static inline void fake_host_unregister(void *context, void *address, uint64_t size)
{
    (void)context, (void)address, (void)size;
    fake_called();
    fake.registered--;
}

static inline haly_memory_class fake_pointer_info(void *context, const void *address)
{
    (void)context;
    fake_called();
    return address == (const void *)fake.foreign ? HALY_MEMORY_FOREIGN : HALY_MEMORY_UNKNOWN;
}

static inline haly_status fake_stream_create(void *context, void *stream, const haly_stream_desc *desc, void *token)
{
    (void)context, (void)desc, (void)token;
    ((struct fake_stream *)stream)->finishes_at_once = 1;
    return HALY_OK;
}

static inline void fake_stream_destroy(void *stream)
{
    (void)stream;
}

static inline haly_status fake_stream_query(void *stream, uint64_t *out_completed)
{
    fake_called();
    if (fake.on_query != NULL)
        fake.on_query(fake.user);
    *out_completed = ((struct fake_stream *)stream)->completed;
    return HALY_OK;
}

static inline haly_status fake_stream_wait(void *stream, uint64_t sequence, uint64_t deadline)
{
    const uint64_t moment = process_deadline(deadline);
    fake_called();
    while (((struct fake_stream *)stream)->completed < sequence) {
        if (process_remaining(moment) == 0)
            return HALY_TIMEOUT;
        usleep(100);
    }
    return HALY_OK;
}

/* Runs fills at once; nothing else comes here. */
static inline haly_status fake_submit(void *stream, const void *records, uint64_t bytes, uint64_t first_sequence,
                                      uint64_t *out_accepted)
{
    struct fake_stream *block = stream;
    uint64_t count = 0;
    for (const char *at = records; at < (const char *)records + bytes;
         at += ((const haly_command *)(const void *)at)->size) {
        const haly_command_fill *fill = (const haly_command_fill *)(const void *)at;
        if (fill->head.kind != HALY_COMMAND_FILL)
            abort();
        memset(fill->dst, fill->pattern[0], fill->size);
        count++;
    }
    *out_accepted = count;
    if (block->finishes_at_once != 0)
        block->completed = first_sequence + count - 1;
    return HALY_OK;
}

static inline void fake_table(haly_backend_table *table)
{
    *table = (haly_backend_table){.struct_size = sizeof *table,
                                  .name = "fake",
                                  .segment_size = sizeof(struct fake_segment),
                                  .stream_size = sizeof(struct fake_stream),
                                  .context_abandon = fake_context_abandon,
                                  .segment_alloc = fake_segment_alloc,
                                  .segment_free = fake_segment_free,
                                  .host_alloc = fake_host_alloc,
                                  .host_free = fake_host_free,
                                  .host_register = fake_host_register,
                                  .host_unregister = fake_host_unregister,
                                  .pointer_info = fake_pointer_info,
                                  .stream_create = fake_stream_create,
                                  .stream_destroy = fake_stream_destroy,
                                  .stream_query = fake_stream_query,
                                  .stream_wait = fake_stream_wait,
                                  .submit = fake_submit};
}

/* Opens a context; `room` is what the device has. */
static inline struct fixture *fixture_open(uint64_t capabilities, uint32_t flags, uint64_t room, uint64_t limit)
{
    struct fixture *f = calloc(1, sizeof *f);
    fake = (struct fake){.room = room};
    snprintf(f->backend.name, sizeof f->backend.name, "fake");
    fake_table(&f->backend.table);
    f->device.backend = &f->backend;
    f->device.spec = (haly_device_spec){HALY_DEVICE_SPEC_INIT, .capabilities = capabilities, .memory_bytes = room,
                                        .allocation_alignment = 64};
    haly_context *context = calloc(1, sizeof *context);
    assert_true(f != NULL && context != NULL);
    object_init(&context->object, HALY_OBJECT_CONTEXT, context);
    context->device = &f->device;
    context->backend = &f->backend.table;
    context->flags = flags;
    const uint64_t wanted =
        HALY_CAP_NATIVE_ADDRESSES | ((flags & HALY_CONTEXT_MOVABLE) != 0 ? (uint64_t)HALY_CAP_PLACEMENT : 0U);
    context->native_addresses = (capabilities & wanted) == wanted;
    pthread_mutex_init(&context->lock, NULL);
    f->context = context;
    const struct memory_config config = {.limit = limit};
    assert_int_equal(memory_open_with(context, &config), HALY_OK);
    return f;
}

static inline haly_stream *fixture_stream(struct fixture *f, uint32_t i)
{
    haly_stream *stream = &f->streams[i];
    if (f->is_open[i])
        return stream;
    memset(stream, 0, sizeof *stream);
    f->blocks[i].completed = 0;
    object_init(&stream->object, HALY_OBJECT_STREAM, f->context);
    stream->block = &f->blocks[i];
    stream->timeline = timeline_create(f->context, stream->block, stream->object.id);
    f->is_open[i] = true;
    return stream;
}

/* Queues a command that stands for work, returns its sequence. */
static inline uint64_t stream_work(haly_stream *stream)
{
    const uint64_t sequence = timeline_submitted(stream->timeline) + 1;
    atomic_store(&stream->timeline->issued, sequence);
    atomic_store(&stream->timeline->submitted, sequence);
    return sequence;
}

static inline void stream_finish_to(haly_stream *stream, uint64_t sequence)
{
    atomic_store(&((struct fake_stream *)stream->block)->completed, sequence);
}

static inline void stream_finish_all(haly_stream *stream)
{
    stream_finish_to(stream, timeline_submitted(stream->timeline));
}

static inline void fixture_end_stream(struct fixture *f, uint32_t i)
{
    haly_stream *stream = &f->streams[i];
    stream_finish_all(stream);
    timeline_end(stream->timeline);
    memory_timeline_ended(f->context, stream->timeline);
    timeline_release(stream->timeline);
    stream->object.kind = 0;
    f->is_open[i] = false;
}

static inline haly_memory_stats fixture_stats(struct fixture *f)
{
    haly_memory_stats stats = {HALY_MEMORY_STATS_INIT};
    assert_int_equal(haly_memory_stats_get(f->context, &stats), HALY_OK);
    assert_int_equal(stats.segment_bytes, stats.allocated_bytes + stats.cached_bytes + stats.pending_bytes);
    assert_int_equal(stats.segment_bytes, fake.segment_bytes);
    assert_int_equal(stats.segment_count, fake.segments);
    assert_true(stats.allocated_peak >= stats.allocated_bytes && stats.segment_peak >= stats.segment_bytes);
    assert_true(stats.largest_free_bytes <= stats.cached_bytes);
    return stats;
}

/* Everything must have come back. */
static inline void fixture_close(struct fixture *f)
{
    for (uint32_t i = 0; i < FAKE_STREAMS; i++)
        if (f->is_open[i])
            fixture_end_stream(f, i);
    memory_close(f->context);
    assert_int_equal(fake.segments, 0);
    assert_int_equal(fake.segment_bytes, 0);
    assert_int_equal(fake.host_blocks, 0);
    assert_int_equal(fake.registered, 0);
    pthread_mutex_destroy(&f->context->lock);
    free(f->context);
    free(f);
}

#define assert_ok(expression) assert_int_equal((expression), HALY_OK)

/* The call fails with the status, and the message says so. */
#define assert_fails(expression, status_, text_)                                                                       \
    do {                                                                                                               \
        assert_int_equal((expression), (status_));                                                                     \
        if (strstr(error_detail()->message, (text_)) == NULL)                                                          \
            fail_msg("\"%s\" does not say \"%s\"", error_detail()->message, (text_));                                  \
    } while (0)

#define NATIVE (HALY_CAP_NATIVE_ADDRESSES | HALY_CAP_HOST_REGISTER)
#define PLACING (NATIVE | HALY_CAP_PLACEMENT)

static inline void *take(struct fixture *f, uint64_t size)
{
    void *address = NULL;
    assert_ok(haly_malloc(f->context, size, NULL, &address));
    assert_non_null(address);
    return address;
}

static inline struct fixture *open_plain(void)
{
    return fixture_open(NATIVE, 0, 64 * GIB, 0);
}

static inline haly_memory_info info_of(const void *address)
{
    haly_memory_info info = {HALY_MEMORY_INFO_INIT};
    assert_ok(haly_memory_info_get(address, &info));
    return info;
}

#endif
