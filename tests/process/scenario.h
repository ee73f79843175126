/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenarios: each is a whole process, since what is tried is how processes begin, divide and end. One that ends with
 * exit status 0 within its time has passed.
 */
#ifndef TESTS_PROCESS_SCENARIO_H
#define TESTS_PROCESS_SCENARIO_H

#include "work.h"

enum {
    ON_CPU = 1,
    ON_MANUAL = 2,
    ON_BOTH = 3,
    /* What the sanitizers' own runtimes, those of gcc 12, do not bear. */
    FORKS_AMONG_THREADS = 4, /* threads may be in an allocation, and the child starts some of its own */
    JOINS_THE_MAIN_THREAD = 8
};

struct scenario {
    const char *name;                /* a sentence with underscores; NULL ends a list */
    int (*run)(const char *backend); /* what main returns */
    int flags;                       /* ON_… */
};

extern const struct scenario fork_scenarios[], exit_scenarios[], wait_scenarios[], crowd_scenarios[];

/* How long crowds work, from the command line. */
extern unsigned scenario_seconds;

/* Starts a thread, joinable or detached. */
void scenario_thread(void *(*run)(void *user), void *user, bool is_detached, void *out_thread);
/* Waits for a child that must end with exit status 0. */
void scenario_join_child(int child);
void scenario_sleep(uint64_t nanoseconds);

#endif
