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
 * Handing one out of a movable context is refused (HALY_ERR_UNSUPPORTED): it would pin the context to its vendor.
 * @return HALY_OK; HALY_ERR_UNSUPPORTED (the backend has no native handle of the kind). Since 1.0.
 */
HALY_API haly_status haly_native_get(void *object, haly_native *out_native);

/** Makes a stream of the caller's native one. The caller keeps owning it and keeps it alive; releasing the stream never
 *  destroys it. @return HALY_OK; HALY_ERR_UNSUPPORTED (device without HALY_CAP_WRAP_STREAM, or movable context);
 *  HALY_ERR_INVALID (another backend's handle). [NAT-002] Since 1.0. */
HALY_API haly_status haly_stream_wrap(haly_context *context, const haly_native *native, haly_stream **out_stream);

HALY_END_DECLS

#endif
