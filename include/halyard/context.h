/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file context.h
 * The context: everything a program holds on one device.
 *
 * Ownership: streams, events, memory, modules, kernels, plans and graphs belong to their context. The context's last
 * release, or abandon, releases them with it; their handles are of no use then. Each can be released earlier. [CTX-001]
 * Every object has a 64-bit id, unique in the process and kept by a move, and an optional name.           [CTX-002]
 */
#ifndef HALYARD_CONTEXT_H
#define HALYARD_CONTEXT_H

#include <halyard/device.h>

HALY_BEGIN_DECLS

enum {
    /**
     * Addresses come from a window that Halyard reserved and never change, not even by a move to another vendor.
     * Native handles and memory that holds addresses pin a context to its vendor and are refused here.    [CTX-003]
     */
    HALY_CONTEXT_MOVABLE = 1 << 0,
    HALY_CONTEXT_FLAGS_MAX_ENUM = 0x7fffffff
};

typedef struct haly_context_desc {
    uint32_t struct_size;  /**< HALY_CONTEXT_DESC_INIT */
    uint32_t flags;        /**< HALY_CONTEXT_… */
    haly_device *device;   /**< NULL: what HALYARD_DEVICE says, or the best usable one */
    const char *name;      /**< NULL or up to 63 bytes; unique among the live contexts of the instance */
    uint64_t memory_limit; /**< bytes of device memory it may hold, 2 MiB at least; 0: HALYARD_MEM_LIMIT, or none */
    uint64_t
        window_bytes; /**< address window of a movable or translated context; 0: 4 x device memory, at most 256 GiB */
    const haly_ext *ext; /**< the backend's options */
} haly_context_desc;
#define HALY_CONTEXT_DESC_INIT HALY_INIT(haly_context_desc, ext)

/** What kind of object an id or name stands for. */
typedef enum haly_object_kind {
    HALY_OBJECT_INSTANCE = 1,
    HALY_OBJECT_DEVICE = 2,
    HALY_OBJECT_CONTEXT = 3,
    HALY_OBJECT_STREAM = 4,
    HALY_OBJECT_EVENT = 5,
    HALY_OBJECT_MODULE = 6,
    HALY_OBJECT_KERNEL = 7,
    HALY_OBJECT_PLAN = 8,
    HALY_OBJECT_GRAPH = 9,
    HALY_OBJECT_COMM = 10,
    HALY_OBJECT_KIND_MAX_ENUM = 0x7fffffff
} haly_object_kind;

/** A context as it stands. */
typedef struct haly_context_info {
    uint32_t struct_size; /**< HALY_CONTEXT_INFO_INIT */
    uint32_t flags;       /**< as opened */
    uint64_t id;
    haly_device *device;
    const char *name;              /**< "" when none; valid as long as the context */
    haly_status status;            /**< HALY_OK, or the failure the context latched */
    uint32_t addresses_are_native; /**< 1: device addresses are the vendor's own */
    uint64_t window_base;          /**< 0 when it has no window */
    uint64_t window_bytes;
} haly_context_info;
#define HALY_CONTEXT_INFO_INIT HALY_INIT(haly_context_info, window_bytes)

/**
 * Opens a context on a device.                                                                            [CTX-004]
 * @param desc NULL for the documented defaults.
 * @return HALY_OK; HALY_ERR_INVALID; HALY_ERR_NOT_FOUND or HALY_ERR_UNAVAILABLE (no usable device; says why of each);
 *         HALY_ERR_RESOURCE_EXHAUSTED (no address range free for the window: names its size); HALY_ERR_DEVICE_OOM;
 *         HALY_ERR_HOST_OOM; the vendor's failures. May take seconds on a device's first use. Any thread. Since 1.0.
 */
HALY_API haly_status haly_context_open(haly_instance *instance, const haly_context_desc *desc,
                                       haly_context **out_context);

/** Adds a reference. NULL is fine. Since 1.0. */
HALY_API void haly_context_retain(haly_context *context);

/**
 * Gives a reference back. The last one releases all the context holds. Never waits: what is idle is freed at once,
 * the rest when its queued work has finished. Host memory named by unfinished copies and host calls must stay valid
 * until then; haly_context_sync() first is the simple way. NULL is fine. [CTX-005] Since 1.0.
 */
HALY_API void haly_context_release(haly_context *context);

/**
 * Gives up a hung or lost device: wakes every waiter with HALY_ERR_ABANDONED, latches the context, and never calls the
 * vendor for it again; what it held is leaked. The reference is kept: release it as usual. Any thread. [CTX-006]
 * Since 1.0.
 */
HALY_API haly_status haly_context_abandon(haly_context *context);

/** Waits until all that was submitted before to any stream of the context has finished. @return HALY_OK; HALY_TIMEOUT;
 *  HALY_ERR_HOST_OOM; the first failure of any stream. Any thread. [CTX-007] Since 1.0. */
HALY_API haly_status haly_context_sync(haly_context *context, uint64_t deadline);

/** Since 1.0. */
HALY_API haly_status haly_context_info_get(haly_context *context, haly_context_info *out_info);

/**
 * Finds an object of the context by name, or by id when `name` is NULL. Streams, events, modules, plans and graphs
 * are found; the handle comes without a new reference.                                                    [CTX-008]
 * @return HALY_OK; HALY_ERR_NOT_FOUND; HALY_ERR_INVALID (kind, empty name). Since 1.0.
 */
HALY_API haly_status haly_context_find(haly_context *context, haly_object_kind kind, const char *name, uint64_t id,
                                       void **out_object);

/** The id of any object of this API; 0 for NULL. Since 1.0. */
HALY_API uint64_t haly_object_id(const void *object);

/** Names an object (up to 63 bytes; NULL or "" takes the name away), unique among its kind in its context.
 *  @return HALY_OK; HALY_ERR_INVALID (too long, not UTF-8, taken: says by which id). Since 1.0. */
HALY_API haly_status haly_object_name_set(void *object, const char *name);

HALY_END_DECLS

#endif
