/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that the test of the cpu backend loads as a module; broken descriptions are made by hand below them. */
#include <halyard/kernel.h>

HALY_KERNEL(scale, (IN, float, x), (OUT, float, y), (VAL, float, factor), (VAL, haly_u32, n))
{
    HALY_ITEMS(t)
    {
        const haly_u64 i = HALY_GLOBAL_INDEX(t);
        if (i < n)
            y[i] = x[i] * factor;
    }
}

HALY_KERNEL(nothing, (VAL, haly_u32, n))
{
    (void)n;
}

/* Writes each group's index, so that a test sees that every group ran once. */
HALY_KERNEL(number_groups, (INOUT, haly_u32, y))
{
    const haly_u64 index = (HALY_GROUP(2) * (haly_u64)HALY_GROUPS(1) + HALY_GROUP(1)) * HALY_GROUPS(0) + HALY_GROUP(0);
    haly_atomic_add_u32(&y[index], (haly_u32)index + 1);
}

/* A sum whose bits depend on the order: one chain per group. */
HALY_KERNEL(chain, (OUT, float, y), (VAL, haly_u32, steps))
{
    float value = 1.0f / (float)(HALY_GROUP(0) + 1);
    for (haly_u32 i = 0; i < steps; i++)
        value = value * 0.999f + 1e-3f;
    y[HALY_GROUP(0)] = value;
}

/* The smallest subnormal times one half twice over: zero when the caller's flush-to-zero is in force. */
HALY_KERNEL(subnormal, (IN, float, x), (OUT, float, y))
{
    y[0] = x[0] * 0.5f;
}

static void broken_entry(const struct haly_group *group, const void *arguments)
{
    (void)group;
    (void)arguments;
}

static const struct haly_kernel_argument overlapping[] = {{0, 8, 1, 0, {0}}, {4, 4, 0, 1, {0}}};
static const struct haly_kernel_argument past_end[] = {{0, 8, 1, 0, {0}}, {8, 4, 0, 1, {0}}};

#define BROKEN(name, size, table, bytes)                                                                               \
    extern const struct haly_kernel_meta HALY_KERNEL_META(name) HALY_KERNEL_EXPORT;                                    \
    const struct haly_kernel_meta HALY_KERNEL_META(name) = {size, 2,     table,        bytes, {0, 0, 0},               \
                                                            0,    #name, broken_entry, 1024,  0}
BROKEN(broken_overlap, sizeof(struct haly_kernel_meta), overlapping, 16);
BROKEN(broken_past_end, sizeof(struct haly_kernel_meta), past_end, 8);
BROKEN(broken_size, 12, past_end, 16);
BROKEN(broken_bytes, sizeof(struct haly_kernel_meta), past_end, 5000);
