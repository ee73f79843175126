/* SPDX-License-Identifier: Apache-2.0 */
/* The planted defect operator_writes_zeros: the operator that is its argument writes zeros. Tests show with it that
 * each operator has a part in an answer. Only in builds with planted defects. */
#ifndef CPU_ZERO_OP_H
#define CPU_ZERO_OP_H

#include "cpu_plan.h"

bool cpu_zero_op_is_wanted(const haly_op_desc *desc);
haly_status cpu_zero_op_create(struct cpu_plan *plan, const haly_op_desc *desc, haly_backend_plan *out_plan);

#endif
