/* SPDX-License-Identifier: Apache-2.0 */
/* Native handles given out, on the manual backend: what a stream does from then on, and what refuses to. */
#include "manual_fixture.h"

static haly_status give_out(haly_stream *stream)
{
    haly_native native = {HALY_NATIVE_INIT};
    const haly_status status = haly_native_get(stream, &native);
    if (status == HALY_OK) {
        assert_non_null(native.handle);
        assert_string_equal(native.backend, "manual");
    } else {
        assert_null(native.handle);
    }
    return status;
}

static void everything_is_on_a_native_stream_when_the_call_returns(void **state)
{
    struct fixture f;
    char in[64] = "x", out[64] = "";
    _Atomic uint32_t calls = 0;
    (void)state;
    open_fixture(&f, CAPS_NO_HELP);
    void *memory = device_memory(&f, sizeof in);
    assert_ok(give_out(f.stream));
    f.control->allowed = 0;
    assert_ok(haly_copy(f.stream, memory, in, sizeof in)); /* would be staged on a stream of ours */
    assert_int_equal(f.control->latest, 1);
    assert_int_equal(haly_host_call(f.stream, count_call, &calls), HALY_ERR_UNSUPPORTED);
    assert_int_equal(f.control->latest, 1);
    f.control->allowed = UINT64_MAX;
    assert_ok(haly_copy(f.stream, out, memory, sizeof out));
    assert_ok(haly_stream_sync(f.stream, SECOND));
    assert_string_equal(out, "x");
    assert_int_equal(calls, 0);
    close_fixture(&f);
}

static void a_stream_whose_commands_wait_in_the_core_is_not_given_out(void **state)
{
    struct fixture f;
    _Atomic uint32_t calls = 0;
    const uint8_t byte = 1;
    (void)state;
    open_fixture(&f, CAPS_NO_HELP);
    void *memory = device_memory(&f, 64);
    f.control->allowed = 0;
    assert_ok(haly_fill(f.stream, memory, &byte, 1, 64));
    assert_ok(haly_host_call(f.stream, count_call, &calls));
    assert_int_equal(give_out(f.stream), HALY_ERR_BUSY);
    assert_ok(haly_host_call(f.stream, count_call, &calls)); /* it is as it was */
    f.control->allowed = UINT64_MAX;
    assert_ok(haly_stream_sync(f.stream, SECOND));
    assert_int_equal(calls, 2);
    assert_ok(give_out(f.stream));
    assert_int_equal(haly_host_call(f.stream, count_call, &calls), HALY_ERR_UNSUPPORTED);
    close_fixture(&f);
}

static void a_captured_stream_is_not_given_out(void **state)
{
    struct fixture f;
    haly_graph *graph = NULL;
    (void)state;
    open_fixture(&f, CAPS_NO_HELP);
    assert_ok(haly_stream_capture_begin(f.stream));
    assert_int_equal(give_out(f.stream), HALY_ERR_CAPTURING);
    assert_ok(haly_stream_capture_end(f.stream, &graph));
    haly_graph_release(graph);
    close_fixture(&f);
}

static void a_stream_that_was_given_out_is_captured_and_replays(void **state)
{
    struct fixture f;
    haly_graph *graph = NULL;
    uint8_t byte = 5, out[16] = {0};
    (void)state;
    open_fixture(&f, CAPS_ALL);
    uint8_t *memory = device_memory(&f, sizeof out);
    assert_ok(give_out(f.stream));
    assert_ok(haly_stream_capture_begin(f.stream));
    assert_ok(haly_fill(f.stream, memory, &byte, 1, sizeof out));
    assert_ok(haly_stream_capture_end(f.stream, &graph));
    assert_ok(haly_graph_launch(f.stream, graph));
    assert_ok(haly_copy(f.stream, out, memory, sizeof out));
    assert_ok(haly_stream_sync(f.stream, SECOND));
    assert_int_equal(out[0], 5);
    assert_int_equal(out[15], 5);
    haly_graph_release(graph);
    close_fixture(&f);
}

static void a_backend_without_native_handles_of_the_kind_changes_nothing(void **state)
{
    struct fixture f;
    haly_event *event = NULL;
    haly_native native = {HALY_NATIVE_INIT};
    (void)state;
    open_fixture(&f, CAPS_NO_HELP);
    assert_ok(haly_event_create(f.context, NULL, &event));
    assert_int_equal(haly_native_get(event, &native), HALY_ERR_UNSUPPORTED); /* never recorded */
    assert_ok(haly_event_record(event, f.stream));
    assert_int_equal(haly_native_get(event, &native), HALY_ERR_UNSUPPORTED);
    assert_null(native.handle);
    haly_event_release(event);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_on_a_native_stream_when_the_call_returns),
        cmocka_unit_test(a_stream_whose_commands_wait_in_the_core_is_not_given_out),
        cmocka_unit_test(a_captured_stream_is_not_given_out),
        cmocka_unit_test(a_stream_that_was_given_out_is_captured_and_replays),
        cmocka_unit_test(a_backend_without_native_handles_of_the_kind_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
