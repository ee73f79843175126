/* SPDX-License-Identifier: Apache-2.0 */
/* `halyard doctor`, the machine: what limits of the system would make Halyard slow or fail later. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tool.h"

/* First line of a small file of the kernel's, without its newline. */
static bool read_line(const char *path, char out[TEXT_MAX])
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    const bool read = fgets(out, TEXT_MAX, file) != NULL;
    fclose(file);
    if (read)
        out[strcspn(out, "\n")] = '\0';
    return read;
}

/* A control file of this process's own cgroup (version 2). */
static bool read_cgroup(const char *name, char out[TEXT_MAX])
{
    char group[TEXT_MAX], path[TEXT_MAX + 128];
    if (!read_line("/proc/self/cgroup", group) || strncmp(group, "0::", 3) != 0)
        return false;
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/%s", group + 3, name);
    return read_line(path, out);
}

static void check_cores(void)
{
    cpu_set_t set;
    char quota[TEXT_MAX];
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    const int usable = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)online;
    if (usable < online)
        report(VERDICT_NOTE, "cores", "start without taskset or with a wider cpuset, if all are wanted",
               "%d of %ld may be used", usable, online);
    else
        report(VERDICT_OK, "cores", NULL, "%d", usable);
    if (!read_cgroup("cpu.max", quota) || strncmp(quota, "max", 3) == 0)
        return;
    char *rest = NULL;
    const double allowed = strtod(quota, &rest), period = strtod(rest, NULL);
    if (period > 0 && allowed / period < usable)
        report(VERDICT_WARN, "cores", "set HALYARD_CPU_THREADS to that number: more threads only take turns",
               "the control group allows %.1f cores' time", allowed / period);
}

static void check_limit(int resource, const char *name, uint64_t wanted, enum verdict verdict, const char *meaning,
                        const char *mend)
{
    struct rlimit limit;
    char text[TEXT_MAX];
    if (getrlimit((__rlimit_resource_t)resource, &limit) != 0)
        return;
    if (limit.rlim_cur == RLIM_INFINITY)
        report(VERDICT_OK, name, NULL, "unlimited");
    else if (limit.rlim_cur >= wanted)
        report(VERDICT_OK, name, NULL, "%s", text_bytes(limit.rlim_cur, text));
    else
        report(verdict, name, mend, "%s: %s", text_bytes(limit.rlim_cur, text), meaning);
}

static void check_memory(void)
{
    char text[TEXT_MAX], bytes[TEXT_MAX];
    const uint64_t total = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    report(VERDICT_OK, "memory", NULL, "%s", text_bytes(total, bytes));
    if (read_cgroup("memory.max", text) && strcmp(text, "max") != 0) {
        const uint64_t limit = strtoull(text, NULL, 10);
        if (limit < total)
            report(VERDICT_NOTE, "memory",
                   "set HALYARD_MEM_LIMIT below it, so that a failed allocation is an error and "
                   "not the end of the process",
                   "the control group allows %s", text_bytes(limit, bytes));
    }
    if (read_line("/proc/sys/vm/overcommit_memory", text) && strcmp(text, "2") == 0)
        report(VERDICT_WARN, "memory", "sysctl vm.overcommit_memory=0",
               "overcommit is forbidden: reserved address windows and forked children count in full");
    check_limit(RLIMIT_AS, "address space", UINT64_C(1) << 38, VERDICT_WARN,
                "movable contexts reserve a window of 4 times the device's memory", "ulimit -v unlimited");
    check_limit(RLIMIT_MEMLOCK, "locked memory", UINT64_C(64) << 20, VERDICT_NOTE,
                "drivers that pin host memory may be refused (the cpu backend does not need it)",
                "ulimit -l unlimited, only if a driver asks for it");
}

static void check_huge_pages(void)
{
    char text[TEXT_MAX];
    if (!read_line("/sys/kernel/mm/transparent_hugepage/enabled", text))
        report(VERDICT_NOTE, "huge pages", NULL, "this kernel does not say whether it has transparent huge pages");
    else if (strstr(text, "[never]") != NULL)
        report(VERDICT_WARN, "huge pages", "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
               "switched off: large buffers are made of 4 KiB pages, which is slower");
    else
        report(VERDICT_OK, "huge pages", NULL, "%s", text);
}

void doctor_machine(void)
{
    check_cores();
    check_memory();
    check_huge_pages();
}
