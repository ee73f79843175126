/* SPDX-License-Identifier: Apache-2.0 */
/* Launches of one graph come one after another, whatever streams they go to; on the manual backend. */
#define _GNU_SOURCE
#include <pthread.h>
#include <unistd.h>

#include "manual_fixture.h"

/* Two fills of a captured stream. */
static haly_graph *capture_fills(haly_stream *stream, void *device)
{
    const uint8_t byte = 1;
    haly_graph *graph = NULL;
    assert_ok(haly_stream_capture_begin(stream));
    for (int i = 0; i < 2; i++)
        assert_ok(haly_fill(stream, device, &byte, 1, 64));
    assert_ok(haly_stream_capture_end(stream, &graph));
    return graph;
}

static void launches_on_one_stream_submit_nothing_besides(void **state)
{
    struct fixture f;
    (void)state;
    open_fixture(&f, CAPS_ALL);
    haly_graph *graph = capture_fills(f.stream, device_memory(&f, 64));
    f.control->allowed = 0;
    for (uint64_t i = 1; i <= 3; i++) {
        assert_ok(haly_graph_launch(f.stream, graph));
        assert_int_equal(f.control->submitted, 2 * i);
    }
    f.control->allowed = UINT64_MAX;
    assert_ok(haly_stream_sync(f.stream, SECOND));
    haly_graph_release(graph);
    close_fixture(&f);
}

/* The first stream stands still: nothing of the second may run, now and on every later change of streams. */
static void launches_on_two_streams_come_one_after_another(void **state)
{
    struct fixture f;
    (void)state;
    open_fixture(&f, CAPS_ALL);
    haly_graph *graph = capture_fills(f.stream, device_memory(&f, 64));
    haly_stream *const streams[2] = {f.stream, f.other};
    struct manual_control *const controls[2] = {f.control, f.other_control};
    assert_ok(haly_graph_launch(f.other, graph)); /* over before the next begins */
    assert_ok(haly_stream_sync(f.other, SECOND));
    for (int i = 0; i < 6; i++) {
        struct manual_control *ahead = controls[i % 2], *behind = controls[1 - i % 2];
        assert_ok(haly_context_sync(f.context, SECOND));
        const uint64_t done = behind->completed;
        ahead->allowed = ahead->latest; /* what is there already, and no more */
        assert_ok(haly_graph_launch(streams[i % 2], graph));
        assert_ok(haly_graph_launch(streams[1 - i % 2], graph));
        usleep(20000);
        assert_int_equal(haly_stream_query(streams[1 - i % 2]), HALY_NOT_READY);
        assert_true(behind->completed <= done + 1); /* a wait at the most */
        ahead->allowed = UINT64_MAX;
        assert_ok(haly_stream_sync(streams[i % 2], SECOND));
        assert_ok(haly_stream_sync(streams[1 - i % 2], SECOND));
        assert_true(behind->completed >= done + 2);
    }
    haly_graph_release(graph);
    close_fixture(&f);
}

static void *let_go(void *argument)
{
    usleep(20000);
    ((struct manual_control *)argument)->allowed = UINT64_MAX;
    return NULL;
}

/* A stream that the program has the native one of is never deferred: the first time it is waited for in the call. */
static void a_native_stream_comes_behind_another_one(void **state)
{
    struct fixture f;
    haly_native native = {HALY_NATIVE_INIT};
    pthread_t thread;
    (void)state;
    open_fixture(&f, CAPS_ALL);
    haly_graph *graph = capture_fills(f.stream, device_memory(&f, 64));
    assert_ok(haly_native_get(f.other, &native));
    f.control->allowed = 0;
    assert_ok(haly_graph_launch(f.stream, graph));
    assert_int_equal(pthread_create(&thread, NULL, let_go, f.control), 0);
    assert_ok(haly_graph_launch(f.other, graph));
    assert_int_equal(f.control->completed, 2);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ok(haly_stream_sync(f.other, SECOND));
    haly_graph_release(graph);
    close_fixture(&f);
}

static void a_stream_inherits_the_failure_of_the_launch_before(void **state)
{
    (void)state;
    for (int is_shared = 0; is_shared < 2; is_shared++) {
        struct fixture f;
        open_fixture(&f, CAPS_ALL);
        haly_graph *graph = capture_fills(f.stream, device_memory(&f, 64));
        if (is_shared) {
            assert_ok(haly_graph_launch(f.other, graph));
            assert_ok(haly_graph_launch(f.stream, graph));
            assert_ok(haly_context_sync(f.context, SECOND));
        }
        f.control->fail_at = f.control->latest + 2;
        f.control->fail_scope = HALY_SCOPE_STREAM;
        f.control->allowed = f.control->latest;
        assert_ok(haly_graph_launch(f.stream, graph));
        assert_ok(haly_graph_launch(f.other, graph));
        f.control->allowed = UINT64_MAX;
        assert_int_equal(haly_stream_sync(f.stream, SECOND), HALY_ERR_DEVICE_FAULT);
        assert_int_equal(haly_stream_sync(f.other, SECOND), HALY_ERR_DEVICE_FAULT);
        assert_int_equal(last_error().stream_id, haly_object_id(f.stream));
        haly_graph_release(graph);
        close_fixture(&f);
    }
}

/* Half of a launch is queued: another stream waits for that half, and fails as it did. */
static void a_launch_that_was_taken_in_part_is_waited_for(void **state)
{
    struct fixture f;
    (void)state;
    open_fixture(&f, CAPS_ALL);
    haly_graph *graph = capture_fills(f.stream, device_memory(&f, 64));
    f.control->allowed = 0;
    f.control->refuse_after = 1;
    assert_int_equal(haly_graph_launch(f.stream, graph), HALY_ERR_RESOURCE_EXHAUSTED);
    f.control->refuse_after = UINT64_MAX;
    assert_ok(haly_graph_launch(f.other, graph));
    usleep(20000);
    assert_int_equal(haly_stream_query(f.other), HALY_ERR_RESOURCE_EXHAUSTED);
    assert_int_equal(f.other_control->completed, 0);
    f.control->allowed = UINT64_MAX;
    assert_int_equal(haly_stream_sync(f.other, SECOND), HALY_ERR_RESOURCE_EXHAUSTED);
    assert_int_equal(f.control->completed, 1);
    haly_graph_release(graph);
    close_fixture(&f);
}

static void a_stream_may_go_before_the_graph(void **state)
{
    struct fixture f;
    struct manual_control *control;
    (void)state;
    open_fixture(&f, CAPS_ALL);
    haly_graph *graph = capture_fills(f.stream, device_memory(&f, 64));
    haly_stream *stream = create_stream(f.context, &control);
    control->allowed = 0;
    assert_ok(haly_graph_launch(stream, graph));
    haly_stream_release(stream);
    assert_ok(haly_graph_launch(f.other, graph));
    usleep(20000);
    assert_int_equal(f.other_control->completed, 0);
    control->allowed = UINT64_MAX;
    assert_ok(haly_stream_sync(f.other, SECOND));
    assert_int_equal(f.other_control->completed >= 2, 1);
    haly_graph_release(graph);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(launches_on_one_stream_submit_nothing_besides),
        cmocka_unit_test(launches_on_two_streams_come_one_after_another),
        cmocka_unit_test(a_native_stream_comes_behind_another_one),
        cmocka_unit_test(a_stream_inherits_the_failure_of_the_launch_before),
        cmocka_unit_test(a_launch_that_was_taken_in_part_is_waited_for),
        cmocka_unit_test(a_stream_may_go_before_the_graph),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
