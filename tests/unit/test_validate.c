/* SPDX-License-Identifier: Apache-2.0 */
/* What the validation layer finds of memory, graphs, threads and leaks, and when it is on. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "layer_fixture.h"

static const uint8_t zero;

/* ---- memory ---- */

static void memory_of_a_stream_is_used_elsewhere_behind_an_event_only(void **state)
{
    struct layer_fixture f;
    haly_event *event = NULL;
    void *a = NULL;
    (void)state;
    open_failing(&f);
    OK(haly_event_create(f.context, NULL, &event));
    OK(haly_malloc_async(f.one, 64, NULL, &a));
    assert_int_equal(haly_fill(f.two, a, &zero, 1, 64), HALY_ERR_INVALID);
    layer_line_has(&f, "race: fill", "haly_malloc_async", "allocates", NULL);
    OK(haly_event_record(event, f.one));
    OK(haly_stream_wait(f.two, event));
    OK(haly_fill(f.two, a, &zero, 1, 64));
    haly_event_release(event);
    layer_close(&f);
}

static void freeing_in_a_stream_needs_the_others_in_front(void **state)
{
    struct layer_fixture f;
    void *a = NULL;
    (void)state;
    open_failing(&f);
    OK(haly_malloc(f.context, 64, NULL, &a));
    OK(haly_fill(f.two, a, &zero, 1, 64));
    assert_int_equal(haly_free_async(f.one, a), HALY_ERR_INVALID);
    layer_line_has(&f, "free: fill (stream", "\"two\", command 1)", "nothing orders it", NULL);
    OK(haly_memory_used_on(f.two, a)); /* says so, and the free waits */
    OK(haly_free_async(f.one, a));
    OK(haly_malloc(f.context, 64, NULL, &a));
    OK(haly_fill(f.two, a, &zero, 1, 64));
    OK(haly_free(f.context, a)); /* waits for everything */
    assert_int_equal(f.log.errors, 1);
    layer_close(&f);
}

static void pinned_memory_is_freed_once_the_host_has_waited(void **state)
{
    struct layer_fixture f;
    void *pinned = NULL;
    (void)state;
    open_failing(&f);
    void *a = layer_memory(&f, 64);
    OK(haly_host_alloc(f.context, 64, &pinned));
    OK(haly_copy(f.one, pinned, a, 64));
    assert_int_equal(haly_host_free(f.context, pinned), HALY_ERR_INVALID);
    layer_line_has(&f, "free: copy", "the host has not waited", NULL);
    OK(haly_stream_sync(f.one, 20 * SECOND));
    OK(haly_host_free(f.context, pinned));
    layer_close(&f);
}

/* ---- graphs ---- */

static haly_graph *capture_work(struct layer_fixture *f, void *a, void *b)
{
    haly_graph *graph = NULL;
    OK(haly_op_add(f->one, haly_f32_1d(b, 16), haly_f32_1d(a, 16), haly_f32_1d(a, 16))); /* the plan */
    OK(haly_stream_capture_begin(f->one));
    OK(haly_copy(f->one, b, a, 64));
    OK(haly_op_add(f->one, haly_f32_1d(b, 16), haly_f32_1d(a, 16), haly_f32_1d(a, 16)));
    OK(haly_stream_capture_end(f->one, &graph));
    return graph;
}

static void a_graph_replays_over_memory_that_is_there(void **state)
{
    struct layer_fixture f;
    void *own = NULL;
    (void)state;
    open_failing(&f);
    haly_graph *graph = capture_work(&f, layer_memory(&f, 64), layer_memory(&f, 64)), *second = NULL;
    for (int i = 0; i < 5; i++)
        OK(haly_graph_launch(i % 2 == 0 ? f.one : f.two, graph)); /* launches are ordered among themselves */
    OK(haly_stream_capture_begin(f.one));
    OK(haly_malloc_async(f.one, 64, NULL, &own));
    OK(haly_fill(f.one, own, &zero, 1, 64));
    OK(haly_free_async(f.one, own));
    OK(haly_malloc_async(f.one, 64, NULL, &own));
    OK(haly_fill(f.one, own, &zero, 1, 64));
    OK(haly_stream_capture_end(f.one, &second));
    for (int i = 0; i < 3; i++)
        OK(haly_graph_launch(i % 2 == 0 ? f.one : f.two, second));
    haly_graph_release(graph);
    haly_graph_release(second);
    expect_clean(&f);
}

static void replaying_over_freed_memory_is_found(void **state)
{
    struct layer_fixture f;
    haly_error error = {HALY_ERROR_INIT};
    (void)state;
    for (uint32_t movable = 0; movable < 2; movable++) {
        layer_open(&f, "validate", "fail", movable != 0 ? HALY_CONTEXT_MOVABLE : 0);
        void *a = layer_memory(&f, 64);
        haly_graph *graph = capture_work(&f, a, layer_memory(&f, 64));
        OK(haly_graph_launch(f.one, graph));
        OK(haly_stream_sync(f.one, 20 * SECOND));
        OK(haly_free(f.context, a));
        assert_int_equal(haly_graph_launch(f.one, graph), HALY_ERR_INVALID);
        OK(haly_error_last(&error));
        assert_non_null(strstr(error.message, "graph: copy at"));
        assert_non_null(strstr(error.message, "was freed since"));
        assert_int_equal(layer_lines(&f, "graph: Add: input 0"), 1);
        assert_ptr_equal(layer_memory(&f, 64), a); /* the cache gives it to somebody else */
        assert_int_equal(haly_graph_launch(f.one, graph), HALY_ERR_INVALID);
        OK(haly_error_last(&error));
        assert_non_null(strstr(error.message, "was freed since, and is part of the allocation of 64 bytes"));
        haly_graph_release(graph);
        layer_close(&f);
    }
}

static void a_graph_that_launches_kernels_is_checked_as_well(void **state)
{
    struct layer_fixture f;
    haly_graph *graph = NULL;
    float factor = 2;
    uint32_t n = 16;
    (void)state;
    open_failing(&f);
    haly_kernel *kernel = layer_kernel(&f, "scale");
    float *x = layer_memory(&f, 64), *y = layer_memory(&f, 64);
    OK(haly_stream_capture_begin(f.one));
    OK(haly_launch_1d(f.one, kernel, n, 0, HALY_ARGS(x, y, factor, n)));
    OK(haly_stream_capture_end(f.one, &graph));
    OK(haly_graph_launch(f.one, graph));
    OK(haly_free(f.context, y));
    assert_int_equal(haly_graph_launch(f.one, graph), HALY_ERR_INVALID);
    layer_line_has(&f, "graph: scale: argument 1", "was freed since", NULL);
    haly_graph_release(graph);
    haly_kernel_release(kernel);
    layer_close(&f);
}

static void an_updated_graph_is_judged_by_its_new_addresses(void **state)
{
    struct layer_fixture f;
    haly_graph *graph = NULL;
    (void)state;
    open_failing(&f);
    void *a = layer_memory(&f, 64);
    OK(haly_stream_capture_begin(f.one));
    OK(haly_fill(f.one, a, &zero, 1, 64));
    OK(haly_stream_capture_end(f.one, &graph));
    OK(haly_free(f.context, a));
    assert_int_equal(haly_graph_launch(f.one, graph), HALY_ERR_INVALID);
    a = layer_memory(&f, 64);
    OK(haly_graph_update_begin(graph, f.one, 0));
    OK(haly_fill(f.one, a, &zero, 1, 64));
    OK(haly_graph_update_end(f.one));
    OK(haly_graph_launch(f.one, graph));
    haly_graph_release(graph);
    layer_close(&f);
}

/* ---- threads and host calls ---- */

static void *submit_beside(void *user)
{
    struct layer_fixture *f = user;
    void *a = NULL;
    OK(haly_malloc(f->context, 64, NULL, &a));
    OK(haly_fill(f->two, a, &zero, 1, 64));
    return NULL;
}

/* Called in the middle of a submit to stream two. */
static void let_another_thread_submit(void *user)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, submit_beside, user), 0);
    pthread_join(thread, NULL);
}

static void two_threads_in_one_stream_are_found(void **state)
{
    struct layer_fixture f;
    (void)state;
    open_reporting(&f);
    void *a = layer_memory(&f, 64);
    f.log.on_error = let_another_thread_submit;
    f.log.user = &f;
    OK(haly_fill(f.one, a, &zero, 1, 64));
    OK(haly_fill(f.two, a, &zero, 1, 64));
    assert_int_equal(layer_lines(&f, "thread: two threads submit to one stream"), 1);
    OK(haly_fill(f.two, layer_memory(&f, 64), &zero, 1, 64));
    assert_int_equal(layer_lines(&f, "thread: "), 1);
    layer_close(&f);
}

static haly_status call_back(void *user, haly_status status)
{
    struct layer_fixture *f = user;
    (void)status;
    haly_stream_retain(f->two);
    haly_stream_release(f->two);
    return haly_stream_query(f->two) == HALY_ERR_INVALID ? HALY_OK : HALY_ERR_INTERNAL;
}

static void a_host_call_that_calls_halyard_is_found(void **state)
{
    struct layer_fixture f;
    (void)state;
    open_failing(&f);
    OK(haly_host_call(f.one, call_back, &f));
    OK(haly_stream_sync(f.one, 20 * SECOND));
    assert_int_equal(layer_lines(&f, "host call: haly_stream_query is called from inside a host call"), 1);
    assert_int_equal(layer_lines(&f, "host call: haly_stream_retain"), 1);
    layer_close(&f);
}

/* ---- leaks ---- */

static void what_is_left_behind_is_listed_with_its_name(void **state)
{
    static struct layer_fixture f; /* may be logged to until the context has ended */
    haly_event *event = NULL, *released = NULL;
    haly_kernel *kernel;
    (void)state;
    open_reporting(&f);
    void *a = layer_memory(&f, 1000), *b = layer_memory(&f, 64), *c = NULL;
    OK(haly_memory_describe(f.context, a, &(haly_memory_description){HALY_MEMORY_DESCRIPTION_INIT, .name = "cache"}));
    OK(haly_malloc(f.context, 64, &(haly_memory_desc){HALY_MEMORY_DESC_INIT, .flags = HALY_MEMORY_ZERO}, &c));
    OK(haly_free(f.context, c));
    OK(haly_free(f.context, b));
    OK(haly_event_create(f.context, NULL, &event));
    OK(haly_event_create(f.context, NULL, &released));
    haly_event_release(released);
    kernel = layer_kernel(&f, "scale");
    OK(haly_op_add(f.one, haly_f32_1d(a, 16), haly_f32_1d(a, 16), haly_f32_1d(a, 16))); /* kernels of the core's own */
    haly_stream_release(f.one);
    OK(haly_context_sync(f.context, 20 * SECOND));
    assert_int_equal(f.log.errors + f.log.infos, 0);
    haly_instance_release(f.instance);
    assert_int_equal(layer_lines(&f, "leak: instance"), 1);
    layer_line_has(&f, "its program still holds context", "made at", NULL);
    haly_context_release(f.context);
    /* stream two, the event, the kernel with its module, and the memory */
    assert_int_equal(f.log.infos, 6);
    assert_int_equal(layer_lines(&f, "leak: context"), 5);
    layer_line_has(&f, "device memory, 1000 bytes \"cache\", made at", NULL);
    assert_int_equal(f.log.errors, 0);
    (void)kernel;
}

static void nothing_left_behind_is_nothing_to_say(void **state)
{
    static struct layer_fixture f; /* may be logged to until the context has ended */
    (void)state;
    open_reporting(&f);
    haly_stream_release(f.one);
    haly_stream_release(f.two);
    haly_context_release(f.context);
    haly_instance_release(f.instance);
    assert_int_equal(f.log.errors + f.log.infos, 0);
}

/* ---- processes and switching on ---- */

static void a_forked_child_starts_afresh(void **state)
{
    struct layer_fixture f, own;
    int status = 0;
    (void)state;
    open_failing(&f);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (haly_stream_sync(f.one, 0) != HALY_ERR_FORKED)
            _exit(1);
        open_failing(&own);
        void *a = layer_memory(&own, 64);
        if (haly_fill(own.one, a, &zero, 1, 64) != HALY_OK || haly_fill(own.two, a, &zero, 1, 64) != HALY_ERR_INVALID)
            _exit(2);
        if (haly_stream_sync(f.one, 0) != HALY_ERR_FORKED || haly_event_sync((haly_event *)own.one, 0) == HALY_OK)
            _exit(3);
        layer_close(&own);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    OK(haly_stream_sync(f.one, SECOND));
    expect_clean(&f);
}

/* An instance that came first, and has no layer, goes on as before. */
static void instances_without_the_layer_are_left_alone(void **state)
{
    struct layer_fixture plain, f;
    haly_stream *third = NULL;
    (void)state;
    layer_open(&plain, "", "fail", 0);
    open_failing(&f);
    void *a = layer_memory(&plain, 64);
    OK(haly_fill(plain.one, a, &zero, 1, 64));
    OK(haly_fill(plain.two, a, &zero, 1, 64));
    OK(haly_stream_create(plain.context, NULL, &third));
    haly_stream_release(third);
    OK(haly_stream_sync(plain.one, 20 * SECOND));
    layer_close(&f);
    assert_int_equal(plain.log.errors + f.log.errors, 0);
    layer_close(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instances_without_the_layer_are_left_alone),
        cmocka_unit_test(memory_of_a_stream_is_used_elsewhere_behind_an_event_only),
        cmocka_unit_test(freeing_in_a_stream_needs_the_others_in_front),
        cmocka_unit_test(pinned_memory_is_freed_once_the_host_has_waited),
        cmocka_unit_test(a_graph_replays_over_memory_that_is_there),
        cmocka_unit_test(replaying_over_freed_memory_is_found),
        cmocka_unit_test(a_graph_that_launches_kernels_is_checked_as_well),
        cmocka_unit_test(an_updated_graph_is_judged_by_its_new_addresses),
        cmocka_unit_test(two_threads_in_one_stream_are_found),
        cmocka_unit_test(a_host_call_that_calls_halyard_is_found),
        cmocka_unit_test(what_is_left_behind_is_listed_with_its_name),
        cmocka_unit_test(nothing_left_behind_is_nothing_to_say),
        cmocka_unit_test(a_forked_child_starts_afresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
