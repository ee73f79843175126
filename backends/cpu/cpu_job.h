/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fork and join: the board on which a thread that runs a command offers its tiles to others. A fixed number of slots; a
 * thread that finds none free does its tiles alone.
 */
#ifndef CPU_JOB_H
#define CPU_JOB_H

#include "cpu_pool.h"

/* Whether somebody offers tiles now. */
bool cpu_jobs_are_open(void);

/* Does at most so many tiles of one open job; false when there was none to do. */
bool cpu_jobs_help(uint64_t most);

/* Offers the tiles, does them with whoever joins, and returns as cpu_pool_run(). `wake` is called once they are
 * offered. */
uint64_t cpu_job_run(const struct cpu_work *work, struct cpu_tiles *tiles,
                     void (*wake)(const struct cpu_work *work, const struct cpu_tiles *tiles));

/* The same without offering them. */
uint64_t cpu_job_run_alone(const struct cpu_work *work, struct cpu_tiles *tiles);

/* In a child of fork: threads that had joined are not there any more. */
void cpu_jobs_reset(void);

#endif
