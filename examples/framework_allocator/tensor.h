/* SPDX-License-Identifier: Apache-2.0 */
/* A framework's tensor, as small as it can be: device memory with a shape that knows its home stream. A real framework
 * has the same three hooks (allocate on a stream, free on a stream, "also used on that stream"), so these few functions
 * are all that has to be written to give it Halyard's memory. */
#ifndef TENSOR_H
#define TENSOR_H

#include <halyard/halyard.h>

struct tensor {
    void *data;        /* device address; belongs to the tensor */
    int64_t elements;  /* f32 */
    haly_stream *home; /* the stream it was allocated in and is freed in; borrowed */
    haly_event *ready; /* recorded behind the last write; what other streams wait for */
};

/* Allocates in the order of `home`: the block may be one whose free is still queued there, because whatever uses the
 * new tensor runs later in the same queue. The host never waits. */
haly_status tensor_create(haly_context *context, haly_stream *home, int64_t elements, struct tensor *out_tensor);

/* Frees in the order of `home`, at once as far as the host is concerned: queued work that uses the memory is safe. */
haly_status tensor_destroy(struct tensor *tensor);

/* To be called after each operator that wrote the tensor in its home stream. */
haly_status tensor_written(struct tensor *tensor);

/* Lets work that is queued in `user` from now on read the tensor: it starts after the last write. */
haly_status tensor_acquire(struct tensor *tensor, haly_stream *user);

/* To be called when that work was queued: the memory is not handed out again before it has finished, even if the tensor
 * is destroyed right now. */
haly_status tensor_used(struct tensor *tensor, haly_stream *user);

/* How operators see it. */
haly_tensor tensor_view(const struct tensor *tensor);

#endif
