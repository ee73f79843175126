/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers, as the rest of the core sees them: what stands between the checked calls of a program and the backend, when
 * HALYARD_LAYERS asks for it. An instance without layers has none of this: its contexts hold NULL, its streams are not
 * marked, and each place below is one test of a pointer or of a flag that is read anyway.
 */
#ifndef HAL_LAYERS_LAYERS_H
#define HAL_LAYERS_LAYERS_H

#include "event.h"
#include "instance.h"
#include "kernel.h"

struct layers; /* of one instance */

/* The grammar of HALYARD_LAYERS, and whether a value follows it. */
#define LAYERS_GRAMMAR "names of layers with commas between: validate, trace"
bool layers_check(const char *names, char *why, size_t why_size);

/* Starts what the instance's parameters ask for; *out_layers stays NULL when that is nothing. */
haly_status layers_open(haly_instance *instance, struct layers **out_layers);
/* Everything of the instance is gone. NULL is fine. */
void layers_close(struct layers *layers);

/* In a child of fork: threads, locks and files are the parent's. */
void layers_forked(void);

/* ---- commands ---- */

static inline bool stream_is_layered(haly_stream *stream)
{
    return (atomic_load_explicit(&stream->gate, memory_order_relaxed) & STREAM_LAYERED) != 0;
}

/* The path of the records of one call, or of part of a graph, on a layered stream: captured with what replays need to
 * know, or handed down the layers and then to stream_submit_plain(). */
haly_status layers_submit(haly_stream *stream, void *records, uint64_t bytes);

/* A command's number as the program counts, for error details: layers may queue commands of their own. */
uint64_t layers_program_sequence(struct timeline *timeline, uint64_t sequence);

/* ---- order ---- */

/* What is submitted to the stream from now on runs behind the record. */
void layers_stream_waited(haly_stream *stream, struct event_record *record);
/* The host has seen that all submitted to the timeline so far has finished; or what stands before a record has. */
void layers_host_saw(struct timeline *timeline);
void layers_host_saw_record(struct event_record *record);
/* A native handle was handed out, or a native stream wrapped: others may order what happens there. */
void layers_went_native(struct object *object);

/* ---- objects ---- */

void layers_context_opened(haly_context *context);
/* The program gave its last reference back; what the context holds is still listed. */
void layers_context_released(haly_context *context);
/* It is idle and about to be freed. */
void layers_context_closed(haly_context *context);
/* The program gives its last reference back, and contexts still hold the instance. */
void layers_instance_released(haly_instance *instance);
/* The stream is idle and about to be destroyed. */
void layers_stream_ended(haly_stream *stream);
/* The record's event is about to be used again, or destroyed. */
void layers_record_ended(struct event_record *record);

/* ---- memory ---- */

/* Device or pinned memory was handed out: a new moment. `stream` says in whose order; NULL: for anybody at once. */
void layers_memory_taken(haly_context *context, void *address, uint64_t size, haly_stream *stream);
/* The same for memory of a graph, which gives it back when it ends. */
void layers_graph_memory_taken(haly_context *context, void *address, uint64_t size);
/* It is about to be taken back; live and owned by the context. Not HALY_OK: a layer refuses. */
enum layers_give {
    LAYERS_GIVE_BEHIND_ALL, /* behind all that was submitted in the context */
    LAYERS_GIVE_IN_STREAM,  /* in the stream's order */
    LAYERS_GIVE_AT_ONCE,    /* for whatever the host does with it next */
};
haly_status layers_memory_given(haly_context *context, void *address, enum layers_give how, haly_stream *stream);
/* Counts allocations of layered contexts: one that was made later than a capture has a higher moment. */
uint64_t layers_memory_moment(void);
/* Work of the stream so far uses the memory, and its free will wait for that. */
void layers_memory_used(haly_stream *stream, const void *address);

/* ---- calls that may take long ---- */

struct layers_call {
    struct layers *layers; /* NULL: nobody watches */
    const char *function;
};

void layers_call_begin(struct layers_call *call);
void layers_call_end(struct layers_call *call);

static inline struct layers_call layers_call_start(struct layers *layers, const char *function)
{
    struct layers_call call = {layers, function};
    if (UNLIKELY(layers != NULL))
        layers_call_begin(&call);
    return call;
}

static inline void layers_call_stop(struct layers_call *call)
{
    if (UNLIKELY(call->layers != NULL))
        layers_call_end(call);
}

/* Lets layers see how long the rest of the function takes. */
#define LAYERS_WATCH_AS(context_, function_)                                                                           \
    struct layers_call layers_call_ __attribute__((cleanup(layers_call_stop), unused)) =                               \
        layers_call_start((context_)->layers, (function_))
#define LAYERS_WATCH(context_) LAYERS_WATCH_AS(context_, __func__)

#endif
