/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Discovery: every file found, and what is built in, becomes a backend with a state and a reason. Selection, policy and
 * trust decide on names and files before anything is opened; what was named must come out ready.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instance.h"
#include "loader.h"
#include "nearest.h"
#include "search.h"

const char *backend_reason(const struct backend *backend)
{
    return backend->has_late_reason ? backend->late_reason : backend->reason;
}

HALY_PRINTF_LIKE(4, 5)
static bool leave_out(struct backend *backend, haly_backend_state state, haly_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(backend->reason, sizeof backend->reason, format, arguments);
    va_end(arguments);
    backend->state = state;
    backend->status = status;
    return false;
}

/* What can be told of a backend without opening its file. */
static bool may_open(haly_instance *instance, const struct search_file *file, struct backend *backend)
{
    if (file->shadowed_by != NULL)
        return leave_out(backend, HALY_BACKEND_FILTERED, HALY_ERR_UNAVAILABLE, "shadowed by %s", file->shadowed_by);
    if (!selection_takes(&instance->selection, file->name))
        return leave_out(backend, HALY_BACKEND_FILTERED, HALY_ERR_UNAVAILABLE, "left out by %s=%s",
                         param_origin(instance->params, "backend"), param_text(instance->params, "backend"));
    const uint32_t line = policy_denies_backend(instance->policy, file->name);
    if (line != 0)
        return leave_out(backend, HALY_BACKEND_DENIED, HALY_ERR_POLICY, "denied by %s, line %u",
                         policy_path(instance->policy), line);
    if (file->trust != HALY_OK)
        return leave_out(backend, HALY_BACKEND_REFUSED, file->trust, "%s", file->why);
    return true;
}

haly_status fail_unusable(const struct backend *backend, const char *what)
{
    haly_error failure = backend->failure;
    if (failure.status != backend->status)
        failure =
            (haly_error){HALY_ERROR_INIT, .status = backend->status, .recovery = error_recovery_of(backend->status)};
    text_set(failure.message, sizeof failure.message, "%sbackend \"%s\" cannot be used: %s", what, backend->name,
             backend_reason(backend));
    text_set(failure.backend, sizeof failure.backend, "%s", backend->name);
    failure.function[0] = '\0'; /* of the call that showed it first; this one names itself */
    return error_status(error_restore(&failure), backend->status);
}

/* What ran out may be there the next time: to go on without the backend would choose another for no reason of its own.
 */
static bool ran_out(const struct backend *backend)
{
    return backend->status == HALY_ERR_HOST_OOM || backend->status == HALY_ERR_RESOURCE_EXHAUSTED;
}

/* Opens, declares its parameters, and probes it. *out_declared: its parameters are known. */
static haly_status open_backend(haly_instance *instance, const struct search_file *file, struct backend *backend,
                                bool *out_declared)
{
    const struct loader_source source = {file->entry, file->real, file->device, file->inode};
    loader_open(backend, &source);
    *out_declared = backend->state == HALY_BACKEND_READY;
    if (!*out_declared)
        return ran_out(backend) ? fail_unusable(backend, "") : HALY_OK;
    TRY(params_declare(instance->params, backend->name, &backend->table));
    const struct params *before = param_scope(instance->params);
    loader_probe(backend);
    param_scope(before);
    if (backend->status != HALY_ERR_INVALID)
        return HALY_OK;
    /* A parameter with a bad value is the user's error; to go on with other backends would hide it. */
    return fail_unusable(backend, "");
}

static haly_status take_files(haly_instance *instance, const struct search *search, const char **unopened,
                              uint32_t *out_unopened_count)
{
    uint32_t index = 0;
    for (const struct search_file *file = search->files; file != NULL; file = file->next, index++) {
        struct backend *backend = &instance->backends[index];
        bool declared = false;
        text_set(backend->name, sizeof backend->name, "%s", file->name);
        text_set(backend->path, sizeof backend->path, "%s", file->path);
        backend->is_named = selection_names(&instance->selection, file->name);
        backend->preference = selection_preference(&instance->selection, file->name);
        instance->backend_count = index + 1;
        if (may_open(instance, file, backend))
            TRY(open_backend(instance, file, backend, &declared));
        else if (ran_out(backend))
            return fail_unusable(backend, "");
        else
            LOG(HALY_LOG_INFO, "backend \"%s\" (%s): %s", backend->name, backend->path, backend->reason);
        if (!declared && file->shadowed_by == NULL)
            unopened[(*out_unopened_count)++] = backend->name;
    }
    return HALY_OK;
}

struct backend *instance_backend(haly_instance *instance, const char *name)
{
    for (uint32_t i = 0; i < instance->backend_count; i++) /* the first of a name is the one that won */
        if (strcasecmp(instance->backends[i].name, name) == 0)
            return &instance->backends[i];
    return NULL;
}

haly_status fail_no_backend(haly_instance *instance, const char *what, const char *name)
{
    char found[128] = "";
    struct nearest nearest;
    nearest_start(&nearest, name);
    for (uint32_t i = 0; i < instance->backend_count; i++) {
        const char *other = instance->backends[i].name;
        if (instance_backend(instance, other) != &instance->backends[i])
            continue;
        nearest_offer(&nearest, other);
        text_append(found, sizeof found, "%s%s", found[0] != '\0' ? ", " : "", other);
    }
    return FAIL(HALY_ERR_NOT_FOUND,
                "%sbackend \"%s\" cannot be used: libhalyard_backend_%s.so not found in %.200s%s%s%s "
                "(found: %s)",
                what, name, name, instance->folders[0] != '\0' ? instance->folders : "no folder",
                nearest.best != NULL ? "; did you mean \"" : "", nearest.best != NULL ? nearest.best : "",
                nearest.best != NULL ? "\"?" : "", found[0] != '\0' ? found : "none");
}

/* A backend that was named and cannot be used ends the search for one. */
static haly_status insist_on_named(haly_instance *instance)
{
    const struct selection *selection = &instance->selection;
    for (uint32_t i = 0; i < selection->count; i++) {
        const char *name = selection->names[i];
        const struct backend *backend = instance_backend(instance, name);
        if (selection->excludes) {
            if (backend == NULL)
                LOG(HALY_LOG_WARN, "%s leaves out \"%s\", which is not there anyway",
                    param_origin(instance->params, "backend"), name);
            continue;
        }
        if (backend == NULL)
            return fail_no_backend(instance, "", name);
        if (backend->state != HALY_BACKEND_READY)
            return fail_unusable(backend, "");
    }
    return HALY_OK;
}

static haly_status take_search(haly_instance *instance, const struct search *search)
{
    uint32_t count = 0, unopened_count = 0;
    for (const struct search_file *file = search->files; file != NULL; file = file->next)
        count++;
    text_set(instance->folders, sizeof instance->folders, "%s", search->folders);
    instance->backends = calloc(count + 1, sizeof *instance->backends);
    const char **unopened = calloc(count + 1, sizeof *unopened);
    if (instance->backends == NULL || unopened == NULL) {
        free(unopened);
        return fail_host_oom("backends", (uint64_t)count * sizeof *instance->backends);
    }
    haly_status status = take_files(instance, search, unopened, &unopened_count);
    if (status == HALY_OK)
        status = insist_on_named(instance);
    if (status == HALY_OK)
        status = params_check_unknown(instance->params, unopened, unopened_count);
    free(unopened);
    return status;
}

haly_status discover_backends(haly_instance *instance, const struct instance_sources *sources)
{
    struct trust_anchor anchor = {.folder = ""};
    struct search search;
    if (sources->search_beside)
        TRY(trust_anchor_find(&anchor));
    TRY(search_backends(param_text(instance->params, "backend_path"), sources->builtins,
                        anchor.folder[0] != '\0' ? &anchor : NULL, sources->backend_folder, &search));
    const haly_status status = take_search(instance, &search);
    search_free(&search);
    return status;
}
