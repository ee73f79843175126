/* SPDX-License-Identifier: Apache-2.0 */
/* Steps, and what scenarios open and release. */
#define _GNU_SOURCE
#include "scenario.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inject.h"

void world_begin(struct world *world, const char *call)
{
    snprintf(world->outcome->step, sizeof world->outcome->step, "%s", call);
    inject_step(call);
}

bool world_has_failed(const struct world *world)
{
    return world->outcome->function[0] != '\0' || world->outcome->problem[0] != '\0';
}

bool world_problem(struct world *world, const char *format, ...)
{
    struct outcome *outcome = world->outcome;
    if (outcome->problem[0] == '\0') {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(outcome->problem, sizeof outcome->problem, format, arguments);
        va_end(arguments);
    }
    return false;
}

void world_note_context(struct world *world)
{
    haly_context_info info = {HALY_CONTEXT_INFO_INIT};
    if (world->context != NULL && haly_context_info_get(world->context, &info) == HALY_OK)
        world->outcome->context_status = (int32_t)info.status;
}

/* A failure comes with its detail, which says the same. [ERR-001] */
static void note_failure(struct world *world, const char *call, haly_status status)
{
    struct outcome *outcome = world->outcome;
    snprintf(outcome->function, sizeof outcome->function, "%s", call);
    outcome->status = status;
    outcome->error = (haly_error){HALY_ERROR_INIT};
    if (status < HALY_ERR_INVALID)
        return; /* HALY_NOT_READY and HALY_TIMEOUT have none */
    if (haly_error_last(&outcome->error) != HALY_OK)
        world_problem(world, "%s failed without a detail", call);
    else if (outcome->error.status != status)
        world_problem(world, "%s is %s, and its detail %s: %s", call, haly_status_name(status),
                      haly_status_name(outcome->error.status), outcome->error.message);
    else if (outcome->error.message[0] == '\0' || outcome->error.function[0] == '\0')
        world_problem(world, "%s failed, and its detail has no message or no function", call);
    world_note_context(world);
}

bool world_step(struct world *world, const char *call, haly_status status, haly_status wanted)
{
    if (status == wanted)
        return !world_has_failed(world);
    if (!world_has_failed(world)) {
        note_failure(world, call, status);
        if (status == HALY_OK)
            world_problem(world, "%s is HALY_OK where %s was expected", call, haly_status_name(wanted));
    }
    return false;
}

/* ---- releasing ---- */

void world_keep(struct world *world, void *handle, void (*release)(void *handle))
{
    if (world->made_count == MADE_MOST) {
        fprintf(stderr, "halyard-sweep: a scenario makes more than %u objects\n", MADE_MOST);
        abort();
    }
    world->made[world->made_count].handle = handle;
    world->made[world->made_count++].release = release;
}

void world_release_now(struct world *world, void *handle)
{
    for (uint32_t i = 0; i < world->made_count; i++)
        if (world->made[i].handle == handle) {
            world->made[i].handle = NULL;
            world->made[i].release(handle);
            return;
        }
}

void world_close(struct world *world)
{
    world_begin(world, "releasing");
    while (world->made_count > 0) {
        world->made_count--;
        if (world->made[world->made_count].handle != NULL)
            world->made[world->made_count].release(world->made[world->made_count].handle);
    }
    world->instance = NULL;
    world->context = NULL;
    world->stream = NULL;
}

static void release_instance(void *instance)
{
    haly_instance_release(instance);
}

static void release_context(void *context)
{
    haly_context_release(context);
}

static void release_stream(void *stream)
{
    haly_stream_release(stream);
}

static void release_event(void *event)
{
    haly_event_release(event);
}

static void release_module(void *module)
{
    haly_module_release(module);
}

/* ---- places ---- */

const char *world_path(const char *below)
{
    static _Thread_local char paths[4][4096];
    static _Thread_local unsigned turn;
    char *path = paths[turn++ % 4];
    const ssize_t length = readlink("/proc/self/exe", path, sizeof paths[0] - 1);
    path[length > 0 ? length : 0] = '\0';
    for (int up = 0; up < 3; up++) { /* tests/sweep/halyard-sweep */
        char *slash = strrchr(path, '/');
        if (slash != NULL)
            *slash = '\0';
    }
    const size_t used = strlen(path);
    snprintf(path + used, sizeof paths[0] - used, "/%s", below);
    return path;
}

/* ---- opening ---- */

/* Where the backend that the scenario names is found, when not in the ordinary folder. */
static const char *backend_path(const struct scenario *scenario, bool is_faulty)
{
    if (scenario->backend != NULL && strcmp(scenario->backend, "manual") == 0)
        return world_path(is_faulty ? "tests/sweep/faulty/manual" : "fakes/manual");
    return is_faulty ? world_path("tests/sweep/faulty/cpu") : NULL;
}

bool world_is_other_backend(const struct scenario *scenario, bool is_faulty, const char *file)
{
    char named[4200];
    const char *folder = backend_path(scenario, is_faulty);
    if (scenario->backend == NULL) /* then it says that it does not want the template's */
        return strstr(file, "/libhalyard_backend_template.so") != NULL;
    if (file[0] == '\0')
        return false;
    snprintf(named, sizeof named, "%s/libhalyard_backend_%s.so", folder != NULL ? folder : world_path("lib/halyard"),
             scenario->backend);
    return strcmp(named, file) != 0;
}

/* Room for the backend, its path and the trace's file beside the scenario's own. */
#define PARAMS_MOST (sizeof(((struct scenario *)NULL)->params) / sizeof(haly_param) + 3)

void world_open_instance(struct world *world)
{
    haly_param params[PARAMS_MOST];
    char trace_file[64];
    uint32_t count = 0;
    const char *path = backend_path(world->scenario, world->is_faulty);
    snprintf(trace_file, sizeof trace_file, "%s/%%p-%%i.json", world_sandbox());
    if (world->scenario->backend != NULL)
        params[count++] = (haly_param){"backend", world->scenario->backend};
    if (path != NULL)
        params[count++] = (haly_param){"backend_path", path};
    for (const haly_param *own = world->scenario->params; own->name != NULL; own++) {
        params[count++] = *own;
        if (strcmp(own->name, "layers") == 0)
            params[count++] = (haly_param){"trace_file", trace_file};
    }
    const haly_instance_desc desc = {HALY_INSTANCE_DESC_INIT, .params = params, .param_count = count,
                                     .param_size = sizeof *params};
    STEP_OUT(world->instance, haly_instance_create, &desc, &world->instance);
    world_keep(world, world->instance, release_instance);
}

void world_context(struct world *world, uint32_t flags, haly_context **out_context)
{
    const haly_context_desc desc = {HALY_CONTEXT_DESC_INIT, .flags = flags};
    STEP_OUT(*out_context, haly_context_open, world->instance, &desc, out_context);
    world_keep(world, *out_context, release_context);
}

void world_stream(struct world *world, haly_stream **out_stream)
{
    STEP_OUT(*out_stream, haly_stream_create, world->context, NULL, out_stream);
    world_keep(world, *out_stream, release_stream);
}

void world_event(struct world *world, uint32_t flags, haly_event **out_event)
{
    const haly_event_desc desc = {HALY_EVENT_DESC_INIT, .flags = flags};
    STEP_OUT(*out_event, haly_event_create, world->context, &desc, out_event);
    world_keep(world, *out_event, release_event);
}

void world_open(struct world *world)
{
    GO(world_open_instance(world));
    GO(world_context(world, world->scenario->context_flags, &world->context));
    GO(world_stream(world, &world->stream));
}

void world_module(struct world *world, haly_module **out_module)
{
    STEP_OUT(*out_module, haly_module_load_file, world->context, world_path("lib/halyard/conformance/cts_basic.so"),
             out_module);
    world_keep(world, *out_module, release_module);
}

/* ---- bytes ---- */

void world_memory(struct world *world, uint64_t size, void **out_address)
{
    STEP_OUT(*out_address, haly_malloc, world->context, size, NULL, out_address);
}

void world_sync(struct world *world, haly_stream *stream)
{
    STEP(haly_stream_sync, stream, HALY_FOREVER);
}

void world_fill(struct world *world, void *bytes, uint64_t size)
{
    unsigned char *at = bytes;
    uint64_t state = ++world->seed * UINT64_C(0x9e3779b97f4a7c15);
    for (uint64_t i = 0; i < size; i++) {
        state = state * UINT64_C(6364136223846793005) + 1;
        at[i] = (unsigned char)(state >> 56);
    }
}

void world_upload(struct world *world, const void *bytes, uint64_t size, void **out_address)
{
    GO(world_memory(world, size, out_address));
    STEP(haly_copy, world->stream, *out_address, bytes, size);
    GO(world_sync(world, world->stream));
}

void world_compare(struct world *world, const void *address, const void *bytes, uint64_t size)
{
    static unsigned char buffers[WORLD_RUNS][4 << 20]; /* a queued copy may still write when its scenario has failed */
    unsigned char *seen = buffers[world->run % WORLD_RUNS];
    if (size > sizeof buffers[0])
        abort();
    STEP(haly_copy, world->stream, seen, address, size);
    GO(world_sync(world, world->stream));
    CHECK(memcmp(seen, bytes, size) == 0);
}
