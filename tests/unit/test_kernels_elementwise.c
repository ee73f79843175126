/* SPDX-License-Identifier: Apache-2.0 */
/* The element-wise, cast and copy kernels over random layouts and special values. */
#include "kernels_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct unary_arguments {
    const void *x;
    void *y;
    struct haly_elementwise e;
};

struct binary_arguments {
    const void *a, *b;
    void *y;
    struct haly_elementwise e;
};

struct cast_arguments {
    const void *x;
    void *y;
    struct haly_cast c;
};

struct copy_arguments {
    const void *x;
    void *y;
    struct haly_copy c;
};

static uint32_t chunks(uint64_t count)
{
    return (uint32_t)((count + HALY_ELEMENTWISE_CHUNK - 1) / HALY_ELEMENTWISE_CHUNK);
}

/* A random shape, some long, some with many dimensions. */
static uint32_t random_dims(struct rng *rng, uint64_t *dims)
{
    const uint32_t rank = rng_below(rng, HALY_KERNEL_MAX_RANK + 1);
    for (uint32_t d = 0; d < rank; d++)
        dims[d] = 1 + rng_below(rng, rank <= 2 ? 130 : rank <= 4 ? 9 : 4);
    return rank;
}

static uint64_t count_of(uint32_t rank, const uint64_t *dims)
{
    uint64_t count = 1;
    for (uint32_t d = 0; d < rank; d++)
        count *= dims[d];
    return count;
}

/* An operand placed at random: its array, and where element 0 stands. */
struct operand {
    struct array array;
    size_t first;
    int64_t strides[HALY_KERNEL_MAX_RANK];
};

static struct operand operand_new(struct rng *rng, uint32_t dtype, uint32_t rank, const uint64_t *dims, int is_input)
{
    struct operand operand;
    const size_t size = random_layout(rng, rank, dims, is_input, operand.strides, &operand.first);
    operand.array = array_new(dtype, size);
    return operand;
}

static void *operand_address(const struct operand *operand)
{
    return operand->array.data + operand->first * operand->array.size;
}

static size_t operand_index(const struct operand *operand, uint32_t rank, const uint64_t *dims, uint64_t i)
{
    return (size_t)((int64_t)operand->first + layout_offset(rank, dims, operand->strides, i));
}

static struct haly_strided strided_of(uint32_t rank, const uint64_t *dims, const struct operand *const *operands,
                                      uint32_t count, int is_compact)
{
    struct haly_strided shape = {.rank = rank};
    memcpy(shape.dims, dims, rank * sizeof *dims);
    for (uint32_t o = 0; o < count; o++)
        memcpy(shape.strides[o], operands[o]->strides, rank * sizeof(int64_t));
    if (is_compact)
        haly_strided_compact(&shape);
    return shape;
}

/* ---- unary ---- */
static double gelu(double x)
{
    return 0.5 * x * (1 + erf(x / sqrt(2.0)));
}

static double unary_exact(uint32_t op, double x)
{
    switch (op) {
    case HALY_UNARY_NEG:
        return -x;
    case HALY_UNARY_ABS:
        return fabs(x);
    case HALY_UNARY_EXP:
        return exp(x);
    case HALY_UNARY_LOG:
        return log(x);
    case HALY_UNARY_SQRT:
        return sqrt(x);
    case HALY_UNARY_RSQRT:
        return 1 / sqrt(x);
    case HALY_UNARY_RECIPROCAL:
        return 1 / x;
    case HALY_UNARY_SIGMOID:
        return 1 / (1 + exp(-x));
    case HALY_UNARY_TANH:
        return tanh(x);
    case HALY_UNARY_RELU:
        return x < 0 ? 0 : x;
    case HALY_UNARY_GELU:
        return gelu(x);
    case HALY_UNARY_GELU_TANH:
        return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case HALY_UNARY_SWISH:
        return x / (1 + exp(-x));
    case HALY_UNARY_ERF:
        return erf(x);
    case HALY_UNARY_SIN:
        return sin(x);
    case HALY_UNARY_COS:
        return cos(x);
    default:
        return x;
    }
}

static double unary_error(uint32_t op, double x, double want)
{
    static const double ulps[HALY_UNARY_COUNT] = {0,   0, 0, 1.1, 0.9, 0.5, 1.5, 0.5, 2.6,
                                                  1.4, 0, 0, 0,   3.5, 1.4, 2.2, 2.2};
    const double wide = fabs(x) > 1 ? fabs(x) : 1;
    if (op == HALY_UNARY_GELU || op == HALY_UNARY_GELU_TANH)
        return (op == HALY_UNARY_GELU ? 2e-7 : 3e-7) * wide;
    return ulps[op] * dtype_ulp(HALY_KERNEL_F32, want) +
           (op == HALY_UNARY_SWISH || op == HALY_UNARY_SIGMOID ? 2e-36 : 0);
}

static void run_unary(struct rng *rng, uint32_t dtype, uint32_t op)
{
    uint64_t dims[HALY_KERNEL_MAX_RANK];
    const uint32_t rank = random_dims(rng, dims);
    const uint64_t count = count_of(rank, dims);
    struct operand x = operand_new(rng, dtype, rank, dims, 1), y = operand_new(rng, dtype, rank, dims, 0);
    const double range = op == HALY_UNARY_EXP ? 12 : 30;
    array_random(&x.array, rng, op == HALY_UNARY_LOG || op == HALY_UNARY_SQRT || op == HALY_UNARY_RSQRT ? 0 : -range,
                 range);
    const struct unary_arguments arguments = {
        operand_address(&x),
        operand_address(&y),
        {op, 1, count, strided_of(rank, dims, (const struct operand *const[]){&x, &y}, 2, rng_below(rng, 2) == 0)}};
    kernel_run_orders(kernel_find("elementwise_unary", dtype), chunks(count), 1, 1, &arguments, sizeof arguments,
                      &y.array);
    for (uint64_t i = 0; i < count; i++) {
        const double v = array_get(&x.array, operand_index(&x, rank, dims, i)), want = unary_exact(op, v);
        assert_close(&y.array, operand_index(&y, rank, dims, i), want, unary_error(op, v, want));
    }
    array_free(&x.array);
    array_free(&y.array);
}

static void unary_operators_match_over_any_layout(void **state)
{
    (void)state;
    struct rng rng = {101};
    for (uint32_t op = 0; op < HALY_UNARY_COUNT; op++)
        for (int type = 0; type < 3; type++)
            for (int i = 0; i < 6; i++)
                run_unary(&rng, real_dtypes[type], op);
}

/* Long, contiguous, in place, not a multiple of anything. */
static void contiguous_arrays_are_done_in_place(void **state)
{
    (void)state;
    struct rng rng = {102};
    for (int type = 0; type < 3; type++) {
        struct array x = array_new(real_dtypes[type], 9001), y = array_new(real_dtypes[type], 9001);
        array_random(&x, &rng, -9, 9);
        memcpy(y.data, x.data, 9001 * x.size);
        const struct unary_arguments arguments = {
            y.data, y.data, {HALY_UNARY_SWISH, 1, 9001, {.rank = 1, .dims = {9001}, .strides = {{1}, {1}}}}};
        kernel_run(kernel_find("elementwise_unary", x.dtype), 3, 1, 1, &arguments, sizeof arguments, 5);
        for (size_t i = 0; i < 9001; i++) {
            const double v = array_get(&x, i), want = unary_exact(HALY_UNARY_SWISH, v);
            assert_close(&y, i, want, unary_error(HALY_UNARY_SWISH, v, want));
        }
        array_free(&x);
        array_free(&y);
    }
}

static void special_values_follow_ieee(void **state)
{
    (void)state;
    static const double values[8] = {NAN, INFINITY, -INFINITY, 0.0, -0.0, 1e-45, -1e-45, 3.4e38};
    static const uint32_t ops[6] = {HALY_UNARY_EXP,  HALY_UNARY_LOG,     HALY_UNARY_SQRT,
                                    HALY_UNARY_TANH, HALY_UNARY_SIGMOID, HALY_UNARY_RECIPROCAL};
    struct array x = array_new(HALY_KERNEL_F32, 8), y = array_new(HALY_KERNEL_F32, 8);
    for (size_t i = 0; i < 8; i++)
        array_set(&x, i, values[i]);
    for (size_t o = 0; o < 6; o++) {
        const struct unary_arguments arguments = {
            x.data, y.data, {ops[o], 1, 8, {.rank = 1, .dims = {8}, .strides = {{1}, {1}}}}};
        kernel_run(kernel_find("elementwise_unary", HALY_KERNEL_F32), 1, 1, 1, &arguments, sizeof arguments, 0);
        for (size_t i = 0; i < 8; i++) {
            const double want = dtype_round(HALY_KERNEL_F32, unary_exact(ops[o], array_get(&x, i)));
            assert_close(&y, i, want, 2 * dtype_ulp(HALY_KERNEL_F32, want));
        }
    }
    const struct unary_arguments unknown = {
        x.data, y.data, {999, 1, 8, {.rank = 1, .dims = {8}, .strides = {{1}, {1}}}}};
    kernel_run(kernel_find("elementwise_unary", HALY_KERNEL_F32), 1, 1, 1, &unknown, sizeof unknown, 0);
    assert_true(isnan(array_get(&y, 3)));
    array_free(&x);
    array_free(&y);
}

/* ---- binary ---- */
static double binary_exact(uint32_t op, double a, double b)
{
    switch (op) {
    case HALY_BINARY_ADD:
        return a + b;
    case HALY_BINARY_SUB:
        return a - b;
    case HALY_BINARY_MUL:
        return a * b;
    case HALY_BINARY_DIV:
        return a / b;
    case HALY_BINARY_MAX:
        return a > b ? a : b;
    case HALY_BINARY_MIN:
        return a < b ? a : b;
    default:
        return a / (1 + exp(-a)) * b;
    }
}

static void run_binary(struct rng *rng, uint32_t dtype, uint32_t op)
{
    uint64_t dims[HALY_KERNEL_MAX_RANK];
    const uint32_t rank = random_dims(rng, dims);
    const uint64_t count = count_of(rank, dims);
    struct operand a = operand_new(rng, dtype, rank, dims, 1), b = operand_new(rng, dtype, rank, dims, 1),
                   y = operand_new(rng, dtype, rank, dims, 0);
    array_random(&a.array, rng, -10, 10);
    array_random(&b.array, rng, -10, 10);
    const struct binary_arguments arguments = {
        operand_address(&a),
        operand_address(&b),
        operand_address(&y),
        {op, 0, count, strided_of(rank, dims, (const struct operand *const[]){&a, &b, &y}, 3, rng_below(rng, 2) == 0)}};
    kernel_run_orders(kernel_find("elementwise_binary", dtype), chunks(count), 1, 1, &arguments, sizeof arguments,
                      &y.array);
    for (uint64_t i = 0; i < count; i++) {
        const double want = binary_exact(op, array_get(&a.array, operand_index(&a, rank, dims, i)),
                                         array_get(&b.array, operand_index(&b, rank, dims, i)));
        const double ulps = op == HALY_BINARY_SWIGLU ? 4 : op >= HALY_BINARY_MAX ? 0 : 0.5;
        assert_close(&y.array, operand_index(&y, rank, dims, i), want, ulps * dtype_ulp(HALY_KERNEL_F32, want));
    }
    array_free(&a.array);
    array_free(&b.array);
    array_free(&y.array);
}

static void binary_operators_match_over_any_layout(void **state)
{
    (void)state;
    struct rng rng = {103};
    for (uint32_t op = 0; op < HALY_BINARY_COUNT; op++)
        for (int type = 0; type < 3; type++)
            for (int i = 0; i < 8; i++)
                run_binary(&rng, real_dtypes[type], op);
}

/* Each way the steps of a, b and y can be 0 or 1, over several chunks: the fast paths. */
static void scalars_and_rows_broadcast(void **state)
{
    (void)state;
    struct rng rng = {104};
    for (int pattern = 0; pattern < 12; pattern++) {
        const uint32_t dtype = real_dtypes[pattern / 4];
        const int64_t a_step = pattern & 1, b_step = pattern >> 1 & 1;
        struct array a = array_new(dtype, 5000), b = array_new(dtype, 5000), y = array_new(dtype, 5000);
        array_random(&a, &rng, -5, 5);
        array_random(&b, &rng, 1, 5);
        const struct binary_arguments arguments = {
            a.data,
            b.data,
            y.data,
            {HALY_BINARY_DIV, 0, 5000, {.rank = 1, .dims = {5000}, .strides = {{a_step}, {b_step}, {1}}}}};
        kernel_run_orders(kernel_find("elementwise_binary", dtype), 2, 1, 1, &arguments, sizeof arguments, &y);
        for (size_t i = 0; i < 5000; i++) {
            const double want = array_get(&a, a_step ? i : 0) / array_get(&b, b_step ? i : 0);
            assert_close(&y, i, want, 0.5 * dtype_ulp(HALY_KERNEL_F32, want));
        }
        array_free(&a);
        array_free(&b);
        array_free(&y);
    }
}

static void max_and_min_pass_on_nan(void **state)
{
    (void)state;
    float a[4] = {NAN, 1, -0.0f, INFINITY}, b[4] = {1, NAN, 0.0f, -INFINITY}, y[4];
    for (uint32_t op = HALY_BINARY_MAX; op <= HALY_BINARY_MIN; op++) {
        const struct binary_arguments arguments = {
            a, b, y, {op, 0, 4, {.rank = 1, .dims = {4}, .strides = {{1}, {1}, {1}}}}};
        kernel_run(kernel_find("elementwise_binary", HALY_KERNEL_F32), 1, 1, 1, &arguments, sizeof arguments, 0);
        assert_true(isnan(y[0]) && isnan(y[1]) && y[2] == 0);
        assert_true(y[3] == (op == HALY_BINARY_MAX ? INFINITY : -INFINITY));
    }
}

/* ---- cast ---- */
static const uint32_t cast_dtypes[7] = {HALY_KERNEL_F32, HALY_KERNEL_F16, HALY_KERNEL_BF16, HALY_KERNEL_I32,
                                        HALY_KERNEL_I64, HALY_KERNEL_U8,  HALY_KERNEL_BOOL};

static int64_t saturate(double value, double low, double high, int64_t lowest, int64_t highest)
{
    return isnan(value) ? 0 : value <= low ? lowest : value >= high ? highest : (int64_t)value;
}

/* What the cast must give, as a double; `exact` is the value when it came from an integer. */
static void assert_cast(const struct array *x, const struct array *y, size_t i)
{
    const int from_float = x->dtype <= HALY_KERNEL_BF16;
    int64_t whole = 0, got = 0;
    if (x->dtype == HALY_KERNEL_I64)
        memcpy(&whole, x->data + i * 8, 8);
    else if (!from_float)
        whole = x->dtype == HALY_KERNEL_BOOL ? x->data[i] != 0 : (int64_t)array_get(x, i);
    const double value = from_float ? array_get(x, i) : (double)whole;
    if (y->dtype <= HALY_KERNEL_BF16) {
        /* i64 to double may round, and then to the type again: only values below 2^53 are compared exactly. */
        const double error = llabs((long long)whole) >> 53 ? dtype_ulp(y->dtype, value) * 0.51 : 0;
        assert_close(y, i, from_float || error == 0 ? dtype_round(y->dtype, value) : value, error);
        return;
    }
    if (y->dtype == HALY_KERNEL_I64)
        memcpy(&got, y->data + i * 8, 8);
    else
        got = (int64_t)array_get(y, i);
    int64_t want = whole;
    if (y->dtype == HALY_KERNEL_BOOL)
        want = from_float ? !(value == 0) : whole != 0;
    else if (y->dtype == HALY_KERNEL_U8)
        want = from_float ? saturate(value, 0, 255, 0, 255) : whole & 255;
    else if (y->dtype == HALY_KERNEL_I32)
        want = from_float ? saturate(value, -2147483648.0, 2147483647.0, INT32_MIN, INT32_MAX)
                          : (int64_t)(int32_t)(uint32_t)(uint64_t)whole;
    else if (from_float)
        want = saturate(value, -9223372036854775808.0, 9223372036854775808.0, INT64_MIN, INT64_MAX);
    assert_int_equal(got, want);
}

static void fill_cast_input(struct array *x, struct rng *rng)
{
    static const double special[16] = {NAN, INFINITY,     -INFINITY,     0.0, -0.0, 0.5,  -0.5,  254.9,
                                       255, 2147483647.0, -2147483648.0, 3e9, -3e9, 1e19, -1e19, 6e-8};
    for (size_t i = 0; i < x->count; i++) {
        if (x->dtype <= HALY_KERNEL_BF16) {
            array_set(x, i, i < 16 ? special[i] : ldexp(rng_real(rng, -1, 1), (int)rng_below(rng, 60) - 10));
        } else if (x->dtype == HALY_KERNEL_I64) {
            const int64_t value = (int64_t)(rng_next(rng) << rng_below(rng, 8)) >> rng_below(rng, 64);
            memcpy(x->data + i * 8, &value, 8);
        } else if (x->dtype == HALY_KERNEL_I32) {
            array_set(x, i, (double)((int32_t)rng_next(rng) >> rng_below(rng, 32)));
        } else {
            array_set(x, i, x->dtype == HALY_KERNEL_BOOL ? (double)rng_below(rng, 3) : (double)rng_below(rng, 256));
        }
    }
}

static void every_type_casts_to_every_type(void **state)
{
    (void)state;
    struct rng rng = {105};
    for (int from = 0; from < 7; from++)
        for (int to = 0; to < 7; to++) {
            struct array x = array_new(cast_dtypes[from], 4500), y = array_new(cast_dtypes[to], 4500);
            fill_cast_input(&x, &rng);
            const struct cast_arguments arguments = {
                x.data, y.data, {x.dtype, y.dtype, 4500, {.rank = 1, .dims = {4500}, .strides = {{1}, {1}}}}};
            kernel_run_orders(kernel_find("cast", 0), 2, 1, 1, &arguments, sizeof arguments, &y);
            for (size_t i = 0; i < 4500; i++)
                assert_cast(&x, &y, i);
            array_free(&x);
            array_free(&y);
        }
}

/* 2^24 + 1 is between two f32; 2^8 + 1 + tiny is past the middle between two bf16, but not once rounded to f32. */
static void integers_round_once(void **state)
{
    (void)state;
    const int64_t x[4] = {(1LL << 24) + 1, (257LL << 32) + 1, -(257LL << 32) - 1, (2049LL << 2) + 2};
    struct array y = array_new(HALY_KERNEL_BF16, 4);
    struct cast_arguments arguments = {
        x, y.data, {HALY_KERNEL_I64, HALY_KERNEL_BF16, 4, {.rank = 1, .dims = {4}, .strides = {{1}, {1}}}}};
    kernel_run(kernel_find("cast", 0), 1, 1, 1, &arguments, sizeof arguments, 0);
    assert_true(array_get(&y, 0) == 16777216.0);
    assert_true(array_get(&y, 1) == ldexp(258, 32) && array_get(&y, 2) == -ldexp(258, 32));
    array_free(&y);
}

/* ---- copy ---- */
static void copies_move_bits_between_layouts(void **state)
{
    (void)state;
    struct rng rng = {106};
    static const uint32_t dtypes[4] = {HALY_KERNEL_U8, HALY_KERNEL_F16, HALY_KERNEL_I32, HALY_KERNEL_I64};
    static const char *const names[4] = {"copy_1", "copy_2", "copy_4", "copy_8"};
    for (int i = 0; i < 60; i++) {
        uint64_t dims[HALY_KERNEL_MAX_RANK];
        const uint32_t rank = random_dims(&rng, dims);
        const uint64_t count = count_of(rank, dims);
        struct operand x = operand_new(&rng, dtypes[i % 4], rank, dims, 1),
                       y = operand_new(&rng, dtypes[i % 4], rank, dims, 0);
        for (size_t j = 0; j < x.array.count * x.array.size; j++)
            x.array.data[j] = (unsigned char)rng_next(&rng);
        const struct copy_arguments arguments = {
            operand_address(&x),
            operand_address(&y),
            {count, strided_of(rank, dims, (const struct operand *const[]){&x, &y}, 2, rng_below(&rng, 2) == 0)}};
        kernel_run_orders(kernel_find(names[i % 4], 0), chunks(count), 1, 1, &arguments, sizeof arguments, &y.array);
        for (uint64_t j = 0; j < count; j++)
            assert_memory_equal(x.array.data + operand_index(&x, rank, dims, j) * x.array.size,
                                y.array.data + operand_index(&y, rank, dims, j) * y.array.size, x.array.size);
        array_free(&x.array);
        array_free(&y.array);
    }
}

static void compacting_merges_what_lies_together(void **state)
{
    (void)state;
    struct haly_strided shape = {.rank = 4, .dims = {2, 1, 3, 4}, .strides = {{12, 99, 4, 1}, {12, -7, 4, 1}}};
    haly_strided_compact(&shape);
    assert_int_equal(shape.rank, 1);
    assert_int_equal(shape.dims[0], 24);
    assert_int_equal(shape.strides[1][0], 1);
    struct haly_strided slice = {.rank = 3, .dims = {2, 3, 4}, .strides = {{12, 4, 1}, {24, 8, 1}}};
    haly_strided_compact(&slice);
    assert_int_equal(slice.rank, 2);
    assert_int_equal(slice.dims[0], 6);
    assert_int_equal(slice.strides[1][0], 8);
    struct haly_strided one = {.rank = 2, .dims = {1, 1}};
    haly_strided_compact(&one);
    assert_int_equal(one.rank, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unary_operators_match_over_any_layout),
        cmocka_unit_test(contiguous_arrays_are_done_in_place),
        cmocka_unit_test(special_values_follow_ieee),
        cmocka_unit_test(binary_operators_match_over_any_layout),
        cmocka_unit_test(scalars_and_rows_broadcast),
        cmocka_unit_test(max_and_min_pass_on_nan),
        cmocka_unit_test(every_type_casts_to_every_type),
        cmocka_unit_test(integers_round_once),
        cmocka_unit_test(copies_move_bits_between_layouts),
        cmocka_unit_test(compacting_merges_what_lies_together),
    };
    return kernels_test_main("kernels_elementwise", tests, sizeof tests / sizeof *tests);
}
