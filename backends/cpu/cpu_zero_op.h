/* SPDX-License-Identifier: Apache-2.0 */
/* Only in the test build with HALY_CPU_TEST_ZERO_OP: one operator, named by HALYARD_TEST_ZERO_OP, writes zeros. A test
 * shows with it that each operator has a part in an answer. */
#ifndef CPU_ZERO_OP_H
#define CPU_ZERO_OP_H

#include "cpu_plan.h"

haly_status cpu_zero_op_create(const struct cpu_context *context, struct cpu_plan *plan, const haly_op_desc *desc,
                               haly_backend_plan *out_plan);

#endif
