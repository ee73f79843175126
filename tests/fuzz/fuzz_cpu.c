/* SPDX-License-Identifier: Apache-2.0 */
/* The core's side of the cpu backend, beside which its parts run alone. */
#include "fuzz_cpu.h"

#include <stdarg.h>
#include <stdio.h>

struct fuzz_failure fuzz_failure;

static HALY_PRINTF_LIKE(6, 7) haly_status
    keep_failure(haly_status status, haly_error_scope scope, haly_error_recovery recovery, int64_t native_code,
                 const char *native_text, const char *format, ...)
{
    va_list arguments;
    (void)scope;
    (void)recovery;
    (void)native_code;
    (void)native_text;
    va_start(arguments, format);
    vsnprintf(fuzz_failure.message, sizeof fuzz_failure.message, format, arguments);
    va_end(arguments);
    fuzz_failure.status = status;
    return status;
}

static const haly_core_table table = {.struct_size = sizeof table, .fail = keep_failure};
const haly_core_table *cpu_core = &table;
