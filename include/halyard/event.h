/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file event.h
 * Events: points in a stream that other streams and the host can wait for.
 *
 * Recording again is allowed at any time and moves the event to the new point. A wait binds to the latest record made
 * before it. A never-recorded event is complete: waiting for it or querying it is HALY_OK at once.        [EVT-001]
 * The same everywhere; decided in the core.
 */
#ifndef HALYARD_EVENT_H
#define HALYARD_EVENT_H

#include <halyard/stream.h>

HALY_BEGIN_DECLS

enum {
    HALY_EVENT_TIMED = 1 << 0, /**< haly_event_elapsed() works */
    HALY_EVENT_FLAGS_MAX_ENUM = 0x7fffffff
};

typedef struct haly_event_desc {
    uint32_t struct_size; /**< HALY_EVENT_DESC_INIT */
    uint32_t flags;       /**< HALY_EVENT_… */
    const char *name;     /**< NULL or up to 63 bytes */
    const haly_ext *ext;
} haly_event_desc;
#define HALY_EVENT_DESC_INIT HALY_INIT(haly_event_desc, ext)

/** @param desc NULL for the documented defaults. @return HALY_OK; HALY_ERR_UNSUPPORTED (timed, on a device without
 *  HALY_CAP_TIMING); HALY_ERR_RESOURCE_EXHAUSTED; HALY_ERR_HOST_OOM; HALY_ERR_INVALID. Any thread. Since 1.0. */
HALY_API haly_status haly_event_create(haly_context *context, const haly_event_desc *desc, haly_event **out_event);

/** Adds a reference. NULL is fine. Since 1.0. */
HALY_API void haly_event_retain(haly_event *event);

/** Gives a reference back; waits already queued are kept. Never waits. NULL is fine. [EVT-002] Since 1.0. */
HALY_API void haly_event_release(haly_event *event);

/** Records the event behind all that was submitted to the stream. Both must be of one context. [EVT-003] Since 1.0. */
HALY_API haly_status haly_event_record(haly_event *event, haly_stream *stream);

/** Makes the stream wait for the event's latest record, which may be of another stream, context or vendor. The host
 *  does not wait. [EVT-004] Since 1.0. */
HALY_API haly_status haly_stream_wait(haly_stream *stream, haly_event *event);

/** Waits on the host. @return HALY_OK; HALY_TIMEOUT; the failure of the recorded stream up to the record. Any thread.
 *  [EVT-005] Since 1.0. */
HALY_API haly_status haly_event_sync(haly_event *event, uint64_t deadline);

/** HALY_OK, HALY_NOT_READY, or the failure. Never blocks. Any thread. [EVT-006] Since 1.0. */
HALY_API haly_status haly_event_query(haly_event *event);

/** Nanoseconds from `start` to `end`, negative when they ran in the other order. @return HALY_OK; HALY_NOT_READY (one
 * has not finished); HALY_ERR_INVALID (not timed, never recorded, or of two contexts). [EVT-007] Since 1.0. */
HALY_API haly_status haly_event_elapsed(haly_event *start, haly_event *end, int64_t *out_nanoseconds);

HALY_END_DECLS

#endif
