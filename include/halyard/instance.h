/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file instance.h
 * The instance: what was discovered on this machine and the configuration in force.
 *
 * Configuration is a list of declared parameters. Each has a name ("backend"), an environment variable
 * ("HALYARD_BACKEND"), a type, a default and a help text; `halyard info --env` prints them. Those of a backend are
 * named "<backend>.<name>" and HALYARD_<BACKEND>_<NAME>. A value given to haly_instance_create() wins over the
 * environment, which wins over the default; the administrator's policy file bounds them all. Blanks around a value do
 * not count.                                                                                              [CFG-001]
 *
 * Layers watch a program that HALYARD_LAYERS (parameter "layers") asks for; "validate" and "trace", alone or
 * with a comma between. Any other name is HALY_ERR_INVALID and names the nearest.                         [LAY-001]
 * A program that keeps the rules of these headers gets the same results, statuses and messages with any layers; what
 * the library refuses, it refuses with or without them.                                                   [LAY-002]
 * What a layer has no memory for it leaves out: commands without times, or none of a race any more.
 *
 * trace writes what happens to the file that HALYARD_TRACE_FILE (parameter "trace_file") names, as a JSON array of the
 * events that Perfetto and Chrome show: a track for each stream, with begin, end, arguments and label of each command;
 * one for each thread, with its waits and allocations; and a curve of the memory that each context holds. The times of
 * commands are the device's own where it has timed events, else those of the submits, marked so. With %p and %i in its
 * name each process and each instance has a file of its own; one that cannot be written, or is being written, is an
 * error of haly_instance_create().                                                                        [LAY-009]
 * When a wait returns, what was waited for stands in the file, which is whole JSON at any moment, however the process
 * ends.                                                                                                   [LAY-010]
 *
 * validate finds what no check of one call can see. Each finding is a log line at level error that begins with
 * "validate: " and names commands, streams, labels and places in the program; with HALYARD_VALIDATE=fail (parameter
 * "validate"; the default is "report") the call that shows it also fails with HALY_ERR_INVALID, and queues nothing.
 * Without a log callback and HALYARD_LOG the lines go to standard error.
 *  - handle: it was released, alone or with its context, or is none of Halyard's. It is never followed, and the call
 *    returns HALY_ERR_INVALID with either setting.                                                        [LAY-003]
 *  - race: two commands of different streams touch the same bytes of device or pinned memory, one writes, and neither
 *    is behind the other: no event that one stream records and the other waits for, nothing that the host has waited
 *    for or found finished in between, no host call that has begun. For kernels only the addresses are known, so that
 *    theirs are possible races, logged at level info; they never fail a call. Streams whose native handle, or whose
 *    context's, was handed out or wrapped may be ordered out of sight, and are left out.                   [LAY-004]
 *  - free: memory is freed in a stream's order, or pinned memory at all, while commands that nothing orders in front
 *    may still use it.                                                                                     [LAY-005]
 *  - graph: a replay would use memory that was freed since it was captured, used again or not.             [LAY-006]
 *  - thread: two threads submit to one stream at the same time. host call: one calls Halyard.              [LAY-007]
 *  - leak: what a context still holds when it is released, and contexts that are open when the program releases their
 *    instance, each with the place where it was made, at level info: none of it is misuse.                 [LAY-008]
 */
#ifndef HALYARD_INSTANCE_H
#define HALYARD_INSTANCE_H

#include <halyard/error.h>

HALY_BEGIN_DECLS

typedef enum haly_log_level {
    HALY_LOG_OFF = 0,
    HALY_LOG_ERROR = 1,
    HALY_LOG_WARN = 2,
    HALY_LOG_INFO = 3,
    HALY_LOG_DEBUG = 4,
    HALY_LOG_LEVEL_MAX_ENUM = 0x7fffffff
} haly_log_level;

/** Receives one line without a newline. May be called from any thread, several at a time; must not call Halyard. */
typedef void (*haly_log_fn)(void *user, haly_log_level level, const char *text);

/** One parameter set by the program: {"backend", "cpu"}. */
typedef struct haly_param {
    const char *name;
    const char *value;
} haly_param;

typedef struct haly_instance_desc {
    uint32_t struct_size; /**< HALY_INSTANCE_DESC_INIT */
    uint32_t flags;       /**< 0 */
    const haly_param *params;
    uint32_t param_count;
    uint32_t param_size; /**< sizeof(haly_param) when param_count is not 0 */
    haly_log_fn log;     /**< NULL: nothing is logged unless HALYARD_LOG names a level, then to stderr */
    void *log_user;
    haly_log_level log_level; /**< with `log`: the most detailed level it wants; 0: HALY_LOG_WARN */
    uint32_t reserved;        /**< 0 */
    const haly_ext *ext;      /**< none defined */
} haly_instance_desc;
#define HALY_INSTANCE_DESC_INIT HALY_INIT(haly_instance_desc, ext)

/** What became of a backend. */
typedef enum haly_backend_state {
    HALY_BACKEND_READY = 0,       /**< loaded and probed; has at least one device */
    HALY_BACKEND_UNAVAILABLE = 1, /**< present, cannot be used here; `reason` says why */
    HALY_BACKEND_REFUSED = 2,     /**< its file is not to be trusted, or its ABI does not fit */
    HALY_BACKEND_FILTERED = 3,    /**< left out by HALYARD_BACKEND; its file was not opened */
    HALY_BACKEND_DENIED = 4,      /**< left out by the administrator's policy; its file was not opened */
    HALY_BACKEND_STATE_MAX_ENUM = 0x7fffffff
} haly_backend_state;

/** One backend that was found. What only its devices show (none can be used, policy denies them) is known once they
 *  were asked for: haly_device_count() first. Pointers stay valid as long as the instance. */
typedef struct haly_backend_info {
    uint32_t struct_size; /**< HALY_BACKEND_INFO_INIT */
    haly_backend_state state;
    haly_status status; /**< why it is not ready: the status behind `reason`; HALY_OK when ready */
    uint32_t device_count;
    const char *name;
    const char *version; /**< the backend's own, "" when it was not opened */
    const char *path;    /**< of the file; "built in" when it is a part of this library */
    const char *reason;  /**< one sentence; when ready, why some of its devices are left out, or "" */
    uint16_t abi_major, abi_minor;
    uint32_t reserved;
} haly_backend_info;
#define HALY_BACKEND_INFO_INIT HALY_INIT(haly_backend_info, reserved)

/** One declared parameter with the value in force. Pointers stay valid as long as the instance. */
typedef struct haly_param_info {
    uint32_t struct_size; /**< HALY_PARAM_INFO_INIT */
    uint32_t reserved;
    const char *name;     /**< "backend" */
    const char *variable; /**< "HALYARD_BACKEND" */
    const char *type;     /**< grammar in words: "list of backend names", "size", … */
    const char *help;
    const char *default_value; /**< as text */
    const char *value;         /**< in force */
    const char *source;        /**< "default", "environment" or "program" */
} haly_param_info;
#define HALY_PARAM_INFO_INIT HALY_INIT(haly_param_info, source)

/**
 * Reads the configuration and discovers backends: searches the trusted directory and HALYARD_BACKEND_PATH, opens
 * what selection could use, and probes it. Probing initialises no vendor library.                        [INST-001]
 * A named backend (HALYARD_BACKEND without ^) that does not exist or cannot be used is an error here, with its
 * reason; selection never lands elsewhere.                                                               [INST-002]
 * @param desc NULL for the documented defaults.
 * @param out_instance one reference, given back with haly_instance_release().
 * @return HALY_OK; HALY_ERR_INVALID (desc, or a parameter: the message names the variable and its grammar);
 *         HALY_ERR_NOT_FOUND (no such backend; names the nearest); HALY_ERR_UNAVAILABLE, HALY_ERR_POLICY,
 *         HALY_ERR_PERMISSION, HALY_ERR_VERSION, HALY_ERR_CORRUPT (a named backend cannot be used); HALY_ERR_HOST_OOM;
 *         HALY_ERR_IO.
 * May block on the file system. Any thread; instances are independent of each other. Since 1.0.
 */
HALY_API haly_status haly_instance_create(const haly_instance_desc *desc, haly_instance **out_instance);

/** Adds a reference. NULL is fine. Since 1.0. */
HALY_API void haly_instance_retain(haly_instance *instance);

/** Gives a reference back; the last one frees the instance once its contexts are gone. NULL is fine. Since 1.0. */
HALY_API void haly_instance_release(haly_instance *instance);

/** Number of backends found, usable or not. Since 1.0. */
HALY_API haly_status haly_backend_count(haly_instance *instance, uint32_t *out_count);

/** The index-th of them, in search order. @return HALY_OK; HALY_ERR_INVALID (index, struct_size). Since 1.0. */
HALY_API haly_status haly_backend_info_get(haly_instance *instance, uint32_t index, haly_backend_info *out_info);

/** Number of declared parameters, those of loaded backends included. Since 1.0. */
HALY_API haly_status haly_param_count(haly_instance *instance, uint32_t *out_count);

/** The index-th of them. @return HALY_OK; HALY_ERR_INVALID (index, struct_size). Since 1.0. */
HALY_API haly_status haly_param_info_get(haly_instance *instance, uint32_t index, haly_param_info *out_info);

/**
 * Stops Halyard's own threads and refuses further work with HALY_ERR_SHUTTING_DOWN, in the whole process. Meant for
 * programs that want a defined end; a process may also just exit. Never calls a vendor library. Idempotent: a second
 * caller waits for the first. [INST-003] Who waits for work that is left undone gets HALY_ERR_SHUTTING_DOWN. Waits at
 * most a second for threads that are inside a host call or the backend; they are left to themselves then. Since 1.0.
 */
HALY_API void haly_shutdown(void);

HALY_END_DECLS

#endif
