/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file stream.h
 * Streams: ordered queues of commands on a device.
 *
 * Commands of one stream run in order; streams are independent of each other until one waits for an event of the other.
 * There is no default stream and no implicit synchronisation.                                             [STR-001]
 * Submitting never waits for queued work; it may wait for room in a full queue.                           [STR-002]
 * Calls that submit to one stream need the caller's ordering; waiting on, querying and releasing it do not. [STR-003]
 * A failed command fails its stream: later waits and queries return the first failure, and so does every stream that
 * waited for it. Host calls still run exactly once.                                                       [STR-004]
 * A call whose commands are refused leaves the stream as it was; when a part of them was accepted already, it fails the
 * stream with what it returns. Records of events alone are no such part: those may be repeated with the call.
 */
#ifndef HALYARD_STREAM_H
#define HALYARD_STREAM_H

#include <halyard/memory.h>

HALY_BEGIN_DECLS

typedef struct haly_stream_desc {
    uint32_t struct_size; /**< HALY_STREAM_DESC_INIT */
    uint32_t flags;       /**< 0 */
    int32_t priority;     /**< a hint: higher is sooner, 0 is normal */
    uint32_t reserved;    /**< 0 */
    const char *name;     /**< NULL or up to 63 bytes */
    const haly_ext *ext;
} haly_stream_desc;
#define HALY_STREAM_DESC_INIT HALY_INIT(haly_stream_desc, ext)

/** A rectangle copied row by row: `height` rows of `width` bytes, `…_pitch` bytes from row to row. */
typedef struct haly_copy_2d_desc {
    uint32_t struct_size; /**< HALY_COPY_2D_DESC_INIT */
    uint32_t reserved;    /**< 0 */
    void *dst;
    uint64_t dst_pitch; /**< at least width */
    const void *src;
    uint64_t src_pitch; /**< at least width */
    uint64_t width;
    uint64_t height;
} haly_copy_2d_desc;
#define HALY_COPY_2D_DESC_INIT HALY_INIT(haly_copy_2d_desc, height)

/**
 * What a host call runs. `status` is HALY_OK, or the failure of the stream so far. Returning anything but HALY_OK fails
 * the stream with HALY_ERR_HOST_CALL and that number as native code. It must not call Halyard, except for status names,
 * and must not wait for device work.
 */
typedef haly_status (*haly_host_fn)(void *user, haly_status status);

/** Creates a stream. @param desc NULL for the documented defaults. @return HALY_OK; HALY_ERR_RESOURCE_EXHAUSTED (the
 *  device has no more); HALY_ERR_HOST_OOM; HALY_ERR_INVALID. Any thread. [STR-005] Since 1.0. */
HALY_API haly_status haly_stream_create(haly_context *context, const haly_stream_desc *desc, haly_stream **out_stream);

/** Adds a reference. NULL is fine. Since 1.0. */
HALY_API void haly_stream_retain(haly_stream *stream);

/** Gives a reference back. Never waits: queued work goes on and what it needs is kept until it has finished. NULL is
 *  fine. [STR-006] Since 1.0. */
HALY_API void haly_stream_release(haly_stream *stream);

/**
 * Copies `size` bytes between any two addresses, in stream order; the direction follows from the addresses. [COPY-001]
 * Host memory may be pageable; it is read or written before the stream completes, so it must stay valid until then,
 * and the call does not wait for that.                                                                    [COPY-002]
 * Ranges of device memory must lie inside one live allocation. Overlapping ranges are INVALID.            [COPY-003]
 * Size 0 is fine and queues nothing.
 * @return HALY_OK; HALY_ERR_INVALID (nothing is queued); HALY_ERR_DEVICE_LOST. Since 1.0.
 */
HALY_API haly_status haly_copy(haly_stream *stream, void *dst, const void *src, uint64_t size);

/** The same for a rectangle. Rows of one side must not overlap each other; columns of one matrix (the same pitch on
 *  both sides) may be copied beside themselves. [COPY-004] Since 1.0. */
HALY_API haly_status haly_copy_2d(haly_stream *stream, const haly_copy_2d_desc *desc);

/**
 * Fills device or pinned memory with a repeated pattern of 1, 2, 4, 8 or 16 bytes, read before the call returns.
 * `size` must be a multiple of pattern_size, dst aligned to it. [COPY-005] Since 1.0.
 */
HALY_API haly_status haly_fill(haly_stream *stream, void *dst, const void *pattern, uint32_t pattern_size,
                               uint64_t size);

/** Runs `fn(user, status)` on the host in stream order, exactly once, on a thread of Halyard's or of a waiting caller.
 *  Signals may be blocked there, except, on threads of Halyard's, those that a fault raises. One that blocks may hold
 *  up host calls of other streams (devices differ in how many run at once), but nothing else. [STR-007] Since 1.0. */
HALY_API haly_status haly_host_call(haly_stream *stream, haly_host_fn fn, void *user);

/** Names what is submitted from now on, for error details and traces: up to 63 bytes, copied; NULL or "" ends it.
 *  [STR-008] Since 1.0. */
HALY_API haly_status haly_stream_set_label(haly_stream *stream, const char *label);

/** Waits until all that was submitted before has finished. @return HALY_OK; HALY_TIMEOUT; the stream's first failure,
 *  with the command's sequence and label in the detail. Any thread. [STR-009] Since 1.0. */
HALY_API haly_status haly_stream_sync(haly_stream *stream, uint64_t deadline);

/** HALY_OK when all submitted work has finished, HALY_NOT_READY, or the stream's first failure. Never blocks. Any
 *  thread. [STR-010] Since 1.0. */
HALY_API haly_status haly_stream_query(haly_stream *stream);

HALY_END_DECLS

#endif
