/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/* Tables of kernels come from files and programs: every later check relies on them. */
#include "kernel_table.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

bool kernel_name_is_valid(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    const size_t length = strnlen(name, KERNEL_NAME_MAX + 1);
    return length > 0 && length <= KERNEL_NAME_MAX && strspn(name, letters) == length &&
           (name[0] < '0' || name[0] > '9');
}

haly_status kernel_arguments_check(const char *label, const char *name, const haly_argument_info *arguments,
                                   uint32_t count, uint32_t argument_bytes)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < count; i++) {
        const haly_argument_info *argument = &arguments[i];
        if (argument->size == 0 || argument->offset < end ||
            (uint64_t)argument->offset + argument->size > argument_bytes ||
            (argument->is_address != 0 && (argument->size != sizeof(void *) || argument->offset % sizeof(void *) != 0)))
            return FAIL(HALY_ERR_CORRUPT,
                        "%s: kernel \"%s\": argument %u at offset %u with %u bytes contradicts a block of %u bytes",
                        label, name, i, argument->offset, argument->size, argument_bytes);
        end = (uint64_t)argument->offset + argument->size;
    }
    return HALY_OK;
}

/* The row as this version knows it, whatever the size of the caller's. ABI-003. */
static void read_row(void *out, size_t known, const void *rows, uint32_t index, uint32_t size)
{
    memset(out, 0, known);
    memcpy(out, (const char *)rows + (size_t)index * size, size < known ? size : known);
}

static haly_status check_kernel(const char *label, const haly_kernel_info *kernel, uint32_t index)
{
    if (kernel->name == NULL || !kernel_name_is_valid(kernel->name))
        return FAIL(HALY_ERR_CORRUPT, "%s: kernel %u is named \"%s\"; expected an identifier of 1 to %u bytes", label,
                    index, kernel->name != NULL ? PRINTABLE(kernel->name) : "", KERNEL_NAME_MAX);
    if (kernel->argument_count > KERNEL_ARGUMENTS_MAX)
        return FAIL(HALY_ERR_CORRUPT, "%s: kernel \"%s\" has %u arguments; expected at most %u", label, kernel->name,
                    kernel->argument_count, KERNEL_ARGUMENTS_MAX);
    if (kernel->argument_bytes > KERNEL_BLOCK_MAX)
        return FAIL(HALY_ERR_CORRUPT, "%s: kernel \"%s\" has %u bytes of arguments; expected at most %u", label,
                    kernel->name, kernel->argument_bytes, KERNEL_BLOCK_MAX);
    if (kernel->argument_count > 0 &&
        (kernel->arguments == NULL || kernel->argument_size < HALY_SIZE_THROUGH(haly_argument_info, is_const)))
        return FAIL(HALY_ERR_CORRUPT, "%s: kernel \"%s\" describes its %u arguments by rows of %u bytes; expected %u",
                    label, kernel->name, kernel->argument_count, kernel->arguments != NULL ? kernel->argument_size : 0,
                    (uint32_t)sizeof(haly_argument_info));
    return HALY_OK;
}

static haly_status check_kernels(const char *label, const haly_kernel_info *kernels, uint32_t count,
                                 uint32_t kernel_size, size_t *out_bytes)
{
    haly_kernel_info kernel;
    size_t bytes = sizeof(struct kernel_table);
    for (uint32_t i = 0; i < count; i++) {
        read_row(&kernel, sizeof kernel, kernels, i, kernel_size);
        TRY(check_kernel(label, &kernel, i));
        bytes += sizeof kernel + kernel.argument_count * sizeof(haly_argument_info) + strlen(kernel.name) + 1;
    }
    *out_bytes = bytes;
    return HALY_OK;
}

/* Where the parts of the one allocation go. */
struct room {
    haly_argument_info *rows;
    char *names;
};

static haly_status copy_kernel(const char *label, struct kernel_table *table, struct room *room)
{
    haly_kernel_info *kernel = &table->kernels[table->count];
    const size_t name_bytes = strlen(kernel->name) + 1;
    if (kernel_table_find(table, kernel->name) != NULL)
        return FAIL(HALY_ERR_CORRUPT, "%s: two kernels are named \"%s\"", label, kernel->name);
    for (uint32_t i = 0; i < kernel->argument_count; i++)
        read_row(&room->rows[i], sizeof room->rows[i], kernel->arguments, i, kernel->argument_size);
    memcpy(room->names, kernel->name, name_bytes);
    kernel->struct_size = sizeof *kernel;
    kernel->arguments = room->rows;
    kernel->argument_size = sizeof *room->rows;
    kernel->name = room->names;
    room->rows += kernel->argument_count;
    room->names += name_bytes;
    table->count++;
    return kernel_arguments_check(label, kernel->name, kernel->arguments, kernel->argument_count,
                                  kernel->argument_bytes);
}

static uint64_t argument_total(const haly_kernel_info *kernels, uint32_t count, uint32_t kernel_size)
{
    uint64_t total = 0;
    haly_kernel_info kernel;
    for (uint32_t i = 0; i < count; i++) {
        read_row(&kernel, sizeof kernel, kernels, i, kernel_size);
        total += kernel.argument_count;
    }
    return total;
}

haly_status kernel_table_copy(const char *label, const haly_kernel_info *kernels, uint32_t count, uint32_t kernel_size,
                              struct kernel_table **out_table)
{
    size_t bytes;
    if (count > KERNEL_TABLE_MAX)
        return FAIL(HALY_ERR_CORRUPT, "%s has %u kernels; expected at most %u", label, count, KERNEL_TABLE_MAX);
    TRY(check_kernels(label, kernels, count, kernel_size, &bytes));
    struct kernel_table *table = malloc(bytes);
    if (table == NULL)
        return fail_host_oom("a table of kernels", bytes);
    table->count = 0;
    table->kernels = (haly_kernel_info *)(table + 1);
    struct room room = {.rows = (haly_argument_info *)(table->kernels + count)};
    room.names = (char *)(room.rows + argument_total(kernels, count, kernel_size));
    haly_status status = HALY_OK;
    for (uint32_t i = 0; i < count && status == HALY_OK; i++) {
        read_row(&table->kernels[i], sizeof *table->kernels, kernels, i, kernel_size);
        status = copy_kernel(label, table, &room);
    }
    if (status != HALY_OK) {
        free(table);
        return status;
    }
    *out_table = table;
    return HALY_OK;
}

const haly_kernel_info *kernel_table_find(const struct kernel_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->count; i++)
        if (strcmp(table->kernels[i].name, name) == 0)
            return &table->kernels[i];
    return NULL;
}

static bool is_same_argument(const haly_argument_info *a, const haly_argument_info *b)
{
    return a->offset == b->offset && a->size == b->size && (a->is_address != 0) == (b->is_address != 0);
}

haly_status kernel_table_compare(const char *label, const haly_kernel_info *told, const haly_kernel_info *found)
{
    if (found->argument_count != told->argument_count || found->argument_bytes != told->argument_bytes)
        return FAIL(HALY_ERR_CORRUPT, "%s: kernel \"%s\" takes %u arguments in %u bytes; its table says %u in %u",
                    label, told->name, found->argument_count, found->argument_bytes, told->argument_count,
                    told->argument_bytes);
    for (uint32_t i = 0; i < told->argument_count; i++)
        if (!is_same_argument(&told->arguments[i], &found->arguments[i]))
            return FAIL(
                HALY_ERR_CORRUPT,
                "%s: argument %u of kernel \"%s\" is %s of %u bytes at offset %u; its table says %s of %u at %u", label,
                i, told->name, found->arguments[i].is_address != 0 ? "an address" : "a value", found->arguments[i].size,
                found->arguments[i].offset, told->arguments[i].is_address != 0 ? "an address" : "a value",
                told->arguments[i].size, told->arguments[i].offset);
    if (memcmp(found->group, told->group, sizeof told->group) != 0)
        return FAIL(HALY_ERR_CORRUPT,
                    "%s: kernel \"%s\" was compiled for groups of (%u, %u, %u); its table says (%u, %u, %u)", label,
                    told->name, found->group[0], found->group[1], found->group[2], told->group[0], told->group[1],
                    told->group[2]);
    return HALY_OK;
}
