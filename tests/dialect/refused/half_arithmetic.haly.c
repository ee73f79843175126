/* SPDX-License-Identifier: Apache-2.0 */
/* Refused by host spaces opencl cuda ascend: invalid operands|no operator "\+" matches */
#include <halyard/kernel.h>

HALY_KERNEL(half_arithmetic, (IN, haly_f16, x), (OUT, haly_f16, y))
{
    HALY_ITEMS(t)
    {
        y[t] = x[t] + x[t];
    }
}
