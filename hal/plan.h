/* SPDX-License-Identifier: Apache-2.0 */
/* Plans as the rest of the core sees them. */
#ifndef HAL_PLAN_H
#define HAL_PLAN_H

#include "kernel.h"

/* The context's cache of eager plans and its operator kernels; opened with the context, closed before its modules. */
haly_status plans_open(haly_context *context);
void plans_close(haly_context *context);

/* The backend's block of a plan, for resolving an op record. */
void *plan_block(haly_plan *plan);

/* The operator's name and the path it takes, cut to fit. */
void plan_describe(const haly_plan *plan, char *name, size_t name_size, char *path, size_t path_size);

/* Destroys one plan (its last reference is gone, or its context is). */
void plan_destroy(struct object *object);

#endif
