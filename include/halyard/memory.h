/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file memory.h
 * Device memory, pinned host memory, and what Halyard knows about an address.
 *
 * Device addresses are ordinary pointers: interior ones work everywhere, and none may be dereferenced by the host.
 * Memory comes from large segments through a caching, stream-ordered allocator. A block that was freed in a stream is
 * handed out again at once in that stream's order, and elsewhere only when the other stream has already waited past
 * the free or the work has finished; no dependency is ever added.                                         [MEM-001]
 * New memory is not initialised.                                                                          [MEM-002]
 */
#ifndef HALYARD_MEMORY_H
#define HALYARD_MEMORY_H

#include <halyard/context.h>
#include <halyard/dtype.h>

HALY_BEGIN_DECLS

enum {
    HALY_MEMORY_DEDICATED = 1 << 0, /**< a segment of its own, given back to the device when freed */
    /** Kernels read addresses from it. Refused in contexts whose addresses are not native, where they mean nothing to
     *  the device, and in movable ones.                                                                   [MEM-003] */
    HALY_MEMORY_HOLDS_ADDRESSES = 1 << 1,
    HALY_MEMORY_ZERO = 1 << 2, /**< filled with zero; with haly_malloc_async in stream order, else before return */
    HALY_MEMORY_FLAGS_MAX_ENUM = 0x7fffffff
};

/** What a snapshot does with an allocation. */
typedef enum haly_retention {
    HALY_RETAIN_KEEP = 0,    /**< its bytes travel */
    HALY_RETAIN_REBUILD = 1, /**< its bytes do not travel: the program fills it again */
    HALY_RETAIN_DISCARD = 2, /**< its bytes do not matter */
    HALY_RETENTION_MAX_ENUM = 0x7fffffff
} haly_retention;

typedef struct haly_memory_desc {
    uint32_t struct_size; /**< HALY_MEMORY_DESC_INIT */
    uint32_t flags;       /**< HALY_MEMORY_… */
    uint64_t alignment;   /**< 0: the device's; else a power of two up to 2 MiB */
    uint64_t deadline;    /**< haly_malloc only: how long it may wait for pending frees when memory is short */
    const haly_ext *ext;
} haly_memory_desc;
#define HALY_MEMORY_DESC_INIT HALY_INIT(haly_memory_desc, ext)

/** What an address is. */
typedef enum haly_memory_class {
    HALY_MEMORY_UNKNOWN = 0,    /**< not Halyard's and the backends do not know it: ordinary host memory */
    HALY_MEMORY_DEVICE = 1,     /**< inside a live allocation of a context */
    HALY_MEMORY_PINNED = 2,     /**< from haly_host_alloc() */
    HALY_MEMORY_REGISTERED = 3, /**< inside a range given to haly_host_register() */
    HALY_MEMORY_FOREIGN = 4,    /**< device memory that Halyard did not allocate, known to a backend */
    HALY_MEMORY_CLASS_MAX_ENUM = 0x7fffffff
} haly_memory_class;

typedef struct haly_memory_info {
    uint32_t struct_size; /**< HALY_MEMORY_INFO_INIT */
    haly_memory_class memory_class;
    haly_context *context; /**< NULL for unknown memory; no new reference */
    void *base;            /**< start of the allocation that holds the address */
    uint64_t size;         /**< as asked for */
    uint64_t offset;       /**< of the address in it */
    uint32_t flags;        /**< HALY_MEMORY_… of the allocation */
    haly_retention retention;
    haly_dtype dtype; /**< as described, or HALY_DTYPE_NONE */
    uint32_t rank;
    int64_t shape[HALY_MAX_RANK];
    const char *name; /**< as described, or ""; valid as long as the allocation */
} haly_memory_info;
#define HALY_MEMORY_INFO_INIT HALY_INIT(haly_memory_info, name)

/** How an allocation is described, for snapshots and for people who look at them. */
typedef struct haly_memory_description {
    uint32_t struct_size; /**< HALY_MEMORY_DESCRIPTION_INIT */
    haly_retention retention;
    const char *name; /**< up to 127 bytes, copied; NULL: none */
    haly_dtype dtype; /**< or HALY_DTYPE_NONE */
    uint32_t rank;
    int64_t shape[HALY_MAX_RANK];
} haly_memory_description;
#define HALY_MEMORY_DESCRIPTION_INIT HALY_INIT(haly_memory_description, shape)

/** Counters of one context. Bytes are of device memory unless said otherwise. */
typedef struct haly_memory_stats {
    uint32_t struct_size; /**< HALY_MEMORY_STATS_INIT */
    uint32_t reserved;
    uint64_t limit_bytes;     /**< 0: none */
    uint64_t allocated_bytes; /**< in live allocations, rounding included */
    uint64_t allocated_peak;  /**< highest value of the former */
    uint64_t segment_bytes;   /**< taken from the backend */
    uint64_t segment_peak;
    uint64_t cached_bytes;       /**< free in segments, ready to be handed out */
    uint64_t pending_bytes;      /**< freed, waiting for queued work */
    uint64_t largest_free_bytes; /**< largest block that is free now */
    uint64_t allocation_count;   /**< live allocations */
    uint64_t segment_count;
    uint64_t malloc_calls; /**< since open */
    uint64_t cache_hits;   /**< of them, served without the backend */
    uint64_t pinned_bytes; /**< host memory pinned by haly_host_alloc and by staging */
} haly_memory_stats;
#define HALY_MEMORY_STATS_INIT HALY_INIT(haly_memory_stats, pinned_bytes)

/**
 * Allocates device memory that any stream may use at once.                                                [MEM-004]
 * When memory is short: merges and returns cached memory, then waits for pending frees until desc->deadline, then
 * fails. @param size bytes; 0 gives NULL and HALY_OK. @param desc NULL for the documented defaults.
 * @return HALY_OK; HALY_ERR_DEVICE_OOM (names the size asked, the limit and the largest free block);
 *         HALY_ERR_HOST_OOM; HALY_ERR_INVALID (alignment, overflow); HALY_ERR_UNSUPPORTED (flag). Any thread.
 * Since 1.0.
 */
HALY_API haly_status haly_malloc(haly_context *context, uint64_t size, const haly_memory_desc *desc,
                                 void **out_address);

/**
 * Frees device memory once everything submitted so far in the context has finished; never waits. NULL is fine.
 * @return HALY_OK; HALY_ERR_INVALID (not the start of a live allocation of this context: says what it is); [MEM-005]
 *         HALY_ERR_HOST_OOM (no room to note what to wait for: it stays allocated). Any thread. Since 1.0.
 */
HALY_API haly_status haly_free(haly_context *context, void *address);

/** Allocates in stream order: the block may be one whose free is still queued in this stream. Other streams may use it
 *  after an event recorded behind this call. Never waits. Errors as haly_malloc. [MEM-006] Since 1.0. */
HALY_API haly_status haly_malloc_async(haly_stream *stream, uint64_t size, const haly_memory_desc *desc,
                                       void **out_address);

/** Frees in stream order: work queued before in this stream may still use it; work of other streams only if this stream
 *  waited for it, or haly_memory_used_on() names them. [MEM-007] Since 1.0. */
HALY_API haly_status haly_free_async(haly_stream *stream, void *address);

/** Says that work queued so far in `stream` uses the allocation: its memory is not handed out again before that work
 *  has finished. [MEM-008] Since 1.0. */
HALY_API haly_status haly_memory_used_on(haly_stream *stream, void *address);

/** Describes the allocation that starts at `address`. Replaces an earlier description. Since 1.0. */
HALY_API haly_status haly_memory_describe(haly_context *context, void *address,
                                          const haly_memory_description *description);

/** What an address is. Never fails for an address: unknown memory is an answer. [MEM-009] Any thread. Since 1.0. */
HALY_API haly_status haly_memory_info_get(const void *address, haly_memory_info *out_info);

/** Since 1.0. */
HALY_API haly_status haly_memory_stats_get(haly_context *context, haly_memory_stats *out_stats);

/** Returns idle cached segments to the device, down to `keep_bytes` of cached memory. Since 1.0. */
HALY_API haly_status haly_memory_trim(haly_context *context, uint64_t keep_bytes);

/**
 * Allocates pinned host memory: ordinary memory of the host whose copies need no staging. 64-byte aligned at least.
 * @return HALY_OK; HALY_ERR_HOST_OOM; HALY_ERR_INVALID. [MEM-010] Since 1.0.
 */
HALY_API haly_status haly_host_alloc(haly_context *context, uint64_t size, void **out_address);

/** Frees it. Copies that name it must have finished. NULL is fine. [MEM-011] Since 1.0. */
HALY_API haly_status haly_host_free(haly_context *context, void *address);

/** Registers host memory of the caller's, so that its copies need no staging. Ranges must not overlap registered ones.
 *  @return HALY_OK; HALY_ERR_INVALID; HALY_ERR_UNSUPPORTED (device without HALY_CAP_HOST_REGISTER). [MEM-012]
 * Since 1.0. */
HALY_API haly_status haly_host_register(haly_context *context, void *address, uint64_t size);

/** Ends a registration that starts at `address`. Since 1.0. */
HALY_API haly_status haly_host_unregister(haly_context *context, void *address);

HALY_END_DECLS

#endif
