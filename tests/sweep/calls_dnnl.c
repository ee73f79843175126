/* SPDX-License-Identifier: Apache-2.0 */
/* oneDNN's calls, counted and failed. */
#include "calls_dnnl.h"

#include <string.h>

#include "inject.h"

#define DNNL_DEFINE(name_, parameters_, arguments_)                                                                    \
    int(*dnnl_original_##name_) parameters_;                                                                           \
    int sweep_dnnl_##name_ parameters_                                                                                 \
    {                                                                                                                  \
        const struct fault *fault = inject_call(GROUP_DNNL, "dnnl_" #name_, __builtin_return_address(0), NULL);        \
        return fault != NULL ? fault->code : dnnl_original_##name_ arguments_;                                         \
    }
DNNL_FUNCTIONS(DNNL_DEFINE)
