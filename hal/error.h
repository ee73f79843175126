/* SPDX-License-Identifier: Apache-2.0 */
/* How the core reports failure: FAIL where it is decided, TRY everywhere else. Detail is thread-local and written on
 * failure only. */
#ifndef HAL_ERROR_H
#define HAL_ERROR_H

#include <halyard/error.h>
#include <halyard/instance.h>

struct backend;

/* Writes the calling thread's detail and returns `status`. */
haly_status error_set(const char *function, haly_status status, haly_error_scope scope, haly_error_recovery recovery,
                      int64_t native_code, const char *native_text, const char *format, ...) HALY_PRINTF_LIKE(7, 8);

/* Replaces the detail by a stored one, for failures that are reported again. Returns its status. */
haly_status error_restore(const haly_error *error);

/* The calling thread's detail, for those who add to it. */
haly_error *error_detail(void);

/* Counts the failures of the calling thread: tells whether a callee wrote its own detail. */
uint64_t error_serial(void);

/* Lets compilers and analysers see that a failure is never HALY_OK. */
static inline haly_status error_status(haly_status set, haly_status status)
{
    (void)set;
    return status;
}

#define FAIL(status_, ...)                                                                                             \
    error_status(error_set(__func__, (status_), HALY_SCOPE_CALL, HALY_RECOVER_NONE, 0, NULL, __VA_ARGS__), (status_))

#define TRY(expression)                                                                                                \
    do {                                                                                                               \
        const haly_status try_status_ = (expression);                                                                  \
        if (try_status_ != HALY_OK)                                                                                    \
            return try_status_;                                                                                        \
    } while (0)

/* For calls into a backend: makes sure that the detail names the backend, and that there is one at all.
 * Use: `return backend_failed(backend, serial, status)` with serial = error_serial() taken before the call. */
haly_status backend_failure_note(const char *backend, uint64_t serial_before, haly_status status);
#define backend_failed(backend_, serial_before_, status_)                                                              \
    error_status(backend_failure_note((backend_), (serial_before_), (status_)), (status_))

#define TRY_BACKEND(name_, expression)                                                                                 \
    do {                                                                                                               \
        const uint64_t try_serial_ = error_serial();                                                                   \
        const haly_status try_status_ = (expression);                                                                  \
        if (try_status_ != HALY_OK)                                                                                    \
            return backend_failed((name_), try_serial_, try_status_);                                                  \
    } while (0)

/* One sentence for host memory exhausted while doing `what`. */
static inline haly_status fail_host_oom(const char *what, uint64_t bytes)
{
    return error_status(error_set(__func__, HALY_ERR_HOST_OOM, HALY_SCOPE_CALL, HALY_RECOVER_RETRY, 0, NULL,
                                  "host memory exhausted: %llu bytes for %s", (unsigned long long)bytes, what),
                        HALY_ERR_HOST_OOM);
}

#endif
