/* SPDX-License-Identifier: Apache-2.0 */
/* The address table, with segments that are nothing but a range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>

#include <cmocka.h>

#include "address.h"

#define BASE UINT64_C(0x123456800000) /* on a granule */

static const void *at(uint64_t address)
{
    return (const void *)(uintptr_t)address;
}

static struct segment make(uint64_t base, uint64_t bytes)
{
    return (struct segment){.base = base, .bytes = bytes};
}

static void every_address_of_a_segment_leads_to_it(void **state)
{
    (void)state;
    struct segment segment = make(BASE, 5 * GRANULE_BYTES);
    assert_null(address_find(at(BASE)));
    assert_int_equal(address_insert(&segment), HALY_OK);
    for (uint64_t offset = 0; offset < 5 * GRANULE_BYTES; offset += 65521)
        assert_ptr_equal(address_find(at(BASE + offset)), &segment);
    assert_ptr_equal(address_find(at(BASE + 5 * GRANULE_BYTES - 1)), &segment);
    assert_null(address_find(at(BASE - 1)));
    assert_null(address_find(at(BASE + 5 * GRANULE_BYTES)));
    address_remove(&segment);
    for (uint64_t offset = 0; offset < 5 * GRANULE_BYTES; offset += GRANULE_BYTES)
        assert_null(address_find(at(BASE + offset)));
}

static void neighbours_share_a_granule(void **state)
{
    (void)state;
    struct segment low = make(BASE + 4096, GRANULE_BYTES), high = make(low.base + low.bytes, 2 * GRANULE_BYTES);
    assert_int_equal(address_insert(&low), HALY_OK);
    assert_int_equal(address_insert(&high), HALY_OK);
    assert_null(address_find(at(BASE + 4095)));
    assert_ptr_equal(address_find(at(BASE + 4096)), &low);
    assert_ptr_equal(address_find(at(high.base - 1)), &low);
    assert_ptr_equal(address_find(at(high.base)), &high);
    assert_ptr_equal(address_find(at(high.base + high.bytes - 1)), &high);
    assert_null(address_find(at(high.base + high.bytes)));
    address_remove(&low);
    assert_null(address_find(at(high.base - 1)));
    assert_ptr_equal(address_find(at(high.base)), &high);
    address_remove(&high);
}

static void a_third_segment_in_a_granule_is_refused_whole(void **state)
{
    (void)state;
    struct segment first = make(BASE, 2 * GRANULE_BYTES), second = make(BASE, 2 * GRANULE_BYTES);
    struct segment third = make(BASE - GRANULE_BYTES, 3 * GRANULE_BYTES);
    assert_int_equal(address_insert(&first), HALY_OK);
    assert_int_equal(address_insert(&second), HALY_OK);
    assert_int_equal(address_insert(&third), HALY_ERR_INTERNAL);
    assert_null(address_find(at(BASE - GRANULE_BYTES)));
    address_remove(&first);
    assert_ptr_equal(address_find(at(BASE)), &second);
    address_remove(&second);
    assert_null(address_find(at(BASE)));
}

static void addresses_beyond_48_bits_are_nobodys(void **state)
{
    (void)state;
    struct segment segment = make((UINT64_C(1) << 48) - GRANULE_BYTES, GRANULE_BYTES);
    struct segment beyond = make((UINT64_C(1) << 48) - GRANULE_BYTES, 2 * GRANULE_BYTES);
    assert_int_equal(address_insert(&beyond), HALY_ERR_UNSUPPORTED);
    assert_int_equal(address_insert(&segment), HALY_OK);
    assert_ptr_equal(address_find(at((UINT64_C(1) << 48) - 1)), &segment);
    assert_null(address_find(at(UINT64_C(1) << 48)));
    assert_null(address_find(at(UINT64_MAX)));
    assert_null(address_find(NULL));
    address_remove(&segment);
}

static void segments_may_span_leaves(void **state)
{
    (void)state;
    const uint64_t leaf = GRANULE_BYTES << ADDRESS_LEAF_BITS;
    struct segment segment = make(7 * leaf - 3 * GRANULE_BYTES, leaf + 6 * GRANULE_BYTES);
    assert_int_equal(address_insert(&segment), HALY_OK);
    assert_ptr_equal(address_find(at(7 * leaf - 1)), &segment);
    assert_ptr_equal(address_find(at(7 * leaf)), &segment);
    assert_ptr_equal(address_find(at(8 * leaf + 3 * GRANULE_BYTES - 1)), &segment);
    assert_null(address_find(at(8 * leaf + 3 * GRANULE_BYTES)));
    address_remove(&segment);
}

static struct segment steady, coming;
static _Atomic bool stops;

static void *look(void *wrong)
{
    while (!stops) {
        if (address_find(at(BASE + 4097)) != &steady)
            (*(uint64_t *)wrong)++;
        const struct segment *found = address_find(at(steady.base + steady.bytes));
        if (found != NULL && found != &coming)
            (*(uint64_t *)wrong)++;
    }
    return NULL;
}

static void readers_see_their_segment_while_a_neighbour_comes_and_goes(void **state)
{
    (void)state;
    pthread_t threads[2];
    uint64_t wrong[2] = {0, 0};
    stops = false;
    steady.base = BASE + 4096;
    steady.bytes = GRANULE_BYTES;
    assert_int_equal(address_insert(&steady), HALY_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look, &wrong[i]), 0);
    for (uint64_t i = 0; i < 20000; i++) {
        coming.bytes = 0; /* as a segment's storage is reused: never a mix of two ranges */
        coming.base = steady.base + steady.bytes + (i % 2) * GRANULE_BYTES;
        coming.bytes = GRANULE_BYTES;
        assert_int_equal(address_insert(&coming), HALY_OK);
        address_remove(&coming);
    }
    stops = true;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    address_remove(&steady);
    assert_int_equal(wrong[0] + wrong[1], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_address_of_a_segment_leads_to_it),
        cmocka_unit_test(neighbours_share_a_granule),
        cmocka_unit_test(a_third_segment_in_a_granule_is_refused_whole),
        cmocka_unit_test(addresses_beyond_48_bits_are_nobodys),
        cmocka_unit_test(segments_may_span_leaves),
        cmocka_unit_test(readers_see_their_segment_while_a_neighbour_comes_and_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
