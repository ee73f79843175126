/* SPDX-License-Identifier: Apache-2.0 */
/* Plans of halyard.CachedAttention on the tuned attention. */
#ifndef CPU_PLAN_ATTENTION_H
#define CPU_PLAN_ATTENTION_H

#include "cpu_plan.h"

haly_status cpu_plan_attention_create(const struct cpu_context *context, struct cpu_plan *plan,
                                      const haly_op_desc *desc, haly_backend_plan *out_plan);

#endif
