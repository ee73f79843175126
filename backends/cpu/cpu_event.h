/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events: a point {queue, sequence}, compared with how far the queue has come; no object of its own anywhere. A timed
 * event also has a mark that the queue stamps when it gets there.
 */
#ifndef CPU_EVENT_H
#define CPU_EVENT_H

#include "cpu_queue.h"

/* The time of one record. Counted: the event that was recorded last with it, and the queued record. */
struct cpu_clock_mark {
    _Atomic uint32_t references;
    _Atomic uint64_t time; /* 0: not there yet */
};

struct cpu_event {
    _Atomic uint32_t lock; /* what follows; held for a few instructions */
    bool is_timed;
    struct cpu_queue *queue; /* counted; NULL: never recorded */
    uint64_t sequence;
    struct cpu_clock_mark *mark; /* counted; NULL unless timed and recorded */
};

/* The event now stands for `sequence` of `queue`. A timed one gives a mark with a reference of the caller's, else NULL.
 */
haly_status cpu_event_record(struct cpu_event *event, struct cpu_queue *queue, uint64_t sequence,
                             struct cpu_clock_mark **out_mark);

void cpu_mark_stamp(struct cpu_clock_mark *mark);
void cpu_mark_release(struct cpu_clock_mark *mark);

/* What the event stands for, with a reference to the queue; false when it was never recorded. */
bool cpu_event_point(struct cpu_event *event, struct cpu_queue **out_queue, uint64_t *out_sequence);

haly_status cpu_event_create(void *context, void *event, uint32_t flags);
void cpu_event_destroy(void *event);
haly_status cpu_event_query(void *event);
haly_status cpu_event_wait(void *event, uint64_t deadline);
haly_status cpu_event_elapsed(void *start, void *end, int64_t *out_nanoseconds);

#endif
