/* SPDX-License-Identifier: Apache-2.0 */
/* Operators along one dimension: Softmax, ArgMax, RMSNormalization, AddRMSNorm. */
#include <math.h>

#include "cts_tensor.h"

#define CITED "PLAN-001 PLAN-002 NUM-001 TEN-001"

/* How a row-major array falls into rows along `axis`: element `k` of row (outer, inner). */
struct rows {
    int64_t outer, length, inner;
};

static struct rows rows_along(const haly_tensor *view, int64_t axis)
{
    const uint32_t at = (uint32_t)(axis < 0 ? axis + (int64_t)view->rank : axis);
    return (struct rows){cts_count(view->shape, at), view->shape[at],
                         cts_count(view->shape + at + 1, view->rank - at - 1)};
}

static int64_t row_element(const struct rows *rows, int64_t row, int64_t k)
{
    return (row / rows->inner * rows->length + k) * rows->inner + row % rows->inner;
}

static void softmax_of(const cts_tensor *x, int64_t axis, double *want)
{
    const struct rows rows = rows_along(&x->view, axis);
    for (int64_t row = 0; row < rows.outer * rows.inner; row++) {
        double largest = -(double)INFINITY, sum = 0;
        for (int64_t k = 0; k < rows.length; k++)
            largest = fmax(largest, x->values[row_element(&rows, row, k)]);
        for (int64_t k = 0; k < rows.length; k++)
            sum += exp(x->values[row_element(&rows, row, k)] - largest);
        for (int64_t k = 0; k < rows.length; k++)
            want[row_element(&rows, row, k)] = exp(x->values[row_element(&rows, row, k)] - largest) / sum;
    }
}

static void check_softmax(struct cts *t, cts_tensor x, cts_tensor y, const int64_t *axis)
{
    const haly_attribute attribute = haly_attribute_int("axis", axis != NULL ? *axis : 0);
    const haly_op_desc desc = {HALY_OP_DESC_INIT,    .name = "Softmax",        HALY_INPUTS(x.view),
                               HALY_OUTPUTS(y.view), .attributes = &attribute, .attribute_count = axis != NULL};
    double *want = cts_doubles(t, y.count);
    softmax_of(&x, axis != NULL ? *axis : -1, want);
    if (cts_op(t, &desc))
        cts_compare(t, &y, want, NULL, "", "Softmax");
}

CTS_CASE_OP(operator, softmax_of_rows_sums_to_one, CITED)
{
    CTS_EACH_FLOAT(dtype)
    {
        for (int64_t length = 1; length < 4000; length = length * 4 + 3)
            check_softmax(t, cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(5, length), -6, 6),
                          cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(5, length)), NULL);
        CTS_EACH_LAYOUT(layout)
        {
            check_softmax(t, cts_input(t, dtype, layout, CTS_SHAPE(3, 4, 17), -6, 6),
                          cts_output(t, dtype, (enum cts_layout)((layout + 2) % CTS_LAYOUTS), CTS_SHAPE(3, 4, 17)),
                          NULL);
        }
    }
}

CTS_CASE_OP(operator, softmax_runs_along_any_axis, CITED)
{
    CTS_EACH_FLOAT(dtype)
    {
        for (int64_t axis = -3; axis < 3; axis++)
            check_softmax(t, cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(4, 5, 6), -6, 6),
                          cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(4, 5, 6)), &axis);
    }
}

CTS_CASE_OP(operator, softmax_survives_large_and_masked_values, CITED)
{
    CTS_EACH_FLOAT(dtype)
    {
        check_softmax(t,
                      cts_input_list(t, dtype, CTS_DENSE, CTS_SHAPE(4, 6), CTS_LIST(60000, 59999, -60000, 0, 60000, 1)),
                      cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(4, 6)), NULL);
        check_softmax(t,
                      cts_input_list(t, dtype, CTS_DENSE, CTS_SHAPE(4, 5),
                                     CTS_LIST(1, -(double)INFINITY, 2, -(double)INFINITY, 0.5)),
                      cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(4, 5)), NULL);
    }
}

CTS_CASE_OP(operator, softmax_of_a_row_with_nan_is_nan_and_others_are_not, CITED)
{
    CTS_EACH_FLOAT(dtype)
    {
        cts_tensor x = cts_input_list(t, dtype, CTS_DENSE, CTS_SHAPE(2, 4), CTS_LIST(1, (double)NAN, 2, 3, 1, 2, 3, 4));
        cts_tensor y = cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(2, 4));
        double want[8];
        softmax_of(&x, -1, want);
        for (unsigned i = 0; i < 4; i++)
            want[i] = (double)NAN;
        const haly_op_desc desc = {HALY_OP_DESC_INIT, .name = "Softmax", HALY_INPUTS(x.view), HALY_OUTPUTS(y.view)};
        if (cts_op(t, &desc))
            cts_compare(t, &y, want, NULL, "", "Softmax");
    }
}

static double argmax_of(const cts_tensor *x, const struct rows *rows, int64_t row)
{
    int64_t best = 0;
    for (int64_t k = 1; k < rows->length; k++) {
        const double now = x->values[row_element(rows, row, k)], then = x->values[row_element(rows, row, best)];
        if (!isnan(then) && (isnan(now) || now > then))
            best = k;
    }
    return (double)best;
}

static void check_argmax(struct cts *t, cts_tensor x, const int64_t *axis, int keepdims)
{
    int64_t shape[HALY_MAX_RANK];
    uint32_t rank = 0;
    const int64_t along = axis != NULL ? *axis : 0;
    const struct rows rows = rows_along(&x.view, along);
    for (uint32_t i = 0; i < x.view.rank; i++) {
        const int is_axis = (int64_t)i == (along < 0 ? along + (int64_t)x.view.rank : along);
        if (!is_axis || keepdims != 0)
            shape[rank++] = is_axis ? 1 : x.view.shape[i];
    }
    cts_tensor y = cts_output(t, HALY_I64, CTS_DENSE, shape, rank);
    const haly_attribute attributes[2] = {haly_attribute_int("keepdims", keepdims), haly_attribute_int("axis", along)};
    const haly_op_desc desc = {HALY_OP_DESC_INIT,    .name = "ArgMax",         HALY_INPUTS(x.view),
                               HALY_OUTPUTS(y.view), .attributes = attributes, .attribute_count = axis != NULL ? 2 : 1};
    double *want = cts_doubles(t, y.count);
    for (int64_t row = 0; row < rows.outer * rows.inner; row++)
        want[row] = argmax_of(&x, &rows, row);
    if (cts_dtype(t, HALY_I64) && cts_op(t, &desc))
        cts_compare_exact(t, &y, want);
}

CTS_CASE_OP(operator, argmax_finds_the_largest_along_any_axis, CITED)
{
    CTS_EACH_FLOAT(dtype)
    {
        check_argmax(t, cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(6, 7), -1, 1), NULL, 1); /* axis 0 when not given */
        for (int64_t axis = -3; axis < 3; axis++) {
            check_argmax(t, cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(4, 5, 6), -1, 1), &axis, 1);
            check_argmax(t, cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(4, 5, 6), -1, 1), &axis, 0);
        }
    }
}

CTS_CASE_OP(operator, argmax_works_on_long_rows_and_any_layout, CITED)
{
    const int64_t axis = -1;
    CTS_EACH_FLOAT(dtype)
    {
        check_argmax(t, cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(49152), -10, 10), &axis, 0);
        CTS_EACH_LAYOUT(layout)
        {
            check_argmax(t, cts_input(t, dtype, layout, CTS_SHAPE(3, 4, 19), -10, 10), &axis, 0);
        }
    }
}

CTS_CASE_OP(operator, argmax_takes_the_first_of_equals, CITED)
{
    const int64_t axis = -1;
    CTS_EACH_FLOAT(dtype)
    {
        check_argmax(t, cts_input_list(t, dtype, CTS_DENSE, CTS_SHAPE(3, 200), CTS_LIST(1, 3, 2, 3, 0)), &axis, 0);
        check_argmax(t, cts_input_list(t, dtype, CTS_DENSE, CTS_SHAPE(3, 50), CTS_LIST(-(double)INFINITY)), &axis, 0);
        check_argmax(t, cts_input_list(t, dtype, CTS_DENSE, CTS_SHAPE(2, 3000), CTS_LIST(0, 1, 3, 2, 3, 0, 1)), &axis,
                     0);
        check_argmax(t, cts_input_list(t, dtype, CTS_DENSE, CTS_SHAPE(64), CTS_LIST(-0.0, 0.0)), &axis, 0);
    }
}

CTS_CASE_OP(operator, argmax_counts_nan_as_the_largest, CITED)
{
    const int64_t axis = -1;
    CTS_EACH_FLOAT(dtype)
    {
        check_argmax(t,
                     cts_input_list(t, dtype, CTS_DENSE, CTS_SHAPE(4, 7),
                                    CTS_LIST(1, (double)INFINITY, 2, (double)NAN, 3, (double)NAN, 9)),
                     &axis, 0);
    }
}

static void rms_norm_of(const double *x, const double *scale, int64_t rows, int64_t columns, double epsilon,
                        double *want)
{
    for (int64_t row = 0; row < rows; row++) {
        double squares = 0;
        for (int64_t i = 0; i < columns; i++)
            squares += x[row * columns + i] * x[row * columns + i];
        const double factor = 1 / sqrt(squares / (double)columns + epsilon);
        for (int64_t i = 0; i < columns; i++)
            want[row * columns + i] = x[row * columns + i] * factor * scale[i];
    }
}

static void check_rms_norm(struct cts *t, cts_tensor x, cts_tensor scale, cts_tensor y, const double *epsilon)
{
    const int64_t columns = x.view.shape[x.view.rank - 1];
    const haly_attribute attribute = haly_attribute_float("epsilon", epsilon != NULL ? *epsilon : 0);
    const haly_op_desc desc = {HALY_OP_DESC_INIT,    .name = "RMSNormalization", HALY_INPUTS(x.view, scale.view),
                               HALY_OUTPUTS(y.view), .attributes = &attribute,   .attribute_count = epsilon != NULL};
    double *want = cts_doubles(t, y.count);
    rms_norm_of(x.values, scale.values, x.count / columns, columns, epsilon != NULL ? *epsilon : 1e-5, want);
    if (cts_op(t, &desc))
        cts_compare(t, &y, want, NULL, "", "RMSNormalization");
}

CTS_CASE_OP(operator, rms_norm_divides_by_the_root_of_the_mean_square, CITED)
{
    CTS_EACH_FLOAT(dtype)
    {
        for (int64_t columns = 1; columns < 3000; columns = columns * 6 + 5)
            check_rms_norm(t, cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(4, columns), -3, 3),
                           cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(columns), 0.5, 2),
                           cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(4, columns)), NULL);
    }
}

CTS_CASE_OP(operator, rms_norm_takes_a_scale_in_f32_whatever_x_is, CITED)
{
    CTS_EACH_FLOAT(dtype)
    {
        if (cts_dtype(t, HALY_F32))
            check_rms_norm(t, cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(2, 3, 48), -3, 3),
                           cts_input(t, HALY_F32, CTS_DENSE, CTS_SHAPE(48), 0.5, 2),
                           cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(2, 3, 48)), NULL);
    }
}

CTS_CASE_OP(operator, rms_norm_takes_any_layout_and_epsilon, CITED)
{
    static const double epsilons[] = {1e-6, 0.5};
    CTS_EACH_FLOAT(dtype)
    {
        CTS_EACH_LAYOUT(layout)
        {
            check_rms_norm(t, cts_input(t, dtype, layout, CTS_SHAPE(3, 4, 21), -3, 3),
                           cts_input(t, dtype, CTS_STEPPED, CTS_SHAPE(21), 0.5, 2),
                           cts_output(t, dtype, (enum cts_layout)((layout + 1) % CTS_LAYOUTS), CTS_SHAPE(3, 4, 21)),
                           &epsilons[layout % 2]);
        }
    }
}

CTS_CASE_OP(operator, rms_norm_keeps_its_statistics_in_f32, CITED)
{
    if (cts_dtype(t, HALY_F16)) /* the squares of these overflow f16, their sum even more */
        check_rms_norm(t, cts_input(t, HALY_F16, CTS_DENSE, CTS_SHAPE(3, 1000), 300, 30000),
                       cts_input(t, HALY_F16, CTS_DENSE, CTS_SHAPE(1000), 0.5, 2),
                       cts_output(t, HALY_F16, CTS_DENSE, CTS_SHAPE(3, 1000)), NULL);
    CTS_EACH_FLOAT(dtype)
    {
        check_rms_norm(t, cts_input_list(t, dtype, CTS_DENSE, CTS_SHAPE(2, 64), CTS_LIST(0)), /* nothing but epsilon */
                       cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(64), 0.5, 2),
                       cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(2, 64)), NULL);
    }
}

/* The sum is compared as well, and y against the sum as it was stored. */
static void check_add_rms_norm(struct cts *t, haly_dtype dtype, enum cts_layout layout, int64_t rows, int64_t columns)
{
    cts_tensor x = cts_input(t, dtype, layout, CTS_SHAPE(rows, columns), -3, 3);
    cts_tensor residual = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(rows, columns), -3, 3);
    cts_tensor scale = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(columns), 0.5, 2);
    cts_tensor y = cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(rows, columns));
    cts_tensor sum = cts_output(t, dtype, layout, CTS_SHAPE(rows, columns));
    const haly_attribute epsilon = haly_attribute_float("epsilon", 1e-6);
    const haly_op_desc desc = {HALY_OP_DESC_INIT,
                               .domain = "halyard",
                               .name = "AddRMSNorm",
                               HALY_INPUTS(x.view, residual.view, scale.view),
                               HALY_OUTPUTS(y.view, sum.view),
                               .attributes = &epsilon,
                               .attribute_count = 1};
    double *want = cts_doubles(t, y.count), *sums = cts_doubles(t, y.count);
    for (int64_t i = 0; i < y.count; i++)
        sums[i] = cts_round(dtype, x.values[i] + residual.values[i]);
    rms_norm_of(sums, scale.values, rows, columns, 1e-6, want);
    if (cts_op(t, &desc)) {
        cts_compare(t, &y, want, NULL, "halyard", "AddRMSNorm");
        cts_compare(t, &sum, sums, NULL, "", "Add");
    }
}

CTS_CASE_OP(operator, add_rms_norm_gives_the_sum_and_its_norm, CITED)
{
    CTS_EACH_FLOAT(dtype)
    {
        CTS_EACH_LAYOUT(layout)
        {
            check_add_rms_norm(t, dtype, layout, 5, 37);
        }
        check_add_rms_norm(t, dtype, CTS_DENSE, 3, 1024);
    }
}
