/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernels of an image are like: a checked copy of what a bundle or a program says. */
#ifndef HAL_KERNEL_TABLE_H
#define HAL_KERNEL_TABLE_H

#include "error.h"

#include <halyard/module.h>

#define KERNEL_NAME_MAX 127U     /* bytes of a kernel's name */
#define KERNEL_ARGUMENTS_MAX 16U /* as many as HALY_KERNEL takes */
#define KERNEL_BLOCK_MAX 4096U   /* bytes of packed arguments, rule R4 */
#define KERNEL_TABLE_MAX 4096U   /* kernels of one image */

struct kernel_table {
    uint32_t count;
    haly_kernel_info *kernels; /* in the order given; arguments and names belong to the table */
};

/* Whether a text is a C identifier of at most KERNEL_NAME_MAX bytes. */
bool kernel_name_is_valid(const char *name);

/* Whether rows describe one packed block: in order, apart, inside it, addresses of 8 bytes at multiples of 8. `name` is
 * the kernel's, for the message. HALY_ERR_CORRUPT. */
haly_status kernel_arguments_check(const char *label, const char *name, const haly_argument_info *arguments,
                                   uint32_t count, uint32_t argument_bytes);

/*
 * Copies and checks a table whose kernels are `kernel_size` bytes each and whose rows are as long as each kernel says.
 * `label` names the image in messages. One allocation, to free(); NULL for no kernels. HALY_ERR_CORRUPT names the
 * kernel and what is wrong with it.
 */
haly_status kernel_table_copy(const char *label, const haly_kernel_info *kernels, uint32_t count, uint32_t kernel_size,
                              struct kernel_table **out_table);

/* NULL when there is none of that name. */
const haly_kernel_info *kernel_table_find(const struct kernel_table *table, const char *name);

/* Whether what an image says of a kernel of its own is what the table says. HALY_ERR_CORRUPT names the difference. */
haly_status kernel_table_compare(const char *label, const haly_kernel_info *told, const haly_kernel_info *found);

#endif
