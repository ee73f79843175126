/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting on the host: the thread that waits runs the queue. What it cannot run, because another thread does or because
 * it may take longer than there is time, it helps with by doing tiles, then spins, then sleeps.
 */
#include "cpu_execute.h"
#include "cpu_float.h"
#include "cpu_job.h"
#include "planted.h"

#define SPIN_NANOSECONDS 50000U

/* A host call that no worker took for so long means that all workers are stuck. */
#define STUCK_NANOSECONDS 5000000U

/* Runs the queue; where it waits for another one, runs that, and so on down the chain. *out_is_progress: something was
 * done. */
static enum cpu_run run_chain(struct cpu_queue *queue, struct cpu_runner runner, bool *out_is_progress)
{
    struct cpu_queue *held = NULL;
    *out_is_progress = false;
    for (;;) {
        struct cpu_queue *other = NULL;
        uint64_t other_sequence = 0;
        const uint64_t before = atomic_load_explicit(&queue->completed, memory_order_relaxed);
        const enum cpu_run result = cpu_queue_try_run(queue, &runner, &other, &other_sequence);
        *out_is_progress |= atomic_load_explicit(&queue->completed, memory_order_relaxed) != before;
        if (held != NULL)
            cpu_queue_release(held);
        if (result != CPU_RUN_BLOCKED)
            return result;
        held = queue = other;
        runner.until = other_sequence;
    }
}

/* Until the queue gets further or `moment` comes: helps, spins for a while, then sleeps. */
static void pass_time(struct cpu_queue *queue, uint64_t sequence, uint64_t moment)
{
    const uint64_t completed = atomic_load_explicit(&queue->completed, memory_order_relaxed);
    uint64_t now = cpu_now(), until = cpu_moment(now, SPIN_NANOSECONDS);
    while (now < until && now < moment) {
        if (atomic_load_explicit(&queue->completed, memory_order_relaxed) != completed)
            return;
        const bool has_helped = cpu_pool_help();
        for (int i = 0; i < 16 && !has_helped; i++)
            cpu_relax();
        now = cpu_now();
        if (has_helped)
            until = cpu_moment(now, SPIN_NANOSECONDS);
    }
    if (now < moment)
        cpu_queue_sleep(queue, sequence, moment);
}

static haly_status wait_until(struct cpu_queue *queue, uint64_t sequence, uint64_t moment)
{
    const struct cpu_runner runner = {.until = sequence, .moment = moment, .may_take_long = moment == CPU_NEVER};
    for (;;) {
        bool is_progress;
        const enum cpu_run result = run_chain(queue, runner, &is_progress);
        if (cpu_queue_has_finished(queue, sequence))
            return HALY_OK;
        if (atomic_load(&queue->is_abandoned))
            return FAIL(HALY_ERR_ABANDONED, "the context was abandoned");
        const uint64_t now = moment != CPU_NEVER ? cpu_now() : 0;
        if (now >= moment) {
            PLANTED(timeout_latches, cpu_queue_abandon(queue));
            return HALY_TIMEOUT;
        }
        if (is_progress)
            continue;
        const uint64_t stuck = now + STUCK_NANOSECONDS;
        pass_time(queue, sequence, result == CPU_RUN_LEFT && stuck < moment ? stuck : moment);
        if (result == CPU_RUN_LEFT)
            cpu_pool_relieve();
    }
}

haly_status cpu_queue_wait(struct cpu_queue *queue, uint64_t sequence, uint64_t deadline)
{
    if (cpu_queue_has_finished(queue, sequence))
        return HALY_OK;
    if (deadline == 0)
        return HALY_TIMEOUT;
    const uint64_t moment = deadline == HALY_FOREVER
                                ? CPU_NEVER
                                : PLANTED_OR(deadline_is_ignored, cpu_moment(cpu_now(), deadline), CPU_NEVER);
    const cpu_float_state state = cpu_float_enter();
    const haly_status status = wait_until(queue, sequence, moment);
    cpu_float_leave(state);
    return status;
}
