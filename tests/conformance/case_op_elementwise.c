/* SPDX-License-Identifier: Apache-2.0 */
/* Element-wise operators: each against its definition in double precision, for every type and layout. */
#include <math.h>

#include "cts_tensor.h"

typedef double (*unary_fn)(double x);
typedef double (*binary_fn)(double a, double b);

#define CITED "PLAN-001 PLAN-002 NUM-001 TEN-001"
#define PI 3.14159265358979323846

static double neg_of(double x)
{
    return -x;
}
static double reciprocal_of(double x)
{
    return 1 / x;
}
static double sigmoid_of(double x)
{
    return 1 / (1 + exp(-x));
}
static double relu_of(double x)
{
    return isnan(x) ? x : x > 0 ? x : 0;
}
static double identity_of(double x)
{
    return x;
}
static double swish_of(double x)
{
    return x * sigmoid_of(x);
}
static double gelu_of(double x)
{
    return 0.5 * x * (1 + erf(x / sqrt(2)));
}
static double gelu_tanh_of(double x)
{
    return 0.5 * x * (1 + tanh(sqrt(2 / PI) * (x + 0.044715 * x * x * x)));
}
static double add_of(double a, double b)
{
    return a + b;
}
static double sub_of(double a, double b)
{
    return a - b;
}
static double mul_of(double a, double b)
{
    return a * b;
}
static double div_of(double a, double b)
{
    return a / b;
}
static double max_of(double a, double b)
{
    return isnan(a) || isnan(b) ? (double)NAN : a > b ? a : b;
}
static double min_of(double a, double b)
{
    return isnan(a) || isnan(b) ? (double)NAN : a < b ? a : b;
}

static haly_op_desc unary_desc(const char *name, const haly_tensor *x, const haly_tensor *y,
                               const haly_attribute *attribute)
{
    return (haly_op_desc){HALY_OP_DESC_INIT,
                          .name = name,
                          .inputs = x,
                          .input_count = 1,
                          .outputs = y,
                          .output_count = 1,
                          .attributes = attribute,
                          .attribute_count = attribute != NULL};
}

static void check_unary_on(struct cts *t, const char *name, unary_fn fn, cts_tensor x, cts_tensor y,
                           const haly_attribute *attribute)
{
    const haly_op_desc desc = unary_desc(name, &x.view, &y.view, attribute);
    double *want = cts_doubles(t, y.count);
    for (int64_t i = 0; i < y.count; i++)
        want[i] = fn(x.values[i]);
    if (cts_op(t, &desc))
        cts_compare(t, &y, want, NULL, "", name);
}

static void check_unary(struct cts *t, const char *name, unary_fn fn, double low, double high,
                        const haly_attribute *attribute)
{
    CTS_EACH_FLOAT(dtype)
    {
        CTS_EACH_LAYOUT(layout)
        {
            const enum cts_layout other = (enum cts_layout)((layout + 2) % CTS_LAYOUTS);
            check_unary_on(t, name, fn, cts_input(t, dtype, layout, CTS_SHAPE(3, 5, 7), low, high),
                           cts_output(t, dtype, other, CTS_SHAPE(3, 5, 7)), attribute);
        }
        check_unary_on(t, name, fn, cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(10007), low, high),
                       cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(10007)), attribute);
        check_unary_on(t, name, fn, cts_input(t, dtype, CTS_DENSE, CTS_SCALAR, low, high),
                       cts_output(t, dtype, CTS_DENSE, CTS_SCALAR), attribute);
    }
}

#define UNARY(case_, name_, fn_, low_, high_)                                                                          \
    CTS_CASE_OP(operator, case_, CITED)                                                                                \
    {                                                                                                                  \
        check_unary(t, name_, fn_, low_, high_, NULL);                                                                 \
    }

UNARY(neg_flips_every_sign, "Neg", neg_of, -100, 100)
UNARY(abs_clears_every_sign, "Abs", fabs, -100, 100)
UNARY(exp_is_the_exponential, "Exp", exp, -10, 10)
UNARY(log_is_the_natural_logarithm, "Log", log, 0.001, 1000)
UNARY(sqrt_is_the_square_root, "Sqrt", sqrt, 0, 1000)
UNARY(reciprocal_is_one_over_x, "Reciprocal", reciprocal_of, 0.01, 100)
UNARY(sigmoid_is_the_logistic_function, "Sigmoid", sigmoid_of, -20, 20)
UNARY(tanh_is_the_hyperbolic_tangent, "Tanh", tanh, -5, 5)
UNARY(relu_keeps_what_is_positive, "Relu", relu_of, -5, 5)
UNARY(swish_is_x_times_sigmoid, "Swish", swish_of, -20, 20)
UNARY(gelu_uses_the_error_function, "Gelu", gelu_of, -5, 5)

CTS_CASE_OP(operator, gelu_has_a_tanh_approximation, CITED)
{
    const haly_attribute attribute = haly_attribute_text("approximate", "tanh");
    check_unary(t, "Gelu", gelu_tanh_of, -5, 5, &attribute);
}

static double swish_half_of(double x)
{
    return x * sigmoid_of(-1.75 * x);
}

CTS_CASE_OP(operator, swish_takes_alpha, CITED)
{
    const haly_attribute attribute = haly_attribute_float("alpha", -1.75);
    check_unary(t, "Swish", swish_half_of, -8, 8, &attribute);
}

static void check_identity(struct cts *t, haly_dtype dtype)
{
    CTS_EACH_LAYOUT(layout)
    {
        cts_tensor x = cts_input(t, dtype, layout, CTS_SHAPE(4, 3, 5), 0, 100);
        check_unary_on(t, "Identity", identity_of, x, cts_output(t, dtype, CTS_PADDED, CTS_SHAPE(4, 3, 5)), NULL);
    }
}

CTS_CASE_OP(operator, identity_copies_every_plain_type_between_layouts, CITED)
{
    static const haly_dtype types[] = {HALY_F32, HALY_F16, HALY_BF16, HALY_F64, HALY_I8,  HALY_I16, HALY_I32,
                                       HALY_I64, HALY_U8,  HALY_U16,  HALY_U32, HALY_U64, HALY_BOOL};
    for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++)
        if (cts_dtype(t, types[i]))
            check_identity(t, types[i]);
}

static const double infinities[] = {0.0,         -0.0,     1,       -1,    (double)INFINITY, -(double)INFINITY,
                                    (double)NAN, 0x1p-149, 0x1p-14, 60000, -60000,           0x1p-24,
                                    -0x1p-24,    3e38,     -3e38};
#define INFINITIES infinities, (uint32_t)(sizeof infinities / sizeof infinities[0])

static void check_special(struct cts *t, const char *name, unary_fn fn, const double *list, uint32_t count)
{
    CTS_EACH_FLOAT(dtype)
    {
        check_unary_on(t, name, fn, cts_input_list(t, dtype, CTS_DENSE, CTS_SHAPE(97), list, count),
                       cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(97)), NULL);
    }
}

CTS_CASE_OP(operator, signs_and_choices_keep_infinities_nan_and_subnormals, CITED)
{
    check_special(t, "Neg", neg_of, INFINITIES);
    check_special(t, "Abs", fabs, INFINITIES);
    check_special(t, "Relu", relu_of, INFINITIES);
    check_special(t, "Identity", identity_of, INFINITIES);
}

CTS_CASE_OP(operator, exp_and_log_reach_their_limits, CITED)
{
    check_special(t, "Exp", exp, INFINITIES);
    check_special(t, "Exp", exp, CTS_LIST(88.5, 89, 104, -87, -88, -103, -104, 11.0, 11.2, 1000, -1000));
    check_special(t, "Log", log, INFINITIES);
}

CTS_CASE_OP(operator, sqrt_and_reciprocal_reach_their_limits, CITED)
{
    check_special(t, "Sqrt", sqrt, INFINITIES);
    check_special(t, "Reciprocal", reciprocal_of, INFINITIES);
}

CTS_CASE_OP(operator, sigmoid_and_tanh_saturate, CITED)
{
    check_special(t, "Sigmoid", sigmoid_of, INFINITIES);
    check_special(t, "Sigmoid", sigmoid_of, CTS_LIST(-90, -80, 90, 80, 1e30, -1e30));
    check_special(t, "Tanh", tanh, INFINITIES);
}

CTS_CASE_OP(operator, swish_and_gelu_handle_large_values_and_nan, CITED)
{
    check_special(t, "Swish", swish_of, CTS_LIST(0.0, (double)NAN, (double)INFINITY, 60000, -60, 1e-6, -1e-6));
    check_special(t, "Gelu", gelu_of, CTS_LIST(0.0, (double)NAN, (double)INFINITY, 60000, -5.9, 1e-6, -1e-6));
}

/* ---- two inputs ---- */
static void check_binary_on(struct cts *t, const char *name, binary_fn fn, cts_tensor a, cts_tensor b, cts_tensor y)
{
    const haly_op_desc desc = {HALY_OP_DESC_INIT, .name = name, HALY_INPUTS(a.view, b.view), HALY_OUTPUTS(y.view)};
    double *want = cts_doubles(t, y.count);
    for (int64_t i = 0; i < y.count; i++)
        want[i] = fn(a.values[cts_broadcast_index(&a, y.view.shape, y.view.rank, i)],
                     b.values[cts_broadcast_index(&b, y.view.shape, y.view.rank, i)]);
    if (cts_op(t, &desc))
        cts_compare(t, &y, want, NULL, "", name);
}

static void check_binary(struct cts *t, const char *name, binary_fn fn, double low, double high)
{
    CTS_EACH_FLOAT(dtype)
    {
        CTS_EACH_LAYOUT(layout)
        {
            const enum cts_layout second = (enum cts_layout)((layout + 1) % CTS_LAYOUTS);
            const enum cts_layout third = (enum cts_layout)((layout + 3) % CTS_LAYOUTS);
            check_binary_on(t, name, fn, cts_input(t, dtype, layout, CTS_SHAPE(4, 3, 9), -10, 10),
                            cts_input(t, dtype, second, CTS_SHAPE(4, 3, 9), low, high),
                            cts_output(t, dtype, third, CTS_SHAPE(4, 3, 9)));
        }
        check_binary_on(t, name, fn, cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(9001), -10, 10),
                        cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(9001), low, high),
                        cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(9001)));
    }
}

#define BINARY(case_, name_, fn_, low_, high_)                                                                         \
    CTS_CASE_OP(operator, case_, CITED)                                                                                \
    {                                                                                                                  \
        check_binary(t, name_, fn_, low_, high_);                                                                      \
    }

BINARY(add_adds, "Add", add_of, -10, 10)
BINARY(sub_subtracts, "Sub", sub_of, -10, 10)
BINARY(mul_multiplies, "Mul", mul_of, -10, 10)
BINARY(div_divides, "Div", div_of, 0.1, 10)
BINARY(max_takes_the_larger, "Max", max_of, -10, 10)
BINARY(min_takes_the_smaller, "Min", min_of, -10, 10)

static void check_broadcast(struct cts *t, haly_dtype dtype, const int64_t *a_shape, uint32_t a_rank,
                            const int64_t *b_shape, uint32_t b_rank, const int64_t *shape, uint32_t rank)
{
    check_binary_on(t, "Sub", sub_of, cts_input(t, dtype, CTS_DENSE, a_shape, a_rank, -5, 5),
                    cts_input(t, dtype, CTS_STEPPED, b_shape, b_rank, -5, 5),
                    cts_output(t, dtype, CTS_DENSE, shape, rank));
    check_binary_on(t, "Sub", sub_of, cts_input(t, dtype, CTS_SWAPPED, b_shape, b_rank, -5, 5),
                    cts_input(t, dtype, CTS_DENSE, a_shape, a_rank, -5, 5),
                    cts_output(t, dtype, CTS_PADDED, shape, rank));
}

CTS_CASE_OP(operator, either_input_is_broadcast_to_the_other, CITED)
{
    CTS_EACH_FLOAT(dtype)
    {
        check_broadcast(t, dtype, CTS_SHAPE(4, 5), CTS_SHAPE(5), CTS_SHAPE(4, 5));
        check_broadcast(t, dtype, CTS_SHAPE(4, 5), CTS_SHAPE(4, 1), CTS_SHAPE(4, 5));
        check_broadcast(t, dtype, CTS_SHAPE(2, 3, 4), CTS_SCALAR, CTS_SHAPE(2, 3, 4));
        check_broadcast(t, dtype, CTS_SHAPE(4, 1), CTS_SHAPE(1, 70), CTS_SHAPE(4, 70)); /* both at once */
        check_broadcast(t, dtype, CTS_SHAPE(3, 1, 5), CTS_SHAPE(2, 1), CTS_SHAPE(3, 2, 5));
        check_broadcast(t, dtype, CTS_SHAPE(2, 1, 2, 1, 2, 1, 2, 3), CTS_SHAPE(2, 1, 2, 1, 2, 1, 1),
                        CTS_SHAPE(2, 2, 2, 2, 2, 2, 2, 3));
    }
}

CTS_CASE_OP(operator, a_stride_of_zero_repeats_an_input, CITED)
{
    CTS_EACH_FLOAT(dtype)
    {
        cts_tensor a = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(6), -5, 5);
        cts_tensor b = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(4, 6), -5, 5);
        cts_tensor y = cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(4, 6));
        haly_tensor repeated = b.view;
        repeated.data = a.view.data;
        repeated.strides[0] = 0;
        const haly_op_desc desc = {HALY_OP_DESC_INIT, .name = "Mul", HALY_INPUTS(repeated, b.view),
                                   HALY_OUTPUTS(y.view)};
        double *want = cts_doubles(t, y.count);
        for (int64_t i = 0; i < y.count; i++)
            want[i] = a.values[i % 6] * b.values[i];
        if (cts_op(t, &desc))
            cts_compare(t, &y, want, NULL, "", "Mul");
    }
}

static void check_binary_special(struct cts *t, const char *name, binary_fn fn)
{
    CTS_EACH_FLOAT(dtype)
    {
        check_binary_on(t, name, fn, cts_input_list(t, dtype, CTS_DENSE, CTS_SHAPE(15, 1), INFINITIES),
                        cts_input_list(t, dtype, CTS_DENSE, CTS_SHAPE(15), INFINITIES),
                        cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(15, 15)));
    }
}

CTS_CASE_OP(operator, arithmetic_follows_ieee_for_infinities_nan_and_overflow, CITED)
{
    check_binary_special(t, "Add", add_of);
    check_binary_special(t, "Sub", sub_of);
    check_binary_special(t, "Mul", mul_of);
    check_binary_special(t, "Div", div_of);
}

CTS_CASE_OP(operator, max_and_min_are_nan_when_either_is, CITED)
{
    check_binary_special(t, "Max", max_of);
    check_binary_special(t, "Min", min_of);
}

CTS_CASE_OP(operator, swiglu_gates_with_swish, CITED)
{
    CTS_EACH_FLOAT(dtype)
    {
        CTS_EACH_LAYOUT(layout)
        {
            cts_tensor gate = cts_input(t, dtype, layout, CTS_SHAPE(3, 2, 33), -8, 8);
            cts_tensor up = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(3, 2, 33), -8, 8);
            cts_tensor y = cts_output(t, dtype, layout, CTS_SHAPE(3, 2, 33));
            const haly_op_desc desc = {HALY_OP_DESC_INIT, .domain = "halyard", .name = "SwiGLU",
                                       HALY_INPUTS(gate.view, up.view), HALY_OUTPUTS(y.view)};
            double *want = cts_doubles(t, y.count);
            for (int64_t i = 0; i < y.count; i++)
                want[i] = swish_of(gate.values[i]) * up.values[i];
            if (cts_op(t, &desc))
                cts_compare(t, &y, want, NULL, "halyard", "SwiGLU");
        }
    }
}

CTS_CASE_OP(operator, swiglu_takes_the_halves_of_one_tensor, CITED " OPS-001")
{
    CTS_EACH_FLOAT(dtype)
    {
        cts_tensor both = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(5, 48), -6, 6);
        cts_tensor y = cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(5, 24));
        haly_tensor gate = both.view, up = both.view;
        gate.shape[1] = up.shape[1] = 24;
        up.data = (char *)gate.data + 24 * haly_dtype_block_bytes(dtype);
        const haly_op_desc desc = {HALY_OP_DESC_INIT, .domain = "halyard", .name = "SwiGLU", HALY_INPUTS(gate, up),
                                   HALY_OUTPUTS(y.view)};
        double *want = cts_doubles(t, y.count);
        for (int64_t i = 0; i < y.count; i++)
            want[i] = swish_of(both.values[i / 24 * 48 + i % 24]) * both.values[i / 24 * 48 + 24 + i % 24];
        if (cts_op(t, &desc))
            cts_compare(t, &y, want, NULL, "halyard", "SwiGLU");
    }
}
