/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/* The cpu backend's table and its entry function. Streams are queues that the waiting thread runs itself; the rest of
 * the files say how. */
#include <stdio.h>
#include <sys/utsname.h>

#include "cpu_context.h"
#include "cpu_event.h"
#include "cpu_memory.h"
#include "cpu_module.h"
#include "cpu_native.h"
#include "cpu_plan.h"
#include "cpu_stream.h"
#include "planted.h"

const haly_core_table *cpu_core;

/* A wrong value makes the backend unusable, with the reason, before anything is opened. */
static haly_status probe(haly_backend_probe *out_probe)
{
    struct cpu_config config;
    struct utsname system;
    TRY(PLANTED_OR(parameters_are_not_probed, cpu_config_read(&config), HALY_OK));
    out_probe->device_count = 1;
    out_probe->maybe = 0;
    if (uname(&system) == 0)
        snprintf(out_probe->version, sizeof out_probe->version, "%.20s %.40s", system.sysname, system.release);
    return HALY_OK;
}

static haly_status stream_wrap(void *context, void *stream, const haly_native *native, void *token)
{
    (void)context;
    (void)stream;
    (void)native;
    (void)token;
    return FAIL(HALY_ERR_UNSUPPORTED, "the cpu backend has no native streams to wrap");
}

static const haly_backend_table table = {
    .struct_size = HALY_SIZE_THROUGH(haly_backend_table, image_rank),
    .abi_major = HALY_BACKEND_ABI_MAJOR,
    .abi_minor = HALY_BACKEND_ABI_MINOR,
    .name = "cpu",
    .version = "1.0.0",
    .params = cpu_params,
    .param_count = CPU_PARAM_COUNT,
    .param_size = sizeof(haly_backend_param),
    .device_size = sizeof(struct cpu_device),
    .context_size = sizeof(struct cpu_context),
    .segment_size = sizeof(struct cpu_segment),
    .stream_size = sizeof(struct cpu_stream),
    .event_size = sizeof(struct cpu_event),
    .module_size = sizeof(struct cpu_module),
    .kernel_size = sizeof(struct cpu_kernel),
    .plan_size = sizeof(struct cpu_plan),
    .probe = probe,
    .device_count = cpu_device_count,
    .device_open = cpu_device_open,
    .device_close = cpu_device_close,
    .device_sample = cpu_device_sample,
    .context_open = cpu_context_open,
    .context_close = cpu_context_close,
    .context_abandon = cpu_context_abandon,
    .segment_alloc = cpu_segment_alloc,
    .segment_free = cpu_segment_free,
    .host_alloc = cpu_host_alloc,
    .host_free = cpu_host_free,
    .host_register = cpu_host_register,
    .host_unregister = cpu_host_unregister,
    .pointer_info = cpu_pointer_info,
    .stream_create = cpu_stream_create,
    .stream_wrap = stream_wrap,
    .stream_destroy = cpu_stream_destroy,
    .stream_query = cpu_stream_query,
    .stream_wait = cpu_stream_wait,
    .submit = cpu_stream_submit,
    .event_create = cpu_event_create,
    .event_destroy = cpu_event_destroy,
    .event_query = cpu_event_query,
    .event_wait = cpu_event_wait,
    .event_elapsed = cpu_event_elapsed,
    .module_load = cpu_module_load,
    .module_unload = cpu_module_unload,
    .kernel_get = cpu_kernel_get,
    .kernel_release = cpu_kernel_release,
    .plan_create = cpu_plan_create,
    .plan_destroy = cpu_plan_destroy,
    .native_get = cpu_native_get,
    .shutdown = cpu_pool_stop,
    .image_rank = cpu_image_rank,
};

HALY_BACKEND_EXPORT haly_status halyard_backend_cpu(const haly_core_table *core, const haly_backend_table **out_table);

haly_status halyard_backend_cpu(const haly_core_table *core, const haly_backend_table **out_table)
{
    cpu_core = core;
    *out_table = &table;
    return HALY_OK;
}
