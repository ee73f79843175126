/* SPDX-License-Identifier: Apache-2.0 */
/* Segments: when they go back to the device, what they are cut from, and what their maps hold. */
#define _GNU_SOURCE
#include "memory_fixture.h"

#include <errno.h>
#include <sys/syscall.h>

/* The core's calls come here: a system may refuse what does not suit its pages. */
static bool advice_is_refused;

int madvise(void *address, size_t bytes, int advice)
{
    if (!advice_is_refused)
        return (int)syscall(SYS_madvise, address, bytes, advice);
    errno = EINVAL;
    return -1;
}

static void dedicated_memory_goes_back_when_it_is_idle(void **state)
{
    struct fixture *f = open_plain();
    haly_stream *a = fixture_stream(f, 0);
    const haly_memory_desc desc = {HALY_MEMORY_DESC_INIT, .flags = HALY_MEMORY_DEDICATED};
    void *first = NULL, *second = NULL;
    (void)state;
    take(f, 3 * MIB);
    assert_ok(haly_malloc(f->context, 3 * MIB + 5, &desc, &first));
    assert_int_equal(fake.segments, 2);
    assert_int_equal(fixture_stats(f).allocated_bytes, 3 * MIB + 4 * MIB);
    assert_ok(haly_free(f->context, first));
    assert_int_equal(fake.segments, 1);
    assert_ok(haly_malloc_async(a, 100, &desc, &second));
    stream_work(a);
    assert_ok(haly_free_async(a, second));
    assert_int_equal(fixture_stats(f).pending_bytes, 2 * MIB);
    assert_int_equal(fake.segments, 2);
    stream_finish_all(a);
    assert_int_equal(fixture_stats(f).pending_bytes, 0);
    assert_int_equal(fake.segments, 1);
    fixture_close(f);
}

static void pending_dedicated_memory_is_given_back_for_a_request_that_needs_it(void **state)
{
    struct fixture *f = fixture_open(NATIVE, 0, GIB, 16 * MIB);
    haly_stream *a = fixture_stream(f, 0);
    const haly_memory_desc desc = {HALY_MEMORY_DESC_INIT, .flags = HALY_MEMORY_DEDICATED};
    void *first = NULL, *second = NULL;
    (void)state;
    assert_ok(haly_malloc(f->context, 12 * MIB, &desc, &first));
    stream_work(a);
    assert_ok(haly_free(f->context, first));
    stream_finish_all(a);
    assert_ok(haly_malloc(f->context, 12 * MIB, &desc, &second));
    assert_int_equal(fake.segments, 1);
    fixture_close(f);
}

static void a_segments_map_is_empty_when_it_serves_again(void **state)
{
    (void)state;
    for (int turn = 0; turn < 4; turn++) {
        advice_is_refused = turn < 2;
        struct fixture *f = open_plain();
        char *address = take(f, MIB);
        haly_memory_info info = {HALY_MEMORY_INFO_INIT};
        for (uint64_t offset = 0; offset < MIB; offset += 512) {
            assert_ok(haly_memory_info_get(address + offset, &info));
            assert_ptr_equal(info.base, address);
        }
        assert_ok(haly_free(f->context, address));
        for (uint64_t size = 0; size < 2 * MIB; size += 512)
            take(f, 512); /* still allocated when the context closes */
        fixture_close(f);
    }
}

static void trim_keeps_what_it_is_told_to(void **state)
{
    struct fixture *f = open_plain();
    void *parts[4];
    (void)state;
    for (int i = 0; i < 4; i++)
        parts[i] = take(f, 300 * MIB);
    void *live = take(f, 100);
    for (int i = 0; i < 4; i++)
        assert_ok(haly_free(f->context, parts[i]));
    const uint32_t before = (uint32_t)fixture_stats(f).segment_count;
    assert_ok(haly_memory_trim(f->context, UINT64_MAX));
    assert_int_equal(fixture_stats(f).segment_count, before);
    assert_ok(haly_memory_trim(f->context, 500 * MIB));
    assert_int_equal(fixture_stats(f).segment_count, 3);
    assert_true(fixture_stats(f).cached_bytes >= 500 * MIB);
    assert_ok(haly_memory_trim(f->context, 0));
    assert_int_equal(fixture_stats(f).segment_count, 1);
    assert_ok(haly_free(f->context, live));
    assert_ok(haly_memory_trim(f->context, 0));
    assert_int_equal(fake.segments, 0);
    assert_ptr_not_equal(take(f, 100), NULL);
    fixture_close(f);
}

static void a_backend_that_misplaces_segments_is_an_error(void **state)
{
    struct fixture *f = open_plain();
    void *address = NULL;
    (void)state;
    fake.misplaces = 1;
    assert_fails(haly_malloc(f->context, 100, NULL, &address), HALY_ERR_BACKEND, "multiple of 2 MiB");
    assert_int_equal(fake.segments, 0);
    fake.misplaces = 0;
    take(f, 100);
    fixture_close(f);
}

static void a_full_window_is_out_of_memory_and_recovers(void **state)
{
    struct fixture *f = fixture_open(0, 0, 64 * GIB, 0);
    struct window *window = &f->context->memory->window;
    void *address = NULL;
    (void)state;
    window->granules = 16; /* 32 MiB */
    void *first = take(f, 21 * MIB);
    assert_fails(haly_malloc(f->context, 21 * MIB, NULL, &address), HALY_ERR_DEVICE_OOM, "address window");
    assert_int_equal(fake.segments, 1);
    assert_ok(haly_free(f->context, first));
    take(f, 32 * MIB);
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dedicated_memory_goes_back_when_it_is_idle),
        cmocka_unit_test(pending_dedicated_memory_is_given_back_for_a_request_that_needs_it),
        cmocka_unit_test(a_segments_map_is_empty_when_it_serves_again),
        cmocka_unit_test(trim_keeps_what_it_is_told_to),
        cmocka_unit_test(a_backend_that_misplaces_segments_is_an_error),
        cmocka_unit_test(a_full_window_is_out_of_memory_and_recovers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
