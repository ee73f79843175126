/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that the OpenCL checks run: what a group does together, and one whose barrier is missing. */
#define HALY_MAX_ITEMS 64
#include <halyard/kernel.h>

/* y[0..63] = running sums of t + 1, y[64] = their largest, y[65] = the number of items that did not break. */
HALY_KERNEL_SIZED(group_right, HALY_GROUP_SIZE(64, 1, 1), (OUT, haly_u32, y))
{
    HALY_LOCAL(haly_u32, scratch, 64);
    HALY_LOCAL(haly_u32, counted, 1);
    haly_u32 largest;
    HALY_GLOBAL haly_u32 *out = y + HALY_GROUP(0) * 80;
    HALY_ITEMS(t)
    {
        scratch[t] = t + 1;
        if (t == 0)
            counted[0] = 0;
    }
    HALY_GROUP_SCAN_ADD(haly_u32, scratch, 64);
    HALY_ITEMS(t)
    {
        out[t] = scratch[t];
        if (t % 2 == 0)
            break;
        haly_atomic_add_u32(&counted[0], 1);
        if (t % 3 == 0)
            continue;
        haly_atomic_add_u32(&counted[0], 100);
    }
    HALY_GROUP_REDUCE_MAX(haly_u32, scratch, 64, largest);
    HALY_ITEMS_BELOW(t, 1)
    {
        out[64] = largest;
        out[65] = counted[0];
    }
}

/* Reads what the neighbour wrote, without the barrier between. */
HALY_KERNEL_SIZED(group_racing, HALY_GROUP_SIZE(64, 1, 1), (OUT, haly_u32, y))
{
    HALY_LOCAL(haly_u32, scratch, 64);
    HALY_ITEMS_NB(t)
    {
        scratch[t] = t;
    }
    HALY_ITEMS(t)
    {
        y[HALY_GROUP(0) * 80 + t] = scratch[63 - t];
    }
}

/* y[i] = bits of the half i as f32; then its way back, into the upper half of y. */
HALY_KERNEL_SIZED(all_halves, HALY_GROUP_SIZE(64, 1, 1), (OUT, haly_u32, y))
{
    HALY_ITEMS(t)
    {
        const haly_u32 i = (haly_u32)HALY_GLOBAL_INDEX(t);
        const float value = haly_f16_to_f32(haly_f16_from_bits((haly_u16)i));
        y[i] = haly_f32_bits(value);
        y[65536 + i] = haly_f16_bits(haly_f32_to_f16(value));
    }
}
