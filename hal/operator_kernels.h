/* SPDX-License-Identifier: Apache-2.0 */
/* The operator kernels of a context: the module that its backend brings, or the core's source, loaded when
 * the first operator that needs it is lowered. */
#ifndef HAL_OPERATOR_KERNELS_H
#define HAL_OPERATOR_KERNELS_H

#include "kernel.h"

struct operator_kernels;

/* NULL: out of memory. */
struct operator_kernels *operator_kernels_create(void);
void operator_kernels_destroy(struct operator_kernels *kernels);

/*
 * A kernel by name; stays as long as the context, no new reference. HALY_ERR_UNSUPPORTED when the device has no
 * operator kernels, or not this one. Any thread.
 */
haly_status operator_kernel_get(haly_context *context, const char *name, haly_kernel **out_kernel);

#endif
