/* SPDX-License-Identifier: Apache-2.0 */
/* The list of operators that this backend implements itself. Everything else runs on the portable kernels. */
#include "cpu_plan_attention.h"
#include "cpu_plan_matmul.h"
#include "cpu_plan_quantized.h"

const struct cpu_implementation cpu_implementations[] = {
    {"halyard", "CachedAttention", cpu_plan_attention_create},
    {"halyard", "QuantizedMatMul", cpu_plan_quantized_create},
    {"halyard", "QuantizedMatMul", cpu_plan_linear_create},
    {"", "MatMul", cpu_plan_matmul_create},
    {NULL, NULL, NULL},
};
