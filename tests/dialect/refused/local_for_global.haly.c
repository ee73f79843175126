/* SPDX-License-Identifier: Apache-2.0 */
/* Refused by opencl spaces ascend: changes address space|no matching function|cannot initialize a variable */
#include <halyard/kernel.h>

HALY_FN float first(HALY_GLOBAL const float *x)
{
    return x[0];
}

HALY_KERNEL_SIZED(local_for_global, HALY_GROUP_SIZE(64, 1, 1), (OUT, float, y))
{
    HALY_LOCAL(float, scratch, 64);
    HALY_ITEMS(t)
    {
        scratch[t] = (float)t;
    }
    HALY_ITEMS(t)
    {
        y[t] = first(scratch);
    }
}
