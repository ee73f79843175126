/* SPDX-License-Identifier: Apache-2.0 */
/* Host memory that is pinned or registered for a context. */
#define _GNU_SOURCE
#include "memory_fixture.h"

static void pinned_memory_is_cached_and_counted(void **state)
{
    struct fixture *f = open_plain();
    void *addresses[50], *large = NULL;
    (void)state;
    for (int i = 0; i < 50; i++) {
        assert_ok(haly_host_alloc(f->context, 10000, &addresses[i]));
        assert_int_equal((uintptr_t)addresses[i] % 64, 0);
        memset(addresses[i], i, 10000);
    }
    assert_int_equal(fake.host_blocks, 1);
    assert_true(fixture_stats(f).pinned_bytes >= 500000);
    assert_int_equal(fixture_stats(f).allocated_bytes, 0); /* not the device's */
    for (int i = 0; i < 50; i++) {
        assert_int_equal(((unsigned char *)addresses[i])[9999], i);
        assert_ok(haly_host_free(f->context, addresses[i]));
    }
    assert_int_equal(fixture_stats(f).pinned_bytes, 0);
    memory_note_pinned(f->context, 4096);
    assert_int_equal(fixture_stats(f).pinned_bytes, 4096);
    memory_note_pinned(f->context, -4096);
    assert_ok(haly_host_alloc(f->context, 500 * MIB, &large));
    assert_int_equal(fake.host_blocks, 2);
    assert_ok(haly_host_free(f->context, large)); /* too much to keep */
    assert_int_equal(fake.host_blocks, 1);
    assert_int_equal(haly_host_alloc(f->context, 2 * GIB, &large), HALY_ERR_HOST_OOM);
    assert_int_equal(haly_host_alloc(f->context, UINT64_MAX, &large), HALY_ERR_HOST_OOM);
    fake.misplaces = 1;
    assert_fails(haly_host_alloc(f->context, 100 * MIB, &large), HALY_ERR_BACKEND, "multiple of 64");
    assert_int_equal(fake.host_blocks, 0); /* idle ones went first */
    fake.misplaces = 0;
    assert_ok(haly_host_alloc(f->context, 0, &large));
    assert_null(large);
    assert_ok(haly_memory_trim(f->context, 0));
    assert_int_equal(fake.host_blocks, 0);
    fixture_close(f);
}

static void registered_ranges_do_not_overlap(void **state)
{
    struct fixture *f = open_plain();
    char *memory = test_malloc(100000);
    (void)state;
    assert_ok(haly_host_register(f->context, memory + 40000, 10000));
    assert_ok(haly_host_register(f->context, memory + 20000, 20000));
    assert_ok(haly_host_register(f->context, memory + 50000, 1));
    const struct {
        uint64_t offset, size;
    } overlapping[] = {{40000, 10000}, {0, 20001}, {49999, 1}, {0, 100000}, {30000, 15000}, {50000, 1}, {39999, 2}};
    for (size_t i = 0; i < sizeof overlapping / sizeof *overlapping; i++)
        assert_fails(haly_host_register(f->context, memory + overlapping[i].offset, overlapping[i].size),
                     HALY_ERR_INVALID, "overlaps the registered range");
    assert_ok(haly_host_register(f->context, memory, 20000));
    assert_fails(haly_host_register(f->context, memory + 60000, 12345), HALY_ERR_BACKEND, "cannot pin that");
    assert_int_equal(fake.registered, 4);
    assert_fails(haly_host_unregister(f->context, memory + 1), HALY_ERR_INVALID, "starts at");
    assert_ok(haly_host_unregister(f->context, memory + 20000));
    assert_fails(haly_host_unregister(f->context, memory + 20000), HALY_ERR_INVALID, "starts at");
    assert_ok(haly_host_register(f->context, memory + 25000, 15000));
    assert_int_equal(info_of(memory + 24999).memory_class, HALY_MEMORY_UNKNOWN);
    assert_int_equal(info_of(memory + 25000).memory_class, HALY_MEMORY_REGISTERED);
    assert_int_equal(info_of(memory + 19999).memory_class, HALY_MEMORY_REGISTERED);
    assert_fails(haly_host_register(f->context, memory, 0), HALY_ERR_INVALID, "no range");
    assert_fails(haly_host_register(f->context, memory, UINT64_MAX), HALY_ERR_INVALID, "no range");
    assert_fails(haly_host_register(f->context, NULL, 5), HALY_ERR_INVALID, "NULL");
    assert_fails(haly_host_register(f->context, take(f, 100), 50), HALY_ERR_INVALID, "already");
    f->device.spec.capabilities = HALY_CAP_NATIVE_ADDRESSES;
    assert_fails(haly_host_register(f->context, memory + 60000, 5), HALY_ERR_UNSUPPORTED, "cannot register");
    fixture_close(f);
    test_free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pinned_memory_is_cached_and_counted),
        cmocka_unit_test(registered_ranges_do_not_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
