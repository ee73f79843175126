/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trace layer's inside. Commands are timed by the device itself: a timed event stands in front of each and one
 * behind the last, and what they say is read once the program has seen them pass, or many wait to be read. Device time
 * becomes host time through an anchor, an event of each context whose moment on the host is known.
 *
 * One lock guards the tables and the file. It is not held while a backend is called.
 */
#ifndef HAL_LAYERS_TRACE_H
#define HAL_LAYERS_TRACE_H

#include <pthread.h>

#include "layers/layer.h"
#include "layers/map.h"
#include "layers/note.h"
#include "layers/trace_file.h"

/* Tracks of a context have the context's id behind this number, beyond the ids of processes. */
#define TRACE_CONTEXTS UINT64_C(10000000)

struct trace {
    pthread_mutex_t lock; /* what follows */
    struct trace_file file;
    struct map streams;  /* by timeline */
    struct map contexts; /* by handle */
    struct map memories; /* by address */
    struct map threads;  /* whose names were told */
};

struct trace_context {
    uint64_t id;
    struct event_record *anchor; /* NULL: the device has no times */
    uint64_t anchored;           /* the host's time of it, in nanoseconds */
    uint64_t device_bytes, pinned_bytes;
};

/* Adds an event, and ends the text. */
void trace_emit(struct trace *trace, struct trace_text *event);
/* The same for one of the calling thread's track, which is not closed yet. */
void trace_emit_here(struct trace *trace, struct trace_text *event);
void trace_flush(struct trace *trace);
struct trace_context *trace_context_of(struct trace *trace, const haly_context *context);

/* ---- trace_commands.c ---- */
/* `"name":"fill","args":{…}` of a command; `note` speaks of it, or is NULL. */
void trace_describe(struct trace_text *text, const haly_command *record, const struct note *note, uint64_t number,
                    const char *label);

/* ---- trace_stream.c ---- */
haly_status trace_submit(void *state, struct layer_batch *batch, const struct layer_chain *chain);
uint64_t trace_program_sequence(void *state, struct timeline *timeline, uint64_t sequence);
/* Reads the times of what is known to have finished, and writes it. */
void trace_collect(struct trace *trace, struct timeline *timeline);
/* The stream is idle, and ends. */
void trace_stream_ended(void *state, haly_stream *stream);
void trace_streams_clear(struct trace *trace);

/* ---- trace_memory.c ---- */
void trace_memory_taken(void *state, const struct layer_memory *memory);
haly_status trace_memory_given(void *state, haly_context *context, void *address, enum layers_give how,
                               haly_stream *stream);
void trace_memory_context_closed(struct trace *trace, haly_context *context);

#endif
