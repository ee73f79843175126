/* SPDX-License-Identifier: Apache-2.0 */
/* y[i] = i: shows that the installed headers and CMake package compile kernels. */
#include <halyard/kernel.h>

HALY_KERNEL(fill_index, (OUT, float, y), (VAL, haly_u64, n))
{
    HALY_ITEMS(t)
    {
        const haly_u64 i = HALY_GLOBAL_INDEX(t);
        if (i < n)
            y[i] = (float)i;
    }
}
