/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker threads of the process: they run streams that nobody waits for, and help whoever runs one with the tiles
 * of its command. One pool serves all contexts. Threads start on first need, are named "haly-cpu-N", block all signals
 * but those of faults, look for work for 50 us, then in short sleeps for 2 ms, then park until they are woken.
 *
 * Work is cut into tiles by shape alone and each tile is done by one thread, so the number of threads changes no bit.
 */
#ifndef CPU_POOL_H
#define CPU_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu_clock.h"

struct cpu_queue;

/* Whose command is being run, and until when. */
struct cpu_work {
    struct cpu_queue *queue;
    uint32_t threads; /* that may take part, this one included */
    uint64_t moment;  /* no tile is begun after it; CPU_NEVER */
};

/* Tiles to be done, in any order, by any thread, each once. */
struct cpu_tiles {
    void (*run)(void *argument, uint64_t tile);
    void *argument;
    uint64_t from, count; /* tiles from .. count-1 */
    uint64_t cost;        /* nanoseconds of all of them, roughly; 0: unknown */
    uint64_t own;         /* out: how many this thread did */
};

/* Runs tiles and returns when all it began have finished: `count`, or the first that was not begun when `work->moment`
 * passed. */
uint64_t cpu_pool_run(const struct cpu_work *work, struct cpu_tiles *tiles);

/* Does one tile of some other thread's command if there is any, so that a thread that waits can look up in between. */
bool cpu_pool_help(void);

/* Puts a queue that has work, and that nobody runs, on the list for the workers, and wakes one if all are parked or
 * busy. */
void cpu_pool_schedule(struct cpu_queue *queue);

/* Asks for so many worker threads at least, when they are needed. Comes before any other use in a process: after a fork
 * it forgets the parent's threads. */
void cpu_pool_reserve(uint32_t threads);

/* Starts the threads asked for unless they run already. False when not even one could be started. */
bool cpu_pool_start(void);

/* Comes before work that may block its thread for any time, a host call: sees to it that another worker is there for
 * the other streams, and starts one more if all are busy. That one computes nothing beyond what `threads` allows. */
void cpu_pool_keep_spare(void);

/* The same, if queues are listed that nobody looks at. */
void cpu_pool_relieve(void);

/* Whether a worker is awake and looks for work. */
bool cpu_pool_is_awake(void);

/* Stops and joins the threads; those in the middle of a command that does not end within a second are left alone. */
void cpu_pool_stop(void);

#endif
