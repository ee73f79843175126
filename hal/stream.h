/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream and the one path every command takes: checked by its typed public function, then submitted here, where it is
 * captured, deferred or resolved in place and given to the backend.
 *
 * Records are made in public form: addresses as the program knows them and core objects (struct haly_kernel *, struct
 * haly_plan *, struct event_record *) where halyard/command.h speaks of private blocks. stream_submit() turns them into
 * the backend's form, in place.
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
};

struct haly_stream {
    struct object object;
    struct timeline *timeline;
    void *block;           /* the backend's */
    _Atomic uint32_t gate; /* enum stream_gate; 0 is the direct path */
    bool wrapped;
    struct capture *capture;   /* while capturing */
    struct deferred *deferred; /* queue of records not yet issued; under the service's lock */
};

/*
 * Submits `count` records of `bytes` in all. The records are scratch: they are rewritten in place. All or nothing is
 * accepted, unless the backend fails in the middle. Callers have checked ranges and objects.
 */
haly_status stream_submit(haly_stream *stream, void *records, uint64_t bytes, uint32_t count);

/* HALY_ERR_CAPTURING, naming `what`, while the stream is captured. */
haly_status stream_refuse_in_capture(haly_stream *stream, const char *what);

static inline bool stream_is_capturing(haly_stream *stream)
{
    return (atomic_load_explicit(&stream->gate, memory_order_relaxed) & STREAM_CAPTURING) != 0;
}

/* First line of public functions that submit. */
#define ENTRY_STREAM(stream_) ENTRY_LIVE(stream_, HALY_OBJECT_STREAM, (stream_)->object.context)

#endif
