/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events and their records. A record is one point of a stream with a pooled event of the backend's; an event points at
 * its latest record, and waits keep the record they were bound to.
 */
#ifndef HAL_EVENT_H
#define HAL_EVENT_H

#include "stream.h"

struct event_record {
    _Atomic uint32_t references;
    uint32_t flags;            /* HALY_EVENT_… of the backend's event */
    struct event_record *next; /* in the context's pool */
    haly_context *context;
    struct timeline *timeline; /* counted; NULL while pooled */
    uint64_t sequence;
    void *block;                /* the backend's event; NULL: a point that nothing was recorded at */
    struct layer_record *layer; /* the validation layer's: what stood in front; NULL: nothing */
};

struct haly_event {
    struct object object;
    uint32_t flags;
    _Atomic bool is_settled; /* the latest record was reached without a failure: nobody needs to ask again */
    struct short_lock lock;
    struct event_record *latest; /* counted; NULL: never recorded */
};

void event_record_retain(struct event_record *record);
void event_record_release(struct event_record *record);

/* Called by the submit path when a record command got its sequence; it may have stood for another point before. */
void event_record_bind(struct event_record *record, struct timeline *timeline, uint64_t sequence);

/* A record from the context's pool, with one reference, for a new point. */
haly_status event_record_acquire(haly_context *context, uint32_t flags, struct event_record **out_record);

/* The record of a point that was submitted without an event behind it. Streams cannot wait for it by themselves: the
 * service waits for them. */
haly_status event_record_of_point(haly_context *context, const struct timeline_point *point,
                                  struct event_record **out_record);

/* Nobody but the caller holds it: it may stand for another point. */
static inline bool event_record_is_ours_alone(struct event_record *record)
{
    return atomic_load_explicit(&record->references, memory_order_acquire) == 1;
}

/* What is submitted to the stream from now on waits for the record. */
haly_status stream_wait_record(haly_stream *stream, struct event_record *record);

void event_destroy(struct object *object);

/* Destroys the pool of an idle context. */
void events_close(haly_context *context);

#endif
