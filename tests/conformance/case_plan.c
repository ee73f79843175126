/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: resolving, running, refusing, and the cache behind eager calls. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "cts_tensor.h"

/* A plan of Add over [rows, 10] in f32, or the case is unsupported. */
static haly_plan *add_plan(struct cts *t, int64_t rows, const cts_tensor *a, const cts_tensor *b, const cts_tensor *y)
{
    haly_plan *plan = NULL;
    const haly_op_desc desc = {HALY_OP_DESC_INIT, .name = "Add", HALY_INPUTS(a->view, b->view), HALY_OUTPUTS(y->view)};
    if (!cts_dtype(t, HALY_F32) ||
        (!cts_has(t, HALY_CAP_OPERATOR_KERNELS) && haly_op_supported(t->context, &desc, NULL) == HALY_ERR_UNSUPPORTED))
        cts_unsupported(t, "Add in f32 of %lld rows is not declared", (long long)rows);
    CTS_OK(haly_plan_create(t->context, &desc, &plan));
    cts_own_plan(t, plan);
    return plan;
}

struct add {
    cts_tensor a, b, y;
    haly_plan *plan;
    double *want;
};

static struct add make_add(struct cts *t, int64_t rows)
{
    struct add add;
    add.a = cts_input(t, HALY_F32, CTS_DENSE, CTS_SHAPE(rows, 10), -5, 5);
    add.b = cts_input(t, HALY_F32, CTS_DENSE, CTS_SHAPE(rows, 10), -5, 5);
    add.y = cts_output(t, HALY_F32, CTS_DENSE, CTS_SHAPE(rows, 10));
    add.plan = add_plan(t, rows, &add.a, &add.b, &add.y);
    add.want = cts_doubles(t, add.y.count);
    for (int64_t i = 0; i < add.y.count; i++)
        add.want[i] = add.a.values[i] + add.b.values[i];
    return add;
}

static haly_status run_add(struct cts *t, const struct add *add, void *a, void *b, void *y)
{
    void *const addresses[3] = {a, b, y};
    return haly_plan_run(t->stream, add->plan, addresses, 3, NULL, 0);
}

CTS_CASE_OP(operator, a_plan_runs_with_any_addresses, "PLAN-001 PLAN-002")
{
    const struct add first = make_add(t, 30);
    for (unsigned i = 0; i < 4; i++) {
        struct add other = make_add(t, 30);
        CTS_OK(run_add(t, &first, other.a.view.data, other.b.view.data, other.y.view.data));
        cts_sync(t, t->stream);
        cts_compare(t, &other.y, other.want, NULL, "", "Add");
    }
}

CTS_CASE_OP(operator, a_plan_tells_what_it_will_do, "PLAN-001")
{
    const struct add add = make_add(t, 4);
    haly_plan_info info = {HALY_PLAN_INFO_INIT}, foretold = {HALY_PLAN_INFO_INIT};
    const haly_op_desc desc = {HALY_OP_DESC_INIT, .name = "Add", HALY_INPUTS(add.a.view, add.b.view),
                               HALY_OUTPUTS(add.y.view)};
    CTS_OK(haly_plan_info_get(add.plan, &info));
    CTS_EQUAL(3, info.address_count);
    CTS_EQUAL(0, info.value_count);
    CTS_TRUE(info.command_count >= 1 && info.path[0] != '\0' && info.version >= 1 && info.lowered <= 1);
    CTS_OK(haly_op_supported(t->context, &desc, &foretold));
    CTS_EQUAL(info.lowered, foretold.lowered);
    CTS_TRUE(strcmp(info.path, foretold.path) == 0);
}

CTS_CASE_OP(operator, a_plan_does_not_keep_its_description, "PLAN-001")
{
    haly_tensor *tensors = malloc(3 * sizeof *tensors);
    char *name = malloc(8);
    haly_plan *plan = NULL;
    const struct add add = make_add(t, 4);
    struct add mine = add;
    CTS_TRUE(tensors != NULL && name != NULL);
    tensors[0] = add.a.view;
    tensors[1] = add.b.view;
    tensors[2] = add.y.view;
    memcpy(name, "Add", 4);
    const haly_op_desc desc = {HALY_OP_DESC_INIT, .name = name,           .inputs = tensors,
                               .input_count = 2,  .outputs = tensors + 2, .output_count = 1};
    CTS_OK(haly_plan_create(t->context, &desc, &plan));
    memset(tensors, 0xEE, 3 * sizeof *tensors);
    memset(name, 'x', 8);
    free(tensors);
    free(name);
    mine.plan = plan;
    CTS_OK(run_add(t, &mine, add.a.view.data, add.b.view.data, add.y.view.data));
    haly_plan_release(plan); /* the run is still queued or done: either is fine */
    cts_sync(t, t->stream);
    cts_compare(t, &mine.y, mine.want, NULL, "", "Add");
}

CTS_CASE_OP(operator, a_released_plan_finishes_its_queued_run, "PLAN-002 CTX-001")
{
    struct add add = make_add(t, 6);
    haly_plan *plan = NULL;
    const haly_op_desc desc = {HALY_OP_DESC_INIT, .name = "Add", HALY_INPUTS(add.a.view, add.b.view),
                               HALY_OUTPUTS(add.y.view)};
    CTS_OK(haly_plan_create(t->context, &desc, &plan));
    void *const addresses[3] = {add.a.view.data, add.b.view.data, add.y.view.data};
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(haly_plan_run(t->stream, plan, addresses, 3, NULL, 0));
    haly_plan_retain(plan);
    haly_plan_release(plan);
    haly_plan_release(plan);
    cts_open(t, gate);
    cts_sync(t, t->stream);
    cts_compare(t, &add.y, add.want, NULL, "", "Add");
    haly_plan_retain(NULL);
    haly_plan_release(NULL);
}

CTS_CASE_OP(operator, a_run_checks_every_address_before_it_queues, "PLAN-003 PLAN-002")
{
    struct add add = make_add(t, 4);
    char *a = add.a.view.data, *b = add.b.view.data, *y = add.y.view.data;
    void *exact = NULL;
    CTS_OK(haly_malloc(t->context, 4 * 10 * 4 - 4, NULL, &exact)); /* one element short */
    CTS_INVALID(run_add(t, &add, NULL, b, y));
    CTS_INVALID(run_add(t, &add, a, b, NULL));
    CTS_INVALID(run_add(t, &add, a + 2, b, y)); /* not a multiple of the element */
    CTS_INVALID(run_add(t, &add, a, exact, y));
    CTS_INVALID(run_add(t, &add, a, b, exact));
    CTS_INVALID(run_add(t, &add, a, b, a + 8)); /* overlaps, and not exactly */
    CTS_OK(haly_stream_query(t->stream));
    cts_expect_untouched(t, &add.y);
    CTS_OK(haly_free(t->context, exact));
}

CTS_CASE_OP(operator, a_run_refuses_memory_of_another_context_and_freed_memory, "PLAN-003")
{
    struct add add = make_add(t, 4);
    haly_context *other = cts_context(t, NULL);
    void *theirs = cts_device_in(t, other, 160), *freed = NULL;
    CTS_OK(haly_malloc(t->context, 160, NULL, &freed));
    CTS_OK(haly_free(t->context, freed));
    CTS_INVALID(run_add(t, &add, theirs, add.b.view.data, add.y.view.data));
    CTS_INVALID(run_add(t, &add, add.a.view.data, add.b.view.data, theirs));
    CTS_INVALID(run_add(t, &add, freed, add.b.view.data, add.y.view.data));
    cts_expect_untouched(t, &add.y);
}

CTS_CASE_OP(operator, a_run_wants_the_plans_number_of_addresses_and_values, "PLAN-002 PLAN-003")
{
    struct add add = make_add(t, 4);
    void *const addresses[4] = {add.a.view.data, add.b.view.data, add.y.view.data, add.y.view.data};
    const int64_t value = 1;
    CTS_INVALID(haly_plan_run(t->stream, add.plan, addresses, 2, NULL, 0));
    CTS_INVALID(haly_plan_run(t->stream, add.plan, addresses, 4, NULL, 0));
    CTS_INVALID(haly_plan_run(t->stream, add.plan, NULL, 3, NULL, 0));
    CTS_INVALID(haly_plan_run(t->stream, add.plan, addresses, 3, &value, 1));
    CTS_INVALID(haly_plan_run(t->stream, add.plan, addresses, 3, NULL, 1));
    CTS_OK(haly_stream_query(t->stream));
    cts_expect_untouched(t, &add.y);
}

CTS_CASE_OP(operator, a_plan_runs_on_streams_of_its_context_only, "PLAN-003")
{
    struct add add = make_add(t, 4);
    haly_context *other = cts_context(t, NULL);
    haly_stream *foreign = cts_stream_of(t, other);
    void *const addresses[3] = {add.a.view.data, add.b.view.data, add.y.view.data};
    CTS_INVALID(haly_plan_run(foreign, add.plan, addresses, 3, NULL, 0));
}

static haly_status try_plan(struct cts *t, const char *name, haly_tensor a, haly_tensor b, haly_tensor y)
{
    haly_plan *plan = NULL;
    const haly_op_desc desc = {HALY_OP_DESC_INIT, .name = name, HALY_INPUTS(a, b), HALY_OUTPUTS(y)};
    const haly_status status = haly_plan_create(t->context, &desc, &plan);
    CTS_TRUE((status == HALY_OK) == (plan != NULL));
    haly_plan_release(plan);
    return status;
}

CTS_CASE_OP(operator, an_unknown_operator_is_not_found_and_the_nearest_is_named, "PLAN-001")
{
    const haly_tensor x = haly_f32_2d(NULL, 4, 4);
    CTS_STATUS(HALY_ERR_NOT_FOUND, try_plan(t, "MatMull", x, x, x));
    CTS_MESSAGE("\"MatMull\"");
    CTS_MESSAGE("MatMul");
    CTS_STATUS(HALY_ERR_NOT_FOUND, try_plan(t, "add", x, x, x)); /* names are exact */
    const haly_op_desc wrong_domain = {HALY_OP_DESC_INIT, .domain = "halyrd", .name = "SwiGLU", HALY_INPUTS(x, x),
                                       HALY_OUTPUTS(x)};
    CTS_STATUS(HALY_ERR_NOT_FOUND, haly_op_supported(t->context, &wrong_domain, NULL));
    const haly_op_desc no_name = {HALY_OP_DESC_INIT, HALY_INPUTS(x, x), HALY_OUTPUTS(x)};
    CTS_INVALID(haly_op_supported(t->context, &no_name, NULL));
}

CTS_CASE_OP(operator, shapes_that_contradict_the_operator_are_invalid, "PLAN-001 TEN-001")
{
    const haly_tensor x = haly_f32_2d(NULL, 4, 4), wide = haly_f32_2d(NULL, 4, 5), line = haly_f32_1d(NULL, 3);
    haly_tensor bad = x;
    CTS_INVALID(try_plan(t, "Add", x, wide, wide));
    CTS_INVALID(try_plan(t, "Add", x, x, wide));
    CTS_INVALID(try_plan(t, "Add", x, line, x));
    CTS_INVALID(try_plan(t, "MatMul", x, wide, x));
    CTS_INVALID(try_plan(t, "MatMul", wide, x, wide));
    bad.rank = 9;
    CTS_INVALID(try_plan(t, "Add", bad, x, x));
    bad = x;
    bad.shape[0] = -1;
    CTS_INVALID(try_plan(t, "Add", bad, x, x));
    bad = x;
    bad.shape[0] = INT64_MAX;
    bad.shape[1] = INT64_MAX;
    CTS_INVALID(try_plan(t, "Add", bad, bad, bad));
}

CTS_CASE_OP(operator, types_are_never_converted_silently, "PLAN-001")
{
    const haly_tensor x = haly_f32_2d(NULL, 4, 4), half = haly_tensor_2d(HALY_F16, NULL, 4, 4);
    const haly_tensor wide = haly_tensor_2d(HALY_F64, NULL, 4, 4);
    haly_status status = try_plan(t, "Add", x, half, x);
    CTS_CHECK(status == HALY_ERR_INVALID || status == HALY_ERR_UNSUPPORTED, "f32 + f16: %s", haly_status_name(status));
    CTS_MESSAGE("f16");
    status = try_plan(t, "Add", x, x, half);
    CTS_CHECK(status == HALY_ERR_INVALID || status == HALY_ERR_UNSUPPORTED, "f32 into f16: %s",
              haly_status_name(status));
    CTS_STATUS(HALY_ERR_UNSUPPORTED, try_plan(t, "Add", wide, wide, wide));
    CTS_MESSAGE("f64");
    t->failures_expected++;
}

CTS_CASE_OP(operator, block_types_want_whole_rows_of_blocks, "TEN-001 PLAN-001")
{
    const haly_tensor x = haly_f32_2d(NULL, 2, 48), y = haly_f32_2d(NULL, 2, 8);
    haly_tensor w = haly_tensor_2d(HALY_Q4_0, NULL, 8, 48);
    haly_op_desc desc = {HALY_OP_DESC_INIT, .domain = "halyard", .name = "QuantizedMatMul", HALY_INPUTS(x, w),
                         HALY_OUTPUTS(y)};
    CTS_INVALID(haly_op_supported(t->context, &desc, NULL)); /* 48 is no multiple of 32 */
    const haly_tensor x64 = haly_f32_2d(NULL, 2, 64);
    w = haly_tensor_2d(HALY_Q4_0, NULL, 8, 64);
    w.strides[0] = 80;
    const haly_tensor stride[2] = {x64, w};
    desc.inputs = stride;
    CTS_INVALID(haly_op_supported(t->context, &desc, NULL));
    w.strides[0] = 64;
    w.strides[1] = 2;
    const haly_tensor step[2] = {x64, w};
    desc.inputs = step;
    CTS_INVALID(haly_op_supported(t->context, &desc, NULL));
}

CTS_CASE_OP(operator, attributes_are_checked_by_name_and_kind, "PLAN-001")
{
    const haly_tensor x = haly_f32_2d(NULL, 4, 4);
    static const int64_t twice[2] = {0, 0}, outside[2] = {0, 2};
    const haly_attribute wrong[] = {haly_attribute_int("axes", 0), haly_attribute_float("axis", 1.0),
                                    haly_attribute_int("axis", 2), haly_attribute_int("axis", -3)};
    haly_op_desc desc = {HALY_OP_DESC_INIT, .name = "Softmax", HALY_INPUTS(x), HALY_OUTPUTS(x), .attribute_count = 1};
    for (unsigned i = 0; i < 4; i++) {
        desc.attributes = &wrong[i];
        CTS_INVALID(haly_op_supported(t->context, &desc, NULL));
        CTS_MESSAGE(wrong[i].name);
    }
    const haly_attribute perms[2] = {haly_attribute_ints("perm", twice, 2), haly_attribute_ints("perm", outside, 2)};
    desc.name = "Transpose";
    for (unsigned i = 0; i < 2; i++) {
        desc.attributes = &perms[i];
        CTS_INVALID(haly_op_supported(t->context, &desc, NULL));
    }
    const haly_attribute approximate = haly_attribute_text("approximate", "roughly");
    desc.name = "Gelu";
    desc.attributes = &approximate;
    CTS_INVALID(haly_op_supported(t->context, &desc, NULL));
}

CTS_CASE_OP(operator, the_number_of_tensors_is_checked, "PLAN-001 ABI-003")
{
    const haly_tensor x = haly_f32_2d(NULL, 4, 4), many[4] = {x, x, x, x};
    haly_op_desc desc = {HALY_OP_DESC_INIT, .name = "Add",   .inputs = many,
                         .input_count = 1,  .outputs = many, .output_count = 1};
    CTS_INVALID(haly_op_supported(t->context, &desc, NULL));
    desc.input_count = 3;
    CTS_INVALID(haly_op_supported(t->context, &desc, NULL));
    desc.input_count = 2;
    desc.output_count = 0;
    CTS_INVALID(haly_op_supported(t->context, &desc, NULL));
    desc.output_count = 2;
    CTS_INVALID(haly_op_supported(t->context, &desc, NULL));
    desc.output_count = 1;
    desc.inputs = NULL;
    CTS_INVALID(haly_op_supported(t->context, &desc, NULL));
    desc.inputs = many;
    desc.tensor_size = 8;
    CTS_INVALID(haly_op_supported(t->context, &desc, NULL));
}

CTS_CASE_OP(operator, a_version_that_nobody_knows_is_refused, "PLAN-001")
{
    const haly_tensor x = haly_f32_2d(NULL, 4, 4);
    haly_op_desc desc = {HALY_OP_DESC_INIT, .name = "Add", .version = 1000000, HALY_INPUTS(x, x), HALY_OUTPUTS(x)};
    const haly_status status = haly_op_supported(t->context, &desc, NULL);
    t->failures_expected++;
    CTS_CHECK(status == HALY_ERR_UNSUPPORTED || status == HALY_ERR_NOT_FOUND, "got %s", haly_status_name(status));
    CTS_MESSAGE("1000000");
}

CTS_CASE_OP(operator, both_paths_at_once_cannot_be_asked_for, "PLAN-001")
{
    const haly_tensor x = haly_f32_2d(NULL, 4, 4);
    haly_op_desc desc = {HALY_OP_DESC_INIT, .name = "Add", .flags = HALY_OP_LOWERED | HALY_OP_NATIVE, HALY_INPUTS(x, x),
                         HALY_OUTPUTS(x)};
    CTS_INVALID(haly_op_supported(t->context, &desc, NULL));
    desc.flags = 1U << 20;
    const haly_status status = haly_op_supported(t->context, &desc, NULL);
    CTS_CHECK(status == HALY_ERR_INVALID || status == HALY_ERR_UNSUPPORTED, "got %s", haly_status_name(status));
}

CTS_CASE_WITH(operator, the_operators_of_the_contract_are_listed, "PLAN-001", 0, CTS_NO_INSTANCE)
{
    static const char *const names[] = {"Add",       "Sub",
                                        "Mul",       "Div",
                                        "Max",       "Min",
                                        "Neg",       "Abs",
                                        "Exp",       "Log",
                                        "Sqrt",      "Reciprocal",
                                        "Sigmoid",   "Tanh",
                                        "Relu",      "Identity",
                                        "Gelu",      "Swish",
                                        "Cast",      "Transpose",
                                        "Softmax",   "ArgMax",
                                        "MatMul",    "RMSNormalization",
                                        "Embedding", "QuantizedMatMul",
                                        "SwiGLU",    "AddRMSNorm",
                                        "Rotary",    "CachedAttention"};
    const uint32_t count = haly_operator_count();
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        int seen = 0;
        for (uint32_t at = 0; at < count; at++) {
            haly_operator_info info = {HALY_OPERATOR_INFO_INIT};
            CTS_OK(haly_operator_get(at, &info));
            CTS_TRUE(info.version >= 1 && info.meaning[0] != '\0' && info.dtypes != 0);
            CTS_TRUE(info.min_inputs <= info.max_inputs && info.min_outputs <= info.max_outputs &&
                     info.min_outputs >= 1);
            seen += strcmp(info.name, names[i]) == 0;
        }
        CTS_CHECK(seen == 1, "%s is listed %d times", names[i], seen);
    }
    CTS_INVALID(haly_operator_get(count, &(haly_operator_info){HALY_OPERATOR_INFO_INIT}));
}

CTS_CASE_OP(operator, eager_calls_of_many_shapes_go_on_working, "PLAN-004")
{
    if (!cts_dtype(t, HALY_F32))
        return;
    cts_tensor a = cts_input(t, HALY_F32, CTS_DENSE, CTS_SHAPE(2000), -5, 5);
    cts_tensor y = cts_output(t, HALY_F32, CTS_DENSE, CTS_SHAPE(2000));
    double *want = cts_doubles(t, 2000);
    const haly_op_desc first = {HALY_OP_DESC_INIT, .name = "Neg", HALY_INPUTS(a.view), HALY_OUTPUTS(y.view)};
    if (!cts_op(t, &first))
        return;
    for (int64_t n = 2000; n > 0; n--) { /* more than any bounded cache holds */
        haly_tensor x = a.view, z = y.view;
        x.shape[0] = z.shape[0] = n;
        CTS_OK(haly_op_unary(t->stream, n % 2 == 0 ? "Abs" : "Neg", z, x));
    }
    cts_sync(t, t->stream);
    for (int64_t i = 0; i < 2000; i++)
        want[i] = i % 2 == 1 ? fabs(a.values[i]) : -a.values[i]; /* element i was last written with n = i + 1 */
    cts_compare_exact(t, &y, want);
}

struct eager_work {
    haly_stream *stream;
    haly_tensor x;
};

static void *eager_in_thread(void *user)
{
    const struct eager_work *work = user;
    haly_status status = HALY_OK;
    for (int64_t n = 1; n <= 64 && status == HALY_OK; n++) {
        haly_tensor x = work->x;
        x.shape[0] = n;
        status = haly_op_unary(work->stream, "Neg", x, x);
    }
    return (void *)(uintptr_t)(status == HALY_OK ? haly_stream_sync(work->stream, CTS_PATIENCE) : status);
}

CTS_CASE_OP(operator, threads_share_the_cache_of_eager_plans, "PLAN-004 STR-003")
{
    enum { COUNT = 4 };
    struct eager_work work[COUNT];
    pthread_t threads[COUNT];
    if (!cts_dtype(t, HALY_F32))
        return;
    cts_tensor probe = cts_input(t, HALY_F32, CTS_DENSE, CTS_SHAPE(4), -1, 1);
    const haly_op_desc desc = {HALY_OP_DESC_INIT, .name = "Neg", HALY_INPUTS(probe.view), HALY_OUTPUTS(probe.view)};
    if (!cts_op(t, &desc))
        return;
    for (unsigned i = 0; i < COUNT; i++) {
        work[i].stream = cts_stream(t);
        work[i].x = cts_input(t, HALY_F32, CTS_DENSE, CTS_SHAPE(64), -1, 1).view;
        CTS_EQUAL(0, pthread_create(&threads[i], NULL, eager_in_thread, &work[i]));
    }
    for (unsigned i = 0; i < COUNT; i++) {
        void *result = NULL;
        (void)pthread_join(threads[i], &result);
        CTS_EQUAL(HALY_OK, (uintptr_t)result);
    }
}
