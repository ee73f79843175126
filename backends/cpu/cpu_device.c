/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/* The one device: this machine's processors and memory, as far as this process may use them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cpu_clock.h"
#include "cpu_context.h"
#include "cpu_cpuinfo.h"
#include "cpu_limits.h"
#include "cpu_pool.h"
#include "planted.h"

#define BIT(dtype) (UINT64_C(1) << (dtype))

#define ORDINARY_CAPABILITIES                                                                                          \
    (HALY_CAP_NATIVE_ADDRESSES | HALY_CAP_PLACEMENT | HALY_CAP_PAGEABLE_COPY | HALY_CAP_HOST_CALL)
#define CAPABILITIES                                                                                                   \
    (HALY_CAP_KERNELS | HALY_CAP_OPERATOR_KERNELS | HALY_CAP_PLANS | HALY_CAP_TIMING | HALY_CAP_DETERMINISTIC |        \
     HALY_CAP_HOST_REGISTER)

haly_status cpu_device_count(uint32_t *out_count)
{
    struct cpu_config config;
    TRY(cpu_config_read(&config));
    *out_count = 1;
    return HALY_OK;
}

static void describe_limits(haly_device_spec *spec)
{
    spec->allocation_alignment = CPU_ALIGNMENT;
    spec->max_group_items = CPU_MAX_GROUP_ITEMS;
    for (uint32_t i = 0; i < 3; i++)
        spec->max_group[i] = CPU_MAX_GROUP_ITEMS;
    spec->local_memory_bytes = 48U << 10; /* what the dialect promises: it comes from the threads' stacks */
    spec->max_grid[0] = UINT32_MAX;
    spec->max_grid[1] = spec->max_grid[2] = UINT16_MAX;
    spec->max_argument_bytes = 4096;
}

static void describe_types(haly_device_spec *spec)
{
    const uint64_t block = BIT(HALY_Q4_0) | BIT(HALY_Q4_1) | BIT(HALY_Q8_0);
    const uint64_t small = BIT(HALY_F16) | BIT(HALY_BF16);
    for (int dtype = HALY_F32; dtype <= HALY_F8_E5M2; dtype++)
        spec->storage_dtypes |= BIT(dtype);
    spec->storage_dtypes |= block;
    spec->compute_dtypes = BIT(HALY_F32) | BIT(HALY_F64) | BIT(HALY_I8) | BIT(HALY_I16) | BIT(HALY_I32) |
                           BIT(HALY_I64) | BIT(HALY_U8) | BIT(HALY_U16) | BIT(HALY_U32) | BIT(HALY_U64);
    spec->matmul_dtypes = BIT(HALY_F32) | small | block;
}

haly_status cpu_device_open(uint32_t index, void *device, haly_device_spec *out_spec)
{
    struct cpu_device *self = device;
    struct utsname system;
    if (index != 0)
        return FAIL(HALY_ERR_INVALID, "cpu device %u: there is one, number 0", index);
    TRY(cpu_config_read(&self->config));
    self->memory_bytes = cpu_limits_memory();
    haly_device_spec spec = {HALY_DEVICE_SPEC_INIT, .kind = HALY_DEVICE_CPU, .backend = "cpu"};
    cpu_cpuinfo_describe(&spec);
    snprintf(spec.architecture, sizeof spec.architecture, "%s", cpu_isa_architecture(self->config.isa));
    if (uname(&system) == 0)
        snprintf(spec.driver, sizeof spec.driver, "%.20s %.40s", system.sysname, system.release);
    spec.capabilities = CAPABILITIES | (self->config.is_strict ? 0U : (uint64_t)ORDINARY_CAPABILITIES);
    spec.memory_bytes = spec.max_allocation_bytes = self->memory_bytes;
    spec.compute_units = self->config.threads;
    spec.score = 1;
    describe_limits(&spec);
    describe_types(&spec);
    const uint32_t size = out_spec->struct_size;
    *out_spec = spec;
    out_spec->struct_size = size != 0 ? size : spec.struct_size;
    return HALY_OK;
}

void cpu_device_close(void *device)
{
    (void)device; /* it holds nothing; the worker threads are the process's and end with shutdown() */
}

/* Ticks of all processors since boot, and how many of them were not idle. */
static bool read_ticks(uint64_t *out_busy, uint64_t *out_total)
{
    enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, FIELDS };
    uint64_t ticks[FIELDS];
    char line[256] = "", *at = line;
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL)
        return false;
    const bool has_line = fgets(line, sizeof line, file) != NULL && strncmp(line, "cpu ", 4) == 0;
    fclose(file);
    if (!has_line)
        return false;
    at += 4;
    for (int i = 0; i < FIELDS; i++) {
        char *end;
        ticks[i] = strtoull(at, &end, 10);
        if (end == at)
            return false;
        at = end;
    }
    *out_busy = ticks[USER] + ticks[NICE] + ticks[SYSTEM] + ticks[IRQ] + ticks[SOFTIRQ] + ticks[STEAL];
    *out_total = *out_busy + ticks[IDLE] + ticks[IOWAIT];
    return true;
}

static void sample_utilisation(struct cpu_device *device, haly_device_sample *sample)
{
    uint64_t busy, total;
    if (!read_ticks(&busy, &total))
        return;
    const uint64_t passed = total - device->total_ticks;
    if (device->total_ticks != 0 && passed != 0) {
        sample->utilisation_percent = (uint32_t)((busy - device->busy_ticks) * 100 / passed);
        sample->valid |= HALY_SAMPLE_UTILISATION;
    }
    if (device->total_ticks == 0 || passed != 0) {
        device->busy_ticks = busy;
        device->total_ticks = total;
    }
}

haly_status cpu_device_sample(void *device, haly_device_sample *out_sample)
{
    struct cpu_device *self = device;
    haly_device_sample sample = {HALY_DEVICE_SAMPLE_INIT, .time_ns = cpu_now()};
    PLANTED(second_sample_is_not_taken, if (self->total_ticks != 0) return HALY_OK);
    const uint64_t free_bytes = cpu_limits_memory_free();
    if (free_bytes != 0 && self->memory_bytes != 0) {
        sample.memory_free_bytes = free_bytes;
        sample.memory_used_bytes = self->memory_bytes > free_bytes ? self->memory_bytes - free_bytes : 0;
        sample.valid |= HALY_SAMPLE_MEMORY;
    }
    sample.clock_mhz = cpu_cpuinfo_clock();
    if (sample.clock_mhz != 0)
        sample.valid |= HALY_SAMPLE_CLOCK;
    sample_utilisation(self, &sample);
    const uint32_t size = out_sample->struct_size;
    *out_sample = sample;
    out_sample->struct_size = size != 0 ? size : sample.struct_size;
    return HALY_OK;
}
