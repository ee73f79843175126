/* SPDX-License-Identifier: Apache-2.0 */
/* Running records: one at a time, or the queue of a stream up to some point. */
#ifndef CPU_EXECUTE_H
#define CPU_EXECUTE_H

#include "cpu_queue.h"

/* How a queue holds the records that name objects whose private blocks may be used otherwise meanwhile. */
struct cpu_queued_record {
    haly_command head;
    struct cpu_clock_mark *mark; /* counted; NULL: the event is not timed */
};

struct cpu_queued_wait {
    haly_command head;
    struct cpu_queue *queue; /* counted */
    uint64_t sequence;
};

/* Who runs a queue. */
struct cpu_runner {
    uint64_t until;  /* sequence to stop behind */
    uint64_t moment; /* nothing is begun after it */
    /* Whether it may run what takes unknown time: a thread that waits with a deadline leaves that to the workers. */
    bool may_take_long;
};

enum cpu_run {
    CPU_RUN_DONE,    /* came to `until`, or to the end of the queue */
    CPU_RUN_LATE,    /* the moment has come */
    CPU_RUN_LEFT,    /* the head is something for a worker */
    CPU_RUN_BLOCKED, /* the head waits for another queue */
    CPU_RUN_BUSY,    /* another thread owns the queue */
};

/* Runs the queue if nobody else does. With CPU_RUN_BLOCKED *out_other is the queue it waits for, counted, and
 * *out_sequence what it waits for. */
enum cpu_run cpu_queue_try_run(struct cpu_queue *queue, const struct cpu_runner *runner, struct cpu_queue **out_other,
                               uint64_t *out_sequence);

/* What a worker does with a queue: runs it to its end. */
void cpu_queue_run(struct cpu_queue *queue);

/* Nanoseconds a record is likely to take; UINT64_MAX when it must not run inside submit. */
uint64_t cpu_record_cost(const haly_command *record);

/* Runs a copy, fill, launch or operator record. Returns the first tile not begun when work->moment passed, or
 * UINT64_MAX when it is done. */
uint64_t cpu_record_run(const struct cpu_work *work, const haly_command *record, uint64_t from, uint64_t sequence);

#endif
