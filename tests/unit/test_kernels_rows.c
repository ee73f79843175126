/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels that do a row per group: softmax, argmax, RMS normalisation, and embedding. */
#include "kernels_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct softmax_arguments {
    const void *x;
    void *y;
    struct haly_rows rows;
};

struct argmax_arguments {
    const void *x;
    void *y;
    struct haly_argmax a;
};

struct norm_arguments {
    const void *x, *scale;
    void *y;
    struct haly_norm n;
};

struct add_norm_arguments {
    const void *x, *residual, *scale;
    void *sum, *y;
    struct haly_norm n;
};

struct embedding_arguments {
    const void *table, *indices;
    void *y;
    struct haly_embedding e;
};

static const uint64_t lengths[10] = {1, 2, 3, 64, 255, 256, 257, 576, 1000, 3000};

/* rows x n matrices: steps of 1, or every third element of rows that overlap column-wise. */
static struct haly_rows rows_of(uint64_t rows, uint64_t n, int is_transposed)
{
    struct haly_rows result = {.n = n, .outer = {.rank = 1, .dims = {rows}}};
    for (int o = 0; o < 4; o++) {
        result.steps[o] = is_transposed ? (int64_t)rows : 1;
        result.outer.strides[o][0] = is_transposed ? 1 : (int64_t)n;
    }
    return result;
}

static size_t at(const struct haly_rows *rows, uint64_t row, uint64_t i)
{
    return (size_t)((int64_t)row * rows->outer.strides[0][0] + (int64_t)i * rows->steps[0]);
}

static void check_softmax_row(const struct array *x, const struct array *y, const struct haly_rows *rows, uint64_t row)
{
    double largest = -INFINITY, sum = 0;
    for (uint64_t i = 0; i < rows->n; i++)
        largest = fmax(largest, array_get(x, at(rows, row, i)));
    for (uint64_t i = 0; i < rows->n; i++)
        sum += exp(array_get(x, at(rows, row, i)) - largest);
    for (uint64_t i = 0; i < rows->n; i++) {
        const double distance = largest - array_get(x, at(rows, row, i)), want = exp(-distance) / sum;
        assert_close(y, at(rows, row, i), want, (4e-7 + 6e-8 * distance) * want + (double)rows->n * 1e-38);
    }
}

static void softmax_matches_for_any_length_and_axis(void **state)
{
    (void)state;
    struct rng rng = {201};
    for (int type = 0; type < 3; type++)
        for (size_t l = 0; l < 20; l++) {
            const struct haly_rows rows = rows_of(5, lengths[l / 2], l & 1);
            struct array x = array_new(real_dtypes[type], (size_t)(5 * rows.n)), y = array_new(x.dtype, x.count);
            array_random(&x, &rng, -20, 20);
            const struct softmax_arguments arguments = {x.data, y.data, rows};
            kernel_run_orders(kernel_find("softmax", x.dtype), 5, 1, 1, &arguments, sizeof arguments, &y);
            for (uint64_t row = 0; row < 5; row++)
                check_softmax_row(&x, &y, &rows, row);
            array_free(&x);
            array_free(&y);
        }
}

static void softmax_keeps_masked_entries_zero_and_bad_rows_nan(void **state)
{
    (void)state;
    float x[4][3] = {{1, -INFINITY, 1}, {NAN, 0, 0}, {INFINITY, 0, 0}, {-INFINITY, -INFINITY, -INFINITY}};
    const struct softmax_arguments arguments = {x, x, rows_of(4, 3, 0)};
    kernel_run(kernel_find("softmax", HALY_KERNEL_F32), 4, 1, 1, &arguments, sizeof arguments, 0);
    assert_true(x[0][0] == 0.5f && x[0][1] == 0 && x[0][2] == 0.5f);
    for (int row = 1; row < 4; row++)
        for (int i = 0; i < 3; i++)
            assert_true(isnan(x[row][i]));
}

/* ---- argmax ---- */
static uint64_t exact_argmax(const struct array *x, const struct haly_rows *rows, uint64_t row, int is_last)
{
    uint64_t best = 0;
    for (uint64_t i = 1; i < rows->n; i++) {
        const double v = array_get(x, at(rows, row, i)), b = array_get(x, at(rows, row, best));
        const int is_equal = v == b || (isnan(v) && isnan(b));
        const int is_larger = !is_equal && !isnan(b) && (isnan(v) || v > b);
        if (is_larger || (is_last && is_equal))
            best = i;
    }
    return best;
}

static void argmax_takes_the_first_or_last_of_the_largest(void **state)
{
    (void)state;
    struct rng rng = {202};
    for (int type = 0; type < 3; type++)
        for (size_t l = 0; l < 40; l++) {
            const int is_last = l >= 20;
            const struct haly_rows rows = rows_of(6, lengths[l % 20 / 2], l & 1);
            struct array x = array_new(real_dtypes[type], (size_t)(6 * rows.n)), y = array_new(HALY_KERNEL_I64, 6);
            for (size_t i = 0; i < x.count; i++) /* few values: many ties, zeros of both signs */
                array_set(&x, i, ((double)rng_below(&rng, 9) - 6) * (rng_below(&rng, 2) ? 1.0 : 0.0));
            if (rows.n > 2)
                for (int i = 0; i < 2; i++)
                    array_set(&x, at(&rows, 5, rng_below(&rng, (uint32_t)rows.n)), NAN);
            struct argmax_arguments arguments = {x.data, y.data, {(haly_u32)is_last, 0, rows}};
            arguments.a.rows.outer.strides[1][0] = 1;
            kernel_run_orders(kernel_find("argmax", x.dtype), 6, 1, 1, &arguments, sizeof arguments, &y);
            for (uint64_t row = 0; row < 6; row++)
                assert_int_equal((uint64_t)array_get(&y, row), exact_argmax(&x, &rows, row, is_last));
            array_free(&x);
            array_free(&y);
        }
}

static void argmax_orders_zeros_infinities_and_nan(void **state)
{
    (void)state;
    const float x[5][4] = {{-0.0f, 0.0f, -1, -0.0f},
                           {-INFINITY, -INFINITY, -INFINITY, -3e38f},
                           {1, INFINITY, NAN, NAN},
                           {-NAN, INFINITY, 2, 3},
                           {-1, -2, -1, -3}};
    static const int64_t want[5] = {0, 3, 2, 0, 0};
    int64_t y[5];
    struct argmax_arguments arguments = {x, y, {0, 0, rows_of(5, 4, 0)}};
    arguments.a.rows.outer.strides[1][0] = 1;
    kernel_run(kernel_find("argmax", HALY_KERNEL_F32), 5, 1, 1, &arguments, sizeof arguments, 0);
    assert_memory_equal(y, want, sizeof want);
}

/* ---- normalisation ---- */
static void check_norm_row(const struct array *x, const struct array *scale, const struct array *y,
                           const struct haly_rows *rows, uint64_t row)
{
    double sum = 0;
    for (uint64_t i = 0; i < rows->n; i++)
        sum += pow(array_get(x, at(rows, row, i)), 2);
    for (uint64_t i = 0; i < rows->n; i++) {
        const double factor = scale != NULL ? array_get(scale, i) : 1;
        const double want = array_get(x, at(rows, row, i)) / sqrt(sum / (double)rows->n + 1e-5) * factor;
        assert_close(y, at(rows, row, i), want, 6e-7 * fabs(want) + 1e-38);
    }
}

static void rms_norm_matches_with_any_scale_type(void **state)
{
    (void)state;
    struct rng rng = {203};
    for (int type = 0; type < 12; type++)
        for (size_t l = 0; l < 20; l++) {
            const struct haly_rows rows = rows_of(4, lengths[l / 2], l & 1);
            const uint32_t scale_dtype = type % 4 < 3 ? real_dtypes[type % 4] : HALY_KERNEL_NONE;
            struct array x = array_new(real_dtypes[type / 4], (size_t)(4 * rows.n)), y = array_new(x.dtype, x.count);
            struct array scale = array_new(type % 4 < 3 ? scale_dtype : HALY_KERNEL_F32, (size_t)rows.n);
            array_random(&x, &rng, -3, 3);
            array_random(&scale, &rng, -2, 2);
            const struct norm_arguments arguments = {
                x.data, scale_dtype != HALY_KERNEL_NONE ? scale.data : NULL, y.data, {1e-5f, scale_dtype, 1, rows}};
            kernel_run_orders(kernel_find("rms_norm", x.dtype), 4, 1, 1, &arguments, sizeof arguments, &y);
            for (uint64_t row = 0; row < 4; row++)
                check_norm_row(&x, scale_dtype != HALY_KERNEL_NONE ? &scale : NULL, &y, &rows, row);
            array_free(&x);
            array_free(&y);
            array_free(&scale);
        }
}

/* The fused operator gives the bits of addition followed by normalisation, also when the sum replaces the residual. */
static void fused_addition_gives_the_bits_of_two_operators(void **state)
{
    (void)state;
    struct rng rng = {204};
    for (int i = 0; i < 18; i++) {
        const struct haly_rows rows = rows_of(3, lengths[i / 2], i & 1);
        struct array x = array_new(real_dtypes[i % 3], (size_t)(3 * rows.n)), residual = array_new(x.dtype, x.count);
        struct array sum = array_new(x.dtype, x.count), y = array_new(x.dtype, x.count),
                     want = array_new(x.dtype, x.count);
        struct array scale = array_new(x.dtype, (size_t)rows.n);
        array_random(&x, &rng, -3, 3);
        array_random(&residual, &rng, -3, 3);
        array_random(&scale, &rng, 0.5, 2);
        for (size_t j = 0; j < x.count; j++)
            array_set(&sum, j, array_get(&x, j) + array_get(&residual, j));
        const struct haly_norm norm = {1e-5f, x.dtype, 1, rows};
        const struct norm_arguments alone = {sum.data, scale.data, want.data, norm};
        kernel_run(kernel_find("rms_norm", x.dtype), 3, 1, 1, &alone, sizeof alone, 0);
        const struct add_norm_arguments fused = {x.data, residual.data, scale.data, residual.data, y.data, norm};
        kernel_run(kernel_find("add_rms_norm", x.dtype), 3, 1, 1, &fused, sizeof fused, 3);
        assert_memory_equal(residual.data, sum.data, sum.count * sum.size);
        assert_memory_equal(y.data, want.data, y.count * y.size);
        array_free(&x);
        array_free(&residual);
        array_free(&sum);
        array_free(&y);
        array_free(&want);
        array_free(&scale);
    }
}

/* ---- embedding ---- */
static void set_index(struct array *indices, size_t i, int64_t value)
{
    array_set(indices, i, (double)value);
}

static void embedding_picks_rows_and_marks_bad_indices(void **state)
{
    (void)state;
    struct rng rng = {205};
    static const int64_t wanted[6] = {3, 0, 6, -1, 7, 1LL << 31};
    for (int i = 0; i < 36; i++) {
        const int is_wrapping = i & 1, is_strided = i / 2 & 1;
        struct array table = array_new(real_dtypes[i % 3], 7 * 300 * 2),
                     y = array_new(real_dtypes[i / 3 % 3], 6 * 300 * 2);
        struct array indices = array_new(i / 9 % 2 ? HALY_KERNEL_I32 : HALY_KERNEL_I64, 6);
        const int64_t step = is_strided ? 2 : 1;
        array_random(&table, &rng, -4, 4);
        for (size_t j = 0; j < 6; j++)
            set_index(&indices, j, indices.dtype == HALY_KERNEL_I32 && j == 5 ? 1 << 30 : wanted[j]);
        const struct embedding_arguments arguments = {table.data,
                                                      indices.data,
                                                      y.data,
                                                      {indices.dtype,
                                                       y.dtype,
                                                       (haly_u32)is_wrapping,
                                                       0,
                                                       300,
                                                       7,
                                                       300 * step,
                                                       step,
                                                       step,
                                                       {.rank = 1, .dims = {6}, .strides = {{1}, {300 * step}}}}};
        kernel_run_orders(kernel_find("embedding", table.dtype), 6, 1, 1, &arguments, sizeof arguments, &y);
        for (size_t j = 0; j < 6; j++) {
            const int64_t row = j == 3 && is_wrapping ? 6 : j < 3 ? wanted[j] : -1;
            for (size_t k = 0; k < 300; k++) {
                const size_t to = (j * 300 + k) * (size_t)step;
                const double want = row < 0 ? (double)NAN : array_get(&table, ((size_t)row * 300 + k) * (size_t)step);
                assert_close(&y, to, want, 0);
            }
        }
        array_free(&table);
        array_free(&y);
        array_free(&indices);
    }
}

/* Weight `i` of a block, read the way the format is defined. */
static double block_weight(const unsigned char *block, uint32_t format, int i)
{
    struct array halves = array_new(HALY_KERNEL_F16, 2);
    const uint16_t scales[2] = {(uint16_t)(block[0] | block[1] << 8), (uint16_t)(block[2] | block[3] << 8)};
    memcpy(halves.data, scales, sizeof scales);
    const double d = array_get(&halves, 0), m = format == HALY_KERNEL_Q4_1 ? array_get(&halves, 1) : 0;
    array_free(&halves);
    if (format == HALY_KERNEL_Q8_0)
        return d * (signed char)block[2 + i];
    const unsigned char byte = block[(format == HALY_KERNEL_Q4_1 ? 4 : 2) + i % 16];
    const int q = i < 16 ? byte % 16 : byte / 16;
    return format == HALY_KERNEL_Q4_0 ? d * (q - 8) : d * q + m;
}

static void quantised_embedding_dequantises_rows(void **state)
{
    (void)state;
    struct rng rng = {206};
    static const struct {
        uint32_t format, bytes;
    } formats[3] = {{HALY_KERNEL_Q4_0, 18}, {HALY_KERNEL_Q4_1, 20}, {HALY_KERNEL_Q8_0, 34}};
    for (int i = 0; i < 9; i++) {
        const uint32_t bytes = formats[i % 3].bytes, stride = 5 * bytes + 2;
        unsigned char *table = malloc(4 * stride);
        assert_non_null(table);
        for (size_t j = 0; j < 4 * stride; j++)
            table[j] = (unsigned char)rng_next(&rng);
        for (size_t block = 0; block < 20; block++) { /* scales that are finite */
            unsigned char *at_block = table + block / 5 * stride + block % 5 * bytes;
            at_block[1] = (unsigned char)((at_block[1] & 0x83) | 0x20);
            if (bytes == 20)
                at_block[3] = (unsigned char)((at_block[3] & 0x83) | 0x28);
        }
        struct array y = array_new(real_dtypes[i / 3], 3 * 160);
        const int32_t indices[3] = {2, 4, 0};
        const struct embedding_arguments arguments = {
            table,
            indices,
            y.data,
            {HALY_KERNEL_I32, y.dtype, 0, 0, 160, 4, stride, 0, 1, {.rank = 1, .dims = {3}, .strides = {{1}, {160}}}}};
        kernel_run_orders(kernel_find("embedding", formats[i % 3].format), 3, 1, 1, &arguments, sizeof arguments, &y);
        for (size_t j = 0; j < 480; j++) {
            const int32_t row = indices[j / 160];
            const double want = row == 4 ? (double)NAN
                                         : block_weight(table + row * (int)stride + j % 160 / 32 * bytes,
                                                        formats[i % 3].format, (int)(j % 32));
            assert_close(&y, j, want, 1.2e-7 * fabs(want) + 1e-9);
        }
        array_free(&y);
        free(table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softmax_matches_for_any_length_and_axis),
        cmocka_unit_test(softmax_keeps_masked_entries_zero_and_bad_rows_nan),
        cmocka_unit_test(argmax_takes_the_first_or_last_of_the_largest),
        cmocka_unit_test(argmax_orders_zeros_infinities_and_nan),
        cmocka_unit_test(rms_norm_matches_with_any_scale_type),
        cmocka_unit_test(fused_addition_gives_the_bits_of_two_operators),
        cmocka_unit_test(embedding_picks_rows_and_marks_bad_indices),
        cmocka_unit_test(quantised_embedding_dequantises_rows),
    };
    return kernels_test_main("kernels_rows", tests, sizeof tests / sizeof *tests);
}
