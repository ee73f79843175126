/* SPDX-License-Identifier: Apache-2.0 */
/* Refused by host spaces opencl cuda ascend: read-only|const-qualified|must be a modifiable lvalue */
#include <halyard/kernel.h>

HALY_KERNEL(write_to_input, (IN, float, x))
{
    HALY_ITEMS(t)
    {
        x[t] = 0.0f;
    }
}
