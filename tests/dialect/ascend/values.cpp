/* SPDX-License-Identifier: Apache-2.0 */
/* What the Ascend branch computes by itself, run on this machine: square roots, products, the block index, local
   memory, atomics. The stand-in's address space is the machine's own memory, so kernels can be called here. */
#include <halyard/kernel.h>

#include <math.h>
#include <stdio.h>

HALY_KERNEL(sum_of_places, (OUT, haly_u32, y), (VAL, haly_u32, factor))
{
    HALY_LOCAL(haly_u32, sum, 1);
    sum[0] = 0;
    HALY_ITEMS2(column, row)
    {
        if (column == 0)
            break;
        haly_atomic_add_u32(&sum[0], factor * (column + 10 * row));
    }
    y[(HALY_GROUP(2) * HALY_GROUPS(1) + HALY_GROUP(1)) * HALY_GROUPS(0) + HALY_GROUP(0)] =
        sum[0] + HALY_GROUP(0) + 100 * HALY_GROUP(1) + 10000 * HALY_GROUP(2);
}

static int64_t block;

int64_t AscendC::GetBlockIdx()
{
    return block;
}

static int wrong_roots()
{
    int wrong = 0;
    for (haly_u64 bits = 0; bits <= 0xffffffffULL; bits += 4093) {
        const float x = haly_f32_from_bits((haly_u32)bits);
        const haly_u32 ours = haly_f32_bits(haly_sqrtf(x)), theirs = haly_f32_bits(sqrtf(x));
        const bool both_nan = (ours & 0x7fffffffU) > 0x7f800000U && (theirs & 0x7fffffffU) > 0x7f800000U;
        wrong += ours != theirs && !both_nan;
    }
    return wrong;
}

static int wrong_products()
{
    int wrong = 0;
    haly_u64 a = 0x9e3779b97f4a7c15ULL, b = ~0ULL;
    for (int i = 0; i < 100000; i++, a = a * 6364136223846793005ULL + 1442695040888963407ULL, b = b * a + 1)
        wrong += haly_mul_high_u64(a, b) != (haly_u64)(((unsigned __int128)a * b) >> 64);
    return wrong;
}

/* 2 x 3 x 2 groups of 4 x 2 items, of which those in column 0 end at once. */
static int wrong_groups()
{
    haly_u32 y[12] = {};
    int wrong = 0;
    for (block = 0; block < 12; block++)
        sum_of_places((__gm__ haly_u32 *)y, 2, 2, 3, 2, 4, 2, 1);
    for (haly_u32 i = 0; i < 12; i++)
        wrong += y[i] != 2 * (2 * 6 + 3 * 10) + i % 2 + 100 * (i / 2 % 3) + 10000 * (i / 6);
    return wrong;
}

int main()
{
    const int roots = wrong_roots(), products = wrong_products(), groups = wrong_groups();
    printf("wrong: %d square roots, %d products, %d groups\n", roots, products, groups);
    return roots + products + groups != 0;
}
