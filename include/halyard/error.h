/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file error.h
 * Status codes and the detail behind the last failure of the calling thread.
 *
 * Every function that can fail returns a haly_status. On failure, and only then, the detail is written to
 * thread-local storage: success costs nothing and leaves the last detail in place.                        [ERR-001]
 */
#ifndef HALYARD_ERROR_H
#define HALYARD_ERROR_H

#include <stdio.h>

#include <halyard/base.h>

HALY_BEGIN_DECLS

typedef enum haly_status {
    HALY_OK = 0,
    HALY_NOT_READY = 1,               /**< a query: queued work has not finished; not an error */
    HALY_TIMEOUT = 2,                 /**< the deadline passed; nothing else changed and nothing latches */
    HALY_ERR_INVALID = 16,            /**< an argument is wrong; nothing was queued or changed */
    HALY_ERR_UNSUPPORTED = 17,        /**< this device, backend or build cannot do it */
    HALY_ERR_NOT_FOUND = 18,          /**< no such name, file, symbol or object */
    HALY_ERR_UNAVAILABLE = 19,        /**< the backend or device exists but cannot be used here; the message says why */
    HALY_ERR_POLICY = 20,             /**< denied by the administrator's policy */
    HALY_ERR_PERMISSION = 21,         /**< denied by the operating system, or a file that is not to be trusted */
    HALY_ERR_HOST_OOM = 22,           /**< host memory exhausted */
    HALY_ERR_DEVICE_OOM = 23,         /**< device memory, or the limit set on it, exhausted */
    HALY_ERR_RESOURCE_EXHAUSTED = 24, /**< streams, events, descriptors … exhausted; memory is not */
    HALY_ERR_VERSION = 25,            /**< ABI or driver version that does not fit */
    HALY_ERR_CORRUPT = 26,            /**< a file or image that contradicts itself or its checksum */
    HALY_ERR_IO = 27,                 /**< the operating system could not read or write */
    HALY_ERR_BUSY = 28,               /**< in use in a way that forbids the call now */
    HALY_ERR_CAPTURING = 29,          /**< not allowed while the stream is captured; the capture stays valid */
    HALY_ERR_FORKED = 30,             /**< the handle was made before fork(); it is of no use in the child */
    HALY_ERR_SHUTTING_DOWN = 31,      /**< the process is exiting */
    HALY_ERR_ABANDONED = 32,          /**< haly_context_abandon() gave this context up */
    HALY_ERR_DEVICE_LOST = 33,        /**< the device is gone until the process or the machine restarts */
    HALY_ERR_DEVICE_FAULT = 34,       /**< a kernel or command faulted on the device */
    HALY_ERR_HOST_CALL = 35,          /**< a host call returned an error of its own */
    HALY_ERR_BACKEND = 36,            /**< the vendor's library failed in a way that has no nearer status */
    HALY_ERR_INTERNAL = 37,           /**< Halyard contradicts itself: please report */
    HALY_STATUS_MAX_ENUM = 0x7fffffff
} haly_status;

/** How far a failure reaches. From the context up, what is inside the scope answers every later call with the failure.
 * A failed stream still takes commands, though nothing but host calls comes of them; waits and queries, of it and of
 * what waited for it, answer with the failure (stream.h). */
typedef enum haly_error_scope {
    HALY_SCOPE_CALL = 0,    /**< this call alone */
    HALY_SCOPE_STREAM = 1,  /**< the stream and what depends on it */
    HALY_SCOPE_CONTEXT = 2, /**< every object of the context */
    HALY_SCOPE_DEVICE = 3,  /**< every context on the device, of any instance */
    HALY_SCOPE_PROCESS = 4, /**< every context of the backend in this process */
    HALY_ERROR_SCOPE_MAX_ENUM = 0x7fffffff
} haly_error_scope;

/** What a program can do about a failure. */
typedef enum haly_error_recovery {
    HALY_RECOVER_NONE = 0,     /**< correct the call, or go without */
    HALY_RECOVER_RETRY = 1,    /**< the same call may succeed later, for example after freeing memory */
    HALY_RECOVER_RECREATE = 2, /**< release and create again what the scope names */
    HALY_RECOVER_RESTART = 3,  /**< restart the process: until then no context opens within the scope */
    HALY_ERROR_RECOVERY_MAX_ENUM = 0x7fffffff
} haly_error_recovery;

/** The detail of one failure. Texts are UTF-8, NUL-terminated, cut at the field's size. */
typedef struct haly_error {
    uint32_t struct_size; /**< HALY_ERROR_INIT */
    haly_status status;
    haly_error_scope scope;
    haly_error_recovery recovery;
    int64_t native_code;     /**< the vendor's or system's number; 0 when there is none */
    uint64_t stream_id;      /**< for a failed command: the stream's id; else 0 */
    uint64_t first_sequence; /**< for a failed command: the range that holds it, 1-based in its stream; else 0 */
    uint64_t last_sequence;
    char backend[32];      /**< name, or "" */
    char function[48];     /**< the function of this interface that reported it, or "" */
    char label[64];        /**< haly_stream_set_label() in force for the failed command, or "" */
    char message[512];     /**< what was wrong and what was expected */
    char native_text[256]; /**< the vendor's own words, or "" */
} haly_error;
#define HALY_ERROR_INIT HALY_INIT(haly_error, native_text)

/** The enumerator's name, "HALY_ERR_INVALID"; "HALY_STATUS_UNKNOWN" for a number this library does not know.
 *  Static storage, any thread. Since 1.0. */
HALY_API const char *haly_status_name(haly_status status);

/**
 * The detail of this thread's last failure, copied up to out_error->struct_size.                          [ERR-002]
 * @return HALY_OK; HALY_ERR_NOT_FOUND when this thread has had none; HALY_ERR_INVALID (NULL or a struct_size below
 *         the 1.0 size; this one failure does not replace the detail). Never blocks. Since 1.0.
 */
HALY_API haly_status haly_error_last(haly_error *out_error);

/** Forgets this thread's last failure. Since 1.0. */
HALY_API void haly_error_clear(void);

/** Writes this thread's last failure as one line, "halyard: <function>: <message> [<status>, …]" with backend, vendor's
 *  number and text, stream, command and label where there are any; nothing when there was no failure. Since 1.0. */
HALY_API void haly_error_print(FILE *file);

HALY_END_DECLS

#endif
