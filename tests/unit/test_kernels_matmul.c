/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matrix products: the portable kernels, and the cpu backend's tuned ones, against plain loops in double precision, and
 * each against itself under every way of cutting the work.
 */
#include "kernels_test.h"
#include "cpu_quantized_matmul.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct matmul_arguments {
    const void *a, *b;
    const float *bias;
    void *y;
    struct haly_matmul m;
};

struct quantized_arguments {
    const void *x;
    const uint8_t *weight;
    const float *bias;
    void *y;
    struct haly_quantized_matmul m;
};

static uint32_t tiles(uint64_t count, uint64_t tile)
{
    return (uint32_t)((count + tile - 1) / tile);
}

/* ---- dense ---- */
struct shape {
    uint64_t batch, m, n, k;
};

static void check_matmul(const struct shape *s, const struct matmul_arguments *arguments, const struct array *a,
                         const struct array *b, const float *bias, const struct array *y)
{
    const struct haly_matmul *e = &arguments->m;
    for (uint64_t at = 0; at < s->batch * s->m * s->n; at++) {
        const int64_t z = (int64_t)(at / s->n / s->m), i = (int64_t)(at / s->n % s->m), j = (int64_t)(at % s->n);
        double sum = bias != NULL ? (double)bias[j] : 0, magnitude = fabs(sum);
        for (int64_t k = 0; k < (int64_t)s->k; k++) {
            const double product =
                array_get(a, (size_t)(z * e->batch.strides[0][0] + i * e->a_strides[0] + k * e->a_strides[1])) *
                array_get(b, (size_t)(z * e->batch.strides[1][0] + k * e->b_strides[0] + j * e->b_strides[1]));
            sum += product;
            magnitude += fabs(product);
        }
        assert_close(y, (size_t)(z * e->batch.strides[3][0] + i * e->y_strides[0] + j * e->y_strides[1]), sum,
                     (double)(s->k + 2) * 6e-8 * magnitude);
    }
}

/* layout bit 0: a transposed, 1: b transposed, 2: y transposed, 3: b shared by the batch, 4: with a bias */
static void run_matmul(struct rng *rng, const struct shape *s, uint32_t dtype, uint32_t b_dtype, int layout)
{
    struct array a = array_new(dtype, (size_t)(s->batch * s->m * s->k)),
                 b = array_new(b_dtype, (size_t)(s->batch * s->k * s->n));
    struct array y = array_new(dtype, (size_t)(s->batch * s->m * s->n)),
                 bias = array_new(HALY_KERNEL_F32, (size_t)s->n);
    const int64_t m = (int64_t)s->m, n = (int64_t)s->n, k = (int64_t)s->k;
    array_random(&a, rng, -1, 1);
    array_random(&b, rng, -1, 1);
    array_random(&bias, rng, -1, 1);
    float *values = (float *)(void *)bias.data;
    const struct matmul_arguments arguments = {
        a.data,
        b.data,
        layout & 16 ? values : NULL,
        y.data,
        {.m = s->m,
         .n = s->n,
         .k = s->k,
         .b_dtype = b_dtype,
         .has_bias = layout & 16 ? 1 : 0,
         .a_strides = {layout & 1 ? 1 : k, layout & 1 ? m : 1},
         .b_strides = {layout & 2 ? 1 : n, layout & 2 ? k : 1},
         .y_strides = {layout & 4 ? 1 : n, layout & 4 ? m : 1},
         .bias_strides = {0, 1},
         .batch = {.rank = 1, .dims = {s->batch}, .strides = {{m * k}, {layout & 8 ? 0 : k * n}, {0}, {m * n}}}}};
    kernel_run_orders(kernel_find("matmul", dtype), tiles(s->n, HALY_MATMUL_COLUMNS), tiles(s->m, HALY_MATMUL_ROWS),
                      (uint32_t)s->batch, &arguments, sizeof arguments, &y);
    check_matmul(s, &arguments, &a, &b, layout & 16 ? values : NULL, &y);
    array_free(&a);
    array_free(&b);
    array_free(&y);
    array_free(&bias);
}

static void matmul_matches_over_layouts_and_types(void **state)
{
    (void)state;
    struct rng rng = {401};
    static const struct shape shapes[] = {{1, 1, 1, 1},     {2, 33, 130, 40}, {1, 5, 128, 32}, {3, 7, 9, 1},
                                          {1, 64, 20, 100}, {1, 1, 300, 65},  {2, 2, 3, 0}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int layout = 0; layout < 32; layout += i == 1 ? 1 : 5)
            run_matmul(&rng, &shapes[i], real_dtypes[layout % 3], real_dtypes[layout / 3 % 3], layout);
}

/* ---- quantised ---- */
static const struct quant_format {
    uint32_t format, bytes;
} formats[3] = {{HALY_KERNEL_Q4_0, 18}, {HALY_KERNEL_Q4_1, 20}, {HALY_KERNEL_Q8_0, 34}};

/* Rows of random blocks, some bytes apart, with scales around 0.01; the weights they stand for go to `exact`. */
static unsigned char *random_weights(struct rng *rng, struct quant_format format, uint64_t n, uint64_t k,
                                     uint64_t stride, double *exact)
{
    unsigned char *weights = malloc(n * stride + 1);
    assert_non_null(weights);
    for (uint64_t i = 0; i < n * stride; i++)
        weights[i] = (unsigned char)rng_next(rng);
    struct array scales = array_new(HALY_KERNEL_F16, 2);
    for (uint64_t block = 0; block < n * (k / 32); block++) {
        unsigned char *at = weights + block / (k / 32) * stride + block % (k / 32) * format.bytes;
        array_set(&scales, 0, rng_real(rng, -0.02, 0.02));
        array_set(&scales, 1, rng_real(rng, -0.1, 0.1));
        for (int i = 0; i < (format.format == HALY_KERNEL_Q4_1 ? 2 : 1); i++) { /* the low byte first, on any machine */
            uint16_t bits;
            memcpy(&bits, (const char *)scales.data + 2 * i, sizeof bits);
            at[2 * i] = (unsigned char)bits;
            at[2 * i + 1] = (unsigned char)(bits >> 8);
        }
        const double d = array_get(&scales, 0), m = array_get(&scales, 1);
        const unsigned char *quants = at + (format.format == HALY_KERNEL_Q4_1 ? 4 : 2);
        for (uint64_t i = 0; i < 32; i++) {
            const int nibble = i < 16 ? quants[i] % 16 : quants[i - 16] / 16;
            exact[block * 32 + i] = format.format == HALY_KERNEL_Q8_0   ? d * (signed char)quants[i]
                                    : format.format == HALY_KERNEL_Q4_0 ? d * (nibble - 8)
                                                                        : d * nibble + m;
        }
    }
    array_free(&scales);
    return weights;
}

static void check_quantised(const struct array *x, uint64_t x_stride, const double *weights, const float *bias,
                            const struct array *y, uint64_t m, uint64_t n, uint64_t k)
{
    for (uint64_t at = 0; at < m * n; at++) {
        const uint64_t i = at / n, j = at % n;
        double sum = bias != NULL ? (double)bias[j] : 0, magnitude = fabs(sum);
        for (uint64_t l = 0; l < k; l++) {
            const double product = array_get(x, (size_t)(i * x_stride + l)) * weights[j * k + l];
            sum += product;
            magnitude += fabs(product);
        }
        assert_close(y, (size_t)at, sum, (double)(k + 3) * 6e-8 * magnitude + 1e-12);
    }
}

static void quantised_kernels_match_and_ignore_the_number_of_rows(void **state)
{
    (void)state;
    struct rng rng = {402};
    for (int i = 0; i < 18; i++) {
        const struct quant_format format = formats[i % 3];
        const uint64_t m = i < 9 ? 37 : 1, n = i & 1 ? 140 : 128, k = i & 1 ? 96 : 160,
                       stride = k / 32 * format.bytes + (uint64_t)i % 4;
        struct array x = array_new(real_dtypes[i / 3 % 3], (size_t)(m * k)), y = array_new(x.dtype, (size_t)(m * n));
        struct array bias = array_new(HALY_KERNEL_F32, (size_t)n), one = array_new(x.dtype, (size_t)n);
        double *exact = malloc(n * k * sizeof *exact);
        assert_non_null(exact);
        unsigned char *weights = random_weights(&rng, format, n, k, stride, exact);
        array_random(&x, &rng, -1, 1);
        array_random(&bias, &rng, -1, 1);
        float *values = i % 4 == 0 ? (float *)(void *)bias.data : NULL;
        struct quantized_arguments arguments = {
            x.data,
            weights,
            values,
            y.data,
            {.m = m,
             .n = n,
             .k = k,
             .weight_stride = (int64_t)stride,
             .x_step = 1,
             .y_step = 1,
             .bias_step = 1,
             .has_bias = values != NULL,
             .rows = {.rank = 1, .dims = {m}, .strides = {{(int64_t)k}, {(int64_t)n}}}}};
        char base[32];
        snprintf(base, sizeof base, "quantized_matmul_%s", dtype_suffix(format.format));
        const struct haly_kernel_meta *kernel = kernel_find(base, x.dtype);
        kernel_run_orders(kernel, tiles(n, 128), tiles(m, 32), 1, &arguments, sizeof arguments, &y);
        check_quantised(&x, k, exact, values, &y, m, n, k);
        arguments.x = x.data + (m - 1) * k * x.size;
        arguments.y = one.data;
        arguments.m.m = arguments.m.rows.dims[0] = 1;
        kernel_run(kernel, tiles(n, 128), 1, 1, &arguments, sizeof arguments, 0);
        assert_memory_equal(one.data, y.data + (m - 1) * n * y.size, n * y.size);
        free(weights);
        free(exact);
        array_free(&x);
        array_free(&y);
        array_free(&bias);
        array_free(&one);
    }
}

/* ---- the cpu backend's ---- */
typedef void (*product)(const struct cpu_qmm *);

static size_t products(product *out)
{
    size_t count = 0;
    out[count++] = haly_cpu_quantized_matmul_baseline;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        out[count++] = haly_cpu_quantized_matmul_avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        out[count++] = haly_cpu_quantized_matmul_avx512;
#endif
    return count;
}

struct tuned_case {
    uint64_t m, n, k;
    struct quant_format format;
    int has_bias;
};

/* Everything in one tile, then in random tiles, single rows among them: the bits stay. */
static void cut_at_random(struct rng *rng, product run, struct cpu_qmm job, const struct tuned_case *c, struct array *y)
{
    const size_t bytes = y->count * y->size;
    unsigned char *whole = malloc(bytes);
    assert_non_null(whole);
    memcpy(whole, y->data, bytes);
    array_poison(y);
    for (uint64_t m = 0; m < c->m;) {
        const uint64_t rows = 1 + rng_below(rng, rng_below(rng, 2) ? 4 : 70), m_end = m + rows < c->m ? m + rows : c->m;
        for (uint64_t n = 0; n < c->n;) {
            const uint64_t columns = 1 + rng_below(rng, 40), n_end = n + columns < c->n ? n + columns : c->n;
            job.m0 = m;
            job.m1 = m_end;
            job.n0 = n;
            job.n1 = n_end;
            run(&job);
            n = n_end;
        }
        m = m_end;
    }
    assert_memory_equal(whole, y->data, bytes);
    free(whole);
}

static void run_tuned(struct rng *rng, const struct tuned_case *c)
{
    const uint64_t stride = c->k / 32 * c->format.bytes + rng_below(rng, 3);
    struct array x = array_new(HALY_KERNEL_F32, (size_t)(c->m * (c->k + 5))),
                 y = array_new(HALY_KERNEL_F32, (size_t)(c->m * c->n));
    struct array avx2 = array_new(HALY_KERNEL_F32, y.count), bias = array_new(HALY_KERNEL_F32, (size_t)c->n);
    double *exact = malloc((c->n * c->k + 1) * sizeof *exact);
    assert_non_null(exact);
    unsigned char *weights = random_weights(rng, c->format, c->n, c->k, stride, exact);
    array_random(&x, rng, -1, 1);
    array_random(&bias, rng, -1, 1);
    float *values = c->has_bias ? (float *)(void *)bias.data : NULL;
    product all[3];
    const size_t count = products(all);
    for (size_t p = 0; p < count; p++) {
        const struct cpu_qmm job = {.x = (float *)(void *)x.data,
                                    .x_stride = (int64_t)c->k + 5,
                                    .weight = weights,
                                    .weight_stride = (int64_t)stride,
                                    .bias = values,
                                    .y = (float *)(void *)y.data,
                                    .y_stride = (int64_t)c->n,
                                    .k = c->k,
                                    .m1 = c->m,
                                    .n1 = c->n,
                                    .format = c->format.format};
        array_poison(&y);
        all[p](&job);
        check_quantised(&x, c->k + 5, exact, values, &y, c->m, c->n, c->k);
        if (p == 2)
            assert_memory_equal(avx2.data, y.data, y.count * y.size);
        memcpy(avx2.data, y.data, y.count * y.size);
        cut_at_random(rng, all[p], job, c, &y);
    }
    free(weights);
    free(exact);
    array_free(&x);
    array_free(&y);
    array_free(&avx2);
    array_free(&bias);
}

static void tuned_products_match_and_ignore_tiles(void **state)
{
    (void)state;
    struct rng rng = {403};
    for (int i = 0; i < 60; i++) {
        const struct tuned_case c = {.m = i % 4 == 0 ? 1 : 1 + rng_below(&rng, i % 4 == 1 ? 5 : 140),
                                     .n = 1 + rng_below(&rng, 70),
                                     .k = 32 * rng_below(&rng, i % 5 == 0 ? 60 : 8),
                                     .format = formats[i % 3],
                                     .has_bias = i & 1};
        run_tuned(&rng, &c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matmul_matches_over_layouts_and_types),
        cmocka_unit_test(quantised_kernels_match_and_ignore_the_number_of_rows),
        cmocka_unit_test(tuned_products_match_and_ignore_tiles),
    };
    return kernels_test_main("kernels_matmul", tests, sizeof tests / sizeof *tests);
}
