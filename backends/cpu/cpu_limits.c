/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/*
 * Limits of the process. A container sees the whole machine in /proc, so the cgroup files decide where they are
 * smaller; the process's own group and all its parents count, since a limit holds for all below it. Versions 1 and 2 of
 * cgroups.
 */
#include "cpu_limits.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "planted.h"

#define PATH_BYTES 1024

/* First line of a file without its newline; false when it cannot be read. */
static bool read_line(const char *path, char *line, size_t bytes)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    const bool is_read = fgets(line, (int)bytes, file) != NULL;
    fclose(file);
    if (is_read)
        line[strcspn(line, "\n")] = '\0';
    return is_read;
}

/* The group of this process below the mount of `controller` ("" for version 2); false when it has none. */
static bool find_group(const char *controller, char *group, size_t bytes)
{
    char line[PATH_BYTES];
    bool is_found = false;
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (file == NULL)
        return false;
    while (!is_found && fgets(line, sizeof line, file) != NULL) {
        char *names = strchr(line, ':');
        char *path = names != NULL ? strchr(names + 1, ':') : NULL;
        if (path == NULL)
            continue;
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        char *rest = names + 1;
        if (controller[0] == '\0') {
            is_found = rest[0] == '\0';
        } else {
            for (char *name = strtok_r(rest, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest))
                is_found |= strcmp(name, controller) == 0;
        }
        if (is_found)
            snprintf(group, bytes, "%s", path);
    }
    fclose(file);
    return is_found;
}

/* Calls `look` for the process's group and each of its parents. */
static void each_group(const char *controller, void (*look)(const char *folder, void *value), void *value)
{
    char group[PATH_BYTES / 2], folder[PATH_BYTES];
    if (!find_group(controller, group, sizeof group))
        return;
    for (;;) {
        snprintf(folder, sizeof folder, "/sys/fs/cgroup%s%s%s", controller[0] != '\0' ? "/" : "", controller, group);
        look(folder, value);
        char *slash = strrchr(group, '/');
        if (slash == NULL || group[0] == '\0')
            return;
        *slash = '\0';
    }
}

static bool read_number(const char *folder, const char *name, uint64_t *out_number)
{
    char path[PATH_BYTES + 64], line[64], *end;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!read_line(path, line, sizeof line) || line[0] < '0' || line[0] > '9')
        return false;
    *out_number = strtoull(line, &end, 10);
    return true;
}

static void lower(uint64_t *value, uint64_t limit)
{
    if (*value == 0 || limit < *value)
        *value = limit;
}

static void lower_cores(uint64_t *cores, uint64_t quota, uint64_t period)
{
    if (quota > 0 && period > 0)
        lower(cores, (quota + period - 1) / period);
}

static void look_cores_v2(const char *folder, void *value)
{
    char path[PATH_BYTES + 64], line[64], *end;
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    if (!read_line(path, line, sizeof line) || line[0] < '0' || line[0] > '9')
        return; /* absent, or "max" */
    const uint64_t quota = strtoull(line, &end, 10);
    lower_cores(value, quota, strtoull(end, NULL, 10));
}

static void look_cores_v1(const char *folder, void *value)
{
    uint64_t quota, period;
    if (read_number(folder, "cpu.cfs_quota_us", &quota) && read_number(folder, "cpu.cfs_period_us", &period))
        lower_cores(value, quota, period);
}

uint32_t cpu_limits_cores(void)
{
    uint64_t cores = 1;
    cpu_set_t *set =
        CPU_ALLOC(8192); /* more than cpu_set_t holds: the call fails when the machine has more than that */
    const size_t bytes = CPU_ALLOC_SIZE(8192);
    if (set != NULL && sched_getaffinity(0, bytes, set) == 0)
        cores = (uint64_t)CPU_COUNT_S(bytes, set);
    CPU_FREE(set);
    each_group("", look_cores_v2, &cores);
    each_group("cpu", look_cores_v1, &cores);
    return cores < 1 ? 1 : cores > 1024 ? 1024 : (uint32_t)cores;
}

/* A line "Name:  123 kB" of /proc/meminfo, in bytes. */
static uint64_t meminfo(const char *name)
{
    char line[128];
    uint64_t bytes = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    if (file == NULL)
        return 0;
    while (bytes == 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            bytes = strtoull(line + strlen(name) + 1, NULL, 10) * 1024;
    fclose(file);
    return bytes;
}

static void look_memory_v2(const char *folder, void *value)
{
    uint64_t limit;
    if (read_number(folder, "memory.max", &limit))
        lower(value, limit);
}

static void look_memory_v1(const char *folder, void *value)
{
    uint64_t limit;
    if (read_number(folder, "memory.limit_in_bytes", &limit))
        lower(value, limit);
}

uint64_t cpu_limits_memory(void)
{
    struct sysinfo system;
    uint64_t bytes = meminfo("MemTotal");
    if (bytes == 0 && sysinfo(&system) == 0) /* no /proc to read: limits of groups alone may be no limits at all */
        bytes = (uint64_t)system.totalram * system.mem_unit;
    each_group("", look_memory_v2, &bytes);
    each_group("memory", look_memory_v1, &bytes);
    return bytes;
}

static void look_free_v2(const char *folder, void *value)
{
    uint64_t limit, used;
    if (read_number(folder, "memory.max", &limit) && read_number(folder, "memory.current", &used))
        lower(value, limit > used ? limit - used : 0);
}

static void look_free_v1(const char *folder, void *value)
{
    uint64_t limit, used;
    if (read_number(folder, "memory.limit_in_bytes", &limit) && read_number(folder, "memory.usage_in_bytes", &used))
        lower(value, limit > used ? limit - used : 0);
}

uint64_t cpu_limits_memory_free(void)
{
    uint64_t bytes = meminfo("MemAvailable");
    each_group("", look_free_v2, &bytes);
    each_group("memory", look_free_v1, &bytes);
    return PLANTED_OR(free_memory_in_other_units, bytes, bytes * 1024);
}
