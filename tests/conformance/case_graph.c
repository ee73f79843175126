/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs: recording a stream's commands, replaying them, and what is refused while a stream is captured. */
#include <math.h>

#include "cts_tensor.h"

static haly_graph *end_capture(struct cts *t, haly_stream *stream)
{
    haly_graph *graph = NULL;
    CTS_OK(haly_stream_capture_end(stream, &graph));
    CTS_TRUE(graph != NULL);
    cts_own_graph(t, graph);
    return graph;
}

CTS_CASE(graph, nothing_runs_while_a_stream_is_captured, "GRA-001 GRA-002")
{
    const uint8_t byte = 0x17;
    void *device = cts_device(t, 1000);
    cts_recorder *recorder = cts_recorder_new(t);
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(haly_fill(t->stream, device, &byte, 1, 1000));
    CTS_OK(cts_note(t, t->stream, recorder, 1));
    haly_graph *graph = end_capture(t, t->stream);
    cts_sync(t, t->stream);
    cts_expect_filled(t, device, 0xA5, 1000);
    CTS_EQUAL(0, recorder->count);
    CTS_OK(haly_graph_launch(t->stream, graph));
    cts_sync(t, t->stream);
    cts_expect_filled(t, device, byte, 1000);
    CTS_EQUAL(1, recorder->count);
}

CTS_CASE(graph, a_graph_replays_as_often_as_it_is_launched, "GRA-002")
{
    cts_recorder *recorder = cts_recorder_new(t);
    CTS_OK(haly_stream_capture_begin(t->stream));
    for (uint32_t i = 0; i < 5; i++)
        CTS_OK(cts_note(t, t->stream, recorder, i));
    haly_graph *graph = end_capture(t, t->stream);
    CTS_OK(haly_graph_instantiate(graph));
    for (unsigned i = 0; i < 100; i++)
        CTS_OK(haly_graph_launch(t->stream, graph));
    cts_sync(t, t->stream);
    CTS_EQUAL(500, recorder->count);
    for (uint32_t i = 0; i < 500; i++)
        CTS_EQUAL(i % 5, recorder->values[i]);
}

CTS_CASE(graph, a_graph_of_a_thousand_commands_runs_all_of_them, "GRA-002 STR-002")
{
    enum { COUNT = 1000 };
    uint32_t want[COUNT];
    char *device = cts_device(t, sizeof want);
    CTS_OK(haly_stream_capture_begin(t->stream));
    for (uint32_t i = 0; i < COUNT; i++) {
        want[i] = i * 2654435761U;
        CTS_OK(haly_fill(t->stream, device + (size_t)i * 4, &want[i], 4, 4));
    }
    haly_graph *graph = end_capture(t, t->stream);
    cts_gate *gate = cts_hold(t, t->stream); /* so that all of them are queued */
    CTS_OK(haly_graph_launch(t->stream, graph));
    t->findings_expected++; /* the gate keeps the fills from what reads in front of them, out of a layer's sight */
    cts_expect_filled(t, device, 0xA5, sizeof want);
    cts_open(t, gate);
    cts_sync(t, t->stream);
    cts_expect_bytes(t, device, want, sizeof want);
}

CTS_CASE(graph, a_replay_reads_host_memory_anew, "GRA-001 GRA-002 COPY-002")
{
    uint8_t source[500], target[500];
    void *device = cts_device(t, 500);
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(haly_copy(t->stream, device, source, 500));
    CTS_OK(haly_copy(t->stream, target, device, 500));
    haly_graph *graph = end_capture(t, t->stream);
    for (unsigned round = 0; round < 5; round++) {
        cts_random_bytes(t, source, 500);
        CTS_OK(haly_graph_launch(t->stream, graph));
        cts_sync(t, t->stream);
        CTS_EQUAL(0, memcmp(source, target, 500));
    }
}

CTS_CASE(graph, a_replay_keeps_its_place_in_the_stream, "GRA-002 STR-001")
{
    enum { SIZE = 10000 };
    const uint8_t before = 1, after = 2;
    void *source = cts_device(t, SIZE), *target = cts_device(t, SIZE);
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(haly_copy(t->stream, target, source, SIZE));
    haly_graph *graph = end_capture(t, t->stream);
    CTS_OK(haly_fill(t->stream, source, &before, 1, SIZE));
    CTS_OK(haly_graph_launch(t->stream, graph));
    CTS_OK(haly_fill(t->stream, source, &after, 1, SIZE));
    cts_sync(t, t->stream);
    cts_expect_filled(t, target, before, SIZE);
    cts_expect_filled(t, source, after, SIZE);
}

CTS_CASE(graph, launches_of_one_graph_run_one_after_another, "GRA-002")
{
    haly_stream *other = cts_stream(t);
    cts_recorder *recorder = cts_recorder_new(t);
    CTS_OK(haly_stream_capture_begin(t->stream));
    for (uint32_t i = 0; i < 10; i++)
        CTS_OK(cts_note(t, t->stream, recorder, i));
    haly_graph *graph = end_capture(t, t->stream);
    for (unsigned i = 0; i < 20; i++)
        CTS_OK(haly_graph_launch(i % 2 == 0 ? t->stream : other, graph));
    cts_sync(t, t->stream);
    cts_sync(t, other);
    CTS_EQUAL(200, recorder->count);
    for (uint32_t i = 0; i < 200; i++)
        CTS_CHECK(recorder->values[i] == i % 10, "two launches ran at once: call %u was number %u", i,
                  recorder->values[i]);
}

CTS_CASE_OP(graph, operators_are_recorded_and_replayed, "GRA-001 GRA-002 PLAN-002")
{
    if (!cts_dtype(t, HALY_F32))
        return;
    cts_tensor x = cts_input(t, HALY_F32, CTS_DENSE, CTS_SHAPE(300), -2, 2);
    cts_tensor y = cts_output(t, HALY_F32, CTS_DENSE, CTS_SHAPE(300));
    const haly_op_desc desc = {HALY_OP_DESC_INIT, .name = "Mul", HALY_INPUTS(x.view, x.view), HALY_OUTPUTS(y.view)};
    double *want = cts_doubles(t, 300);
    if (!cts_op(t, &desc)) /* the plan is in the cache now */
        return;
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(haly_op_run(t->stream, &desc));
    haly_graph *graph = end_capture(t, t->stream);
    for (unsigned round = 0; round < 3; round++) {
        float *values = cts_host(t, 1200);
        for (unsigned i = 0; i < 300; i++) {
            values[i] = (float)cts_uniform(t, -2, 2);
            want[i] = (double)values[i] * (double)values[i];
        }
        cts_upload(t, x.view.data, values, 1200);
        CTS_OK(haly_graph_launch(t->stream, graph));
        cts_sync(t, t->stream);
        cts_compare(t, &y, want, NULL, "", "Mul");
    }
}

CTS_CASE_OP(graph, a_plan_that_is_not_in_the_cache_is_refused_in_a_capture, "PLAN-004 GRA-001")
{
    if (!cts_dtype(t, HALY_F32))
        return;
    cts_tensor x = cts_input(t, HALY_F32, CTS_DENSE, CTS_SHAPE(123), -2, 2);
    const haly_op_desc desc = {HALY_OP_DESC_INIT, .name = "Neg", HALY_INPUTS(x.view), HALY_OUTPUTS(x.view)};
    cts_recorder *recorder = cts_recorder_new(t);
    if (haly_op_supported(t->context, &desc, NULL) == HALY_ERR_UNSUPPORTED && !cts_has(t, HALY_CAP_OPERATOR_KERNELS))
        cts_unsupported(t, "Neg in f32 is not declared");
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_STATUS(HALY_ERR_CAPTURING, haly_op_run(t->stream, &desc));
    CTS_OK(cts_note(t, t->stream, recorder, 1)); /* the capture is still valid */
    haly_graph *graph = end_capture(t, t->stream);
    CTS_OK(haly_graph_launch(t->stream, graph));
    cts_sync(t, t->stream);
    CTS_EQUAL(1, recorder->count);
    cts_expect_untouched(t, &x);
}

CTS_CASE(graph, waiting_in_a_capture_is_refused_and_leaves_it_valid, "GRA-001")
{
    cts_recorder *recorder = cts_recorder_new(t);
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(cts_note(t, t->stream, recorder, 1));
    CTS_STATUS(HALY_ERR_CAPTURING, haly_stream_sync(t->stream, 0));
    CTS_STATUS(HALY_ERR_CAPTURING, haly_stream_query(t->stream));
    CTS_STATUS(HALY_ERR_CAPTURING, haly_stream_sync(t->stream, HALY_FOREVER));
    CTS_OK(cts_note(t, t->stream, recorder, 2));
    haly_graph *graph = end_capture(t, t->stream);
    CTS_OK(haly_graph_launch(t->stream, graph));
    cts_sync(t, t->stream);
    CTS_EQUAL(2, recorder->count);
}

CTS_CASE(graph, a_capture_begins_and_ends_once, "GRA-001 ABI-005")
{
    haly_graph *graph = (haly_graph *)t;
    CTS_INVALID(haly_stream_capture_end(t->stream, &graph));
    CTS_TRUE(graph == (haly_graph *)t);
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_STATUS(HALY_ERR_CAPTURING, haly_stream_capture_begin(t->stream));
    (void)end_capture(t, t->stream);
    CTS_INVALID(haly_stream_capture_end(t->stream, &graph));
    CTS_OK(haly_stream_query(t->stream));
}

CTS_CASE(graph, other_streams_run_while_one_is_captured, "GRA-001 STR-001")
{
    haly_stream *other = cts_stream(t);
    cts_recorder *recorder = cts_recorder_new(t);
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(cts_note(t, t->stream, recorder, 1));
    CTS_OK(cts_note(t, other, recorder, 2));
    cts_sync(t, other);
    CTS_EQUAL(1, recorder->count);
    CTS_EQUAL(2, recorder->values[0]);
    (void)end_capture(t, t->stream);
}

CTS_CASE(graph, an_empty_graph_launches, "GRA-002")
{
    haly_graph_info info = {HALY_GRAPH_INFO_INIT};
    CTS_OK(haly_stream_capture_begin(t->stream));
    haly_graph *graph = end_capture(t, t->stream);
    CTS_OK(haly_graph_info_get(graph, &info));
    CTS_EQUAL(0, info.command_count);
    CTS_OK(haly_graph_launch(t->stream, graph));
    cts_sync(t, t->stream);
}

CTS_CASE(graph, info_counts_the_commands, "GRA-001")
{
    const uint8_t byte = 1;
    void *device = cts_device(t, 64);
    haly_graph_info info = {HALY_GRAPH_INFO_INIT};
    CTS_OK(haly_stream_capture_begin(t->stream));
    for (unsigned i = 0; i < 7; i++)
        CTS_OK(haly_fill(t->stream, device, &byte, 1, 64));
    haly_graph *graph = end_capture(t, t->stream);
    CTS_OK(haly_graph_info_get(graph, &info));
    CTS_EQUAL(7, info.command_count);
    CTS_TRUE(info.bytes > 0 && info.instantiated == 0);
    CTS_OK(haly_graph_instantiate(graph));
    CTS_OK(haly_graph_info_get(graph, &info));
    CTS_EQUAL(1, info.instantiated);
    CTS_EQUAL(haly_object_id(graph), haly_object_id(graph));
}

CTS_CASE(graph, a_graph_launches_on_streams_of_its_context_only, "GRA-002")
{
    haly_context *context = cts_context(t, NULL);
    haly_stream *foreign = cts_stream_of(t, context);
    CTS_OK(haly_stream_capture_begin(t->stream));
    haly_graph *graph = end_capture(t, t->stream);
    CTS_INVALID(haly_graph_launch(foreign, graph));
}

CTS_CASE(graph, a_released_graph_finishes_its_queued_launch, "GRA-002 CTX-001")
{
    cts_recorder *recorder = cts_recorder_new(t);
    haly_graph *graph = NULL;
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(cts_note(t, t->stream, recorder, 1));
    CTS_OK(haly_stream_capture_end(t->stream, &graph));
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(haly_graph_launch(t->stream, graph));
    haly_graph_retain(graph);
    haly_graph_release(graph);
    haly_graph_release(graph);
    cts_open(t, gate);
    cts_sync(t, t->stream);
    CTS_EQUAL(1, recorder->count);
    haly_graph_retain(NULL);
    haly_graph_release(NULL);
}

CTS_CASE(graph, a_refused_command_is_not_recorded, "GRA-001 COPY-003")
{
    uint8_t host[64] = {0};
    void *device = cts_device(t, 64);
    haly_graph_info info = {HALY_GRAPH_INFO_INIT};
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_INVALID(haly_copy(t->stream, device, host, 1 << 20));
    CTS_INVALID(haly_fill(t->stream, device, host, 3, 9));
    haly_graph *graph = end_capture(t, t->stream);
    CTS_OK(haly_graph_info_get(graph, &info));
    CTS_EQUAL(0, info.command_count);
}

CTS_CASE_CAP(graph, launches_of_kernels_are_recorded_with_their_arguments, "GRA-001 GRA-002 KRN-004", HALY_CAP_KERNELS)
{
    float values[64] = {0}, a = 1, b = 2, got = 0;
    uint32_t n = 64;
    void *x = cts_device_from(t, values, sizeof values);
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "scale_bias");
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(haly_launch_1d(t->stream, kernel, 64, 64, HALY_ARGS(x, a, b, n)));
    haly_graph *graph = end_capture(t, t->stream);
    a = 100;
    n = 0;
    for (unsigned i = 0; i < 10; i++)
        CTS_OK(haly_graph_launch(t->stream, graph));
    cts_sync(t, t->stream);
    cts_download(t, &got, (char *)x + 63 * 4, 4);
    CTS_TRUE(fabsf(got - 20) < 1e-5F);
}
