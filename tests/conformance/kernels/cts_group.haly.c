/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of the suite: what the items of a group share. Built ahead, loaded by the kernel cases. */
#include <halyard/kernel.h>

/* Sums 64 numbers per group; y has one 64-byte line per group. */
HALY_KERNEL_SIZED(group_sum, HALY_GROUP_SIZE(64, 1, 1), (IN, float, x), (OUT, float, y))
{
    HALY_LOCAL(float, scratch, 64);
    HALY_ITEMS(t)
    {
        scratch[t] = x[HALY_GLOBAL_INDEX(t)];
    }
    float sum;
    HALY_GROUP_REDUCE_ADD(float, scratch, 64, sum);
    HALY_ITEMS_BELOW(t, 1)
    {
        y[(haly_u64)HALY_GROUP(0) * 16] = sum;
    }
}

/* Each item writes local memory, and after the region reads what its neighbour wrote; twice, so that a missing barrier
 * shows. Private values live across the regions. */
HALY_KERNEL(rotate, (INOUT, haly_u32, x))
{
    HALY_LOCAL(haly_u32, shared, 256);
    HALY_PRIVATE(haly_u32, mine);
    HALY_ITEMS(t)
    {
        HALY_P(mine, t) = x[HALY_GLOBAL_INDEX(t)];
        shared[t] = HALY_P(mine, t);
    }
    HALY_ITEMS(t)
    {
        HALY_P(mine, t) += shared[(t + 1) % HALY_ITEM_COUNT] * 1000U;
    }
    HALY_ITEMS(t)
    {
        shared[t] = HALY_P(mine, t);
    }
    HALY_ITEMS(t)
    {
        x[HALY_GLOBAL_INDEX(t)] = shared[(t + 1) % HALY_ITEM_COUNT];
    }
}

/* Every item of every group adds one: groups share the line of the counter on purpose. */
HALY_KERNEL_SIZED(count_items, HALY_GROUP_SIZE_SHARED_LINES(128, 1, 1), (INOUT, haly_u32, counter))
{
    HALY_ITEMS(t)
    {
        (void)haly_atomic_add_u32(counter, 1U);
    }
}
