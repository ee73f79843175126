/* SPDX-License-Identifier: Apache-2.0 */
/* Time as the cpu backend counts it: nanoseconds of CLOCK_MONOTONIC, and moments at which a deadline passes. */
#ifndef CPU_CLOCK_H
#define CPU_CLOCK_H

#include <stdint.h>

/* A moment that never comes. */
#define CPU_NEVER UINT64_MAX

uint64_t cpu_now(void);

/* What one look at the clock takes, at least: to be taken off short times. */
uint64_t cpu_clock_cost(void);

/* Nanoseconds since `begin`, without those of the clock itself. */
static inline uint64_t cpu_since(uint64_t begin)
{
    const uint64_t time = cpu_now() - begin, clock = cpu_clock_cost();
    return time > clock ? time - clock : 0;
}

/* The moment that lies `nanoseconds` from `now`. */
static inline uint64_t cpu_moment(uint64_t now, uint64_t nanoseconds)
{
    return nanoseconds >= CPU_NEVER - now ? CPU_NEVER : now + nanoseconds;
}

/* Tells the processor that this is a spin loop. */
static inline void cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

#endif
