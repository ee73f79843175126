/* SPDX-License-Identifier: Apache-2.0 */
/* How far failures reach: along streams that waited for each other, and to contexts, on the manual backend. */
#define _GNU_SOURCE
#include <unistd.h>

#include "manual_fixture.h"

static haly_status status_of(haly_context *context)
{
    haly_context_info info = {HALY_CONTEXT_INFO_INIT};
    assert_int_equal(haly_context_info_get(context, &info), HALY_OK);
    return info.status;
}

/* Queues a command. */
static void work(haly_stream *stream, void *device)
{
    const uint8_t byte = 1;
    assert_int_equal(haly_fill(stream, device, &byte, 1, 64), HALY_OK);
}

static haly_event *record(haly_context *context, haly_stream *stream)
{
    haly_event *event = NULL;
    assert_int_equal(haly_event_create(context, NULL, &event), HALY_OK);
    assert_int_equal(haly_event_record(event, stream), HALY_OK);
    return event;
}

/* A second context, with a stream that waits for what was submitted to the fixture's. */
struct neighbour {
    haly_context *context;
    haly_stream *waiting, *unrelated;
};

static void open_neighbour(struct neighbour *n, struct fixture *f)
{
    assert_int_equal(haly_context_open(f->instance, NULL, &n->context), HALY_OK);
    assert_int_equal(haly_stream_create(n->context, NULL, &n->waiting), HALY_OK);
    assert_int_equal(haly_stream_create(n->context, NULL, &n->unrelated), HALY_OK);
    assert_int_equal(haly_stream_wait(n->waiting, record(f->context, f->stream)), HALY_OK);
}

static void assert_only_the_waiting_stream_fails(struct neighbour *n, haly_status status)
{
    void *memory = NULL;
    assert_int_equal(haly_stream_sync(n->waiting, 20ULL * SECOND), status);
    assert_int_equal(last_error().scope, HALY_SCOPE_STREAM);
    assert_int_equal(status_of(n->context), HALY_OK);
    assert_int_equal(haly_malloc(n->context, 64, NULL, &memory), HALY_OK);
    assert_int_equal(haly_stream_query(n->unrelated), HALY_OK);
    haly_context_release(n->context);
}

static void abandoning_a_context_fails_only_the_streams_of_another_that_waited_for_it(void **state)
{
    (void)state;
    struct fixture f;
    struct neighbour n;
    open_fixture(&f, CAPS_ALL);
    f.control->allowed = 0;
    work(f.stream, device_memory(&f, 64));
    open_neighbour(&n, &f);
    assert_int_equal(haly_context_abandon(f.context), HALY_OK);
    assert_only_the_waiting_stream_fails(&n, HALY_ERR_ABANDONED);
    close_fixture(&f);
}

static void a_fault_of_a_context_fails_only_the_streams_of_another_that_waited_for_it(void **state)
{
    (void)state;
    struct fixture f;
    struct neighbour n;
    open_fixture(&f, CAPS_ALL);
    f.control->allowed = 0;
    f.control->fail_at = 1;
    f.control->fail_scope = HALY_SCOPE_CONTEXT;
    work(f.stream, device_memory(&f, 64));
    open_neighbour(&n, &f);
    f.control->allowed = UINT64_MAX;
    assert_int_equal(haly_stream_sync(f.stream, SECOND), HALY_ERR_DEVICE_FAULT);
    assert_int_equal(status_of(f.context), HALY_ERR_DEVICE_FAULT);
    assert_only_the_waiting_stream_fails(&n, HALY_ERR_DEVICE_FAULT);
    close_fixture(&f);
}

static void a_fault_that_a_call_returns_latches_the_context(void **state)
{
    (void)state;
    struct fixture f;
    const uint8_t byte = 1;
    open_fixture(&f, CAPS_ALL);
    void *device = device_memory(&f, 64);
    f.control->refuse_after = 0;
    f.control->refuse_scope = HALY_SCOPE_CONTEXT;
    assert_int_equal(haly_fill(f.stream, device, &byte, 1, 64), HALY_ERR_RESOURCE_EXHAUSTED);
    assert_int_equal(status_of(f.context), HALY_ERR_RESOURCE_EXHAUSTED);
    assert_int_equal(haly_stream_query(f.other), HALY_ERR_RESOURCE_EXHAUSTED);
    assert_int_equal(last_error().native_code, 701);
    close_fixture(&f);
}

/* Two devices: a context on each, and a third one of another instance on the first. */
struct contexts {
    haly_instance *instances[2];
    haly_context *failing, *beside, *elsewhere;
    haly_stream *stream;
    struct manual_control *control;
};

static haly_context *open_on(haly_instance *instance, uint32_t index)
{
    haly_device *device = NULL;
    haly_device_spec spec = {HALY_DEVICE_SPEC_INIT};
    haly_context *context = NULL;
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(haly_device_get(instance, i, &device), HALY_OK);
        assert_int_equal(haly_device_spec_get(device, &spec), HALY_OK);
        if (spec.index == index)
            break;
    }
    const haly_context_desc desc = {HALY_CONTEXT_DESC_INIT, .device = device};
    return haly_context_open(instance, &desc, &context) == HALY_OK ? context : NULL;
}

static void open_contexts(struct contexts *c)
{
    for (int i = 0; i < 2; i++)
        c->instances[i] = open_instance_with(CAPS_ALL, "2");
    c->failing = open_on(c->instances[0], 0);
    c->beside = open_on(c->instances[1], 0);
    c->elsewhere = open_on(c->instances[0], 1);
    c->stream = create_stream(c->failing, &c->control);
}

static void close_contexts(struct contexts *c)
{
    haly_context_release(c->failing);
    haly_context_release(c->beside);
    haly_context_release(c->elsewhere);
    for (int i = 0; i < 2; i++)
        haly_instance_release(c->instances[i]);
}

static void plant_fault(struct contexts *c, haly_error_scope scope, haly_error_recovery recovery)
{
    void *device = NULL;
    assert_int_equal(haly_malloc(c->failing, 64, NULL, &device), HALY_OK);
    c->control->fail_at = 1;
    c->control->fail_scope = scope;
    c->control->fail_recovery = recovery;
    work(c->stream, device);
    assert_int_equal(haly_stream_sync(c->stream, SECOND), HALY_ERR_DEVICE_FAULT);
}

static void a_fault_of_a_device_reaches_all_contexts_on_it(void **state)
{
    (void)state;
    struct contexts c;
    void *memory = NULL;
    open_contexts(&c);
    plant_fault(&c, HALY_SCOPE_DEVICE, HALY_RECOVER_RECREATE);
    assert_int_equal(status_of(c.failing), HALY_ERR_DEVICE_FAULT);
    assert_int_equal(status_of(c.beside), HALY_ERR_DEVICE_FAULT);
    assert_int_equal(haly_malloc(c.beside, 64, NULL, &memory), HALY_ERR_DEVICE_FAULT);
    assert_int_equal(last_error().scope, HALY_SCOPE_DEVICE);
    assert_int_equal(last_error().native_code, 719);
    assert_int_equal(status_of(c.elsewhere), HALY_OK);
    haly_context *fresh = open_on(c.instances[1], 0); /* created again, as the recovery says */
    assert_non_null(fresh);
    assert_int_equal(status_of(fresh), HALY_OK);
    haly_context_release(fresh);
    close_contexts(&c);
}

static void a_fault_of_the_process_reaches_all_contexts_of_the_backend(void **state)
{
    (void)state;
    struct contexts c;
    open_contexts(&c);
    plant_fault(&c, HALY_SCOPE_PROCESS, HALY_RECOVER_RECREATE);
    assert_int_equal(status_of(c.beside), HALY_ERR_DEVICE_FAULT);
    assert_int_equal(status_of(c.elsewhere), HALY_ERR_DEVICE_FAULT);
    close_contexts(&c);
}

/* Behind all others of its kind: the device is lost to this process. */
static void no_context_opens_where_only_a_restart_helps(void **state)
{
    (void)state;
    struct contexts c;
    open_contexts(&c);
    plant_fault(&c, HALY_SCOPE_DEVICE, HALY_RECOVER_RESTART);
    assert_null(open_on(c.instances[1], 0));
    assert_int_equal(last_error().status, HALY_ERR_DEVICE_FAULT);
    assert_int_equal(last_error().recovery, HALY_RECOVER_RESTART);
    haly_context *fresh = open_on(c.instances[1], 1);
    assert_non_null(fresh);
    haly_context_release(fresh);
    close_contexts(&c);
}

static void a_failure_that_a_query_returns_reaches_as_far_as_it_says(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, CAPS_ALL);
    f.control->allowed = 0;
    work(f.stream, device_memory(&f, 64));
    assert_int_equal(haly_stream_wait(f.other, record(f.context, f.stream)), HALY_OK);
    f.control->answer_scope = HALY_SCOPE_STREAM;
    assert_int_equal(haly_stream_query(f.stream), HALY_ERR_DEVICE_FAULT);
    assert_int_equal(last_error().native_code, 720);
    assert_int_equal(last_error().stream_id, haly_object_id(f.stream));
    assert_int_equal(haly_stream_query(f.other), HALY_ERR_DEVICE_FAULT);
    assert_int_equal(status_of(f.context), HALY_OK);
    f.control->answer_scope = HALY_SCOPE_CONTEXT;
    assert_int_equal(haly_stream_sync(f.stream, SECOND), HALY_ERR_DEVICE_FAULT);
    assert_int_equal(status_of(f.context), HALY_ERR_DEVICE_FAULT);
    f.control->answer_scope = 0;
    f.control->allowed = UINT64_MAX;
    close_fixture(&f);
}

/* The work is done all the same: a wait that failed for itself alone has nothing to tell, a fault has. */
static void a_failure_that_a_wait_returns_reaches_as_far_as_it_says(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, CAPS_ALL);
    void *device = device_memory(&f, 64);
    f.control->allowed = 0;
    work(f.stream, device);
    f.control->fail_wait = 1 + HALY_SCOPE_CALL;
    assert_int_equal(haly_stream_sync(f.stream, SECOND), HALY_OK);
    assert_int_equal(f.control->fail_wait, 0);
    f.control->allowed = f.control->submitted;
    work(f.stream, device);
    f.control->fail_wait = 1 + HALY_SCOPE_CONTEXT;
    assert_int_equal(haly_stream_sync(f.stream, SECOND), HALY_ERR_DEVICE_FAULT);
    assert_int_equal(last_error().native_code, 720);
    assert_int_equal(status_of(f.context), HALY_ERR_DEVICE_FAULT);
    close_fixture(&f);
}

static void a_failure_that_a_submit_returns_reaches_as_far_as_it_says(void **state)
{
    (void)state;
    struct fixture f;
    const uint8_t byte = 1;
    open_fixture(&f, CAPS_ALL);
    void *device = device_memory(&f, 64);
    work(f.stream, device);
    f.control->refuse_after = 0;
    f.control->refuse_scope = HALY_SCOPE_STREAM;
    assert_int_equal(haly_fill(f.stream, device, &byte, 1, 64), HALY_ERR_RESOURCE_EXHAUSTED);
    assert_int_equal(haly_stream_query(f.stream), HALY_ERR_RESOURCE_EXHAUSTED);
    assert_int_equal(last_error().first_sequence, 2);
    assert_int_equal(haly_stream_query(f.other), HALY_OK);
    assert_int_equal(status_of(f.context), HALY_OK);
    close_fixture(&f);
}

/* Three fills; with an event between the first two they are submitted apart. */
static haly_graph *capture_fills(struct fixture *f, void *device, haly_event *between)
{
    haly_graph *graph = NULL;
    assert_int_equal(haly_stream_capture_begin(f->other), HALY_OK);
    work(f->other, device);
    if (between != NULL)
        assert_int_equal(haly_event_record(between, f->other), HALY_OK);
    work(f->other, device);
    work(f->other, device);
    assert_int_equal(haly_stream_capture_end(f->other, &graph), HALY_OK);
    return graph;
}

static void what_is_accepted_in_part_fails_the_stream(void **state)
{
    (void)state;
    for (int is_apart = 0; is_apart < 2; is_apart++) {
        struct fixture f;
        haly_event *between = NULL;
        open_fixture(&f, CAPS_ALL);
        void *device = device_memory(&f, 64);
        if (is_apart)
            assert_int_equal(haly_event_create(f.context, NULL, &between), HALY_OK);
        haly_graph *graph = capture_fills(&f, device, between);
        f.control->refuse_after = 0;
        assert_int_equal(haly_graph_launch(f.stream, graph), HALY_ERR_RESOURCE_EXHAUSTED);
        assert_int_equal(last_error().recovery, HALY_RECOVER_RETRY);
        assert_int_equal(haly_stream_query(f.stream), HALY_OK);
        f.control->refuse_after = 2;
        assert_int_equal(haly_graph_launch(f.stream, graph), HALY_ERR_RESOURCE_EXHAUSTED);
        assert_int_equal(last_error().recovery, HALY_RECOVER_RECREATE);
        assert_int_equal(last_error().scope, HALY_SCOPE_STREAM);
        assert_int_equal(last_error().first_sequence, 3);
        f.control->refuse_after = UINT64_MAX;
        assert_int_equal(haly_stream_sync(f.stream, SECOND), HALY_ERR_RESOURCE_EXHAUSTED);
        haly_graph_release(graph);
        close_fixture(&f);
    }
}

static haly_status fail_with_7(void *user, haly_status status)
{
    (void)user, (void)status;
    return (haly_status)7;
}

static void a_stream_that_waited_for_many_hears_of_the_first_of_them(void **state)
{
    (void)state;
    enum { STREAMS = 40 };
    struct fixture f;
    haly_stream *streams[STREAMS];
    struct manual_control *controls[STREAMS];
    _Atomic uint32_t calls = 0;
    open_fixture(&f, CAPS_ALL);
    for (int i = 0; i < STREAMS; i++) {
        streams[i] = create_stream(f.context, &controls[i]);
        controls[i]->allowed = 0;
        assert_int_equal(haly_host_call(streams[i], i == 0 ? fail_with_7 : count_call, &calls), HALY_OK);
        assert_int_equal(haly_stream_wait(f.stream, record(f.context, streams[i])), HALY_OK);
    }
    for (int i = 0; i < STREAMS; i++) {
        controls[i]->allowed = UINT64_MAX;
        assert_int_equal(haly_stream_sync(streams[i], SECOND), i == 0 ? HALY_ERR_HOST_CALL : HALY_OK);
    }
    assert_int_equal(haly_stream_sync(f.stream, SECOND), HALY_ERR_HOST_CALL);
    assert_int_equal(last_error().stream_id, haly_object_id(streams[0]));
    assert_int_equal(calls, STREAMS - 1);
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

static void wait_for_a_refusal(struct manual_control *control)
{
    for (int i = 0; i < 20000 && control->refusals == 0; i++)
        usleep(1000);
    assert_true(control->refusals != 0);
}

/* Commands 1 to 4 of a deferred stream: 2 will fault, 3 is a record, 4 is refused. */
static void a_refusal_does_not_come_before_its_turn(void **state)
{
    (void)state;
    struct fixture f;
    _Atomic uint32_t flag = 0;
    open_fixture(&f, CAPS_NO_HELP);
    void *device = device_memory(&f, 64);
    f.control->allowed = 0;
    f.control->fail_at = 2;
    f.control->fail_scope = HALY_SCOPE_STREAM;
    f.control->refuse_after = 2;
    assert_int_equal(haly_host_call(f.stream, wait_for_flag, &flag), HALY_OK);
    work(f.stream, device);
    haly_event *event = record(f.context, f.stream);
    work(f.stream, device);
    flag = 1;
    wait_for_a_refusal(f.control);
    assert_int_equal(haly_stream_query(f.stream), HALY_NOT_READY);
    f.control->allowed = UINT64_MAX;
    assert_int_equal(haly_event_sync(event, 20ULL * SECOND), HALY_ERR_DEVICE_FAULT);
    assert_int_equal(haly_stream_sync(f.stream, 20ULL * SECOND), HALY_ERR_DEVICE_FAULT);
    assert_int_equal(last_error().first_sequence, 2);
    close_fixture(&f);
}

static void a_refused_deferred_command_is_offered_again_when_its_turn_comes(void **state)
{
    (void)state;
    struct fixture f;
    _Atomic uint32_t flag = 0;
    uint8_t out[64] = {0};
    open_fixture(&f, CAPS_NO_HELP);
    void *device = device_memory(&f, 64);
    f.control->allowed = 0;
    f.control->refuse_after = 1;
    assert_int_equal(haly_host_call(f.stream, wait_for_flag, &flag), HALY_OK);
    work(f.stream, device);
    work(f.stream, device); /* refused at first */
    flag = 1;
    wait_for_a_refusal(f.control);
    f.control->refuse_after = UINT64_MAX;
    f.control->allowed = UINT64_MAX;
    assert_int_equal(haly_stream_sync(f.stream, 20ULL * SECOND), HALY_OK);
    assert_int_equal(haly_copy(f.stream, out, device, 64), HALY_OK);
    assert_int_equal(haly_stream_sync(f.stream, 20ULL * SECOND), HALY_OK);
    assert_int_equal(out[63], 1);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(abandoning_a_context_fails_only_the_streams_of_another_that_waited_for_it),
        cmocka_unit_test(a_fault_of_a_context_fails_only_the_streams_of_another_that_waited_for_it),
        cmocka_unit_test(a_fault_that_a_call_returns_latches_the_context),
        cmocka_unit_test(a_fault_of_a_device_reaches_all_contexts_on_it),
        cmocka_unit_test(a_fault_of_the_process_reaches_all_contexts_of_the_backend),
        cmocka_unit_test(a_failure_that_a_query_returns_reaches_as_far_as_it_says),
        cmocka_unit_test(a_failure_that_a_wait_returns_reaches_as_far_as_it_says),
        cmocka_unit_test(a_failure_that_a_submit_returns_reaches_as_far_as_it_says),
        cmocka_unit_test(what_is_accepted_in_part_fails_the_stream),
        cmocka_unit_test(a_stream_that_waited_for_many_hears_of_the_first_of_them),
        cmocka_unit_test(a_refusal_does_not_come_before_its_turn),
        cmocka_unit_test(a_refused_deferred_command_is_offered_again_when_its_turn_comes),
        cmocka_unit_test(no_context_opens_where_only_a_restart_helps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
