/* SPDX-License-Identifier: Apache-2.0 */
/* Refused by opencl spaces ascend: changes address space|no matching function|cannot initialize a variable */
#include <halyard/kernel.h>

HALY_KERNEL(unmarked_pointer, (INOUT, float, x))
{
    float *at = x + HALY_GROUP(0);
    HALY_ITEMS_BELOW(t, 1)
    {
        at[t] = 0.0f;
    }
}
