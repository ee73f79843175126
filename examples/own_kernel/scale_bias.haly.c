/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel of one's own: y = a * x + b. One source in the kernel dialect (halyard/kernel.h) compiles for every target;
 * groups may have any size, so the last one is cut off at n. */
#include <halyard/kernel.h>

HALY_KERNEL(scale_bias, (IN, float, x), (OUT, float, y), (VAL, float, a), (VAL, float, b), (VAL, haly_u64, n))
{
    HALY_ITEMS(t)
    {
        const haly_u64 i = HALY_GLOBAL_INDEX(t);
        if (i < n)
            y[i] = a * x[i] + b;
    }
}
