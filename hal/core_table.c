/* SPDX-License-Identifier: Apache-2.0 */
/* What the core offers backends. Backends format with their own arguments, so each entry takes its list once. */
#include "core_table.h"

#include <stdarg.h>
#include <stdio.h>

#include "cache.h"
#include "context.h"
#include "log.h"
#include "param.h"
#include "text.h"
#include "timeline.h"

/* A failure must carry a failure's status; anything else from a backend is the backend's failure. */
static haly_status failure_status(haly_status status)
{
    return status < HALY_ERR_INVALID && status != HALY_NOT_READY && status != HALY_TIMEOUT ? HALY_ERR_BACKEND : status;
}

HALY_PRINTF_LIKE(6, 7)
static haly_status core_fail(haly_status status, haly_error_scope scope, haly_error_recovery recovery,
                             int64_t native_code, const char *native_text, const char *format, ...)
{
    char message[sizeof(((haly_error *)0)->message)];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return error_set("", failure_status(status), scope, recovery, native_code, native_text, "%s", message);
}

HALY_PRINTF_LIKE(2, 3) static void core_log(haly_log_level level, const char *format, ...)
{
    if ((uint32_t)level > atomic_load_explicit(&log_level_wanted, memory_order_relaxed))
        return;
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    log_write(level, "%s", message);
}

static const char *core_param(const char *backend, const char *name)
{
    return backend != NULL && name != NULL ? param_of_backend(backend, name) : "";
}

static void core_stream_failed(void *stream, uint64_t sequence, haly_status status, haly_error_scope scope,
                               haly_error_recovery recovery, int64_t native_code, const char *text)
{
    struct timeline *timeline = stream;
    haly_error error = {HALY_ERROR_INIT, .status = failure_status(status), .scope = scope, .recovery = recovery,
                        .native_code = native_code};
    text_set(error.backend, sizeof error.backend, "%s", timeline->context->device->backend->name);
    text_set(error.message, sizeof error.message, "%s", text != NULL ? text : haly_status_name(error.status));
    timeline_fail(timeline, sequence, &error);
    context_latch(timeline->context, &error);
}

static haly_status core_stream_status(void *stream, uint64_t sequence)
{
    return timeline_status_quiet(stream, sequence); /* a failure it depends on counts too */
}

const haly_core_table core_table = {
    .struct_size = sizeof core_table,
    .abi_major = HALY_BACKEND_ABI_MAJOR,
    .abi_minor = HALY_BACKEND_ABI_MINOR,
    .fail = core_fail,
    .log = core_log,
    .param = core_param,
    .stream_failed = core_stream_failed,
    .stream_status = core_stream_status,
    .cache_get = cache_get,
    .cache_put = cache_put,
    .cache_free = cache_free,
};
