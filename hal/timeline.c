/* SPDX-License-Identifier: Apache-2.0 */
/* How far streams have come: asking for it, and waiting. */
#include "timeline.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "process.h"
#include "service.h"

/* A wait for ever is taken in slices, so that an abandoned or faulted context wakes its waiters. */
#define WAIT_SLICE 50000000U

struct timeline *timeline_create(haly_context *context, void *block, uint64_t stream_id)
{
    struct timeline *timeline = calloc(1, sizeof *timeline);
    if (timeline == NULL)
        return NULL;
    timeline->references = 1;
    timeline->stream_id = stream_id;
    timeline->context = context;
    timeline->block = block;
    timeline->failure = (haly_error){HALY_ERROR_INIT};
    pthread_mutex_init(&timeline->lock, NULL);
    short_lock_acquire(&context->timelines_lock);
    timeline->next = context->timelines;
    context->timelines = timeline;
    short_lock_release(&context->timelines_lock);
    return timeline;
}

void timeline_retain(struct timeline *timeline)
{
    atomic_fetch_add_explicit(&timeline->references, 1, memory_order_relaxed);
}

void timeline_release(struct timeline *timeline)
{
    if (atomic_fetch_sub_explicit(&timeline->references, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_destroy(&timeline->lock);
    free(timeline);
}

static void unlist(struct timeline *timeline)
{
    haly_context *context = timeline->context;
    short_lock_acquire(&context->timelines_lock);
    struct timeline **link = &context->timelines;
    while (*link != NULL && *link != timeline)
        link = &(*link)->next;
    if (*link != NULL)
        *link = timeline->next;
    short_lock_release(&context->timelines_lock);
}

void timeline_end(struct timeline *timeline)
{
    timeline_complete(timeline, timeline_submitted(timeline));
    unlist(timeline);
    atomic_store(&timeline->block, NULL);
    while (atomic_load(&timeline->readers) != 0)
        sched_yield();
    timeline_forget_waits(timeline);
}

void timeline_complete(struct timeline *timeline, uint64_t sequence)
{
    uint64_t known = atomic_load_explicit(&timeline->completed, memory_order_relaxed);
    while (known < sequence && !atomic_compare_exchange_weak_explicit(&timeline->completed, &known, sequence,
                                                                      memory_order_release, memory_order_relaxed))
        ;
}

/* The backend's stream, kept alive until reader_leave(); NULL when it has ended. */
static void *reader_enter(struct timeline *timeline)
{
    atomic_fetch_add(&timeline->readers, 1);
    void *block = atomic_load(&timeline->block);
    if (block == NULL)
        atomic_fetch_sub(&timeline->readers, 1);
    return block;
}

static void reader_leave(struct timeline *timeline)
{
    atomic_fetch_sub(&timeline->readers, 1);
}

/* The backend returned a failure for the stream: latched, or kept as the stream's, as far as it reaches. */
static haly_status backend_refused(struct timeline *timeline, uint64_t serial, haly_status status)
{
    context_failure_note(timeline->context, serial, status);
    if (error_detail()->scope == HALY_SCOPE_STREAM)
        timeline_fail(timeline, atomic_load(&timeline->completed) + 1, error_detail());
    return status;
}

/* Asks the backend, by the event where there is one, else by the stream. A failure reaches whom it concerns, and says
 * nothing of how far the stream has come; the thread is left without a detail. */
static bool ask_backend(struct timeline *timeline, void *block, uint64_t sequence, void *event)
{
    const haly_backend_table *backend = timeline->context->backend;
    const uint64_t serial = error_serial();
    uint64_t completed = sequence;
    const haly_status status = event != NULL ? backend->event_query(event) : backend->stream_query(block, &completed);
    if (status == HALY_OK)
        timeline_complete(timeline, completed);
    else if (status != HALY_NOT_READY)
        backend_refused(timeline, serial, status);
    if (status != HALY_OK)
        haly_error_clear();
    return timeline_is_known_finished(timeline, sequence);
}

/* The same for a thread that has a detail, which it keeps. */
static bool ask_backend_keeping(struct timeline *timeline, void *block, uint64_t sequence, void *event)
{
    const haly_error before = *error_detail();
    const bool has_finished = ask_backend(timeline, block, sequence, event);
    *error_detail() = before;
    return has_finished;
}

bool timeline_event_has_finished(struct timeline *timeline, uint64_t sequence, void *event)
{
    if (timeline_is_known_finished(timeline, sequence))
        return true;
    if (sequence > atomic_load_explicit(&timeline->issued, memory_order_acquire))
        return false;
    if (context_is_abandoned(timeline->context))
        return false;
    void *block = reader_enter(timeline);
    if (block == NULL)
        return true;
    const bool has_finished = error_detail()->status == HALY_OK ? ask_backend(timeline, block, sequence, event)
                                                                : ask_backend_keeping(timeline, block, sequence, event);
    reader_leave(timeline);
    return has_finished;
}

bool timeline_has_finished(struct timeline *timeline, uint64_t sequence)
{
    return timeline_event_has_finished(timeline, sequence, NULL);
}

/* A failure reaches whom it concerns, even where the work was done all the same. */
static haly_status wait_for_backend(struct timeline *timeline, uint64_t sequence, void *event, uint64_t deadline)
{
    const haly_backend_table *backend = timeline->context->backend;
    const uint64_t serial = error_serial();
    void *block = reader_enter(timeline);
    if (block == NULL)
        return HALY_OK;
    const haly_status status =
        event != NULL ? backend->event_wait(event, deadline) : backend->stream_wait(block, sequence, deadline);
    if (status == HALY_OK)
        timeline_complete(timeline, sequence);
    else if (status != HALY_TIMEOUT)
        backend_refused(timeline, serial, status);
    reader_leave(timeline);
    return status;
}

static bool concerns_the_call_alone(haly_status status)
{
    return status == HALY_TIMEOUT || error_detail()->scope == HALY_SCOPE_CALL;
}

haly_status timeline_event_wait(struct timeline *timeline, uint64_t sequence, void *event, uint64_t deadline)
{
    haly_context *context = timeline->context;
    if (timeline_event_has_finished(timeline, sequence, event))
        return HALY_OK;
    PUT_OFF_CANCELLATION();
    const uint64_t moment = process_deadline(deadline);
    for (;;) {
        TRY(context_check(context));
        const uint64_t left = process_remaining(moment);
        const uint64_t slice = left < WAIT_SLICE ? left : WAIT_SLICE;
        haly_status status = HALY_TIMEOUT;
        if (sequence > atomic_load_explicit(&timeline->issued, memory_order_acquire))
            service_wait(context, timeline, sequence, slice);
        else if (timeline_is_known_finished(timeline, sequence))
            return HALY_OK; /* what the service has executed counts as issued, but the backend never got it */
        else
            status = wait_for_backend(timeline, sequence, event, slice);
        if (status == HALY_OK ||
            (concerns_the_call_alone(status) && timeline_event_has_finished(timeline, sequence, event)))
            return HALY_OK;
        if (status != HALY_TIMEOUT)
            return status;
        if (left == 0)
            return HALY_TIMEOUT;
        if (process_is_shutting_down())
            return FAIL(HALY_ERR_SHUTTING_DOWN, "haly_shutdown() was called; what was waited for may never be done");
    }
}

haly_status timeline_wait(struct timeline *timeline, uint64_t sequence, uint64_t deadline)
{
    return timeline_event_wait(timeline, sequence, NULL, deadline);
}

/* Counts the context's timelines, and takes points of as many as there is room for. */
static uint32_t take_points(haly_context *context, struct timeline_point *points, uint32_t capacity)
{
    uint32_t count = 0;
    short_lock_acquire(&context->timelines_lock);
    for (struct timeline *timeline = context->timelines; timeline != NULL; timeline = timeline->next, count++) {
        if (count >= capacity)
            continue;
        timeline_retain(timeline);
        points[count] = (struct timeline_point){timeline, timeline_submitted(timeline)};
    }
    short_lock_release(&context->timelines_lock);
    return count;
}

void timelines_give(struct timeline_point *points, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        timeline_release(points[i].timeline);
    free(points);
}

haly_status timelines_take(haly_context *context, struct timeline_point **out_points, uint32_t *out_count)
{
    for (uint32_t capacity = take_points(context, NULL, 0) + 1;;) {
        struct timeline_point *points = malloc(capacity * sizeof *points);
        if (points == NULL)
            return fail_host_oom("the streams of a context", capacity * sizeof *points);
        const uint32_t count = take_points(context, points, capacity);
        if (count <= capacity) {
            *out_points = points;
            *out_count = count;
            return HALY_OK;
        }
        timelines_give(points, capacity); /* streams were created meanwhile */
        capacity = count + 1;
    }
}

void timeline_label_at(struct timeline *timeline, uint64_t sequence, char *out_label)
{
    pthread_mutex_lock(&timeline->lock);
    const uint32_t kept = timeline->label_count < TIMELINE_LABELS ? timeline->label_count : TIMELINE_LABELS;
    out_label[0] = '\0';
    for (uint32_t back = 1; back <= kept; back++) {
        const uint32_t i = (timeline->label_count - back) % TIMELINE_LABELS;
        if (timeline->labels[i].first_sequence <= sequence) {
            memcpy(out_label, timeline->labels[i].text, sizeof timeline->labels[i].text);
            break;
        }
    }
    pthread_mutex_unlock(&timeline->lock);
}

void timeline_label(struct timeline *timeline, const char *label)
{
    pthread_mutex_lock(&timeline->lock);
    const uint32_t i = timeline->label_count++ % TIMELINE_LABELS;
    timeline->labels[i].first_sequence = timeline_submitted(timeline) + 1;
    memset(timeline->labels[i].text, 0, sizeof timeline->labels[i].text);
    for (uint32_t j = 0; label != NULL && label[j] != '\0' && j < sizeof timeline->labels[i].text - 1; j++)
        timeline->labels[i].text[j] = label[j];
    pthread_mutex_unlock(&timeline->lock);
}
