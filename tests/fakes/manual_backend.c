/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backend for tests of the core: small, obviously right, and stoppable at any command. One lock for everything;
 * commands run on whichever thread submits, queries or waits.
 */
#define _GNU_SOURCE
#include <halyard/backend.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "manual_backend.h"

struct pending {
    struct pending *next;
    uint64_t sequence;
    uint64_t record[];
};

/* Outlives the stream while events point at it. */
struct manual_stream {
    struct manual_control control; /* first: the native handle */
    void *token;
    struct pending *first, **last;
    struct manual_stream *next_dead;
    int is_dead;
};

struct stream_block {
    struct manual_stream *stream;
};

struct event_block {
    struct manual_stream *stream;
    uint64_t sequence;
    int64_t time;
};

struct segment_block {
    void *address;
};

static const haly_core_table *core;
static struct manual_device manual_device = {.allow_new_stream = UINT64_MAX};
static pthread_mutex_t lock;

static const haly_backend_param params[] = {
    {"caps", "number", "653", "capability bits of the device"},
    {"memory", "number", "1073741824", "bytes of device memory"},
    {"devices", "number", "1", "how many there are"},
};

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static haly_status probe(haly_backend_probe *out_probe)
{
    out_probe->device_count = (uint32_t)strtoul(core->param("manual", "devices"), NULL, 10);
    return HALY_OK;
}

static haly_status device_count(uint32_t *out_count)
{
    *out_count = (uint32_t)strtoul(core->param("manual", "devices"), NULL, 10);
    return HALY_OK;
}

static haly_status device_open(uint32_t index, void *device, haly_device_spec *out_spec)
{
    (void)device;
    out_spec->index = index;
    const uint64_t left_out = HALY_CAP_KERNELS | HALY_CAP_OPERATOR_KERNELS | HALY_CAP_PLANS | HALY_CAP_WRAP_STREAM;
    memcpy(out_spec->backend, "manual", sizeof "manual");
    memcpy(out_spec->name, "manual device", sizeof "manual device");
    memcpy(out_spec->vendor, "nobody", sizeof "nobody");
    out_spec->kind = HALY_DEVICE_OTHER;
    out_spec->numa_node = -1;
    out_spec->capabilities = strtoull(core->param("manual", "caps"), NULL, 10) & ~left_out;
    out_spec->memory_bytes = strtoull(core->param("manual", "memory"), NULL, 10);
    out_spec->max_allocation_bytes = out_spec->memory_bytes;
    out_spec->allocation_alignment = 64;
    out_spec->score = 1;
    return HALY_OK;
}

static haly_status context_open(void *device, void *context, const haly_backend_context_desc *desc)
{
    (void)device, (void)context, (void)desc;
    return HALY_OK;
}

static void context_close(void *context)
{
    (void)context;
}

static haly_status segment_alloc(void *context, void *segment, const haly_segment_desc *desc, void **out_address)
{
    (void)context;
    if (desc->place != NULL)
        return core->fail(HALY_ERR_UNSUPPORTED, HALY_SCOPE_CALL, HALY_RECOVER_NONE, 0, NULL, "no placement");
    void *address = aligned_alloc(2U << 20, desc->size);
    if (address == NULL)
        return core->fail(HALY_ERR_DEVICE_OOM, HALY_SCOPE_CALL, HALY_RECOVER_RETRY, 0, NULL, "no memory");
    ((struct segment_block *)segment)->address = address;
    *out_address = address;
    return HALY_OK;
}

static void segment_free(void *context, void *segment)
{
    (void)context;
    free(((struct segment_block *)segment)->address);
}

static haly_status host_alloc(void *context, uint64_t size, void **out_address)
{
    (void)context;
    *out_address = aligned_alloc(4096, (size + 4095) & ~(uint64_t)4095);
    return *out_address != NULL
               ? HALY_OK
               : core->fail(HALY_ERR_HOST_OOM, HALY_SCOPE_CALL, HALY_RECOVER_RETRY, 0, NULL, "no memory");
}

static void host_free(void *context, void *address, uint64_t size)
{
    (void)context, (void)size;
    free(address);
}

static haly_memory_class pointer_info(void *context, const void *address)
{
    (void)context;
    const char *foreign = manual_device.foreign;
    manual_device.questions++;
    return foreign != NULL && (uintptr_t)address - (uintptr_t)foreign < 4096 ? HALY_MEMORY_FOREIGN
                                                                             : HALY_MEMORY_UNKNOWN;
}

static haly_status stream_create(void *context, void *stream, const haly_stream_desc *desc, void *token)
{
    (void)context, (void)desc;
    struct manual_stream *made = calloc(1, sizeof *made);
    if (made == NULL)
        return core->fail(HALY_ERR_HOST_OOM, HALY_SCOPE_CALL, HALY_RECOVER_RETRY, 0, NULL, "no memory");
    made->control.allowed = atomic_exchange(&manual_device.allow_new_stream, UINT64_MAX);
    made->control.refuse_after = UINT64_MAX;
    made->control.fail_recovery = HALY_RECOVER_RECREATE;
    made->token = token;
    manual_device.latest = &made->control;
    made->control.fail_scope = atomic_exchange(&manual_device.fail_new_stream, 0);
    made->control.fail_at = made->control.fail_scope != 0 ? 1 : 0;
    made->last = &made->first;
    ((struct stream_block *)stream)->stream = made;
    return HALY_OK;
}

/* Leaked on purpose: events may still point at it, and tests are short. */
static struct manual_stream *graveyard;

static void stream_destroy(void *stream)
{
    pthread_mutex_lock(&lock);
    struct manual_stream *dead = ((struct stream_block *)stream)->stream;
    dead->is_dead = 1;
    dead->control.is_destroyed = 1;
    dead->next_dead = graveyard;
    graveyard = dead;
    pthread_mutex_unlock(&lock);
}

static void copy_rows(const haly_command_copy_2d *copy)
{
    manual_device.foreign_copies += copy->dst_class == HALY_MEMORY_FOREIGN || copy->src_class == HALY_MEMORY_FOREIGN;
    for (uint64_t row = 0; row < copy->height; row++)
        memcpy((char *)copy->dst + row * copy->dst_pitch, (const char *)copy->src + row * copy->src_pitch, copy->width);
}

static void fill(const haly_command_fill *command)
{
    for (uint64_t at = 0; at < command->size; at += command->pattern_size)
        memcpy((char *)command->dst + at, command->pattern, command->pattern_size);
}

static void run_host_call(struct manual_stream *stream, uint64_t sequence, const haly_command_host_call *call)
{
    pthread_mutex_unlock(&lock);
    const haly_status status = call->fn(call->user, core->stream_status(stream->token, sequence));
    if (status != HALY_OK)
        core->stream_failed(stream->token, sequence, HALY_ERR_HOST_CALL, HALY_SCOPE_STREAM, HALY_RECOVER_RECREATE,
                            status, "a host call failed");
    pthread_mutex_lock(&lock);
}

/* Runs one record; 0 when it must wait. */
static int run(struct manual_stream *stream, struct pending *pending)
{
    const haly_command *record = (const void *)pending->record;
    if (pending->sequence == stream->control.fail_at) {
        const haly_error_scope scope = (haly_error_scope)stream->control.fail_scope;
        pthread_mutex_unlock(&lock);
        core->stream_failed(stream->token, pending->sequence, HALY_ERR_DEVICE_FAULT, scope,
                            (haly_error_recovery)stream->control.fail_recovery, 719, "planted failure");
        pthread_mutex_lock(&lock);
        return 1;
    }
    switch (record->kind) {
    case HALY_COMMAND_COPY: {
        const haly_command_copy *copy = (const void *)record;
        memcpy(copy->dst, copy->src, copy->size);
        return 1;
    }
    case HALY_COMMAND_COPY_2D:
        copy_rows((const void *)record);
        return 1;
    case HALY_COMMAND_FILL:
        fill((const void *)record);
        return 1;
    case HALY_COMMAND_RECORD:
        ((struct event_block *)((const haly_command_record *)record)->event)->time = now();
        return 1;
    case HALY_COMMAND_WAIT: {
        const struct event_block *bound = (const void *)(pending->record + sizeof(haly_command_wait) / 8);
        return bound->stream->control.completed >= bound->sequence;
    }
    default:
        run_host_call(stream, pending->sequence, (const void *)record);
        return 1;
    }
}

/* Runs what may run. Under the lock, which host calls give up: then another thread may pump the same stream, so the
 * record is taken off first. */
static void pump(struct manual_stream *stream)
{
    while (stream->first != NULL && stream->first->sequence <= stream->control.allowed) {
        struct pending *pending = stream->first;
        stream->first = pending->next;
        if (stream->first == NULL)
            stream->last = &stream->first;
        const uint64_t allowed = atomic_exchange(&stream->control.allowed, 0); /* nobody else pumps meanwhile */
        const int is_done = run(stream, pending);
        atomic_compare_exchange_strong(&stream->control.allowed, &(uint64_t){0}, allowed);
        if (!is_done) {
            pending->next = stream->first;
            stream->first = pending;
            if (pending->next == NULL)
                stream->last = &pending->next;
            return;
        }
        stream->control.completed = pending->sequence;
        free(pending);
    }
}

static haly_status answer_failure(uint32_t scope)
{
    return core->fail(HALY_ERR_DEVICE_FAULT, (haly_error_scope)scope, HALY_RECOVER_RECREATE, 720, "planted answer",
                      "the device does not answer");
}

static haly_status stream_query(void *stream, uint64_t *out_completed)
{
    struct manual_stream *manual = ((struct stream_block *)stream)->stream;
    if (manual->control.answer_scope != 0)
        return answer_failure(manual->control.answer_scope);
    pthread_mutex_lock(&lock);
    pump(manual);
    *out_completed = manual->control.completed;
    pthread_mutex_unlock(&lock);
    return HALY_OK;
}

static haly_status wait_until(struct manual_stream *stream, uint64_t sequence, uint64_t deadline)
{
    const int64_t start = now();
    const uint32_t failure = atomic_exchange(&stream->control.fail_wait, 0);
    if (failure != 0) {
        stream->control.allowed = UINT64_MAX;
        return answer_failure(failure - 1);
    }
    for (;;) {
        if (stream->control.answer_scope != 0)
            return answer_failure(stream->control.answer_scope);
        pthread_mutex_lock(&lock);
        pump(stream);
        const int is_done = stream->control.completed >= sequence;
        pthread_mutex_unlock(&lock);
        if (is_done)
            return HALY_OK;
        if (deadline != HALY_FOREVER && (uint64_t)(now() - start) >= deadline)
            return HALY_TIMEOUT;
        usleep(200);
    }
}

static haly_status stream_wait(void *stream, uint64_t sequence, uint64_t deadline)
{
    struct manual_stream *manual = ((struct stream_block *)stream)->stream;
    manual->control.vain_waits += sequence > manual->control.latest;
    manual->control.waits++;
    return wait_until(manual, sequence, deadline);
}

static struct pending *keep(struct manual_stream *stream, const haly_command *record, uint64_t sequence)
{
    struct pending *pending = calloc(1, sizeof *pending + record->size + sizeof(struct event_block));
    if (pending == NULL)
        return NULL;
    pending->sequence = sequence;
    memcpy(pending->record, record, record->size);
    if (record->kind == HALY_COMMAND_RECORD) {
        struct event_block *event = ((const haly_command_record *)record)->event;
        event->stream = stream;
        event->sequence = sequence;
    } else if (record->kind == HALY_COMMAND_WAIT) { /* bound now: the event may be recorded again */
        memcpy(pending->record + record->size / 8, ((const haly_command_wait *)record)->event,
               sizeof(struct event_block));
    }
    return pending;
}

static haly_status submit(void *stream, const void *records, uint64_t bytes, uint64_t first_sequence,
                          uint64_t *out_accepted)
{
    struct manual_stream *manual = ((struct stream_block *)stream)->stream;
    haly_status status = HALY_OK;
    manual->control.held++;
    while (manual->control.hold_submit != 0)
        usleep(200);
    manual->control.held--;
    pthread_mutex_lock(&lock);
    for (uint64_t at = 0, sequence = first_sequence; at < bytes && status == HALY_OK; sequence++) {
        const haly_command *record = (const void *)((const char *)records + at);
        struct pending *pending = manual->control.refuse_after > 0 ? keep(manual, record, sequence) : NULL;
        if (pending == NULL) {
            const haly_error_scope scope = (haly_error_scope)manual->control.refuse_scope;
            manual->control.refusals++;
            status = core->fail(HALY_ERR_RESOURCE_EXHAUSTED, scope, HALY_RECOVER_RETRY, 701, "queue full",
                                "the queue is full");
            break;
        }
        if (manual->control.refuse_after != UINT64_MAX)
            manual->control.refuse_after--;
        manual->control.submitted++;
        manual->control.latest = sequence;
        *manual->last = pending;
        manual->last = &pending->next;
        at += record->size;
        (*out_accepted)++;
    }
    pump(manual);
    pthread_mutex_unlock(&lock);
    return status;
}

static haly_status event_create(void *context, void *event, uint32_t flags)
{
    (void)context, (void)event, (void)flags;
    return HALY_OK;
}

static void event_destroy(void *event)
{
    (void)event;
}

static haly_status event_query(void *event)
{
    const struct event_block *block = event;
    pthread_mutex_lock(&lock);
    pump(block->stream);
    const int is_done = block->stream->control.completed >= block->sequence;
    pthread_mutex_unlock(&lock);
    return is_done ? HALY_OK : HALY_NOT_READY;
}

static haly_status event_wait(void *event, uint64_t deadline)
{
    const struct event_block *block = event;
    return wait_until(block->stream, block->sequence, deadline);
}

static haly_status event_elapsed(void *start, void *end, int64_t *out_nanoseconds)
{
    *out_nanoseconds = ((struct event_block *)end)->time - ((struct event_block *)start)->time;
    return HALY_OK;
}

static haly_status native_get(haly_object_kind kind, void *block, haly_native *out_native)
{
    if (kind == HALY_OBJECT_CONTEXT) {
        out_native->handle = &manual_device;
        return HALY_OK;
    }
    if (kind != HALY_OBJECT_STREAM)
        return core->fail(HALY_ERR_UNSUPPORTED, HALY_SCOPE_CALL, HALY_RECOVER_NONE, 0, NULL,
                          "streams and contexts only");
    out_native->handle = &((struct stream_block *)block)->stream->control;
    return HALY_OK;
}

static const haly_backend_table table = {
    .struct_size = HALY_SIZE_THROUGH(haly_backend_table, shutdown),
    .abi_major = HALY_BACKEND_ABI_MAJOR,
    .abi_minor = HALY_BACKEND_ABI_MINOR,
    .name = "manual",
    .version = "1.0.0",
    .params = params,
    .param_count = sizeof params / sizeof *params,
    .segment_size = sizeof(struct segment_block),
    .stream_size = sizeof(struct stream_block),
    .event_size = sizeof(struct event_block),
    .probe = probe,
    .device_count = device_count,
    .device_open = device_open,
    .context_open = context_open,
    .context_close = context_close,
    .context_abandon = context_close,
    .segment_alloc = segment_alloc,
    .segment_free = segment_free,
    .host_alloc = host_alloc,
    .host_free = host_free,
    .pointer_info = pointer_info,
    .stream_create = stream_create,
    .stream_destroy = stream_destroy,
    .stream_query = stream_query,
    .stream_wait = stream_wait,
    .submit = submit,
    .event_create = event_create,
    .event_destroy = event_destroy,
    .event_query = event_query,
    .event_wait = event_wait,
    .event_elapsed = event_elapsed,
    .native_get = native_get,
};

static void make_lock(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&lock, &attributes);
}

HALY_BACKEND_EXPORT haly_status halyard_backend_manual(const haly_core_table *core_table,
                                                       const haly_backend_table **out_table);

HALY_BACKEND_EXPORT haly_status halyard_backend_manual(const haly_core_table *core_table,
                                                       const haly_backend_table **out_table)
{
    core = core_table;
    make_lock();
    pthread_atfork(NULL, NULL, make_lock); /* a thread that only the parent has may have held it */
    *out_table = &table;
    return HALY_OK;
}
