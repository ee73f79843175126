/* SPDX-License-Identifier: Apache-2.0 */
/* Regions of memory against a map of bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "layers/region.h"

enum { SPACE = 512, ROUNDS = 20000 };

static uint64_t state = 7;

static uint64_t below(uint64_t limit)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (state >> 33) % limit;
}

static void paint(const struct region *region, unsigned char *bytes)
{
    memset(bytes, 0, SPACE);
    for (uint64_t row = 0; row < region->rows; row++)
        memset(bytes + region->start + row * region->pitch, 1, region->width);
}

static struct region random_region(void)
{
    const uint64_t width = 1 + below(20), height = 1 + below(6), pitch = width + below(30);
    return region_of_rectangle((const void *)(uintptr_t)below(SPACE - height * pitch), pitch, width, height);
}

static void regions_meet_exactly_when_they_share_a_byte(void **unused)
{
    static unsigned char a_bytes[SPACE], b_bytes[SPACE];
    uint32_t meetings = 0;
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        struct region a = random_region(), b = random_region();
        bool shares = false, covers = true;
        if (round % 3 == 0) { /* one pitch, where an arithmetic of its own decides */
            b.pitch = a.pitch;
            if (b.start + b.rows * b.pitch + b.width > SPACE || (b.rows > 1 && b.width > b.pitch))
                continue;
        }
        paint(&a, a_bytes);
        paint(&b, b_bytes);
        for (int i = 0; i < SPACE; i++) {
            shares = shares || (a_bytes[i] && b_bytes[i]);
            covers = covers && (a_bytes[i] || !b_bytes[i]);
        }
        assert_int_equal(region_relate(&a, &b), shares ? REGIONS_MEET : REGIONS_APART);
        assert_int_equal(region_relate(&b, &a), shares ? REGIONS_MEET : REGIONS_APART);
        assert_true(covers || !region_covers(&a, &b));
        meetings += shares;
    }
    assert_true(meetings > ROUNDS / 10 && meetings < ROUNDS);
}

static void what_is_not_exact_meets_perhaps(void **unused)
{
    (void)unused;
    struct region a = region_of_range((const void *)100, 10), b = region_of_range((const void *)109, 10);
    assert_int_equal(region_relate(&a, &b), REGIONS_MEET);
    b.is_exact = false;
    assert_int_equal(region_relate(&a, &b), REGIONS_PERHAPS_MEET);
    assert_true(region_covers(&a, &a));
    assert_false(region_covers(&b, &b));
    b = region_of_range((const void *)110, 10);
    assert_int_equal(region_relate(&a, &b), REGIONS_APART);
    b = region_of_range((const void *)100, 0);
    assert_int_equal(region_relate(&a, &b), REGIONS_APART);
}

/* Two rectangles of different pitches with so many rows that not all are compared. */
static void huge_rectangles_of_different_pitches_are_left_open(void **unused)
{
    (void)unused;
    const struct region a = region_of_rectangle((const void *)0, 100, 10, 1 << 20);
    const struct region b = region_of_rectangle((const void *)50, 200, 10, 1 << 20);
    const struct region c = region_of_rectangle((const void *)50, 100, 10, 1 << 20);
    assert_int_equal(region_relate(&a, &b), REGIONS_PERHAPS_MEET);
    assert_int_equal(region_relate(&a, &c), REGIONS_APART);
}

static void tensors_become_their_rows(void **unused)
{
    (void)unused;
    haly_tensor matrix = haly_tensor_2d(HALY_F32, NULL, 8, 16);
    struct region region = region_of_tensor(&matrix, (const void *)4096);
    assert_true(region.is_exact && region.rows == 1 && region.width == 512 && region.start == 4096);
    matrix.shape[1] = 4; /* the first four columns */
    region = region_of_tensor(&matrix, (const void *)4096);
    assert_true(region.is_exact && region.rows == 8 && region.width == 16 && region.pitch == 64);
    matrix.strides[0] = -16; /* upside down: the address is that of the last row */
    region = region_of_tensor(&matrix, (const void *)4096);
    assert_true(region.is_exact && region.start == 4096 - 7 * 64 && region.rows == 8);
    matrix.strides[0] = 0; /* one row, broadcast */
    region = region_of_tensor(&matrix, (const void *)4096);
    assert_true(region.is_exact && region.rows == 1 && region.width == 16);
    haly_tensor cube = haly_tensor_3d(HALY_F16, NULL, 4, 6, 8);
    cube.shape[2] = 3;
    cube.shape[1] = 2; /* three levels that do not merge */
    region = region_of_tensor(&cube, (const void *)0);
    assert_true(!region.is_exact && region.width == (3 * 48 + 8 + 3) * 2);
    haly_tensor blocks = haly_tensor_2d(HALY_Q4_0, NULL, 4, 64);
    region = region_of_tensor(&blocks, (const void *)64);
    assert_true(region.is_exact && region.rows == 1 && region.width == 4 * 2 * 18);
    haly_tensor nothing = haly_tensor_1d(HALY_F32, NULL, 0);
    assert_int_equal(region_of_tensor(&nothing, NULL).rows, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(regions_meet_exactly_when_they_share_a_byte),
        cmocka_unit_test(what_is_not_exact_meets_perhaps),
        cmocka_unit_test(huge_rectangles_of_different_pitches_are_left_open),
        cmocka_unit_test(tensors_become_their_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
