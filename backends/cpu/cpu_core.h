/* SPDX-License-Identifier: Apache-2.0 */
/* The core as the cpu backend sees it, and how a failure is reported: decided once with FAIL, forwarded with TRY. */
#ifndef CPU_CORE_H
#define CPU_CORE_H

#include <halyard/backend.h>

/* Set once by the entry function; valid for the life of the process. */
extern const haly_core_table *cpu_core;

#define FAIL(status, ...) cpu_core->fail((status), HALY_SCOPE_CALL, HALY_RECOVER_NONE, 0, NULL, __VA_ARGS__)
#define FAIL_RETRY(status, ...) cpu_core->fail((status), HALY_SCOPE_CALL, HALY_RECOVER_RETRY, 0, NULL, __VA_ARGS__)

#define TRY(expression)                                                                                                \
    do {                                                                                                               \
        const haly_status try_status_ = (expression);                                                                  \
        if (try_status_ != HALY_OK)                                                                                    \
            return try_status_;                                                                                        \
    } while (0)

#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* Fails with the system's own number and text. */
haly_status cpu_fail_errno(haly_status status, int error, const char *what);

#endif
