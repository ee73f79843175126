/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/* What failures of the system and of the dynamic linker are called here. */
#include <errno.h>
#include <string.h>

#include "cpu_core.h"

haly_status cpu_fail_errno_as(haly_status status, int error, const char *what)
{
    char buffer[128] = "";
    const char *text = strerror_r(error, buffer, sizeof buffer);
    return cpu_core->fail(status, HALY_SCOPE_CALL, cpu_recovery_of(status), error, text, "%s: %s", what, text);
}

haly_status cpu_fail_errno(int error, const char *what)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return cpu_fail_errno_as(HALY_ERR_NOT_FOUND, error, what);
    case EACCES:
    case EPERM:
        return cpu_fail_errno_as(HALY_ERR_PERMISSION, error, what);
    case ENOMEM:
    case ENOSPC: /* of a file in memory */
        return cpu_fail_errno_as(HALY_ERR_HOST_OOM, error, what);
    case EAGAIN: /* of threads and processes */
    case EMFILE:
    case ENFILE:
        return cpu_fail_errno_as(HALY_ERR_RESOURCE_EXHAUSTED, error, what);
    default:
        return cpu_fail_errno_as(HALY_ERR_IO, error, what);
    }
}

haly_status cpu_linker_status(const char *text, haly_status otherwise)
{
    char buffer[128] = "";
    return strstr(text, strerror_r(ENOMEM, buffer, sizeof buffer)) != NULL ? HALY_ERR_HOST_OOM : otherwise;
}
