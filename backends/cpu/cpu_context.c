/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts: a device and the streams that are open on it. */
#include "cpu_context.h"

#include "cpu_pool.h"
#include "cpu_queue.h"
#include "planted.h"

haly_status cpu_context_open(void *device, void *context, const haly_backend_context_desc *desc)
{
    struct cpu_context *self = context;
    for (const haly_ext *ext = desc->ext; ext != NULL; ext = ext->next)
        if (PLANTED_OR(option_is_never_needed, ext->optional == 0, false))
            return FAIL(HALY_ERR_UNSUPPORTED, "context option 0x%x is not known to the cpu backend", ext->type);
    self->device = device;
    self->queues = NULL;
    pthread_mutex_init(&self->lock, NULL);
    const uint32_t threads = self->device->config.threads;
    cpu_pool_reserve(threads > 1 ? threads - 1 : 1); /* with one thread, a worker runs streams that nobody waits for */
    return HALY_OK;
}

void cpu_context_close(void *context)
{
    struct cpu_context *self = context;
    pthread_mutex_destroy(&self->lock);
}

void cpu_context_abandon(void *context)
{
    struct cpu_context *self = context;
    pthread_mutex_lock(&self->lock);
    for (struct cpu_queue *queue = self->queues; queue != NULL; queue = queue->context_next)
        cpu_queue_abandon(queue);
    pthread_mutex_unlock(&self->lock);
}
