/* SPDX-License-Identifier: Apache-2.0 */
/* Events, and the pool of records behind them. */
#include "event.h"

#include <stdlib.h>

#include "block.h"
#include "check.h"
#include "graph.h"
#include "layers/layers.h"
#include "retire.h"

static void record_free(struct event_record *record)
{
    if (record->context->layers != NULL)
        layers_record_ended(record);
    if (record->block != NULL)
        record->context->backend->event_destroy(record->block);
    if (record->timeline != NULL)
        timeline_release(record->timeline);
    block_destroy(record->block);
    free(record);
}

static haly_status record_create(haly_context *context, uint32_t flags, struct event_record **out_record)
{
    struct event_record *record = calloc(1, sizeof *record);
    void *block = block_create(context->backend->event_size);
    if (record == NULL || block == NULL) {
        free(record);
        block_destroy(block);
        return fail_host_oom("an event", sizeof *record + context->backend->event_size);
    }
    const uint64_t serial = error_serial();
    const haly_status status = context->backend->event_create(context->block, block, flags);
    if (status != HALY_OK) {
        block_destroy(block);
        free(record);
        return context_failed(context, serial, status);
    }
    record->context = context;
    record->flags = flags;
    record->block = block;
    record->references = 1;
    *out_record = record;
    return HALY_OK;
}

static struct event_record *take_idle(haly_context *context, uint32_t flags)
{
    struct event_record **link = &context->idle_records;
    while (*link != NULL && (*link)->flags != flags)
        link = &(*link)->next;
    struct event_record *record = *link;
    if (record != NULL)
        *link = record->next;
    return record;
}

static void put_busy(haly_context *context, struct event_record *record)
{
    record->next = NULL;
    if (context->busy_last != NULL)
        context->busy_last->next = record;
    else
        context->busy_records = record;
    context->busy_last = record;
}

static struct event_record *take_busy(haly_context *context)
{
    struct event_record *record = context->busy_records;
    if (record == NULL)
        return NULL;
    context->busy_records = record->next;
    if (record->next == NULL)
        context->busy_last = NULL;
    return record;
}

/* Moves the oldest released record to the idle ones if its work is done. The backend is asked without the lock. */
static void recycle_oldest(haly_context *context)
{
    pthread_mutex_lock(&context->lock);
    struct event_record *record = take_busy(context);
    pthread_mutex_unlock(&context->lock);
    if (record == NULL)
        return;
    const bool is_done = timeline_event_has_finished(record->timeline, record->sequence, record->block);
    if (is_done) {
        timeline_release(record->timeline);
        record->timeline = NULL;
    }
    pthread_mutex_lock(&context->lock);
    if (is_done) {
        record->next = context->idle_records;
        context->idle_records = record;
    } else {
        put_busy(context, record);
    }
    pthread_mutex_unlock(&context->lock);
}

haly_status event_record_acquire(haly_context *context, uint32_t flags, struct event_record **out_record)
{
    recycle_oldest(context);
    pthread_mutex_lock(&context->lock);
    struct event_record *record = take_idle(context, flags);
    pthread_mutex_unlock(&context->lock);
    if (record == NULL)
        return record_create(context, flags, out_record);
    if (UNLIKELY(context->layers != NULL))
        layers_record_ended(record);
    record->references = 1;
    *out_record = record;
    return HALY_OK;
}

haly_status event_record_of_point(haly_context *context, const struct timeline_point *point,
                                  struct event_record **out_record)
{
    struct event_record *record = calloc(1, sizeof *record);
    if (record == NULL)
        return fail_host_oom("a stream's wait", sizeof *record);
    record->context = context;
    record->references = 1;
    event_record_bind(record, point->timeline, point->sequence);
    *out_record = record;
    return HALY_OK;
}

void event_record_retain(struct event_record *record)
{
    atomic_fetch_add_explicit(&record->references, 1, memory_order_relaxed);
}

void event_record_release(struct event_record *record)
{
    if (atomic_fetch_sub_explicit(&record->references, 1, memory_order_acq_rel) != 1)
        return;
    haly_context *context = record->context;
    if (record->block == NULL) {
        record_free(record);
        return;
    }
    pthread_mutex_lock(&context->lock);
    if (record->timeline == NULL) {
        record->next = context->idle_records;
        context->idle_records = record;
    } else {
        put_busy(context, record);
    }
    pthread_mutex_unlock(&context->lock);
}

void event_record_bind(struct event_record *record, struct timeline *timeline, uint64_t sequence)
{
    if (record->timeline != timeline) {
        timeline_retain(timeline);
        if (record->timeline != NULL)
            timeline_release(record->timeline);
        record->timeline = timeline;
    }
    record->sequence = sequence;
}

void events_close(haly_context *context)
{
    struct event_record *record;
    while ((record = take_busy(context)) != NULL)
        record_free(record);
    while ((record = context->idle_records) != NULL) {
        context->idle_records = record->next;
        record_free(record);
    }
}

haly_status haly_event_create(haly_context *context, const haly_event_desc *desc, haly_event **out_event)
{
    haly_event_desc checked;
    ENTRY_LIVE(context, HALY_OBJECT_CONTEXT, context);
    REQUIRE(out_event);
    TRY(CHECK_INPUT(desc, haly_event_desc, ext, &checked));
    TRY(check_no_ext(checked.ext, "haly_event_desc"));
    TRY(check_unknown(checked.flags, HALY_EVENT_TIMED, 0, "haly_event_desc"));
    if (checked.flags != 0 && (context->device->spec.capabilities & HALY_CAP_TIMING) == 0)
        return FAIL(HALY_ERR_UNSUPPORTED, "device \"%s\" has no timed events", context->device->spec.name);
    haly_event *event = calloc(1, sizeof *event);
    if (event == NULL)
        return HAND_ON(fail_host_oom("an event", sizeof *event));
    object_init(&event->object, HALY_OBJECT_EVENT, context);
    event->flags = checked.flags;
    /* The first record is made now, so that a device without events, or without room for one more, says so here. */
    struct event_record *record = NULL;
    haly_status status = event_record_acquire(context, event->flags, &record);
    if (status == HALY_OK) {
        event_record_release(record);
        status = object_publish(&event->object, checked.name);
    }
    if (status != HALY_OK) {
        object_free(&event->object);
        return HAND_ON(status);
    }
    *out_event = event;
    return HALY_OK;
}

void haly_event_retain(haly_event *event)
{
    object_retain(event, HALY_OBJECT_EVENT);
}

void event_destroy(struct object *object)
{
    haly_event *event = (haly_event *)object;
    if (event->latest != NULL)
        event_record_release(event->latest);
    object_free(&event->object);
}

static void event_end(struct object *object)
{
    object_unpublish(object);
    event_destroy(object); /* queued work knows the record, not the event */
}

void haly_event_release(haly_event *event)
{
    object_release(event, HALY_OBJECT_EVENT, event_end);
}

static inline bool is_settled(haly_event *event)
{
    return atomic_load_explicit(&event->is_settled, memory_order_acquire);
}

/* Remembers that a record was reached, unless the event was recorded again meanwhile. Layers want to be told each time
 * that somebody is behind it, so their events never settle. */
static void settle(haly_event *event, const struct event_record *record)
{
    if (UNLIKELY(event->object.context->layers != NULL))
        return;
    short_lock_acquire(&event->lock);
    if (event->latest == record)
        atomic_store_explicit(&event->is_settled, true, memory_order_release);
    short_lock_release(&event->lock);
}

/* Whether the latest record was reached without a failure, as far as known without asking the backend. Under the lock.
 * An event that is settled by this answers for itself while its record serves for a new point. */
static bool is_known_reached(haly_event *event)
{
    const struct event_record *record = event->latest;
    if (!is_settled(event) && event->object.context->layers == NULL &&
        timeline_is_known_finished(record->timeline, record->sequence) &&
        timeline_status_quiet(record->timeline, record->sequence) == HALY_OK)
        atomic_store_explicit(&event->is_settled, true, memory_order_release);
    return is_settled(event);
}

/* The latest record, counted; NULL when there is none. */
static struct event_record *event_latest(haly_event *event)
{
    short_lock_acquire(&event->lock);
    struct event_record *record = event->latest;
    if (record != NULL)
        event_record_retain(record);
    short_lock_release(&event->lock);
    return record;
}

/*
 * A record for a new point. The one that the event has serves again when nobody else holds it and its point was reached
 * without a failure: until the new one is there, anybody who asks learns that, as before. Timed ones are left alone,
 * since somebody may ask for the time in between.
 */
static haly_status next_record(haly_event *event, struct event_record **out_record)
{
    struct event_record *record = NULL;
    if ((event->flags & HALY_EVENT_TIMED) == 0) {
        short_lock_acquire(&event->lock);
        if (event->latest != NULL && is_known_reached(event) && event_record_is_ours_alone(event->latest)) {
            record = event->latest;
            event->latest = NULL;
        }
        short_lock_release(&event->lock);
    }
    *out_record = record;
    return record != NULL ? HALY_OK : event_record_acquire(event->object.context, event->flags, out_record);
}

haly_status haly_event_record(haly_event *event, haly_stream *stream)
{
    struct event_record *record = NULL;
    ENTRY(event, HALY_OBJECT_EVENT);
    ENTRY_STREAM(stream);
    TRY(check_same_context(event, stream));
    if (stream_is_capturing(stream))
        return HAND_ON(capture_event(stream, HALY_COMMAND_RECORD, event));
    TRY(next_record(event, &record));
    haly_command_record command = {{sizeof command, HALY_COMMAND_RECORD, 0}, record};
    const haly_status status = stream_submit(stream, &command, sizeof command, 1);
    if (status != HALY_OK) {
        event_record_release(record);
        return HAND_ON(status);
    }
    short_lock_acquire(&event->lock);
    struct event_record *before = event->latest;
    event->latest = record;
    atomic_store_explicit(&event->is_settled, false, memory_order_relaxed);
    short_lock_release(&event->lock);
    if (before != NULL)
        event_record_release(before);
    return HALY_OK;
}

haly_status stream_wait_record(haly_stream *stream, struct event_record *record)
{
    if (UNLIKELY(stream_is_layered(stream)))
        layers_stream_waited(stream, record);
    if (record->timeline == stream->timeline)
        return HALY_OK; /* in order already */
    /* Noted first: a command that waits must never be queued without its dependency being known. */
    TRY(timeline_note_wait(stream->timeline, record->timeline, record->sequence));
    if (timeline_event_has_finished(record->timeline, record->sequence, record->block))
        return HALY_OK;
    haly_command_wait command = {{sizeof command, HALY_COMMAND_WAIT, 0}, record};
    const haly_status status = stream_submit(stream, &command, sizeof command, 1);
    if (status != HALY_OK)
        timeline_forget_wait(stream->timeline, record->timeline, record->sequence);
    return status;
}

static haly_status wait_unsettled(haly_stream *stream, haly_event *event)
{
    struct event_record *record = event_latest(event);
    if (record == NULL)
        return HALY_OK;
    haly_status status = HALY_OK;
    if (!stream_is_layered(stream) && timeline_event_has_finished(record->timeline, record->sequence, record->block) &&
        timeline_status_quiet(record->timeline, record->sequence) == HALY_OK)
        settle(event, record);
    else
        status = stream_wait_record(stream, record);
    event_record_release(record);
    return status;
}

static void host_saw(struct event_record *record, bool has_finished)
{
    if (UNLIKELY(has_finished && record->context->layers != NULL))
        layers_host_saw_record(record);
}

APART static haly_status wait_for(const char *function, haly_stream *stream, haly_event *event)
{
    ENTRY_LIVE_AS(function, stream, HALY_OBJECT_STREAM, stream->object.context);
    ENTRY_AS(function, event, HALY_OBJECT_EVENT);
    haly_status status = HALY_OK;
    if (stream_is_capturing(stream))
        status = capture_event(stream, HALY_COMMAND_WAIT, event);
    else if (!is_settled(event))
        status = wait_unsettled(stream, event);
    return status == HALY_OK ? HALY_OK : error_hand_on(function, status);
}

haly_status haly_stream_wait(haly_stream *stream, haly_event *event)
{
    const bool is_done = IS_LIVE(stream, HALY_OBJECT_STREAM, stream->object.context) && !stream_is_capturing(stream) &&
                         object_is_usable(event, HALY_OBJECT_EVENT) && is_settled(event);
    return LIKELY(is_done) ? HALY_OK : wait_for(__func__, stream, event);
}

/* Usable, and its record reached. */
static inline bool is_over(haly_event *event)
{
    return IS_LIVE(event, HALY_OBJECT_EVENT, event->object.context) && is_settled(event);
}

static haly_status wait_until_reached(haly_event *event, uint64_t deadline)
{
    struct event_record *record = event_latest(event);
    if (record == NULL)
        return HALY_OK;
    haly_status status = timeline_event_wait(record->timeline, record->sequence, record->block, deadline);
    host_saw(record, status == HALY_OK);
    if (status == HALY_OK)
        status = timeline_status(record->timeline, record->sequence);
    if (status == HALY_OK)
        settle(event, record);
    event_record_release(record);
    return status;
}

APART static haly_status sync_unsettled(const char *function, haly_event *event, uint64_t deadline)
{
    ENTRY_LIVE_AS(function, event, HALY_OBJECT_EVENT, event->object.context);
    LAYERS_WATCH_AS(event->object.context, function);
    const haly_status status = wait_until_reached(event, deadline);
    if (status == HALY_TIMEOUT)
        return FAIL_AS(function, HALY_TIMEOUT, "the event was not reached within %llu ns",
                       (unsigned long long)deadline);
    return status == HALY_OK ? HALY_OK : error_hand_on(function, status);
}

haly_status haly_event_sync(haly_event *event, uint64_t deadline)
{
    return LIKELY(is_over(event)) ? HALY_OK : sync_unsettled(__func__, event, deadline);
}

static haly_status ask_whether_reached(haly_event *event)
{
    struct event_record *record = event_latest(event);
    if (record == NULL)
        return HALY_OK;
    haly_status status = HALY_NOT_READY;
    const bool has_finished = timeline_event_has_finished(record->timeline, record->sequence, record->block);
    host_saw(record, has_finished);
    if (has_finished)
        status = timeline_status(record->timeline, record->sequence);
    else if (context_check(record->context) != HALY_OK) /* asking may have shown a fault */
        status = error_detail()->status;
    if (status == HALY_OK)
        settle(event, record);
    event_record_release(record);
    return status;
}

APART static haly_status query_unsettled(const char *function, haly_event *event)
{
    ENTRY_LIVE_AS(function, event, HALY_OBJECT_EVENT, event->object.context);
    const haly_status status = ask_whether_reached(event);
    return status == HALY_OK ? HALY_OK : error_hand_on(function, status);
}

haly_status haly_event_query(haly_event *event)
{
    return LIKELY(is_over(event)) ? HALY_OK : query_unsettled(__func__, event);
}

static haly_status elapsed(const haly_event *start, const haly_event *end, struct event_record *first,
                           struct event_record *second, int64_t *out_nanoseconds)
{
    haly_context *context = start->object.context;
    if ((start->flags & end->flags & HALY_EVENT_TIMED) == 0)
        return FAIL(HALY_ERR_INVALID, "both events must be created with HALY_EVENT_TIMED");
    if (context != end->object.context)
        return FAIL(HALY_ERR_INVALID, "the events are of two contexts");
    if (first == NULL || second == NULL)
        return FAIL(HALY_ERR_INVALID, "the %s event was never recorded", first == NULL ? "start" : "end");
    if (!timeline_event_has_finished(first->timeline, first->sequence, first->block) ||
        !timeline_event_has_finished(second->timeline, second->sequence, second->block))
        return HALY_NOT_READY;
    host_saw(first, true);
    host_saw(second, true);
    TRY(timeline_status(first->timeline, first->sequence));
    TRY(timeline_status(second->timeline, second->sequence));
    TRY_CONTEXT(context, context->backend->event_elapsed(first->block, second->block, out_nanoseconds));
    return HALY_OK;
}

haly_status haly_event_elapsed(haly_event *start, haly_event *end, int64_t *out_nanoseconds)
{
    ENTRY_LIVE(start, HALY_OBJECT_EVENT, start->object.context);
    ENTRY(end, HALY_OBJECT_EVENT);
    REQUIRE(out_nanoseconds);
    struct event_record *first = event_latest(start), *second = event_latest(end);
    int64_t nanoseconds = 0;
    const haly_status status = elapsed(start, end, first, second, &nanoseconds);
    if (status == HALY_OK)
        *out_nanoseconds = nanoseconds;
    if (first != NULL)
        event_record_release(first);
    if (second != NULL)
        event_record_release(second);
    return HAND_ON(status);
}
