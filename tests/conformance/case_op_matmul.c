/* SPDX-License-Identifier: Apache-2.0 */
/* Products: MatMul and QuantizedMatMul, their shapes, layouts, sums, and that results do not depend on the batch. */
#include <math.h>

#include "cts_tensor.h"

#define CITED "PLAN-001 PLAN-002 NUM-001 TEN-001"

/* numpy's rules: a vector on the left is a row, on the right a column; the dimension goes again. */
struct product {
    int64_t m, k, n;
    int64_t batch[HALY_MAX_RANK];
    uint32_t batch_rank;
    int64_t shape[HALY_MAX_RANK]; /* of the result */
    uint32_t rank;
};

static int64_t batch_dimension(const cts_tensor *x, uint32_t from_right)
{
    return x->view.rank > 2 + from_right ? x->view.shape[x->view.rank - 3 - from_right] : 1;
}

static struct product product_of(const cts_tensor *a, const cts_tensor *b)
{
    struct product p = {0};
    p.k = a->view.shape[a->view.rank - 1];
    p.m = a->view.rank > 1 ? a->view.shape[a->view.rank - 2] : 1;
    p.n = b->view.rank > 1 ? b->view.shape[b->view.rank - 1] : 1;
    const uint32_t rank = a->view.rank > b->view.rank ? a->view.rank : b->view.rank;
    p.batch_rank = rank > 2 ? rank - 2 : 0;
    for (uint32_t i = 0; i < p.batch_rank; i++) {
        const int64_t x = batch_dimension(a, p.batch_rank - 1 - i), y = batch_dimension(b, p.batch_rank - 1 - i);
        p.batch[i] = p.shape[i] = x == 1 ? y : x;
    }
    p.rank = p.batch_rank;
    if (a->view.rank > 1)
        p.shape[p.rank++] = p.m;
    if (b->view.rank > 1)
        p.shape[p.rank++] = p.n;
    return p;
}

/* First element of the matrix of batch element `flat`. */
static int64_t matrix_of(const cts_tensor *x, const struct product *p, int64_t flat, int64_t matrix)
{
    int64_t index = 0, step = matrix;
    for (uint32_t i = 0; i < p->batch_rank; i++) {
        const int64_t at = flat % p->batch[p->batch_rank - 1 - i], dimension = batch_dimension(x, i);
        flat /= p->batch[p->batch_rank - 1 - i];
        index += dimension == 1 ? 0 : at * step;
        step *= dimension;
    }
    return index;
}

static void matmul_of(const cts_tensor *a, const cts_tensor *b, const struct product *p, double *want,
                      double *magnitude)
{
    const int64_t batches = cts_count(p->batch, p->batch_rank);
    for (int64_t batch = 0; batch < batches; batch++) {
        const double *x = a->values + matrix_of(a, p, batch, p->m * p->k);
        const double *y = b->values + matrix_of(b, p, batch, p->k * p->n);
        for (int64_t i = 0; i < p->m * p->n; i++) {
            double sum = 0, absolute = 0;
            for (int64_t k = 0; k < p->k; k++) {
                const double term = x[i / p->n * p->k + k] * y[k * p->n + i % p->n];
                sum += term;
                absolute += fabs(term);
            }
            want[batch * p->m * p->n + i] = sum;
            magnitude[batch * p->m * p->n + i] = absolute;
        }
    }
}

static void check_matmul(struct cts *t, cts_tensor a, cts_tensor b, enum cts_layout layout)
{
    const struct product p = product_of(&a, &b);
    cts_tensor y = cts_output(t, a.view.dtype, layout, p.shape, p.rank);
    const haly_op_desc desc = {HALY_OP_DESC_INIT, .name = "MatMul", HALY_INPUTS(a.view, b.view), HALY_OUTPUTS(y.view)};
    double *want = cts_doubles(t, y.count), *magnitude = cts_doubles(t, y.count);
    matmul_of(&a, &b, &p, want, magnitude);
    if (cts_op(t, &desc))
        cts_compare(t, &y, want, magnitude, "", "MatMul");
}

static cts_tensor random_2d(struct cts *t, haly_dtype dtype, enum cts_layout layout, int64_t rows, int64_t columns)
{
    return cts_input(t, dtype, layout, CTS_SHAPE(rows, columns), -1, 1);
}

CTS_CASE_OP(operator, matmul_multiplies_matrices_of_odd_and_even_sizes, CITED)
{
    static const int64_t sizes[][3] = {{1, 1, 1},   {1, 64, 100}, {100, 64, 1},   {3, 5, 7},     {16, 16, 16},
                                       {17, 33, 9}, {64, 96, 48}, {33, 257, 130}, {128, 64, 128}};
    CTS_EACH_FLOAT(dtype)
    {
        for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
            check_matmul(t, random_2d(t, dtype, CTS_DENSE, sizes[i][0], sizes[i][1]),
                         random_2d(t, dtype, CTS_DENSE, sizes[i][1], sizes[i][2]), CTS_DENSE);
    }
}

CTS_CASE_OP(operator, matmul_takes_any_layout, CITED)
{
    CTS_EACH_FLOAT(dtype)
    {
        CTS_EACH_LAYOUT(a)
        {
            CTS_EACH_LAYOUT(b)
            {
                check_matmul(t, random_2d(t, dtype, a, 11, 18), random_2d(t, dtype, b, 18, 13),
                             (enum cts_layout)((a + b) % CTS_LAYOUTS));
            }
        }
    }
}

CTS_CASE_OP(operator, matmul_treats_vectors_as_numpy_does, CITED)
{
    CTS_EACH_FLOAT(dtype)
    {
        cts_tensor vector = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(20), -1, 1);
        check_matmul(t, vector, vector, CTS_DENSE); /* gives a scalar */
        check_matmul(t, vector, random_2d(t, dtype, CTS_DENSE, 20, 6), CTS_DENSE);
        check_matmul(t, random_2d(t, dtype, CTS_DENSE, 6, 20), vector, CTS_DENSE);
        check_matmul(t, cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(3, 6, 20), -1, 1), vector, CTS_DENSE);
        check_matmul(t, vector, cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(3, 20, 6), -1, 1), CTS_DENSE);
    }
}

CTS_CASE_OP(operator, matmul_broadcasts_its_batch_dimensions, CITED)
{
    CTS_EACH_FLOAT(dtype)
    {
        check_matmul(t, cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(3, 4, 5), -1, 1),
                     cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(3, 5, 6), -1, 1), CTS_DENSE);
        check_matmul(t, cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(2, 1, 4, 5), -1, 1),
                     cts_input(t, dtype, CTS_SWAPPED, CTS_SHAPE(3, 5, 6), -1, 1), CTS_DENSE);
        check_matmul(t, random_2d(t, dtype, CTS_DENSE, 4, 5),
                     cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(2, 3, 5, 6), -1, 1), CTS_PADDED);
        check_matmul(t, cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(1, 3, 4, 5), -1, 1),
                     cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(2, 1, 5, 6), -1, 1), CTS_DENSE);
    }
}

CTS_CASE_OP(operator, matmul_sums_in_f32_at_least, CITED)
{
    static const haly_dtype narrow[2] = {HALY_F16, HALY_BF16};
    for (unsigned i = 0; i < 2; i++) {
        if (!cts_dtype(t, narrow[i]))
            continue;
        /* 4096 ones: a sum kept in 11 or 8 bits would stop growing at 2048 or 256 */
        check_matmul(t, cts_input_list(t, narrow[i], CTS_DENSE, CTS_SHAPE(2, 4096), CTS_LIST(1)),
                     cts_input_list(t, narrow[i], CTS_DENSE, CTS_SHAPE(4096, 3), CTS_LIST(1)), CTS_DENSE);
        /* what is added stands below the last bit of a narrow sum, also when whole slices of k are added at once */
        const double little[] = {narrow[i] == HALY_F16 ? 1 + 3 * 0x1p-10 : 1 + 3 * 0x1p-7};
        check_matmul(t, cts_input_list(t, narrow[i], CTS_DENSE, CTS_SHAPE(2, 4096), CTS_LIST(1)),
                     cts_input_list(t, narrow[i], CTS_DENSE, CTS_SHAPE(4096, 3), little, 1), CTS_DENSE);
    }
}

CTS_CASE_OP(operator, matmul_of_large_matrices_is_right_at_every_edge, CITED)
{
    CTS_EACH_FLOAT(dtype)
    {
        check_matmul(t, random_2d(t, dtype, CTS_DENSE, 270, 70), random_2d(t, dtype, CTS_SWAPPED, 70, 300), CTS_PADDED);
        check_matmul(t, random_2d(t, dtype, CTS_SWAPPED, 65, 130), random_2d(t, dtype, CTS_PADDED, 130, 530),
                     CTS_DENSE);
        check_matmul(t, cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(2, 1, 80, 70), -1, 1),
                     cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(3, 70, 90), -1, 1), CTS_DENSE);
    }
}

CTS_CASE_OP(operator, matmul_over_nothing_is_zero, CITED " OPS-002")
{
    CTS_EACH_FLOAT(dtype)
    {
        check_matmul(t, random_2d(t, dtype, CTS_DENSE, 4, 0), random_2d(t, dtype, CTS_DENSE, 0, 5), CTS_DENSE);
        check_matmul(t, random_2d(t, dtype, CTS_DENSE, 0, 3), random_2d(t, dtype, CTS_DENSE, 3, 5), CTS_DENSE);
        check_matmul(t, random_2d(t, dtype, CTS_DENSE, 4, 3), random_2d(t, dtype, CTS_DENSE, 3, 0), CTS_DENSE);
    }
}

CTS_CASE_OP(operator, matmul_passes_on_nan_and_infinity_where_they_belong, CITED)
{
    CTS_EACH_FLOAT(dtype)
    {
        cts_tensor a = cts_input_list(t, dtype, CTS_DENSE, CTS_SHAPE(3, 4),
                                      CTS_LIST(1, 2, 3, 4, 1, (double)NAN, 1, 1, 1, 1, (double)INFINITY, 1));
        check_matmul(t, a, cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(4, 5), 0.5, 1), CTS_DENSE);
    }
}

/* Rows of a large product against the same rows alone: the bits must be the same. */
static void check_batch_invariance(struct cts *t, const char *domain, const char *name, cts_tensor x, cts_tensor w,
                                   int64_t n)
{
    const haly_dtype dtype = x.view.dtype;
    const int64_t rows = x.view.shape[0], k = x.view.shape[1];
    static const int64_t starts[] = {0, 1, 5, 16}, counts[] = {1, 2, 3, 8};
    cts_tensor all = cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(rows, n));
    const haly_op_desc whole = {HALY_OP_DESC_INIT, .domain = domain, .name = name, HALY_INPUTS(x.view, w.view),
                                HALY_OUTPUTS(all.view)};
    if (!cts_op(t, &whole))
        return;
    cts_fetch(t, &all);
    for (unsigned i = 0; i < 4; i++) {
        cts_tensor part = cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(counts[i], n));
        haly_tensor some = x.view;
        some.shape[0] = counts[i];
        some.data = (char *)x.view.data + starts[i] * k * (int64_t)haly_dtype_block_bytes(dtype);
        const haly_op_desc desc = {HALY_OP_DESC_INIT, .domain = domain, .name = name, HALY_INPUTS(some, w.view),
                                   HALY_OUTPUTS(part.view)};
        if (!cts_op(t, &desc))
            return;
        cts_fetch(t, &part);
        CTS_CHECK(memcmp(part.image, all.image + starts[i] * n * (int64_t)haly_dtype_block_bytes(dtype), part.bytes) ==
                      0,
                  "%s %s: %lld rows from row %lld differ from the same rows of %lld", name, haly_dtype_name(dtype),
                  (long long)counts[i], (long long)starts[i], (long long)rows);
    }
}

CTS_CASE_WITH(operator, matmul_rows_have_the_same_bits_whatever_the_batch, CITED, HALY_CAP_DETERMINISTIC, CTS_OPERATORS)
{
    static const int64_t sizes[][2] = {{301, 70}, {64, 64}, {63, 64}, {1030, 5}, {20, 515}};
    CTS_EACH_FLOAT(dtype)
    {
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            const int64_t k = sizes[i][0], n = sizes[i][1];
            check_batch_invariance(t, "", "MatMul", random_2d(t, dtype, CTS_DENSE, 40, k),
                                   random_2d(t, dtype, CTS_DENSE, k, n), n);
        }
    }
}

/* ---- quantised weights ---- */
static const haly_dtype weight_types[6] = {HALY_Q4_0, HALY_Q4_1, HALY_Q8_0, HALY_F32, HALY_F16, HALY_BF16};

static void check_quantized(struct cts *t, cts_tensor x, cts_tensor w, const cts_tensor *bias, enum cts_layout layout)
{
    int64_t shape[HALY_MAX_RANK];
    const int64_t n = w.view.shape[0], k = w.view.shape[1];
    memcpy(shape, x.view.shape, sizeof shape);
    shape[x.view.rank - 1] = n;
    cts_tensor y = cts_output(t, x.view.dtype, layout, shape, x.view.rank);
    const haly_tensor inputs[3] = {x.view, w.view, bias != NULL ? bias->view : haly_tensor_none()};
    const haly_op_desc desc = {HALY_OP_DESC_INIT,
                               .domain = "halyard",
                               .name = "QuantizedMatMul",
                               .inputs = inputs,
                               .input_count = bias != NULL ? 3 : 2,
                               HALY_OUTPUTS(y.view)};
    double *want = cts_doubles(t, y.count), *magnitude = cts_doubles(t, y.count);
    for (int64_t i = 0; i < y.count; i++) {
        want[i] = bias != NULL ? bias->values[i % n] : 0;
        magnitude[i] = fabs(want[i]);
        for (int64_t at = 0; at < k; at++) {
            const double term = x.values[i / n * k + at] * w.values[i % n * k + at];
            want[i] += term;
            magnitude[i] += fabs(term);
        }
    }
    if (cts_op(t, &desc))
        cts_compare(t, &y, want, magnitude, "halyard", "QuantizedMatMul");
}

static void check_quantized_sizes(struct cts *t, haly_dtype weight)
{
    static const int64_t sizes[][3] = {{1, 32, 1}, {1, 576, 100}, {3, 64, 33}, {16, 96, 65}, {50, 160, 48}};
    CTS_EACH_FLOAT(dtype)
    {
        for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0] && cts_dtype(t, weight); i++)
            check_quantized(t, random_2d(t, dtype, CTS_DENSE, sizes[i][0], sizes[i][1]),
                            cts_weight(t, weight, sizes[i][2], sizes[i][1]), NULL, CTS_DENSE);
    }
}

CTS_CASE_OP(operator, quantized_matmul_reads_q4_0_weights, CITED)
{
    check_quantized_sizes(t, HALY_Q4_0);
}
CTS_CASE_OP(operator, quantized_matmul_reads_q4_1_weights, CITED)
{
    check_quantized_sizes(t, HALY_Q4_1);
}
CTS_CASE_OP(operator, quantized_matmul_reads_q8_0_weights, CITED)
{
    check_quantized_sizes(t, HALY_Q8_0);
}
CTS_CASE_OP(operator, quantized_matmul_reads_plain_weights, CITED)
{
    check_quantized_sizes(t, HALY_F32);
    check_quantized_sizes(t, HALY_F16);
    check_quantized_sizes(t, HALY_BF16);
}

CTS_CASE_OP(operator, quantized_matmul_adds_a_bias, CITED)
{
    for (unsigned i = 0; i < 6 && cts_dtype(t, HALY_F32); i++) {
        if (!cts_dtype(t, weight_types[i]))
            continue;
        cts_tensor bias = cts_input(t, HALY_F32, CTS_DENSE, CTS_SHAPE(40), -5, 5);
        CTS_EACH_FLOAT(dtype)
        {
            check_quantized(t, random_2d(t, dtype, CTS_DENSE, 5, 64), cts_weight(t, weight_types[i], 40, 64), &bias,
                            CTS_DENSE);
        }
    }
}

CTS_CASE_OP(operator, quantized_matmul_of_large_matrices_is_right_at_every_edge, CITED)
{
    for (unsigned i = 0; i < 6 && cts_dtype(t, HALY_F32); i++) {
        if (!cts_dtype(t, weight_types[i]))
            continue;
        cts_tensor bias = cts_input(t, HALY_F32, CTS_DENSE, CTS_SHAPE(530), -5, 5);
        cts_tensor deep = cts_weight(t, weight_types[i], 33, 1600), wide = cts_weight(t, weight_types[i], 530, 96);
        CTS_EACH_FLOAT(dtype)
        {
            check_quantized(t, random_2d(t, dtype, CTS_DENSE, 9, 1600), deep, NULL, CTS_DENSE);
            check_quantized(t, random_2d(t, dtype, CTS_DENSE, 200, 96), wide, &bias, CTS_PADDED);
        }
    }
}

CTS_CASE_OP(operator, quantized_matmul_takes_x_of_any_rank_and_layout, CITED)
{
    for (unsigned i = 0; i < 6; i++) {
        if (!cts_dtype(t, weight_types[i]) || !cts_dtype(t, HALY_F32))
            continue;
        check_quantized(t, cts_input(t, HALY_F32, CTS_DENSE, CTS_SHAPE(32), -1, 1),
                        cts_weight(t, weight_types[i], 9, 32), NULL, CTS_DENSE);
        CTS_EACH_LAYOUT(layout)
        {
            check_quantized(t, cts_input(t, HALY_F32, layout, CTS_SHAPE(2, 3, 64), -1, 1),
                            cts_weight(t, weight_types[i], 21, 64), NULL,
                            (enum cts_layout)((layout + 1) % CTS_LAYOUTS));
        }
    }
}

/* Rows that follow each other, but not from one batch to the next. */
CTS_CASE_OP(operator, quantized_matmul_takes_some_rows_of_each_batch, CITED)
{
    for (unsigned i = 0; i < 6 && cts_dtype(t, HALY_F32); i++) {
        if (!cts_dtype(t, weight_types[i]))
            continue;
        cts_tensor x = cts_input(t, HALY_F32, CTS_DENSE, CTS_SHAPE(4, 5, 64), -1, 1);
        double *values = cts_doubles(t, 4 * 3 * 64);
        for (int64_t at = 0; at < 4 * 3 * 64; at++)
            values[at] = x.values[at / (3 * 64) * (5 * 64) + at % (3 * 64)];
        x.view.shape[1] = 3;
        x.values = values;
        x.count = 4 * 3 * 64;
        check_quantized(t, x, cts_weight(t, weight_types[i], 21, 64), NULL, CTS_DENSE);
    }
}

CTS_CASE_OP(operator, quantized_matmul_takes_weights_with_gaps_between_their_rows, CITED)
{
    for (unsigned i = 0; i < 3; i++)
        if (cts_dtype(t, weight_types[i]) && cts_dtype(t, HALY_F32))
            check_quantized(t, random_2d(t, HALY_F32, CTS_DENSE, 4, 96), cts_blocks(t, weight_types[i], 17, 96, 2),
                            NULL, CTS_DENSE);
}

CTS_CASE_OP(operator, quantized_matmul_does_not_quantise_x, CITED)
{
    /* One large value in a block would wipe out the others if x were rounded to 8 bits on the way. */
    for (unsigned i = 0; i < 3 && cts_dtype(t, HALY_F32); i++) {
        if (!cts_dtype(t, weight_types[i]))
            continue;
        cts_tensor w = cts_blocks(t, weight_types[i], 8, 32, 0);
        double values[32];
        for (unsigned at = 0; at < 32; at++)
            values[at] = at == 0 ? 0 : 1e-3 * (at % 5 + 1);
        values[31] = 0.01;
        check_quantized(t, cts_input_values(t, HALY_F32, CTS_DENSE, CTS_SHAPE(1, 32), values), w, NULL, CTS_DENSE);
        values[0] = 1;
        check_quantized(t, cts_input_values(t, HALY_F32, CTS_DENSE, CTS_SHAPE(1, 32), values), w, NULL, CTS_DENSE);
    }
}

CTS_CASE_OP(operator, quantized_matmul_over_nothing_is_the_bias, CITED " OPS-002")
{
    if (!cts_dtype(t, HALY_F32))
        return;
    cts_tensor bias = cts_input(t, HALY_F32, CTS_DENSE, CTS_SHAPE(6), -5, 5);
    check_quantized(t, random_2d(t, HALY_F32, CTS_DENSE, 3, 0), cts_weight(t, HALY_F32, 6, 0), &bias, CTS_DENSE);
    if (cts_dtype(t, HALY_Q8_0))
        check_quantized(t, random_2d(t, HALY_F32, CTS_DENSE, 0, 32), cts_weight(t, HALY_Q8_0, 6, 32), NULL, CTS_DENSE);
}

CTS_CASE_WITH(operator, quantized_matmul_rows_have_the_same_bits_whatever_the_batch, CITED, HALY_CAP_DETERMINISTIC,
              CTS_OPERATORS)
{
    for (unsigned i = 0; i < 6 && cts_dtype(t, HALY_F32); i++)
        if (cts_dtype(t, weight_types[i]))
            check_batch_invariance(t, "halyard", "QuantizedMatMul", random_2d(t, HALY_F32, CTS_DENSE, 40, 320),
                                   cts_weight(t, weight_types[i], 70, 320), 70);
}
