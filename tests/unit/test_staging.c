/* SPDX-License-Identifier: Apache-2.0 */
/* Copies that the service does in the core's place: what they touch, and what is left when one fails. On the manual
 * backend, whose device memory the host could reach by mistake. */
#define _GNU_SOURCE
#include <unistd.h>

#include "manual_fixture.h"

static void device_memory_of_others_is_staged_too(void **state)
{
    (void)state;
    struct fixture f;
    static char foreign[4096], in[64] = "there and back", out[64];
    open_fixture(&f, CAPS_NO_HELP);
    struct manual_device *device = device_of(f.context);
    device->foreign = foreign;
    device->foreign_copies = 0;
    assert_int_equal(haly_copy(f.stream, foreign, in, sizeof in), HALY_OK);
    assert_int_equal(haly_stream_sync(f.stream, 20ULL * SECOND), HALY_OK);
    assert_int_equal(device->foreign_copies, 1);
    assert_int_equal(haly_copy(f.stream, out, foreign, sizeof out), HALY_OK);
    assert_int_equal(haly_stream_sync(f.stream, 20ULL * SECOND), HALY_OK);
    assert_int_equal(device->foreign_copies, 2);
    assert_string_equal(out, in);
    device->foreign = NULL;
    close_fixture(&f);
}

static void a_failed_copy_fails_no_other_one(void **state)
{
    (void)state;
    struct fixture f;
    static char in[64] = "there and back", out[64];
    open_fixture(&f, CAPS_NO_HELP);
    void *device = device_memory(&f, sizeof in);
    device_of(f.context)->fail_new_stream = HALY_SCOPE_STREAM; /* the staging stream, made at the first copy */
    assert_int_equal(haly_copy(f.stream, device, in, sizeof in), HALY_OK);
    assert_int_equal(haly_stream_sync(f.stream, 20ULL * SECOND), HALY_ERR_DEVICE_FAULT);
    assert_int_equal(last_error().stream_id, haly_object_id(f.stream));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(haly_copy(f.other, device, in, sizeof in), HALY_OK);
        assert_int_equal(haly_copy(f.other, out, device, sizeof out), HALY_OK);
        assert_int_equal(haly_stream_sync(f.other, 20ULL * SECOND), HALY_OK);
        assert_string_equal(out, in);
    }
    close_fixture(&f);
}

static void a_fault_of_the_context_in_a_copy_is_told_as_one(void **state)
{
    (void)state;
    struct fixture f;
    static char in[64] = "there and not back";
    open_fixture(&f, CAPS_NO_HELP);
    void *device = device_memory(&f, sizeof in);
    device_of(f.context)->fail_new_stream = HALY_SCOPE_CONTEXT;
    assert_int_equal(haly_copy(f.stream, device, in, sizeof in), HALY_OK);
    assert_int_equal(haly_stream_sync(f.stream, 20ULL * SECOND), HALY_ERR_DEVICE_FAULT);
    assert_int_equal(last_error().scope, HALY_SCOPE_CONTEXT);
    assert_int_equal(haly_stream_query(f.other), HALY_ERR_DEVICE_FAULT);
    close_fixture(&f);
}

/* The staging stream, which the service thread makes, once it has accepted so many commands. */
static struct manual_control *staging_of(struct fixture *f, uint64_t commands)
{
    struct manual_device *device = device_of(f->context);
    for (int i = 0; i < 20000 && (device->latest == f->other_control || device->latest->submitted < commands); i++)
        usleep(1000);
    assert_ptr_not_equal(device->latest, f->other_control);
    assert_int_equal(device->latest->submitted, commands);
    return device->latest;
}

/* Its second half is still on its way when the first has failed. */
static void a_failed_copy_has_not_finished_while_a_part_of_it_is_on_its_way(void **state)
{
    (void)state;
    enum { SIZE = 8 << 20 }; /* two chunks */
    struct fixture f;
    open_fixture(&f, CAPS_NO_HELP);
    void *memory = device_memory(&f, SIZE);
    char *out = test_malloc(SIZE);
    struct manual_device *device = device_of(f.context);
    device->fail_new_stream = HALY_SCOPE_STREAM;
    device->allow_new_stream = 1;
    assert_int_equal(haly_copy(f.stream, out, memory, SIZE), HALY_OK);
    struct manual_control *staging = staging_of(&f, 2);
    for (int i = 0; i < 20000 && staging->completed == 0; i++)
        usleep(1000);
    assert_int_equal(haly_stream_sync(f.stream, 5 * MILLISECOND), HALY_TIMEOUT);
    assert_int_equal(staging->completed, 1);
    assert_int_equal(staging->is_destroyed, 0);
    staging->allowed = UINT64_MAX;
    assert_int_equal(haly_stream_sync(f.stream, 20ULL * SECOND), HALY_ERR_DEVICE_FAULT);
    assert_int_equal(staging->completed, 2);
    assert_int_equal(staging->is_destroyed, 1);
    test_free(out);
    close_fixture(&f);
}

/* Holds a stream, which stays deferred meanwhile. */
static haly_status wait_for_flag(void *user, haly_status status)
{
    (void)status;
    while (atomic_load((_Atomic uint32_t *)user) == 0)
        usleep(200);
    return HALY_OK;
}

static void a_context_stays_while_a_deferred_copy_will_read_it(void **state)
{
    (void)state;
    struct fixture f;
    haly_context *second = NULL;
    haly_stream *writing = NULL;
    _Atomic uint32_t flag = 0;
    static char in[64] = "there and back", out[64];
    open_fixture(&f, CAPS_BARE);
    void *there = NULL, *here = device_memory(&f, 64);
    assert_int_equal(haly_context_open(f.instance, NULL, &second), HALY_OK);
    assert_int_equal(haly_stream_create(second, NULL, &writing), HALY_OK);
    assert_int_equal(haly_malloc(second, 64, NULL, &there), HALY_OK);
    assert_int_equal(haly_copy(writing, there, in, 64), HALY_OK);
    assert_int_equal(haly_stream_sync(writing, 20ULL * SECOND), HALY_OK);
    assert_int_equal(haly_host_call(f.stream, wait_for_flag, &flag), HALY_OK);
    assert_int_equal(haly_copy(f.stream, here, there, 64), HALY_OK);
    assert_int_equal(haly_copy(f.stream, out, here, 64), HALY_OK);
    haly_context_release(second);
    usleep(50000);
    flag = 1;
    assert_int_equal(haly_stream_sync(f.stream, 20ULL * SECOND), HALY_OK);
    assert_string_equal(out, in);
    close_fixture(&f);
}

/* Its staging stream is never called again, nor are its chunks given back. */
static void a_copy_from_a_context_that_is_given_up_fails_alone(void **state)
{
    (void)state;
    struct fixture f;
    haly_context *second = NULL;
    static char out[64];
    open_fixture(&f, CAPS_BARE);
    void *there = NULL, *here = device_memory(&f, 64);
    assert_int_equal(haly_context_open(f.instance, NULL, &second), HALY_OK);
    assert_int_equal(haly_malloc(second, 64, NULL, &there), HALY_OK);
    struct manual_device *device = device_of(f.context);
    device->allow_new_stream = 0;
    assert_int_equal(haly_copy(f.stream, here, there, 64), HALY_OK);
    struct manual_control *staging = staging_of(&f, 1);
    assert_int_equal(haly_stream_sync(f.stream, 5 * MILLISECOND), HALY_TIMEOUT);
    assert_int_equal(haly_context_abandon(second), HALY_OK);
    assert_int_equal(haly_stream_sync(f.stream, 20ULL * SECOND), HALY_ERR_ABANDONED);
    assert_int_equal(last_error().scope, HALY_SCOPE_STREAM);
    assert_int_equal(staging->is_destroyed, 0);
    assert_int_equal(haly_copy(f.other, out, here, 64), HALY_OK);
    assert_int_equal(haly_stream_sync(f.other, 20ULL * SECOND), HALY_OK);
    haly_context_release(second);
    close_fixture(&f);
    assert_int_equal(staging->is_destroyed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(device_memory_of_others_is_staged_too),
        cmocka_unit_test(a_failed_copy_fails_no_other_one),
        cmocka_unit_test(a_fault_of_the_context_in_a_copy_is_told_as_one),
        cmocka_unit_test(a_failed_copy_has_not_finished_while_a_part_of_it_is_on_its_way),
        cmocka_unit_test(a_context_stays_while_a_deferred_copy_will_read_it),
        cmocka_unit_test(a_copy_from_a_context_that_is_given_up_fails_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
