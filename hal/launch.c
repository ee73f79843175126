/* SPDX-License-Identifier: Apache-2.0 */
/* Launching kernels: every launch is checked against the kernel's table and the device's limits. */
#include <string.h>

#include "check.h"
#include "kernel.h"
#include "memory.h"
#include "planted.h"

#define MAX_ARGUMENT_BYTES 4096U
#define MAX_EXT_BYTES 1024U
#define DEFAULT_GROUP 256U

uint32_t launch_record_bytes(const haly_kernel *kernel)
{
    return (uint32_t)sizeof(haly_command_launch) + ((kernel->info.argument_bytes + 7U) & ~7U);
}

static haly_status refuse_group(const haly_kernel *kernel, const uint32_t group[3], uint32_t limit)
{
    const haly_device_spec *spec = &kernel->object.context->device->spec;
    const uint32_t *compiled = kernel->info.group;
    for (int d = 0; d < 3; d++) {
        if (compiled[0] != 0 && group[d] != (compiled[d] != 0 ? compiled[d] : 1U))
            return FAIL(HALY_ERR_INVALID, "kernel \"%s\" is compiled for groups of %u x %u x %u, not %u x %u x %u",
                        kernel->name, compiled[0], compiled[1], compiled[2], group[0], group[1], group[2]);
        if (group[d] > spec->max_group[d])
            return FAIL(HALY_ERR_INVALID, "group[%d] is %u, the device takes at most %u", d, group[d],
                        spec->max_group[d]);
    }
    return FAIL(HALY_ERR_INVALID, "a group of %llu items; kernel \"%s\" on this device takes at most %u",
                (unsigned long long)group[0] * group[1] * group[2], kernel->name, limit);
}

static inline bool fits_compiled(const uint32_t compiled[3], const uint32_t group[3])
{
    return compiled[0] == 0 || (group[0] == compiled[0] && group[1] == (compiled[1] != 0 ? compiled[1] : 1U) &&
                                group[2] == (compiled[2] != 0 ? compiled[2] : 1U));
}

static inline haly_status check_group(const haly_kernel *kernel, const uint32_t group[3])
{
    const haly_device_spec *spec = &kernel->object.context->device->spec;
    const uint32_t kernel_limit = kernel->info.max_group_items;
    const uint32_t limit =
        kernel_limit != 0 && kernel_limit < spec->max_group_items ? kernel_limit : spec->max_group_items;
    /* The product of two does not overflow 64 bits, and once it is within the limit, that of three does not either. */
    if (UNLIKELY(!fits_compiled(kernel->info.group, group) || group[0] > spec->max_group[0] ||
                 group[1] > spec->max_group[1] || group[2] > spec->max_group[2] ||
                 (uint64_t)group[0] * group[1] > limit || (uint64_t)group[0] * group[1] * group[2] > limit))
        return refuse_group(kernel, group, limit);
    return HALY_OK;
}

/* Fills in the defaults: all 0 is the compiled size, a 0 in y or z is 1. */
static inline void default_sizes(const haly_kernel *kernel, const haly_launch_desc *desc, haly_command_launch *launch)
{
    const uint32_t *group = (desc->group[0] | desc->group[1] | desc->group[2]) != 0 ? desc->group : kernel->info.group;
    launch->group[0] = group[0] != 0 ? group[0] : 1U;
    launch->group[1] = group[1] != 0 ? group[1] : 1U;
    launch->group[2] = group[2] != 0 ? group[2] : 1U;
    launch->grid[0] = desc->grid[0];
    launch->grid[1] = desc->grid[1] != 0 ? desc->grid[1] : 1U;
    launch->grid[2] = desc->grid[2] != 0 ? desc->grid[2] : 1U;
}

static haly_status refuse_grid(const haly_device_spec *spec, const uint64_t grid[3])
{
    for (int d = 0; d < 3; d++)
        if (grid[d] > spec->max_grid[d])
            return FAIL(HALY_ERR_INVALID, "grid[%d] is %llu, the device takes at most %llu", d,
                        (unsigned long long)grid[d], (unsigned long long)spec->max_grid[d]);
    return FAIL(HALY_ERR_INVALID, "the grid has more than 2^64 groups");
}

static inline haly_status check_grid(const haly_kernel *kernel, const uint64_t grid[3])
{
    const haly_device_spec *spec = &kernel->object.context->device->spec;
    uint64_t groups;
    if (UNLIKELY(grid[0] > spec->max_grid[0] || grid[1] > spec->max_grid[1] || grid[2] > spec->max_grid[2] ||
                 __builtin_mul_overflow(grid[0], grid[1], &groups) || __builtin_mul_overflow(groups, grid[2], &groups)))
        return refuse_grid(spec, grid);
    return HALY_OK;
}

haly_status launch_record_write(haly_kernel *kernel, const haly_launch_desc *desc, void *record)
{
    haly_command_launch *launch = record;
    const uint32_t bytes = launch_record_bytes(kernel);
    *launch = (haly_command_launch){.head = {bytes, HALY_COMMAND_LAUNCH, 0},
                                    .kernel = kernel,
                                    .dynamic_local_bytes = desc->dynamic_local_bytes,
                                    .argument_bytes = desc->argument_bytes};
    if (bytes > sizeof *launch) /* the padding behind the arguments */
        memset((char *)record + bytes - 8, 0, 8);
    default_sizes(kernel, desc, launch);
    if (desc->argument_bytes != kernel->info.argument_bytes)
        return FAIL(HALY_ERR_INVALID, "argument_bytes is %u, kernel \"%s\" takes %u", desc->argument_bytes,
                    kernel->name, kernel->info.argument_bytes);
    if (desc->argument_bytes > 0 && desc->arguments == NULL)
        return FAIL(HALY_ERR_INVALID, "arguments is NULL, kernel \"%s\" takes %u bytes", kernel->name,
                    kernel->info.argument_bytes);
    const uint32_t local_limit = kernel->object.context->device->spec.local_memory_bytes;
    if ((uint64_t)desc->dynamic_local_bytes + kernel->info.local_memory_bytes > local_limit)
        return FAIL(HALY_ERR_INVALID, "%u + %u bytes of local memory; the device has %u a group",
                    desc->dynamic_local_bytes, kernel->info.local_memory_bytes, local_limit);
    if (desc->group[0] == 0 && (desc->group[1] | desc->group[2]) != 0)
        return FAIL(HALY_ERR_INVALID, "group is 0 x %u x %u; 0 in x is allowed only when all are 0", desc->group[1],
                    desc->group[2]);
    TRY(check_group(kernel, launch->group));
    TRY(check_grid(kernel, launch->grid));
    if (desc->argument_bytes > 0)
        memcpy(launch + 1, desc->arguments, desc->argument_bytes);
    return HALY_OK;
}

static uint32_t padded(uint32_t bytes)
{
    return (bytes + 7U) & ~7U;
}

/* Copies the chain behind the arguments, since the record may be kept longer than the call. */
static haly_status append_ext(haly_command_launch *launch, const haly_ext *ext)
{
    char *at = (char *)launch + launch->head.size;
    TRY(check_ext(ext, "haly_launch_desc"));
    for (; ext != NULL; ext = ext->next) {
        if (ext->size > MAX_EXT_BYTES - launch->ext_bytes)
            return FAIL(HALY_ERR_INVALID,
                        "haly_launch_desc.ext: with a struct of %u bytes the chain has more than %u bytes", ext->size,
                        MAX_EXT_BYTES);
        memcpy(at, ext, ext->size);
        at += padded(ext->size);
        launch->ext_bytes += padded(ext->size);
    }
    launch->head.size += launch->ext_bytes;
    launch_link_ext(launch);
    return HALY_OK;
}

void launch_link_ext(haly_command_launch *launch)
{
    char *end = (char *)launch + launch->head.size, *at = end - launch->ext_bytes;
    launch->ext = (const haly_ext *)(const void *)at;
    while (at < end) {
        haly_ext *ext = (haly_ext *)(void *)at;
        at += padded(ext->size);
        ext->next = at < end ? (const haly_ext *)(const void *)at : NULL;
    }
}

/* Slow path: says which argument it is and what is wrong with it. */
static haly_status refuse_argument(haly_context *context, const haly_kernel *kernel, uint32_t index,
                                   const void *address)
{
    struct memory_view view;
    char what[96];
    snprintf(what, sizeof what, "argument %u of kernel \"%.48s\"", index, kernel->name);
    TRY(memory_resolve(context, address, 0, what, &view));
    return FAIL(HALY_ERR_INVALID, "%s is %p, which is not device memory of this context", what, address);
}

haly_status launch_check_addresses(haly_context *context, const haly_kernel *kernel, const void *arguments)
{
    for (uint32_t i = 0; i < kernel->info.argument_count; i++) {
        struct memory_view view;
        const void *address;
        if (kernel->arguments[i].is_address == 0)
            continue;
        memcpy(&address, (const char *)arguments + kernel->arguments[i].offset, sizeof address);
        if (address != NULL && UNLIKELY(memory_resolve(context, address, 0, "argument", &view) != HALY_OK ||
                                        !memory_is_usable(context, &view)))
            return refuse_argument(context, kernel, i, address);
    }
    return HALY_OK;
}

haly_status haly_launch(haly_stream *stream, haly_kernel *kernel, const haly_launch_desc *desc)
{
    haly_launch_desc checked;
    _Alignas(8) char record[sizeof(haly_command_launch) + MAX_ARGUMENT_BYTES + MAX_EXT_BYTES];
    haly_command_launch *launch = (haly_command_launch *)(void *)record;
    ENTRY_STREAM(stream);
    ENTRY(kernel, HALY_OBJECT_KERNEL);
    REQUIRE(desc);
    TRY(CHECK_INPUT(desc, haly_launch_desc, ext, &checked));
    TRY(check_same_context(kernel, stream));
    if (kernel->info.argument_bytes > MAX_ARGUMENT_BYTES)
        return FAIL(HALY_ERR_UNSUPPORTED, "kernel \"%s\" takes %u bytes of arguments; at most %u can be launched",
                    kernel->name, kernel->info.argument_bytes, MAX_ARGUMENT_BYTES);
    TRY(launch_record_write(kernel, &checked, record));
    TRY(launch_check_addresses(stream->object.context, kernel, record + sizeof(haly_command_launch)));
    if (UNLIKELY(checked.ext != NULL))
        TRY(append_ext(launch, checked.ext));
    if (checked.grid[0] == 0)
        return HAND_ON(stream_submit_nothing(stream, HALY_COMMAND_LAUNCH, kernel));
    TRY(stream_submit(stream, record, launch->head.size, 1));
    return HALY_OK;
}

/* Packs values by the kernel's table. The caller's version may have larger elements. */
static haly_status pack_arguments(const haly_kernel *kernel, const haly_arg *args, uint32_t count, uint32_t size,
                                  char *packed)
{
    if (count != kernel->info.argument_count)
        return FAIL(HALY_ERR_INVALID, "%u arguments given, kernel \"%s\" takes %u", count, kernel->name,
                    kernel->info.argument_count);
    if (count > 0 && (args == NULL || size < sizeof *args))
        return FAIL(HALY_ERR_INVALID, "%u arguments given, so args must not be NULL and arg_size (%u) at least %zu",
                    count, size, sizeof *args);
    for (uint32_t i = 0; i < count; i++) {
        const haly_argument_info *argument = &kernel->arguments[i];
        haly_arg given;
        memcpy(&given, (const char *)args + (size_t)i * size, sizeof given);
        if (given.value == NULL || given.size != argument->size)
            return FAIL(HALY_ERR_INVALID, "argument %u has %llu bytes, kernel \"%s\" takes %s of %u bytes there", i,
                        (unsigned long long)(given.value != NULL ? given.size : 0), kernel->name,
                        argument->is_address != 0 ? "an address" : "a value", argument->size);
        memcpy(packed + PLANTED_OR(values_without_gaps, argument->offset,
                                   i == 0 || argument->is_address != 0 ? argument->offset
                                                                       : argument[-1].offset + argument[-1].size),
               given.value, argument->size);
    }
    return HALY_OK;
}

haly_status haly_launch_1d(haly_stream *stream, haly_kernel *kernel, uint64_t items, uint32_t group,
                           const haly_arg *args, uint32_t arg_count, uint32_t arg_size)
{
    char packed[MAX_ARGUMENT_BYTES] = {0};
    ENTRY_STREAM(stream);
    ENTRY(kernel, HALY_OBJECT_KERNEL);
    if (kernel->info.argument_bytes > sizeof packed)
        return FAIL(HALY_ERR_UNSUPPORTED, "kernel \"%s\" takes %u bytes of arguments; at most %zu can be launched",
                    kernel->name, kernel->info.argument_bytes, sizeof packed);
    TRY(pack_arguments(kernel, args, arg_count, arg_size, packed));
    if (group == 0)
        group = kernel->info.group[0] != 0 ? kernel->info.group[0] : DEFAULT_GROUP;
    const haly_launch_desc desc = {HALY_LAUNCH_DESC_INIT, .grid = {items / group + (items % group != 0), 1, 1},
                                   .group = {group, 1, 1}, .argument_bytes = kernel->info.argument_bytes,
                                   .arguments = packed};
    TRY(haly_launch(stream, kernel, &desc));
    return HALY_OK;
}
