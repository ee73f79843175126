/* SPDX-License-Identifier: Apache-2.0 */
/* The table of addresses against a plain array, and clocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "layers/clock.h"
#include "layers/map.h"

static void a_map_holds_what_was_put_and_not_taken(void **unused)
{
    enum { KEYS = 500, STEPS = 100000 };
    static char *values[KEYS], storage[KEYS];
    struct map map = {0};
    uint64_t state = 3;
    uint32_t count = 0;
    (void)unused;
    assert_null(map_get(&map, 8));
    assert_null(map_take(&map, 8));
    for (int step = 0; step < STEPS; step++) {
        state = state * UINT64_C(6364136223846793005) + 1;
        const uint32_t i = (uint32_t)(state >> 33) % KEYS;
        const uint64_t key = (i + 1) * UINT64_C(4096); /* like addresses */
        assert_ptr_equal(map_get(&map, key), values[i]);
        if ((state >> 60) % 2 == 0) {
            assert_true(map_put(&map, key, &storage[i]));
            count += values[i] == NULL;
            values[i] = &storage[i];
        } else {
            assert_ptr_equal(map_take(&map, key), values[i]);
            count -= values[i] != NULL;
            values[i] = NULL;
        }
        assert_int_equal(map.count, count);
    }
    map_clear(&map);
    assert_null(map_get(&map, 4096));
}

static void clocks_only_go_forward(void **unused)
{
    struct clock a = {0}, b = {0};
    bool has_gaps = false;
    (void)unused;
    assert_int_equal(clock_at(&a, 5), 0);
    assert_true(clock_raise(&a, 5, 10, &has_gaps));
    assert_false(clock_raise(&a, 5, 9, &has_gaps));
    assert_int_equal(clock_at(&a, 5), 10);
    assert_true(clock_raise(&b, 7, 3, &has_gaps));
    assert_true(clock_raise(&b, 5, 4, &has_gaps));
    assert_true(clock_join(&a, &b, &has_gaps));
    assert_false(clock_join(&a, &b, &has_gaps));
    assert_int_equal(clock_at(&a, 5), 10);
    assert_int_equal(clock_at(&a, 7), 3);
    clock_free(&a);
    clock_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_holds_what_was_put_and_not_taken),
        cmocka_unit_test(clocks_only_go_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
