/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs: the memory that is theirs, their nodes, and replacing them. */
#include <math.h>
#include <string.h>

#include "cts_tensor.h"

#define MIB (UINT64_C(1) << 20)

static haly_graph *end_capture(struct cts *t, haly_stream *stream)
{
    haly_graph *graph = NULL;
    CTS_OK(haly_stream_capture_end(stream, &graph));
    cts_own_graph(t, graph);
    return graph;
}

static haly_graph_info graph_info(struct cts *t, haly_graph *graph)
{
    haly_graph_info info = {HALY_GRAPH_INFO_INIT};
    CTS_OK(haly_graph_info_get(graph, &info));
    return info;
}

static uint64_t position(struct cts *t, haly_stream *stream)
{
    uint64_t node = UINT64_MAX;
    CTS_OK(haly_stream_capture_position(stream, &node));
    return node;
}

static void launch_and_sync(struct cts *t, haly_graph *graph)
{
    CTS_OK(haly_graph_launch(t->stream, graph));
    cts_sync(t, t->stream);
}

/* ---- memory ---- */

CTS_CASE(graph, memory_of_a_capture_is_there_at_every_replay, "GRA-003")
{
    void *memory = NULL;
    uint8_t *host = cts_host(t, MIB);
    void *source = cts_device(t, MIB);
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(haly_malloc_async(t->stream, MIB, NULL, &memory));
    CTS_OK(haly_copy(t->stream, memory, source, MIB));
    CTS_OK(haly_copy(t->stream, host, memory, MIB));
    CTS_OK(haly_free_async(t->stream, memory));
    haly_graph *graph = end_capture(t, t->stream);
    CTS_EQUAL(MIB, graph_info(t, graph).reserved_bytes);
    for (unsigned round = 0; round < 3; round++) {
        const uint8_t byte = (uint8_t)(round + 1);
        CTS_OK(haly_fill(t->stream, source, &byte, 1, MIB));
        launch_and_sync(t, graph);
        for (uint64_t i = 0; i < MIB; i += 4093)
            CTS_EQUAL(byte, host[i]);
    }
}

CTS_CASE(graph, only_the_graph_frees_its_memory, "GRA-003 MEM-003")
{
    void *memory = NULL;
    haly_graph *graph = NULL;
    const uint64_t before = cts_stats(t, t->context).allocated_bytes;
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(haly_malloc_async(t->stream, MIB, NULL, &memory));
    CTS_OK(haly_stream_capture_end(t->stream, &graph));
    CTS_INVALID(haly_free(t->context, memory));
    CTS_MESSAGE("graph");
    CTS_INVALID(haly_free_async(t->stream, memory));
    CTS_TRUE(cts_stats(t, t->context).allocated_bytes >= before + MIB);
    haly_graph_release(graph);
    CTS_EQUAL(before, cts_stats(t, t->context).allocated_bytes);
}

CTS_CASE(graph, what_a_capture_frees_serves_what_follows, "GRA-003")
{
    void *first = NULL, *second = NULL, *third = NULL;
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(haly_malloc_async(t->stream, MIB, NULL, &first));
    CTS_OK(haly_malloc_async(t->stream, MIB, NULL, &second));
    CTS_TRUE(first != second);
    CTS_OK(haly_free_async(t->stream, first));
    CTS_OK(haly_malloc_async(t->stream, MIB / 2, NULL, &third));
    CTS_TRUE(third == first);
    haly_graph *graph = end_capture(t, t->stream);
    CTS_EQUAL(2 * MIB, graph_info(t, graph).reserved_bytes);
}

CTS_CASE(graph, nobody_else_gets_memory_that_a_graph_has_freed, "GRA-003 MEM-001")
{
    enum { COUNT = 20 };
    void *mine = NULL, *others[COUNT];
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(haly_malloc_async(t->stream, MIB, NULL, &mine));
    CTS_OK(haly_free_async(t->stream, mine));
    (void)end_capture(t, t->stream);
    for (unsigned i = 0; i < COUNT; i++) {
        CTS_OK(haly_malloc(t->context, MIB, NULL, &others[i]));
        CTS_CHECK(others[i] != mine, "allocation %u got the graph's memory", i);
    }
    for (unsigned i = 0; i < COUNT; i++)
        CTS_OK(haly_free(t->context, others[i]));
}

CTS_CASE(graph, memory_that_is_not_freed_keeps_its_contents, "GRA-003")
{
    void *memory = NULL;
    uint8_t host[256];
    const uint8_t byte = 0x3C;
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(haly_malloc_async(t->stream, sizeof host, NULL, &memory));
    CTS_OK(haly_copy(t->stream, host, memory, sizeof host));
    haly_graph *graph = end_capture(t, t->stream);
    CTS_OK(haly_fill(t->stream, memory, &byte, 1, sizeof host));
    for (unsigned round = 0; round < 2; round++) {
        memset(host, 0, sizeof host);
        launch_and_sync(t, graph);
        for (unsigned i = 0; i < sizeof host; i++)
            CTS_EQUAL(byte, host[i]);
    }
}

CTS_CASE(graph, zeroed_memory_is_zero_at_every_replay, "GRA-003 MEM-001")
{
    const haly_memory_desc zeroed = {HALY_MEMORY_DESC_INIT, .flags = HALY_MEMORY_ZERO};
    const uint8_t byte = 0xFF;
    void *memory = NULL;
    uint8_t host[100];
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(haly_malloc_async(t->stream, sizeof host, &zeroed, &memory));
    CTS_OK(haly_copy(t->stream, host, memory, sizeof host));
    CTS_OK(haly_fill(t->stream, memory, &byte, 1, sizeof host));
    haly_graph *graph = end_capture(t, t->stream);
    for (unsigned round = 0; round < 2; round++) {
        launch_and_sync(t, graph);
        for (unsigned i = 0; i < sizeof host; i++)
            CTS_EQUAL(0, host[i]);
    }
}

CTS_CASE(graph, freeing_outside_memory_in_a_capture_is_refused, "GRA-001 GRA-003")
{
    const uint8_t byte = 5;
    void *memory = NULL;
    CTS_OK(haly_malloc(t->context, 100, NULL, &memory));
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(haly_fill(t->stream, memory, &byte, 1, 100));
    CTS_STATUS(HALY_ERR_CAPTURING, haly_free_async(t->stream, memory));
    haly_graph *graph = end_capture(t, t->stream);
    launch_and_sync(t, graph);
    cts_expect_filled(t, memory, byte, 100);
    CTS_OK(haly_free(t->context, memory));
}

/* ---- nodes ---- */

CTS_CASE(graph, nodes_are_numbered_by_call_and_explained, "GRA-001")
{
    static const haly_graph_node_kind kinds[] = {HALY_GRAPH_NODE_FILL, HALY_GRAPH_NODE_COPY, HALY_GRAPH_NODE_COPY,
                                                 HALY_GRAPH_NODE_RECORD, HALY_GRAPH_NODE_HOST_CALL};
    uint8_t host[64] = {0};
    void *device = cts_device(t, 64);
    haly_event *event = cts_event(t);
    cts_recorder *recorder = cts_recorder_new(t);
    CTS_INVALID(haly_stream_capture_position(t->stream, &(uint64_t){0}));
    CTS_OK(haly_object_name_set(event, "halfway"));
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_EQUAL(0, position(t, t->stream));
    CTS_OK(haly_fill(t->stream, device, host, 1, 64));
    CTS_EQUAL(1, position(t, t->stream));
    CTS_OK(haly_copy(t->stream, host, device, 64));
    CTS_OK(haly_copy(t->stream, host, device, 0));
    CTS_EQUAL(3, position(t, t->stream));
    CTS_OK(haly_event_record(event, t->stream));
    CTS_OK(cts_note(t, t->stream, recorder, 1));
    haly_graph *graph = end_capture(t, t->stream);
    CTS_EQUAL(5, graph_info(t, graph).node_count);
    CTS_EQUAL(4, graph_info(t, graph).command_count);
    for (uint64_t i = 0; i < 5; i++) {
        haly_graph_node_info info = {HALY_GRAPH_NODE_INFO_INIT};
        CTS_OK(haly_graph_node_info_get(graph, i, &info));
        CTS_EQUAL(kinds[i], info.kind);
        CTS_EQUAL(i == 2 ? 0 : 1, info.command_count);
        CTS_TRUE(strcmp(info.name, i == 3 ? "halfway" : "") == 0);
    }
    CTS_INVALID(haly_graph_node_info_get(graph, 5, &(haly_graph_node_info){HALY_GRAPH_NODE_INFO_INIT}));
    CTS_MESSAGE("5");
}

CTS_CASE(graph, an_event_in_a_graph_is_recorded_by_each_replay, "GRA-002 EVT-001")
{
    haly_event *event = cts_event(t);
    haly_stream *other = cts_stream(t);
    cts_recorder *recorder = cts_recorder_new(t);
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(cts_note(t, t->stream, recorder, 1));
    CTS_OK(haly_event_record(event, t->stream));
    haly_graph *graph = end_capture(t, t->stream);
    CTS_OK(haly_event_query(event)); /* never recorded so far */
    for (uint32_t round = 1; round <= 3; round++) {
        cts_gate *gate = cts_hold(t, t->stream);
        CTS_OK(haly_graph_launch(t->stream, graph));
        CTS_STATUS(HALY_NOT_READY, haly_event_query(event));
        CTS_OK(haly_stream_wait(other, event));
        CTS_OK(cts_note(t, other, recorder, 2));
        cts_open(t, gate);
        cts_sync(t, other);
        CTS_EQUAL(2 * round, recorder->count);
        CTS_EQUAL(1, recorder->values[2 * round - 2]);
        CTS_EQUAL(2, recorder->values[2 * round - 1]);
    }
}

CTS_CASE(graph, a_wait_in_a_graph_holds_each_replay, "GRA-002 EVT-002")
{
    haly_event *event = cts_event(t);
    haly_stream *other = cts_stream(t);
    cts_recorder *recorder = cts_recorder_new(t);
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(haly_stream_wait(t->stream, event));
    CTS_OK(cts_note(t, t->stream, recorder, 2));
    haly_graph *graph = end_capture(t, t->stream);
    for (uint32_t round = 1; round <= 3; round++) {
        cts_gate *gate = cts_hold(t, other);
        CTS_OK(cts_note(t, other, recorder, 1));
        CTS_OK(haly_event_record(event, other));
        CTS_OK(haly_graph_launch(t->stream, graph));
        CTS_EQUAL(2 * round - 2, recorder->count);
        cts_open(t, gate);
        cts_sync(t, t->stream);
        CTS_EQUAL(2 * round, recorder->count);
        CTS_EQUAL(1, recorder->values[2 * round - 2]);
        CTS_EQUAL(2, recorder->values[2 * round - 1]);
    }
}

/* ---- updates ---- */

CTS_CASE(graph, an_updated_copy_goes_elsewhere, "GRA-004")
{
    uint8_t first[200], second[200];
    void *source = cts_device(t, 200), *one = cts_device(t, 200), *two = cts_device(t, 200);
    cts_random_bytes(t, first, 200);
    cts_random_bytes(t, second, 200);
    cts_upload(t, source, first, 200);
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(haly_copy(t->stream, one, source, 200));
    haly_graph *graph = end_capture(t, t->stream);
    launch_and_sync(t, graph);
    cts_upload(t, source, second, 200);
    CTS_OK(haly_graph_update_begin(graph, t->stream, 0));
    CTS_OK(haly_copy(t->stream, two, source, 200));
    CTS_OK(haly_graph_update_end(t->stream));
    launch_and_sync(t, graph);
    cts_expect_bytes(t, one, first, 200);
    cts_expect_bytes(t, two, second, 200);
}

CTS_CASE(graph, a_queued_launch_keeps_what_it_had, "GRA-004 GRA-002")
{
    const uint8_t before = 1, after = 2;
    void *one = cts_device(t, 300), *two = cts_device(t, 300);
    haly_stream *editor = cts_stream(t);
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(haly_fill(t->stream, one, &before, 1, 300));
    haly_graph *graph = end_capture(t, t->stream);
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(haly_graph_launch(t->stream, graph));
    CTS_OK(haly_graph_update_begin(graph, editor, 0));
    CTS_OK(haly_fill(editor, two, &after, 1, 300));
    CTS_OK(haly_graph_update_end(editor));
    cts_open(t, gate);
    cts_sync(t, t->stream);
    cts_expect_filled(t, one, before, 300);
    cts_expect_filled(t, two, 0xA5, 300);
    launch_and_sync(t, graph);
    cts_expect_filled(t, two, after, 300);
}

CTS_CASE_CAP(graph, an_updated_launch_has_new_arguments, "GRA-004 KRN-004", HALY_CAP_KERNELS)
{
    float values[64] = {0}, a = 1, b = 2, got[64];
    uint32_t n = 64;
    void *x = cts_device_from(t, values, sizeof values);
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "scale_bias");
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(haly_launch_1d(t->stream, kernel, 64, 64, HALY_ARGS(x, a, b, n)));
    haly_graph *graph = end_capture(t, t->stream);
    launch_and_sync(t, graph); /* 2 everywhere */
    b = 5;
    n = 32;
    CTS_OK(haly_graph_update_begin(graph, t->stream, 0));
    CTS_OK(haly_launch_1d(t->stream, kernel, 32, 32, HALY_ARGS(x, a, b, n)));
    CTS_OK(haly_graph_update_end(t->stream));
    launch_and_sync(t, graph);
    cts_download(t, got, x, sizeof got);
    for (unsigned i = 0; i < 64; i++)
        CTS_TRUE(fabsf(got[i] - (i < 32 ? 7.F : 2.F)) < 1e-5F);
}

CTS_CASE_CAP(graph, an_update_keeps_the_kernel, "GRA-004", HALY_CAP_KERNELS)
{
    const uint8_t byte = 1;
    float values[64] = {0}, a = 1, b = 2, got;
    uint32_t n = 64;
    void *x = cts_device_from(t, values, sizeof values);
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "scale_bias");
    haly_kernel *other = cts_kernel(t, "cts_basic.so", "scale_bias");
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(haly_launch_1d(t->stream, kernel, 64, 64, HALY_ARGS(x, a, b, n)));
    haly_graph *graph = end_capture(t, t->stream);
    CTS_OK(haly_graph_update_begin(graph, t->stream, 0));
    b = 9;
    CTS_INVALID(haly_fill(t->stream, x, &byte, 1, 64));
    CTS_MESSAGE("fill");
    CTS_INVALID(haly_launch_1d(t->stream, other, 64, 64, HALY_ARGS(x, a, b, n)));
    CTS_MESSAGE("kernel");
    CTS_OK(haly_graph_update_end(t->stream)); /* nothing was replaced */
    launch_and_sync(t, graph);
    cts_download(t, &got, x, sizeof got);
    CTS_TRUE(fabsf(got - 2) < 1e-5F);
}

CTS_CASE_OP(graph, an_updated_operator_reads_other_tensors, "GRA-004 PLAN-002")
{
    if (!cts_dtype(t, HALY_F32))
        return;
    cts_tensor x = cts_input(t, HALY_F32, CTS_DENSE, CTS_SHAPE(300), -2, 2);
    cts_tensor z = cts_input(t, HALY_F32, CTS_DENSE, CTS_SHAPE(300), -2, 2);
    cts_tensor y = cts_output(t, HALY_F32, CTS_DENSE, CTS_SHAPE(300));
    haly_op_desc desc = {HALY_OP_DESC_INIT, .name = "Mul", HALY_INPUTS(x.view, x.view), HALY_OUTPUTS(y.view)};
    haly_graph_node_info info = {HALY_GRAPH_NODE_INFO_INIT};
    double *want = cts_doubles(t, 300);
    if (!cts_op(t, &desc)) /* the plan is in the cache now */
        return;
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(haly_op_run(t->stream, &desc));
    haly_graph *graph = end_capture(t, t->stream);
    CTS_OK(haly_graph_node_info_get(graph, 0, &info));
    CTS_EQUAL(HALY_GRAPH_NODE_OPERATOR, info.kind);
    CTS_TRUE(strcmp(info.name, "Mul") == 0 && info.path[0] != '\0');
    const haly_tensor operands[2] = {x.view, z.view};
    desc.inputs = operands;
    CTS_OK(haly_graph_update_begin(graph, t->stream, 0));
    CTS_OK(haly_op_run(t->stream, &desc));
    CTS_OK(haly_graph_update_end(t->stream));
    launch_and_sync(t, graph);
    for (unsigned i = 0; i < 300; i++)
        want[i] = x.values[i] * z.values[i];
    cts_compare(t, &y, want, NULL, "", "Mul");
}

CTS_CASE(graph, a_node_can_be_updated_to_do_nothing_and_back, "GRA-004")
{
    const uint8_t marks[3] = {1, 2, 3};
    void *device[3] = {cts_device(t, 64), cts_device(t, 64), cts_device(t, 64)};
    CTS_OK(haly_stream_capture_begin(t->stream));
    for (unsigned i = 0; i < 3; i++)
        CTS_OK(haly_fill(t->stream, device[i], &marks[i], 1, 64));
    haly_graph *graph = end_capture(t, t->stream);
    CTS_OK(haly_graph_instantiate(graph));
    CTS_OK(haly_graph_update_begin(graph, t->stream, 1));
    CTS_EQUAL(1, position(t, t->stream));
    CTS_OK(haly_fill(t->stream, device[1], &marks[1], 1, 0));
    CTS_EQUAL(2, position(t, t->stream));
    CTS_OK(haly_graph_update_end(t->stream));
    CTS_EQUAL(2, graph_info(t, graph).command_count);
    launch_and_sync(t, graph);
    cts_expect_filled(t, device[0], marks[0], 64);
    cts_expect_filled(t, device[1], 0xA5, 64);
    cts_expect_filled(t, device[2], marks[2], 64);
    CTS_OK(haly_graph_update_begin(graph, t->stream, 1));
    CTS_OK(haly_fill(t->stream, device[1], &marks[2], 1, 64));
    CTS_OK(haly_fill(t->stream, device[2], &marks[1], 1, 64));
    CTS_OK(haly_graph_update_end(t->stream));
    CTS_EQUAL(3, graph_info(t, graph).command_count);
    launch_and_sync(t, graph);
    cts_expect_filled(t, device[1], marks[2], 64);
    cts_expect_filled(t, device[2], marks[1], 64);
}

CTS_CASE(graph, an_update_stays_within_the_graph, "GRA-004")
{
    const uint8_t byte = 1;
    void *device = cts_device(t, 64);
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(haly_fill(t->stream, device, &byte, 1, 64));
    haly_graph *graph = end_capture(t, t->stream);
    CTS_INVALID(haly_graph_update_begin(graph, t->stream, 1));
    CTS_OK(haly_graph_update_begin(graph, t->stream, 0));
    CTS_OK(haly_fill(t->stream, device, &byte, 1, 32));
    CTS_INVALID(haly_fill(t->stream, device, &byte, 1, 32));
    CTS_MESSAGE("1 nodes");
    CTS_OK(haly_graph_update_end(t->stream));
    launch_and_sync(t, graph);
    cts_expect_filled(t, device, byte, 32);
    cts_expect_filled(t, (char *)device + 32, 0xA5, 32);
}

CTS_CASE(graph, an_update_takes_one_stream_and_ends_once, "GRA-004")
{
    const uint8_t byte = 1;
    void *device = cts_device(t, 64), *memory = NULL;
    haly_graph *graph = NULL, *none = NULL;
    haly_context *context = cts_context(t, NULL);
    haly_stream *foreign = cts_stream_of(t, context);
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(haly_fill(t->stream, device, &byte, 1, 64));
    CTS_INVALID(haly_graph_update_end(t->stream));
    CTS_OK(haly_stream_capture_end(t->stream, &graph));
    cts_own_graph(t, graph);
    CTS_INVALID(haly_graph_update_end(t->stream));
    CTS_INVALID(haly_graph_update_begin(graph, foreign, 0));
    CTS_OK(haly_graph_update_begin(graph, t->stream, 0));
    CTS_STATUS(HALY_ERR_CAPTURING, haly_graph_update_begin(graph, t->stream, 0));
    CTS_STATUS(HALY_ERR_CAPTURING, haly_stream_capture_begin(t->stream));
    CTS_STATUS(HALY_ERR_CAPTURING, haly_graph_launch(t->stream, graph));
    CTS_STATUS(HALY_ERR_CAPTURING, haly_malloc_async(t->stream, 64, NULL, &memory));
    CTS_STATUS(HALY_ERR_CAPTURING, haly_free_async(t->stream, device));
    CTS_INVALID(haly_stream_capture_end(t->stream, &none));
    CTS_TRUE(none == NULL && memory == NULL);
    CTS_OK(haly_graph_update_end(t->stream));
    launch_and_sync(t, graph);
    cts_expect_filled(t, device, byte, 64);
}

CTS_CASE(graph, a_released_graph_outlives_its_update, "GRA-004 CTX-001")
{
    const uint8_t byte = 1;
    void *device = cts_device(t, 64);
    haly_graph *graph = NULL;
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_OK(haly_fill(t->stream, device, &byte, 1, 64));
    CTS_OK(haly_stream_capture_end(t->stream, &graph));
    CTS_OK(haly_graph_update_begin(graph, t->stream, 0));
    haly_graph_release(graph);
    CTS_OK(haly_fill(t->stream, device, &byte, 1, 32));
    CTS_OK(haly_graph_update_end(t->stream));
    CTS_OK(haly_stream_query(t->stream));
    cts_expect_filled(t, device, 0xA5, 64);
}

CTS_CASE(graph, many_updates_between_launches, "GRA-004 GRA-002")
{
    enum { NODES = 40, ROUNDS = 50 };
    uint8_t want[NODES], *got = cts_host(t, NODES);
    void *device = cts_device(t, NODES);
    memset(want, 0, sizeof want);
    CTS_OK(haly_stream_capture_begin(t->stream));
    for (unsigned i = 0; i < NODES; i++)
        CTS_OK(haly_fill(t->stream, (char *)device + i, &want[i], 1, 1));
    haly_graph *graph = end_capture(t, t->stream);
    for (unsigned round = 0; round < ROUNDS; round++) {
        const uint64_t first = cts_below(t, NODES), count = 1 + cts_below(t, NODES - first);
        CTS_OK(haly_graph_update_begin(graph, t->stream, first));
        for (uint64_t i = first; i < first + count; i++) {
            want[i] = (uint8_t)cts_random(t);
            CTS_OK(haly_fill(t->stream, (char *)device + i, &want[i], 1, 1));
        }
        CTS_OK(haly_graph_update_end(t->stream));
        launch_and_sync(t, graph);
        cts_download(t, got, device, NODES);
        CTS_EQUAL(0, memcmp(want, got, NODES));
    }
}

/* ---- ends ---- */

CTS_CASE(graph, releasing_a_context_ends_its_captures, "GRA-001 CTX-001")
{
    const uint8_t byte = 1;
    const haly_context_desc desc = cts_context_desc(t);
    haly_context *context = NULL;
    haly_stream *stream = NULL, *editor = NULL;
    haly_event *event = NULL;
    haly_graph *graph = NULL;
    void *memory = NULL, *reserved = NULL;
    CTS_OK(haly_context_open(t->instance, &desc, &context));
    CTS_OK(haly_stream_create(context, NULL, &stream));
    CTS_OK(haly_stream_create(context, NULL, &editor));
    CTS_OK(haly_event_create(context, NULL, &event));
    CTS_OK(haly_malloc(context, 64, NULL, &memory));
    CTS_OK(haly_stream_capture_begin(stream));
    CTS_OK(haly_fill(stream, memory, &byte, 1, 64));
    CTS_OK(haly_stream_capture_end(stream, &graph));
    CTS_OK(haly_graph_update_begin(graph, editor, 0));
    CTS_OK(haly_fill(editor, memory, &byte, 1, 32));
    CTS_OK(haly_stream_capture_begin(stream));
    CTS_OK(haly_event_record(event, stream));
    CTS_OK(haly_malloc_async(stream, 64, NULL, &reserved));
    haly_context_release(context);
    cts_upload(t, cts_device(t, 1), &byte, 1); /* other contexts go on */
}

CTS_CASE(graph, events_of_another_context_are_not_captured, "GRA-001")
{
    haly_context *context = cts_context(t, NULL);
    haly_event *event = NULL;
    haly_graph_info info = {HALY_GRAPH_INFO_INIT};
    CTS_OK(haly_event_create(context, NULL, &event));
    cts_own_event(t, event);
    CTS_OK(haly_stream_capture_begin(t->stream));
    CTS_STATUS(HALY_ERR_UNSUPPORTED, haly_stream_wait(t->stream, event));
    CTS_MESSAGE("another context");
    haly_graph *graph = end_capture(t, t->stream);
    CTS_OK(haly_graph_info_get(graph, &info));
    CTS_EQUAL(0, info.node_count);
}

static void capture_with_option(struct cts *t, haly_kernel *kernel, void *x, const haly_ext *first)
{
    struct {
        float *x;
        float a, b;
        uint32_t n;
    } arguments = {x, 1, 2, 64};
    const haly_ext option = {.type = 0x7eee0001, .size = sizeof option, .optional = 1, .next = first};
    const haly_launch_desc desc = {HALY_LAUNCH_DESC_INIT,   .grid = {1, 1, 1},
                                   .group = {64, 1, 1},     .argument_bytes = sizeof arguments,
                                   .arguments = &arguments, .ext = &option};
    CTS_OK(haly_launch(t->stream, kernel, &desc));
}

CTS_CASE_CAP(graph, options_of_a_captured_launch_are_kept, "GRA-002 KRN-004", HALY_CAP_KERNELS)
{
    float values[64] = {0}, got = 0;
    void *x = cts_device_from(t, values, sizeof values);
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "scale_bias");
    haly_ext needed = {.type = 0x7eee0002, .size = sizeof needed, .optional = 0};
    CTS_OK(haly_stream_capture_begin(t->stream));
    capture_with_option(t, kernel, x, NULL);
    haly_graph *graph = end_capture(t, t->stream);
    launch_and_sync(t, graph);
    launch_and_sync(t, graph);
    cts_download(t, &got, x, sizeof got);
    CTS_TRUE(fabsf(got - 4) < 1e-5F);
    CTS_OK(haly_stream_capture_begin(t->stream));
    capture_with_option(t, kernel, x, &needed);
    memset(&needed, 0, sizeof needed);
    graph = end_capture(t, t->stream);
    CTS_STATUS(HALY_ERR_UNSUPPORTED, haly_graph_launch(t->stream, graph));
}
