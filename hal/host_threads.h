/* SPDX-License-Identifier: Apache-2.0 */
/* The threads that run host calls for a context's service, so that a call that takes its time holds up no copy, no
 * wait, and, up to a limit, no other call. Each is started when all the others are inside a call. */
#ifndef HAL_HOST_THREADS_H
#define HAL_HOST_THREADS_H

#include <pthread.h>
#include <stdbool.h>

#include "error.h"

/* One call to make; must stay until `run` has returned. */
struct host_job {
    struct host_job *next;
    void (*run)(struct host_job *job);
};

#define HOST_THREADS 8U

struct host_threads {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t threads[HOST_THREADS];
    uint32_t count, idle, queued;
    uint32_t running; /* threads that have not ended */
    bool stopping;
    struct host_job *first, *last;
};

void host_threads_init(struct host_threads *host);

/* Queues the job. Fails only when there is no thread and none can be started. */
haly_status host_threads_queue(struct host_threads *host, struct host_job *job);

/* Stops the threads once the jobs they are in have returned; what is queued is left undone. False when one of them has
 * not returned at `moment` (process_deadline()): then they are left to themselves, and *host must stay. */
bool host_threads_end(struct host_threads *host, uint64_t moment);

#endif
