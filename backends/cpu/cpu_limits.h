/* SPDX-License-Identifier: Apache-2.0 */
/* What the operating system lets this process use: cores by affinity and cgroup quota, memory by cgroup limit. */
#ifndef CPU_LIMITS_H
#define CPU_LIMITS_H

#include <stdint.h>

/* Cores this process may use, at least 1. */
uint32_t cpu_limits_cores(void);

/* Bytes of memory it may use in all, 0 when unknown. */
uint64_t cpu_limits_memory(void);

/* Bytes that are free to be used now, 0 when unknown. */
uint64_t cpu_limits_memory_free(void);

#endif
