/* SPDX-License-Identifier: Apache-2.0 */
/* The operator kernels of a context, each asked of the backend once. Backends are called with no lock held, so two
 * threads may fetch the same kernel at once; the first one kept is everybody's. */
#include "operator_kernels.h"

#include <stdlib.h>
#include <string.h>

#include "plan_cache.h"

struct operator_kernels {
    pthread_mutex_t lock; /* what follows */
    haly_module *module;  /* NULL: not loaded yet */
    haly_kernel **kernels;
    uint32_t count, capacity;
};

struct operator_kernels *operator_kernels_create(void)
{
    struct operator_kernels *kernels = calloc(1, sizeof *kernels);
    if (kernels != NULL)
        pthread_mutex_init(&kernels->lock, NULL);
    return kernels;
}

void operator_kernels_destroy(struct operator_kernels *kernels)
{
    if (kernels == NULL)
        return;
    for (uint32_t i = 0; i < kernels->count; i++)
        haly_kernel_release(kernels->kernels[i]);
    haly_module_release(kernels->module);
    pthread_mutex_destroy(&kernels->lock);
    free(kernels->kernels);
    free(kernels);
}

static haly_status load(haly_context *context, struct operator_kernels *kernels, haly_module **out_module)
{
    const haly_device_spec *spec = &context->device->spec;
    const haly_module_desc desc = {HALY_MODULE_DESC_INIT, .format = HALY_MODULE_OPERATORS};
    haly_module *module = NULL;
    pthread_mutex_lock(&kernels->lock);
    *out_module = kernels->module;
    pthread_mutex_unlock(&kernels->lock);
    if (*out_module != NULL)
        return HALY_OK;
    if ((spec->capabilities & HALY_CAP_OPERATOR_KERNELS) == 0)
        return FAIL(HALY_ERR_UNSUPPORTED, "device %s:%u brings no operator kernels to lower operators to",
                    spec->backend, spec->index);
    TRY(haly_module_load(context, &desc, &module));
    module->object.is_internal = true;
    pthread_mutex_lock(&kernels->lock);
    if (kernels->module == NULL) {
        kernels->module = module;
        module = NULL;
    }
    *out_module = kernels->module;
    pthread_mutex_unlock(&kernels->lock);
    haly_module_release(module);
    return HALY_OK;
}

static haly_kernel *find(struct operator_kernels *kernels, const char *name)
{
    for (uint32_t i = 0; i < kernels->count; i++)
        if (strcmp(kernels->kernels[i]->name, name) == 0)
            return kernels->kernels[i];
    return NULL;
}

/* Keeps a kernel unless another thread was first; under the lock. NULL: out of memory. */
static haly_kernel *keep(struct operator_kernels *kernels, haly_kernel *kernel, const char *name)
{
    haly_kernel *first = find(kernels, name);
    if (first != NULL)
        return first;
    if (kernels->count == kernels->capacity) {
        const uint32_t capacity = kernels->capacity == 0 ? 32 : 2 * kernels->capacity;
        haly_kernel **grown = realloc(kernels->kernels, capacity * sizeof *grown);
        if (grown == NULL)
            return NULL;
        kernels->kernels = grown;
        kernels->capacity = capacity;
    }
    kernels->kernels[kernels->count++] = kernel;
    return kernel;
}

static haly_status fetch(haly_context *context, haly_module *module, const char *name, haly_kernel **out_kernel)
{
    const haly_status status = haly_kernel_get(module, name, out_kernel);
    if (status == HALY_OK)
        (*out_kernel)->object.is_internal = true;
    if (status != HALY_ERR_NOT_FOUND)
        return status;
    return FAIL(HALY_ERR_UNSUPPORTED, "the operator kernels of device %s:%u have no \"%s\"",
                context->device->spec.backend, context->device->spec.index, name);
}

haly_status operator_kernel_get(haly_context *context, const char *name, haly_kernel **out_kernel)
{
    struct operator_kernels *kernels = context->plans->kernels;
    haly_module *module = NULL;
    haly_kernel *kernel = NULL;
    pthread_mutex_lock(&kernels->lock);
    *out_kernel = find(kernels, name);
    pthread_mutex_unlock(&kernels->lock);
    if (*out_kernel != NULL)
        return HALY_OK;
    TRY(load(context, kernels, &module));
    TRY(fetch(context, module, name, &kernel));
    pthread_mutex_lock(&kernels->lock);
    *out_kernel = keep(kernels, kernel, name);
    pthread_mutex_unlock(&kernels->lock);
    if (*out_kernel != kernel)
        haly_kernel_release(kernel);
    return *out_kernel != NULL ? HALY_OK : fail_host_oom("a kernel table", sizeof *kernels->kernels);
}
