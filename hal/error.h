/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the core reports failure: FAIL where it is decided, TRY everywhere else. Detail is thread-local and written on
 * failure only. It names the function that the program called: a helper's FAIL names none, and the TRY (or HAND_ON) of
 * the public function that hands the failure on adds its own name, so that success costs nothing.
 */
#ifndef HAL_ERROR_H
#define HAL_ERROR_H

#include <stdbool.h>
#include <string.h>

#include <halyard/error.h>
#include <halyard/instance.h>

struct backend;

/* Writes the calling thread's detail and returns `status`. `function` is a public one's name or "". */
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

/* The name of a public function, "" in a helper; known when it is compiled. */
#define PUBLIC_FUNCTION (__builtin_strncmp(__func__, "haly_", 5) == 0 ? __func__ : "")

/* What is exhausted may be there the next time. */
static inline haly_error_recovery error_recovery_of(haly_status status)
{
    const bool is_exhausted =
        status == HALY_ERR_HOST_OOM || status == HALY_ERR_DEVICE_OOM || status == HALY_ERR_RESOURCE_EXHAUSTED;
    return is_exhausted ? HALY_RECOVER_RETRY : HALY_RECOVER_NONE;
}

#define FAIL(status_, ...)                                                                                             \
    error_status(                                                                                                      \
        error_set(PUBLIC_FUNCTION, (status_), HALY_SCOPE_CALL, error_recovery_of(status_), 0, NULL, __VA_ARGS__),      \
        (status_))

/* The same for the part of a public function that stands apart and was given its name. */
#define FAIL_AS(function_, status_, ...)                                                                               \
    error_status(error_set((function_), (status_), HALY_SCOPE_CALL, error_recovery_of(status_), 0, NULL, __VA_ARGS__), \
                 (status_))

/* A failure of the system's: the status that its number stands for, with number and text as the native ones. */
haly_status error_of_errno(int error);
#define FAIL_ERRNO(error_, ...)                                                                                        \
    error_set(PUBLIC_FUNCTION, error_of_errno(error_), HALY_SCOPE_CALL, error_recovery_of(error_of_errno(error_)),     \
              (error_), strerror(error_), __VA_ARGS__)

/* Names the public function in the detail of a failure that a callee decided; HALY_NOT_READY and HALY_TIMEOUT may have
 * none. */
void error_name(const char *function, haly_status status) __attribute__((cold));

static inline haly_status error_hand_on(const char *function, haly_status status)
{
    if (status != HALY_OK && function[0] != '\0')
        error_name(function, status);
    return status;
}

/* `return HAND_ON(status)`: how a public function ends with what a callee returned. */
#define HAND_ON(status_) error_hand_on(PUBLIC_FUNCTION, (status_))

#define TRY(expression)                                                                                                \
    do {                                                                                                               \
        const haly_status try_status_ = (expression);                                                                  \
        if (try_status_ != HALY_OK)                                                                                    \
            return HAND_ON(try_status_);                                                                               \
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
            return HAND_ON(backend_failed((name_), try_serial_, try_status_));                                         \
    } while (0)

/* One sentence for host memory exhausted while doing `what`. */
static inline haly_status fail_host_oom(const char *what, uint64_t bytes)
{
    return FAIL(HALY_ERR_HOST_OOM, "host memory exhausted: %llu bytes for %s", (unsigned long long)bytes, what);
}

#endif
