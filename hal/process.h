/* SPDX-License-Identifier: Apache-2.0 */
/* The process: the fork token, shutdown, and threads of ours. */
#ifndef HAL_PROCESS_H
#define HAL_PROCESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "error.h"

/* A page that the kernel wipes in a child of fork. */
struct process_page {
    _Atomic uint32_t generation; /* of handles; 0 also once haly_shutdown() was called */
    _Atomic uint32_t number;     /* of the process among those that were forked from each other; 0: not numbered yet */
};
extern struct process_page *_Atomic process_page; /* NULL until it is needed */

/* The slow half of process_number(). */
uint32_t process_number_begin(void);

/* What tells a process from those it was forked from, and changes by nothing else. Never 0. */
static inline uint32_t process_number(void)
{
    struct process_page *page = atomic_load_explicit(&process_page, memory_order_acquire);
    const uint32_t number = page != NULL ? atomic_load_explicit(&page->number, memory_order_relaxed) : 0;
    return number != 0 ? number : process_number_begin();
}

/* Makes sure the fork token exists and belongs to this process; after a fork it starts a new generation.
 * Called by haly_instance_create() only. HALY_ERR_SHUTTING_DOWN after haly_shutdown(). */
haly_status process_enter(void);
bool process_is_shutting_down(void);

/*
 * Puts cancellation of the calling thread off until the function returns: first line of every public function that may
 * meet a point of cancellation, its own, a backend's or a program's callback's. A thread that went away in the middle
 * would leave locks taken and streams owned. What only submits or asks meets none.
 */
#define PUT_OFF_CANCELLATION()                                                                                         \
    __attribute__((cleanup(process_allow_cancellation), unused)) const int cancellation_before =                       \
        process_put_off_cancellation()
int process_put_off_cancellation(void);
void process_allow_cancellation(const int *before);

/* Starts a named thread with all signals blocked but those of faults. */
haly_status process_thread_start(pthread_t *out_thread, const char *name, void *(*run)(void *), void *argument);

/* pthread_cond_wait() for at most so many nanoseconds; false when they passed. */
bool process_timed_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, uint64_t nanoseconds);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t process_now(void);

/* The moment a deadline given in nanoseconds from now passes; UINT64_MAX for HALY_FOREVER. */
uint64_t process_deadline(uint64_t nanoseconds);
/* What is left of it, 0 when it has passed, HALY_FOREVER for UINT64_MAX. */
uint64_t process_remaining(uint64_t moment);

#endif
