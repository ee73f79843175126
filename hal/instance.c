/* SPDX-License-Identifier: Apache-2.0 */
/* Creating and ending instances, and what they tell of backends and parameters. */
#define _GNU_SOURCE
#include "instance.h"

#include <stdlib.h>
#include <sys/auxv.h>

#include "check.h"
#include "layers/layers.h"
#include "layers/validate_report.h"
#include "loader.h"
#include "process.h"

static _Atomic uint32_t instances;

bool instance_is_alone(void)
{
    return instances == 1;
}

const struct params *instance_params(haly_instance *instance)
{
    return instance->params;
}

static haly_status check_desc(const haly_instance_desc *desc)
{
    TRY(check_unknown(desc->flags, 0, desc->reserved, "haly_instance_desc"));
    if ((uint32_t)desc->log_level > HALY_LOG_DEBUG)
        return FAIL(HALY_ERR_INVALID, "haly_instance_desc.log_level is %u, the most detailed is %d",
                    (unsigned)desc->log_level, HALY_LOG_DEBUG);
    return check_no_ext(desc->ext, "haly_instance_desc");
}

static void start_sink(struct log_sink *sink, haly_log_fn fn, void *user, haly_log_level level, const char *prefix)
{
    *sink = (struct log_sink){.fn = fn, .user = user, .level = level, .prefix = prefix};
    if (level != HALY_LOG_OFF)
        log_sink_add(sink);
}

static void stop_sink(struct log_sink *sink)
{
    if (sink->level != HALY_LOG_OFF)
        log_sink_remove(sink);
}

static void instance_free(haly_instance *instance)
{
    atomic_fetch_sub(&instances, 1);
    devices_destroy(instance);
    layers_close(instance->layers);
    stop_sink(&instance->stderr_sink);
    stop_sink(&instance->program_sink);
    policy_destroy(instance->policy);
    params_destroy(instance->params);
    pthread_cond_destroy(&instance->changed);
    pthread_mutex_destroy(&instance->lock);
    free(instance->backends);
    object_free(&instance->object);
}

static void instance_destroy(struct object *object)
{
    object_end(object);
    instance_free((haly_instance *)object);
}

static haly_status instance_start(haly_instance *instance, const haly_instance_desc *desc,
                                  const struct instance_sources *sources)
{
    char why[256];
    haly_log_level level = HALY_LOG_OFF;
    if (desc->log != NULL)
        start_sink(&instance->program_sink, desc->log, desc->log_user,
                   desc->log_level != HALY_LOG_OFF ? desc->log_level : HALY_LOG_WARN, NULL);
    TRY(params_create(desc, &instance->params));
    if (log_level_parse(param_text(instance->params, "log"), &level))
        start_sink(&instance->stderr_sink, NULL, NULL, level, NULL);
    TRY(layers_open(instance, &instance->layers));
    if (instance->layers != NULL && level == HALY_LOG_OFF && desc->log == NULL)
        start_sink(&instance->stderr_sink, NULL, NULL, HALY_LOG_INFO, VALIDATE_PREFIX); /* else nobody would know */
    if (!selection_parse(param_text(instance->params, "backend"), &instance->selection, why, sizeof why))
        return FAIL(HALY_ERR_INTERNAL, "a checked list of backends does not parse: %s", why);
    TRY(policy_load(sources->policy_file, &instance->policy));
    return discover_backends(instance, sources);
}

haly_status instance_create(const haly_instance_desc *desc, const struct instance_sources *sources,
                            haly_instance **out_instance)
{
    haly_instance_desc checked;
    REQUIRE(out_instance);
    TRY(CHECK_INPUT(desc, haly_instance_desc, ext, &checked));
    TRY(check_desc(&checked));
    TRY(process_enter());
    haly_instance *instance = calloc(1, sizeof *instance);
    if (instance == NULL)
        return fail_host_oom("an instance", sizeof *instance);
    object_init(&instance->object, HALY_OBJECT_INSTANCE, NULL);
    atomic_fetch_add(&instances, 1);
    pthread_mutex_init(&instance->lock, NULL);
    pthread_cond_init(&instance->changed, NULL);
    const haly_status status = instance_start(instance, &checked, sources);
    if (status != HALY_OK) {
        instance_free(instance);
        return status;
    }
    *out_instance = instance;
    return HALY_OK;
}

haly_status haly_instance_create(const haly_instance_desc *desc, haly_instance **out_instance)
{
    PUT_OFF_CANCELLATION();
    /* With elevated privileges nothing counts but what was fixed when Halyard was built. A library that is part of a
     * program stands beside nothing. */
    const struct instance_sources sources = {.policy_file = HALY_POLICY_FILE,
                                             .builtins = builtin_backends,
                                             .backend_folder = HALY_BACKEND_DIR,
                                             .search_beside = HALY_IS_SHARED && getauxval(AT_SECURE) == 0};
    TRY(instance_create(desc, &sources, out_instance));
    return HALY_OK;
}

void haly_instance_retain(haly_instance *instance)
{
    object_retain(instance, HALY_OBJECT_INSTANCE);
}

void instance_join(haly_instance *instance)
{
    atomic_fetch_add(&instance->open_contexts, 1);
    haly_instance_retain(instance);
}

void instance_leave(haly_instance *instance)
{
    atomic_fetch_sub(&instance->open_contexts, 1);
    object_release(instance, HALY_OBJECT_INSTANCE, instance_destroy);
}

/* Whether the program's last reference goes now, and only contexts hold the instance from here on. */
static bool is_left_to_contexts(const haly_instance *instance)
{
    const uint32_t contexts = instance->open_contexts;
    return contexts > 0 && instance->object.references == contexts + 1;
}

void haly_instance_release(haly_instance *instance)
{
    PUT_OFF_CANCELLATION();
    if (object_kind(instance) == HALY_OBJECT_INSTANCE && instance->layers != NULL && is_left_to_contexts(instance))
        layers_instance_released(instance);
    object_release(instance, HALY_OBJECT_INSTANCE, instance_destroy);
}

haly_status haly_backend_count(haly_instance *instance, uint32_t *out_count)
{
    ENTRY(instance, HALY_OBJECT_INSTANCE);
    REQUIRE(out_count);
    *out_count = instance->backend_count;
    return HALY_OK;
}

haly_status haly_backend_info_get(haly_instance *instance, uint32_t index, haly_backend_info *out_info)
{
    ENTRY(instance, HALY_OBJECT_INSTANCE);
    if (index >= instance->backend_count)
        return FAIL(HALY_ERR_INVALID, "index is %u, and %u backends were found", index, instance->backend_count);
    const struct backend *backend = &instance->backends[index];
    pthread_mutex_lock(&instance->lock); /* enumeration may be changing its state */
    const haly_backend_info info = {HALY_BACKEND_INFO_INIT,          .state = backend->state,
                                    .status = backend->status,       .device_count = backend->device_count,
                                    .name = backend->name,           .version = backend->version,
                                    .path = backend->path,           .reason = backend_reason(backend),
                                    .abi_major = backend->abi_major, .abi_minor = backend->abi_minor};
    pthread_mutex_unlock(&instance->lock);
    TRY(CHECK_OUTPUT(out_info, haly_backend_info, reserved, &info));
    return HALY_OK;
}

haly_status haly_param_count(haly_instance *instance, uint32_t *out_count)
{
    ENTRY(instance, HALY_OBJECT_INSTANCE);
    REQUIRE(out_count);
    *out_count = params_count(instance->params);
    return HALY_OK;
}

haly_status haly_param_info_get(haly_instance *instance, uint32_t index, haly_param_info *out_info)
{
    haly_param_info info;
    ENTRY(instance, HALY_OBJECT_INSTANCE);
    if (index >= params_count(instance->params))
        return FAIL(HALY_ERR_INVALID, "index is %u, and %u parameters are declared", index,
                    params_count(instance->params));
    params_info(instance->params, index, &info);
    TRY(CHECK_OUTPUT(out_info, haly_param_info, source, &info));
    return HALY_OK;
}
