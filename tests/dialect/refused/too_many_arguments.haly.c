/* SPDX-License-Identifier: Apache-2.0 */
/* Refused by host spaces opencl cuda ascend: HALY_MAP_COMMA_ */
#include <halyard/kernel.h>

HALY_KERNEL(too_many_arguments, (VAL, float, a), (VAL, float, b), (VAL, float, c), (VAL, float, d), (VAL, float, e),
            (VAL, float, f), (VAL, float, g), (VAL, float, h), (VAL, float, i), (VAL, float, j), (VAL, float, k),
            (VAL, float, l), (VAL, float, m), (VAL, float, n), (VAL, float, o), (VAL, float, p), (OUT, float, q))
{
    HALY_ITEMS(t)
    {
        q[t] = a;
    }
}
