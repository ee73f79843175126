/* SPDX-License-Identifier: Apache-2.0 */
/* A stream is a queue and its place among the context's. */
#include "cpu_stream.h"

#include "cpu_queue.h"
#include "planted.h"

haly_status cpu_stream_create(void *context, void *stream, const haly_stream_desc *desc, void *token)
{
    struct cpu_context *owner = context;
    struct cpu_stream *self = stream;
    for (const haly_ext *ext = desc->ext; ext != NULL; ext = ext->next)
        if (ext->optional == 0)
            return FAIL(HALY_ERR_UNSUPPORTED, "stream option 0x%x is not known to the cpu backend", ext->type);
    const struct cpu_config *config = &owner->device->config;
    struct cpu_queue *queue = cpu_queue_create(token, config->threads, config->is_strict);
    if (queue == NULL)
        return FAIL(HALY_ERR_HOST_OOM, "out of memory for a stream's queue");
    pthread_mutex_lock(&owner->lock);
    queue->context_next = owner->queues;
    owner->queues = queue;
    pthread_mutex_unlock(&owner->lock);
    self->context = owner;
    self->queue = queue;
    return HALY_OK;
}

void cpu_stream_destroy(void *stream)
{
    struct cpu_stream *self = stream;
    struct cpu_context *owner = self->context;
    pthread_mutex_lock(&owner->lock);
    struct cpu_queue **link = &owner->queues;
    while (*link != self->queue)
        link = &(*link)->context_next;
    *link = self->queue->context_next;
    pthread_mutex_unlock(&owner->lock);
    cpu_queue_release(self->queue);
}

haly_status cpu_stream_query(void *stream, uint64_t *out_completed)
{
    const struct cpu_stream *self = stream;
    *out_completed = atomic_load_explicit(&self->queue->completed, memory_order_acquire);
    PLANTED(stream_is_done_when_submitted, *out_completed = atomic_load(&self->queue->submitted));
    return HALY_OK;
}

haly_status cpu_stream_wait(void *stream, uint64_t sequence, uint64_t deadline)
{
    const struct cpu_stream *self = stream;
    return cpu_queue_wait(self->queue, sequence, deadline);
}
