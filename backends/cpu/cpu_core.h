/* SPDX-License-Identifier: Apache-2.0 */
/* The core as the cpu backend sees it, and how a failure is reported: decided once with FAIL, forwarded with TRY. */
#ifndef CPU_CORE_H
#define CPU_CORE_H

#include <halyard/backend.h>

/* Set once by the entry function; valid for the life of the process. */
extern const haly_core_table *cpu_core;

/* What is exhausted may be there the next time. */
static inline haly_error_recovery cpu_recovery_of(haly_status status)
{
    return status == HALY_ERR_HOST_OOM || status == HALY_ERR_DEVICE_OOM || status == HALY_ERR_RESOURCE_EXHAUSTED
               ? HALY_RECOVER_RETRY
               : HALY_RECOVER_NONE;
}

#define FAIL(status, ...) cpu_core->fail((status), HALY_SCOPE_CALL, cpu_recovery_of(status), 0, NULL, __VA_ARGS__)

#define TRY(expression)                                                                                                \
    do {                                                                                                               \
        const haly_status try_status_ = (expression);                                                                  \
        if (try_status_ != HALY_OK)                                                                                    \
            return try_status_;                                                                                        \
    } while (0)

#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* Fails with the system's own number and text: with the status that the number stands for, or with another. */
haly_status cpu_fail_errno(int error, const char *what);
haly_status cpu_fail_errno_as(haly_status status, int error, const char *what);

/* What the dynamic linker's words stand for: host memory exhausted, or else `otherwise`. */
haly_status cpu_linker_status(const char *text, haly_status otherwise);

#endif
