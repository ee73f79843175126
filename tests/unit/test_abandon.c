/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs to an abandoned context can be released, and nothing of it reaches the backend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "inline_backend.h"

struct objects {
    haly_stream *stream;
    haly_event *event;
    haly_module *module;
    haly_kernel *kernel;
    haly_plan *plan;
    haly_graph *graph;
    void *memory;
};

static void make_plan(haly_context *context, haly_plan **out_plan)
{
    const haly_tensor tensor = haly_f32_1d(NULL, 64);
    const haly_tensor inputs[2] = {tensor, tensor};
    const haly_op_desc desc = {HALY_OP_DESC_INIT,
                               .name = "Add",
                               .inputs = inputs,
                               .input_count = 2,
                               .outputs = &tensor,
                               .output_count = 1,
                               .tensor_size = sizeof tensor};
    assert_int_equal(haly_plan_create(context, &desc, out_plan), HALY_OK);
}

static void make_objects(haly_context *context, struct objects *made)
{
    const haly_module_desc desc = {HALY_MODULE_DESC_INIT, .format = HALY_MODULE_OPERATORS};
    assert_int_equal(haly_stream_create(context, NULL, &made->stream), HALY_OK);
    assert_int_equal(haly_event_create(context, NULL, &made->event), HALY_OK);
    assert_int_equal(haly_event_record(made->event, made->stream), HALY_OK);
    assert_int_equal(haly_stream_sync(made->stream, HALY_FOREVER), HALY_OK);
    assert_int_equal(haly_module_load(context, &desc, &made->module), HALY_OK);
    assert_int_equal(haly_kernel_get(made->module, "copy_4", &made->kernel), HALY_OK);
    assert_int_equal(haly_malloc(context, 64, NULL, &made->memory), HALY_OK);
    make_plan(context, &made->plan);
    assert_int_equal(haly_stream_capture_begin(made->stream), HALY_OK);
    assert_int_equal(haly_event_record(made->event, made->stream), HALY_OK);
    assert_int_equal(haly_stream_capture_end(made->stream, &made->graph), HALY_OK);
}

static void releasing_what_an_abandoned_context_held_calls_no_backend(void **state)
{
    (void)state;
    struct inline_backend backend;
    struct objects objects = {0}, unused = {0};
    inline_backend_start(&backend);
    backend.plan_status = HALY_OK;
    haly_context *context = inline_context_open();
    make_objects(context, &objects);
    make_objects(context, &unused); /* left to the context */
    assert_int_equal(haly_context_abandon(context), HALY_OK);
    assert_true(backend.is_abandoned);
    haly_free(context, objects.memory);
    haly_graph_release(objects.graph);
    haly_plan_release(objects.plan);
    haly_kernel_release(objects.kernel);
    haly_module_release(objects.module);
    haly_event_release(objects.event);
    haly_stream_release(objects.stream);
    haly_context_release(context);
    assert_int_equal(backend.late_calls, 0);
    inline_backend_stop();
}

static void releasing_what_an_ordinary_context_held_ends_it(void **state)
{
    (void)state;
    struct inline_backend backend;
    struct objects objects = {0};
    inline_backend_start(&backend);
    backend.plan_status = HALY_OK;
    haly_context *context = inline_context_open();
    make_objects(context, &objects);
    backend.is_abandoned = true; /* so that what is ended is counted */
    haly_module_release(objects.module);
    assert_int_equal(backend.late_calls, 0); /* its kernel keeps it */
    haly_kernel_release(objects.kernel);
    assert_int_equal(backend.late_calls, 2);
    haly_plan_release(objects.plan);
    assert_int_equal(backend.late_calls, 3);
    haly_graph_release(objects.graph);
    haly_event_release(objects.event);
    haly_stream_release(objects.stream);
    assert_int_equal(backend.late_calls, 4);
    haly_context_release(context);
    assert_int_equal(backend.late_calls, 6); /* the memory's segment, and the pooled event */
    inline_backend_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(releasing_what_an_abandoned_context_held_calls_no_backend),
        cmocka_unit_test(releasing_what_an_ordinary_context_held_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
