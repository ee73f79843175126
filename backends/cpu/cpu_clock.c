/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/* The clock; in a file of its own because only here POSIX is asked for. */
#include "cpu_clock.h"

#include <time.h>

uint64_t cpu_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}
