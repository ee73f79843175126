/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue behind a stream: a FIFO of records with one producer (the caller orders submits) and, at any time, at most
 * one thread that runs it, its owner. Counted on its own, because events, waits of other streams and the workers' list
 * go on naming it when the stream is gone.
 *
 * Nothing is ever lost, because whoever could leave work behind looks again after giving up: a submitter publishes,
 * then looks for an owner; an owner gives the queue up, then looks for work; both with sequentially consistent
 * operations, so that one of them sees the other.
 */
#ifndef CPU_QUEUE_H
#define CPU_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>

#include "cpu_core.h"
#include "cpu_pool.h"
#include "cpu_ring.h"
#include "planted.h"

/* Somebody who wants to know when the queue has come to `sequence`: a sleeping thread, or another queue. */
struct cpu_waiter {
    struct cpu_waiter *next;
    uint64_t sequence;
    struct cpu_queue *queue; /* counted: to be run then; NULL for a thread */
};

struct cpu_queue {
    _Atomic uint32_t references;
    uint32_t threads; /* that compute on its device */
    bool is_strict;
    _Atomic bool is_abandoned;
    void *token;                    /* the core's */
    struct cpu_queue *context_next; /* under the context's lock */
    struct cpu_queue *ready_next;   /* under the workers' lock */

    /* The producer's. */
    _Alignas(64) _Atomic uint64_t submitted; /* last sequence queued or run inline */
    struct cpu_ring ring;

    _Alignas(64) _Atomic uint64_t completed; /* last sequence finished, all before it included */
    _Atomic uint32_t owner;                  /* 1: a thread runs it */
    _Atomic uint32_t listed;                 /* 1: on the workers' list */
    _Atomic uint32_t blocked;                /* 1: its head waits for another queue, which lists it when it is time */

    /* The owner's. */
    uint64_t resume;    /* first tile of the head that was not done yet */
    uint64_t unflushed; /* nanoseconds of work since waiters were last looked for */

    /* Waiters. `awaited` is the lowest sequence any of them wants, or UINT64_MAX. */
    _Alignas(64) _Atomic uint64_t awaited;
    _Atomic uint32_t signal; /* sleepers sleep on it */
    pthread_mutex_t lock;
    struct cpu_waiter *waiters;

    /* This queue as a waiter of another one. */
    struct cpu_waiter wait;
    struct cpu_queue *_Atomic waits_for; /* NULL: not listed there */
};

struct cpu_queue *cpu_queue_create(void *token, uint32_t threads, bool is_strict);
void cpu_queue_retain(struct cpu_queue *queue);
void cpu_queue_release(struct cpu_queue *queue);

static inline bool cpu_queue_has_finished(struct cpu_queue *queue, uint64_t sequence)
{
    return atomic_load_explicit(&queue->completed, memory_order_acquire) + PLANTED_OR(queue_is_one_ahead, 0, 1) >=
           sequence;
}

static inline bool cpu_queue_is_idle(struct cpu_queue *queue)
{
    return atomic_load_explicit(&queue->completed, memory_order_acquire) ==
           atomic_load_explicit(&queue->submitted, memory_order_relaxed);
}

/* Becomes the owner, or false. */
bool cpu_queue_own(struct cpu_queue *queue);

/* Gives the queue up; what is left to run goes to the workers. */
void cpu_queue_disown(struct cpu_queue *queue);

/* Gives work that was just published to a worker, unless somebody runs the queue. */
void cpu_queue_offer(struct cpu_queue *queue);

/* The owner notes that the head has finished. Waiters are told by cpu_queue_flush(), or once enough work was done. */
void cpu_queue_finish(struct cpu_queue *queue, uint64_t sequence, uint64_t cost);
void cpu_queue_flush(struct cpu_queue *queue);

/* The owner of `queue` asks to be listed when `other` has come to `sequence`. False, with nothing asked, when it has.
 */
bool cpu_queue_block(struct cpu_queue *queue, struct cpu_queue *other, uint64_t sequence);
/* The owner takes the request back; nothing when there is none. */
void cpu_queue_unblock(struct cpu_queue *queue);

/* Sleeps until `sequence` has finished or `moment` has come; may return early. */
void cpu_queue_sleep(struct cpu_queue *queue, uint64_t sequence, uint64_t moment);

/* Wakes all sleepers, because there is something for them to look at. */
void cpu_queue_rouse(struct cpu_queue *queue);

/* haly_context_abandon(): nothing more of it is begun; sleepers and dependents are told. */
void cpu_queue_abandon(struct cpu_queue *queue);

/* Waits until `sequence` has finished, running what can be run. HALY_OK, HALY_TIMEOUT, HALY_ERR_ABANDONED. */
haly_status cpu_queue_wait(struct cpu_queue *queue, uint64_t sequence, uint64_t deadline);

#endif
