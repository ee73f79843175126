/* SPDX-License-Identifier: Apache-2.0 */
/* Refused by host spaces opencl cuda ascend: HALY_TYPE_INPUT|haly.c(:5:[0-9]+|\(5\)): error */
#include <halyard/kernel.h>

HALY_KERNEL(unknown_kind, (INPUT, float, x))
{
    HALY_ITEMS(t)
    {
        (void)x[t];
    }
}
