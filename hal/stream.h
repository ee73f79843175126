/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream and the one path every command takes: checked by its typed public function, then submitted here, where it is
 * captured, shown to the layers (layers/layers.h), deferred or resolved in place and given to the backend.
 *
 * Records are made in public form: addresses as the program knows them and core objects (struct haly_kernel *, struct
 * haly_plan *, struct event_record *) where halyard/command.h speaks of private blocks. stream_resolve() turns them
 * into the backend's form, in place.
 */
#ifndef HAL_STREAM_H
#define HAL_STREAM_H

#include <halyard/command.h>
#include <halyard/graph.h>

#include "context.h"
#include "timeline.h"

enum stream_gate {
    STREAM_CAPTURING = 1 << 0, /* records go to the capture */
    STREAM_DEFERRED = 1 << 1,  /* earlier commands wait in the core: later ones queue behind them */
    STREAM_WRAPPED = 1 << 2,   /* the caller's native stream: never deferred, never captured by us */
    STREAM_GIVEN = 1 << 3,     /* its native stream was given out: never deferred from then on */
    STREAM_LAYERED = 1 << 4,   /* layers see what is submitted */
};

struct deferred;     /* records the service has not issued yet, see service.c */
struct capture;      /* see capture.c */
struct event_record; /* see event.h */

/* A plan that is being run. */
struct operator_run {
    haly_plan *plan;
    void *const *addresses;
};

struct haly_stream {
    struct object object;
    struct timeline *timeline;                 /* counted */
    void *block;                               /* the backend's */
    _Atomic uint32_t gate;                     /* enum stream_gate; 0 is the direct path */
    struct capture *capture;                   /* while capturing */
    const struct operator_run *running;        /* whose records are submitted; only if stream_is_watched() */
    haly_stream *next_deferred;                /* among the context's deferred streams; under the service's lock */
    struct deferred *deferred, *deferred_last; /* queue; under the service's lock */
};

/* Class of memory in copy records, beside those of haly_memory_class: device memory of another context, which the
 * backend cannot reach. Such copies are the service's. */
#define MEMORY_ELSEWHERE 0x100U

/*
 * Submits `count` records of `bytes` in all. The records are scratch: they are rewritten in place. All or nothing is
 * accepted, unless the backend fails in the middle. Callers have checked ranges and objects.
 */
haly_status stream_submit(haly_stream *stream, void *records, uint64_t bytes, uint32_t count);

/* The same for records that have passed the capture and the layers. */
haly_status stream_submit_plain(haly_stream *stream, void *records, uint64_t bytes, uint32_t count);

/* What a submitting function calls that succeeds without anything to do: in a capture it makes a node all the same.
 * `object` is the kernel or plan that it was for, or NULL. */
haly_status stream_submit_nothing(haly_stream *stream, uint16_t kind, void *object);

/*
 * Gives records to the backend that are in its form already, to a direct stream; none of them needs the service or
 * concerns an event, except that the last may be a record command, of `last`. They stay as they are.
 */
haly_status stream_submit_resolved(haly_stream *stream, const void *records, uint64_t bytes, uint32_t count,
                                   struct event_record *last);

/* The two sides of a copy of either kind. */
struct copy_sides {
    const void *dst, *src;
    uint32_t dst_class, src_class; /* haly_memory_class, or MEMORY_ELSEWHERE */
};

/* False when the record is no copy. */
bool command_copy_sides(const haly_command *record, struct copy_sides *out_sides);

static inline bool copy_is_elsewhere(const struct copy_sides *sides)
{
    return sides->dst_class == MEMORY_ELSEWHERE || sides->src_class == MEMORY_ELSEWHERE;
}

/* Whether the service must run a record because the backend's queue cannot take it. */
bool command_needs_service(const haly_context *context, const haly_command *record);

/* Turns records into the backend's form, in place. */
void records_resolve(haly_context *context, void *records, uint64_t bytes);

/* Gives resolved records to the backend and counts what it accepted. Refused ones fail the stream when others of them
 * were accepted that cannot be done again. */
haly_status stream_issue(haly_stream *stream, const void *records, uint64_t bytes, uint64_t first_sequence,
                         uint64_t *out_accepted);

/* HALY_ERR_INVALID, naming both, unless the object (any but an instance or device) is of the stream's context. */
haly_status check_same_context(const void *object, const haly_stream *stream);

/* HALY_ERR_CAPTURING, naming `what`, while the stream is captured. */
haly_status stream_refuse_in_capture(haly_stream *stream, const char *what);

/* The native stream is given out: from now on everything is on it when a call returns. HALY_ERR_BUSY while commands
 * wait in the core, HALY_ERR_CAPTURING in a capture. */
haly_status stream_give_out(haly_stream *stream);

/* Destroys an idle stream that was taken out of its context. */
void stream_destroy(struct object *object);

static inline bool stream_is_capturing(haly_stream *stream)
{
    return (atomic_load_explicit(&stream->gate, memory_order_relaxed) & STREAM_CAPTURING) != 0;
}

/* Captured or layered: somebody looks at calls and records before the backend does. */
static inline bool stream_is_watched(haly_stream *stream)
{
    return (atomic_load_explicit(&stream->gate, memory_order_relaxed) & (STREAM_CAPTURING | STREAM_LAYERED)) != 0;
}

/* The program has its native stream: it is never deferred. */
static inline bool stream_is_native(haly_stream *stream)
{
    return (atomic_load_explicit(&stream->gate, memory_order_relaxed) & (STREAM_WRAPPED | STREAM_GIVEN)) != 0;
}

/* Nothing stands between the backend and what needs no service. */
static inline bool stream_is_direct(haly_stream *stream)
{
    return (atomic_load_explicit(&stream->gate, memory_order_acquire) &
            (STREAM_CAPTURING | STREAM_DEFERRED | STREAM_LAYERED)) == 0;
}

static inline const haly_command *command_next(const haly_command *record)
{
    return (const haly_command *)((const char *)record + record->size);
}

/* First line of public functions that submit. */
#define ENTRY_STREAM(stream_) ENTRY_LIVE(stream_, HALY_OBJECT_STREAM, (stream_)->object.context)

#endif
