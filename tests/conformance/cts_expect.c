/* SPDX-License-Identifier: Apache-2.0 */
/* Expectations. An unmet one sends its reason and ends the process: nothing needs to be unwound. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cts_runner.h"

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

void cts_fail_at(struct cts *t, const char *file, int line, const char *format, ...)
{
    char text[2048];
    va_list list;
    const int used = snprintf(text, sizeof text, "%s:%d: ", base_name(file), line);
    va_start(list, format);
    (void)vsnprintf(text + used, sizeof text - (size_t)used, format, list);
    va_end(list);
    cts_send_verdict(t, CTS_FAIL, text);
    _exit(0);
}

void cts_unsupported(struct cts *t, const char *format, ...)
{
    char text[1024];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(text, sizeof text, format, list);
    va_end(list);
    cts_send_verdict(t, CTS_UNSUPPORTED, text);
    _exit(0);
}

void cts_part_unsupported(struct cts *t, const char *format, ...)
{
    va_list list;
    t->parts_unsupported++;
    va_start(list, format);
    (void)vsnprintf(t->reason, sizeof t->reason, format, list);
    va_end(list);
}

haly_error cts_last_error(struct cts *t)
{
    haly_error error = {HALY_ERROR_INIT};
    if (haly_error_last(&error) != HALY_OK)
        cts_fail_at(t, __FILE__, __LINE__, "a call failed and left no detail");
    return error;
}

/* A failure's detail must carry the status that was returned, and say something. NOT_READY and TIMEOUT are no failures.
 */
static void check_detail(struct cts *t, const char *file, int line, const char *text, haly_status status)
{
    haly_error error = {HALY_ERROR_INIT};
    if (status == HALY_NOT_READY || status == HALY_TIMEOUT)
        return;
    if (haly_error_last(&error) != HALY_OK)
        cts_fail_at(t, file, line, "%s failed and left no detail", text);
    if (error.status != status)
        cts_fail_at(t, file, line, "%s returned %s, but the detail says %s: %s", text, haly_status_name(status),
                    haly_status_name(error.status), error.message);
    if (error.message[0] == '\0')
        cts_fail_at(t, file, line, "%s failed with %s and no message", text, haly_status_name(status));
}

haly_status cts_expect_status(struct cts *t, const char *file, int line, const char *text, haly_status want,
                              haly_status got)
{
    haly_error error = {HALY_ERROR_INIT};
    if (got == want) {
        if (want != HALY_OK) {
            t->failures_expected++;
            check_detail(t, file, line, text, got);
        }
        return got;
    }
    if (got == HALY_OK || haly_error_last(&error) != HALY_OK || error.status != got)
        error.message[0] = '\0';
    /* A device that declares nothing may refuse everything; one that declares anything may not. */
    if (got == HALY_ERR_UNSUPPORTED && t->device != NULL && t->spec.capabilities == 0)
        cts_unsupported(t, "the device declares no capability: %s", error.message);
    cts_fail_at(t, file, line, "%s: expected %s, got %s%s%s", text, haly_status_name(want), haly_status_name(got),
                error.message[0] == '\0' ? "" : ": ", error.message);
}

void cts_expect_equal(struct cts *t, const char *file, int line, const char *text, uint64_t want, uint64_t got)
{
    if (want != got)
        cts_fail_at(t, file, line, "%s: expected %" PRIu64 " (0x%" PRIx64 "), got %" PRIu64 " (0x%" PRIx64 ")", text,
                    want, want, got, got);
}

void cts_expect_message(struct cts *t, const char *file, int line, const char *part)
{
    const haly_error error = cts_last_error(t);
    if (strcasestr(error.message, part) == NULL)
        cts_fail_at(t, file, line, "the message should name \"%s\": %s", part, error.message);
}

void cts_expect_filled(struct cts *t, const void *address, uint8_t byte, uint64_t size)
{
    uint8_t *bytes = cts_host(t, size);
    cts_download(t, bytes, address, size);
    for (uint64_t i = 0; i < size; i++)
        CTS_CHECK(bytes[i] == byte, "byte %" PRIu64 " of %" PRIu64 ": expected 0x%02x, got 0x%02x", i, size, byte,
                  bytes[i]);
}

void cts_expect_bytes(struct cts *t, const void *address, const void *want, uint64_t size)
{
    uint8_t *bytes = cts_host(t, size);
    cts_download(t, bytes, address, size);
    for (uint64_t i = 0; i < size; i++)
        CTS_CHECK(bytes[i] == ((const uint8_t *)want)[i],
                  "byte %" PRIu64 " of %" PRIu64 ": expected 0x%02x, got 0x%02x", i, size, ((const uint8_t *)want)[i],
                  bytes[i]);
}
