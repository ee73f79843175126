/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel, and launching it: its groups are the tiles. */
#ifndef CPU_KERNEL_H
#define CPU_KERNEL_H

#include <halyard/command.h>
#include <halyard/kernel_host.h>
#include <halyard/module.h>

#include "cpu_core.h"
#include "cpu_cost.h"
#include "cpu_pool.h"

/* The private block of a kernel. */
struct cpu_kernel {
    void (*entry)(const struct haly_group *group, const void *arguments);
    uint32_t argument_bytes;
    uint32_t max_items;
    bool is_built_in;     /* known to do a bounded amount of work per item */
    struct cpu_cost cost; /* unit: one group */
};

/* HALY_ERR_CORRUPT when the description contradicts itself; `name` is the one it was looked up by. */
haly_status cpu_meta_check(const struct haly_kernel_meta *meta, const char *name);

/* Whether a launch record fits its kernel; HALY_ERR_INVALID says what does not. */
haly_status cpu_launch_check(const haly_command_launch *record);

/* Nanoseconds a launch is likely to take; UINT64_MAX when nothing is known of its kernel. */
uint64_t cpu_launch_cost(const haly_command_launch *record);

/* Runs groups; returns as cpu_record_run(). */
uint64_t cpu_launch_run(const struct cpu_work *work, const haly_command_launch *record, uint64_t from);

#endif
