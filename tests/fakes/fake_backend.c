/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backend that does nothing but be found, built many ways by -DFAKE_…: each variant breaks one rule of the contract
 * between core and backend, or uses one freedom of it. What the core called shows in the specs it gets.
 */
#define _GNU_SOURCE
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <halyard/backend.h>

#define STRING(text_) STRING_OF(text_)
#define STRING_OF(text_) #text_
#define JOIN(a_, b_) JOIN_OF(a_, b_)
#define JOIN_OF(a_, b_) a_##b_

#ifndef FAKE_ENTRY
#define FAKE_ENTRY JOIN(halyard_backend_, FAKE_NAME)
#endif
#ifndef FAKE_TABLE_NAME
#define FAKE_TABLE_NAME STRING(FAKE_NAME)
#endif
#ifndef FAKE_SPEC_BACKEND
#define FAKE_SPEC_BACKEND STRING(FAKE_NAME)
#endif
#ifndef FAKE_ABI_MAJOR
#define FAKE_ABI_MAJOR HALY_BACKEND_ABI_MAJOR
#endif
#ifndef FAKE_ABI_MINOR
#define FAKE_ABI_MINOR HALY_BACKEND_ABI_MINOR
#endif
#ifndef FAKE_TABLE_THROUGH
#define FAKE_TABLE_THROUGH shutdown
#endif
#ifndef FAKE_TABLE_CUT
#define FAKE_TABLE_CUT 0
#endif
#ifndef FAKE_TABLE_TAIL
#define FAKE_TABLE_TAIL 0
#endif
#ifndef FAKE_TABLE_CLAIM /* what struct_size says, whatever the table has; 0: the truth */
#define FAKE_TABLE_CLAIM 0
#endif
#ifndef FAKE_DEVICES
#define FAKE_DEVICES 2
#endif
#ifndef FAKE_DEVICE_SIZE
#define FAKE_DEVICE_SIZE sizeof(struct fake_device)
#endif
#ifndef FAKE_KIND
#define FAKE_KIND HALY_DEVICE_NPU
#endif
#ifndef FAKE_SCORE
#define FAKE_SCORE 100
#endif
#ifndef FAKE_ALIGNMENT
#define FAKE_ALIGNMENT 256
#endif
#ifndef FAKE_PARAM_COUNT
#define FAKE_PARAM_COUNT 0
#endif
#ifndef FAKE_PARAM_SIZE
#define FAKE_PARAM_SIZE 0
#endif
#ifndef FAKE_VENDOR
#define FAKE_VENDOR "fakes"
#endif
#ifndef FAKE_FAIL_ENTRY
#define FAKE_FAIL_ENTRY HALY_OK
#endif
#ifndef FAKE_FAIL_PROBE
#define FAKE_FAIL_PROBE HALY_OK
#endif
#ifndef FAKE_FAIL_COUNT
#define FAKE_FAIL_COUNT HALY_OK
#endif
#ifndef FAKE_FAIL_OPEN
#define FAKE_FAIL_OPEN HALY_OK
#endif
#ifndef FAKE_FAIL_OPEN_FROM
#define FAKE_FAIL_OPEN_FROM 0
#endif

struct fake_device {
    uint64_t mark;
    uint32_t index;
};

static const haly_core_table *core;
static _Atomic unsigned entries, probes, counts, shutdowns; /* instances may call at the same time */

/* Room behind the table, full of what a newer version might have there. */
static struct {
    haly_backend_table table;
    unsigned char tail[FAKE_TABLE_TAIL + 1];
} whole;

static haly_status fail(haly_status status, const char *entry)
{
#ifdef FAKE_SILENT
    (void)entry;
    return status;
#else
    return core->fail(status, HALY_SCOPE_CALL, HALY_RECOVER_NONE, 77, "native words", "%s does not want to", entry);
#endif
}

static haly_status fake_probe(haly_backend_probe *out_probe)
{
    probes++;
#ifdef FAKE_FORGETS_TABLE
    memset(&whole.table, 0xEE, sizeof whole.table);
#endif
    if (FAKE_FAIL_PROBE != HALY_OK)
        return fail(FAKE_FAIL_PROBE, "probe");
    out_probe->device_count = FAKE_DEVICES;
#ifdef FAKE_MAYBE
    out_probe->maybe = 1;
#endif
    return HALY_OK;
}

static haly_status fake_device_count(uint32_t *out_count)
{
    counts++;
    if (FAKE_FAIL_COUNT != HALY_OK)
        return fail(FAKE_FAIL_COUNT, "device_count");
    *out_count = FAKE_DEVICES;
    return HALY_OK;
}

static haly_status fake_device_open(uint32_t index, void *device, haly_device_spec *out_spec)
{
    struct fake_device *fake = device;
    if (FAKE_FAIL_OPEN != HALY_OK && index + 1 > FAKE_FAIL_OPEN_FROM)
        return fail(FAKE_FAIL_OPEN, "device_open");
    if (fake->mark != 0 || (uintptr_t)device % 64 != 0)
        return fail(HALY_ERR_INTERNAL, "a block that is not zeroed and aligned");
    fake->mark = 0xFA4E;
    fake->index = index;
    out_spec->kind = FAKE_KIND;
    out_spec->score = FAKE_SCORE + index;
    out_spec->allocation_alignment = FAKE_ALIGNMENT;
    out_spec->memory_bytes = (uint64_t)(index + 1) << 30;
    snprintf(out_spec->backend, sizeof out_spec->backend, "%s", FAKE_SPEC_BACKEND);
    snprintf(out_spec->vendor, sizeof out_spec->vendor, "%s", FAKE_VENDOR);
    snprintf(out_spec->name, sizeof out_spec->name, "Fake\n%u", index);
    snprintf(out_spec->driver, sizeof out_spec->driver, "entries %u probes %u counts %u", entries, probes, counts);
    snprintf(out_spec->architecture, sizeof out_spec->architecture, "%s", core->param(STRING(FAKE_NAME), "level"));
#ifdef FAKE_ENDLESS_TEXT
    memset(out_spec->name, 'x', sizeof out_spec->name);
#endif
    return HALY_OK;
}

static void fake_device_close(void *device)
{
    ((struct fake_device *)device)->mark = 0;
}

static haly_status fake_device_sample(void *device, haly_device_sample *out_sample)
{
    out_sample->valid = HALY_SAMPLE_CLOCK;
    out_sample->clock_mhz = ((struct fake_device *)device)->index + 1;
    return HALY_OK;
}

static void fake_shutdown(void)
{
    shutdowns++;
    core->log(HALY_LOG_WARN, "fake shut down, time %u", shutdowns);
}

#ifdef FAKE_PARAM_NAME
static const haly_backend_param params[] = {{FAKE_PARAM_NAME, "a word", "low", "how loud the fake is"}};
#define FAKE_PARAMS params
#else
#define FAKE_PARAMS NULL
#endif

#ifdef FAKE_NEEDS_SYMBOL
int fake_dependency_answer(void);
#endif

#ifdef FAKE_MEDDLES
/* What no backend may do, as soon as it is mapped: the process is not its own. */
__attribute__((constructor)) static void meddle(void)
{
    sigset_t all;
    sigfillset(&all);
    puts("the fake prints");
    fflush(stdout);
    setenv("HALYARD_BACKEND", "nowhere", 1);
    setenv("HALYARD_DEVICE", "nowhere:9", 1);
    setenv("HALYARD_BACKEND_PATH", "relative", 1);
    setlocale(LC_ALL, "C.UTF-8");
    if (chdir("/") != 0)
        abort();
    signal(SIGUSR1, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    umask(0777);
}
#endif

static void fill_table(haly_backend_table *table)
{
    table->struct_size = HALY_SIZE_THROUGH(haly_backend_table, FAKE_TABLE_THROUGH) - FAKE_TABLE_CUT + FAKE_TABLE_TAIL;
    if (FAKE_TABLE_CLAIM != 0)
        table->struct_size = FAKE_TABLE_CLAIM;
    table->abi_major = FAKE_ABI_MAJOR;
    table->abi_minor = FAKE_ABI_MINOR;
    table->name = FAKE_TABLE_NAME;
    table->version = "0.9-fake";
    table->params = FAKE_PARAMS;
    table->param_count = FAKE_PARAM_COUNT;
    table->param_size = FAKE_PARAM_SIZE;
    table->device_size = FAKE_DEVICE_SIZE;
    table->probe = fake_probe;
    table->device_count = fake_device_count;
    table->device_open = fake_device_open;
#ifndef FAKE_SPARSE
    table->device_close = fake_device_close;
    table->device_sample = fake_device_sample;
    table->shutdown = fake_shutdown;
#endif
}

HALY_BACKEND_EXPORT haly_status FAKE_ENTRY(const haly_core_table *core_table, const haly_backend_table **out_table);

haly_status FAKE_ENTRY(const haly_core_table *core_table, const haly_backend_table **out_table)
{
    core = core_table;
    entries++;
    if (FAKE_FAIL_ENTRY != HALY_OK)
        return fail((haly_status)FAKE_FAIL_ENTRY, "the entry");
#ifdef FAKE_NEEDS_SYMBOL
    if (fake_dependency_answer() != 42)
        return fail(HALY_ERR_INTERNAL, "the dependency");
#endif
    fill_table(&whole.table);
    memset(whole.tail, 0xEE, sizeof whole.tail);
#ifdef FAKE_SPARSE
    (void)fake_device_close;
    (void)fake_device_sample;
    (void)fake_shutdown;
#endif
#ifdef FAKE_NULL_TABLE
    *out_table = NULL;
#else
    *out_table = &whole.table;
#endif
    return HALY_OK;
}
