/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that move or convert: Cast, Transpose, Embedding. Their results are exact. */
#include <math.h>

#include "cts_tensor.h"

#define CITED "PLAN-001 PLAN-002 NUM-001 TEN-001"

static void check_cast(struct cts *t, cts_tensor x, haly_dtype to, double (*convert)(double x))
{
    cts_tensor y = cts_output(t, to, CTS_DENSE, x.view.shape, x.view.rank);
    const haly_op_desc desc = {HALY_OP_DESC_INIT, .name = "Cast", HALY_INPUTS(x.view), HALY_OUTPUTS(y.view)};
    double *want = cts_doubles(t, x.count);
    for (int64_t i = 0; i < x.count; i++)
        want[i] = convert != NULL ? convert(x.values[i]) : x.values[i];
    if (cts_op(t, &desc))
        cts_compare_exact(t, &y, want);
}

CTS_CASE_OP(operator, cast_rounds_between_floating_point_types_to_nearest_even, CITED)
{
    static const double ties[] = {
        1 + 0x1p-11, 1 + 3 * 0x1p-11, 1 + 0x1p-8, 1 + 3 * 0x1p-8, -1 - 0x1p-11, 65519, 65520,     65504,
        0x1p-25,     0x1.8p-25,       0x1p-24,    0x1p-14,        0x1.ffcp-15,  -0.0,  3.3895e38, 1e-40};
    CTS_EACH_FLOAT(from)
    {
        CTS_EACH_FLOAT(to)
        {
            check_cast(t, cts_input(t, from, CTS_DENSE, CTS_SHAPE(5000), -70000, 70000), to, NULL);
            check_cast(t, cts_input(t, from, CTS_DENSE, CTS_SHAPE(500), -0.001, 0.001), to, NULL);
            check_cast(t, cts_input_list(t, from, CTS_DENSE, CTS_SHAPE(160), ties, 16), to, NULL);
        }
    }
}

CTS_CASE_OP(operator, cast_keeps_infinities_and_nan_between_floating_point_types, CITED)
{
    CTS_EACH_FLOAT(from)
    {
        CTS_EACH_FLOAT(to)
        {
            check_cast(t,
                       cts_input_list(t, from, CTS_DENSE, CTS_SHAPE(40),
                                      CTS_LIST((double)INFINITY, -(double)INFINITY, (double)NAN, 1)),
                       to, NULL);
        }
    }
}

CTS_CASE_OP(operator, cast_to_integers_truncates_saturates_and_makes_nan_zero, CITED)
{
    static const haly_dtype types[] = {HALY_I32, HALY_I64, HALY_U8};
    static const double values[] = {0.99,
                                    -0.99,
                                    1.5,
                                    -1.5,
                                    2.5,
                                    255,
                                    256,
                                    300,
                                    -1,
                                    -300,
                                    65504,
                                    1e9,
                                    -1e9,
                                    3e9,
                                    -3e9,
                                    1e30,
                                    -1e30,
                                    (double)INFINITY,
                                    -(double)INFINITY,
                                    (double)NAN};
    CTS_EACH_FLOAT(from)
    {
        for (unsigned i = 0; i < 3; i++)
            if (cts_dtype(t, types[i]))
                check_cast(t, cts_input_list(t, from, CTS_DENSE, CTS_SHAPE(100), values, 20), types[i], NULL);
    }
}

CTS_CASE_OP(operator, cast_from_integers_rounds_to_nearest_even, CITED)
{
    static const double values[] = {0,        1,        -1,        255,   2049,  2051,  -2049,      257,          259,
                                    16777217, 16777219, -16777217, 65504, 65519, 65521, 2147483647, -2147483648.0};
    CTS_EACH_FLOAT(to)
    {
        if (cts_dtype(t, HALY_I32))
            check_cast(t, cts_input_list(t, HALY_I32, CTS_DENSE, CTS_SHAPE(170), values, 17), to, NULL);
        if (cts_dtype(t, HALY_I64))
            check_cast(t, cts_input_list(t, HALY_I64, CTS_DENSE, CTS_SHAPE(170), values, 17), to, NULL);
        if (cts_dtype(t, HALY_U8))
            check_cast(t, cts_input(t, HALY_U8, CTS_DENSE, CTS_SHAPE(300), 0, 255), to, NULL);
    }
}

static double wrap_u8(double x)
{
    return (double)(uint8_t)(int64_t)x;
}
static double wrap_i32(double x)
{
    return (double)(int32_t)(uint32_t)(uint64_t)(int64_t)x;
}

CTS_CASE_OP(operator, cast_between_integers_wraps, CITED)
{
    static const double values[] = {0,   1,    -1,   127,  128,   255,        256,
                                    257, -128, -255, -256, 65537, 2147483647, -2147483648.0};
    static const double wide[] = {4294967296.0, 4294967297.0, -4294967297.0, 2147483648.0, 1e15, -1e15};
    if (!cts_dtype(t, HALY_I32) || !cts_dtype(t, HALY_I64) || !cts_dtype(t, HALY_U8))
        return;
    check_cast(t, cts_input_list(t, HALY_I32, CTS_DENSE, CTS_SHAPE(28), values, 14), HALY_U8, wrap_u8);
    check_cast(t, cts_input_list(t, HALY_I64, CTS_DENSE, CTS_SHAPE(28), values, 14), HALY_U8, wrap_u8);
    check_cast(t, cts_input_list(t, HALY_I64, CTS_DENSE, CTS_SHAPE(12), wide, 6), HALY_I32, wrap_i32);
    check_cast(t, cts_input_list(t, HALY_I32, CTS_DENSE, CTS_SHAPE(28), values, 14), HALY_I64, NULL);
    check_cast(t, cts_input(t, HALY_U8, CTS_DENSE, CTS_SHAPE(300), 0, 255), HALY_I32, NULL);
}

static double to_bool(double x)
{
    return x != 0 ? 1 : 0;
}

CTS_CASE_OP(operator, cast_to_and_from_bool_knows_zero_and_the_rest, CITED)
{
    static const haly_dtype types[] = {HALY_F32, HALY_F16, HALY_BF16, HALY_I32, HALY_I64, HALY_U8};
    for (unsigned i = 0; i < 6 && cts_dtype(t, HALY_BOOL); i++) {
        if (!cts_dtype(t, types[i]))
            continue;
        check_cast(t, cts_input_list(t, types[i], CTS_DENSE, CTS_SHAPE(64), CTS_LIST(0, 1, 2, 0, 100, 0, 7)), HALY_BOOL,
                   to_bool);
        check_cast(t, cts_input_list(t, HALY_BOOL, CTS_DENSE, CTS_SHAPE(64), CTS_LIST(0, 1, 1)), types[i], NULL);
    }
    CTS_EACH_FLOAT(from)
    {
        if (cts_dtype(t, HALY_BOOL))
            check_cast(t,
                       cts_input_list(t, from, CTS_DENSE, CTS_SHAPE(8),
                                      CTS_LIST(0.0, -0.0, 0.25, -0.5, (double)INFINITY, (double)NAN, 0x1p-24)),
                       HALY_BOOL, to_bool);
    }
}

CTS_CASE_OP(operator, cast_takes_any_layout, CITED)
{
    CTS_EACH_LAYOUT(layout)
    {
        if (cts_dtype(t, HALY_F32) && cts_dtype(t, HALY_F16))
            check_cast(t, cts_input(t, HALY_F32, layout, CTS_SHAPE(3, 4, 9), -10, 10), HALY_F16, NULL);
    }
}

static void check_transpose(struct cts *t, cts_tensor x, const int64_t *perm, enum cts_layout layout)
{
    const uint32_t rank = x.view.rank;
    int64_t shape[HALY_MAX_RANK], order[HALY_MAX_RANK], steps[HALY_MAX_RANK];
    int64_t step = 1;
    for (uint32_t i = rank; i-- > 0; step *= x.view.shape[i])
        steps[i] = step;
    for (uint32_t i = 0; i < rank; i++) {
        order[i] = perm != NULL ? perm[i] : (int64_t)(rank - 1 - i);
        shape[i] = x.view.shape[order[i]];
    }
    cts_tensor y = cts_output(t, x.view.dtype, layout, shape, rank);
    const haly_attribute attribute = haly_attribute_ints("perm", perm, rank);
    const haly_op_desc desc = {HALY_OP_DESC_INIT,    .name = "Transpose",      HALY_INPUTS(x.view),
                               HALY_OUTPUTS(y.view), .attributes = &attribute, .attribute_count = perm != NULL};
    double *want = cts_doubles(t, y.count);
    for (int64_t i = 0; i < y.count; i++) {
        int64_t left = i, from = 0;
        for (uint32_t d = rank; d-- > 0; left /= shape[d])
            from += left % shape[d] * steps[order[d]];
        want[i] = x.values[from];
    }
    if (cts_op(t, &desc))
        cts_compare_exact(t, &y, want);
}

CTS_CASE_OP(operator, transpose_reverses_the_dimensions_when_not_told_otherwise, CITED)
{
    CTS_EACH_FLOAT(dtype)
    {
        check_transpose(t, cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(37, 53), -1, 1), NULL, CTS_DENSE);
        check_transpose(t, cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(3, 4, 5), -1, 1), NULL, CTS_DENSE);
        check_transpose(t, cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(11), -1, 1), NULL, CTS_DENSE);
        check_transpose(t, cts_input(t, dtype, CTS_DENSE, CTS_SCALAR, -1, 1), NULL, CTS_DENSE);
    }
}

CTS_CASE_OP(operator, transpose_takes_every_order_of_the_dimensions, CITED)
{
    static const int64_t orders[][4] = {{0, 1, 2, 3}, {0, 2, 1, 3}, {3, 1, 2, 0},
                                        {1, 2, 3, 0}, {2, 3, 0, 1}, {0, 3, 2, 1}};
    static const int64_t many[8] = {7, 0, 6, 1, 5, 2, 4, 3};
    for (unsigned i = 0; i < 6 && cts_dtype(t, HALY_F32); i++)
        check_transpose(t, cts_input(t, HALY_F32, CTS_DENSE, CTS_SHAPE(2, 3, 5, 7), -1, 1), orders[i], CTS_DENSE);
    if (cts_dtype(t, HALY_F32))
        check_transpose(t, cts_input(t, HALY_F32, CTS_DENSE, CTS_SHAPE(2, 1, 3, 2, 1, 2, 3, 2), -1, 1), many,
                        CTS_DENSE);
}

CTS_CASE_OP(operator, transpose_moves_every_plain_type_between_any_layouts, CITED)
{
    static const haly_dtype types[] = {HALY_F32, HALY_F16, HALY_BF16, HALY_F64, HALY_I8,
                                       HALY_I16, HALY_I32, HALY_I64,  HALY_BOOL};
    static const int64_t order[3] = {1, 0, 2};
    for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (!cts_dtype(t, types[i]))
            continue;
        CTS_EACH_LAYOUT(layout)
        {
            const enum cts_layout other = (enum cts_layout)((layout + 1) % CTS_LAYOUTS);
            check_transpose(t, cts_input(t, types[i], layout, CTS_SHAPE(4, 5, 6), 0, 100), order, other);
        }
    }
}

/* Rows of the table for a list of indices; those outside give NaN. */
static void check_embedding(struct cts *t, cts_tensor table, cts_tensor indices, cts_tensor y)
{
    const haly_op_desc desc = {HALY_OP_DESC_INIT, .domain = "halyard", .name = "Embedding",
                               HALY_INPUTS(table.view, indices.view), HALY_OUTPUTS(y.view)};
    const int64_t rows = table.view.shape[0], columns = table.view.shape[1];
    double *want = cts_doubles(t, y.count);
    for (int64_t i = 0; i < y.count; i++) {
        const double row = indices.values[i / columns];
        want[i] = row >= 0 && row < (double)rows ? table.values[(int64_t)row * columns + i % columns] : (double)NAN;
    }
    if (cts_op(t, &desc))
        cts_compare(t, &y, want, NULL, "halyard", "Embedding");
}

CTS_CASE_OP(operator, embedding_takes_rows_of_a_table_of_any_type, CITED)
{
    CTS_EACH_FLOAT(dtype)
    {
        check_embedding(t, cts_weight(t, dtype, 50, 33),
                        cts_input_list(t, HALY_I32, CTS_DENSE, CTS_SHAPE(9), CTS_LIST(0, 49, 7, 7, 13)),
                        cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(9, 33)));
    }
}

static const haly_dtype block_types[3] = {HALY_Q4_0, HALY_Q4_1, HALY_Q8_0};

CTS_CASE_OP(operator, embedding_dequantises_block_types, CITED)
{
    for (unsigned i = 0; i < 3; i++) {
        if (!cts_dtype(t, block_types[i]))
            continue;
        CTS_EACH_FLOAT(dtype)
        {
            check_embedding(t, cts_blocks(t, block_types[i], 20, 96, 0),
                            cts_input_list(t, HALY_I64, CTS_DENSE, CTS_SHAPE(6), CTS_LIST(19, 0, 3)),
                            cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(6, 96)));
        }
    }
}

CTS_CASE_OP(operator, embedding_takes_indices_of_any_shape_and_integer_type, CITED)
{
    static const haly_dtype types[2] = {HALY_I32, HALY_I64};
    for (unsigned i = 0; i < 2 && cts_dtype(t, HALY_F32); i++) {
        if (!cts_dtype(t, types[i]))
            continue;
        cts_tensor table = cts_weight(t, HALY_F32, 12, 8);
        check_embedding(t, table, cts_input(t, types[i], CTS_SWAPPED, CTS_SHAPE(2, 3, 4), 0, 12),
                        cts_output(t, HALY_F32, CTS_PADDED, CTS_SHAPE(2, 3, 4, 8)));
        check_embedding(t, table, cts_input(t, types[i], CTS_DENSE, CTS_SCALAR, 0, 12),
                        cts_output(t, HALY_F32, CTS_DENSE, CTS_SHAPE(8)));
    }
}

CTS_CASE_OP(operator, embedding_gives_nan_for_an_index_outside_the_table, CITED)
{
    CTS_EACH_FLOAT(dtype)
    {
        check_embedding(
            t, cts_weight(t, dtype, 10, 16),
            cts_input_list(t, HALY_I64, CTS_DENSE, CTS_SHAPE(8), CTS_LIST(0, 10, -1, 9, 1e15, -1e15, 4294967296.0, 5)),
            cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(8, 16)));
    }
}

CTS_CASE_OP(operator, embedding_takes_a_table_with_gaps_between_its_rows, CITED)
{
    for (unsigned i = 0; i < 3; i++)
        if (cts_dtype(t, block_types[i]) && cts_dtype(t, HALY_F32))
            check_embedding(t, cts_blocks(t, block_types[i], 7, 64, 1),
                            cts_input_list(t, HALY_I32, CTS_DENSE, CTS_SHAPE(4), CTS_LIST(6, 1)),
                            cts_output(t, HALY_F32, CTS_DENSE, CTS_SHAPE(4, 64)));
    if (cts_dtype(t, HALY_F16))
        check_embedding(t, cts_input(t, HALY_F16, CTS_PADDED, CTS_SHAPE(7, 20), -1, 1),
                        cts_input_list(t, HALY_I32, CTS_DENSE, CTS_SHAPE(4), CTS_LIST(6, 1)),
                        cts_output(t, HALY_F16, CTS_DENSE, CTS_SHAPE(4, 20)));
}
