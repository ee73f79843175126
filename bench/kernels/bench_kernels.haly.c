/* SPDX-License-Identifier: Apache-2.0 */
/* What the benchmarks launch: nothing, so that only the way there and back is measured. */
#include <halyard/kernel.h>

HALY_KERNEL(empty, (VAL, haly_u32, unused))
{
    (void)unused;
}
