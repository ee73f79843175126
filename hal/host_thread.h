/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that runs host calls for a context's service, one after another, so that one that takes its time holds up
 * no copy and no wait. */
#ifndef HAL_HOST_THREAD_H
#define HAL_HOST_THREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "error.h"

/* One call to make; must stay until `run` has returned. */
struct host_job {
    struct host_job *next;
    void (*run)(struct host_job *job);
};

struct host_thread {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool has_thread, stopping;
    struct host_job *first, *last;
};

void host_thread_init(struct host_thread *host);

/* Queues the job; starts the thread when it is the first. */
haly_status host_thread_queue(struct host_thread *host, struct host_job *job);

/* Stops the thread once the job it is in has returned; what is queued is left undone. */
void host_thread_end(struct host_thread *host);

#endif
