/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for host calls. */
#include "host_threads.h"

#include "process.h"

static void *run(void *argument)
{
    struct host_threads *host = argument;
    pthread_mutex_lock(&host->lock);
    while (!host->stopping) {
        struct host_job *job = host->first;
        if (job == NULL) {
            host->idle++;
            pthread_cond_wait(&host->changed, &host->lock);
            host->idle--;
            continue;
        }
        host->first = job->next;
        host->queued--;
        pthread_mutex_unlock(&host->lock);
        job->run(job);
        pthread_mutex_lock(&host->lock);
    }
    host->running--;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
    return NULL;
}

void host_threads_init(struct host_threads *host)
{
    *host = (struct host_threads){.count = 0};
    pthread_mutex_init(&host->lock, NULL);
    pthread_cond_init(&host->changed, NULL);
}

/* A thread for one more job, unless one is free for it: an idle one may be on its way to an earlier job. Under the
 * lock. */
static haly_status add_thread(struct host_threads *host)
{
    if (host->idle > host->queued || host->count == HOST_THREADS)
        return HALY_OK;
    const haly_status status = process_thread_start(&host->threads[host->count], "haly-host", run, host);
    if (status == HALY_OK) {
        host->count++;
        host->running++;
    }
    return host->count > 0 ? HALY_OK : status;
}

haly_status host_threads_queue(struct host_threads *host, struct host_job *job)
{
    pthread_mutex_lock(&host->lock);
    const haly_status status = add_thread(host);
    if (status == HALY_OK) {
        job->next = NULL;
        if (host->first != NULL)
            host->last->next = job;
        else
            host->first = job;
        host->last = job;
        host->queued++;
        pthread_cond_signal(&host->changed);
    }
    pthread_mutex_unlock(&host->lock);
    return status;
}

bool host_threads_end(struct host_threads *host, uint64_t moment)
{
    uint64_t left;
    pthread_mutex_lock(&host->lock);
    host->stopping = true;
    pthread_cond_broadcast(&host->changed);
    while (host->running > 0 && (left = process_remaining(moment)) > 0)
        process_timed_wait(&host->changed, &host->lock, left);
    const bool have_ended = host->running == 0;
    pthread_mutex_unlock(&host->lock);
    for (uint32_t i = 0; i < host->count; i++)
        if (have_ended)
            pthread_join(host->threads[i], NULL);
        else
            pthread_detach(host->threads[i]);
    if (have_ended) {
        pthread_mutex_destroy(&host->lock);
        pthread_cond_destroy(&host->changed);
    }
    return have_ended;
}
