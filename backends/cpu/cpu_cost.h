/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one unit of a kernel or plan costs, learned by timing some of its runs. It decides only where and on how many
 * threads work runs, never how it is cut, so it has no influence on results.
 */
#ifndef CPU_COST_H
#define CPU_COST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define CPU_COST_SCALE 64U /* unit is in 1/64 ns */

struct cpu_cost {
    _Atomic uint32_t unit;
    _Atomic uint32_t runs;
};

static inline bool cpu_cost_is_known(struct cpu_cost *cost)
{
    return atomic_load_explicit(&cost->unit, memory_order_relaxed) != 0;
}

/* Nanoseconds of `units`; 0 while unknown. */
static inline uint64_t cpu_cost_estimate(struct cpu_cost *cost, uint64_t units)
{
    const uint64_t unit = atomic_load_explicit(&cost->unit, memory_order_relaxed);
    return units > UINT64_MAX / UINT32_MAX ? UINT64_MAX / CPU_COST_SCALE : units * unit / CPU_COST_SCALE;
}

/* Whether this run should be timed: the first ones, then one of sixteen, later one of 64, since asking the clock takes
 * as long as a short kernel. Lost counts do no harm. */
static inline bool cpu_cost_wants_sample(struct cpu_cost *cost)
{
    const uint32_t runs = atomic_load_explicit(&cost->runs, memory_order_relaxed);
    atomic_store_explicit(&cost->runs, runs + 1, memory_order_relaxed);
    return runs < 4 || runs % (runs < 1024 ? 16 : 64) == 0;
}

/* Notes that `units` took `nanoseconds`. Falls fast and rises slowly: a run that was disturbed says little. */
static inline void cpu_cost_sample(struct cpu_cost *cost, uint64_t units, uint64_t nanoseconds)
{
    if (units == 0)
        return;
    const uint64_t raw = nanoseconds > UINT64_MAX / CPU_COST_SCALE ? UINT32_MAX : nanoseconds * CPU_COST_SCALE / units;
    const uint32_t now = raw > UINT32_MAX ? UINT32_MAX : raw == 0 ? 1 : (uint32_t)raw;
    const uint32_t old = atomic_load_explicit(&cost->unit, memory_order_relaxed);
    uint32_t next = now;
    if (old != 0)
        next = now < old ? old - (old - now) / 2 : old + (now - old) / 8;
    atomic_store_explicit(&cost->unit, next, memory_order_relaxed);
}

#endif
