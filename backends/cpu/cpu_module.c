/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/* Loading modules and finding their kernels. */
#include "cpu_module.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu_compile.h"
#include "cpu_context.h"
#include "cpu_elf.h"
#include "cpu_image.h"
#include "cpu_operators.h"
#include "planted.h"

#define META_PREFIX "haly_kernel_meta_"
#define NAME_LENGTH 127U

static haly_status load_object(struct cpu_module *module, const haly_backend_image *image)
{
    return image->path != NULL ? cpu_image_open_file(image->path, &module->handle)
                               : cpu_image_open_memory(image->data, image->size, &module->handle, &module->descriptor);
}

static haly_status load_source(struct cpu_module *module, const haly_backend_image *image)
{
    void *object = NULL;
    uint64_t size = 0;
    TRY(cpu_compile(image, module->isa, &object, &size));
    const haly_status status = cpu_image_open_memory(object, size, &module->handle, &module->descriptor);
    cpu_core->cache_free(object);
    return status;
}

enum { RANK_SOURCE = 10, RANK_OBJECT = 100 };

/* Objects run as they are; source takes a compiler. */
haly_status cpu_image_rank(void *context, const haly_backend_image *image, uint32_t *out_rank)
{
    char compiler[PATH_MAX];
    (void)context;
    switch (image->format) {
    case HALY_MODULE_HOST_OBJECT:
        TRY(cpu_elf_check(image->data, (size_t)image->size));
        *out_rank = RANK_OBJECT;
        return HALY_OK;
    case HALY_MODULE_SOURCE:
        if (!cpu_compiler_find(compiler, sizeof compiler))
            return FAIL(HALY_ERR_UNSUPPORTED, "there is no compiler for it: %s", compiler);
        *out_rank = RANK_SOURCE;
        return HALY_OK;
    default:
        return FAIL(HALY_ERR_UNSUPPORTED, "the cpu backend loads shared objects of this machine and source");
    }
}

haly_status cpu_module_load(void *context, void *module, const haly_backend_image *image)
{
    const struct cpu_context *owner = context;
    struct cpu_module *self = module;
    for (const haly_ext *ext = image->ext; ext != NULL; ext = ext->next)
        if (ext->optional == 0)
            return FAIL(HALY_ERR_UNSUPPORTED, "module option 0x%x is not known to the cpu backend", ext->type);
    self->handle = NULL;
    self->descriptor = -1;
    self->isa = owner->device->config.isa;
    switch (image->format) {
    case HALY_MODULE_OPERATORS:
        break;
    case HALY_MODULE_HOST_OBJECT:
        TRY(load_object(self, image));
        break;
    case HALY_MODULE_SOURCE:
        TRY(load_source(self, image));
        break;
    default:
        return FAIL(HALY_ERR_UNSUPPORTED,
                    "%s is of format %d; the cpu backend loads shared objects (%d) and source (%d)", image->label,
                    (int)image->format, HALY_MODULE_HOST_OBJECT, HALY_MODULE_SOURCE);
    }
    pthread_mutex_init(&self->lock, NULL);
    return HALY_OK;
}

void cpu_module_unload(void *module)
{
    struct cpu_module *self = module;
    while (self->tables != NULL) {
        struct cpu_argument_table *table = self->tables;
        self->tables = table->next;
        free(table);
    }
    if (self->handle != NULL)
        dlclose(self->handle);
    if (self->descriptor >= 0)
        close(self->descriptor);
    pthread_mutex_destroy(&self->lock);
}

static bool is_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const size_t length = strlen(name);
    return length > 0 && length <= NAME_LENGTH && strspn(name, letters) == length;
}

/* NULL when the module has no kernel of that name. */
static const struct haly_kernel_meta *find_meta(const struct cpu_module *module, const char *name)
{
    char symbol[sizeof META_PREFIX + NAME_LENGTH];
    if (module->handle == NULL)
        return cpu_operator_find(module->isa, name);
    snprintf(symbol, sizeof symbol, META_PREFIX "%s", name);
    return dlsym(module->handle, symbol);
}

/* The rows of a checked description, made once per module; NULL: out of memory. Under the lock. */
static const haly_argument_info *rows_of(struct cpu_module *module, const struct haly_kernel_meta *meta)
{
    for (const struct cpu_argument_table *table = module->tables; table != NULL; table = table->next)
        if (PLANTED_OR(kernels_share_an_argument_table, table->meta == meta, true))
            return table->rows;
    struct cpu_argument_table *table = malloc(sizeof *table + meta->argument_count * sizeof table->rows[0]);
    if (table == NULL)
        return NULL;
    for (uint32_t i = 0; i < meta->argument_count; i++) {
        const struct haly_kernel_argument *argument = &meta->arguments[i];
        table->rows[i] =
            (haly_argument_info){argument->offset, argument->size, argument->is_address, argument->is_const};
    }
    table->meta = meta;
    table->next = module->tables;
    module->tables = table;
    return table->rows;
}

haly_status cpu_kernel_get(void *module, void *kernel, const char *name, haly_kernel_info *out_info)
{
    struct cpu_module *owner = module;
    struct cpu_kernel *self = kernel;
    if (!is_name(name))
        return FAIL(HALY_ERR_NOT_FOUND, "\"%.64s\" cannot be a kernel's name: letters, digits and _ only", name);
    const struct haly_kernel_meta *meta = find_meta(owner, name);
    if (meta == NULL)
        return FAIL(HALY_ERR_NOT_FOUND, "the module has no kernel named %s", name);
    TRY(cpu_meta_check(meta, name));
    pthread_mutex_lock(&owner->lock);
    const haly_argument_info *rows = rows_of(owner, meta);
    pthread_mutex_unlock(&owner->lock);
    if (rows == NULL)
        return FAIL(HALY_ERR_HOST_OOM, "out of memory for the argument table of kernel %s", name);
    self->entry = meta->entry;
    self->argument_bytes = meta->argument_bytes;
    self->max_items = meta->max_items < CPU_MAX_GROUP_ITEMS ? meta->max_items : CPU_MAX_GROUP_ITEMS;
    self->is_built_in = owner->handle == NULL;
    const uint32_t struct_size = out_info->struct_size;
    *out_info = (haly_kernel_info){.struct_size = struct_size,
                                   .argument_count = meta->argument_count,
                                   .arguments = rows,
                                   .argument_size = sizeof rows[0],
                                   .argument_bytes = meta->argument_bytes,
                                   .group = {meta->group_size[0], meta->group_size[1], meta->group_size[2]},
                                   .max_group_items = self->max_items,
                                   .name = meta->name};
    return HALY_OK;
}

void cpu_kernel_release(void *kernel)
{
    (void)kernel; /* it holds nothing: entry and table are the module's */
}
