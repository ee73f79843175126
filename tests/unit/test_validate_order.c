/* SPDX-License-Identifier: Apache-2.0 */
/* What the validation layer finds in the order of commands, and what it must not find. */
#define _GNU_SOURCE
#include "layer_fixture.h"

static const uint8_t zero;

/* ---- races, by kind of command ---- */

static void a_race_between_copies_names_both_and_the_memory(void **state)
{
    struct layer_fixture f;
    (void)state;
    open_reporting(&f);
    char *a = layer_memory(&f, 4096), *b = layer_memory(&f, 4096), *c = layer_memory(&f, 4096);
    OK(haly_memory_describe(f.context, b, &(haly_memory_description){HALY_MEMORY_DESCRIPTION_INIT, .name = "weights"}));
    OK(haly_stream_set_label(f.one, "upload"));
    OK(haly_copy(f.one, b, a, 100));
    OK(haly_copy(f.two, c, b + 99, 100));
    assert_int_equal(f.log.errors, 1);
    layer_line_has(&f, "race: copy (stream", "\"two\", command 1) reads what copy (stream", "\"one\", command 1",
                   "label \"upload\"", ") writes", "99 bytes into the allocation of 4096 bytes \"weights\"", NULL);
    OK(haly_copy(f.two, c + 200, b + 100, 100)); /* the bytes behind */
    assert_int_equal(f.log.errors, 1);
    layer_close(&f);
}

static haly_status run_fill(struct layer_fixture *f, haly_stream *stream, char *a, char *b)
{
    (void)f, (void)b;
    return haly_fill(stream, a, &zero, 1, 64);
}

static haly_status run_copy_from(struct layer_fixture *f, haly_stream *stream, char *a, char *b)
{
    (void)f;
    return haly_copy(stream, b, a, 64);
}

static haly_status run_copy_to_host(struct layer_fixture *f, haly_stream *stream, char *a, char *b)
{
    static char host[64];
    (void)f, (void)b;
    return haly_copy(stream, host, a, 64);
}

static haly_status run_copy_2d(struct layer_fixture *f, haly_stream *stream, char *a, char *b)
{
    const haly_copy_2d_desc desc = {HALY_COPY_2D_DESC_INIT, .dst = a,   .dst_pitch = 16, .src = b,
                                    .src_pitch = 16,        .width = 8, .height = 4};
    (void)f;
    return haly_copy_2d(stream, &desc);
}

static haly_status run_op_from(struct layer_fixture *f, haly_stream *stream, char *a, char *b)
{
    (void)f;
    return haly_op_add(stream, haly_f32_1d(b, 16), haly_f32_1d(a, 16), haly_f32_1d(a, 16));
}

static haly_status run_op_to(struct layer_fixture *f, haly_stream *stream, char *a, char *b)
{
    (void)f;
    return haly_op_add(stream, haly_f32_1d(a, 16), haly_f32_1d(b, 16), haly_f32_1d(b, 16));
}

static haly_status run_plan_to(struct layer_fixture *f, haly_stream *stream, char *a, char *b)
{
    const haly_op_desc desc = {HALY_OP_DESC_INIT, .name = "Add", HALY_INPUTS(haly_f32_1d(b, 16), haly_f32_1d(b, 16)),
                               HALY_OUTPUTS(haly_f32_1d(a, 16))};
    haly_plan *plan = NULL;
    OK(haly_plan_create(f->context, &desc, &plan));
    const haly_status status = haly_plan_run(stream, plan, (void *[]){b, b, a}, 3, NULL, 0);
    haly_plan_release(plan);
    return status;
}

static haly_status run_matmul_from(struct layer_fixture *f, haly_stream *stream, char *a, char *b)
{
    (void)f;
    return haly_op_run(stream, &(haly_op_desc){HALY_OP_DESC_INIT, .name = "MatMul",
                                               HALY_INPUTS(haly_f32_2d(a, 4, 4), haly_f32_2d(a, 4, 4)),
                                               HALY_OUTPUTS(haly_f32_2d(b, 4, 4))});
}

static haly_status run_graph_to(struct layer_fixture *f, haly_stream *stream, char *a, char *b)
{
    haly_graph *graph = NULL;
    (void)f, (void)b;
    OK(haly_stream_capture_begin(stream));
    OK(haly_fill(stream, a, &zero, 1, 64));
    OK(haly_stream_capture_end(stream, &graph));
    const haly_status status = haly_graph_launch(stream, graph);
    haly_graph_release(graph);
    return status;
}

static const struct {
    const char *name;
    haly_status (*run)(struct layer_fixture *f, haly_stream *stream, char *a, char *b);
    bool writes; /* a; else reads it */
} commands[] = {
    {"fill", run_fill, true},        {"copy", run_copy_from, false},       {"copy", run_copy_to_host, false},
    {"2-D copy", run_copy_2d, true}, {"Add: ", run_op_from, false},        {"Add: ", run_op_to, true},
    {"Add: ", run_plan_to, true},    {"MatMul: ", run_matmul_from, false}, {"fill", run_graph_to, true},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

/* Every kind of command against every other, on memory of which each touches the same 64 bytes at `a`. */
static void every_pair_of_commands_races_when_one_writes(void **state)
{
    struct layer_fixture f;
    (void)state;
    for (uint32_t i = 0; i < COMMANDS; i++) {
        for (uint32_t j = 0; j < COMMANDS; j++) {
            open_failing(&f);
            char *a = layer_memory(&f, 256), *b = layer_memory(&f, 256), *c = layer_memory(&f, 256);
            OK(commands[i].run(&f, f.one, a, b));
            const bool is_race = commands[i].writes || commands[j].writes;
            const haly_status status = commands[j].run(&f, f.two, a, c);
            if (status != (is_race ? HALY_ERR_INVALID : HALY_OK))
                fail_msg("%u, then %u: %s", i, j, haly_status_name(status));
            assert_int_equal(layer_lines(&f, "race: ") != 0, is_race);
            if (is_race)
                layer_line_has(&f, "race: ", commands[i].name, commands[j].name, NULL);
            layer_close(&f);
        }
    }
}

/* What was refused was not queued, is no access, and can be done again once it is in order. */
static void a_refused_command_has_no_effect(void **state)
{
    struct layer_fixture f;
    haly_event *event = NULL;
    unsigned char host[64] = {1};
    const uint8_t seven = 7, nine = 9;
    haly_error error = {HALY_ERROR_INIT};
    (void)state;
    open_failing(&f);
    OK(haly_event_create(f.context, NULL, &event));
    void *a = layer_memory(&f, 64);
    OK(haly_fill(f.one, a, &seven, 1, 64));
    OK(haly_event_record(event, f.one));
    assert_int_equal(haly_fill(f.two, a, &nine, 1, 64), HALY_ERR_INVALID);
    OK(haly_error_last(&error));
    assert_non_null(strstr(error.message, "race: fill"));
    assert_string_equal(error.function, "haly_fill");
    OK(haly_stream_sync(f.two, 20 * SECOND));
    OK(haly_copy(f.one, host, a, 64)); /* a write on the other stream would race with this */
    OK(haly_stream_sync(f.one, 20 * SECOND));
    assert_int_equal(host[0], 7);
    OK(haly_stream_wait(f.two, event));
    OK(haly_fill(f.two, a, &nine, 1, 64));
    haly_event_release(event);
    layer_close(&f);
}

static void interleaved_columns_do_not_race(void **state)
{
    struct layer_fixture f;
    (void)state;
    open_reporting(&f);
    char *a = layer_memory(&f, 4096), *b = layer_memory(&f, 4096);
    haly_copy_2d_desc left = {HALY_COPY_2D_DESC_INIT, .dst = a,    .dst_pitch = 64, .src = b,
                              .src_pitch = 64,        .width = 32, .height = 32};
    haly_copy_2d_desc right = left;
    right.dst = a + 32;
    OK(haly_copy_2d(f.one, &left));
    OK(haly_copy_2d(f.two, &right));
    haly_tensor columns = haly_f32_2d(a + 32, 32, 16); /* of the right half */
    columns.shape[1] = 8;
    OK(haly_op_run(f.two, &(haly_op_desc){HALY_OP_DESC_INIT, .name = "Add", HALY_INPUTS(columns, columns),
                                          HALY_OUTPUTS(haly_f32_2d(layer_memory(&f, 4096), 32, 8))}));
    assert_int_equal(f.log.errors, 0);
    right.dst = a + 31;
    OK(haly_copy_2d(f.two, &right));
    assert_int_equal(layer_lines(&f, "race: 2-D copy"), 1);
    layer_close(&f);
}

static void pinned_memory_races_too(void **state)
{
    struct layer_fixture f;
    void *pinned = NULL;
    (void)state;
    open_reporting(&f);
    void *a = layer_memory(&f, 64);
    OK(haly_host_alloc(f.context, 64, &pinned));
    OK(haly_copy(f.one, pinned, a, 64));
    OK(haly_copy(f.two, a, pinned, 32));
    assert_int_equal(layer_lines(&f, "race: copy"), 2); /* over either side */
    layer_close(&f);
}

static void races_reach_across_contexts(void **state)
{
    struct layer_fixture f;
    haly_context *other = NULL;
    haly_stream *stream = NULL;
    void *b = NULL;
    (void)state;
    open_reporting(&f);
    OK(haly_context_open(f.instance, NULL, &other));
    OK(haly_stream_create(other, NULL, &stream));
    OK(haly_malloc(other, 64, NULL, &b));
    void *a = layer_memory(&f, 64);
    OK(haly_copy(stream, b, a, 64));
    OK(haly_fill(f.one, a, &zero, 1, 64));
    assert_int_equal(layer_lines(&f, "race: fill"), 1);
    OK(haly_stream_sync(stream, 20 * SECOND));
    haly_context_release(other);
    layer_close(&f);
}

/* Of a kernel only the addresses are known. */
static void kernels_race_only_perhaps(void **state)
{
    struct layer_fixture f;
    (void)state;
    open_failing(&f);
    haly_kernel *kernel = layer_kernel(&f, "scale");
    float *x = layer_memory(&f, 256), *y = layer_memory(&f, 256), *z = layer_memory(&f, 256), factor = 2;
    uint32_t n = 16;
    OK(haly_launch_1d(f.one, kernel, n, 0, HALY_ARGS(x, y, factor, n)));
    OK(haly_launch_1d(f.two, kernel, n, 0, HALY_ARGS(x, z, factor, n))); /* both read x */
    assert_int_equal(f.log.infos, 0);
    OK(haly_fill(f.two, y, &zero, 1, 64));
    assert_int_equal(f.log.errors, 0);
    assert_int_equal(layer_lines(&f, "possible race: fill"), 1);
    layer_line_has(&f, "scale: argument 1", "writes", NULL);
    haly_kernel_release(kernel);
    layer_close(&f);
}

/* ---- what orders ---- */

enum order {
    BY_EVENT,
    BY_EVENT_THAT_IS_OVER,
    BY_A_CHAIN,
    BY_STREAM_SYNC,
    BY_EVENT_SYNC,
    BY_CONTEXT_SYNC,
    BY_STREAM_QUERY,
    BY_EVENT_QUERY,
    BY_ELAPSED,
    BY_HOST_CALL,
    BY_HOST_AND_EVENT,
    ORDERS
};

static haly_status note_call(void *user, haly_status status)
{
    (void)status;
    atomic_store((_Atomic uint32_t *)user, 1);
    return HALY_OK;
}

static void order_by(struct layer_fixture *f, enum order order, haly_event *event, haly_event *other)
{
    static _Atomic uint32_t flag;
    haly_stream *third = NULL;
    int64_t nanoseconds;
    OK(haly_event_record(event, f->one));
    switch (order) {
    case BY_EVENT_THAT_IS_OVER:
        while (haly_event_query(event) != HALY_OK)
            ;
        OK(haly_stream_wait(f->two, event));
        break;
    case BY_A_CHAIN:
        OK(haly_stream_create(f->context, NULL, &third));
        OK(haly_stream_wait(third, event));
        OK(haly_event_record(other, third));
        haly_stream_release(third);
        OK(haly_stream_wait(f->two, other));
        break;
    case BY_STREAM_SYNC:
        OK(haly_stream_sync(f->one, 20 * SECOND));
        break;
    case BY_EVENT_SYNC:
        OK(haly_event_sync(event, 20 * SECOND));
        break;
    case BY_CONTEXT_SYNC:
        OK(haly_context_sync(f->context, 20 * SECOND));
        break;
    case BY_STREAM_QUERY:
        while (haly_stream_query(f->one) != HALY_OK)
            ;
        break;
    case BY_EVENT_QUERY:
        while (haly_event_query(event) != HALY_OK)
            ;
        break;
    case BY_ELAPSED:
        OK(haly_event_record(other, f->one));
        while (haly_event_elapsed(event, other, &nanoseconds) != HALY_OK)
            ;
        break;
    case BY_HOST_CALL:
        flag = 0;
        OK(haly_host_call(f->one, note_call, &flag));
        while (flag == 0)
            usleep(100);
        break;
    case BY_HOST_AND_EVENT:
        OK(haly_stream_create(f->context, NULL, &third));
        OK(haly_stream_sync(f->one, 20 * SECOND));
        OK(haly_event_record(other, third));
        OK(haly_stream_wait(f->two, other));
        haly_stream_release(third);
        break;
    default:
        OK(haly_stream_wait(f->two, event));
        break;
    }
}

static void whatever_orders_is_no_race(void **state)
{
    const haly_event_desc timed = {HALY_EVENT_DESC_INIT, .flags = HALY_EVENT_TIMED};
    (void)state;
    for (uint32_t movable = 0; movable < 2; movable++) {
        for (enum order order = BY_EVENT; order < ORDERS; order++) {
            struct layer_fixture f;
            haly_event *event = NULL, *other = NULL;
            layer_open(&f, "validate", "fail", movable != 0 ? HALY_CONTEXT_MOVABLE : 0);
            OK(haly_event_create(f.context, &timed, &event));
            OK(haly_event_create(f.context, &timed, &other));
            void *a = layer_memory(&f, 64);
            OK(haly_fill(f.one, a, &zero, 1, 64));
            order_by(&f, order, event, other);
            const haly_status status = haly_fill(f.two, a, &zero, 1, 64);
            if (status != HALY_OK)
                fail_msg("order %d: %s", order, f.log.lines[0]);
            assert_int_equal(haly_fill(f.one, a, &zero, 1, 64), HALY_ERR_INVALID); /* the other way nothing does */
            haly_event_release(event);
            haly_event_release(other);
            layer_close(&f);
        }
    }
}

/* A wait binds to the latest record before it, so a later one orders nothing. */
static void a_wait_does_not_order_what_is_recorded_later(void **state)
{
    struct layer_fixture f;
    haly_event *event = NULL;
    (void)state;
    open_reporting(&f);
    OK(haly_event_create(f.context, NULL, &event));
    void *a = layer_memory(&f, 64);
    OK(haly_stream_wait(f.two, event)); /* never recorded */
    OK(haly_event_record(event, f.one));
    OK(haly_stream_wait(f.two, event));
    OK(haly_fill(f.one, a, &zero, 1, 64));
    OK(haly_event_record(event, f.one));
    OK(haly_fill(f.two, a, &zero, 1, 64));
    assert_int_equal(layer_lines(&f, "race: fill"), 1);
    haly_event_release(event);
    layer_close(&f);
}

static void streams_handed_out_are_ordered_elsewhere(void **state)
{
    struct layer_fixture f;
    haly_native native = {HALY_NATIVE_INIT};
    (void)state;
    layer_open_on(&f, "manual", MANUAL_BACKEND_DIR, "validate", "fail", 0);
    void *a = layer_memory(&f, 64);
    OK(haly_native_get(f.two, &native));
    OK(haly_fill(f.one, a, &zero, 1, 64));
    OK(haly_fill(f.two, a, &zero, 1, 64));
    expect_clean(&f);
}

/* ---- a long life ---- */

static void a_race_in_a_loop_is_told_once(void **state)
{
    struct layer_fixture f;
    (void)state;
    open_reporting(&f);
    void *a = layer_memory(&f, 64);
    for (int i = 0; i < 1000; i++) {
        OK(haly_fill(f.one, a, &zero, 1, 64));
        OK(haly_fill(f.two, a, &zero, 1, 64));
    }
    assert_in_range(f.log.errors, 1, 2); /* each way */
    layer_close(&f);
}

/* Many commands, streams and events on the same memory, in order, with and without the host. */
static void a_long_run_in_order_is_clean(void **state)
{
    struct layer_fixture f;
    haly_event *event = NULL;
    (void)state;
    open_failing(&f);
    OK(haly_event_create(f.context, NULL, &event));
    char *a = layer_memory(&f, 1 << 16);
    for (uint32_t i = 0; i < 3000; i++) {
        haly_stream *stream = i % 2 == 0 ? f.one : f.two, *next = i % 2 == 0 ? f.two : f.one, *passing = NULL;
        for (uint32_t part = 0; part < 4; part++)
            OK(haly_fill(stream, a + (i * 4 + part) % 256 * 64, &zero, 1, 128));
        if (i % 10 == 0) { /* streams come and go, far more than slots are kept */
            OK(haly_stream_create(f.context, NULL, &passing));
            OK(haly_event_record(event, stream));
            OK(haly_stream_wait(passing, event));
            OK(haly_copy(passing, a + 40000, a, 64));
            OK(haly_event_record(event, passing));
            haly_stream_release(passing);
        } else {
            OK(haly_event_record(event, stream));
        }
        if (i % 100 == 99)
            OK(haly_event_sync(event, 20 * SECOND));
        else
            OK(haly_stream_wait(next, event));
    }
    haly_event_release(event);
    expect_clean(&f);
}

static void *order_in_thread(void *argument)
{
    struct layer_fixture *f = argument;
    haly_stream *stream = NULL;
    void *a = NULL;
    OK(haly_stream_create(f->context, NULL, &stream));
    for (int i = 0; i < 300; i++) {
        OK(haly_malloc_async(stream, 4096, NULL, &a));
        OK(haly_fill(stream, a, &zero, 1, 4096));
        OK(haly_free_async(stream, a));
    }
    OK(haly_stream_sync(stream, 20 * SECOND));
    haly_stream_release(stream);
    return NULL;
}

static void threads_with_streams_of_their_own_are_clean(void **state)
{
    struct layer_fixture f;
    pthread_t threads[4];
    (void)state;
    open_failing(&f);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, order_in_thread, &f), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    expect_clean(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_race_between_copies_names_both_and_the_memory),
        cmocka_unit_test(every_pair_of_commands_races_when_one_writes),
        cmocka_unit_test(a_refused_command_has_no_effect),
        cmocka_unit_test(interleaved_columns_do_not_race),
        cmocka_unit_test(pinned_memory_races_too),
        cmocka_unit_test(races_reach_across_contexts),
        cmocka_unit_test(kernels_race_only_perhaps),
        cmocka_unit_test(whatever_orders_is_no_race),
        cmocka_unit_test(a_wait_does_not_order_what_is_recorded_later),
        cmocka_unit_test(streams_handed_out_are_ordered_elsewhere),
        cmocka_unit_test(a_race_in_a_loop_is_told_once),
        cmocka_unit_test(a_long_run_in_order_is_clean),
        cmocka_unit_test(threads_with_streams_of_their_own_are_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
