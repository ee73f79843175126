/* SPDX-License-Identifier: Apache-2.0 */
/* How far streams have come, what they depend on, and how their failures reach everybody who depends on them. */
#include "timeline.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "process.h"
#include "service.h"

/* A wait for ever is taken in slices, so that an abandoned or faulted context wakes its waiters. */
#define WAIT_SLICE 50000000U

/* Dependencies followed at most; more can only make an answer later, never wrong: the host still sees each stream. */
#define DEPENDENCY_DEPTH 32U

static _Atomic uint64_t failures_ever; /* 0: nobody needs to look for failures */

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
    pthread_mutex_lock(&context->lock);
    timeline->next = context->timelines;
    context->timelines = timeline;
    pthread_mutex_unlock(&context->lock);
    return timeline;
}

void timeline_retain(struct timeline *timeline)
{
    atomic_fetch_add_explicit(&timeline->references, 1, memory_order_relaxed);
}

static void drop_waits(struct timeline_wait *wait)
{
    while (wait != NULL) {
        struct timeline_wait *next = wait->next;
        timeline_release(wait->other);
        free(wait);
        wait = next;
    }
}

void timeline_release(struct timeline *timeline)
{
    if (atomic_fetch_sub_explicit(&timeline->references, 1, memory_order_acq_rel) != 1)
        return;
    drop_waits(timeline->waits);
    pthread_mutex_destroy(&timeline->lock);
    free(timeline);
}

static void unlist(struct timeline *timeline)
{
    haly_context *context = timeline->context;
    pthread_mutex_lock(&context->lock);
    struct timeline **link = &context->timelines;
    while (*link != NULL && *link != timeline)
        link = &(*link)->next;
    if (*link != NULL)
        *link = timeline->next;
    pthread_mutex_unlock(&context->lock);
}

/* A failure that came from elsewhere becomes its own, so that the waits can go: two streams that waited for each other
 * would keep each other alive. */
static void inherit_failure(struct timeline *timeline)
{
    const haly_error before = *error_detail();
    haly_error failure = {HALY_ERROR_INIT};
    const haly_context *context = NULL;
    uint64_t failed_at = UINT64_MAX;
    for (const struct timeline_wait *wait = timeline->waits; wait != NULL; wait = wait->next)
        if (wait->own_sequence < failed_at && timeline_status(wait->other, wait->other_sequence) != HALY_OK) {
            failed_at = wait->own_sequence;
            context = wait->other->context;
            failure = *error_detail();
        }
    *error_detail() = before;
    if (failed_at != UINT64_MAX)
        timeline_inherit(timeline, failed_at, context, &failure);
}

void timeline_end(struct timeline *timeline)
{
    inherit_failure(timeline);
    timeline_complete(timeline, timeline_submitted(timeline));
    unlist(timeline);
    atomic_store(&timeline->block, NULL);
    while (atomic_load(&timeline->readers) != 0)
        sched_yield();
    pthread_mutex_lock(&timeline->lock);
    struct timeline_wait *waits = timeline->waits;
    timeline->waits = NULL;
    pthread_mutex_unlock(&timeline->lock);
    drop_waits(waits);
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

/* Asks the backend, by the event where there is one, else by the stream. Failures reach whom they concern elsewhere. */
static bool ask_backend(struct timeline *timeline, void *block, uint64_t sequence, void *event)
{
    const haly_backend_table *backend = timeline->context->backend;
    const haly_error before = *error_detail();
    uint64_t completed = sequence;
    const haly_status status = event != NULL ? backend->event_query(event) : backend->stream_query(block, &completed);
    if (status == HALY_OK)
        timeline_complete(timeline, completed);
    else
        *error_detail() = before;
    return timeline_is_known_finished(timeline, sequence);
}

bool timeline_event_has_finished(struct timeline *timeline, uint64_t sequence, void *event)
{
    if (timeline_is_known_finished(timeline, sequence))
        return true;
    if (sequence > atomic_load_explicit(&timeline->issued, memory_order_acquire))
        return false;
    if (atomic_load_explicit(&timeline->context->latched, memory_order_relaxed) == HALY_ERR_ABANDONED)
        return false;
    void *block = reader_enter(timeline);
    if (block == NULL)
        return true;
    const bool has_finished = ask_backend(timeline, block, sequence, event);
    reader_leave(timeline);
    return has_finished;
}

bool timeline_has_finished(struct timeline *timeline, uint64_t sequence)
{
    return timeline_event_has_finished(timeline, sequence, NULL);
}

static haly_status wait_for_backend(struct timeline *timeline, uint64_t sequence, void *event, uint64_t deadline)
{
    const haly_backend_table *backend = timeline->context->backend;
    void *block = reader_enter(timeline);
    if (block == NULL)
        return HALY_OK;
    const haly_status status =
        event != NULL ? backend->event_wait(event, deadline) : backend->stream_wait(block, sequence, deadline);
    if (status == HALY_OK)
        timeline_complete(timeline, sequence);
    reader_leave(timeline);
    return status;
}

haly_status timeline_event_wait(struct timeline *timeline, uint64_t sequence, void *event, uint64_t deadline)
{
    haly_context *context = timeline->context;
    if (timeline_event_has_finished(timeline, sequence, event))
        return HALY_OK;
    const uint64_t moment = process_deadline(deadline);
    for (;;) {
        TRY(context_check(context));
        const uint64_t left = process_remaining(moment);
        const uint64_t slice = left < WAIT_SLICE ? left : WAIT_SLICE;
        haly_status status = HALY_TIMEOUT;
        const uint64_t serial = error_serial();
        if (sequence > atomic_load_explicit(&timeline->issued, memory_order_acquire))
            service_wait(context, timeline, sequence, slice);
        else
            status = wait_for_backend(timeline, sequence, event, slice);
        if (status == HALY_OK || timeline_event_has_finished(timeline, sequence, event))
            return HALY_OK;
        if (status != HALY_TIMEOUT)
            return context_failed(context, serial, status);
        if (left == 0)
            return HALY_TIMEOUT;
    }
}

haly_status timeline_wait(struct timeline *timeline, uint64_t sequence, uint64_t deadline)
{
    return timeline_event_wait(timeline, sequence, NULL, deadline);
}

/* Whether a wait can be forgotten: what it waited for is done and did not fail. */
static bool is_settled(const struct timeline_wait *wait)
{
    return timeline_is_known_finished(wait->other, wait->other_sequence) &&
           atomic_load_explicit(&failures_ever, memory_order_relaxed) == 0;
}

/* Takes out of the list the waits that no longer matter. Under the lock. */
static struct timeline_wait *take_settled(struct timeline *timeline)
{
    struct timeline_wait *settled = NULL;
    for (struct timeline_wait **link = &timeline->waits; *link != NULL;) {
        struct timeline_wait *wait = *link;
        if (is_settled(wait)) {
            *link = wait->next;
            wait->next = settled;
            settled = wait;
        } else {
            link = &wait->next;
        }
    }
    return settled;
}

haly_status timeline_note_wait(struct timeline *timeline, struct timeline *other, uint64_t sequence)
{
    struct timeline_wait *wait = malloc(sizeof *wait);
    if (wait == NULL)
        return fail_host_oom("a stream's wait", sizeof *wait);
    timeline_retain(other);
    pthread_mutex_lock(&timeline->lock);
    struct timeline_wait *settled = take_settled(timeline);
    *wait = (struct timeline_wait){timeline->waits, other, sequence, timeline_submitted(timeline) + 1};
    timeline->waits = wait;
    pthread_mutex_unlock(&timeline->lock);
    drop_waits(settled);
    return HALY_OK;
}

void timeline_forget_wait(struct timeline *timeline, const struct timeline *other, uint64_t sequence)
{
    pthread_mutex_lock(&timeline->lock);
    struct timeline_wait **link = &timeline->waits, *wait;
    while ((wait = *link) != NULL && (wait->other != other || wait->other_sequence != sequence))
        link = &wait->next;
    if (wait != NULL) {
        *link = wait->next;
        wait->next = NULL;
    }
    pthread_mutex_unlock(&timeline->lock);
    drop_waits(wait);
}

/* Copies the waits that commands up to `sequence` depend on, each counted. */
static uint32_t copy_waits(struct timeline *timeline, uint64_t sequence, struct timeline_point *points,
                           uint32_t capacity)
{
    uint32_t count = 0;
    pthread_mutex_lock(&timeline->lock);
    for (struct timeline_wait *wait = timeline->waits; wait != NULL && count < capacity; wait = wait->next) {
        if (wait->own_sequence > sequence)
            continue;
        timeline_retain(wait->other);
        points[count++] = (struct timeline_point){wait->other, wait->other_sequence};
    }
    pthread_mutex_unlock(&timeline->lock);
    return count;
}

/*
 * Visits a point and what it depends on, each timeline at most once with the first sequence met, until `visit` says
 * stop. Points are followed breadth first, so the nearest answer comes first.
 */
static bool follow(struct timeline *timeline, uint64_t sequence, bool (*visit)(struct timeline_point point, void *user),
                   void *user)
{
    struct timeline_point points[DEPENDENCY_DEPTH];
    uint32_t count = 1;
    bool found = false;
    timeline_retain(timeline);
    points[0] = (struct timeline_point){timeline, sequence};
    for (uint32_t next = 0; next < count && !found; next++) {
        found = visit(points[next], user);
        if (found)
            break;
        const uint32_t added =
            copy_waits(points[next].timeline, points[next].sequence, points + count, DEPENDENCY_DEPTH - count);
        for (uint32_t i = count, end = count + added; i < end; i++) {
            bool is_known = false;
            for (uint32_t j = 0; j < count && !is_known; j++)
                is_known = points[j].timeline == points[i].timeline && points[j].sequence >= points[i].sequence;
            if (is_known)
                timeline_release(points[i].timeline);
            else
                points[count++] = points[i];
        }
    }
    for (uint32_t i = 0; i < count; i++)
        timeline_release(points[i].timeline);
    return found;
}

static bool is_same_or_later(struct timeline_point point, void *user)
{
    const struct timeline_point *sought = user;
    return point.timeline == sought->timeline && point.sequence >= sought->sequence;
}

bool timeline_is_after(struct timeline *timeline, struct timeline *other, uint64_t sequence)
{
    struct timeline_point sought = {other, sequence};
    if (timeline == other || timeline_is_known_finished(other, sequence))
        return true;
    return follow(timeline, UINT64_MAX, is_same_or_later, &sought) || timeline_has_finished(other, sequence);
}

/* Whether the point lies at or behind its timeline's failure; then that becomes the thread's detail. */
static bool has_failed(struct timeline_point point, void *user)
{
    haly_status *status = user;
    if (atomic_load_explicit(&point.timeline->failed, memory_order_acquire) == 0)
        return false;
    pthread_mutex_lock(&point.timeline->lock);
    const haly_error failure = point.timeline->failure;
    const uint64_t failed_at = point.timeline->failed_at;
    pthread_mutex_unlock(&point.timeline->lock);
    if (failed_at > point.sequence)
        return false;
    *status = error_restore(&failure);
    return true;
}

haly_status timeline_status(struct timeline *timeline, uint64_t sequence)
{
    haly_status status = HALY_OK;
    if (atomic_load_explicit(&failures_ever, memory_order_acquire) == 0)
        return HALY_OK;
    follow(timeline, sequence, has_failed, &status);
    return status;
}

haly_status timeline_status_quiet(struct timeline *timeline, uint64_t sequence)
{
    if (atomic_load_explicit(&failures_ever, memory_order_acquire) == 0)
        return HALY_OK;
    const haly_error before = *error_detail();
    const haly_status status = timeline_status(timeline, sequence);
    *error_detail() = before;
    return status;
}

/* The label in force for a command; 64 bytes. */
static void label_copy(const struct timeline *timeline, uint64_t sequence, char *out_label)
{
    const uint32_t kept = timeline->label_count < TIMELINE_LABELS ? timeline->label_count : TIMELINE_LABELS;
    out_label[0] = '\0';
    for (uint32_t back = 1; back <= kept; back++) {
        const uint32_t i = (timeline->label_count - back) % TIMELINE_LABELS;
        if (timeline->labels[i].first_sequence <= sequence) {
            memcpy(out_label, timeline->labels[i].text, sizeof timeline->labels[i].text);
            return;
        }
    }
}

/* Under the lock. */
static void keep_failure(struct timeline *timeline, uint64_t sequence, const haly_error *error)
{
    timeline->failure = *error;
    timeline->failed_at = sequence;
    atomic_store_explicit(&timeline->failed, (uint32_t)error->status, memory_order_release);
    atomic_fetch_add_explicit(&failures_ever, 1, memory_order_release);
}

void timeline_fail(struct timeline *timeline, uint64_t sequence, haly_error *error)
{
    pthread_mutex_lock(&timeline->lock);
    if (error->stream_id == 0) {
        error->stream_id = timeline->stream_id;
        error->first_sequence = error->last_sequence = sequence;
        label_copy(timeline, sequence, error->label);
    }
    if (timeline->failed == 0)
        keep_failure(timeline, sequence, error);
    pthread_mutex_unlock(&timeline->lock);
}

void timeline_inherit(struct timeline *timeline, uint64_t sequence, const haly_context *context,
                      const haly_error *error)
{
    haly_error inherited = *error;
    if (context != timeline->context && inherited.scope > HALY_SCOPE_STREAM)
        inherited.scope = HALY_SCOPE_STREAM;
    timeline_fail(timeline, sequence, &inherited);
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
