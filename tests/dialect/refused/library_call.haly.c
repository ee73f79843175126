/* SPDX-License-Identifier: Apache-2.0 */
/* Refused by opencl: .math.h. file not found */
#include <halyard/kernel.h>
#include <math.h>

HALY_KERNEL(library_call, (INOUT, float, x))
{
    HALY_ITEMS(t)
    {
        x[t] = expf(x[t]);
    }
}
