/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of the suite: element-wise work, indices, and argument passing. Built ahead, loaded by the kernel cases. */
#include <halyard/kernel.h>

HALY_KERNEL(vector_add, (IN, float, x), (IN, float, y), (OUT, float, z), (VAL, haly_u64, n))
{
    HALY_ITEMS(t)
    {
        const haly_u64 i = HALY_GLOBAL_INDEX(t);
        if (i < n)
            z[i] = x[i] + y[i];
    }
}

/* In place, so that launches on one stream must keep their order. */
HALY_KERNEL(scale_bias, (INOUT, float, x), (VAL, float, a), (VAL, float, b), (VAL, haly_u32, n))
{
    HALY_ITEMS(t)
    {
        const haly_u64 i = HALY_GLOBAL_INDEX(t);
        if (i < n)
            x[i] = x[i] * a + b;
    }
}

/* One 64-byte row per group: its index, the grid, its size, and how many items ran. */
HALY_KERNEL(describe_groups, (OUT, haly_u32, rows))
{
    const haly_u64 group = ((haly_u64)HALY_GROUP(2) * HALY_GROUPS(1) + HALY_GROUP(1)) * HALY_GROUPS(0) + HALY_GROUP(0);
    HALY_ITEMS_BELOW(t, 1)
    {
        HALY_GLOBAL haly_u32 *row = rows + group * 16;
        row[0] = HALY_GROUP(0);
        row[1] = HALY_GROUP(1);
        row[2] = HALY_GROUP(2);
        row[3] = HALY_GROUPS(0);
        row[4] = HALY_GROUPS(1);
        row[5] = HALY_GROUPS(2);
        row[6] = HALY_SIZE(0);
        row[7] = HALY_SIZE(1);
        row[8] = HALY_SIZE(2);
        row[9] = (haly_u32)HALY_ITEM_COUNT;
    }
}

/* Every item of a three-dimensional group writes its own element. */
HALY_KERNEL(item_coordinates, (OUT, haly_u32, out))
{
    const haly_u64 base = (haly_u64)HALY_GROUP(0) * HALY_ITEM_COUNT;
    HALY_ITEMS3(x, y, z)
    {
        out[base + (z * HALY_SIZE(1) + y) * HALY_SIZE(0) + x] = x | y << 8 | z << 16;
    }
}

/* Arguments of every size the packed block can hold, with the gaps that alignment makes. */
struct cts_pair {
    haly_u32 first;
    float second;
    haly_u64 third;
};
HALY_KERNEL(pack_arguments, (VAL, haly_u8, a), (OUT, haly_u64, out), (VAL, haly_u16, b), (VAL, haly_u64, c),
            (VAL, haly_i8, d), (VAL, struct cts_pair, e), (VAL, haly_i32, f), (VAL, float, g))
{
    HALY_ITEMS_BELOW(t, 1)
    {
        out[0] = a;
        out[1] = b;
        out[2] = c;
        out[3] = (haly_u64)(haly_i64)d;
        out[4] = e.first;
        out[5] = haly_f32_bits(e.second);
        out[6] = e.third;
        out[7] = (haly_u64)(haly_i64)f;
        out[8] = haly_f32_bits(g);
    }
}

HALY_KERNEL(is_null, (IN, float, x), (OUT, haly_u32, out))
{
    HALY_ITEMS_BELOW(t, 1)
    {
        out[0] = x == (HALY_GLOBAL const float *)0 ? 1U : 2U;
    }
}
