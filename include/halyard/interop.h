/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file interop.h
 * Native handles both ways, for programs that also call the vendor's own libraries.
 */
#ifndef HALYARD_INTEROP_H
#define HALYARD_INTEROP_H

#include <halyard/event.h>

HALY_BEGIN_DECLS

/** A vendor's own handle. What `kind` and `handle` are is defined by the backend's documentation. */
typedef struct haly_native {
    uint32_t struct_size; /**< HALY_NATIVE_INIT */
    uint32_t kind;
    char backend[32];
    void *handle;
    uint64_t value; /**< for handles that are numbers */
} haly_native;
#define HALY_NATIVE_INIT HALY_INIT(haly_native, value)

/**
 * The native handle of a context, stream, event, module or kernel. Stays Halyard's.                       [NAT-001]
 * Giving one out of a movable context is refused (HALY_ERR_UNSUPPORTED): it would pin the context to its vendor.
 * An event's is that of its latest record, and serves until the event is recorded again or released.
 *
 * A stream whose native stream was given out is treated like a wrapped one from then on: what is submitted is on the
 * native stream when the call returns, in the order of the calls. A copy from or to pageable memory may block
 * instead of being queued, and what the device's own queue cannot take at all (a copy or a wait that involves another
 * context, on some devices a host call) is refused with HALY_ERR_UNSUPPORTED. A failing call leaves the stream as it
 * was. [NAT-003]
 *
 * Where it is a stream's, the calling thread must be one that may submit to it.
 * @return HALY_OK; HALY_ERR_UNSUPPORTED (the backend has no native handle of the kind); HALY_ERR_BUSY (commands of the
 * stream still wait in the library: wait for the stream first); HALY_ERR_CAPTURING (the stream is captured).
 * Since 1.0.
 */
HALY_API haly_status haly_native_get(void *object, haly_native *out_native);

/** Makes a stream of the caller's native one. The caller keeps owning it and keeps it alive; releasing the stream never
 *  destroys it. @return HALY_OK; HALY_ERR_UNSUPPORTED (device without HALY_CAP_WRAP_STREAM, or movable context);
 *  HALY_ERR_INVALID (another backend's handle). [NAT-002] Since 1.0. */
HALY_API haly_status haly_stream_wrap(haly_context *context, const haly_native *native, haly_stream **out_stream);

HALY_END_DECLS

#endif
