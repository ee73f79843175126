/* SPDX-License-Identifier: Apache-2.0 */
/* Address windows: where they stand, that nobody can touch them, and how their granules are handed out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "address.h"
#include "window.h"

#define GIB (UINT64_C(1) << 30)

static void the_default_is_four_times_the_device_within_bounds(void **state)
{
    static const struct {
        uint64_t device, expected;
    } rows[] = {{0, 256 * GIB},        {GIB, 4 * GIB},         {15 * GIB, 60 * GIB},   {64 * GIB, 256 * GIB},
                {80 * GIB, 256 * GIB}, {256 * GIB, 256 * GIB}, {300 * GIB, 300 * GIB}, {1200 * GIB, 1200 * GIB}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(window_default_bytes(rows[i].device), rows[i].expected);
}

/* The kernel says EFAULT instead of sending a signal. */
static int errno_of_reading(const void *address)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    errno = 0;
    const ssize_t written = write(ends[1], address, 1);
    const int error = written == 1 ? 0 : errno;
    close(ends[0]);
    close(ends[1]);
    return error;
}

static void nobody_can_touch_a_window(void **state)
{
    struct window window;
    char here = 1;
    (void)state;
    assert_int_equal(window_open(&window, 4 * GIB, false), HALY_OK);
    assert_int_equal(window.bytes, 4 * GIB);
    assert_int_equal(window.base % GRANULE_BYTES, 0);
    assert_int_equal(errno_of_reading(&here), 0);
    assert_int_equal(errno_of_reading((const void *)(uintptr_t)window.base), EFAULT);
    assert_int_equal(errno_of_reading((const void *)(uintptr_t)(window.base + window.bytes - 1)), EFAULT);
    assert_true(window_is_inside_any((const void *)(uintptr_t)(window.base + window.bytes - 1)));
    assert_false(window_is_inside_any((const void *)(uintptr_t)(window.base + window.bytes)));
    const uint64_t base = window.base;
    window_close(&window);
    assert_false(window_is_inside_any((const void *)(uintptr_t)base));
}

static void windows_are_disjoint_and_come_back_at_the_same_base(void **state)
{
    struct window windows[5];
    uint64_t bases[5];
    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 5; i++) {
            assert_int_equal(window_open(&windows[i], 60 * GIB, false), HALY_OK);
            if (round == 0)
                bases[i] = windows[i].base;
            assert_int_equal(windows[i].base, bases[i]);
            for (int j = 0; j < i; j++)
                assert_true(windows[i].base + windows[i].bytes <= windows[j].base ||
                            windows[j].base + windows[j].bytes <= windows[i].base);
        }
        for (int i = 0; i < 5; i++)
            window_close(&windows[i]);
    }
}

static void too_large_a_window_is_halved_unless_it_must_be_exact(void **state)
{
    struct window window;
    const uint64_t all = UINT64_C(1) << 47; /* the program itself is in there somewhere */
    (void)state;
    assert_int_equal(window_open(&window, all, true), HALY_ERR_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(error_detail()->message, "140737488355328"));
    assert_int_equal(window_open(&window, all + 1, true), HALY_ERR_INVALID);
    assert_int_equal(window_open(&window, all, false), HALY_OK);
    assert_true(window.bytes < all && window.bytes >= 64 * GRANULE_BYTES);
    window_close(&window);
}

/* Larger than any place on the list; ThreadSanitizer leaves only the first two of them, and allows less in all. */
#if defined(__clang__)
#define HAS_FEATURE(feature) __has_feature(feature)
#else
#define HAS_FEATURE(feature) 0
#endif
#if defined(__SANITIZE_THREAD__) || HAS_FEATURE(thread_sanitizer)
#define BEYOND_THE_LIST (400 * GIB)
#else
#define BEYOND_THE_LIST (9000 * GIB)
#endif

static void a_window_that_no_listed_place_holds_stands_elsewhere(void **state)
{
    struct window window;
    (void)state;
    assert_int_equal(window_open(&window, BEYOND_THE_LIST, true), HALY_OK);
    assert_int_equal(window.bytes, BEYOND_THE_LIST);
    assert_int_equal(window.base % GRANULE_BYTES, 0);
    window_close(&window);
}

static void sizes_are_rounded_up_to_granules(void **state)
{
    struct window window;
    (void)state;
    assert_int_equal(window_open(&window, 3 * GRANULE_BYTES - 5, true), HALY_OK);
    assert_int_equal(window.bytes, 3 * GRANULE_BYTES);
    window_close(&window);
}

static void granules_are_handed_out_lowest_first(void **state)
{
    struct window window;
    void *a, *b, *c, *d;
    (void)state;
    assert_int_equal(window_open(&window, 200 * GRANULE_BYTES, true), HALY_OK);
    assert_int_equal(window_take(&window, 70 * GRANULE_BYTES, &a), HALY_OK);
    assert_int_equal((uintptr_t)a, window.base);
    assert_int_equal(window_take(&window, GRANULE_BYTES, &b), HALY_OK);
    assert_int_equal((uintptr_t)b, window.base + 70 * GRANULE_BYTES);
    assert_int_equal(window_take(&window, 100 * GRANULE_BYTES, &c), HALY_OK);
    window_give(&window, a, 70 * GRANULE_BYTES);
    assert_int_equal(window_take(&window, 71 * GRANULE_BYTES, &d), HALY_ERR_DEVICE_OOM);
    assert_int_equal(window_take(&window, 60 * GRANULE_BYTES, &d), HALY_OK);
    assert_ptr_equal(d, a);
    assert_int_equal(window_take(&window, 11 * GRANULE_BYTES, &a), HALY_OK);
    assert_int_equal((uintptr_t)a, window.base + 171 * GRANULE_BYTES);
    window_give(&window, b, GRANULE_BYTES); /* joins the ten free ones in front of it */
    assert_int_equal(window_take(&window, 11 * GRANULE_BYTES, &b), HALY_OK);
    assert_int_equal((uintptr_t)b, window.base + 60 * GRANULE_BYTES);
    window_close(&window);
}

static void a_full_window_says_its_size(void **state)
{
    struct window window;
    void *address;
    (void)state;
    assert_int_equal(window_open(&window, 8 * GRANULE_BYTES, true), HALY_OK);
    assert_int_equal(window_take(&window, 8 * GRANULE_BYTES, &address), HALY_OK);
    assert_int_equal(window_take(&window, GRANULE_BYTES, &address), HALY_ERR_DEVICE_OOM);
    assert_non_null(strstr(error_detail()->message, "16777216"));
    window_give(&window, address, 8 * GRANULE_BYTES);
    assert_int_equal(window_take(&window, GRANULE_BYTES, &address), HALY_OK);
    window_close(&window);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_is_four_times_the_device_within_bounds),
        cmocka_unit_test(nobody_can_touch_a_window),
        cmocka_unit_test(windows_are_disjoint_and_come_back_at_the_same_base),
        cmocka_unit_test(too_large_a_window_is_halved_unless_it_must_be_exact),
        cmocka_unit_test(a_window_that_no_listed_place_holds_stands_elsewhere),
        cmocka_unit_test(sizes_are_rounded_up_to_granules),
        cmocka_unit_test(granules_are_handed_out_lowest_first),
        cmocka_unit_test(a_full_window_says_its_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
