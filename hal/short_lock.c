/* SPDX-License-Identifier: Apache-2.0 */
/* The waiting side of the short lock. */
#define _GNU_SOURCE
#include "short_lock.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SPINS 200
#define SLICE_NANOSECONDS 1000000

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Takes the lock when it is free, or when its holder is a process that this one was forked from. */
static bool try_take(struct short_lock *lock, uint32_t holder, uint32_t *out_seen)
{
    uint32_t seen = atomic_load_explicit(&lock->holder, memory_order_relaxed);
    *out_seen = seen;
    if (seen == holder)
        return false;
    return atomic_compare_exchange_strong_explicit(&lock->holder, &seen, holder, memory_order_acquire,
                                                   memory_order_relaxed);
}

void short_lock_wait(struct short_lock *lock, uint32_t holder)
{
    const struct timespec slice = {0, SLICE_NANOSECONDS};
    uint32_t seen;
    for (int i = 0; i < SPINS; i++) {
        if (try_take(lock, holder, &seen))
            return;
        relax();
    }
    atomic_fetch_add_explicit(&lock->waiters, 1, memory_order_relaxed);
    while (!try_take(lock, holder, &seen))
        if (seen == holder)
            syscall(SYS_futex, &lock->holder, FUTEX_WAIT_PRIVATE, seen, &slice, NULL, 0);
    atomic_fetch_sub_explicit(&lock->waiters, 1, memory_order_relaxed);
}

void short_lock_wake(struct short_lock *lock)
{
    syscall(SYS_futex, &lock->holder, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
