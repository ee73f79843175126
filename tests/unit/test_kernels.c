/* SPDX-License-Identifier: Apache-2.0 */
/* The dialect itself: what a kernel's description says, regions, private and local memory, group primitives, atomics.
 */
#define HALY_MAX_ITEMS 64
#include "kernels_test.h"

#include <string.h>

struct mixed {
    haly_u32 a;
    haly_u64 b;
};

/* Every kind of argument, with gaps that alignment makes. */
HALY_KERNEL(mixed_arguments, (IN, haly_f16, x), (VAL, haly_u8, small), (VAL, struct mixed, pair), (VAL, haly_u32, n),
            (INOUT, float, y), (OUT, haly_u64, z))
{
    HALY_ITEMS(t)
    {
        const haly_u64 i = HALY_GLOBAL_INDEX(t);
        if (i >= n)
            break;
        y[i] += haly_f16_to_f32(x[i]);
        z[i] = small + pair.a + pair.b;
    }
}

/* Sixteen arguments, the most there can be. */
HALY_KERNEL_SIZED(many_arguments, HALY_GROUP_SIZE(4, 2, 2), (OUT, haly_u32, y), (VAL, haly_u32, a1),
                  (VAL, haly_u32, a2), (VAL, haly_u32, a3), (VAL, haly_u32, a4), (VAL, haly_u32, a5),
                  (VAL, haly_u32, a6), (VAL, haly_u32, a7), (VAL, haly_u32, a8), (VAL, haly_u32, a9),
                  (VAL, haly_u32, a10), (VAL, haly_u32, a11), (VAL, haly_u32, a12), (VAL, haly_u32, a13),
                  (VAL, haly_u32, a14), (VAL, haly_u32, a15))
{
    HALY_PRIVATE(haly_u32, mine);
    HALY_ITEMS3(i, j, k)
    {
        HALY_P3(mine, i, j, k) = i + 10 * j + 100 * k;
    }
    HALY_ITEMS(t)
    {
        y[t] =
            HALY_P(mine, t) + 1000 * (a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11 + a12 + a13 + a14 + a15);
    }
}

/* A group turns its 8 x 8 tile; items below 40 count, `break` and `continue` end one item only. */
HALY_KERNEL_SIZED(transpose_tile, HALY_GROUP_SIZE_SHARED_LINES(8, 8, 1), (IN, float, x), (OUT, float, y),
                  (INOUT, haly_u32, counts))
{
    HALY_LOCAL(float, tile, 64);
    const haly_u32 first = HALY_GROUP(0) * 64;
    HALY_ITEMS2(i, j)
    {
        tile[j * 8 + i] = x[first + j * 8 + i];
    }
    HALY_ITEMS2(i, j)
    {
        y[first + i * 8 + j] = tile[j * 8 + i];
    }
    HALY_ITEMS_BELOW(t, 40)
    {
        if (t == 3)
            break;
        if (t == 5)
            continue;
        haly_atomic_add_u32(&counts[0], 1);
        haly_atomic_max_u32(&counts[1], t);
    }
}

HALY_KERNEL(group_primitives, (IN, float, x), (OUT, float, y), (VAL, haly_u32, count))
{
    HALY_LOCAL(float, scratch, 64);
    HALY_LOCAL(haly_u32, numbers, 64);
    HALY_PRIVATE_ARRAY(float, pair, 2);
    float sum, largest, smallest, third;
    HALY_ITEMS_BELOW_NB(t, count)
    {
        HALY_PA(pair, 0, t) = x[t];
        HALY_PA(pair, 1, t) = -x[t];
    }
    HALY_ITEMS_BELOW(t, count)
    {
        scratch[t] = HALY_PA(pair, 0, t);
        numbers[t] = t + 1;
    }
    HALY_GROUP_BROADCAST(float, scratch, 2, third);
    HALY_GROUP_REDUCE_ADD(float, scratch, count, sum);
    HALY_ITEMS_BELOW(t, count)
    {
        scratch[t] = HALY_PA(pair, 1, t);
    }
    HALY_GROUP_REDUCE_MAX(float, scratch, count, largest);
    HALY_ITEMS_BELOW(t, count)
    {
        scratch[t] = HALY_PA(pair, 1, t);
    }
    HALY_GROUP_REDUCE_MIN(float, scratch, count, smallest);
    HALY_GROUP_SCAN_ADD(haly_u32, numbers, count);
    HALY_ITEMS_BELOW(t, count)
    {
        y[t] = (float)numbers[t];
    }
    HALY_ITEMS_BELOW(t, 1)
    {
        y[64] = sum;
        y[65] = largest;
        y[66] = smallest;
        y[67] = third;
    }
}

static void description_says_where_each_argument_is(void **state)
{
    (void)state;
    const struct haly_kernel_meta *meta = &HALY_KERNEL_META(mixed_arguments);
    static const struct haly_kernel_argument want[6] = {{0, 8, 1, 1, {0}},  {8, 1, 0, 1, {0}},  {16, 16, 0, 1, {0}},
                                                        {32, 4, 0, 1, {0}}, {40, 8, 1, 0, {0}}, {48, 8, 1, 0, {0}}};
    assert_int_equal(meta->struct_size, sizeof *meta);
    assert_string_equal(meta->name, "mixed_arguments");
    assert_int_equal(meta->argument_count, 6);
    assert_int_equal(meta->argument_bytes, 56);
    assert_memory_equal(meta->arguments, want, sizeof want);
    assert_int_equal(meta->group_size[0] + meta->group_size[1] + meta->group_size[2] + meta->flags, 0);
    assert_int_equal(meta->max_items, 64);
    assert_int_equal(HALY_KERNEL_META(transpose_tile).flags, HALY_KERNEL_SHARES_LINES);
    assert_int_equal(HALY_KERNEL_META(transpose_tile).group_size[1], 8);
    assert_int_equal(HALY_KERNEL_META(many_arguments).argument_count, 16);
    assert_int_equal(HALY_KERNEL_META(many_arguments).flags, 0);
}

static void any_group_size_covers_every_item(void **state)
{
    (void)state;
    for (haly_u32 size = 1; size <= 64; size += 9) {
        struct array x = array_new(HALY_KERNEL_F16, 100);
        float y[101] = {0};
        haly_u64 z[101] = {0};
        for (size_t i = 0; i < 100; i++)
            array_set(&x, i, (double)i / 4);
        const struct {
            const void *x;
            haly_u8 small;
            struct mixed pair;
            haly_u32 n;
            float *y;
            haly_u64 *z;
        } arguments = {x.data, 200, {1, 1ULL << 40}, 100, y, z};
        assert_int_equal(sizeof arguments, HALY_KERNEL_META(mixed_arguments).argument_bytes);
        for (haly_u32 g = 0; g < (100 + size - 1) / size; g++) {
            const struct haly_group group = {
                .group = {g, 0, 0}, .groups = {(100 + size - 1) / size, 1, 1}, .size = {size, 1, 1}};
            HALY_KERNEL_META(mixed_arguments).entry(&group, &arguments);
        }
        for (size_t i = 0; i < 100; i++)
            assert_true(y[i] == (float)i / 4 && z[i] == (1ULL << 40) + 201);
        assert_true(y[100] == 0 && z[100] == 0);
        array_free(&x);
    }
}

static void compiled_group_size_wins_and_coordinates_agree(void **state)
{
    (void)state;
    haly_u32 y[17] = {0};
    struct {
        haly_u32 *y;
        haly_u32 a[15];
    } arguments = {y, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};
    const struct haly_group group = {.groups = {1, 1, 1}, .size = {1, 1, 1}};
    HALY_KERNEL_META(many_arguments).entry(&group, &arguments);
    for (haly_u32 t = 0; t < 16; t++)
        assert_int_equal(y[t], 120000 + t % 4 + 10 * (t / 4 % 2) + 100 * (t / 8));
    assert_int_equal(y[16], 0);
}

static void regions_share_local_memory_and_end_items_alone(void **state)
{
    (void)state;
    float x[192], y[192];
    haly_u32 counts[2] = {0, 0};
    for (int i = 0; i < 192; i++)
        x[i] = (float)i;
    const struct {
        const void *x;
        void *y, *counts;
    } arguments = {x, y, counts};
    kernel_run(&HALY_KERNEL_META(transpose_tile), 3, 1, 1, &arguments, sizeof arguments, 4);
    for (int i = 0; i < 192; i++)
        assert_true(y[i] == x[i / 64 * 64 + i % 8 * 8 + i % 64 / 8]);
    assert_int_equal(counts[0], 3 * 38);
    assert_int_equal(counts[1], 39);
}

static void group_primitives_combine_any_number_of_items(void **state)
{
    (void)state;
    for (haly_u32 count = 3; count <= 64; count++) {
        float x[64], y[68];
        for (haly_u32 i = 0; i < count; i++)
            x[i] = (float)((i * 37) % 64);
        const struct {
            const void *x;
            void *y;
            haly_u32 count;
        } arguments = {x, y, count};
        const struct haly_group group = {.groups = {1, 1, 1}, .size = {64, 1, 1}};
        HALY_KERNEL_META(group_primitives).entry(&group, &arguments);
        float sum = 0, largest = x[0], smallest = x[0];
        for (haly_u32 i = 0; i < count; i++) {
            sum += x[i];
            largest = x[i] > largest ? x[i] : largest;
            smallest = x[i] < smallest ? x[i] : smallest;
            assert_true(y[i] == (float)((i + 1) * (i + 2) / 2));
        }
        assert_true(y[64] == sum && y[65] == -smallest && y[66] == -largest && y[67] == x[2]);
    }
}

static void atomics_return_what_was_there(void **state)
{
    (void)state;
    haly_u32 u = 5;
    haly_i32 i = -5;
    assert_int_equal(haly_atomic_add_u32(&u, 3), 5);
    assert_int_equal(haly_atomic_and_u32(&u, 12), 8);
    assert_int_equal(haly_atomic_or_u32(&u, 3), 8);
    assert_int_equal(haly_atomic_xor_u32(&u, 1), 11);
    assert_int_equal(haly_atomic_exchange_u32(&u, 7), 10);
    assert_int_equal(haly_atomic_compare_exchange_u32(&u, 6, 9), 7);
    assert_int_equal(haly_atomic_compare_exchange_u32(&u, 7, 9), 7);
    assert_int_equal(haly_atomic_min_u32(&u, 20), 9);
    assert_int_equal(u, 9);
    assert_int_equal(haly_atomic_max_i32(&i, -7), -5);
    assert_int_equal(haly_atomic_min_i32(&i, -7), -5);
    assert_int_equal(i, -7);
    float four[4] __attribute__((aligned(16))) = {1, 2, 3, 4}, copy[4] __attribute__((aligned(16)));
    haly_store_f32x4(copy, haly_load_f32x4(four));
    assert_memory_equal(four, copy, sizeof four);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(description_says_where_each_argument_is),
        cmocka_unit_test(any_group_size_covers_every_item),
        cmocka_unit_test(compiled_group_size_wins_and_coordinates_agree),
        cmocka_unit_test(regions_share_local_memory_and_end_items_alone),
        cmocka_unit_test(group_primitives_combine_any_number_of_items),
        cmocka_unit_test(atomics_return_what_was_there),
    };
    return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
