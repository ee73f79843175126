/* SPDX-License-Identifier: Apache-2.0 */
/* Private blocks of device and context. */
#ifndef CPU_CONTEXT_H
#define CPU_CONTEXT_H

#include <pthread.h>
#include <stdatomic.h>

#include "cpu_config.h"

struct cpu_queue;

#define CPU_MAX_GROUP_ITEMS 1024U
#define CPU_ALIGNMENT 64U

struct cpu_device {
    struct cpu_config config;
    uint64_t memory_bytes;
    _Atomic uint64_t allocated;       /* bytes of segments, all contexts */
    uint64_t busy_ticks, total_ticks; /* of the machine at the last sample */
};

struct cpu_context {
    struct cpu_device *device;
    pthread_mutex_t lock;
    struct cpu_queue *queues; /* of live streams, for abandon */
};

/* Device entries of the table. */
haly_status cpu_device_count(uint32_t *out_count);
haly_status cpu_device_open(uint32_t index, void *device, haly_device_spec *out_spec);
void cpu_device_close(void *device);
haly_status cpu_device_sample(void *device, haly_device_sample *out_sample);

/* Context entries. */
haly_status cpu_context_open(void *device, void *context, const haly_backend_context_desc *desc);
void cpu_context_close(void *context);
void cpu_context_abandon(void *context);

#endif
