/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of kernel descriptions, and launches: the grid is cut into at most 256 runs of groups, by its size alone. */
#include "cpu_kernel.h"

#include <string.h>

#include "cpu_clock.h"
#include "planted.h"

#define MAX_ARGUMENTS 64U
#define MAX_ARGUMENT_BYTES 4096U
#define TILES 256U
#define ITEM_NANOSECONDS 2U /* of a kernel that was never timed */

struct launch {
    const struct cpu_kernel *kernel;
    const void *arguments;
    struct haly_group group; /* with index 0 */
    uint64_t groups;
    uint64_t run; /* groups in one tile */
};

static haly_status check_arguments(const struct haly_kernel_meta *meta, const char *name)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < meta->argument_count; i++) {
        const struct haly_kernel_argument *argument = &meta->arguments[i];
        if (argument->size == 0 || argument->offset < end ||
            (uint64_t)argument->offset + argument->size > meta->argument_bytes)
            return FAIL(HALY_ERR_CORRUPT,
                        "kernel %s: argument %u (offset %u, %u bytes) does not lie behind the one "
                        "before it and inside the %u bytes of the block",
                        name, i, argument->offset, argument->size, meta->argument_bytes);
        if (argument->is_address > 1 ||
            (argument->is_address == 1 && (argument->size != 8 || argument->offset % 8 != 0)))
            return FAIL(HALY_ERR_CORRUPT,
                        "kernel %s: argument %u is an address of %u bytes at offset %u; expected 8 bytes "
                        "at a multiple of 8",
                        name, i, argument->size, argument->offset);
        end = (uint64_t)argument->offset + argument->size;
    }
    return HALY_OK;
}

haly_status cpu_meta_check(const struct haly_kernel_meta *meta, const char *name)
{
    if (meta->struct_size < HALY_SIZE_THROUGH(struct haly_kernel_meta, reserved))
        return FAIL(HALY_ERR_CORRUPT, "kernel %s: its description has %u bytes; expected at least %u", name,
                    meta->struct_size, HALY_SIZE_THROUGH(struct haly_kernel_meta, reserved));
    if (meta->entry == NULL || meta->name == NULL || strcmp(meta->name, name) != 0)
        return FAIL(HALY_ERR_CORRUPT, "kernel %s: its description has no entry or another name", name);
    if (meta->argument_count > MAX_ARGUMENTS || meta->argument_bytes > MAX_ARGUMENT_BYTES ||
        (meta->argument_count != 0 && meta->arguments == NULL))
        return FAIL(HALY_ERR_CORRUPT, "kernel %s: %u arguments of %u bytes; expected at most %u of %u", name,
                    meta->argument_count, meta->argument_bytes, MAX_ARGUMENTS, MAX_ARGUMENT_BYTES);
    const uint32_t *size = meta->group_size;
    const bool is_any = size[0] == 0 && size[1] == 0 && size[2] == 0;
    const bool is_whole = size[0] != 0 && size[1] != 0 && size[2] != 0;
    const uint64_t plane = (uint64_t)size[0] * size[1]; /* below 2^32 once compared, so the product does not wrap */
    if (meta->max_items == 0 || !(is_any || is_whole) || plane > meta->max_items || plane * size[2] > meta->max_items)
        return FAIL(HALY_ERR_CORRUPT, "kernel %s: group size %u x %u x %u with at most %u items", name, size[0],
                    size[1], size[2], meta->max_items);
    return check_arguments(meta, name);
}

static uint64_t group_items(const haly_command_launch *record)
{
    return (uint64_t)record->group[0] * record->group[1] * record->group[2];
}

static uint64_t group_count(const haly_command_launch *record)
{
    return record->grid[0] * record->grid[1] * record->grid[2];
}

haly_status cpu_launch_check(const haly_command_launch *record)
{
    const struct cpu_kernel *kernel = record->kernel;
    const uint64_t bytes = sizeof *record + ((uint64_t)record->argument_bytes + 7) / 8 * 8;
    if (record->argument_bytes != kernel->argument_bytes || record->head.size < bytes)
        return FAIL(HALY_ERR_INVALID, "a launch with %u argument bytes in a record of %u; the kernel takes %u",
                    record->argument_bytes, record->head.size, kernel->argument_bytes);
    const uint32_t *group = record->group;
    if (group[0] == 0 || group[1] == 0 || group[2] == 0 || group[0] > kernel->max_items ||
        group[1] > kernel->max_items || group[2] > kernel->max_items || group_items(record) > kernel->max_items)
        return FAIL(HALY_ERR_INVALID, "a group of %u x %u x %u items; the kernel takes 1 to %u", group[0], group[1],
                    group[2], kernel->max_items);
    if (record->grid[0] > UINT32_MAX || record->grid[1] > UINT16_MAX || record->grid[2] > UINT16_MAX)
        return FAIL(HALY_ERR_INVALID, "a grid of %llu x %llu x %llu groups exceeds 4294967295 x 65535 x 65535",
                    (unsigned long long)record->grid[0], (unsigned long long)record->grid[1],
                    (unsigned long long)record->grid[2]);
    if (record->dynamic_local_bytes != 0)
        return FAIL(HALY_ERR_UNSUPPORTED, "host kernels have no dynamic local memory");
    for (const haly_ext *ext = record->ext; ext != NULL; ext = ext->next)
        if (ext->optional == 0)
            return FAIL(HALY_ERR_UNSUPPORTED, "launch option 0x%x is not known to the cpu backend", ext->type);
    return HALY_OK;
}

uint64_t cpu_launch_cost(const haly_command_launch *record)
{
    struct cpu_kernel *kernel = record->kernel;
    const uint64_t groups = group_count(record);
    if (cpu_cost_is_known(&kernel->cost))
        return cpu_cost_estimate(&kernel->cost, groups);
    return kernel->is_built_in ? groups * group_items(record) * ITEM_NANOSECONDS : UINT64_MAX;
}

static void run_groups(void *argument, uint64_t tile)
{
    const struct launch *launch = argument;
    struct haly_group group = launch->group;
    const uint64_t first = tile * launch->run;
    uint64_t left = launch->groups - first < launch->run ? launch->groups - first : launch->run;
    group.group[0] = (uint32_t)(first % group.groups[0]);
    group.group[1] = (uint32_t)(first / group.groups[PLANTED_OR(group_axes_are_swapped, 0, 1)] % group.groups[1]);
    group.group[2] = (uint32_t)(first / group.groups[0] / group.groups[1]);
    for (;;) {
        launch->kernel->entry(&group, launch->arguments);
        if (--left == 0)
            return;
        if (++group.group[0] < group.groups[0])
            continue;
        group.group[0] = 0;
        if (++group.group[1] < group.groups[1])
            continue;
        group.group[1] = 0;
        group.group[2]++;
    }
}

static uint64_t run_timed(const struct cpu_work *work, const struct launch *launch, struct cpu_kernel *kernel,
                          struct cpu_tiles *tiles)
{
    const uint64_t begin = cpu_now();
    const uint64_t next = cpu_pool_run(work, tiles);
    cpu_cost_sample(&kernel->cost, tiles->own * launch->run, cpu_since(begin));
    return next;
}

/* Nothing to cut, share or divide. */
static void run_single_group(struct cpu_kernel *kernel, const haly_command_launch *record, bool is_sample)
{
    const struct haly_group group = {.groups = {1, 1, 1},
                                     .size = {record->group[0], record->group[1], record->group[2]}};
    const uint64_t begin = is_sample ? cpu_now() : 0;
    kernel->entry(&group, record + 1);
    if (is_sample)
        cpu_cost_sample(&kernel->cost, 1, cpu_since(begin));
}

uint64_t cpu_launch_run(const struct cpu_work *work, const haly_command_launch *record, uint64_t from)
{
    struct cpu_kernel *kernel = record->kernel;
    const uint64_t groups = group_count(record);
    if (groups == 0)
        return UINT64_MAX;
    const bool is_sample = cpu_cost_wants_sample(&kernel->cost);
    if (groups == 1) {
        run_single_group(kernel, record, is_sample);
        return UINT64_MAX;
    }
    struct launch launch = {.kernel = kernel, .arguments = record + 1, .groups = groups};
    for (uint32_t i = 0; i < 3; i++) {
        launch.group.groups[i] = (uint32_t)record->grid[i];
        launch.group.size[i] = record->group[i];
    }
    launch.run = (groups + TILES - 1) / TILES;
    struct cpu_tiles tiles = {.run = run_groups, .argument = &launch, .from = from};
    tiles.count = (groups + launch.run - 1) / launch.run;
    const uint64_t cost = cpu_launch_cost(record);
    tiles.cost = cost == UINT64_MAX ? 0 : cost;
    const uint64_t next = is_sample ? run_timed(work, &launch, kernel, &tiles) : cpu_pool_run(work, &tiles);
    return next >= tiles.count ? UINT64_MAX : next;
}
