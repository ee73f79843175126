/* SPDX-License-Identifier: Apache-2.0 */
/* `halyard doctor`, what concerns Halyard itself: variables, the policy file, backends. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

enum { VARIABLES_MAX = 256 };

/* Variables that belong to the example programs, not to the library. */
static const char *const of_examples[] = {"HALYARD_MODEL"};

static size_t declared_variables(haly_instance *instance, const char **out)
{
    uint32_t declared = 0;
    size_t count = 0;
    for (size_t i = 0; i < sizeof of_examples / sizeof *of_examples; i++)
        out[count++] = of_examples[i];
    if (haly_param_count(instance, &declared) != HALY_OK)
        return count;
    for (uint32_t i = 0; i < declared && count < VARIABLES_MAX; i++) {
        haly_param_info info = {HALY_PARAM_INFO_INIT};
        if (haly_param_info_get(instance, i, &info) == HALY_OK)
            out[count++] = info.variable;
    }
    return count;
}

static void check_variable(const char *entry, const char *const *declared, size_t count)
{
    char name[128], mend[192];
    const size_t length = strcspn(entry, "=");
    if (length >= sizeof name)
        return;
    memcpy(name, entry, length);
    name[length] = '\0';
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, declared[i]) == 0) {
            report(VERDICT_OK, "environment", NULL, "%s", entry);
            return;
        }
    }
    const char *nearest = nearest_word(name, declared, count);
    if (nearest != NULL)
        snprintf(mend, sizeof mend, "did you mean %s?", nearest);
    else
        snprintf(mend, sizeof mend, "unset it, or check that the backend it is meant for is loaded");
    report(VERDICT_WARN, "environment", mend, "%s is declared by nothing that is loaded: it has no effect", name);
}

void doctor_environment(haly_instance *instance)
{
    const char *declared[VARIABLES_MAX];
    const size_t count = declared_variables(instance, declared);
    for (char **entry = environ; *entry != NULL; entry++)
        if (strncmp(*entry, "HALYARD_", 8) == 0)
            check_variable(*entry, declared, count);
}

void doctor_policy(void)
{
    struct stat info;
    const char *path = HALY_POLICY_FILE;
    if (stat(path, &info) != 0) {
        if (errno == ENOENT)
            report(VERDICT_OK, "policy", NULL, "%s does not exist: nothing is denied", path);
        else
            report(VERDICT_FAIL, "policy", "let everybody read it (chmod a+r) and enter its folder", "%s: %s", path,
                   strerror(errno));
        return;
    }
    if (!S_ISREG(info.st_mode))
        report(VERDICT_FAIL, "policy", "replace it by a regular file", "%s is not a regular file", path);
    else if (info.st_uid != 0 || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        report(VERDICT_FAIL, "policy", "chown root and chmod 0644", "%s can be written by others than root", path);
    else if (access(path, R_OK) != 0)
        report(VERDICT_FAIL, "policy", "chmod a+r", "%s cannot be read: %s", path, strerror(errno));
    else
        report(VERDICT_OK, "policy", NULL, "%s is in force", path);
}

static const char *mend_refused(haly_status status)
{
    switch (status) {
    case HALY_ERR_PERMISSION:
        return "file and folders above it must belong to root or you, and be writable by nobody else";
    case HALY_ERR_VERSION:
        return "install the backend that belongs to this version of the library";
    case HALY_ERR_NOT_FOUND:
        return "the file is not a backend or lacks what it needs: install it again";
    default:
        return "install the backend again";
    }
}

static void check_backend(const haly_backend_info *info)
{
    char subject[48];
    snprintf(subject, sizeof subject, "backend %s", info->name);
    switch (info->state) {
    case HALY_BACKEND_READY:
        report(VERDICT_OK, subject, NULL, "version %s, %u device%s, %s", info->version, info->device_count,
               info->device_count == 1 ? "" : "s", info->path);
        if (info->reason[0] != '\0')
            report(VERDICT_NOTE, subject, "if they should be used: mend what the reason names", "left out: %s",
                   info->reason);
        break;
    case HALY_BACKEND_UNAVAILABLE:
        report(VERDICT_NOTE, subject, "only if this machine has such a device: install its driver, then run this again",
               "%s", info->reason);
        break;
    case HALY_BACKEND_REFUSED:
        report(VERDICT_FAIL, subject, mend_refused(info->status), "%s: %s", info->path, info->reason);
        break;
    case HALY_BACKEND_FILTERED:
        report(VERDICT_NOTE, subject, "name it in HALYARD_BACKEND, or unset that", "%s", info->reason);
        break;
    case HALY_BACKEND_DENIED:
        report(VERDICT_NOTE, subject, "ask the administrator: " HALY_POLICY_FILE, "%s", info->reason);
        break;
    default:
        report(VERDICT_WARN, subject, "use a halyard command as new as the library", "state %d", (int)info->state);
        break;
    }
}

void doctor_backends(haly_instance *instance)
{
    uint32_t count = 0, ready = 0;
    haly_device_count(instance, &count); /* what devices show of their backends; doctor_devices() tells a failure */
    if (haly_backend_count(instance, &count) != HALY_OK)
        return;
    for (uint32_t i = 0; i < count; i++) {
        haly_backend_info info = {HALY_BACKEND_INFO_INIT};
        if (haly_backend_info_get(instance, i, &info) != HALY_OK)
            continue;
        check_backend(&info);
        ready += info.state == HALY_BACKEND_READY;
    }
    if (count == 0)
        report(VERDICT_FAIL, "backends", "install them beside the library, or set HALYARD_BACKEND_PATH to their folder",
               "no file libhalyard_backend_*.so was found");
    else if (ready == 0)
        report(VERDICT_FAIL, "backends", "see the reasons above; the cpu backend works on any machine",
               "none of %u can be used", count);
}
