/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators that this backend implements itself. An implementation is one row of a table: it takes a description or
 * says HALY_ERR_UNSUPPORTED and why, whereupon the next is asked; when none is left, the core uses the portable
 * kernels.
 */
#ifndef CPU_PLAN_H
#define CPU_PLAN_H

#include <halyard/command.h>

#include "cpu_context.h"
#include "cpu_cost.h"
#include "cpu_pool.h"

/* The addresses of one run: inputs, then outputs. */
struct cpu_plan_call {
    void *const *addresses;
    const int64_t *values;
    uint32_t value_count;
    void *workspace;
};

/* The private block of a plan. */
struct cpu_plan {
    /* Runs it. A failure carries its text in the plan's *out_text (static), for the stream. */
    haly_status (*run)(const struct cpu_plan *plan, const struct cpu_work *work, const struct cpu_plan_call *call,
                       const char **out_text);
    void (*destroy)(struct cpu_plan *plan);
    void *state;            /* the implementation's */
    uint32_t address_count; /* that a run must bring */
    uint64_t workspace_bytes;
    uint64_t cost_guess;  /* nanoseconds, until it was timed */
    struct cpu_cost cost; /* unit: one run */
};

struct cpu_implementation {
    const char *domain;
    const char *name; /* of the operator */
    /* Sets run, destroy, state, workspace_bytes, cost_guess and the path text. */
    haly_status (*create)(const struct cpu_context *context, struct cpu_plan *plan, const haly_op_desc *desc,
                          haly_backend_plan *out_plan);
};

/* Ends with a row without `create`. */
extern const struct cpu_implementation cpu_implementations[];

haly_status cpu_plan_create(void *context, void *plan, const haly_op_desc *desc, haly_backend_plan *out_plan);
void cpu_plan_destroy(void *plan);

/* Whether an op record fits its plan. */
haly_status cpu_op_check(const haly_command_op *record);
uint64_t cpu_op_cost(const haly_command_op *record);

/* Runs it; a failure comes back with its text. */
haly_status cpu_op_run(const struct cpu_work *work, const haly_command_op *record, const char **out_text);

#endif
