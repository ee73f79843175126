/* SPDX-License-Identifier: Apache-2.0 */
/* The calling thread's failure detail, and the names of statuses. */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "check.h"
#include "process.h"

static _Thread_local haly_error last_error; /* status HALY_OK: none yet */
static _Thread_local uint64_t failures;

static const char *status_name(haly_status status)
{
    switch (status) {
#define NAME(status_)                                                                                                  \
    case status_:                                                                                                      \
        return #status_
        NAME(HALY_OK);
        NAME(HALY_NOT_READY);
        NAME(HALY_TIMEOUT);
        NAME(HALY_ERR_INVALID);
        NAME(HALY_ERR_UNSUPPORTED);
        NAME(HALY_ERR_NOT_FOUND);
        NAME(HALY_ERR_UNAVAILABLE);
        NAME(HALY_ERR_POLICY);
        NAME(HALY_ERR_PERMISSION);
        NAME(HALY_ERR_HOST_OOM);
        NAME(HALY_ERR_DEVICE_OOM);
        NAME(HALY_ERR_RESOURCE_EXHAUSTED);
        NAME(HALY_ERR_VERSION);
        NAME(HALY_ERR_CORRUPT);
        NAME(HALY_ERR_IO);
        NAME(HALY_ERR_BUSY);
        NAME(HALY_ERR_CAPTURING);
        NAME(HALY_ERR_FORKED);
        NAME(HALY_ERR_SHUTTING_DOWN);
        NAME(HALY_ERR_ABANDONED);
        NAME(HALY_ERR_DEVICE_LOST);
        NAME(HALY_ERR_DEVICE_FAULT);
        NAME(HALY_ERR_HOST_CALL);
        NAME(HALY_ERR_BACKEND);
        NAME(HALY_ERR_INTERNAL);
#undef NAME
    case HALY_STATUS_MAX_ENUM:
        break;
    }
    return NULL;
}

const char *haly_status_name(haly_status status)
{
    const char *name = status_name(status);
    return name != NULL ? name : "HALY_STATUS_UNKNOWN";
}

haly_status haly_error_last(haly_error *out_error)
{
    /* A refusal here must not replace the detail that the caller is asking for. */
    if (out_error == NULL || out_error->struct_size < HALY_SIZE_THROUGH(haly_error, native_text))
        return HALY_ERR_INVALID;
    if (last_error.status == HALY_OK)
        return HALY_ERR_NOT_FOUND;
    return CHECK_OUTPUT(out_error, haly_error, native_text, &last_error);
}

void haly_error_clear(void)
{
    last_error.status = HALY_OK;
}

void haly_error_print(FILE *file)
{
    PUT_OFF_CANCELLATION();
    if (file == NULL || last_error.status == HALY_OK)
        return;
    fprintf(file, "halyard: %s%s%s [%s", last_error.function, last_error.function[0] != '\0' ? ": " : "",
            last_error.message, haly_status_name(last_error.status));
    if (last_error.backend[0] != '\0')
        fprintf(file, ", backend %s", last_error.backend);
    if (last_error.native_code != 0 || last_error.native_text[0] != '\0')
        fprintf(file, ", native %lld%s%s", (long long)last_error.native_code,
                last_error.native_text[0] != '\0' ? " " : "", last_error.native_text);
    if (last_error.last_sequence != 0)
        fprintf(file, ", stream %llu command %llu", (unsigned long long)last_error.stream_id,
                (unsigned long long)last_error.first_sequence);
    if (last_error.label[0] != '\0')
        fprintf(file, ", label \"%s\"", last_error.label);
    fputs("]\n", file);
}

haly_status error_set(const char *function, haly_status status, haly_error_scope scope, haly_error_recovery recovery,
                      int64_t native_code, const char *native_text, const char *format, ...)
{
    haly_error error = {HALY_ERROR_INIT, .status = status, .scope = scope, .recovery = recovery,
                        .native_code = native_code};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error.message, sizeof error.message, format, arguments);
    va_end(arguments);
    snprintf(error.function, sizeof error.function, "%s", function);
    snprintf(error.native_text, sizeof error.native_text, "%s", native_text != NULL ? native_text : "");
    return error_restore(&error);
}

void error_name(const char *function, haly_status status)
{
    if (last_error.status == status && status != HALY_NOT_READY && status != HALY_TIMEOUT)
        snprintf(last_error.function, sizeof last_error.function, "%s", function);
}

haly_status error_restore(const haly_error *error)
{
    last_error = *error;
    failures++;
    return error->status;
}

haly_status error_of_errno(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return HALY_ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
        return HALY_ERR_PERMISSION;
    case ENOMEM:
        return HALY_ERR_HOST_OOM;
    case EMFILE:
    case ENFILE:
    case EAGAIN:
        return HALY_ERR_RESOURCE_EXHAUSTED;
    default:
        return HALY_ERR_IO;
    }
}

haly_error *error_detail(void)
{
    return &last_error;
}

uint64_t error_serial(void)
{
    return failures;
}

haly_status backend_failure_note(const char *backend, uint64_t serial_before, haly_status status)
{
    if (failures == serial_before || last_error.status != status)
        FAIL(status, "backend \"%s\" failed without saying why (%s)", backend, haly_status_name(status));
    snprintf(last_error.backend, sizeof last_error.backend, "%s", backend);
    return status;
}
