/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backend inside the test program: it runs each command within submit, launches on the operator kernels compiled into
 * the program, and counts what it was given. So plans are tested with nothing else in between.
 */
#ifndef TESTS_UNIT_INLINE_BACKEND_H
#define TESTS_UNIT_INLINE_BACKEND_H

#include <stdbool.h>

#include <halyard/halyard.h>

struct inline_backend {
    /* What it has; set before a context is opened. */
    uint64_t capabilities;
    uint64_t storage_dtypes;
    bool hides_kernels;       /* the operator kernels lack "copy_4" */
    uint32_t argument_bytes;  /* of a row in kernels' argument tables: 16, or what a later or an earlier version has */
    haly_status plan_status;  /* what plan_create() answers */
    uint64_t workspace_bytes; /* of its plans */

    /* What it saw. */
    uint32_t launches, ops, submits, plans_alive;
    bool is_abandoned;   /* its latest context */
    uint32_t late_calls; /* of entries that end an object, behind that */
    uint64_t last_grid[3];
    void *last_addresses[8]; /* of the last op */
    int64_t last_values[8];
    uint32_t last_address_count, last_value_count;
    void *last_workspace;
};

#define INLINE_CAPABILITIES                                                                                            \
    (HALY_CAP_NATIVE_ADDRESSES | HALY_CAP_PAGEABLE_COPY | HALY_CAP_KERNELS | HALY_CAP_OPERATOR_KERNELS | HALY_CAP_PLANS)

/* One at a time. `*backend` is reset to what an ordinary device has. */
void inline_backend_start(struct inline_backend *backend);
haly_context *inline_context_open(void);
void inline_backend_stop(void);

#endif
