/* SPDX-License-Identifier: Apache-2.0 */
/* The operator kernels that are compiled into the backend, once per instruction set. */
#ifndef CPU_OPERATORS_H
#define CPU_OPERATORS_H

#include <halyard/kernel_host.h>

#include "cpu_isa.h"

/* The description of a kernel for an instruction set, or NULL. */
const struct haly_kernel_meta *cpu_operator_find(enum cpu_isa isa, const char *name);

#endif
