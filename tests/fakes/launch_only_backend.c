/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/*
 * What a backend has that implements memory, streams and launches, and no more: the cpu backend without its operator
 * kernels and its own implementations. The core must lower every operator to kernels that it brings as source.
 */
#include <dlfcn.h>
#include <string.h>

#include <halyard/backend.h>

static haly_backend_table table;
static haly_status (*real_device_open)(uint32_t index, void *device, haly_device_spec *out_spec);
static haly_status (*real_module_load)(void *context, void *module, const haly_backend_image *image);
static const haly_core_table *core;

static haly_status device_open(uint32_t index, void *device, haly_device_spec *out_spec)
{
    const haly_status status = real_device_open(index, device, out_spec);
    memcpy(out_spec->backend, table.name, strlen(table.name) + 1);
    out_spec->capabilities &= ~(uint64_t)(HALY_CAP_OPERATOR_KERNELS | HALY_CAP_PLANS);
    return status;
}

static haly_status module_load(void *context, void *module, const haly_backend_image *image)
{
    if (image->format == HALY_MODULE_OPERATORS)
        return core->fail(HALY_ERR_UNSUPPORTED, HALY_SCOPE_CALL, HALY_RECOVER_NONE, 0, NULL,
                          "this backend brings no operator kernels");
    return real_module_load(context, module, image);
}

HALY_BACKEND_EXPORT haly_status halyard_backend_launch_only(const haly_core_table *given,
                                                            const haly_backend_table **out_table);

haly_status halyard_backend_launch_only(const haly_core_table *given, const haly_backend_table **out_table)
{
    const haly_backend_table *real = NULL;
    haly_backend_entry entry = NULL;
    core = given;
    void *handle = dlopen(CPU_BACKEND, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    void *symbol = handle != NULL ? dlsym(handle, "halyard_backend_cpu") : NULL;
    memcpy(&entry, &symbol, sizeof entry);
    if (entry == NULL || entry(given, &real) != HALY_OK)
        return given->fail(HALY_ERR_UNAVAILABLE, HALY_SCOPE_CALL, HALY_RECOVER_NONE, 0, NULL,
                           "the cpu backend %s cannot be opened", CPU_BACKEND);
    table = *real;
    table.name = "launch_only";
    table.params = NULL;
    table.param_count = 0;
    real_device_open = table.device_open;
    real_module_load = table.module_load;
    table.device_open = device_open;
    table.module_load = module_load;
    table.plan_create = NULL;
    table.plan_destroy = NULL;
    *out_table = &table;
    return HALY_OK;
}
