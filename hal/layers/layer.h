/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a layer is: a name, and functions over command records and what happens to objects. Any of them may be NULL.
 * Each gets the state that open() made for the instance. They run on the program's threads and on those of the core,
 * several at a time, and no lock of the core is held meanwhile.
 */
#ifndef HAL_LAYERS_LAYER_H
#define HAL_LAYERS_LAYER_H

#include "layers/layers.h"

/* The records of one submit, on their way down. Notes (note.h) stand among them until the last layer has seen them. */
struct layer_batch {
    haly_stream *stream;
    char *records; /* public form, scratch: a layer may rewrite them, or hand on others */
    uint64_t bytes;
    uint32_t count; /* of commands: notes do not count */
};

/* The layers that a batch has not passed yet. */
struct layer_chain {
    struct layers *layers;
    uint32_t next;
    bool *is_forwarded; /* the batch has left the last one */
};

/* Hands a batch on, at last to the backend. Its status is the submit's; what it queued, layer_submitted() tells. */
haly_status layer_pass(const struct layer_chain *chain, struct layer_batch *batch);

/* Commands of the stream so far, those that layers added included. */
static inline uint64_t layer_submitted(const haly_stream *stream)
{
    return timeline_submitted(stream->timeline);
}

/* A host call of a layered stream: what its record names instead of the program's function. It ends with the call. */
struct layer_host_call {
    haly_host_fn fn; /* the program's */
    void *user;
    struct layers *layers;
    struct timeline *timeline; /* counted */
    uint64_t moment;           /* the validation layer's: its place in the stream */
};

/* Memory that was just handed out. */
struct layer_memory {
    haly_context *context;
    void *address;
    uint64_t size;
    haly_stream *stream; /* in whose order; NULL: for anybody at once */
    uint64_t moment;     /* see layers_memory_moment() */
    bool is_of_graph;
};

struct layer {
    const char *name;
    haly_status (*open)(haly_instance *instance, void **out_state);
    void (*close)(void *state);
    void (*forked)(void); /* in a child: forget what the parent's threads hold */

    haly_status (*submit)(void *state, struct layer_batch *batch, const struct layer_chain *chain);
    uint64_t (*program_sequence)(void *state, struct timeline *timeline, uint64_t sequence);
    void (*host_call_begins)(void *state, struct layer_host_call *call);
    void (*host_call_ends)(void *state, struct layer_host_call *call);

    void (*stream_waited)(void *state, haly_stream *stream, struct event_record *record);
    void (*host_saw)(void *state, struct timeline *timeline);
    void (*host_saw_record)(void *state, struct event_record *record);
    void (*went_native)(void *state, struct object *object);

    void (*context_opened)(void *state, haly_context *context);
    void (*context_released)(void *state, haly_context *context);
    void (*context_closed)(void *state, haly_context *context);
    void (*instance_released)(void *state, haly_instance *instance);
    void (*stream_ended)(void *state, haly_stream *stream);
    void (*record_ended)(void *state, struct event_record *record);

    void (*memory_taken)(void *state, const struct layer_memory *memory);
    haly_status (*memory_given)(void *state, haly_context *context, void *address, enum layers_give how,
                                haly_stream *stream);
    void (*memory_used)(void *state, haly_stream *stream, const void *address);

    void (*call_begins)(void *state, const char *function);
    void (*call_ends)(void *state, const char *function);
};

/* In the order that records pass them. */
extern const struct layer layer_validate;
extern const struct layer layer_trace;

#endif
