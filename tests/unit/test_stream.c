/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams, events, failure and ending, against the manual backend, whose streams move only as far as a test lets them:
 * what no well-behaved device shows (hanging, refusing, failing at one command) is shown here.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "manual_fixture.h"

static haly_status keep_status(void *user, haly_status status)
{
    *(_Atomic uint32_t *)user = (uint32_t)status + 1000U;
    return HALY_OK;
}

static haly_status fail_with_7(void *user, haly_status status)
{
    (void)user, (void)status;
    return (haly_status)7;
}

static void pageable_copies_go_both_ways_in_order(const char *caps)
{
    enum { SIZE = 9 << 20 }; /* more than two staging chunks */
    struct fixture f;
    open_fixture(&f, caps);
    unsigned char *in = test_malloc(SIZE), *out = test_malloc(SIZE);
    for (int i = 0; i < SIZE; i++)
        in[i] = (unsigned char)(i * 7 + i / 4096);
    void *a = device_memory(&f, SIZE), *b = device_memory(&f, SIZE);
    assert_int_equal(haly_copy(f.stream, a, in, SIZE), HALY_OK);
    assert_int_equal(haly_copy(f.stream, b, a, SIZE), HALY_OK);
    assert_int_equal(haly_copy(f.stream, out, b, SIZE), HALY_OK);
    assert_int_equal(haly_stream_sync(f.stream, 20ULL * SECOND), HALY_OK);
    assert_memory_equal(in, out, SIZE);
    test_free(in);
    test_free(out);
    close_fixture(&f);
}

static void pageable_copies_are_native_where_they_can_be(void **state)
{
    (void)state;
    pageable_copies_go_both_ways_in_order(CAPS_ALL);
}

static void pageable_copies_are_staged_where_they_must_be(void **state)
{
    (void)state;
    pageable_copies_go_both_ways_in_order(CAPS_NO_HELP);
}

static void translated_contexts_copy_too(void **state)
{
    (void)state;
    pageable_copies_go_both_ways_in_order(CAPS_BARE);
}

static void staged_rectangles_arrive_row_by_row(void **state)
{
    (void)state;
    enum { WIDTH = 300, HEIGHT = 40000, PITCH = 384 }; /* several chunks of whole rows */
    struct fixture f;
    open_fixture(&f, CAPS_NO_HELP);
    unsigned char *in = test_calloc(HEIGHT, PITCH), *out = test_calloc(HEIGHT, WIDTH);
    for (int i = 0; i < HEIGHT * PITCH; i++)
        in[i] = (unsigned char)(i * 31 + i / 1000);
    void *device = device_memory(&f, (uint64_t)HEIGHT * 512);
    haly_copy_2d_desc there = {HALY_COPY_2D_DESC_INIT, .dst = device,  .dst_pitch = 512, .src = in,
                               .src_pitch = PITCH,     .width = WIDTH, .height = HEIGHT};
    haly_copy_2d_desc back = {HALY_COPY_2D_DESC_INIT, .dst = out,     .dst_pitch = WIDTH, .src = device,
                              .src_pitch = 512,       .width = WIDTH, .height = HEIGHT};
    assert_int_equal(haly_copy_2d(f.stream, &there), HALY_OK);
    assert_int_equal(haly_copy_2d(f.stream, &back), HALY_OK);
    assert_int_equal(haly_stream_sync(f.stream, 20ULL * SECOND), HALY_OK);
    for (int row = 0; row < HEIGHT; row++)
        assert_memory_equal(in + row * PITCH, out + row * WIDTH, WIDTH);
    test_free(in);
    test_free(out);
    close_fixture(&f);
}

static void submitting_behind_a_stuck_command_does_not_wait(void **state)
{
    (void)state;
    struct fixture f;
    _Atomic uint32_t calls = 0;
    uint32_t in = 5, out = 0;
    open_fixture(&f, CAPS_NO_HELP);
    void *device = device_memory(&f, 4);
    f.control->allowed = 0;
    const uint8_t one = 1;
    assert_int_equal(haly_fill(f.stream, device, &one, 1, 4), HALY_OK);
    assert_int_equal(haly_host_call(f.stream, count_call, &calls), HALY_OK);
    assert_int_equal(haly_copy(f.stream, device, &in, 4), HALY_OK);
    assert_int_equal(haly_copy(f.stream, &out, device, 4), HALY_OK);
    assert_int_equal(haly_stream_sync(f.stream, 5 * MILLISECOND), HALY_TIMEOUT);
    assert_int_equal(haly_stream_query(f.stream), HALY_NOT_READY);
    assert_int_equal(calls, 0);
    f.control->allowed = UINT64_MAX;
    assert_int_equal(haly_stream_sync(f.stream, 20ULL * SECOND), HALY_OK);
    assert_int_equal(calls, 1);
    assert_int_equal(out, 5);
    close_fixture(&f);
}

static void a_stream_is_direct_again_after_deferral(void **state)
{
    (void)state;
    struct fixture f;
    _Atomic uint32_t calls = 0;
    open_fixture(&f, CAPS_NO_HELP);
    for (uint32_t round = 0; round < 200; round++) {
        const uint8_t byte = (uint8_t)round;
        void *device = device_memory(&f, 64);
        assert_int_equal(haly_host_call(f.stream, count_call, &calls), HALY_OK);
        assert_int_equal(haly_fill(f.stream, device, &byte, 1, 64), HALY_OK);
        if (round % 3 == 0)
            assert_int_equal(haly_stream_sync(f.stream, 20ULL * SECOND), HALY_OK);
        assert_int_equal(haly_free(f.context, device), HALY_OK);
    }
    assert_int_equal(haly_stream_sync(f.stream, 20ULL * SECOND), HALY_OK);
    assert_int_equal(calls, 200);
    close_fixture(&f);
}

static haly_status note_signals(void *blocked, haly_status status)
{
    pthread_sigmask(SIG_SETMASK, NULL, blocked);
    return status;
}

static void a_host_call_hears_of_its_faults_and_of_no_other_signal(void **state)
{
    (void)state;
    struct fixture f;
    sigset_t blocked;
    sigemptyset(&blocked);
    open_fixture(&f, CAPS_NO_HELP);
    assert_int_equal(haly_host_call(f.stream, note_signals, &blocked), HALY_OK);
    assert_int_equal(haly_stream_sync(f.stream, 20ULL * SECOND), HALY_OK);
    assert_true(sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGUSR1) && sigismember(&blocked, SIGCHLD));
    assert_false(sigismember(&blocked, SIGSEGV) || sigismember(&blocked, SIGBUS) || sigismember(&blocked, SIGFPE));
    close_fixture(&f);
}

static _Atomic uint32_t is_enough;

static void *keep_waiting(void *stream)
{
    while (is_enough == 0)
        haly_stream_sync(stream, 20ULL * SECOND);
    return NULL;
}

/* Threads wait while the service runs commands: each finishes at whatever moment of a wait. */
static void the_backend_is_asked_for_nothing_that_it_never_got(void **state)
{
    (void)state;
    enum { THREADS = 6, ROUNDS = 1500 };
    struct fixture f;
    pthread_t threads[THREADS];
    _Atomic uint32_t calls = 0;
    open_fixture(&f, CAPS_NO_HELP);
    is_enough = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, keep_waiting, f.stream), 0);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        assert_int_equal(haly_host_call(f.stream, count_call, &calls), HALY_OK);
        assert_int_equal(haly_stream_sync(f.stream, 20ULL * SECOND), HALY_OK);
    }
    is_enough = 1;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(calls, ROUNDS);
    assert_int_equal(f.control->vain_waits, 0);
    close_fixture(&f);
}

static void waiting_for_an_event_of_a_deferred_stream_works(void **state)
{
    (void)state;
    struct fixture f;
    haly_event *event = NULL;
    uint32_t in = 9, out = 0;
    open_fixture(&f, CAPS_NO_HELP);
    void *device = device_memory(&f, 4);
    assert_int_equal(haly_event_create(f.context, NULL, &event), HALY_OK);
    f.control->allowed = 0;
    const uint8_t zero = 0;
    assert_int_equal(haly_fill(f.stream, device, &zero, 1, 4), HALY_OK);
    assert_int_equal(haly_copy(f.stream, device, &in, 4), HALY_OK); /* deferred behind the fill */
    assert_int_equal(haly_event_record(event, f.stream), HALY_OK);
    assert_int_equal(haly_stream_wait(f.other, event), HALY_OK);
    assert_int_equal(haly_copy(f.other, &out, device, 4), HALY_OK);
    assert_int_equal(haly_stream_sync(f.other, 5 * MILLISECOND), HALY_TIMEOUT);
    f.control->allowed = UINT64_MAX;
    assert_int_equal(haly_stream_sync(f.other, 20ULL * SECOND), HALY_OK);
    assert_int_equal(out, 9);
    close_fixture(&f);
}

static void a_stream_waits_for_an_event_of_another_context(void **state)
{
    (void)state;
    struct fixture f;
    haly_context *second = NULL;
    haly_stream *waiting = NULL;
    haly_event *event = NULL;
    _Atomic uint32_t calls = 0;
    open_fixture(&f, CAPS_ALL);
    assert_int_equal(haly_context_open(f.instance, NULL, &second), HALY_OK);
    assert_int_equal(haly_stream_create(second, NULL, &waiting), HALY_OK);
    assert_int_equal(haly_event_create(f.context, NULL, &event), HALY_OK);
    f.control->allowed = 0;
    assert_int_equal(haly_event_record(event, f.stream), HALY_OK);
    assert_int_equal(haly_stream_wait(waiting, event), HALY_OK);
    assert_int_equal(haly_host_call(waiting, count_call, &calls), HALY_OK);
    assert_int_equal(haly_stream_sync(waiting, 5 * MILLISECOND), HALY_TIMEOUT);
    assert_int_equal(calls, 0);
    f.control->allowed = UINT64_MAX;
    assert_int_equal(haly_stream_sync(waiting, 20ULL * SECOND), HALY_OK);
    assert_int_equal(calls, 1);
    haly_context_release(second);
    close_fixture(&f);
}

static void a_wait_binds_to_the_latest_record_before_it(void **state)
{
    (void)state;
    struct fixture f;
    haly_event *event = NULL;
    open_fixture(&f, CAPS_ALL);
    assert_int_equal(haly_event_create(f.context, NULL, &event), HALY_OK);
    assert_int_equal(haly_event_query(event), HALY_OK);
    assert_int_equal(haly_stream_wait(f.other, event), HALY_OK);
    f.control->allowed = 1;
    assert_int_equal(haly_event_record(event, f.stream), HALY_OK); /* command 1 */
    assert_int_equal(haly_stream_wait(f.other, event), HALY_OK);
    assert_int_equal(haly_event_record(event, f.stream), HALY_OK); /* command 2, stuck */
    assert_int_equal(haly_stream_sync(f.other, 20ULL * SECOND), HALY_OK);
    assert_int_equal(haly_event_query(event), HALY_NOT_READY);
    assert_int_equal(haly_event_sync(event, MILLISECOND), HALY_TIMEOUT);
    f.control->allowed = UINT64_MAX;
    assert_int_equal(haly_event_sync(event, 20ULL * SECOND), HALY_OK);
    close_fixture(&f);
}

static void a_failure_names_its_command_and_reaches_every_dependent(void **state)
{
    (void)state;
    struct fixture f;
    haly_event *before = NULL, *after = NULL;
    haly_stream *third = NULL;
    uint8_t byte = 1;
    open_fixture(&f, CAPS_ALL);
    void *device = device_memory(&f, 64);
    assert_int_equal(haly_stream_create(f.context, NULL, &third), HALY_OK);
    assert_int_equal(haly_event_create(f.context, NULL, &before), HALY_OK);
    assert_int_equal(haly_event_create(f.context, NULL, &after), HALY_OK);
    f.control->fail_at = 3;
    f.control->fail_scope = HALY_SCOPE_STREAM;
    assert_int_equal(haly_stream_set_label(f.stream, "layer 1"), HALY_OK);
    assert_int_equal(haly_fill(f.stream, device, &byte, 1, 64), HALY_OK);
    assert_int_equal(haly_event_record(before, f.stream), HALY_OK);
    assert_int_equal(haly_stream_set_label(f.stream, "layer 2"), HALY_OK);
    assert_int_equal(haly_fill(f.stream, device, &byte, 1, 64), HALY_OK); /* command 3 fails */
    assert_int_equal(haly_stream_set_label(f.stream, "layer 3"), HALY_OK);
    assert_int_equal(haly_event_record(after, f.stream), HALY_OK);
    assert_int_equal(haly_stream_wait(f.other, after), HALY_OK);
    haly_event *chained = NULL;
    assert_int_equal(haly_event_create(f.context, NULL, &chained), HALY_OK);
    assert_int_equal(haly_event_record(chained, f.other), HALY_OK);
    assert_int_equal(haly_stream_wait(third, chained), HALY_OK);
    assert_int_equal(haly_event_sync(before, SECOND), HALY_OK);
    assert_int_equal(haly_event_sync(after, SECOND), HALY_ERR_DEVICE_FAULT);
    assert_int_equal(haly_stream_sync(f.other, SECOND), HALY_ERR_DEVICE_FAULT);
    assert_int_equal(haly_stream_query(third), HALY_ERR_DEVICE_FAULT);
    const haly_error error = last_error();
    assert_int_equal(error.stream_id, haly_object_id(f.stream));
    assert_int_equal(error.first_sequence, 3);
    assert_int_equal(error.native_code, 719);
    assert_string_equal(error.label, "layer 2");
    assert_string_equal(error.backend, "manual");
    close_fixture(&f);
}

static void a_failing_host_call_fails_its_stream_and_later_calls_hear_of_it(const char *caps)
{
    struct fixture f;
    _Atomic uint32_t heard = 0, calls = 0;
    open_fixture(&f, caps);
    assert_int_equal(haly_host_call(f.stream, keep_status, &heard), HALY_OK);
    assert_int_equal(haly_stream_sync(f.stream, SECOND), HALY_OK);
    assert_int_equal(heard, 1000 + HALY_OK);
    assert_int_equal(haly_host_call(f.stream, fail_with_7, NULL), HALY_OK);
    assert_int_equal(haly_host_call(f.stream, keep_status, &heard), HALY_OK);
    assert_int_equal(haly_host_call(f.stream, count_call, &calls), HALY_OK);
    assert_int_equal(haly_stream_sync(f.stream, SECOND), HALY_ERR_HOST_CALL);
    assert_int_equal(last_error().native_code, 7);
    assert_int_equal(last_error().first_sequence, 2);
    assert_int_equal(heard, 1000 + HALY_ERR_HOST_CALL);
    assert_int_equal(calls, 1);
    assert_int_equal(haly_stream_sync(f.other, SECOND), HALY_OK);
    close_fixture(&f);
}

static void a_failing_host_call_fails_its_stream(void **state)
{
    (void)state;
    a_failing_host_call_fails_its_stream_and_later_calls_hear_of_it(CAPS_ALL);
}

static void a_failing_deferred_host_call_fails_its_stream(void **state)
{
    (void)state;
    a_failing_host_call_fails_its_stream_and_later_calls_hear_of_it(CAPS_NO_HELP);
}

static void a_fault_of_context_scope_latches_the_context(void **state)
{
    (void)state;
    struct fixture f;
    uint8_t byte = 1;
    void *again = NULL;
    open_fixture(&f, CAPS_ALL);
    void *device = device_memory(&f, 64);
    f.control->fail_at = 1;
    f.control->fail_scope = HALY_SCOPE_CONTEXT;
    assert_int_equal(haly_fill(f.stream, device, &byte, 1, 64), HALY_OK);
    assert_int_equal(haly_stream_sync(f.stream, SECOND), HALY_ERR_DEVICE_FAULT);
    assert_int_equal(haly_stream_sync(f.other, SECOND), HALY_ERR_DEVICE_FAULT);
    assert_int_equal(haly_fill(f.other, device, &byte, 1, 64), HALY_ERR_DEVICE_FAULT);
    assert_int_equal(haly_malloc(f.context, 64, NULL, &again), HALY_ERR_DEVICE_FAULT);
    assert_int_equal(last_error().scope, HALY_SCOPE_CONTEXT);
    haly_context_info info = {HALY_CONTEXT_INFO_INIT};
    assert_int_equal(haly_context_info_get(f.context, &info), HALY_OK);
    assert_int_equal(info.status, HALY_ERR_DEVICE_FAULT);
    close_fixture(&f);
}

static void a_refused_submit_has_no_effect(void **state)
{
    (void)state;
    struct fixture f;
    uint8_t one = 1, two = 2;
    uint8_t out[4] = {0};
    open_fixture(&f, CAPS_ALL);
    void *device = device_memory(&f, 4);
    assert_int_equal(haly_fill(f.stream, device, &one, 1, 4), HALY_OK);
    f.control->refuse_after = 0;
    assert_int_equal(haly_fill(f.stream, device, &two, 1, 4), HALY_ERR_RESOURCE_EXHAUSTED);
    assert_int_equal(last_error().native_code, 701);
    f.control->refuse_after = UINT64_MAX;
    assert_int_equal(haly_copy(f.stream, out, device, 4), HALY_OK);
    assert_int_equal(haly_stream_sync(f.stream, SECOND), HALY_OK);
    assert_int_equal(out[0], 1);
    assert_int_equal(f.control->completed, 2);
    close_fixture(&f);
}

static void a_refused_deferred_command_fails_its_stream(void **state)
{
    (void)state;
    struct fixture f;
    _Atomic uint32_t calls = 0;
    uint8_t one = 1;
    open_fixture(&f, CAPS_NO_HELP);
    void *device = device_memory(&f, 4);
    f.control->allowed = 0;
    assert_int_equal(haly_fill(f.stream, device, &one, 1, 4), HALY_OK);
    f.control->refuse_after = 0;
    assert_int_equal(haly_host_call(f.stream, count_call, &calls), HALY_OK); /* deferred */
    assert_int_equal(haly_fill(f.stream, device, &one, 1, 4), HALY_OK);      /* behind it, refused later */
    f.control->allowed = UINT64_MAX;
    assert_int_equal(haly_stream_sync(f.stream, 20ULL * SECOND), HALY_ERR_RESOURCE_EXHAUSTED);
    assert_int_equal(last_error().first_sequence, 3);
    assert_int_equal(calls, 1);
    close_fixture(&f);
}

static void *sync_for_ever(void *stream)
{
    return (void *)(uintptr_t)haly_stream_sync(stream, HALY_FOREVER);
}

static void abandoning_a_hung_device_wakes_every_waiter(void **state)
{
    (void)state;
    struct fixture f;
    pthread_t waiter;
    void *result = NULL;
    uint8_t byte = 1;
    open_fixture(&f, CAPS_ALL);
    void *device = device_memory(&f, 64);
    f.control->allowed = 0;
    assert_int_equal(haly_fill(f.stream, device, &byte, 1, 64), HALY_OK);
    assert_int_equal(pthread_create(&waiter, NULL, sync_for_ever, f.stream), 0);
    usleep(20000);
    assert_int_equal(haly_context_abandon(f.context), HALY_OK);
    assert_int_equal(pthread_join(waiter, &result), 0);
    assert_int_equal((uintptr_t)result, HALY_ERR_ABANDONED);
    assert_int_equal(haly_stream_query(f.stream), HALY_ERR_ABANDONED);
    assert_int_equal(last_error().recovery, HALY_RECOVER_RECREATE);
    close_fixture(&f); /* leaks the context, as documented, and returns */
}

static void releasing_a_busy_stream_and_context_never_waits_and_work_goes_on(void **state)
{
    (void)state;
    struct fixture f;
    static _Atomic uint32_t calls;
    open_fixture(&f, CAPS_ALL);
    struct manual_control *control = f.control;
    calls = 0;
    control->allowed = 0;
    assert_int_equal(haly_host_call(f.stream, count_call, &calls), HALY_OK);
    haly_stream_release(f.stream);
    close_fixture(&f);
    assert_int_equal(calls, 0);
    control->allowed = UINT64_MAX;
    for (int i = 0; i < 5000 && calls == 0; i++)
        usleep(1000);
    assert_int_equal(calls, 1);
}

static void a_stream_may_be_released_while_another_thread_waits_for_it(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct fixture f;
        pthread_t waiter;
        void *result = NULL;
        const uint8_t byte = 1;
        open_fixture(&f, CAPS_ALL);
        struct manual_control *control = f.control;
        void *device = device_memory(&f, 64);
        control->allowed = 0;
        assert_int_equal(haly_fill(f.stream, device, &byte, 1, 64), HALY_OK);
        assert_int_equal(pthread_create(&waiter, NULL, sync_for_ever, f.stream), 0);
        while (control->waits == 0)
            usleep(100);
        haly_stream_release(f.stream);
        control->allowed = UINT64_MAX;
        assert_int_equal(pthread_join(waiter, &result), 0);
        assert_int_equal((uintptr_t)result, HALY_OK);
        close_fixture(&f);
    }
}

static void freed_memory_waits_for_the_work_that_uses_it(void **state)
{
    (void)state;
    struct fixture f;
    const uint8_t byte = 1;
    haly_memory_stats stats = {HALY_MEMORY_STATS_INIT};
    open_fixture(&f, CAPS_ALL);
    void *first = device_memory(&f, 4096);
    f.control->allowed = 0;
    assert_int_equal(haly_fill(f.stream, first, &byte, 1, 4096), HALY_OK);
    assert_int_equal(haly_free(f.context, first), HALY_OK);
    void *second = device_memory(&f, 4096);
    assert_ptr_not_equal(first, second);
    assert_int_equal(haly_memory_stats_get(f.context, &stats), HALY_OK);
    assert_true(stats.pending_bytes >= 4096);
    f.control->allowed = UINT64_MAX;
    assert_int_equal(haly_stream_sync(f.stream, SECOND), HALY_OK);
    close_fixture(&f);
}

static void a_graph_replays_what_was_captured(void **state)
{
    (void)state;
    struct fixture f;
    haly_graph *graph = NULL;
    haly_event *event = NULL;
    static _Atomic uint32_t calls;
    const uint8_t byte = 3;
    open_fixture(&f, CAPS_NO_HELP);
    void *device = device_memory(&f, 64);
    calls = 0;
    assert_int_equal(haly_event_create(f.context, NULL, &event), HALY_OK);
    assert_int_equal(haly_stream_capture_begin(f.stream), HALY_OK);
    assert_int_equal(haly_fill(f.stream, device, &byte, 1, 64), HALY_OK);
    assert_int_equal(haly_event_record(event, f.stream), HALY_OK);
    assert_int_equal(haly_stream_wait(f.stream, event), HALY_OK);
    assert_int_equal(haly_host_call(f.stream, count_call, &calls), HALY_OK);
    assert_int_equal(haly_stream_sync(f.stream, 0), HALY_ERR_CAPTURING);
    assert_int_equal(haly_stream_query(f.stream), HALY_ERR_CAPTURING);
    assert_int_equal(haly_stream_capture_end(f.stream, &graph), HALY_OK);
    assert_int_equal(f.control->submitted, 0);
    haly_graph_info info = {HALY_GRAPH_INFO_INIT};
    assert_int_equal(haly_graph_info_get(graph, &info), HALY_OK);
    assert_int_equal(info.command_count, 3);
    for (int i = 0; i < 5; i++)
        assert_int_equal(haly_graph_launch(i % 2 == 0 ? f.stream : f.other, graph), HALY_OK);
    assert_int_equal(haly_context_sync(f.context, 20ULL * SECOND), HALY_OK);
    assert_int_equal(calls, 5);
    assert_int_equal(haly_event_query(event), HALY_OK);
    haly_graph_release(graph);
    close_fixture(&f);
}

/* Else memory that the other stream still writes would be handed out. */
static void a_refused_wait_is_no_dependency(void **state)
{
    (void)state;
    struct fixture f;
    const uint8_t zero = 0;
    void *memory = NULL, *next = NULL;
    haly_event *event = NULL;
    open_fixture(&f, CAPS_ALL);
    assert_ok(haly_event_create(f.context, NULL, &event));
    assert_ok(haly_malloc_async(f.stream, 1 << 20, NULL, &memory));
    f.control->allowed = 0;
    assert_ok(haly_fill(f.stream, memory, &zero, 1, 1 << 20));
    assert_ok(haly_free_async(f.stream, memory));
    assert_ok(haly_event_record(event, f.stream));
    f.other_control->refuse_after = 0;
    assert_int_not_equal(haly_stream_wait(f.other, event), HALY_OK);
    f.other_control->refuse_after = UINT64_MAX;
    for (int i = 0; i < 4; i++) {
        assert_ok(haly_malloc_async(f.other, 1 << 20, NULL, &next));
        assert_ptr_not_equal(next, memory);
    }
    f.control->allowed = UINT64_MAX;
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pageable_copies_are_native_where_they_can_be),
        cmocka_unit_test(pageable_copies_are_staged_where_they_must_be),
        cmocka_unit_test(translated_contexts_copy_too),
        cmocka_unit_test(staged_rectangles_arrive_row_by_row),
        cmocka_unit_test(submitting_behind_a_stuck_command_does_not_wait),
        cmocka_unit_test(a_stream_is_direct_again_after_deferral),
        cmocka_unit_test(the_backend_is_asked_for_nothing_that_it_never_got),
        cmocka_unit_test(waiting_for_an_event_of_a_deferred_stream_works),
        cmocka_unit_test(a_stream_waits_for_an_event_of_another_context),
        cmocka_unit_test(a_wait_binds_to_the_latest_record_before_it),
        cmocka_unit_test(a_failure_names_its_command_and_reaches_every_dependent),
        cmocka_unit_test(a_failing_host_call_fails_its_stream),
        cmocka_unit_test(a_host_call_hears_of_its_faults_and_of_no_other_signal),
        cmocka_unit_test(a_failing_deferred_host_call_fails_its_stream),
        cmocka_unit_test(a_fault_of_context_scope_latches_the_context),
        cmocka_unit_test(a_refused_submit_has_no_effect),
        cmocka_unit_test(a_refused_deferred_command_fails_its_stream),
        cmocka_unit_test(abandoning_a_hung_device_wakes_every_waiter),
        cmocka_unit_test(releasing_a_busy_stream_and_context_never_waits_and_work_goes_on),
        cmocka_unit_test(a_stream_may_be_released_while_another_thread_waits_for_it),
        cmocka_unit_test(freed_memory_waits_for_the_work_that_uses_it),
        cmocka_unit_test(a_graph_replays_what_was_captured),
        cmocka_unit_test(a_refused_wait_is_no_dependency),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
