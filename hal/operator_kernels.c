/* SPDX-License-Identifier: Apache-2.0 */
/* The operator kernels of a context, each asked of the backend once: of the module that it brings, or of one that it
 * makes of the core's source. Backends are called with no lock held, so two threads may fetch the same kernel at once;
 * the first one kept is everybody's. */
#include "operator_kernels.h"

#include <stdlib.h>
#include <string.h>

#include "operator_sources.h"
#include "plan_cache.h"

struct operator_kernels {
    pthread_mutex_t lock;                       /* what follows */
    haly_module *modules[OPERATOR_SOURCES_MAX]; /* of each source, or the first for all; NULL: not loaded yet */
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
    for (uint32_t i = 0; i < OPERATOR_SOURCES_MAX; i++)
        haly_module_release(kernels->modules[i]);
    pthread_mutex_destroy(&kernels->lock);
    free(kernels->kernels);
    free(kernels);
}

/* The source that a kernel is in, by the kernels' own list; OPERATOR_SOURCES_MAX: none. */
static uint32_t source_of(const char *kernel)
{
    static const struct {
        const char *source, *kernel; /* a source's row stands before those of its kernels */
    } rows[] = {
#define SOURCE(file_) {#file_, NULL},
#define KERNEL(name_) {NULL, #name_},
#include "kernels.def"
#undef KERNEL
    };
    const char *source = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].source != NULL)
            source = rows[i].source;
        else if (strcmp(rows[i].kernel, kernel) == 0)
            break;
    }
    for (uint32_t i = 0; i < operator_source_count; i++)
        if (strcmp(operator_sources[i].name, source) == 0)
            return i;
    return OPERATOR_SOURCES_MAX;
}

/* Which module a kernel is in, and how that one is loaded. */
static haly_status choose(const haly_context *context, const char *kernel, uint32_t *out_index,
                          haly_module_desc *out_desc)
{
    const haly_device_spec *spec = &context->device->spec;
    *out_desc = (haly_module_desc){HALY_MODULE_DESC_INIT, .format = HALY_MODULE_OPERATORS};
    *out_index = 0;
    if ((spec->capabilities & HALY_CAP_OPERATOR_KERNELS) != 0)
        return HALY_OK;
    if ((spec->capabilities & HALY_CAP_KERNELS) == 0)
        return FAIL(HALY_ERR_UNSUPPORTED,
                    "device %s:%u brings no operator kernels and loads none, so operators cannot be lowered",
                    spec->backend, spec->index);
    *out_index = source_of(kernel);
    if (*out_index == OPERATOR_SOURCES_MAX)
        return FAIL(HALY_ERR_UNSUPPORTED, "there is no operator kernel named \"%s\"", kernel);
    out_desc->format = HALY_MODULE_SOURCE;
    out_desc->data = operator_sources[*out_index].text;
    out_desc->size = operator_sources[*out_index].size;
    return HALY_OK;
}

static haly_status load(haly_context *context, struct operator_kernels *kernels, const char *kernel,
                        haly_module **out_module)
{
    haly_module_desc desc;
    haly_module *module = NULL;
    uint32_t index;
    TRY(choose(context, kernel, &index, &desc));
    pthread_mutex_lock(&kernels->lock);
    *out_module = kernels->modules[index];
    pthread_mutex_unlock(&kernels->lock);
    if (*out_module != NULL)
        return HALY_OK;
    TRY(haly_module_load(context, &desc, &module));
    module->object.is_internal = true;
    pthread_mutex_lock(&kernels->lock);
    if (kernels->modules[index] == NULL) {
        kernels->modules[index] = module;
        module = NULL;
    }
    *out_module = kernels->modules[index];
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
    TRY(load(context, kernels, name, &module));
    TRY(fetch(context, module, name, &kernel));
    pthread_mutex_lock(&kernels->lock);
    *out_kernel = keep(kernels, kernel, name);
    pthread_mutex_unlock(&kernels->lock);
    if (*out_kernel != kernel)
        haly_kernel_release(kernel);
    return *out_kernel != NULL ? HALY_OK : fail_host_oom("a kernel table", sizeof *kernels->kernels);
}
