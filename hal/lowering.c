/* SPDX-License-Identifier: Apache-2.0 */
/* What lowerings share: packing arguments, collecting launch records, and turning tensors into walks. */
#include "lowering.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "operator_kernels.h"
#include "planted.h"

/* Packed arguments of the largest kernel, with room. */
#define ARGUMENT_BYTES 1024

static haly_status grow(void **array, uint64_t bytes, const char *what)
{
    void *grown = realloc(*array, bytes);
    if (grown == NULL)
        return fail_host_oom(what, bytes);
    *array = grown;
    return HALY_OK;
}

/* The kernel's own table says where arguments stand. It is part of a file that is not ours, so it is compared. */
static haly_status check_table(const haly_kernel *kernel, const struct launch *launch)
{
    const haly_kernel_info *info = &kernel->info;
    bool fits = info->argument_count == launch->address_count + 1 && info->argument_bytes <= ARGUMENT_BYTES;
    for (uint32_t i = 0; fits && i < launch->address_count; i++)
        fits = kernel->arguments[i].is_address != 0 && kernel->arguments[i].size == 8 &&
               kernel->arguments[i].offset <= info->argument_bytes - 8;
    if (fits) {
        const haly_argument_info *last = &kernel->arguments[launch->address_count];
        fits = last->is_address == 0 && last->size == launch->argument_bytes && last->size <= info->argument_bytes &&
               last->offset <= info->argument_bytes - last->size;
    }
    if (fits)
        return HALY_OK;
    return FAIL(HALY_ERR_UNSUPPORTED,
                "the device's operator kernel \"%s\" does not take %u addresses and %u bytes: it belongs to another "
                "version of the library",
                launch->kernel, launch->address_count, launch->argument_bytes);
}

static int64_t bytes_of(const haly_tensor *tensor, int64_t elements)
{
    return elements / haly_dtype_block_elements(tensor->dtype) * haly_dtype_block_bytes(tensor->dtype);
}

static bool has_elements(const haly_tensor *tensor)
{
    return tensor->dtype != HALY_DTYPE_NONE && tensor_elements(tensor) > 0;
}

/* The address that stands in for tensors without elements, which nobody reads: their own means nothing and must not
 * reach a device, and kernels may not do arithmetic on NULL. Some output has elements, or there would be no launch. */
static uint32_t stand_in(const struct op_call *call)
{
    for (uint32_t i = 0; i < call->desc.output_count; i++)
        if (has_elements(&call->outputs[i]))
            return call->desc.input_count + i;
    return call->desc.input_count;
}

static struct address_patch patch_of(const struct op_call *call, uint32_t slot, int64_t elements)
{
    const haly_tensor *tensor = op_tensor(call, slot);
    if (!has_elements(tensor))
        return (struct address_patch){.address = stand_in(call)};
    return (struct address_patch){.address = slot < OP_INPUTS ? slot : call->desc.input_count + slot - OP_INPUTS,
                                  .bytes = bytes_of(tensor, elements)};
}

static haly_status add_addresses(struct lowering *lowering, const haly_kernel *kernel, const struct launch *launch,
                                 uint32_t arguments_at)
{
    struct launch_set *set = lowering->set;
    TRY(grow((void **)&set->addresses, (set->address_count + LAUNCH_ADDRESSES) * sizeof *set->addresses, "a plan"));
    for (uint32_t i = 0; i < launch->address_count; i++) {
        const uint32_t slot = launch->slots[i];
        if (slot == NO_SLOT)
            continue;
        struct address_patch patch = patch_of(lowering->call, slot, launch->elements[i]);
        patch.offset = arguments_at + kernel->arguments[i].offset;
        set->addresses[set->address_count++] = patch;
    }
    return HALY_OK;
}

static haly_status add_values(struct lowering *lowering, const struct launch *launch, uint32_t struct_at)
{
    struct launch_set *set = lowering->set;
    if (launch->value_count == 0)
        return HALY_OK;
    TRY(grow((void **)&set->values, (set->value_count + LAUNCH_VALUES) * sizeof *set->values, "a plan"));
    for (uint32_t i = 0; i < launch->value_count; i++) {
        struct value_patch patch = launch->values[i];
        patch.offset += struct_at;
        set->values[set->value_count++] = patch;
    }
    return HALY_OK;
}

/* A launch beyond the device's limits is nothing the caller got wrong, but what this device cannot do. */
static haly_status write_record(struct lowering *lowering, haly_kernel *kernel, const haly_launch_desc *desc)
{
    char why[256];
    const haly_status status = launch_record_write(kernel, desc, lowering->set->records + lowering->set->bytes);
    if (status != HALY_ERR_INVALID)
        return status;
    snprintf(why, sizeof why, "%.255s", error_detail()->message);
    return FAIL(HALY_ERR_UNSUPPORTED, "%s is too large for one launch of \"%s\" here: %s", lowering->call->op->name,
                kernel->name, why);
}

haly_status lowering_add(struct lowering *lowering, const struct launch *launch)
{
    struct launch_set *set = lowering->set;
    haly_kernel *kernel;
    unsigned char arguments[ARGUMENT_BYTES] = {0};
    if (launch->grid[0] == 0 || launch->grid[1] == 0 || launch->grid[2] == 0)
        return HALY_OK;
    TRY(operator_kernel_get(lowering->context, launch->kernel, &kernel));
    TRY(check_table(kernel, launch));
    const uint32_t struct_offset = kernel->arguments[launch->address_count].offset;
    memcpy(arguments + struct_offset, launch->argument, launch->argument_bytes);
    const haly_launch_desc desc = {HALY_LAUNCH_DESC_INIT, .grid = {launch->grid[0], launch->grid[1], launch->grid[2]},
                                   .argument_bytes = kernel->info.argument_bytes, .arguments = arguments};
    const uint64_t bytes = launch_record_bytes(kernel);
    if (set->bytes + bytes > UINT32_MAX)
        return FAIL(HALY_ERR_UNSUPPORTED, "%s: so many sequences with host values of their own need %llu commands",
                    lowering->call->op->name, (unsigned long long)set->count);
    TRY(grow((void **)&set->records, set->bytes + bytes, "a plan's commands"));
    TRY(write_record(lowering, kernel, &desc));
    const uint32_t arguments_at = (uint32_t)(set->bytes + sizeof(haly_command_launch));
    TRY(add_addresses(lowering, kernel, launch, arguments_at));
    TRY(add_values(lowering, launch, arguments_at + struct_offset));
    set->bytes += bytes;
    set->count++;
    if (lowering->path[0] == '\0')
        snprintf(lowering->path, sizeof((haly_plan_info *)0)->path, "kernels/%s", launch->kernel);
    return HALY_OK;
}

void launch_set_free(struct launch_set *set)
{
    free(set->records);
    free(set->addresses);
    free(set->values);
    memset(set, 0, sizeof *set);
}

int64_t lowering_stride(const haly_tensor *tensor, uint32_t dimension)
{
    return PLANTED_OR(broadcast_keeps_its_stride, tensor->shape[dimension] > 1, true) && tensor_elements(tensor) > 0
               ? tensor->strides[dimension]
               : 0;
}

void strided_start(struct haly_strided *strided, const haly_tensor *shaped)
{
    memset(strided, 0, sizeof *strided);
    strided->rank = shaped->rank;
    for (uint32_t i = 0; i < shaped->rank; i++)
        strided->dims[i] = (uint64_t)shaped->shape[i];
}

void strided_operand(struct haly_strided *strided, uint32_t operand, const haly_tensor *tensor)
{
    for (uint32_t back = 1; back <= tensor->rank && back <= strided->rank; back++)
        strided->strides[operand][strided->rank - back] = lowering_stride(tensor, tensor->rank - back);
}

static void swap_dimensions(struct haly_strided *strided, uint32_t a, uint32_t b)
{
    const uint64_t dim = strided->dims[a];
    strided->dims[a] = strided->dims[b];
    strided->dims[b] = dim;
    for (uint32_t operand = 0; operand < 4; operand++) {
        const int64_t stride = strided->strides[operand][a];
        strided->strides[operand][a] = strided->strides[operand][b];
        strided->strides[operand][b] = stride;
    }
}

void strided_order(struct haly_strided *strided, uint32_t by_operand)
{
    const int64_t *strides = strided->strides[by_operand];
    for (uint32_t i = 1; i < strided->rank; i++)
        for (uint32_t at = i; at > 0 && llabs(strides[at - 1]) < llabs(strides[at]); at--)
            swap_dimensions(strided, at - 1, at);
    haly_strided_compact(strided);
}

uint64_t strided_count(const struct haly_strided *strided)
{
    uint64_t count = 1;
    for (uint32_t i = 0; i < strided->rank; i++)
        count *= strided->dims[i];
    return count;
}

void rows_make(struct haly_rows *rows, uint32_t axis, uint32_t operand_count, const haly_tensor *const *operands)
{
    const haly_tensor *first = operands[0];
    memset(rows, 0, sizeof *rows);
    rows->n = (uint64_t)first->shape[axis];
    struct haly_strided *outer = &rows->outer;
    for (uint32_t i = 0; i < first->rank; i++)
        if (i != axis)
            outer->dims[outer->rank++] = (uint64_t)first->shape[i];
    for (uint32_t operand = 0; operand < operand_count; operand++) {
        const haly_tensor *tensor = operands[operand];
        uint32_t at = 0;
        rows->steps[operand] = lowering_stride(tensor, axis);
        for (uint32_t i = 0; i < tensor->rank; i++)
            if (i != axis)
                outer->strides[operand][at++] = lowering_stride(tensor, i);
    }
    haly_strided_compact(outer);
}
