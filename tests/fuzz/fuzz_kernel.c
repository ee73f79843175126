/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptions of kernels as a module might carry them, and launches of what they describe. A description is accepted
 * when its arguments follow each other inside the block and its group is whole; the table that the core gets is the
 * module's; a launch that is accepted runs each of its groups once.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "cpu_context.h"
#include "cpu_elf.h"
#include "cpu_image.h"
#include "cpu_module.h"
#include "cpu_operators.h"
#include "fuzz_cpu.h"

enum { MOST_GROUPS = 4096, SMALL_NAME = 8 };

/* ---- what the module's files need of the rest of the backend ---- */

static const struct haly_kernel_meta *current;

const struct haly_kernel_meta *cpu_operator_find(enum cpu_isa isa, const char *name)
{
    (void)isa;
    (void)name;
    return current;
}

uint64_t cpu_pool_run(const struct cpu_work *work, struct cpu_tiles *tiles)
{
    (void)work;
    for (uint64_t tile = tiles->from; tile < tiles->count; tile++)
        tiles->run(tiles->argument, tile);
    tiles->own = tiles->count - tiles->from;
    return tiles->count;
}

haly_status cpu_elf_check(const void *image, size_t bytes)
{
    return image != NULL && bytes != 0 ? HALY_OK : HALY_ERR_UNSUPPORTED;
}

haly_status cpu_image_open_memory(const void *data, uint64_t bytes, void **out_handle, int *out_descriptor)
{
    (void)data;
    (void)bytes;
    (void)out_handle;
    (void)out_descriptor;
    return HALY_ERR_UNSUPPORTED;
}

haly_status cpu_image_open_file(const char *path, void **out_handle)
{
    (void)path;
    (void)out_handle;
    return HALY_ERR_UNSUPPORTED;
}

/* ---- a description out of bytes ---- */

struct input {
    const uint8_t *data;
    size_t size;
};

/* The next bytes, little-endian; zeros behind the end. */
static uint64_t take(struct input *input, unsigned bytes)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < bytes && input->size > 0; i++, input->data++, input->size--)
        number |= (uint64_t)*input->data << 8 * i;
    return number;
}

static unsigned visits[MOST_GROUPS];
static uint32_t expected_groups[3];

static void visit(const struct haly_group *group, const void *arguments)
{
    (void)arguments;
    for (int d = 0; d < 3; d++)
        FUZZ_CHECK(group->group[d] < group->groups[d] && group->groups[d] == expected_groups[d], "dimension %d", d);
    visits[(group->group[2] * group->groups[1] + group->group[1]) * group->groups[0] + group->group[0]]++;
}

static struct haly_kernel_argument *take_arguments(struct input *input, uint32_t count)
{
    struct haly_kernel_argument *arguments = calloc(count != 0 ? count : 1, sizeof *arguments);
    FUZZ_CHECK(arguments != NULL, "out of memory");
    for (uint32_t i = 0; i < count; i++) {
        arguments[i].offset = (uint32_t)take(input, 2);
        arguments[i].size = (uint32_t)take(input, 2);
        arguments[i].is_address = (haly_u8)take(input, 1);
        arguments[i].is_const = (haly_u8)take(input, 1);
    }
    return arguments;
}

/* ---- what is accepted ---- */

static bool arguments_are_sound(const struct haly_kernel_meta *meta)
{
    static bool is_taken[4096];
    memset(is_taken, 0, sizeof is_taken);
    uint64_t last = 0;
    for (uint32_t i = 0; i < meta->argument_count; i++) {
        const struct haly_kernel_argument *argument = &meta->arguments[i];
        const uint64_t end = (uint64_t)argument->offset + argument->size;
        if (argument->size == 0 || end > meta->argument_bytes || argument->offset < last || argument->is_address > 1)
            return false;
        if (argument->is_address != 0 && (argument->size != 8 || argument->offset % 8 != 0))
            return false;
        for (uint64_t byte = argument->offset; byte < end; byte++) {
            if (is_taken[byte])
                return false;
            is_taken[byte] = true;
        }
        last = argument->offset;
    }
    return true;
}

static bool is_sound(const struct haly_kernel_meta *meta, const char *name)
{
    const fuzz_wide items = (fuzz_wide)meta->group_size[0] * meta->group_size[1] * meta->group_size[2];
    const bool is_any = (meta->group_size[0] | meta->group_size[1] | meta->group_size[2]) == 0;
    return meta->struct_size >= sizeof *meta && meta->name != NULL && strcmp(meta->name, name) == 0 &&
           meta->entry != NULL && meta->argument_count <= 64 && meta->argument_bytes <= 4096 &&
           (meta->argument_count == 0 || meta->arguments != NULL) && meta->max_items != 0 &&
           (is_any || (items != 0 && items <= meta->max_items)) && arguments_are_sound(meta);
}

static void check_info(const struct haly_kernel_meta *meta, const haly_kernel_info *info)
{
    FUZZ_CHECK(info->argument_count == meta->argument_count && info->argument_bytes == meta->argument_bytes,
               "%u arguments of %u bytes", info->argument_count, info->argument_bytes);
    FUZZ_CHECK(info->max_group_items <= meta->max_items && info->max_group_items <= CPU_MAX_GROUP_ITEMS, "%u items",
               info->max_group_items);
    FUZZ_CHECK(info->name == meta->name && memcmp(info->group, meta->group_size, sizeof info->group) == 0, "%s",
               info->name);
    for (uint32_t i = 0; i < info->argument_count; i++) {
        const haly_argument_info *row = &info->arguments[i];
        const struct haly_kernel_argument *argument = &meta->arguments[i];
        FUZZ_CHECK(row->offset == argument->offset && row->size == argument->size &&
                       row->is_address == argument->is_address && row->is_const == argument->is_const,
                   "argument %u", i);
    }
}

static void check_launch(struct input *input, struct cpu_kernel *kernel)
{
    const uint32_t bytes = take(input, 1) == 0 ? kernel->argument_bytes : (uint32_t)take(input, 2);
    haly_command_launch *record = calloc(1, sizeof *record + bytes + 8);
    FUZZ_CHECK(record != NULL, "out of memory");
    record->head.size = (uint32_t)(sizeof *record + (bytes + 7) / 8 * 8);
    record->kernel = kernel;
    record->argument_bytes = bytes;
    uint64_t items = 1, groups = 1;
    for (int d = 0; d < 3; d++) {
        record->group[d] = (uint32_t)take(input, 2);
        record->grid[d] = take(input, 5);
        items *= record->group[d];
        groups =
            record->grid[d] != 0 && groups > MOST_GROUPS / record->grid[d] ? MOST_GROUPS + 1 : groups * record->grid[d];
    }
    fuzz_failure.status = HALY_OK;
    if (cpu_launch_check(record) != HALY_OK) {
        fuzz_check_message(fuzz_failure.message, "a ");
    } else {
        FUZZ_CHECK(bytes == kernel->argument_bytes && items != 0 && items <= kernel->max_items, "%llu items",
                   (unsigned long long)items);
        FUZZ_CHECK(record->grid[0] <= UINT32_MAX && record->grid[1] < 65536 && record->grid[2] < 65536, "a grid");
        if (groups <= MOST_GROUPS) {
            memset(visits, 0, sizeof visits);
            for (int d = 0; d < 3; d++)
                expected_groups[d] = (uint32_t)record->grid[d];
            FUZZ_CHECK(cpu_launch_run(NULL, record, 0) == UINT64_MAX, "the launch did not end");
            for (uint64_t i = 0; i < groups; i++)
                FUZZ_CHECK(visits[i] == 1, "group %u ran %u times", (unsigned)i, visits[i]);
        }
    }
    free(record);
}

static void check_kernel(struct input *input, const struct haly_kernel_meta *meta, const char *name)
{
    struct cpu_device device = {.config = {.isa = CPU_ISA_BASELINE}};
    struct cpu_context context = {.device = &device};
    struct cpu_module module;
    struct cpu_kernel kernel = {.argument_bytes = 77};
    haly_kernel_info info = {HALY_KERNEL_INFO_INIT}, before = info;
    const haly_backend_image desc = {.format = HALY_MODULE_OPERATORS};
    memset(&module, 0, sizeof module);
    current = meta;
    FUZZ_CHECK(cpu_module_load(&context, &module, &desc) == HALY_OK, "%s", fuzz_failure.message);
    const haly_status status = cpu_kernel_get(&module, &kernel, name, &info);
    if (!fuzz_matches("^[A-Za-z0-9_]{1,127}$", name)) {
        FUZZ_CHECK(status == HALY_ERR_NOT_FOUND, "\"%s\" is a name", name);
    } else if (!is_sound(meta, name)) {
        FUZZ_CHECK(status == HALY_ERR_CORRUPT, "a description that contradicts itself was accepted");
        fuzz_check_message(fuzz_failure.message, name);
    } else {
        FUZZ_CHECK(status == HALY_OK, "%s", fuzz_failure.message);
        check_info(meta, &info);
        for (int i = 0; i < 4 && input->size != 0; i++)
            check_launch(input, &kernel);
    }
    if (status != HALY_OK)
        FUZZ_CHECK(memcmp(&info, &before, sizeof info) == 0 && kernel.argument_bytes == 77, "half a kernel");
    cpu_module_unload(&module);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    const unsigned choices = (unsigned)take(&input, 1);
    struct haly_kernel_meta meta = {.struct_size = sizeof meta, .entry = (choices & 1) != 0 ? NULL : visit};
    if ((choices & 2) != 0)
        meta.struct_size = (haly_u32)take(&input, 4);
    meta.argument_count = (haly_u32)take(&input, 1);
    meta.argument_bytes = (haly_u32)take(&input, (choices & 4) != 0 ? 4 : 2);
    for (int d = 0; d < 3; d++)
        meta.group_size[d] = (haly_u32)take(&input, (choices & 4) != 0 ? 4 : 2);
    meta.max_items = (haly_u32)take(&input, (choices & 4) != 0 ? 4 : 2);
    const size_t wanted = (size_t)take(&input, 1) % SMALL_NAME;
    const size_t length = wanted < input.size ? wanted : input.size;
    char *name = fuzz_text(input.data, length);
    input.data += length;
    input.size -= length;
    char *other = fuzz_text("k_other", (choices & 8) != 0 ? 7 : 0);
    struct haly_kernel_argument *arguments = take_arguments(&input, meta.argument_count);
    meta.arguments = (choices & 16) != 0 ? NULL : arguments;
    meta.name = (choices & 32) != 0 ? NULL : (choices & 8) != 0 ? other : name;
    check_kernel(&input, &meta, name);
    free(arguments);
    free(other);
    free(name);
    return 0;
}
