/* SPDX-License-Identifier: Apache-2.0 */
/* The caching allocator through its public functions, over a backend and streams that do what the test says: who may
 * have freed memory when, and what happens when memory is short. */
#define _GNU_SOURCE
#include "memory_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>

static void *take_async(haly_stream *stream, uint64_t size)
{
    void *address = NULL;
    assert_ok(haly_malloc_async(stream, size, NULL, &address));
    assert_non_null(address);
    return address;
}

static void small_requests_share_one_segment(void **state)
{
    struct fixture *f = open_plain();
    (void)state;
    for (int i = 0; i < 100; i++)
        take(f, 1000);
    haly_memory_stats stats = fixture_stats(f);
    assert_int_equal(stats.segment_bytes, 2 * MIB);
    assert_int_equal(stats.allocation_count, 100);
    assert_int_equal(stats.allocated_bytes, 100 * 1024);
    assert_int_equal(stats.malloc_calls, 100);
    assert_int_equal(stats.cache_hits, 99);
    fixture_close(f); /* leaked or not, all comes back */
}

static void size_zero_is_null(void **state)
{
    struct fixture *f = open_plain();
    void *address = f;
    (void)state;
    assert_ok(haly_malloc(f->context, 0, NULL, &address));
    assert_null(address);
    address = f;
    assert_ok(haly_malloc_async(fixture_stream(f, 0), 0, NULL, &address));
    assert_null(address);
    assert_ok(haly_free(f->context, NULL));
    assert_ok(haly_free_async(fixture_stream(f, 0), NULL));
    assert_int_equal(fixture_stats(f).malloc_calls, 0);
    fixture_close(f);
}

static void idle_memory_is_handed_out_again_at_once(void **state)
{
    static const uint64_t sizes[] = {1, 512, 100 * 1024, MIB, 3 * MIB + 1, 40 * MIB, GIB};
    struct fixture *f = open_plain();
    (void)state;
    fixture_stream(f, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *first = take(f, sizes[i]);
        assert_ok(haly_free(f->context, first));
        const uint32_t calls = fake.segment_calls;
        assert_ptr_equal(take(f, sizes[i]), first);
        assert_int_equal(fake.segment_calls, calls);
    }
    fixture_close(f);
}

static void freed_neighbours_are_merged_before_the_device_is_asked(void **state)
{
    struct fixture *f = open_plain();
    void *parts[32];
    (void)state;
    for (int i = 0; i < 32; i++)
        parts[i] = take(f, 64 * KIB);
    for (int i = 0; i < 32; i += 2)
        assert_ok(haly_free(f->context, parts[i]));
    for (int i = 1; i < 32; i += 2)
        assert_ok(haly_free(f->context, parts[i]));
    take(f, MIB);
    take(f, MIB);
    assert_int_equal(fixture_stats(f).segment_bytes, 2 * MIB);
    fixture_close(f);
}

static void alignment_is_kept_for_every_power_of_two(void **state)
{
    struct fixture *f = open_plain();
    (void)state;
    for (uint64_t alignment = 1; alignment <= 2 * MIB; alignment *= 2) {
        for (uint64_t size = 1; size < 8 * MIB; size = size * 5 + 3) {
            const haly_memory_desc desc = {HALY_MEMORY_DESC_INIT, .alignment = alignment};
            void *address = NULL;
            assert_ok(haly_malloc(f->context, size, &desc, &address));
            assert_int_equal((uintptr_t)address % (alignment > 64 ? alignment : 64), 0);
            if (size % 2 == 0)
                assert_ok(haly_free(f->context, address));
        }
    }
    fixture_stats(f);
    fixture_close(f);
}

static void free_holds_memory_back_until_all_submitted_work_has_finished(void **state)
{
    struct fixture *f = open_plain();
    haly_stream *a = fixture_stream(f, 0), *b = fixture_stream(f, 1);
    (void)state;
    void *first = take(f, MIB);
    const uint64_t work = stream_work(a);
    stream_work(b);
    assert_ok(haly_free(f->context, first));
    assert_int_equal(fixture_stats(f).pending_bytes, MIB);
    stream_work(a); /* submitted after the free: does not matter to it */
    assert_ptr_not_equal(take(f, MIB), first);
    stream_finish_all(b);
    assert_int_equal(fixture_stats(f).pending_bytes, MIB);
    stream_finish_to(a, work);
    assert_int_equal(fixture_stats(f).pending_bytes, 0);
    assert_ptr_equal(take(f, MIB), first);
    fixture_close(f);
}

static void free_async_serves_the_same_stream_at_once_and_nobody_else(void **state)
{
    struct fixture *f = open_plain();
    haly_stream *a = fixture_stream(f, 0), *b = fixture_stream(f, 1);
    (void)state;
    void *first = take_async(a, 30 * MIB);
    stream_work(a);
    assert_ok(haly_free_async(a, first));
    assert_ptr_not_equal(take(f, 30 * MIB), first);
    assert_ptr_not_equal(take_async(b, 30 * MIB), first);
    assert_ptr_equal(take_async(a, 30 * MIB), first);
    assert_ok(haly_free_async(a, first));
    stream_finish_all(a);
    assert_ptr_equal(take_async(b, 30 * MIB), first);
    fixture_close(f);
}

static void free_async_memory_is_cut_and_merged_in_stream_order(void **state)
{
    struct fixture *f = fixture_open(NATIVE, 0, GIB, 96 * MIB);
    haly_stream *a = fixture_stream(f, 0);
    void *quarters[4], *whole = take_async(a, 80 * MIB);
    (void)state;
    stream_work(a);
    assert_ok(haly_free_async(a, whole));
    for (int i = 0; i < 4; i++)
        quarters[i] = take_async(a, 20 * MIB);
    stream_work(a);
    for (int i = 0; i < 4; i++)
        assert_ok(haly_free_async(a, quarters[i]));
    assert_ptr_equal(take_async(a, 80 * MIB), whole);
    assert_int_equal(fixture_stats(f).segment_bytes, 80 * MIB);
    fixture_close(f);
}

static void a_stream_that_waited_may_have_what_another_freed(void **state)
{
    struct fixture *f = fixture_open(NATIVE, 0, GIB, 12 * MIB); /* no room for a third */
    haly_stream *a = fixture_stream(f, 0), *b = fixture_stream(f, 1), *c = fixture_stream(f, 2);
    void *address = NULL;
    (void)state;
    void *early = take_async(a, 5 * MIB), *late = take_async(a, 5 * MIB);
    const uint64_t first = stream_work(a);
    assert_ok(haly_free_async(a, early));
    stream_work(a);
    assert_ok(haly_free_async(a, late));
    assert_ok(timeline_note_wait(b->timeline, a->timeline, first));
    stream_work(b);
    assert_ptr_equal(take_async(b, 5 * MIB), early);
    assert_fails(haly_malloc_async(b, 5 * MIB, NULL, &address), HALY_ERR_DEVICE_OOM, "asked");
    assert_ok(timeline_note_wait(c->timeline, b->timeline, timeline_submitted(b->timeline)));
    stream_work(c);
    assert_ok(haly_free_async(b, early));
    assert_ptr_equal(take_async(c, 5 * MIB), early);
    assert_ptr_equal(take_async(a, 5 * MIB), late);
    fixture_close(f);
}

/* What another thread may do while the allocator asks a stream without its lock. */
static void look_at_statistics(void *user)
{
    fake.on_query = NULL;
    fixture_stats(user);
    fake.on_query = look_at_statistics;
}

/* Beyond sixteen pools, those with nothing in them are dropped, except for the one that is just being served. */
static void memory_had_from_another_stream_stays_in_order_though_pools_are_dropped(void **state)
{
    struct fixture *f = fixture_open(NATIVE, 0, GIB, 8 * MIB);
    haly_stream *a = fixture_stream(f, 20), *b = fixture_stream(f, 21), *c = fixture_stream(f, 22);
    void *address = NULL;
    (void)state;
    for (uint32_t i = 0; i < 17; i++) {
        haly_stream *other = fixture_stream(f, i);
        void *held = take_async(other, KIB);
        stream_work(other);
        assert_ok(haly_free_async(other, held));
    }
    void *only = take_async(b, 5 * MIB);
    stream_work(b);
    assert_ok(haly_free_async(b, only));
    assert_ok(timeline_note_wait(a->timeline, b->timeline, timeline_submitted(b->timeline)));
    stream_work(a);
    fake.on_query = look_at_statistics;
    fake.user = f;
    assert_ptr_equal(take_async(a, 5 * MIB), only);
    fake.on_query = NULL;
    assert_ok(haly_free_async(c, only));
    assert_fails(haly_malloc_async(c, 5 * MIB, NULL, &address), HALY_ERR_DEVICE_OOM, "asked");
    stream_finish_all(a);
    stream_finish_all(b);
    assert_ptr_equal(take_async(c, 5 * MIB), only);
    fixture_close(f);
}

static void used_on_holds_memory_back(void **state)
{
    struct fixture *f = open_plain();
    haly_stream *a = fixture_stream(f, 0), *b = fixture_stream(f, 1);
    (void)state;
    void *first = take_async(a, MIB);
    stream_work(b);
    assert_ok(haly_memory_used_on(b, first));
    assert_ok(haly_memory_used_on(b, first));
    assert_ok(haly_free_async(a, first));
    assert_int_equal(fixture_stats(f).pending_bytes, MIB);
    assert_ptr_not_equal(take_async(a, MIB), first);
    stream_finish_all(b);
    assert_int_equal(fixture_stats(f).pending_bytes, 0);
    fixture_close(f);
}

static void used_on_is_forgotten_by_whoever_gets_the_memory_next(void **state)
{
    struct fixture *f = open_plain();
    haly_stream *a = fixture_stream(f, 0), *b = fixture_stream(f, 1);
    (void)state;
    void *first = take(f, MIB);
    stream_work(b);
    assert_ok(haly_memory_used_on(b, first));
    stream_finish_all(b);
    assert_ok(haly_free_async(a, first));
    assert_ptr_equal(take(f, MIB), first);
    stream_work(b);
    assert_ok(haly_free_async(a, first));
    assert_ptr_equal(take(f, MIB), first);
    fixture_close(f);
}

static void memory_freed_on_a_stream_that_is_not_behind_its_own_waits_for_both(void **state)
{
    struct fixture *f = open_plain();
    haly_stream *a = fixture_stream(f, 0), *b = fixture_stream(f, 1);
    (void)state;
    void *first = take_async(a, MIB);
    stream_work(a);
    assert_ok(haly_free_async(a, first));
    assert_ptr_equal(take_async(a, MIB), first); /* earlier work of a may still use it */
    assert_ok(haly_free_async(b, first));
    assert_ptr_not_equal(take_async(b, MIB), first);
    assert_ptr_not_equal(take(f, MIB), first);
    stream_finish_all(a);
    assert_int_equal(fixture_stats(f).pending_bytes, 0);
    fixture_close(f);
}

static void what_an_ended_stream_freed_is_ready(void **state)
{
    struct fixture *f = open_plain();
    haly_stream *a = fixture_stream(f, 0), *b = fixture_stream(f, 1);
    (void)state;
    void *first = take_async(a, MIB), *second = take(f, MIB), *third = take_async(a, 3 * MIB);
    stream_work(a);
    stream_work(b);
    assert_ok(haly_memory_used_on(a, third));
    assert_ok(haly_free_async(a, first));
    assert_ok(haly_free(f->context, second));
    assert_ptr_equal(take_async(a, MIB), first); /* a live allocation in the order of a stream that ends */
    fixture_end_stream(f, 0);
    assert_int_equal(fixture_stats(f).pending_bytes, MIB);
    assert_ok(haly_free_async(b, first));
    assert_ok(haly_free_async(b, third));
    fixture_end_stream(f, 1);
    assert_int_equal(fixture_stats(f).pending_bytes, 0);
    assert_int_equal(fixture_stats(f).allocated_bytes, 0);
    for (int i = 0; i < 200; i++) { /* streams that come and go leave nothing behind */
        haly_stream *stream = fixture_stream(f, 2 + (uint32_t)i % 20);
        void *address = take_async(stream, MIB);
        stream_work(stream);
        assert_ok(haly_free_async(stream, address));
        if (i % 20 == 19)
            for (uint32_t j = 2; j < 22; j++)
                fixture_end_stream(f, j);
    }
    assert_int_equal(f->context->memory->device.pool_count, 0);
    fixture_close(f);
}

static void points_that_finished_since_the_caller_looked_hold_nothing_back(void **state)
{
    struct fixture *f = open_plain();
    haly_stream *a = fixture_stream(f, 0), *b = fixture_stream(f, 1);
    struct allocator *allocator = &f->context->memory->device;
    (void)state;
    void *first = take(f, MIB), *second = take(f, MIB), *third = take(f, MIB);
    const struct timeline_point points[] = {{a->timeline, stream_work(a)}, {b->timeline, stream_work(b)}};
    assert_ok(haly_free(f->context, first));
    stream_finish_all(a);
    stream_finish_all(b);
    assert_int_equal(fixture_stats(f).pending_bytes, 0);
    assert_ok(allocator_free(allocator, memory_live_chunk(f->context, second, HALY_MEMORY_DEVICE), points, 1));
    assert_ok(allocator_free(allocator, memory_live_chunk(f->context, third, HALY_MEMORY_DEVICE), points, 2));
    assert_int_equal(fixture_stats(f).pending_bytes, 0);
    fixture_close(f);
}

static void of_two_threads_that_free_the_same_memory_one_is_refused(void **state)
{
    struct fixture *f = open_plain();
    struct allocator *allocator = &f->context->memory->device;
    haly_stream *a = fixture_stream(f, 0);
    haly_status status = HALY_OK;
    (void)state;
    /* Both have found it live before either takes the lock. */
    struct chunk *chunk = memory_live_chunk(f->context, take(f, MIB), HALY_MEMORY_DEVICE);
    stream_work(a);
    assert_ok(allocator_free_ordered(allocator, chunk, a->timeline));
    assert_fails(allocator_free_ordered(allocator, chunk, a->timeline), HALY_ERR_INVALID, "another thread");
    assert_fails(allocator_free(allocator, chunk, NULL, 0), HALY_ERR_INVALID, "another thread");
    assert_fails(allocator_note_use(allocator, chunk, a->timeline), HALY_ERR_INVALID, "another thread");
    assert_null(allocator_detail(allocator, chunk, &status));
    assert_int_equal(status, HALY_ERR_INVALID);
    assert_int_equal(fixture_stats(f).allocation_count, 0);
    fixture_close(f);
}

static void the_limit_is_kept_and_named(void **state)
{
    struct fixture *f = fixture_open(NATIVE, 0, GIB, 16 * MIB);
    void *address = NULL;
    (void)state;
    void *first = take(f, 10 * MIB);
    assert_fails(haly_malloc(f->context, 7 * MIB, NULL, &address), HALY_ERR_DEVICE_OOM, "7340032 bytes asked");
    assert_non_null(strstr(error_detail()->message, "limit 16777216 bytes"));
    assert_int_equal(error_detail()->recovery, HALY_RECOVER_RETRY);
    assert_null(address);
    take(f, 6 * MIB);
    assert_fails(haly_malloc(f->context, 1, NULL, &address), HALY_ERR_DEVICE_OOM, "largest free block 0 bytes");
    assert_ok(haly_free(f->context, first));
    assert_fails(haly_malloc(f->context, 11 * MIB, NULL, &address), HALY_ERR_DEVICE_OOM, "would pass the limit");
    take(f, 9 * MIB); /* what was idle was given back for the larger one, and still is within the limit */
    assert_int_equal(fake.room, GIB - fixture_stats(f).segment_bytes);
    fixture_close(f);
}

static void a_free_block_serves_whatever_its_segment_was_meant_for(void **state)
{
    struct fixture *f = fixture_open(NATIVE, 0, GIB, 6 * MIB);
    void *address = NULL;
    (void)state;
    take(f, 4 * KIB); /* a segment of 2 MiB for small requests */
    take(f, 3 * MIB); /* and what the limit leaves for large ones */
    void *large = take(f, 1500000);
    assert_fails(haly_malloc(f->context, 1500000, NULL, &address), HALY_ERR_DEVICE_OOM, "asked");
    for (int i = 0; i < 16; i++) /* the rest of both, unit by unit of the larger kind */
        take(f, 64 * KIB);
    assert_ok(haly_free(f->context, large));
    take(f, 600 * KIB);
    take(f, 800 * KIB);
    assert_int_equal(fixture_stats(f).segment_bytes, 6 * MIB);
    fixture_close(f);
}

static void a_full_device_is_asked_for_less_then_reported(void **state)
{
    struct fixture *f = fixture_open(NATIVE, 0, 12 * MIB, 0);
    void *address = NULL;
    (void)state;
    void *first = take(f, 5 * MIB); /* a segment of 20 MiB does not fit, one of 6 does */
    assert_int_equal(fixture_stats(f).segment_bytes, 6 * MIB);
    haly_error_clear();
    assert_fails(haly_malloc(f->context, 8 * MIB, NULL, &address), HALY_ERR_DEVICE_OOM, "limit none");
    assert_int_equal(error_detail()->native_code, -7);
    assert_string_equal(error_detail()->native_text, "no more");
    assert_string_equal(error_detail()->backend, "fake");
    haly_error_clear();
    assert_ok(haly_free(f->context, first));
    take(f, 8 * MIB);                                  /* the idle segment goes back first */
    assert_int_equal(error_detail()->status, HALY_OK); /* refusals on the way leave no trace */
    fixture_close(f);
}

static void a_request_beyond_all_bounds_is_out_of_memory_not_a_crash(void **state)
{
    struct fixture *f = open_plain();
    void *address = NULL;
    (void)state;
    assert_fails(haly_malloc(f->context, UINT64_C(1) << 60, NULL, &address), HALY_ERR_DEVICE_OOM, "asked");
    assert_fails(haly_malloc(f->context, UINT64_C(1) << 45, NULL, &address), HALY_ERR_DEVICE_OOM, "asked");
    assert_fails(haly_malloc(f->context, UINT64_MAX, NULL, &address), HALY_ERR_INVALID, "overflows");
    f->context->memory->device.most = 4 * MIB;
    assert_fails(haly_malloc(f->context, 4 * MIB + 1, NULL, &address), HALY_ERR_DEVICE_OOM, "in one piece");
    take(f, 4 * MIB);
    fixture_close(f);
}

static void *finish_later(void *stream)
{
    usleep(20000);
    stream_finish_all(stream);
    return NULL;
}

static void malloc_waits_for_pending_frees_until_its_deadline(void **state)
{
    struct fixture *f = fixture_open(NATIVE, 0, GIB, 16 * MIB);
    haly_stream *a = fixture_stream(f, 0), *hung = fixture_stream(f, 1);
    haly_memory_desc desc = {HALY_MEMORY_DESC_INIT, .deadline = 30000000};
    pthread_t thread;
    void *address = NULL;
    (void)state;
    void *first = take(f, 10 * MIB), *second = take(f, 4 * MIB);
    stream_work(hung);
    assert_ok(haly_free_async(hung, second));
    stream_work(a);
    assert_ok(haly_free_async(a, first));
    const uint64_t before = process_now();
    assert_fails(haly_malloc(f->context, 12 * MIB, &desc, &address), HALY_ERR_DEVICE_OOM, "asked");
    assert_true(process_now() - before >= 30000000);
    assert_int_equal(pthread_create(&thread, NULL, finish_later, a), 0);
    desc.deadline = UINT64_C(20000000000);
    const uint64_t start = process_now();
    assert_ok(haly_malloc(f->context, 12 * MIB, &desc, &address)); /* though the other stream never moves */
    assert_true(process_now() - start < desc.deadline / 2);
    pthread_join(thread, NULL);
    fixture_close(f);
}

static void malloc_async_never_waits(void **state)
{
    struct fixture *f = fixture_open(NATIVE, 0, GIB, 16 * MIB);
    haly_stream *a = fixture_stream(f, 0), *b = fixture_stream(f, 1);
    const haly_memory_desc desc = {HALY_MEMORY_DESC_INIT, .deadline = HALY_FOREVER};
    void *address = NULL;
    (void)state;
    void *first = take(f, 10 * MIB);
    stream_work(a);
    assert_ok(haly_free_async(a, first));
    assert_fails(haly_malloc_async(b, 12 * MIB, &desc, &address), HALY_ERR_DEVICE_OOM, "asked");
    assert_ptr_equal(take_async(a, 9 * MIB), first);
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_requests_share_one_segment),
        cmocka_unit_test(size_zero_is_null),
        cmocka_unit_test(idle_memory_is_handed_out_again_at_once),
        cmocka_unit_test(freed_neighbours_are_merged_before_the_device_is_asked),
        cmocka_unit_test(alignment_is_kept_for_every_power_of_two),
        cmocka_unit_test(free_holds_memory_back_until_all_submitted_work_has_finished),
        cmocka_unit_test(free_async_serves_the_same_stream_at_once_and_nobody_else),
        cmocka_unit_test(free_async_memory_is_cut_and_merged_in_stream_order),
        cmocka_unit_test(a_stream_that_waited_may_have_what_another_freed),
        cmocka_unit_test(memory_had_from_another_stream_stays_in_order_though_pools_are_dropped),
        cmocka_unit_test(used_on_holds_memory_back),
        cmocka_unit_test(used_on_is_forgotten_by_whoever_gets_the_memory_next),
        cmocka_unit_test(memory_freed_on_a_stream_that_is_not_behind_its_own_waits_for_both),
        cmocka_unit_test(what_an_ended_stream_freed_is_ready),
        cmocka_unit_test(points_that_finished_since_the_caller_looked_hold_nothing_back),
        cmocka_unit_test(of_two_threads_that_free_the_same_memory_one_is_refused),
        cmocka_unit_test(the_limit_is_kept_and_named),
        cmocka_unit_test(a_free_block_serves_whatever_its_segment_was_meant_for),
        cmocka_unit_test(a_full_device_is_asked_for_less_then_reported),
        cmocka_unit_test(a_request_beyond_all_bounds_is_out_of_memory_not_a_crash),
        cmocka_unit_test(malloc_waits_for_pending_frees_until_its_deadline),
        cmocka_unit_test(malloc_async_never_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
