/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that hold for every operator: aliasing, tensors without elements, the same bits every time, both paths. */
#include <fenv.h>
#include <math.h>

#include "cts_tensor.h"

static haly_op_desc op_of(const char *domain, const char *name, const haly_tensor *inputs, uint32_t input_count,
                          const haly_tensor *outputs, uint32_t output_count)
{
    return (haly_op_desc){HALY_OP_DESC_INIT,
                          .domain = domain,
                          .name = name,
                          .inputs = inputs,
                          .input_count = input_count,
                          .outputs = outputs,
                          .output_count = output_count};
}

static double swish_of(double x)
{
    return x / (1 + exp(-x));
}

/* y is the first input itself. */
static void check_in_place(struct cts *t, const char *domain, const char *name, cts_tensor a, const cts_tensor *b,
                           const double *want)
{
    cts_tensor y = a;
    const haly_tensor inputs[2] = {a.view, b != NULL ? b->view : a.view};
    const haly_op_desc desc = op_of(domain, name, inputs, b != NULL ? 2 : 1, &y.view, 1);
    y.values = cts_doubles(t, y.count);
    if (cts_op(t, &desc))
        cts_compare(t, &y, want, NULL, domain, name);
}

CTS_CASE_OP(operator, element_wise_operators_may_write_over_an_input, "OPS-001 PLAN-003")
{
    CTS_EACH_FLOAT(dtype)
    {
        CTS_EACH_LAYOUT(layout)
        {
            cts_tensor a = cts_input(t, dtype, layout, CTS_SHAPE(7, 100), -3, 3);
            cts_tensor b = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(7, 100), -3, 3);
            cts_tensor gate = cts_input(t, dtype, layout, CTS_SHAPE(7, 100), -3, 3);
            cts_tensor square = cts_input(t, dtype, layout, CTS_SHAPE(7, 100), -3, 3);
            double *sum = cts_doubles(t, 700), *gated = cts_doubles(t, 700), *product = cts_doubles(t, 700);
            for (unsigned i = 0; i < 700; i++) {
                sum[i] = a.values[i] + b.values[i];
                gated[i] = swish_of(gate.values[i]) * b.values[i];
                product[i] = square.values[i] * square.values[i];
            }
            check_in_place(t, "", "Add", a, &b, sum);
            check_in_place(t, "halyard", "SwiGLU", gate, &b, gated);
            check_in_place(t, "", "Mul", square, &square, product); /* all three the same */
        }
    }
}

CTS_CASE_OP(operator, unary_operators_and_casts_may_write_over_their_input, "OPS-001 PLAN-003")
{
    CTS_EACH_FLOAT(dtype)
    {
        cts_tensor a = cts_input(t, dtype, CTS_PADDED, CTS_SHAPE(9, 50), -3, 3);
        cts_tensor b = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(9, 50), -3, 3);
        double *exponentials = cts_doubles(t, 450);
        for (unsigned i = 0; i < 450; i++)
            exponentials[i] = exp(a.values[i]);
        check_in_place(t, "", "Exp", a, NULL, exponentials);
        check_in_place(t, "", "Identity", b, NULL, b.values);
    }
    if (cts_dtype(t, HALY_F32) && cts_dtype(t, HALY_I32)) {
        cts_tensor x = cts_input(t, HALY_F32, CTS_DENSE, CTS_SHAPE(333), -1000, 1000), y = x;
        y.view.dtype = HALY_I32;
        y.values = cts_doubles(t, 333);
        const haly_op_desc desc = op_of("", "Cast", &x.view, 1, &y.view, 1);
        if (cts_op(t, &desc))
            cts_compare_exact(t, &y, x.values);
    }
}

CTS_CASE_OP(operator, softmax_and_norms_may_write_over_x, "OPS-001 PLAN-003")
{
    CTS_EACH_FLOAT(dtype)
    {
        cts_tensor x = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(3, 40), -3, 3);
        cts_tensor z = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(3, 40), -3, 3);
        cts_tensor scale = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(40), 0.5, 2);
        double *softmax = cts_doubles(t, 120), *norm = cts_doubles(t, 120);
        for (unsigned row = 0; row < 3; row++) {
            double sum = 0, squares = 0;
            for (unsigned i = row * 40; i < row * 40 + 40; i++) {
                sum += exp(x.values[i]);
                squares += z.values[i] * z.values[i];
            }
            for (unsigned i = row * 40; i < row * 40 + 40; i++) {
                softmax[i] = exp(x.values[i]) / sum;
                norm[i] = z.values[i] / sqrt(squares / 40 + 1e-5) * scale.values[i % 40];
            }
        }
        check_in_place(t, "", "Softmax", x, NULL, softmax);
        check_in_place(t, "", "RMSNormalization", z, &scale, norm);
    }
}

CTS_CASE_OP(operator, add_rms_norm_may_write_over_x_and_residual, "OPS-001 PLAN-003")
{
    CTS_EACH_FLOAT(dtype)
    {
        cts_tensor x = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(4, 32), -3, 3);
        cts_tensor residual = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(4, 32), -3, 3);
        cts_tensor scale = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(32), 0.5, 2), y = x, sum = residual;
        double *sums = cts_doubles(t, 128), *norm = cts_doubles(t, 128);
        const haly_tensor inputs[3] = {x.view, residual.view, scale.view}, outputs[2] = {y.view, sum.view};
        const haly_op_desc desc = op_of("halyard", "AddRMSNorm", inputs, 3, outputs, 2);
        for (unsigned row = 0; row < 4; row++) {
            double squares = 0;
            for (unsigned i = row * 32; i < row * 32 + 32; i++) {
                sums[i] = cts_round(dtype, x.values[i] + residual.values[i]);
                squares += sums[i] * sums[i];
            }
            for (unsigned i = row * 32; i < row * 32 + 32; i++)
                norm[i] = sums[i] / sqrt(squares / 32 + 1e-5) * scale.values[i % 32];
        }
        y.values = cts_doubles(t, 128);
        sum.values = cts_doubles(t, 128);
        if (cts_op(t, &desc)) {
            cts_compare(t, &y, norm, NULL, "halyard", "AddRMSNorm");
            cts_compare(t, &sum, sums, NULL, "", "Add");
        }
    }
}

CTS_CASE_OP(operator, rotary_may_write_over_x, "OPS-001 PLAN-003")
{
    CTS_EACH_FLOAT(dtype)
    {
        cts_tensor x = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(1, 3, 2, 8), -2, 2), y = x;
        cts_tensor positions = cts_input_list(t, HALY_I32, CTS_DENSE, CTS_SHAPE(1, 3), CTS_LIST(0, 1, 40));
        cts_tensor apart = cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(1, 3, 2, 8));
        const haly_tensor inputs[2] = {x.view, positions.view};
        const haly_op_desc first = op_of("halyard", "Rotary", inputs, 2, &apart.view, 1);
        const haly_op_desc second = op_of("halyard", "Rotary", inputs, 2, &y.view, 1);
        if (!cts_op(t, &first) || !cts_op(t, &second))
            continue;
        cts_fetch(t, &apart);
        y.values = cts_doubles(t, y.count);
        cts_fetch(t, &y);
        cts_compare_bits(t, &apart, &y);
    }
}

CTS_CASE_OP(operator, an_output_that_overlaps_an_input_otherwise_is_invalid, "OPS-001 PLAN-003")
{
    CTS_EACH_FLOAT(dtype)
    {
        cts_tensor x = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(8, 8), -3, 3);
        haly_tensor shifted = x.view, turned = haly_tensor_swap(x.view, 0, 1), row = x.view, inputs[2];
        shifted.data = (char *)x.view.data + 8 * haly_dtype_block_bytes(dtype);
        shifted.shape[0] = 7;
        row.shape[0] = 7;
        const haly_op_desc exp_shifted = op_of("", "Exp", &row, 1, &shifted, 1);
        cts_expect_refused(t, HALY_ERR_INVALID, &exp_shifted, &x);
        const haly_op_desc exp_turned = op_of("", "Exp", &x.view, 1, &turned, 1); /* same bytes, other strides */
        cts_expect_refused(t, HALY_ERR_INVALID, &exp_turned, &x);
        inputs[0] = x.view;
        inputs[1] = x.view;
        const haly_op_desc product = op_of("", "MatMul", inputs, 2, &x.view, 1);
        cts_expect_refused(t, HALY_ERR_INVALID, &product, &x);
        const haly_op_desc transpose = op_of("", "Transpose", &x.view, 1, &x.view, 1);
        cts_expect_refused(t, HALY_ERR_INVALID, &transpose, &x);
    }
}

CTS_CASE_OP(operator, an_output_of_another_element_size_must_not_overlap, "OPS-001 PLAN-003")
{
    if (!cts_dtype(t, HALY_F32) || !cts_dtype(t, HALY_F16))
        return;
    cts_tensor x = cts_input(t, HALY_F32, CTS_DENSE, CTS_SHAPE(64), -3, 3);
    haly_tensor y = x.view;
    y.dtype = HALY_F16;
    const haly_op_desc desc = op_of("", "Cast", &x.view, 1, &y, 1);
    cts_expect_refused(t, HALY_ERR_INVALID, &desc, &x);
}

CTS_CASE_OP(operator, an_output_that_repeats_its_elements_is_invalid, "TEN-001 PLAN-001")
{
    if (!cts_dtype(t, HALY_F32))
        return;
    cts_tensor x = cts_input(t, HALY_F32, CTS_DENSE, CTS_SHAPE(4, 4), -3, 3);
    cts_tensor y = cts_output(t, HALY_F32, CTS_DENSE, CTS_SHAPE(4, 4));
    haly_tensor repeated = y.view;
    repeated.strides[0] = 0;
    const haly_op_desc desc = op_of("", "Exp", &x.view, 1, &repeated, 1);
    cts_expect_refused(t, HALY_ERR_INVALID, &desc, &y);
}

CTS_CASE_OP(operator, columns_of_one_matrix_do_not_overlap, "OPS-001")
{
    CTS_EACH_FLOAT(dtype)
    {
        cts_tensor both = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(6, 20), -3, 3), after = both;
        haly_tensor left = both.view, right = both.view;
        left.shape[1] = right.shape[1] = 10;
        right.data = (char *)both.view.data + 10 * haly_dtype_block_bytes(dtype);
        const haly_op_desc desc = op_of("", "Neg", &left, 1, &right, 1);
        double *want = cts_doubles(t, 120);
        for (unsigned i = 0; i < 120; i++)
            want[i] = i % 20 < 10 ? both.values[i] : -both.values[i - 10];
        after.values = cts_doubles(t, 120);
        if (cts_op(t, &desc))
            cts_compare_exact(t, &after, want);
    }
}

/* Each output has no element; data may be NULL. */
static void check_empty(struct cts *t, const char *domain, const char *name, haly_tensor a, haly_tensor b,
                        uint32_t count, haly_tensor y)
{
    const haly_tensor inputs[2] = {a, b};
    const haly_op_desc desc = op_of(domain, name, inputs, count, &y, 1);
    (void)cts_op(t, &desc);
}

CTS_CASE_OP(operator, tensors_without_elements_are_fine_everywhere, "OPS-002 TEN-001")
{
    CTS_EACH_FLOAT(dtype)
    {
        const haly_tensor none = haly_tensor_2d(dtype, NULL, 0, 8),
                          row = haly_tensor_2d(dtype, cts_device(t, 64), 1, 8);
        const haly_tensor scale = haly_tensor_1d(dtype, row.data, 8), flat = haly_tensor_2d(dtype, NULL, 8, 0);
        check_empty(t, "", "Add", none, none, 2, none);
        check_empty(t, "", "Add", none, row, 2, none); /* 1 is broadcast to 0 */
        check_empty(t, "", "Exp", none, none, 1, none);
        check_empty(t, "", "Transpose", none, none, 1, flat);
        check_empty(t, "", "Softmax", none, none, 1, none);
        check_empty(t, "", "Softmax", flat, flat, 1, flat);
        check_empty(t, "", "RMSNormalization", none, scale, 2, none);
        check_empty(t, "halyard", "SwiGLU", none, none, 2, none);
        if (cts_dtype(t, HALY_I32))
            check_empty(t, "halyard", "Embedding", row, haly_tensor_1d(HALY_I32, NULL, 0), 2, none);
    }
}

CTS_CASE_OP(operator, an_output_without_elements_queues_nothing, "OPS-002")
{
    CTS_EACH_FLOAT(dtype)
    {
        const haly_tensor none = haly_tensor_2d(dtype, NULL, 0, 8);
        const haly_op_desc desc = op_of("", "Exp", &none, 1, &none, 1);
        if (!cts_op(t, &desc))
            continue;
        cts_gate *gate = cts_hold(t, cts_stream(t));
        CTS_OK(haly_op_run(t->stream, &desc));
        CTS_OK(haly_stream_query(t->stream));
        cts_open(t, gate);
    }
}

/* Keeps the device busy beside the operator that is looked at. */
static void make_load(struct cts *t, haly_stream *stream, char *memory, uint64_t size)
{
    for (uint8_t i = 0; i < 20; i++) {
        CTS_OK(haly_fill(stream, memory, &i, 1, size / 2));
        CTS_OK(haly_copy(stream, memory + size / 2, memory, size / 2));
    }
}

static void check_determinism(struct cts *t, const haly_op_desc *desc, cts_tensor *y)
{
    enum { LOAD = 8 << 20 };
    haly_stream *busy = cts_stream(t);
    char *memory = cts_device(t, LOAD);
    uint8_t *first = cts_host(t, y->bytes);
    if (!cts_op(t, desc))
        return;
    cts_download(t, first, y->storage, y->bytes);
    for (unsigned round = 0; round < 5; round++) {
        cts_upload(t, y->storage, y->image, y->bytes);
        make_load(t, busy, memory, LOAD);
        CTS_OK(haly_op_run(t->stream, desc));
        cts_sync(t, t->stream);
        cts_expect_bytes(t, y->storage, first, y->bytes);
    }
}

CTS_CASE_WITH(operator, the_same_inputs_give_the_same_bits_under_load, "PLAN-002 NUM-001", HALY_CAP_DETERMINISTIC,
              CTS_OPERATORS)
{
    CTS_EACH_FLOAT(dtype)
    {
        cts_tensor a = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(70, 300), -1, 1);
        cts_tensor b = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(300, 90), -1, 1);
        cts_tensor y = cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(70, 90));
        cts_tensor z = cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(70, 300));
        const haly_tensor inputs[2] = {a.view, b.view};
        const haly_op_desc matmul = op_of("", "MatMul", inputs, 2, &y.view, 1);
        const haly_op_desc softmax = op_of("", "Softmax", &a.view, 1, &z.view, 1);
        check_determinism(t, &matmul, &y);
        check_determinism(t, &softmax, &z);
    }
}

/* Runs y = a / b over the first `n` elements and brings the first `few` back. Without a wait the work goes on by
 * itself: on another thread than this one, where the device has such threads. */
static void divide(struct cts *t, const cts_tensor *a, const cts_tensor *b, const cts_tensor *y, int64_t n,
                   int has_waiter, float *out_few, uint64_t few)
{
    haly_tensor left = a->view, right = b->view, result = y->view;
    left.shape[0] = right.shape[0] = result.shape[0] = n;
    CTS_OK(haly_op_binary(t->stream, "Div", result, left, right));
    for (unsigned tries = 0; !has_waiter && haly_stream_query(t->stream) == HALY_NOT_READY; tries++) {
        CTS_CHECK(tries < 15000, "an operator that nobody waited for did not finish within 15 s");
        cts_sleep_ms(1);
    }
    cts_sync(t, t->stream);
    cts_download(t, out_few, y->view.data, few * sizeof *out_few);
}

CTS_CASE_WITH(operator, the_callers_float_mode_changes_no_bit, "PLAN-002 NUM-001", HALY_CAP_DETERMINISTIC,
              CTS_OPERATORS)
{
    enum { MANY = 1 << 20, FEW = 2000 };
    static const int modes[] = {FE_UPWARD, FE_TOWARDZERO};
    static float want[FEW], got[FEW];
    const int before = fegetround();
    if (!cts_dtype(t, HALY_F32))
        return;
    CTS_EQUAL(0, fesetround(modes[0])); /* before anything runs: threads of the library start in this mode, too */
    cts_tensor a = cts_input(t, HALY_F32, CTS_DENSE, CTS_SHAPE(MANY), -10, 10);
    cts_tensor b = cts_input(t, HALY_F32, CTS_DENSE, CTS_SHAPE(MANY), 3, 4);
    cts_tensor y = cts_output(t, HALY_F32, CTS_DENSE, CTS_SHAPE(MANY));
    divide(t, &a, &b, &y, MANY, 0, want, FEW);
    (void)fesetround(before);
    divide(t, &a, &b, &y, FEW, 1, want, FEW);
    for (unsigned i = 0; i < 8; i++) {
        const int mode = modes[i % 2];
        (void)fesetround(mode);
        divide(t, &a, &b, &y, i / 2 % 2 == 0 ? MANY : FEW, i / 4 == 0, got, FEW);
        CTS_CHECK(fegetround() == mode, "a call changed its caller's rounding mode");
        CTS_CHECK(memcmp(want, got, sizeof want) == 0, "round %u: the rounding mode of a thread changed results", i);
    }
    (void)fesetround(before);
}

/* The product on the path that the flag asks for, if that exists; counts the parts that ran. */
static void check_path(struct cts *t, haly_dtype dtype, uint32_t flag, int64_t m, int64_t k, int64_t n)
{
    cts_tensor a = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(m, k), -1, 1);
    cts_tensor b = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(k, n), -1, 1);
    cts_tensor y = cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(m, n));
    const haly_tensor inputs[2] = {a.view, b.view};
    haly_op_desc desc = op_of("", "MatMul", inputs, 2, &y.view, 1);
    haly_plan_info info = {HALY_PLAN_INFO_INIT};
    double *want = cts_doubles(t, y.count), *magnitude = cts_doubles(t, y.count);
    for (int64_t i = 0; i < y.count; i++)
        for (int64_t at = 0; at < k; at++) {
            want[i] += a.values[i / n * k + at] * b.values[at * n + i % n];
            magnitude[i] += fabs(a.values[i / n * k + at] * b.values[at * n + i % n]);
        }
    desc.flags = flag;
    if (haly_op_supported(t->context, &desc, &info) == HALY_ERR_UNSUPPORTED)
        return;
    CTS_EQUAL(flag == HALY_OP_LOWERED, info.lowered);
    CTS_TRUE(info.path[0] != '\0');
    if (cts_op(t, &desc))
        cts_compare(t, &y, want, magnitude, "", "MatMul");
}

CTS_CASE_CAP(operator, the_portable_kernels_can_be_asked_for, "PLAN-001 PLAN-002", HALY_CAP_OPERATOR_KERNELS)
{
    CTS_EACH_FLOAT(dtype)
    {
        check_path(t, dtype, HALY_OP_LOWERED, 20, 30, 25);
    }
    CTS_CHECK(t->parts_run > 0, "the device declares the operator kernels and lowers no product");
}

/* Which operators a backend implements itself is its choice, and so is from which size on: it has declared that there
 * are some. */
static int has_native_operator(struct cts *t)
{
    haly_op_desc desc = {HALY_OP_DESC_INIT, .flags = HALY_OP_NATIVE};
    const haly_tensor x = haly_f32_2d(NULL, 64, 256), w = haly_tensor_2d(HALY_Q8_0, NULL, 256, 256);
    static const char *const unary[] = {"Exp", "Relu", "Softmax", "Identity"};
    const haly_tensor product[2] = {x, w};
    desc.inputs = desc.outputs = &x;
    desc.input_count = desc.output_count = 1;
    for (unsigned i = 0; i < 4; i++) {
        desc.name = unary[i];
        if (haly_op_supported(t->context, &desc, NULL) == HALY_OK)
            return 1;
    }
    desc.domain = "halyard";
    desc.name = "QuantizedMatMul";
    desc.inputs = product;
    desc.input_count = 2;
    return haly_op_supported(t->context, &desc, NULL) == HALY_OK;
}

CTS_CASE_CAP(operator, the_backends_own_implementation_can_be_asked_for, "PLAN-001 PLAN-002", HALY_CAP_PLANS)
{
    CTS_EACH_FLOAT(dtype)
    {
        check_path(t, dtype, HALY_OP_NATIVE, 20, 30, 25);
        check_path(t, dtype, HALY_OP_NATIVE, 96, 400, 300);
    }
    CTS_CHECK(t->parts_run > 0 || has_native_operator(t), "the device declares operators of its own and has none");
}

CTS_CASE_WITH(operator, every_operator_and_type_has_a_contract, "NUM-001", 0, CTS_NO_INSTANCE)
{
    for (uint32_t i = 0; i < haly_operator_count(); i++) {
        haly_operator_info info = {HALY_OPERATOR_INFO_INIT};
        CTS_OK(haly_operator_get(i, &info));
        const int is_argmax = strcmp(info.name, "ArgMax") == 0;
        for (unsigned type = 0; type < 3; type++) {
            haly_numerics row = {HALY_NUMERICS_INIT};
            CTS_OK(haly_numerics_get(info.domain, info.name, is_argmax ? HALY_I64 : cts_float_types[type], &row));
            CTS_TRUE(row.note != NULL && row.note[0] != '\0');
            CTS_TRUE(row.absolute >= 0 && row.relative >= 0);
            CTS_TRUE(row.exact || row.absolute + row.relative > 0);
            CTS_TRUE(row.relative < 0.02); /* no licence for nonsense */
        }
    }
}

CTS_CASE_WITH(operator, an_unknown_contract_is_not_found, "NUM-001 ABI-005", 0, CTS_NO_INSTANCE)
{
    haly_numerics row = {HALY_NUMERICS_INIT};
    CTS_STATUS(HALY_ERR_NOT_FOUND, haly_numerics_get("", "NoSuchOperator", HALY_F32, &row));
    CTS_STATUS(HALY_ERR_NOT_FOUND, haly_numerics_get("nowhere", "Add", HALY_F32, &row));
    CTS_STATUS(HALY_ERR_NOT_FOUND, haly_numerics_get("", "Exp", HALY_I64, &row));
    CTS_OK(haly_numerics_get(NULL, "Add", HALY_F32, &row));
}
