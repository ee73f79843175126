/* SPDX-License-Identifier: Apache-2.0 */
/* Modules and kernels, and building launch records. */
#ifndef HAL_KERNEL_H
#define HAL_KERNEL_H

#include "stream.h"

struct haly_module {
    struct object object; /* its kernels hold references too */
    void *block;
    struct kernel_table *table; /* what its kernels are like; NULL: the backend says */
    char label[256];            /* for messages */
};

struct haly_kernel {
    struct object object;
    haly_module *module; /* counted */
    void *block;
    haly_kernel_info info;
    haly_argument_info *arguments; /* checked copy of the backend's table */
    char name[];
};

/* Destroy one that no queued work uses and that was taken out of its context. */
void module_destroy(struct object *object);
void kernel_destroy(struct object *object);

/* Bytes of the launch record for a kernel. */
uint32_t launch_record_bytes(const haly_kernel *kernel);

/*
 * Checks grid, group and argument bytes against kernel and device, and writes the record (public form) with the packed
 * arguments. Addresses in the arguments are not looked at: launch_check_addresses() does that.
 */
haly_status launch_record_write(haly_kernel *kernel, const haly_launch_desc *desc, void *record);
/* Points the extension chain of a launch record at its copies behind the arguments: records move. */
void launch_link_ext(haly_command_launch *launch);

haly_status launch_check_addresses(haly_context *context, const haly_kernel *kernel, const void *arguments);

#endif
