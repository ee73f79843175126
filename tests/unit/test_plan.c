/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: which path they take, what a run refuses, how often it submits, and what the cache of eager plans does. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "inline_backend.h"

struct fixture {
    struct inline_backend backend;
    haly_context *context;
    haly_stream *stream;
    float *memory; /* one allocation */
};
#define MEMORY_FLOATS 4096

static struct fixture fixture;

static void open_context(void)
{
    fixture.context = inline_context_open();
    assert_int_equal(haly_stream_create(fixture.context, NULL, &fixture.stream), HALY_OK);
    assert_int_equal(haly_malloc(fixture.context, MEMORY_FLOATS * sizeof(float), NULL, (void **)&fixture.memory),
                     HALY_OK);
}

static int set_up(void **state)
{
    (void)state;
    memset(&fixture, 0, sizeof fixture);
    inline_backend_start(&fixture.backend);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (fixture.context != NULL) {
        haly_stream_release(fixture.stream);
        haly_context_release(fixture.context);
    }
    inline_backend_stop();
    return 0;
}

static void assert_refused(haly_status status, haly_status expected, const char *fragment)
{
    haly_error error = {HALY_ERROR_INIT};
    haly_error_last(&error);
    if (status != expected || strstr(error.message, fragment) == NULL)
        fail_msg("%s \"%s\", expected %s and \"%s\"", haly_status_name(status), error.message,
                 haly_status_name(expected), fragment);
}

static haly_op_desc add_desc(haly_tensor tensors[3], uint32_t flags)
{
    return (haly_op_desc){HALY_OP_DESC_INIT,      .name = "Add",     .inputs = tensors, .input_count = 2,
                          .outputs = tensors + 2, .output_count = 1, .flags = flags};
}

static haly_plan *add_plan(int64_t n, uint32_t flags)
{
    haly_tensor tensors[3] = {haly_f32_1d(NULL, n), haly_f32_1d(NULL, n), haly_f32_1d(NULL, n)};
    const haly_op_desc desc = add_desc(tensors, flags);
    haly_plan *plan = NULL;
    const haly_status status = haly_plan_create(fixture.context, &desc, &plan);
    if (status != HALY_OK)
        haly_error_print(stderr);
    assert_int_equal(status, HALY_OK);
    return plan;
}

static haly_status run(haly_plan *plan, void *a, void *b, void *c)
{
    void *const addresses[3] = {a, b, c};
    return haly_plan_run(fixture.stream, plan, addresses, 3, NULL, 0);
}

static void a_lowered_plan_computes_and_says_so(void **state)
{
    (void)state;
    open_context();
    haly_plan *plan = add_plan(100, 0);
    haly_plan_info info = {HALY_PLAN_INFO_INIT};
    float *m = fixture.memory;
    for (int i = 0; i < 200; i++)
        m[i] = (float)i;
    assert_int_equal(haly_plan_info_get(plan, &info), HALY_OK);
    assert_string_equal(info.path, "kernels/elementwise_binary_f32");
    assert_true(info.lowered == 1 && info.command_count == 1 && info.address_count == 3 && info.value_count == 0);
    assert_int_equal(info.version, 14);
    assert_int_equal(run(plan, m, m + 100, m + 200), HALY_OK);
    assert_int_equal(fixture.backend.launches, 1);
    for (int i = 0; i < 100; i++)
        assert_true(m[200 + i] == (float)(2 * i + 100));
    haly_plan_release(plan);
}

static void a_native_plan_is_preferred_unless_the_flags_say_otherwise(void **state)
{
    (void)state;
    fixture.backend.plan_status = HALY_OK;
    open_context();
    haly_plan *native = add_plan(8, 0), *lowered = add_plan(8, HALY_OP_LOWERED);
    haly_plan_info info = {HALY_PLAN_INFO_INIT};
    float *m = fixture.memory;
    assert_int_equal(haly_plan_info_get(native, &info), HALY_OK);
    assert_string_equal(info.path, "inline/own path");
    assert_int_equal(info.lowered, 0);
    assert_int_equal(run(native, m, m + 8, m + 16), HALY_OK);
    assert_true(fixture.backend.ops == 1 && fixture.backend.launches == 0);
    assert_ptr_equal(fixture.backend.last_addresses[2], m + 16);
    assert_null(fixture.backend.last_workspace);
    assert_int_equal(run(lowered, m, m + 8, m + 16), HALY_OK);
    assert_true(fixture.backend.ops == 1 && fixture.backend.launches == 1);
    assert_int_equal(fixture.backend.plans_alive, 1);
    haly_plan_release(native);
    haly_plan_release(lowered);
    assert_int_equal(fixture.backend.plans_alive, 0);
}

static void a_workspace_is_given_and_taken_back(void **state)
{
    (void)state;
    fixture.backend.plan_status = HALY_OK;
    fixture.backend.workspace_bytes = 1000;
    open_context();
    haly_memory_stats before = {HALY_MEMORY_STATS_INIT}, after = {HALY_MEMORY_STATS_INIT};
    haly_plan *plan = add_plan(8, HALY_OP_NATIVE);
    assert_int_equal(haly_memory_stats_get(fixture.context, &before), HALY_OK);
    assert_int_equal(run(plan, fixture.memory, fixture.memory + 8, fixture.memory + 16), HALY_OK);
    assert_non_null(fixture.backend.last_workspace);
    assert_int_equal(haly_memory_stats_get(fixture.context, &after), HALY_OK);
    assert_int_equal(after.allocation_count, before.allocation_count);
    haly_plan_release(plan);
}

static void what_neither_path_can_do_has_both_reasons(void **state)
{
    (void)state;
    fixture.backend.capabilities &= ~(uint64_t)(HALY_CAP_OPERATOR_KERNELS | HALY_CAP_KERNELS);
    open_context();
    haly_tensor tensors[3] = {haly_f32_1d(NULL, 8), haly_f32_1d(NULL, 8), haly_f32_1d(NULL, 8)};
    haly_op_desc desc = add_desc(tensors, 0);
    haly_plan *plan = NULL;
    assert_refused(haly_plan_create(fixture.context, &desc, &plan), HALY_ERR_UNSUPPORTED, "no operator kernels");
    assert_refused(haly_op_supported(fixture.context, &desc, NULL), HALY_ERR_UNSUPPORTED,
                   "the inline backend has none");
    desc.flags = HALY_OP_NATIVE;
    assert_refused(haly_plan_create(fixture.context, &desc, &plan), HALY_ERR_UNSUPPORTED,
                   "the inline backend has none");
    assert_null(plan);
}

static void a_failure_of_the_backend_is_not_papered_over(void **state)
{
    (void)state;
    fixture.backend.plan_status = HALY_ERR_DEVICE_OOM;
    open_context();
    haly_tensor tensors[3] = {haly_f32_1d(NULL, 8), haly_f32_1d(NULL, 8), haly_f32_1d(NULL, 8)};
    const haly_op_desc desc = add_desc(tensors, 0);
    haly_plan *plan = NULL;
    assert_int_equal(haly_plan_create(fixture.context, &desc, &plan), HALY_ERR_DEVICE_OOM);
}

static void a_type_the_device_does_not_store_is_named(void **state)
{
    (void)state;
    fixture.backend.storage_dtypes = UINT64_C(1) << HALY_F16;
    open_context();
    haly_tensor tensors[3] = {haly_f32_1d(NULL, 8), haly_f32_1d(NULL, 8), haly_f32_1d(NULL, 8)};
    const haly_op_desc desc = add_desc(tensors, 0);
    assert_refused(haly_op_supported(fixture.context, &desc, NULL), HALY_ERR_UNSUPPORTED,
                   "input 0 (A) is f32, which device inline:0");
}

static void a_kernel_the_device_lacks_is_named(void **state)
{
    (void)state;
    fixture.backend.hides_kernels = true;
    open_context();
    haly_tensor x = haly_f32_1d(NULL, 8);
    const haly_op_desc desc = {HALY_OP_DESC_INIT, .name = "Identity", .inputs = &x,
                               .input_count = 1,  .outputs = &x,      .output_count = 1};
    assert_refused(haly_op_supported(fixture.context, &desc, NULL), HALY_ERR_UNSUPPORTED, "no \"copy_4\"");
}

static void addresses_are_checked_before_anything_is_queued(void **state)
{
    (void)state;
    open_context();
    haly_plan *plan = add_plan(100, 0);
    float *m = fixture.memory, *past_end = m + MEMORY_FLOATS - 99;
    void *const addresses[4] = {m, m, m + 100, m};
    assert_refused(run(plan, NULL, m, m + 100), HALY_ERR_INVALID, "Add: input 0 (A) is NULL");
    assert_refused(run(plan, m, (char *)m + 2, m + 200), HALY_ERR_INVALID, "input 1 (B) is at");
    assert_refused(run(plan, m, m + 200, past_end), HALY_ERR_INVALID, "Add: output 0 (C)");
    assert_refused(run(plan, m, m + 200, m - 1), HALY_ERR_INVALID, "");
    assert_refused(haly_plan_run(fixture.stream, plan, addresses, 4, NULL, 0), HALY_ERR_INVALID, "takes 3 addresses");
    assert_refused(haly_plan_run(fixture.stream, plan, NULL, 3, NULL, 0), HALY_ERR_INVALID, "addresses");
    assert_refused(haly_plan_run(fixture.stream, NULL, addresses, 3, NULL, 0), HALY_ERR_INVALID, "NULL");
    assert_int_equal(haly_free_async(fixture.stream, m), HALY_OK);
    assert_refused(run(plan, m, m + 100, m + 200), HALY_ERR_INVALID, "input 0 (A)");
    assert_int_equal(fixture.backend.submits, 0);
    haly_plan_release(plan);
}

static void memory_of_elsewhere_is_refused(void **state)
{
    (void)state;
    float host[300] = {0};
    fixture.backend.capabilities &= ~(uint64_t)HALY_CAP_NATIVE_ADDRESSES;
    open_context();
    haly_plan *plan = add_plan(100, 0);
    float *m = fixture.memory, *other = NULL;
    haly_context *second = inline_context_open();
    assert_int_equal(haly_malloc(second, 400, NULL, (void **)&other), HALY_OK);
    assert_refused(run(plan, host, m, m + 200), HALY_ERR_INVALID, "not device memory of the context");
    assert_refused(run(plan, m, other, m + 200), HALY_ERR_INVALID, "of another context");
    haly_stream *stream = NULL;
    void *const addresses[3] = {m, m, m + 200};
    assert_int_equal(haly_stream_create(second, NULL, &stream), HALY_OK);
    assert_refused(haly_plan_run(stream, plan, addresses, 3, NULL, 0), HALY_ERR_INVALID, "the plan belongs to context");
    haly_stream_release(stream);
    haly_context_release(second);
    haly_plan_release(plan);
}

static void addresses_are_translated_for_the_device(void **state)
{
    (void)state;
    float values[200], sums[100];
    fixture.backend.capabilities &= ~(uint64_t)HALY_CAP_NATIVE_ADDRESSES;
    open_context();
    haly_plan *plan = add_plan(100, 0);
    for (int i = 0; i < 200; i++)
        values[i] = (float)i;
    assert_int_equal(haly_copy(fixture.stream, fixture.memory, values, sizeof values), HALY_OK);
    assert_int_equal(run(plan, fixture.memory, fixture.memory + 100, fixture.memory + 200), HALY_OK);
    assert_int_equal(haly_copy(fixture.stream, sums, fixture.memory + 200, sizeof sums), HALY_OK);
    assert_int_equal(haly_stream_sync(fixture.stream, HALY_FOREVER), HALY_OK);
    for (int i = 0; i < 100; i++)
        assert_true(sums[i] == (float)(2 * i + 100));
    haly_plan_release(plan);
}

static void outputs_may_be_inputs_exactly_or_not_at_all(void **state)
{
    (void)state;
    open_context();
    haly_plan *plan = add_plan(100, 0);
    float *m = fixture.memory;
    assert_int_equal(run(plan, m, m + 100, m), HALY_OK);
    assert_int_equal(run(plan, m, m + 100, m + 100), HALY_OK);
    assert_int_equal(run(plan, m, m, m), HALY_OK);
    assert_int_equal(run(plan, m, m + 50, m + 200), HALY_OK); /* inputs may overlap */
    assert_refused(run(plan, m, m + 200, m + 50), HALY_ERR_INVALID, "output 0 (C) overlaps input 0 (A)");
    assert_refused(run(plan, m + 200, m + 49, m), HALY_ERR_INVALID, "overlaps input 1 (B)");
    haly_plan_release(plan);
}

static void columns_of_one_matrix_do_not_overlap(void **state)
{
    (void)state;
    open_context();
    float *m = fixture.memory;
    haly_tensor left = haly_f32_2d(m, 4, 8), right = haly_f32_2d(m + 8, 4, 8);
    left.strides[0] = right.strides[0] = 16;
    assert_int_equal(haly_op_unary(fixture.stream, "Neg", right, left), HALY_OK);
    right.data = m + 7;
    assert_refused(haly_op_unary(fixture.stream, "Neg", right, left), HALY_ERR_INVALID, "overlaps");
}

static void broadcast_inputs_are_not_the_output(void **state)
{
    (void)state;
    open_context();
    float *m = fixture.memory;
    haly_tensor row = haly_f32_1d(m, 8), all = haly_f32_2d(m + 100, 4, 8);
    assert_int_equal(haly_op_add(fixture.stream, all, all, row), HALY_OK);
    row.data = m + 100;
    assert_refused(haly_op_add(fixture.stream, all, all, row), HALY_ERR_INVALID, "overlaps input 1 (B)");
}

/* B = 2, S = 1, two query heads on one key head, D = 8, C = 4. */
struct attention {
    haly_tensor inputs[5], output;
    haly_op_desc desc;
    void *addresses[6];
};

static void attention_make(struct attention *attention)
{
    float *m = fixture.memory;
    memset(m, 0, MEMORY_FLOATS * sizeof *m);
    attention->inputs[0] = haly_tensor_4d(HALY_F32, m, 2, 1, 2, 8);
    attention->inputs[1] = haly_tensor_4d(HALY_F32, m + 100, 2, 1, 1, 8);
    attention->inputs[2] = haly_tensor_4d(HALY_F32, m + 200, 2, 1, 1, 8);
    attention->inputs[3] = haly_tensor_4d(HALY_F32, m + 300, 2, 1, 4, 8);
    attention->inputs[4] = haly_tensor_4d(HALY_F32, m + 400, 2, 1, 4, 8);
    attention->output = haly_tensor_4d(HALY_F32, m + 500, 2, 1, 2, 8);
    attention->desc = (haly_op_desc){
        HALY_OP_DESC_INIT, .domain = "halyard",           .name = "CachedAttention", .inputs = attention->inputs,
        .input_count = 5,  .outputs = &attention->output, .output_count = 1};
    for (size_t i = 0; i < 6; i++)
        attention->addresses[i] = m + 100 * i;
}

static void host_values_are_counted_and_bounded(void **state)
{
    (void)state;
    open_context();
    struct attention a;
    haly_plan *plan = NULL;
    haly_plan_info info = {HALY_PLAN_INFO_INIT};
    const int64_t good[2] = {3, 3}, negative = -1, far = 4;
    attention_make(&a);
    assert_int_equal(haly_plan_create(fixture.context, &a.desc, &plan), HALY_OK);
    assert_int_equal(haly_plan_info_get(plan, &info), HALY_OK);
    assert_true(info.value_count == 2 && info.command_count == 2);
    assert_refused(haly_plan_run(fixture.stream, plan, a.addresses, 6, NULL, 0), HALY_ERR_INVALID,
                   "takes 2 host values, or one for all, and 0 are given");
    assert_refused(haly_plan_run(fixture.stream, plan, a.addresses, 6, good, 3), HALY_ERR_INVALID, "3 are given");
    assert_refused(haly_plan_run(fixture.stream, plan, a.addresses, 6, NULL, 2), HALY_ERR_INVALID, "NULL");
    assert_refused(haly_plan_run(fixture.stream, plan, a.addresses, 6, &negative, 1), HALY_ERR_INVALID,
                   "is -1, expected 0 .. 3");
    assert_refused(haly_plan_run(fixture.stream, plan, a.addresses, 6, &far, 1), HALY_ERR_INVALID, "is 4");
    assert_int_equal(fixture.backend.submits, 0);
    assert_int_equal(haly_plan_run(fixture.stream, plan, a.addresses, 6, good, 1), HALY_OK);
    assert_int_equal(haly_plan_run(fixture.stream, plan, a.addresses, 6, good, 2), HALY_OK);
    assert_true(fixture.backend.launches == 4 && fixture.backend.submits == 2);
    a.addresses[5] = a.addresses[3];
    assert_refused(haly_plan_run(fixture.stream, plan, a.addresses, 6, good, 1), HALY_ERR_INVALID, "overlaps");
    haly_plan_release(plan);
}

static void host_values_that_differ_reach_their_own_sequence(void **state)
{
    (void)state;
    open_context();
    struct attention a;
    const int64_t past[2] = {0, 2};
    attention_make(&a);
    float *k = fixture.memory + 100, *k_cache = fixture.memory + 300;
    for (int i = 0; i < 16; i++)
        k[i] = (float)(i + 1);
    a.desc.host_values = past;
    a.desc.value_count = 2;
    assert_int_equal(haly_op_run(fixture.stream, &a.desc), HALY_OK);
    assert_true(fixture.backend.launches == 4 && fixture.backend.submits == 1);
    for (int row = 0; row < 8; row++)
        for (int d = 0; d < 8; d++)
            assert_true(k_cache[row * 8 + d] == (row == 0 ? k[d] : row == 6 ? k[8 + d] : 0));
}

static void a_native_plan_gets_one_host_value_for_each_sequence(void **state)
{
    (void)state;
    fixture.backend.plan_status = HALY_OK;
    open_context();
    struct attention a;
    const int64_t past = 3;
    attention_make(&a);
    a.desc.host_values = &past;
    a.desc.value_count = 1;
    assert_int_equal(haly_op_run(fixture.stream, &a.desc), HALY_OK);
    assert_int_equal(fixture.backend.last_value_count, 2);
    assert_true(fixture.backend.last_values[0] == 3 && fixture.backend.last_values[1] == 3);
}

static void outputs_without_elements_queue_nothing(void **state)
{
    (void)state;
    open_context();
    haly_tensor empty = haly_f32_2d(NULL, 0, 8);
    assert_int_equal(haly_op_unary(fixture.stream, "Neg", empty, empty), HALY_OK);
    assert_int_equal(fixture.backend.submits, 0);
    float *m = fixture.memory;
    m[0] = 1;
    assert_int_equal(
        haly_op_matmul(fixture.stream, haly_f32_2d(m, 2, 2), haly_f32_2d(NULL, 2, 0), haly_f32_2d(NULL, 0, 2)),
        HALY_OK);
    assert_int_equal(fixture.backend.launches, 1);
    assert_true(m[0] == 0); /* a sum over nothing */
}

static void a_native_plan_is_not_run_for_nothing(void **state)
{
    (void)state;
    fixture.backend.plan_status = HALY_OK;
    open_context();
    haly_tensor empty = haly_f32_2d(NULL, 0, 8);
    haly_plan_info info = {HALY_PLAN_INFO_INIT};
    const haly_op_desc desc = {HALY_OP_DESC_INIT, .name = "Neg",     .inputs = &empty,
                               .input_count = 1,  .outputs = &empty, .output_count = 1};
    assert_int_equal(haly_op_supported(fixture.context, &desc, &info), HALY_OK);
    assert_int_equal(info.command_count, 0);
    assert_int_equal(haly_op_run(fixture.stream, &desc), HALY_OK);
    assert_int_equal(fixture.backend.ops, 0);
}

static void eager_plans_are_made_once(void **state)
{
    (void)state;
    fixture.backend.plan_status = HALY_OK;
    open_context();
    float *m = fixture.memory;
    for (size_t round = 0; round < 3; round++) {
        haly_tensor x = haly_f32_1d(m, 8), y = haly_f32_1d(m + 8 * (round + 1), 8);
        assert_int_equal(haly_op_unary(fixture.stream, "Neg", y, x), HALY_OK);
        assert_int_equal(fixture.backend.plans_alive, 1);
    }
    haly_tensor x = haly_f32_1d(m, 8), y = haly_f32_1d(m + 8, 8);
    x.strides[0] = 2;
    y.data = m + 100;
    assert_int_equal(haly_op_unary(fixture.stream, "Neg", y, x), HALY_OK);
    assert_int_equal(fixture.backend.plans_alive, 2);
    const haly_attribute alpha[2] = {haly_attribute_float("alpha", 1), haly_attribute_float("alpha", 2)};
    x = haly_f32_1d(m, 8);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(haly_op_call(fixture.stream, "", "Swish", &x, 1, y, &alpha[i % 2], 1), HALY_OK);
    assert_int_equal(fixture.backend.plans_alive, 4);
    assert_int_equal(fixture.backend.ops, 8);
}

static void the_cache_is_bounded(void **state)
{
    (void)state;
    fixture.backend.plan_status = HALY_OK;
    open_context();
    for (int64_t n = 1; n < 2000; n++) {
        haly_tensor x = haly_f32_1d(fixture.memory, n), y = haly_f32_1d(fixture.memory + 2000, n);
        assert_int_equal(haly_op_unary(fixture.stream, "Neg", y, x), HALY_OK);
    }
    assert_int_equal(fixture.backend.ops, 1999);
    assert_in_range(fixture.backend.plans_alive, 200, 512);
    haly_stream_release(fixture.stream);
    haly_context_release(fixture.context);
    fixture.context = NULL;
    assert_int_equal(fixture.backend.plans_alive, 0);
}

static void a_capture_takes_plans_but_makes_none(void **state)
{
    (void)state;
    open_context();
    float *m = fixture.memory;
    haly_plan *plan = add_plan(8, 0);
    haly_graph *graph = NULL;
    haly_tensor x = haly_f32_1d(m, 8), y = haly_f32_1d(m + 24, 8);
    for (int i = 0; i < 32; i++)
        m[i] = 1;
    assert_int_equal(haly_stream_capture_begin(fixture.stream), HALY_OK);
    assert_refused(haly_op_unary(fixture.stream, "Neg", y, x), HALY_ERR_CAPTURING, "plan");
    assert_int_equal(run(plan, m, m + 8, m + 16), HALY_OK);
    assert_int_equal(haly_stream_capture_end(fixture.stream, &graph), HALY_OK);
    haly_plan_release(plan);
    assert_int_equal(fixture.backend.launches, 0);
    assert_int_equal(haly_op_unary(fixture.stream, "Neg", y, x), HALY_OK); /* now it is in the cache */
    haly_graph *second = NULL;
    assert_int_equal(haly_stream_capture_begin(fixture.stream), HALY_OK);
    assert_int_equal(haly_op_unary(fixture.stream, "Neg", y, x), HALY_OK);
    assert_int_equal(haly_stream_capture_end(fixture.stream, &second), HALY_OK);
    assert_int_equal(fixture.backend.launches, 1);
    assert_int_equal(haly_graph_launch(fixture.stream, graph), HALY_OK);
    assert_int_equal(haly_graph_launch(fixture.stream, second), HALY_OK);
    assert_int_equal(fixture.backend.launches, 3);
    assert_true(m[16] == 2 && m[24] == -1);
    haly_graph_release(graph);
    haly_graph_release(second);
}

static void a_captured_plan_lives_as_long_as_its_graph(void **state)
{
    (void)state;
    fixture.backend.plan_status = HALY_OK;
    fixture.backend.workspace_bytes = 256;
    open_context();
    haly_plan *plan = add_plan(8, 0);
    haly_graph *graph = NULL;
    assert_int_equal(haly_stream_capture_begin(fixture.stream), HALY_OK);
    assert_int_equal(run(plan, fixture.memory, fixture.memory + 8, fixture.memory + 16), HALY_OK);
    assert_int_equal(haly_stream_capture_end(fixture.stream, &graph), HALY_OK);
    haly_plan_release(plan);
    assert_int_equal(fixture.backend.plans_alive, 1);
    assert_int_equal(haly_graph_launch(fixture.stream, graph), HALY_OK);
    assert_int_equal(fixture.backend.ops, 1);
    void *workspace = fixture.backend.last_workspace, *mine = NULL;
    assert_int_equal(haly_malloc_async(fixture.stream, 256, NULL, &mine), HALY_OK);
    assert_ptr_not_equal(mine, workspace); /* the graph may write to it again */
    haly_graph_release(graph);
    assert_int_equal(fixture.backend.plans_alive, 0);
}

static void asking_leaves_nothing_behind(void **state)
{
    (void)state;
    fixture.backend.plan_status = HALY_OK;
    open_context();
    haly_tensor tensors[3] = {haly_f32_1d(NULL, 8), haly_f32_1d(NULL, 8), haly_f32_1d(NULL, 8)};
    const haly_op_desc desc = add_desc(tensors, 0);
    haly_plan_info info = {HALY_PLAN_INFO_INIT};
    assert_int_equal(haly_op_supported(fixture.context, &desc, &info), HALY_OK);
    assert_string_equal(info.path, "inline/own path");
    assert_int_equal(fixture.backend.plans_alive, 0);
}

static void *make_many(void *unused)
{
    (void)unused;
    haly_status status = HALY_OK;
    for (int64_t n = 1; n < 200 && status == HALY_OK; n++) {
        haly_tensor tensors[3] = {haly_f32_1d(NULL, n), haly_f32_1d(NULL, n), haly_f32_1d(NULL, n)};
        const haly_op_desc desc = add_desc(tensors, 0);
        haly_plan *plan = NULL;
        status = haly_plan_create(fixture.context, &desc, &plan);
        haly_plan_release(plan);
    }
    return status == HALY_OK ? NULL : &fixture;
}

static void threads_may_make_plans_at_once(void **state)
{
    (void)state;
    open_context();
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_many, NULL), 0);
    for (int i = 0; i < 3; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_lowered_plan_computes_and_says_so),
        TEST(a_native_plan_is_preferred_unless_the_flags_say_otherwise),
        TEST(a_workspace_is_given_and_taken_back),
        TEST(what_neither_path_can_do_has_both_reasons),
        TEST(a_failure_of_the_backend_is_not_papered_over),
        TEST(a_type_the_device_does_not_store_is_named),
        TEST(a_kernel_the_device_lacks_is_named),
        TEST(addresses_are_checked_before_anything_is_queued),
        TEST(memory_of_elsewhere_is_refused),
        TEST(addresses_are_translated_for_the_device),
        TEST(outputs_may_be_inputs_exactly_or_not_at_all),
        TEST(columns_of_one_matrix_do_not_overlap),
        TEST(broadcast_inputs_are_not_the_output),
        TEST(host_values_are_counted_and_bounded),
        TEST(host_values_that_differ_reach_their_own_sequence),
        TEST(a_native_plan_gets_one_host_value_for_each_sequence),
        TEST(outputs_without_elements_queue_nothing),
        TEST(a_native_plan_is_not_run_for_nothing),
        TEST(eager_plans_are_made_once),
        TEST(the_cache_is_bounded),
        TEST(a_capture_takes_plans_but_makes_none),
        TEST(a_captured_plan_lives_as_long_as_its_graph),
        TEST(asking_leaves_nothing_behind),
        TEST(threads_may_make_plans_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
