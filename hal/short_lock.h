/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lock for sections of some tens of nanoseconds: one atomic exchange to take it and a plain store to give it back,
 * half of what a mutex costs. Waiters spin a little, then sleep in slices of a millisecond, so that giving it back
 * needs no full fence: a wake-up lost to that race costs one slice. What may wait for something else is called under it
 * only where hardly ever two threads meet.
 */
#ifndef HAL_SHORT_LOCK_H
#define HAL_SHORT_LOCK_H

#include <stdatomic.h>

#include "object.h"
#include "process.h"

struct short_lock {
    _Atomic uint32_t holder; /* 0: free */
    _Atomic uint32_t waiters;
};

#define SHORT_LOCK_INIT                                                                                                \
    {                                                                                                                  \
        0, 0                                                                                                           \
    }

void short_lock_wait(struct short_lock *lock, uint32_t holder);
void short_lock_wake(struct short_lock *lock);

static inline void short_lock_acquire_as(struct short_lock *lock, uint32_t holder)
{
    uint32_t expected = 0;
    if (UNLIKELY(!atomic_compare_exchange_strong_explicit(&lock->holder, &expected, holder, memory_order_acquire,
                                                          memory_order_relaxed)))
        short_lock_wait(lock, holder);
}

static inline void short_lock_acquire(struct short_lock *lock)
{
    short_lock_acquire_as(lock, 1);
}

/* For locks of the process, not of a context: the holder is the process's number, so that a child of fork does not wait
 * for a thread that only the parent has. */
static inline void short_lock_acquire_process(struct short_lock *lock)
{
    short_lock_acquire_as(lock, process_number());
}

static inline void short_lock_release(struct short_lock *lock)
{
    atomic_store_explicit(&lock->holder, 0, memory_order_release);
    if (UNLIKELY(atomic_load_explicit(&lock->waiters, memory_order_relaxed) != 0))
        short_lock_wake(lock);
}

#endif
