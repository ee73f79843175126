/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/* Reads /proc/cpuinfo and /sys: text that the kernel writes for people, so every field may be absent. */
#include "cpu_cpuinfo.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "planted.h"

/* The value of the first line "key : value"; "" when there is none. */
static void find_value(const char *key, char *value, size_t bytes)
{
    char line[512];
    value[0] = '\0';
    FILE *file = fopen("/proc/cpuinfo", "re");
    if (file == NULL)
        return;
    while (value[0] == '\0' && fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, key, strlen(key)) != 0 || colon == NULL || strspn(line + strlen(key), " \t:") == 0)
            continue;
        colon += 1 + strspn(colon + 1, " \t");
        snprintf(value, bytes, "%.*s", (int)strcspn(colon, "\n"), colon);
    }
    fclose(file);
}

static const char *vendor_of(const char *text)
{
    static const char *const vendors[][2] = {
        {"GenuineIntel", "intel"}, {"AuthenticAMD", "amd"}, {"HygonGenuine", "hygon"}, {"0x41", "arm"},
        {"0x48", "huawei"},        {"0x4e", "nvidia"},      {"0x50", "ampere"},        {"0xc0", "ampere"},
    };
    for (size_t i = 0; i < sizeof vendors / sizeof *vendors; i++)
        if (strcmp(text, vendors[i][0]) == 0)
            return vendors[i][1];
    return "";
}

/* A number in a file of /sys, or 0; "K" and "M" count. */
static uint64_t read_number(const char *path)
{
    char line[64] = "", *unit = line;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    const bool has_line = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    const unsigned long long number = has_line ? strtoull(line, &unit, 10) : 0;
    return *unit == 'K' ? number << 10 : *unit == 'M' ? number << 20 : number;
}

/* The largest cache of the first processor: its last level. */
static uint64_t last_cache(void)
{
    uint64_t largest = 0;
    for (int i = 0; i < 8; i++) {
        char path[96];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", i);
        const uint64_t bytes = read_number(path);
        if (bytes > largest)
            largest = bytes;
    }
    return largest;
}

/* The node, when there is one; a process that may run on several belongs to none. */
static int32_t only_node(void)
{
    int32_t node = -1;
    DIR *folder = opendir("/sys/devices/system/node");
    if (folder == NULL)
        return -1;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (strncmp(entry->d_name, "node", 4) != 0 || entry->d_name[4] < '0' || entry->d_name[4] > '9')
            continue;
        if (node >= 0) {
            node = -1;
            break;
        }
        node = (int32_t)strtol(entry->d_name + 4, NULL, 10);
    }
    closedir(folder);
    return node;
}

uint32_t cpu_cpuinfo_clock(void)
{
    char text[64];
    const uint64_t khz = read_number("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq");
    if (khz != 0)
        return (uint32_t)(khz / 1000);
    find_value("cpu MHz", text, sizeof text);
    return (uint32_t)strtoul(text, NULL, 10);
}

void cpu_cpuinfo_describe(haly_device_spec *spec)
{
    char vendor[64];
    find_value("model name", spec->name, sizeof spec->name);
    if (spec->name[0] == '\0')
        find_value("Model", spec->name, sizeof spec->name);
    if (spec->name[0] == '\0')
        snprintf(spec->name, sizeof spec->name, "processor");
    find_value("vendor_id", vendor, sizeof vendor);
    if (vendor[0] == '\0')
        find_value("CPU implementer", vendor, sizeof vendor);
    snprintf(spec->vendor, sizeof spec->vendor, "%.31s",
             PLANTED_OR(vendor_as_the_system_spells_it, vendor_of(vendor), vendor));
    const uint64_t khz = read_number("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq");
    spec->clock_mhz = khz != 0 ? (uint32_t)(khz / 1000) : cpu_cpuinfo_clock();
    spec->cache_bytes = last_cache();
    spec->numa_node = only_node();
}
