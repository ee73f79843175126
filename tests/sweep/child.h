/* SPDX-License-Identifier: Apache-2.0 */
/* What a child does: the scenario with a failure planted, the scenario again without, a computation on a backend that
 * nothing happened to, and a look at what is held. */
#ifndef TESTS_SWEEP_CHILD_H
#define TESTS_SWEEP_CHILD_H

#include "inject.h"
#include "ledger.h"
#include "scenario.h"

/* A run of a scenario. */
struct run {
    const struct scenario *scenario;
    const struct fault *fault; /* NULL: to learn what is normal */
    uint64_t nth;
    bool persists;
    bool is_faulty; /* through the backend that fails on purpose */
};

/* Between the runner and its children. */
struct shared {
    struct injection injection;
    struct outcome outcome;   /* with the failure */
    struct outcome again;     /* without one, afterwards */
    struct outcome computed;  /* a computation on the cpu backend, behind that */
    int64_t live[SITES_MOST]; /* of a run to learn from, at its end */
    struct holdings holdings; /* likewise */
};

/* What is held once a scenario has run twice and nothing was planted, the most of a few runs; and how often each group
 * is called, with the calls of the longest. */
struct normal {
    int64_t live[SITES_MOST];
    uint64_t hits[GROUPS];
    struct trace traces[GROUPS][TRACE_MOST];
    struct holdings holdings;
};

extern struct shared *shared;
extern struct normal normal;

/* The child's whole life. */
void child_run(const struct run *run);

#endif
