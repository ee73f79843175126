/* SPDX-License-Identifier: Apache-2.0 */
/* Plans of halyard.QuantizedMatMul on the hand-tuned tiles. */
#ifndef CPU_PLAN_QUANTIZED_H
#define CPU_PLAN_QUANTIZED_H

#include "cpu_plan.h"

haly_status cpu_plan_quantized_create(const struct cpu_context *context, struct cpu_plan *plan,
                                      const haly_op_desc *desc, haly_backend_plan *out_plan);

#endif
