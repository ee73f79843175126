/* SPDX-License-Identifier: Apache-2.0 */
/* What the processor says of itself. */
#ifndef CPU_CPUINFO_H
#define CPU_CPUINFO_H

#include "cpu_core.h"

/* Name, vendor, clock, cache and NUMA node. */
void cpu_cpuinfo_describe(haly_device_spec *spec);

/* Clock of the first processor now, in MHz; 0 when unknown. */
uint32_t cpu_cpuinfo_clock(void);

#endif
