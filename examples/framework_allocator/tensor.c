/* SPDX-License-Identifier: Apache-2.0 */
/* The framework's hooks, each a line or two over Halyard: the allocator's ordering rules do the work. */
#include "tensor.h"

haly_status tensor_create(haly_context *context, haly_stream *home, int64_t elements, struct tensor *out_tensor)
{
    struct tensor tensor = {.elements = elements, .home = home};
    haly_status status = haly_event_create(context, NULL, &tensor.ready);
    if (status != HALY_OK)
        return status;
    status = haly_malloc_async(home, (uint64_t)elements * sizeof(float), NULL, &tensor.data);
    if (status != HALY_OK) {
        haly_event_release(tensor.ready);
        return status;
    }
    *out_tensor = tensor;
    return HALY_OK;
}

haly_status tensor_destroy(struct tensor *tensor)
{
    const haly_status status = haly_free_async(tensor->home, tensor->data);
    haly_event_release(tensor->ready); /* waits that are already queued keep what they need */
    *tensor = (struct tensor){0};
    return status;
}

haly_status tensor_written(struct tensor *tensor)
{
    return haly_event_record(tensor->ready, tensor->home);
}

haly_status tensor_acquire(struct tensor *tensor, haly_stream *user)
{
    /* In its home stream the queue itself is the order. */
    return user == tensor->home ? HALY_OK : haly_stream_wait(user, tensor->ready);
}

haly_status tensor_used(struct tensor *tensor, haly_stream *user)
{
    return user == tensor->home ? HALY_OK : haly_memory_used_on(user, tensor->data);
}

haly_tensor tensor_view(const struct tensor *tensor)
{
    return haly_f32_1d(tensor->data, tensor->elements);
}
