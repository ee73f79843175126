/* SPDX-License-Identifier: Apache-2.0 */
/* Memory entries of the table. */
#ifndef CPU_MEMORY_H
#define CPU_MEMORY_H

#include <stdbool.h>

#include "cpu_core.h"

/* The private block of a segment. */
struct cpu_segment {
    void *address;
    uint64_t size;
    bool is_placed; /* over a range that the core reserved */
};

haly_status cpu_segment_alloc(void *context, void *segment, const haly_segment_desc *desc, void **out_address);
void cpu_segment_free(void *context, void *segment);
haly_status cpu_host_alloc(void *context, uint64_t size, void **out_address);
void cpu_host_free(void *context, void *address, uint64_t size);
haly_status cpu_host_register(void *context, void *address, uint64_t size);
void cpu_host_unregister(void *context, void *address, uint64_t size);
haly_memory_class cpu_pointer_info(void *context, const void *address);

#endif
