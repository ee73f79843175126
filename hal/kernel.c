/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels: what the backend says of one, checked and kept. */
#include "kernel.h"

#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "check.h"
#include "kernel_table.h"
#include "process.h"
#include "retire.h"
#include "text.h"

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
    return kernel_arguments_check(kernel->module->label, name, kernel->arguments, info->argument_count,
                                  info->argument_bytes);
}

/* An image whose kernels were described beside it must agree. */
static haly_status compare(haly_kernel *kernel, const haly_kernel_info *told)
{
    haly_kernel_info found = kernel->info;
    found.arguments = kernel->arguments;
    return kernel_table_compare(kernel->module->label, told, &found);
}

static haly_status kernel_start(haly_kernel *kernel, const char *name)
{
    haly_context *context = kernel->object.context;
    const struct kernel_table *table = kernel->module->table;
    const haly_kernel_info *told = table != NULL ? kernel_table_find(table, name) : NULL;
    if (table != NULL && told == NULL)
        return FAIL(HALY_ERR_NOT_FOUND, "%s has no kernel named \"%s\"", kernel->module->label, PRINTABLE(name));
    kernel->block = block_create(context->backend->kernel_size);
    if (kernel->block == NULL)
        return fail_host_oom("a kernel", context->backend->kernel_size);
    kernel->info = (haly_kernel_info){HALY_KERNEL_INFO_INIT};
    TRY_CONTEXT(context, context->backend->kernel_get(kernel->module->block, kernel->block, name, &kernel->info));
    haly_status status = take_arguments(kernel, name);
    if (status == HALY_OK && told != NULL)
        status = compare(kernel, told);
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
