/* SPDX-License-Identifier: Apache-2.0 */
/* Queues: life, ownership, and who is told of progress. What a record does is cpu_execute.c's. */
#include "cpu_queue.h"

#include <limits.h>
#include <sched.h>
#include <stdlib.h>

#include "cpu_futex.h"

/* Waiters are looked for at least this often while a queue runs. */
#define FLUSH_NANOSECONDS 5000U

struct cpu_queue *cpu_queue_create(void *token, uint32_t threads, bool is_strict)
{
    struct cpu_queue *queue = aligned_alloc(64, sizeof *queue);
    if (queue == NULL)
        return NULL;
    *queue = (struct cpu_queue){.threads = threads, .is_strict = is_strict, .token = token};
    atomic_init(&queue->references, 1);
    atomic_init(&queue->awaited, UINT64_MAX);
    if (!cpu_ring_create(&queue->ring)) {
        free(queue);
        return NULL;
    }
    pthread_mutex_init(&queue->lock, NULL);
    return queue;
}

void cpu_queue_retain(struct cpu_queue *queue)
{
    atomic_fetch_add_explicit(&queue->references, 1, memory_order_relaxed);
}

void cpu_queue_release(struct cpu_queue *queue)
{
    if (atomic_fetch_sub_explicit(&queue->references, 1, memory_order_acq_rel) != 1)
        return;
    cpu_ring_destroy(&queue->ring);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

bool cpu_queue_own(struct cpu_queue *queue)
{
    return atomic_load_explicit(&queue->owner, memory_order_relaxed) == 0 && atomic_exchange(&queue->owner, 1) == 0;
}

/* Whether there is something that a worker could run now. */
static bool has_work(struct cpu_queue *queue)
{
    return atomic_load(&queue->submitted) != atomic_load(&queue->completed) && atomic_load(&queue->blocked) == 0 &&
           !atomic_load_explicit(&queue->is_abandoned, memory_order_relaxed);
}

void cpu_queue_disown(struct cpu_queue *queue)
{
    cpu_queue_flush(queue);
    atomic_store(&queue->owner, 0);
    if (has_work(queue))
        cpu_pool_schedule(queue);
}

void cpu_queue_offer(struct cpu_queue *queue)
{
    if (atomic_load(&queue->owner) == 0 && has_work(queue))
        cpu_pool_schedule(queue);
}

void cpu_queue_finish(struct cpu_queue *queue, uint64_t sequence, uint64_t cost)
{
    atomic_store_explicit(&queue->completed, sequence, memory_order_release);
    queue->unflushed += cost;
    if (queue->unflushed >= FLUSH_NANOSECONDS)
        cpu_queue_flush(queue);
}

/* The lowest sequence that somebody waits for; under the lock. Both sides use an atomic read-modify-write on it: either
 * the owner's flush sees the new value, or what the owner had completed before is visible from here on. */
static void set_awaited(struct cpu_queue *queue)
{
    uint64_t lowest = UINT64_MAX;
    for (const struct cpu_waiter *waiter = queue->waiters; waiter != NULL; waiter = waiter->next)
        if (waiter->sequence < lowest)
            lowest = waiter->sequence;
    atomic_exchange(&queue->awaited, lowest);
}

static void enlist(struct cpu_queue *queue, struct cpu_waiter *waiter)
{
    pthread_mutex_lock(&queue->lock);
    waiter->next = queue->waiters;
    queue->waiters = waiter;
    set_awaited(queue);
    pthread_mutex_unlock(&queue->lock);
}

/* Takes the waiter out of the list if it is still there. */
static bool delist(struct cpu_queue *queue, struct cpu_waiter *waiter)
{
    bool is_there = false;
    pthread_mutex_lock(&queue->lock);
    for (struct cpu_waiter **link = &queue->waiters; *link != NULL && !is_there; link = &(*link)->next) {
        if (*link != waiter)
            continue;
        *link = waiter->next;
        is_there = true;
        set_awaited(queue);
        break;
    }
    pthread_mutex_unlock(&queue->lock);
    return is_there;
}

/* Takes out the queues that may go on and marks the threads that may; under the lock. */
static struct cpu_waiter *take_satisfied(struct cpu_queue *queue, uint64_t completed)
{
    struct cpu_waiter *taken = NULL;
    for (struct cpu_waiter **link = &queue->waiters; *link != NULL;) {
        struct cpu_waiter *waiter = *link;
        if (waiter->sequence > completed) {
            link = &waiter->next;
        } else if (waiter->queue == NULL) {
            waiter->sequence = UINT64_MAX; /* a thread takes itself out when it has woken */
            link = &waiter->next;
        } else {
            *link = waiter->next;
            waiter->next = taken;
            taken = waiter;
        }
    }
    set_awaited(queue);
    return taken;
}

static void tell(struct cpu_queue *queue, uint64_t completed)
{
    pthread_mutex_lock(&queue->lock);
    struct cpu_waiter *taken = take_satisfied(queue, completed);
    pthread_mutex_unlock(&queue->lock);
    cpu_queue_rouse(queue);
    while (taken != NULL) {
        struct cpu_queue *dependent = taken->queue;
        taken = taken->next;
        atomic_store(&dependent->blocked, 0);
        atomic_store(&dependent->waits_for, NULL); /* from here on its owner may use the waiter anew */
        cpu_queue_offer(dependent);
        cpu_queue_release(dependent);
        /* What the dependent held; the caller holds one too. */
        cpu_queue_release(queue); /* NOLINT(clang-analyzer-unix.Malloc) */
    }
}

void cpu_queue_flush(struct cpu_queue *queue)
{
    queue->unflushed = 0;
    const uint64_t completed = atomic_load_explicit(&queue->completed, memory_order_relaxed);
    if (UNLIKELY(completed >= atomic_fetch_add(&queue->awaited, 0)))
        tell(queue, completed);
}

void cpu_queue_rouse(struct cpu_queue *queue)
{
    atomic_fetch_add(&queue->signal, 1);
    cpu_futex_wake(&queue->signal, INT_MAX);
}

bool cpu_queue_block(struct cpu_queue *queue, struct cpu_queue *other, uint64_t sequence)
{
    if (atomic_load(&queue->waits_for) == NULL) {
        queue->wait = (struct cpu_waiter){.sequence = sequence, .queue = queue};
        cpu_queue_retain(queue);
        cpu_queue_retain(other);
        atomic_store(&queue->blocked, 1);
        atomic_store(&queue->waits_for, other);
        enlist(other, &queue->wait);
    }
    if (!cpu_queue_has_finished(other, sequence) && !atomic_load(&other->is_abandoned))
        return true;
    cpu_queue_unblock(queue);
    return false;
}

void cpu_queue_unblock(struct cpu_queue *queue)
{
    struct cpu_queue *other = atomic_load(&queue->waits_for);
    if (other == NULL)
        return;
    if (delist(other, &queue->wait)) {
        atomic_store(&queue->blocked, 0);
        atomic_store(&queue->waits_for, NULL);
        cpu_queue_release(other);
        cpu_queue_release(queue);
        return;
    }
    while (atomic_load(&queue->waits_for) != NULL)
        sched_yield(); /* tell() has taken it and is about to let it go */
}

void cpu_queue_sleep(struct cpu_queue *queue, uint64_t sequence, uint64_t moment)
{
    struct cpu_waiter waiter = {.sequence = sequence};
    const uint32_t signal = atomic_load(&queue->signal);
    enlist(queue, &waiter);
    if (!cpu_queue_has_finished(queue, sequence) && !atomic_load(&queue->is_abandoned))
        cpu_futex_wait(&queue->signal, signal, moment);
    delist(queue, &waiter);
}

void cpu_queue_abandon(struct cpu_queue *queue)
{
    atomic_store(&queue->is_abandoned, true);
    tell(queue, UINT64_MAX - 1);
}
