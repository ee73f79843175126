/* SPDX-License-Identifier: Apache-2.0 */
/* `halyard doctor`, what concerns Halyard itself: variables, the policy file, backends. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

enum { VARIABLES_MAX = 256, BACKENDS_MAX = 64 };

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
    if (lstat(HALY_POLICY_FILE, &info) != 0)
        report(VERDICT_OK, "policy", NULL, "%s does not exist: nothing is denied", HALY_POLICY_FILE);
    else if (stat(HALY_POLICY_FILE, &info) == 0 && info.st_uid != 0)
        report(VERDICT_WARN, "policy", "chown root", "%s belongs to user %u: programs of other users refuse to run",
               HALY_POLICY_FILE, (unsigned)info.st_uid);
    else
        report(VERDICT_OK, "policy", NULL, "%s is in force", HALY_POLICY_FILE);
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

/* What only this backend, or its device, can be blamed for is wrong; that there is no such device is not. */
static enum verdict judge_unavailable(haly_status status, const char **out_mend)
{
    switch (status) {
    case HALY_ERR_CORRUPT:
        *out_mend = "install the backend again";
        return VERDICT_FAIL;
    case HALY_ERR_VERSION:
        *out_mend = "install versions of backend and driver that fit each other";
        return VERDICT_FAIL;
    case HALY_ERR_BACKEND:
    case HALY_ERR_INTERNAL:
        *out_mend = "a defect of the backend: tell its makers, or leave it out with HALYARD_BACKEND=^<name>";
        return VERDICT_FAIL;
    case HALY_ERR_DEVICE_LOST:
    case HALY_ERR_DEVICE_FAULT:
        *out_mend = "reset the device, or restart the machine";
        return VERDICT_FAIL;
    case HALY_ERR_PERMISSION:
        *out_mend = "get the right to open the device, often by being in its group";
        return VERDICT_NOTE;
    default:
        *out_mend = "if this machine has such a device: install what the reason misses, a driver or the backend itself";
        return VERDICT_NOTE;
    }
}

static void check_backend(const haly_backend_info *info)
{
    char subject[48];
    const char *mend = NULL;
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
        report(judge_unavailable(info->status, &mend), subject, mend, "%s", info->reason);
        break;
    case HALY_BACKEND_REFUSED:
        if (strstr(info->reason, info->path) != NULL)
            report(VERDICT_FAIL, subject, mend_refused(info->status), "%s", info->reason);
        else
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

/* One name of HALYARD_BACKEND=^…, which is not an error when nobody has it. */
static void check_left_out(const char *name, const char *const *found, size_t count)
{
    char mend[96];
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(found[i], name) == 0)
            return;
    const char *nearest = nearest_word(name, found, count);
    if (nearest != NULL)
        snprintf(mend, sizeof mend, "did you mean ^%s?", nearest);
    report(VERDICT_WARN, "HALYARD_BACKEND", nearest != NULL ? mend : "leave it away",
           "leaves out \"%s\", which is not there anyway", name);
}

static void check_exclusions(haly_instance *instance, const char *const *found, size_t count)
{
    haly_param_info info = {HALY_PARAM_INFO_INIT};
    uint32_t params = 0;
    char names[1024], *rest = NULL;
    if (haly_param_count(instance, &params) != HALY_OK)
        return;
    for (uint32_t i = 0; i < params; i++)
        if (haly_param_info_get(instance, i, &info) == HALY_OK && strcmp(info.name, "backend") == 0)
            break;
    if (info.value == NULL || info.value[0] != '^')
        return;
    snprintf(names, sizeof names, "%s", info.value + 1);
    for (char *name = strtok_r(names, ", \t", &rest); name != NULL; name = strtok_r(NULL, ", \t", &rest))
        check_left_out(name, found, count);
}

void doctor_backends(haly_instance *instance)
{
    const char *found[BACKENDS_MAX] = {0};
    uint32_t count = 0, ready = 0, found_count = 0;
    haly_device_count(instance, &count); /* what devices show of their backends; doctor_devices() tells a failure */
    if (haly_backend_count(instance, &count) != HALY_OK)
        return;
    for (uint32_t i = 0; i < count; i++) {
        haly_backend_info info = {HALY_BACKEND_INFO_INIT};
        if (haly_backend_info_get(instance, i, &info) != HALY_OK)
            continue;
        check_backend(&info);
        ready += info.state == HALY_BACKEND_READY;
        if (found_count < BACKENDS_MAX)
            found[found_count++] = info.name;
    }
    check_exclusions(instance, found, found_count);
    if (count == 0)
        report(VERDICT_FAIL, "backends", "install them beside the library, or set HALYARD_BACKEND_PATH to their folder",
               "no file libhalyard_backend_*.so was found");
    else if (ready == 0)
        report(VERDICT_FAIL, "backends", "see the reasons above; the cpu backend works on any machine",
               "none of %u can be used", count);
}
