/* SPDX-License-Identifier: Apache-2.0 */
/* The path of every command: captured, deferred, or resolved in place and given to the backend. */
#include "stream.h"

#include "event.h"
#include "graph.h"
#include "kernel.h"
#include "layers/layers.h"
#include "memory.h"
#include "plan.h"
#include "service.h"

static bool wait_needs_service(const haly_context *context, const struct event_record *record)
{
    if (record->context != context || record->block == NULL)
        return true;
    /* A record of a deferred stream that was not issued yet means nothing to the backend. */
    return record->sequence > atomic_load_explicit(&record->timeline->issued, memory_order_acquire);
}

bool command_copy_sides(const haly_command *record, struct copy_sides *out_sides)
{
    if (record->kind == HALY_COMMAND_COPY) {
        const haly_command_copy *copy = (const haly_command_copy *)record;
        *out_sides = (struct copy_sides){copy->dst, copy->src, copy->dst_class, copy->src_class};
    } else if (record->kind == HALY_COMMAND_COPY_2D) {
        const haly_command_copy_2d *copy = (const haly_command_copy_2d *)record;
        *out_sides = (struct copy_sides){copy->dst, copy->src, copy->dst_class, copy->src_class};
    } else {
        return false;
    }
    return true;
}

static bool is_staged(const haly_context *context, const haly_command *record)
{
    struct copy_sides sides;
    command_copy_sides(record, &sides);
    return copy_is_elsewhere(&sides) ||
           ((sides.dst_class == HALY_MEMORY_UNKNOWN || sides.src_class == HALY_MEMORY_UNKNOWN) &&
            (context->device->spec.capabilities & HALY_CAP_PAGEABLE_COPY) == 0);
}

bool command_needs_service(const haly_context *context, const haly_command *record)
{
    switch (record->kind) {
    case HALY_COMMAND_WAIT:
        return wait_needs_service(context, ((const haly_command_wait *)record)->event);
    case HALY_COMMAND_COPY:
    case HALY_COMMAND_COPY_2D:
        return is_staged(context, record);
    case HALY_COMMAND_HOST_CALL:
        return (context->device->spec.capabilities & HALY_CAP_HOST_CALL) == 0;
    default:
        return false;
    }
}

static inline void resolve_launch(haly_context *context, haly_command_launch *launch)
{
    const haly_kernel *kernel = launch->kernel;
    char *arguments = (char *)(launch + 1);
    launch->kernel = kernel->block;
    if (UNLIKELY(launch->ext != NULL))
        launch_link_ext(launch);
    if (context->native_addresses)
        return;
    for (uint32_t i = 0; i < kernel->info.argument_count; i++) {
        if (kernel->arguments[i].is_address == 0)
            continue;
        void **address = (void **)(void *)(arguments + kernel->arguments[i].offset);
        *address = memory_translate(context, *address);
    }
}

static void resolve_op(haly_context *context, haly_command_op *op)
{
    void **addresses = (void **)(op + 1);
    op->plan = plan_block(op->plan);
    if (context->native_addresses)
        return;
    op->workspace = memory_translate(context, op->workspace);
    for (uint32_t i = 0; i < op->address_count; i++)
        addresses[i] = memory_translate(context, addresses[i]);
}

static void resolve_addresses(haly_context *context, haly_command *record)
{
    if (record->kind == HALY_COMMAND_COPY) {
        haly_command_copy *copy = (haly_command_copy *)record;
        copy->dst = memory_translate(context, copy->dst);
        copy->src = memory_translate(context, copy->src);
    } else if (record->kind == HALY_COMMAND_COPY_2D) {
        haly_command_copy_2d *copy = (haly_command_copy_2d *)record;
        copy->dst = memory_translate(context, copy->dst);
        copy->src = memory_translate(context, copy->src);
    } else if (record->kind == HALY_COMMAND_FILL) {
        haly_command_fill *fill = (haly_command_fill *)record;
        fill->dst = memory_translate(context, fill->dst);
    }
}

static inline void resolve(haly_context *context, haly_command *record)
{
    if (record->kind == HALY_COMMAND_LAUNCH) {
        resolve_launch(context, (haly_command_launch *)record);
    } else if (record->kind == HALY_COMMAND_OP) {
        resolve_op(context, (haly_command_op *)record);
    } else if (record->kind == HALY_COMMAND_RECORD) {
        haly_command_record *command = (haly_command_record *)record;
        command->event = ((struct event_record *)command->event)->block;
    } else if (record->kind == HALY_COMMAND_WAIT) {
        haly_command_wait *command = (haly_command_wait *)record;
        command->event = ((struct event_record *)command->event)->block;
    } else if (!context->native_addresses) {
        resolve_addresses(context, record);
    }
}

void records_resolve(haly_context *context, void *records, uint64_t bytes)
{
    for (char *at = records, *end = at + bytes; at < end; at += ((haly_command *)(void *)at)->size)
        resolve(context, (haly_command *)(void *)at);
}

/* Whether one of the first `accepted` records does more than record an event, which may be done again. */
static bool is_work_among(const haly_command *record, uint64_t accepted)
{
    for (; accepted > 0; accepted--, record = command_next(record))
        if (record->kind != HALY_COMMAND_RECORD)
            return true;
    return false;
}

haly_status stream_issue(haly_stream *stream, const void *records, uint64_t bytes, uint64_t first_sequence,
                         uint64_t *out_accepted)
{
    haly_context *context = stream->object.context;
    const uint64_t serial = error_serial();
    const haly_status status = context->backend->submit(stream->block, records, bytes, first_sequence, out_accepted);
    if (*out_accepted > 0)
        atomic_store_explicit(&stream->timeline->issued, first_sequence + *out_accepted - 1, memory_order_release);
    if (LIKELY(status == HALY_OK))
        return HALY_OK;
    context_failure_note(context, serial, status);
    /* Doing it again would do a part twice. */
    if (error_detail()->scope >= HALY_SCOPE_STREAM || is_work_among(records, *out_accepted))
        timeline_fail(stream->timeline, first_sequence + *out_accepted, error_detail());
    return status;
}

/* A record command, which comes alone, gets its place once it was accepted: before that nobody waits for it, and a
 * refused one stands for nothing. */
static haly_status submit_direct(haly_stream *stream, void *records, uint64_t bytes)
{
    struct timeline *timeline = stream->timeline;
    const haly_command_record *head = records;
    struct event_record *record = head->head.kind == HALY_COMMAND_RECORD ? head->event : NULL;
    const uint64_t first = atomic_load_explicit(&timeline->submitted, memory_order_relaxed) + 1;
    uint64_t accepted = 0;
    records_resolve(stream->object.context, records, bytes);
    const haly_status status = stream_issue(stream, records, bytes, first, &accepted);
    atomic_store_explicit(&timeline->submitted, first - 1 + accepted, memory_order_release);
    if (record != NULL && status == HALY_OK)
        event_record_bind(record, timeline, first);
    return status;
}

/* Everything must be on the native stream when the call returns; pageable copies are the vendor's own there. */
static haly_status submit_on_native(haly_stream *stream, void *records, uint64_t bytes)
{
    const char *end = (const char *)records + bytes;
    for (const haly_command *record = records; (const char *)record < end; record = command_next(record)) {
        struct copy_sides sides;
        const bool is_copy = command_copy_sides(record, &sides);
        if (is_copy ? copy_is_elsewhere(&sides) : command_needs_service(stream->object.context, record))
            return FAIL(
                HALY_ERR_UNSUPPORTED,
                "backend \"%s\" cannot queue this, and a stream that was wrapped, or whose native one was given "
                "out, is never deferred",
                stream->object.context->device->backend->name);
    }
    return submit_direct(stream, records, bytes);
}

/* Deferred already, or because one of the records asks for it. */
static haly_status submit_deferred(haly_stream *stream, void *records, uint64_t bytes, uint32_t count, bool is_needed)
{
    bool taken = false;
    TRY(service_submit(stream, records, bytes, count, is_needed, &taken));
    return taken ? HALY_OK : submit_direct(stream, records, bytes);
}

static inline haly_status submit_ordinary(haly_stream *stream, uint32_t gate, void *records, uint64_t bytes,
                                          uint32_t count)
{
    bool needs_service = false;
    const char *end = (const char *)records + bytes;
    for (const haly_command *record = records; (const char *)record < end; record = command_next(record))
        needs_service = needs_service || command_needs_service(stream->object.context, record);
    if (UNLIKELY(needs_service || (gate & STREAM_DEFERRED) != 0))
        return submit_deferred(stream, records, bytes, count, needs_service);
    return submit_direct(stream, records, bytes);
}

haly_status stream_submit_plain(haly_stream *stream, void *records, uint64_t bytes, uint32_t count)
{
    const uint32_t gate = atomic_load_explicit(&stream->gate, memory_order_acquire);
    if ((gate & (STREAM_WRAPPED | STREAM_GIVEN)) != 0)
        return submit_on_native(stream, records, bytes);
    return submit_ordinary(stream, gate, records, bytes, count);
}

static haly_status submit_specially(haly_stream *stream, uint32_t gate, void *records, uint64_t bytes, uint32_t count)
{
    if ((gate & STREAM_LAYERED) != 0)
        return layers_submit(stream, records, bytes);
    if ((gate & STREAM_CAPTURING) != 0)
        return capture_append(stream, records, bytes, count);
    return submit_on_native(stream, records, bytes);
}

haly_status stream_submit(haly_stream *stream, void *records, uint64_t bytes, uint32_t count)
{
    const uint32_t gate = atomic_load_explicit(&stream->gate, memory_order_acquire);
    if (UNLIKELY((gate & (STREAM_CAPTURING | STREAM_WRAPPED | STREAM_GIVEN | STREAM_LAYERED)) != 0))
        return submit_specially(stream, gate, records, bytes, count);
    return submit_ordinary(stream, gate, records, bytes, count);
}

haly_status stream_submit_resolved(haly_stream *stream, const void *records, uint64_t bytes, uint32_t count,
                                   struct event_record *last)
{
    struct timeline *timeline = stream->timeline;
    const uint64_t first = atomic_load_explicit(&timeline->submitted, memory_order_relaxed) + 1;
    uint64_t accepted = 0;
    const haly_status status = stream_issue(stream, records, bytes, first, &accepted);
    atomic_store_explicit(&timeline->submitted, first - 1 + accepted, memory_order_release);
    if (last != NULL && status == HALY_OK)
        event_record_bind(last, timeline, first + count - 1);
    return status;
}

haly_status stream_submit_nothing(haly_stream *stream, uint16_t kind, void *object)
{
    return stream_is_capturing(stream) ? capture_nothing(stream, kind, object) : HALY_OK;
}
