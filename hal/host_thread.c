/* SPDX-License-Identifier: Apache-2.0 */
/* The thread for host calls. */
#include "host_thread.h"

#include "process.h"

static void *run(void *argument)
{
    struct host_thread *host = argument;
    pthread_mutex_lock(&host->lock);
    while (!host->stopping) {
        struct host_job *job = host->first;
        if (job == NULL) {
            pthread_cond_wait(&host->changed, &host->lock);
            continue;
        }
        host->first = job->next;
        pthread_mutex_unlock(&host->lock);
        job->run(job);
        pthread_mutex_lock(&host->lock);
    }
    pthread_mutex_unlock(&host->lock);
    return NULL;
}

void host_thread_init(struct host_thread *host)
{
    *host = (struct host_thread){.has_thread = false};
    pthread_mutex_init(&host->lock, NULL);
    pthread_cond_init(&host->changed, NULL);
}

haly_status host_thread_queue(struct host_thread *host, struct host_job *job)
{
    haly_status status = HALY_OK;
    pthread_mutex_lock(&host->lock);
    if (!host->has_thread) {
        status = process_thread_start(&host->thread, "haly-host", run, host);
        host->has_thread = status == HALY_OK;
    }
    if (status == HALY_OK) {
        job->next = NULL;
        if (host->first != NULL)
            host->last->next = job;
        else
            host->first = job;
        host->last = job;
        pthread_cond_signal(&host->changed);
    }
    pthread_mutex_unlock(&host->lock);
    return status;
}

void host_thread_end(struct host_thread *host)
{
    pthread_mutex_lock(&host->lock);
    const bool must_join = host->has_thread;
    host->stopping = true;
    pthread_cond_signal(&host->changed);
    pthread_mutex_unlock(&host->lock);
    if (must_join)
        pthread_join(host->thread, NULL);
    pthread_mutex_destroy(&host->lock);
    pthread_cond_destroy(&host->changed);
}
