/* SPDX-License-Identifier: Apache-2.0 */
/* Modules and their kernels. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "check.h"
#include "kernel.h"
#include "process.h"
#include "retire.h"

static const unsigned char elf_magic[4] = {0x7F, 'E', 'L', 'F'};

/* The first bytes of the image, from memory or from the file. */
static haly_status read_start(const haly_module_desc *desc, unsigned char start[4])
{
    if (desc->data != NULL) {
        if (desc->size < 4)
            return FAIL(HALY_ERR_CORRUPT, "the module has %llu bytes, too few for any format",
                        (unsigned long long)desc->size);
        memcpy(start, desc->data, 4);
        return HALY_OK;
    }
    FILE *file = fopen(desc->path, "rbe");
    if (file == NULL) {
        const int error = errno;
        return FAIL_ERRNO(error, "the module \"%s\" cannot be opened: %s", desc->path, strerror(error));
    }
    const size_t count = fread(start, 1, 4, file);
    const int is_bad = ferror(file);
    fclose(file);
    if (is_bad)
        return FAIL(HALY_ERR_IO, "the module \"%s\" cannot be read", desc->path);
    return count < 4
               ? FAIL(HALY_ERR_CORRUPT, "the module \"%s\" has %zu bytes, too few for any format", desc->path, count)
               : HALY_OK;
}

/* Settles the format and makes sure that the image is of it. */
static haly_status check_format(haly_module_desc *desc)
{
    unsigned char start[4] = {0};
    if (desc->format == HALY_MODULE_OPERATORS)
        return HALY_OK;
    if (desc->format != HALY_MODULE_AUTO && desc->format != HALY_MODULE_HOST_OBJECT)
        return FAIL(HALY_ERR_UNSUPPORTED, "module format %d is not known to this version", (int)desc->format);
    if (desc->data == NULL && desc->path == NULL)
        return FAIL(HALY_ERR_INVALID, "haly_module_desc has neither data nor path");
    TRY(read_start(desc, start));
    if (memcmp(start, elf_magic, sizeof start) != 0)
        return FAIL(
            desc->format == HALY_MODULE_HOST_OBJECT ? HALY_ERR_CORRUPT : HALY_ERR_UNSUPPORTED,
            "the module%s%s begins with %02x %02x %02x %02x; this version loads ELF shared objects (7f 45 4c 46)",
            desc->path != NULL ? " " : "", desc->path != NULL ? desc->path : "", start[0], start[1], start[2],
            start[3]);
    desc->format = HALY_MODULE_HOST_OBJECT;
    return HALY_OK;
}

static haly_status check_can_load(const haly_context *context, const haly_module_desc *desc)
{
    const haly_device_spec *spec = &context->device->spec;
    const uint64_t wanted = desc->format == HALY_MODULE_OPERATORS ? HALY_CAP_OPERATOR_KERNELS : HALY_CAP_KERNELS;
    if ((spec->capabilities & wanted) == 0)
        return FAIL(HALY_ERR_UNSUPPORTED, "device \"%s\" of backend \"%s\" %s", spec->name, spec->backend,
                    desc->format == HALY_MODULE_OPERATORS ? "brings no operator kernels" : "loads no kernels");
    return HALY_OK;
}

static haly_status module_start(haly_module *module, const haly_module_desc *desc)
{
    haly_context *context = module->object.context;
    module->block = block_create(context->backend->module_size);
    if (module->block == NULL)
        return fail_host_oom("a module", context->backend->module_size);
    const uint64_t serial = error_serial();
    haly_status status = context->backend->module_load(context->block, module->block, desc);
    if (status != HALY_OK)
        return context_failed(context, serial, status);
    status = object_publish(&module->object, desc->name);
    if (status != HALY_OK)
        context->backend->module_unload(module->block);
    return status;
}

haly_status haly_module_load(haly_context *context, const haly_module_desc *desc, haly_module **out_module)
{
    PUT_OFF_CANCELLATION();
    haly_module_desc checked;
    ENTRY_LIVE(context, HALY_OBJECT_CONTEXT, context);
    REQUIRE(desc);
    REQUIRE(out_module);
    TRY(CHECK_INPUT(desc, haly_module_desc, ext, &checked));
    TRY(check_name(checked.name));
    TRY(check_ext(checked.ext, "haly_module_desc"));
    TRY(check_format(&checked));
    TRY(check_can_load(context, &checked));
    haly_module *module = calloc(1, sizeof *module);
    if (module == NULL)
        return HAND_ON(fail_host_oom("a module", sizeof *module));
    object_init(&module->object, HALY_OBJECT_MODULE, context);
    const haly_status status = module_start(module, &checked);
    if (status != HALY_OK) {
        block_destroy(module->block);
        object_free(&module->object);
        return HAND_ON(status);
    }
    *out_module = module;
    return HALY_OK;
}

haly_status haly_module_load_file(haly_context *context, const char *path, haly_module **out_module)
{
    PUT_OFF_CANCELLATION();
    const haly_module_desc desc = {HALY_MODULE_DESC_INIT, .path = path};
    ENTRY_LIVE(context, HALY_OBJECT_CONTEXT, context);
    REQUIRE(path);
    TRY(haly_module_load(context, &desc, out_module));
    return HALY_OK;
}

void haly_module_retain(haly_module *module)
{
    object_retain(module, HALY_OBJECT_MODULE);
}

void module_destroy(struct object *object)
{
    haly_module *module = (haly_module *)object;
    object->context->backend->module_unload(module->block);
    block_destroy(module->block);
    object_free(&module->object);
}

static void module_end(struct object *object)
{
    object_unpublish(object);
    retire_idle(object, module_destroy); /* queued launches keep the kernel, which keeps the module */
}

void haly_module_release(haly_module *module)
{
    PUT_OFF_CANCELLATION();
    object_release(module, HALY_OBJECT_MODULE, module_end);
}

/* The argument table comes from an image that may lie: every later check relies on it. */
static haly_status check_argument_table(const char *name, const haly_kernel_info *info,
                                        const haly_argument_info *arguments)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < info->argument_count; i++) {
        const haly_argument_info *argument = &arguments[i];
        if (argument->size == 0 || argument->offset < end ||
            (uint64_t)argument->offset + argument->size > info->argument_bytes ||
            (argument->is_address != 0 && (argument->size != sizeof(void *) || argument->offset % sizeof(void *) != 0)))
            return FAIL(HALY_ERR_CORRUPT,
                        "kernel \"%s\": argument %u at offset %u with %u bytes contradicts a block of %u bytes", name,
                        i, argument->offset, argument->size, info->argument_bytes);
        end = (uint64_t)argument->offset + argument->size;
    }
    return HALY_OK;
}

/* Copies the backend's table, whose rows are as long as its version of them. ABI-003. */
static haly_status take_arguments(haly_kernel *kernel, const char *name)
{
    const haly_kernel_info *info = &kernel->info;
    const uint32_t least = HALY_SIZE_THROUGH(haly_argument_info, is_const), known = sizeof *kernel->arguments;
    if (info->argument_count == 0)
        return HALY_OK;
    if (info->arguments == NULL || info->argument_size < least)
        return FAIL(
            HALY_ERR_BACKEND,
            "backend \"%s\" describes %u arguments of kernel \"%s\" by %s of %u bytes each, expected at least %u",
            kernel->object.context->device->backend->name, info->argument_count, name,
            info->arguments != NULL ? "rows" : "no table with rows", info->argument_size, least);
    kernel->arguments = calloc(info->argument_count, known);
    if (kernel->arguments == NULL)
        return fail_host_oom("a kernel's argument table", (uint64_t)info->argument_count * known);
    for (uint32_t i = 0; i < info->argument_count; i++)
        memcpy(&kernel->arguments[i], (const char *)info->arguments + (size_t)i * info->argument_size,
               info->argument_size < known ? info->argument_size : known);
    return check_argument_table(name, info, kernel->arguments);
}

static haly_status kernel_start(haly_kernel *kernel, const char *name)
{
    haly_context *context = kernel->object.context;
    kernel->block = block_create(context->backend->kernel_size);
    if (kernel->block == NULL)
        return fail_host_oom("a kernel", context->backend->kernel_size);
    kernel->info = (haly_kernel_info){HALY_KERNEL_INFO_INIT};
    TRY_CONTEXT(context, context->backend->kernel_get(kernel->module->block, kernel->block, name, &kernel->info));
    const haly_status status = take_arguments(kernel, name);
    if (status != HALY_OK) {
        context->backend->kernel_release(kernel->block);
        return status;
    }
    kernel->info.arguments = kernel->arguments;
    kernel->info.argument_size = sizeof *kernel->arguments;
    if (kernel->info.name == NULL)
        kernel->info.name = kernel->name;
    return HALY_OK;
}

haly_status haly_kernel_get(haly_module *module, const char *name, haly_kernel **out_kernel)
{
    PUT_OFF_CANCELLATION();
    ENTRY_LIVE(module, HALY_OBJECT_MODULE, module->object.context);
    REQUIRE(name);
    REQUIRE(out_kernel);
    const size_t length = strlen(name);
    haly_kernel *kernel = calloc(1, sizeof *kernel + length + 1);
    if (kernel == NULL)
        return HAND_ON(fail_host_oom("a kernel", sizeof *kernel + length + 1));
    object_init(&kernel->object, HALY_OBJECT_KERNEL, module->object.context);
    kernel->module = module;
    memcpy(kernel->name, name, length + 1);
    haly_status status = kernel_start(kernel, name);
    if (status != HALY_OK) {
        block_destroy(kernel->block);
        free(kernel->arguments);
        object_free(&kernel->object);
        return HAND_ON(status);
    }
    haly_module_retain(module);
    object_publish(&kernel->object, NULL); /* without a name it cannot fail */
    *out_kernel = kernel;
    return HALY_OK;
}

void haly_kernel_retain(haly_kernel *kernel)
{
    object_retain(kernel, HALY_OBJECT_KERNEL);
}

void kernel_destroy(struct object *object)
{
    haly_kernel *kernel = (haly_kernel *)object;
    object->context->backend->kernel_release(kernel->block);
    haly_module_release(kernel->module);
    block_destroy(kernel->block);
    free(kernel->arguments);
    object_free(&kernel->object);
}

static void kernel_end(struct object *object)
{
    object_unpublish(object);
    retire(object, kernel_destroy);
}

void haly_kernel_release(haly_kernel *kernel)
{
    PUT_OFF_CANCELLATION();
    object_release(kernel, HALY_OBJECT_KERNEL, kernel_end);
}

haly_status haly_kernel_info_get(haly_kernel *kernel, haly_kernel_info *out_info)
{
    ENTRY(kernel, HALY_OBJECT_KERNEL);
    TRY(CHECK_OUTPUT(out_info, haly_kernel_info, name, &kernel->info));
    return HALY_OK;
}
