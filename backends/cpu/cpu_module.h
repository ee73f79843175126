/* SPDX-License-Identifier: Apache-2.0 */
/* Modules: shared objects with kernels, and the backend's own operator kernels. */
#ifndef CPU_MODULE_H
#define CPU_MODULE_H

#include <pthread.h>

#include "cpu_isa.h"
#include "cpu_kernel.h"

/* The argument table of a kernel as the core wants it, kept as long as the module. */
struct cpu_argument_table {
    struct cpu_argument_table *next;
    const struct haly_kernel_meta *meta;
    haly_argument_info rows[];
};

/* The private block of a module. */
struct cpu_module {
    void *handle;   /* of dlopen(); NULL: the operator kernels */
    int descriptor; /* of the image; -1: none. Open while the object is loaded, so that its number names no other. */
    enum cpu_isa isa;
    pthread_mutex_t lock;
    struct cpu_argument_table *tables;
};

haly_status cpu_image_rank(void *context, const haly_backend_image *image, uint32_t *out_rank);
haly_status cpu_module_load(void *context, void *module, const haly_backend_image *image);
void cpu_module_unload(void *module);
haly_status cpu_kernel_get(void *module, void *kernel, const char *name, haly_kernel_info *out_info);
void cpu_kernel_release(void *kernel);

#endif
