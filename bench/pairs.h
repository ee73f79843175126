/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measuring one thing beside its peer: the two take turns in one process, and the ratio is formed round by round, so
 * that a machine that slows down slows both. Printed are medians with the smallest and largest value.
 */
#ifndef BENCH_PAIRS_H
#define BENCH_PAIRS_H

#include <stdint.h>

/* One side: runs the operation `count` times and returns the nanoseconds that all of them took. What is prepared or
 * cleaned up inside is not counted. */
struct arm {
    const char *name; /* "PoCL 3.1 basic" */
    uint64_t (*run)(void *state, uint64_t count);
    void *state;
};

struct pair {
    const char *what;
    struct arm ours, peer;
    uint64_t count; /* operations a round; 0: as many as take about two milliseconds */
    double goal;    /* the ratio of times should be at most this; 0: no goal is set */
    uint64_t bytes; /* moved by one operation: figures are GB/s then, else nanoseconds */
    uint64_t parts; /* of one operation, each of which is to be told: nodes of a graph; 0: it has none */
};

#define ROUNDS 21

/* After so long without work, worker threads sleep. */
#define PARK_MICROSECONDS 2000

uint64_t now_ns(void);

/* Measures and prints one row. Returns whether the goal is met (or none is set). */
int pair_run(const struct pair *pair);

/* Prints the heading of a table; `csv` chooses the form of all that follows. */
void pairs_begin(const char *title, int csv);

/* A thread that sleeps until the process ends: with a single thread libc takes short cuts that no real program has. */
void start_sleeping_thread(void);

/* Prints what went wrong and ends the program: a benchmark has nobody to return to. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
