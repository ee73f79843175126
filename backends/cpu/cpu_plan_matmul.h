/* SPDX-License-Identifier: Apache-2.0 */
/* Plans of MatMul, and of QuantizedMatMul with plain weights, on oneDNN. */
#ifndef CPU_PLAN_MATMUL_H
#define CPU_PLAN_MATMUL_H

#include "cpu_plan.h"

haly_status cpu_plan_matmul_create(const struct cpu_context *context, struct cpu_plan *plan, const haly_op_desc *desc,
                                   haly_backend_plan *out_plan);
haly_status cpu_plan_linear_create(const struct cpu_context *context, struct cpu_plan *plan, const haly_op_desc *desc,
                                   haly_backend_plan *out_plan);

#endif
