/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file backend.h
 * What a backend implements: the only Halyard header that backend code includes. A guide: backends/README.md.
 *
 * A backend is a shared object libhalyard_backend_<name>.so that exports one function, halyard_backend_<name>, of type
 * haly_backend_entry. It returns a table of functions. The core copies the table and fills what is missing with
 * functions that return HALY_ERR_UNSUPPORTED, so a short or sparse table is fine. The table itself may go once the
 * entry function has returned; the texts and parameters that it points at stay.
 *
 * Objects are the core's. The table states how many bytes the backend wants for each kind of object; the core hands it
 * zeroed, 64-byte aligned blocks of that size ("private blocks") which stay at their address while the object lives,
 * and nothing else. The core guarantees: no entry is called for a dead object; children end before their parent; no
 * lock of the core is held across a call. Entries are called by any thread, several at the same time, for one object
 * too: a device may be sampled and opened, a context asked for memory, streams, events, modules and plans, a module for
 * kernels, a stream queried, waited for and submitted to. Only these are never called at the same time for one object:
 * submit for a stream; what makes or ends an object, with anything else for that object.
 *
 * Reporting failure: `return core->fail(status, scope, recovery, native_code, native_text, "format", …)`. A failure
 * that shows later, of a queued command, goes to core->stream_failed(). A backend never prints, exits or aborts, keeps
 * no mutable globals but the core's table and the vendor's symbols, and calls nothing of the vendor from destructors.
 * The process is the program's: a backend, its constructors included, leaves environment, locale, working directory,
 * file mode mask and signal handling alone. The core does not undo what one does there.
 *
 * Threads may be cancelled. The core puts that off around all entries but submit, queries and those of events, which
 * must not be points of cancellation themselves.
 */
#ifndef HALYARD_BACKEND_H
#define HALYARD_BACKEND_H

#include <halyard/command.h>
#include <halyard/device.h>
#include <halyard/event.h>
#include <halyard/interop.h>
#include <halyard/module.h>
#include <halyard/plan.h>

HALY_BEGIN_DECLS

/** Major: must be equal. Minor: grows when entries are appended; any mix works. */
#define HALY_BACKEND_ABI_MAJOR 1
#define HALY_BACKEND_ABI_MINOR 0

/** Marks the entry function; everything else in a backend is hidden. */
#define HALY_BACKEND_EXPORT __attribute__((visibility("default")))

/** A parameter of the backend's: HALYARD_<BACKEND>_<NAME>. It appears in `halyard info --env`. */
typedef struct haly_backend_param {
    const char *name;          /**< "threads": HALYARD_CPU_THREADS */
    const char *type;          /**< grammar in words, for people */
    const char *default_value; /**< as text */
    const char *help;
} haly_backend_param;

/** What probe() finds without initialising anything. */
typedef struct haly_backend_probe {
    uint32_t struct_size;
    uint32_t device_count; /**< 0 when unknown before enumeration and at least one may be there: then set `maybe` */
    uint32_t maybe;
    uint32_t reserved;
    char version[64]; /**< of driver or runtime, "" when unknown */
} haly_backend_probe;

typedef struct haly_backend_context_desc {
    uint32_t struct_size;
    uint32_t flags; /**< HALY_CONTEXT_… */
    const haly_ext *ext;
} haly_backend_context_desc;

/** A block of device memory that the core sub-allocates. */
typedef struct haly_segment_desc {
    uint32_t struct_size;
    uint32_t flags;     /**< HALY_MEMORY_DEDICATED, … */
    uint64_t size;      /**< a multiple of 2 MiB, or of the alignment when dedicated */
    uint64_t alignment; /**< power of two */
    /** Not NULL (devices with HALY_CAP_PLACEMENT only): the segment must stand exactly here. The range is reserved by
     * the core with PROT_NONE; the backend maps over it and, on free, leaves it PROT_NONE again, with no gap in time.
     */
    void *place;
} haly_segment_desc;

/**
 * One image of kernels: what image_rank() judges and module_load() loads. Texts are never NULL unless it says so. All
 * is valid during the call, `kernels` and what it points at as long as the module.
 */
typedef struct haly_backend_image {
    uint32_t struct_size;
    haly_module_format format; /**< never AUTO or BUNDLE */
    const void *data;          /**< followed by a 0 byte that `size` does not count; NULL for HALY_MODULE_OPERATORS */
    uint64_t size;
    const char *path;            /**< the file that holds this image and nothing else, or NULL */
    const char *label;           /**< what messages call it: "/a/b.halb, image 2" */
    const char *architecture;    /**< as haly_device_spec.architecture; "" when it says nothing */
    const char *minimum_version; /**< of the driver, runtime or language it needs: "8.1"; "" when it says nothing */
    const char *options;         /**< for the compiler, beyond what the backend gives itself; "" */
    /** What its kernels are like; the core checks names and launches by it. NULL: the image itself says. */
    const haly_kernel_info *kernels;
    uint32_t kernel_count;
    uint32_t kernel_size; /**< sizeof(haly_kernel_info) of the core */
    const haly_ext *ext;
} haly_backend_image;

/** One piece of what a cached result depends on. */
typedef struct haly_cache_part {
    const void *data;
    uint64_t size;
} haly_cache_part;

/** What plan_create() says of a plan of the backend's own. */
typedef struct haly_backend_plan {
    uint32_t struct_size;
    uint32_t reserved;
    uint64_t workspace_bytes;
    char path[96]; /**< for haly_plan_info, without the backend's name: "quantized_matmul avx512" */
} haly_backend_plan;

/** What the core offers a backend. Valid for the life of the process. */
typedef struct haly_core_table {
    uint32_t struct_size;
    uint16_t abi_major, abi_minor;

    /** Writes the calling thread's failure detail and returns `status`. native_text may be NULL; it is copied. */
    haly_status (*fail)(haly_status status, haly_error_scope scope, haly_error_recovery recovery, int64_t native_code,
                        const char *native_text, const char *format, ...) HALY_PRINTF_LIKE(6, 7);

    /** One log line at a level of haly_log_level. */
    void (*log)(haly_log_level level, const char *format, ...) HALY_PRINTF_LIKE(2, 3);

    /** Value in force of a parameter the backend declared: "threads" for HALYARD_CPU_THREADS. Text that stays valid. */
    const char *(*param)(const char *backend, const char *name);

    /**
     * A queued command failed. `stream` is the core's token from stream_create. Sequences count the stream's commands
     * from 1. Comes before the command counts as finished. The first failure of a stream is kept; the core lets
     * dependents see it. The calling thread's detail is not touched. May be called from any thread.
     */
    void (*stream_failed)(void *stream, uint64_t sequence, haly_status status, haly_error_scope scope,
                          haly_error_recovery recovery, int64_t native_code, const char *text);

    /** HALY_OK, or the stream's first failure at or before command `sequence`, failures it depends on included: for the
     *  `status` argument of host calls, and to skip what would work on garbage. Cheap while nothing failed. Any thread.
     */
    haly_status (*stream_status)(void *stream, uint64_t sequence);

    /**
     * Looks for a result of compiling that was kept on disk (HALYARD_CACHE_DIR). The key is the backend's name and the
     * parts in order: everything that the result depends on (source, options, compiler, device, driver). What is found
     * is whole, was written by this user, and is the caller's to give back with cache_free(). @return HALY_OK, or
     * HALY_ERR_NOT_FOUND for whatever reason, without a failure detail.
     */
    haly_status (*cache_get)(const char *backend, const haly_cache_part *parts, uint32_t count, void **out_data,
                             uint64_t *out_size);
    /** Keeps a result. Best effort: what goes wrong is logged and costs the next process its time. */
    void (*cache_put)(const char *backend, const haly_cache_part *parts, uint32_t count, const void *data,
                      uint64_t size);
    void (*cache_free)(void *data);
} haly_core_table;

/** The table of a backend. Append-only; see the file comment for the general rules. */
typedef struct haly_backend_table {
    uint32_t struct_size; /**< HALY_SIZE_THROUGH(haly_backend_table, last member it sets) */
    uint16_t abi_major, abi_minor;
    const char *name;    /**< [a-z0-9_]{1,32}; must match the file and the entry */
    const char *version; /**< of the backend itself */
    const haly_backend_param *params;
    uint32_t param_count;
    uint32_t param_size; /**< sizeof(haly_backend_param), or 0 for that */

    /** Bytes of the private blocks; 0 is fine. */
    uint32_t device_size, context_size, segment_size, stream_size, event_size, module_size, kernel_size, plan_size;

    /** Is the backend usable here? Initialises no vendor library. May be called by several instances at once.
     *  @return HALY_OK; HALY_ERR_UNAVAILABLE and why; HALY_ERR_INVALID: a parameter is wrong, which fails the instance.
     */
    haly_status (*probe)(haly_backend_probe *out_probe);

    /** Number of devices. May initialise the vendor's library; called at most once per instance, by several instances
     * at once. */
    haly_status (*device_count)(uint32_t *out_count);
    haly_status (*device_open)(uint32_t index, void *device, haly_device_spec *out_spec);
    void (*device_close)(void *device);
    haly_status (*device_sample)(void *device, haly_device_sample *out_sample);

    haly_status (*context_open)(void *device, void *context, const haly_backend_context_desc *desc);
    void (*context_close)(void *context);
    /** Gives up without calling the vendor: wake own threads, leak the rest. */
    void (*context_abandon)(void *context);

    haly_status (*segment_alloc)(void *context, void *segment, const haly_segment_desc *desc, void **out_address);
    /** Called only for idle segments. */
    void (*segment_free)(void *context, void *segment);
    haly_status (*host_alloc)(void *context, uint64_t size, void **out_address);
    void (*host_free)(void *context, void *address, uint64_t size);
    haly_status (*host_register)(void *context, void *address, uint64_t size);
    void (*host_unregister)(void *context, void *address, uint64_t size);
    /** HALY_MEMORY_FOREIGN for device memory of the vendor's that is not ours, else HALY_MEMORY_UNKNOWN. */
    haly_memory_class (*pointer_info)(void *context, const void *address);

    /** `token` is the core's, for core->stream_failed. */
    haly_status (*stream_create)(void *context, void *stream, const haly_stream_desc *desc, void *token);
    haly_status (*stream_wrap)(void *context, void *stream, const haly_native *native, void *token);
    /** Called only when the stream is idle. */
    void (*stream_destroy)(void *stream);
    /** Sequence of the last command that has finished, all before it included. */
    haly_status (*stream_query)(void *stream, uint64_t *out_completed);
    /** Waits until command `sequence` has finished. HALY_OK, HALY_TIMEOUT. */
    haly_status (*stream_wait)(void *stream, uint64_t sequence, uint64_t deadline);
    /**
     * Queues records. Copies all it needs before it returns, except memory named by copies and host calls. Commands get
     * the sequences first_sequence, +1, …. Never waits for queued work, may wait for room. *out_accepted is
     * how many records were taken: all of them with HALY_OK; on failure the others had no effect. An unknown kind is
     * HALY_ERR_UNSUPPORTED before anything is queued. Progress needs no further call.
     */
    haly_status (*submit)(void *stream, const void *records, uint64_t bytes, uint64_t first_sequence,
                          uint64_t *out_accepted);

    haly_status (*event_create)(void *context, void *event, uint32_t flags);
    void (*event_destroy)(void *event);
    /** HALY_OK or HALY_NOT_READY, of the latest record; never-recorded events do not come here. */
    haly_status (*event_query)(void *event);
    haly_status (*event_wait)(void *event, uint64_t deadline);
    haly_status (*event_elapsed)(void *start, void *end, int64_t *out_nanoseconds);

    haly_status (*module_load)(void *context, void *module, const haly_backend_image *image);
    void (*module_unload)(void *module);
    /** out_info->arguments must stay valid as long as the module. */
    haly_status (*kernel_get)(void *module, void *kernel, const char *name, haly_kernel_info *out_info);
    void (*kernel_release)(void *kernel);

    /** HALY_ERR_UNSUPPORTED lets the core lower the operator to the portable kernels. The description was checked, its
     *  domain is never NULL, its version never 0, and it is valid during the call only. */
    haly_status (*plan_create)(void *context, void *plan, const haly_op_desc *desc, haly_backend_plan *out_plan);
    void (*plan_destroy)(void *plan);

    /** `kind` is that of the object whose private block is given. */
    haly_status (*native_get)(haly_object_kind kind, void *block, haly_native *out_native);

    /** haly_shutdown(): stop the backend's threads; queued work may be left undone. Calls no vendor function. */
    void (*shutdown)(void);

    /**
     * How well the device would run an image: the core loads the highest of a bundle's first. By format, architecture
     * and minimum version alone: nothing is compiled or loaded. Ready images should come before what needs compiling,
     * and more specific architectures before general ones. HALY_ERR_UNSUPPORTED, with the reason: it would not.
     */
    haly_status (*image_rank)(void *context, const haly_backend_image *image, uint32_t *out_rank);
} haly_backend_table;

/** The one exported function. Called once per process; `core` stays valid. */
typedef haly_status (*haly_backend_entry)(const haly_core_table *core, const haly_backend_table **out_table);

HALY_END_DECLS

#endif
