/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What records do, and running a queue. After the first failure of a stream, copies, launches and operators are
 * skipped, since they would work on garbage; host calls and records still run, each host call exactly once.
 */
#include "cpu_execute.h"

#include "cpu_copy.h"
#include "cpu_event.h"
#include "cpu_float.h"
#include "cpu_kernel.h"
#include "cpu_plan.h"
#include "planted.h"

/* The clock is looked at again after so much work. */
#define CLOCK_NANOSECONDS 5000U
/* What a host call is taken to cost. */
#define HOST_CALL_NANOSECONDS 5000U

/* One thread running one queue. */
struct run {
    struct cpu_queue *queue;
    const struct cpu_runner *runner;
    uint64_t since_clock;    /* nanoseconds of work since the clock was looked at */
    struct cpu_queue *other; /* that the head waits for */
    uint64_t other_sequence;
};

uint64_t cpu_record_cost(const haly_command *record)
{
    switch (record->kind) {
    case HALY_COMMAND_COPY:
        return cpu_copy_cost(((const haly_command_copy *)record)->size);
    case HALY_COMMAND_COPY_2D: {
        const haly_command_copy_2d *copy = (const haly_command_copy_2d *)record;
        return cpu_copy_cost(copy->width * copy->height) + copy->height * 2;
    }
    case HALY_COMMAND_FILL:
        return cpu_copy_cost(((const haly_command_fill *)record)->size);
    case HALY_COMMAND_LAUNCH:
        return cpu_launch_cost((const haly_command_launch *)record);
    case HALY_COMMAND_OP:
        return cpu_op_cost((const haly_command_op *)record);
    case HALY_COMMAND_RECORD:
    case HALY_COMMAND_WAIT:
        return 0;
    default:
        return UINT64_MAX;
    }
}

static void run_op(const struct cpu_work *work, const haly_command_op *record, uint64_t sequence)
{
    const char *text = NULL;
    const haly_status status = cpu_op_run(work, record, &text);
    if (status != HALY_OK)
        cpu_core->stream_failed(work->queue->token, sequence, status, HALY_SCOPE_STREAM, HALY_RECOVER_RECREATE, 0,
                                text);
}

uint64_t cpu_record_run(const struct cpu_work *work, const haly_command *record, uint64_t from, uint64_t sequence)
{
    switch (record->kind) {
    case HALY_COMMAND_COPY:
        return cpu_copy_run(work, (const haly_command_copy *)record, from);
    case HALY_COMMAND_COPY_2D:
        return cpu_copy_2d_run(work, (const haly_command_copy_2d *)record, from);
    case HALY_COMMAND_FILL:
        return cpu_fill_run(work, (const haly_command_fill *)record, from);
    case HALY_COMMAND_LAUNCH:
        return cpu_launch_run(work, (const haly_command_launch *)record, from);
    case HALY_COMMAND_OP:
        run_op(work, (const haly_command_op *)record, sequence);
        return UINT64_MAX;
    default:
        return UINT64_MAX;
    }
}

static bool has_failed(const struct cpu_queue *queue, uint64_t sequence)
{
    return cpu_core->stream_status(queue->token, sequence) != HALY_OK;
}

static void run_host_call(const struct cpu_queue *queue, const haly_command_host_call *record, uint64_t sequence)
{
    cpu_pool_keep_spare();
    const haly_status status = record->fn(record->user, cpu_core->stream_status(queue->token, sequence));
    PLANTED(host_call_runs_twice, record->fn(record->user, HALY_OK));
    if (PLANTED_OR(host_call_cannot_fail, status != HALY_OK, false))
        cpu_core->stream_failed(queue->token, sequence, HALY_ERR_HOST_CALL, HALY_SCOPE_STREAM, HALY_RECOVER_RECREATE,
                                (int64_t)status, "a host call returned an error");
}

static enum cpu_run run_wait(struct run *run, struct cpu_queued_wait *record, uint64_t sequence)
{
    struct cpu_queue *queue = run->queue, *other = record->queue;
    const bool is_abandoned = atomic_load(&other->is_abandoned);
    if (!cpu_queue_has_finished(other, record->sequence) && !is_abandoned &&
        cpu_queue_block(queue, other, record->sequence)) {
        cpu_queue_retain(other);
        run->other = other;
        run->other_sequence = record->sequence;
        return CPU_RUN_BLOCKED;
    }
    cpu_queue_unblock(queue);
    if (!cpu_queue_has_finished(other, record->sequence))
        cpu_core->stream_failed(queue->token, sequence, HALY_ERR_ABANDONED, HALY_SCOPE_STREAM, HALY_RECOVER_RECREATE, 0,
                                "the stream it waited for was abandoned");
    cpu_queue_release(other);
    return CPU_RUN_DONE;
}

/* Work that can be left in the middle: what is done so far is noted in the queue. */
static enum cpu_run run_work(struct run *run, const haly_command *record, uint64_t sequence)
{
    struct cpu_queue *queue = run->queue;
    if (has_failed(queue, sequence))
        return CPU_RUN_DONE;
    const struct cpu_work work = {queue, queue->threads, run->runner->moment};
    const uint64_t next = cpu_record_run(&work, record, queue->resume, sequence);
    queue->resume = next == UINT64_MAX ? 0 : next;
    return next == UINT64_MAX ? CPU_RUN_DONE : CPU_RUN_LATE;
}

static enum cpu_run run_entry(struct run *run, struct cpu_entry *entry)
{
    haly_command *record = &entry->head;
    switch (record->kind) {
    case HALY_COMMAND_RECORD: {
        struct cpu_clock_mark *mark = ((struct cpu_queued_record *)record)->mark;
        if (mark != NULL)
            cpu_mark_stamp(mark);
        cpu_mark_release(mark);
        return CPU_RUN_DONE;
    }
    case HALY_COMMAND_WAIT:
        return run_wait(run, (struct cpu_queued_wait *)record, entry->sequence);
    case HALY_COMMAND_HOST_CALL:
        run_host_call(run->queue, (const haly_command_host_call *)record, entry->sequence);
        return CPU_RUN_DONE;
    default:
        return run_work(run, record, entry->sequence);
    }
}

/* Whether there is time left; asks the clock only when the work since could have used it up. */
static bool is_late(struct run *run)
{
    if (run->runner->moment == CPU_NEVER || run->since_clock < CLOCK_NANOSECONDS)
        return false;
    run->since_clock = 0;
    return cpu_now() >= run->runner->moment;
}

/* Whether a thread that has a deadline must leave this record to the workers. Tiles can be left in the middle, the rest
 * cannot. */
static bool must_leave(const struct run *run, const haly_command *record, uint64_t cost)
{
    if (run->runner->may_take_long)
        return false;
    if (record->kind == HALY_COMMAND_HOST_CALL)
        return true;
    return record->kind == HALY_COMMAND_OP && cpu_now() + cost >= run->runner->moment;
}

/* Runs what the queue holds. The thread owns it. */
static enum cpu_run run_owned(struct run *run)
{
    struct cpu_queue *queue = run->queue;
    while (atomic_load_explicit(&queue->completed, memory_order_relaxed) < run->runner->until) {
        struct cpu_entry *entry = cpu_ring_peek(&queue->ring);
        if (entry == NULL || UNLIKELY(atomic_load_explicit(&queue->is_abandoned, memory_order_relaxed)))
            return CPU_RUN_DONE;
        const uint64_t sequence = entry->sequence;
        const bool is_call = entry->head.kind == HALY_COMMAND_HOST_CALL;
        uint64_t cost = is_call ? HOST_CALL_NANOSECONDS : cpu_record_cost(&entry->head);
        if (must_leave(run, &entry->head, cost))
            return CPU_RUN_LEFT;
        if (is_late(run))
            return CPU_RUN_LATE;
        const enum cpu_run result = run_entry(run, entry);
        if (result != CPU_RUN_DONE)
            return result;
        cost = cost < CLOCK_NANOSECONDS ? cost : CLOCK_NANOSECONDS;
        run->since_clock += cost + 10;
        cpu_ring_drop(&queue->ring);
        cpu_queue_finish(queue, sequence, cost);
    }
    return CPU_RUN_DONE;
}

enum cpu_run cpu_queue_try_run(struct cpu_queue *queue, const struct cpu_runner *runner, struct cpu_queue **out_other,
                               uint64_t *out_sequence)
{
    if (!cpu_queue_own(queue))
        return CPU_RUN_BUSY;
    struct run run = {.queue = queue, .runner = runner};
    const enum cpu_run result = run_owned(&run);
    cpu_queue_disown(queue);
    if (result == CPU_RUN_BLOCKED) {
        *out_other = run.other;
        *out_sequence = run.other_sequence;
    }
    return result;
}

void cpu_queue_run(struct cpu_queue *queue)
{
    const struct cpu_runner worker = {.until = UINT64_MAX, .moment = CPU_NEVER, .may_take_long = true};
    struct cpu_queue *other = NULL;
    uint64_t sequence;
    if (cpu_queue_try_run(queue, &worker, &other, &sequence) == CPU_RUN_BLOCKED)
        cpu_queue_release(other); /* it lists this queue when it has come that far, and is listed or run itself */
}
