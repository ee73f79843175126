/* SPDX-License-Identifier: Apache-2.0 */
/* Captures and graphs: commands kept as data, with the objects they name and the memory that is reserved for them. */
#ifndef HAL_GRAPH_H
#define HAL_GRAPH_H

#include "allocator.h"
#include "recording.h"

struct event_record;

/* ---- what the submitting functions call on a captured stream ---- */

/* Appends the records (public form) of one call as a node. */
haly_status capture_append(haly_stream *stream, const void *records, uint64_t bytes, uint32_t count);

/* A call that succeeded without anything to do. `object` is the kernel or plan it was for, or NULL. */
haly_status capture_nothing(haly_stream *stream, uint16_t kind, void *object);

/* An event recorded, or waited for, inside a capture: at replay the event itself is recorded or waited for. */
haly_status capture_event(haly_stream *stream, uint16_t kind, haly_event *event);

/* Memory that is the graph's. Freeing ends its use within the capture, so that what follows may get it. */
haly_status capture_alloc(haly_stream *stream, const struct allocation *request, void **out_address);
haly_status capture_free(haly_stream *stream, void *address);

/* Memory for the operator that is appended next, and its end. */
haly_status capture_workspace(haly_stream *stream, uint64_t size, void **out_address);
void capture_workspace_end(haly_stream *stream, void *address);

/* A stream that goes away while it is captured. */
void capture_discard(haly_stream *stream);

/* ---- between capture.c and graph.c ---- */

/* A piece of device memory of a graph. */
struct graph_memory {
    void *address;
    uint64_t bytes;   /* as asked for */
    uint64_t aligned; /* what was asked for, at least */
    bool is_free;     /* the capture has freed it: the next allocation may have it */
};

struct graph_run;

struct haly_graph {
    struct object object;
    struct short_lock lock; /* launches and updates come one after another; also guards what follows. It is held over
                               a submit, since hardly ever do two threads launch the same graph. */
    struct recording recording; /* its nodes keep kind and object for ever, so those may be read without the lock */
    struct graph_memory *memory;
    uint32_t memory_count, memory_capacity;

    /* Made by graph_prepare(). */
    bool is_prepared;
    uint64_t mapping_epoch; /* of the context, when addresses were resolved */
    char *resolved;         /* the records in the backend's form, and room for one record command behind them */
    uint64_t resolved_capacity;
    struct graph_run *runs;
    uint64_t run_count, run_capacity;

    /* Where the latest launch ends: a point; behind launches of a graph that went to several streams, a record. */
    struct timeline_point end; /* counted; its timeline is NULL where a record stands for it */
    bool is_torn;              /* at `end`, since the rest of that launch was refused */
    bool is_shared;
    struct event_record *launched; /* counted; of the latest launch that was queued whole */
};

haly_graph *graph_create(haly_context *context);
void graph_destroy(struct object *object);

/* Replaces nodes. */
haly_status graph_edit(haly_graph *graph, uint64_t first_node, const struct recording *edits);

#endif
