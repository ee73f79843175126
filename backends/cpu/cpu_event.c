/* SPDX-License-Identifier: Apache-2.0 */
/* Recording, asking and timing events. */
#include "cpu_event.h"

#include <stdlib.h>

#include "planted.h"

static void lock(struct cpu_event *event)
{
    while (atomic_exchange_explicit(&event->lock, 1, memory_order_acquire) != 0)
        cpu_relax();
}

static void unlock(struct cpu_event *event)
{
    atomic_store_explicit(&event->lock, 0, memory_order_release);
}

void cpu_mark_release(struct cpu_clock_mark *mark)
{
    if (mark != NULL && atomic_fetch_sub_explicit(&mark->references, 1, memory_order_acq_rel) == 1)
        free(mark);
}

void cpu_mark_stamp(struct cpu_clock_mark *mark)
{
    atomic_store_explicit(&mark->time, cpu_now(), memory_order_release);
}

/* A mark for a new record: the event's own when no queued record uses it any more, else a new one. */
static struct cpu_clock_mark *mark_for(struct cpu_event *event)
{
    struct cpu_clock_mark *mark = event->mark;
    if (mark == NULL || atomic_load_explicit(&mark->references, memory_order_acquire) != 1) {
        mark = calloc(1, sizeof *mark);
        if (mark == NULL)
            return NULL;
        atomic_init(&mark->references, 1);
        cpu_mark_release(event->mark);
        event->mark = mark;
    }
    atomic_store_explicit(&mark->time, 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&mark->references, 1, memory_order_relaxed);
    return mark;
}

haly_status cpu_event_record(struct cpu_event *event, struct cpu_queue *queue, uint64_t sequence,
                             struct cpu_clock_mark **out_mark)
{
    struct cpu_queue *old = NULL;
    haly_status status = HALY_OK;
    *out_mark = NULL;
    lock(event);
    if (event->is_timed && (*out_mark = mark_for(event)) == NULL)
        status = HALY_ERR_HOST_OOM;
    if (status == HALY_OK) {
        event->sequence = sequence;
        if (event->queue != queue) {
            old = event->queue;
            cpu_queue_retain(queue);
            event->queue = queue;
        }
    }
    unlock(event);
    if (old != NULL)
        cpu_queue_release(old);
    return status == HALY_OK ? HALY_OK : FAIL(status, "out of memory for the time of an event");
}

bool cpu_event_point(struct cpu_event *event, struct cpu_queue **out_queue, uint64_t *out_sequence)
{
    lock(event);
    struct cpu_queue *queue = event->queue;
    if (queue != NULL)
        cpu_queue_retain(queue);
    *out_queue = queue;
    *out_sequence = event->sequence;
    unlock(event);
    return queue != NULL;
}

haly_status cpu_event_create(void *context, void *event, uint32_t flags)
{
    struct cpu_event *self = event;
    (void)context;
    if ((flags & ~(uint32_t)HALY_EVENT_TIMED) != 0)
        return FAIL(HALY_ERR_UNSUPPORTED, "event flags 0x%x: the cpu backend knows HALY_EVENT_TIMED only", flags);
    self->is_timed = (flags & HALY_EVENT_TIMED) != 0;
    return HALY_OK;
}

void cpu_event_destroy(void *event)
{
    struct cpu_event *self = event;
    if (self->queue != NULL)
        cpu_queue_release(self->queue);
    cpu_mark_release(self->mark);
    self->queue = NULL;
    self->mark = NULL;
}

haly_status cpu_event_query(void *event)
{
    struct cpu_event *self = event;
    lock(self);
    const bool is_done = self->queue == NULL || PLANTED_OR(event_is_done_when_recorded,
                                                           cpu_queue_has_finished(self->queue, self->sequence), true);
    unlock(self);
    return is_done ? HALY_OK : HALY_NOT_READY;
}

haly_status cpu_event_wait(void *event, uint64_t deadline)
{
    struct cpu_queue *queue;
    uint64_t sequence;
    if (!cpu_event_point(event, &queue, &sequence))
        return HALY_OK;
    const haly_status status = cpu_queue_wait(queue, sequence, deadline);
    cpu_queue_release(queue);
    return status;
}

/* The time of the latest record, 0 while it has not come to it. */
static uint64_t event_time(struct cpu_event *event)
{
    lock(event);
    const uint64_t time = event->mark != NULL ? atomic_load_explicit(&event->mark->time, memory_order_acquire) : 0;
    unlock(event);
    return time;
}

haly_status cpu_event_elapsed(void *start, void *end, int64_t *out_nanoseconds)
{
    struct cpu_event *first = start, *last = end;
    if (!first->is_timed || !last->is_timed)
        return FAIL(HALY_ERR_INVALID, "elapsed time needs two events made with HALY_EVENT_TIMED");
    const uint64_t from = event_time(first), to = event_time(last);
    if (from == 0 || to == 0)
        return HALY_NOT_READY;
    *out_nanoseconds = (int64_t)PLANTED_OR(elapsed_time_runs_backwards, to - from, from - to);
    return HALY_OK;
}
