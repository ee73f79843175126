/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/* The two futex calls, private to the process. */
#include "cpu_futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cpu_clock.h"
#include "planted.h"

void cpu_futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t moment)
{
    struct timespec until;
    const struct timespec *limit = NULL;
    if (PLANTED_OR(sleep_has_no_end, moment != CPU_NEVER, 0)) {
        until.tv_sec = (time_t)(moment / 1000000000U);
        until.tv_nsec = (long)(moment % 1000000000U);
        limit = &until;
    }
    /* The bit-set form takes an absolute CLOCK_MONOTONIC time, so an early return does not stretch the sleep. */
    syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, value, limit, NULL, FUTEX_BITSET_MATCH_ANY);
}

void cpu_futex_wake(_Atomic uint32_t *word, int count)
{
    syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, NULL, NULL, 0);
}
