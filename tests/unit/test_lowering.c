/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every operator, lowered to the portable kernels and run, against double precision computed here: each type,
 * contiguous and strided layouts, within the numerics contract. Nothing outside an output's elements may change.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "inline_backend.h"
#include "oracle.h"

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double unary(const char *name, double x)
{
    const double tanh_gelu = 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    return strcmp(name, "Neg") == 0          ? -x
           : strcmp(name, "Abs") == 0        ? fabs(x)
           : strcmp(name, "Exp") == 0        ? exp(x)
           : strcmp(name, "Log") == 0        ? log(x)
           : strcmp(name, "Sqrt") == 0       ? sqrt(x)
           : strcmp(name, "Reciprocal") == 0 ? 1 / x
           : strcmp(name, "Sigmoid") == 0    ? sigmoid(x)
           : strcmp(name, "Tanh") == 0       ? tanh(x)
           : strcmp(name, "Relu") == 0       ? fmax(x, 0)
           : strcmp(name, "Gelu") == 0       ? 0.5 * x * (1 + erf(x * 0.7071067811865476))
           : strcmp(name, "Swish") == 0      ? x * sigmoid(x)
           : strcmp(name, "tanh gelu") == 0  ? tanh_gelu
                                             : x;
}

static void run_unaries(haly_dtype dtype)
{
    static const char *const names[] = {"Neg",     "Abs",  "Exp",  "Log",  "Sqrt",  "Reciprocal",
                                        "Sigmoid", "Tanh", "Relu", "Gelu", "Swish", "Identity"};
    haly_tensor x = fill(make(dtype, 3, 5, 7, 11, 0));
    for (uint32_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct run run = begin("", names[i]);
        run.inputs[0] = x;
        run.outputs[0] = make(dtype, 3, 5, 7, 11, 0);
        execute(&run, 1);
        for (int64_t k = 0; k < count_of(&x); k++)
            compare(&run, 0, k, unary(names[i], at(&x, k)), 0);
    }
    struct run run = begin("", "Gelu");
    attribute(&run, haly_attribute_text("approximate", "tanh"));
    run.inputs[0] = x;
    run.outputs[0] = make(dtype, 3, 5, 7, 11, 0);
    execute(&run, 1);
    for (int64_t k = 0; k < count_of(&x); k++)
        compare(&run, 0, k, unary("tanh gelu", at(&x, k)), 0);
}

static void run_binaries(haly_dtype dtype)
{
    static const char *const names[] = {"Add", "Sub", "Mul", "Div", "Max", "Min"};
    haly_tensor a = fill(make(dtype, 3, 4, 1, 9, 0)), b = fill(make(dtype, 2, 6, 9, 0, 0));
    for (uint32_t i = 0; i < 6; i++) {
        struct run run = begin("", names[i]);
        run.inputs[0] = a;
        run.inputs[1] = b;
        run.outputs[0] = make(dtype, 3, 4, 6, 9, 0);
        execute(&run, 2);
        for (int64_t k = 0; k < 216; k++) {
            const double x = at(&a, k / 54 * 9 + k % 9), y = at(&b, k % 54);
            const double results[] = {x + y, x - y, x * y, x / y, fmax(x, y), fmin(x, y)};
            compare(&run, 0, k, results[i], 0);
        }
    }
}

static void run_swiglu(haly_dtype dtype)
{
    struct run run = begin("halyard", "SwiGLU");
    run.inputs[0] = fill(make(dtype, 2, 6, 50, 0, 0));
    run.inputs[1] = fill(make(dtype, 2, 6, 50, 0, 0));
    run.outputs[0] = make(dtype, 2, 6, 50, 0, 0);
    execute(&run, 2);
    for (int64_t k = 0; k < 300; k++)
        compare(&run, 0, k, unary("Swish", at(&run.inputs[0], k)) * at(&run.inputs[1], k), 0);
}

static void run_casts(haly_dtype dtype)
{
    static const haly_dtype others[] = {HALY_F32, HALY_F16, HALY_BF16, HALY_I32, HALY_I64, HALY_U8, HALY_BOOL};
    for (uint32_t i = 0; i < sizeof others / sizeof *others; i++)
        for (uint32_t back = 0; back < 2; back++) {
            struct run run = begin("", "Cast");
            run.inputs[0] = fill(make(back != 0 ? others[i] : dtype, 2, 9, 31, 0, 0));
            run.outputs[0] = make(back != 0 ? dtype : others[i], 2, 9, 31, 0, 0);
            execute(&run, 1);
            for (int64_t k = 0; k < 279; k++) {
                const double x = at(&run.inputs[0], k);
                const haly_dtype to = run.outputs[0].dtype;
                compare(&run, 0, k,
                        to == HALY_BOOL                    ? x != 0
                        : to == HALY_U8                    ? trunc(fmax(x, 0))
                        : to == HALY_I32 || to == HALY_I64 ? trunc(x)
                                                           : x,
                        0);
            }
        }
}

static void run_transpose(haly_dtype dtype)
{
    static const int64_t perm[3] = {2, 0, 1};
    struct run run = begin("", "Transpose");
    attribute(&run, haly_attribute_ints("perm", perm, 3));
    run.inputs[0] = fill(make(dtype, 3, 5, 7, 9, 0));
    run.outputs[0] = make(dtype, 3, 9, 5, 7, 0);
    execute(&run, 1);
    for (int64_t k = 0; k < 315; k++)
        compare(&run, 0, k, at(&run.inputs[0], k % 35 * 9 + k / 35), 0);
}

static void run_softmax(haly_dtype dtype)
{
    for (int64_t axis = 0; axis < 2; axis++) {
        struct run run = begin("", "Softmax");
        attribute(&run, haly_attribute_int("axis", axis));
        run.inputs[0] = fill(make(dtype, 2, 7, 300, 0, 0));
        run.outputs[0] = make(dtype, 2, 7, 300, 0, 0);
        execute(&run, 1);
        for (int64_t k = 0; k < 2100; k++) {
            double sum = 0;
            for (int64_t j = 0; j < (axis == 0 ? 7 : 300); j++)
                sum += exp(at(&run.inputs[0], axis == 0 ? j * 300 + k % 300 : k / 300 * 300 + j));
            compare(&run, 0, k, exp(at(&run.inputs[0], k)) / sum, 0);
        }
    }
}

static void run_argmax(haly_dtype dtype)
{
    for (int64_t axis = 0; axis < 2; axis++) {
        struct run run = begin("", "ArgMax");
        attribute(&run, haly_attribute_int("axis", axis));
        attribute(&run, haly_attribute_int("keepdims", axis));
        run.inputs[0] = fill(make(dtype, 2, 7, 300, 0, 0));
        run.outputs[0] = axis == 0 ? make(HALY_I64, 1, 300, 0, 0, 0) : make(HALY_I64, 2, 7, 1, 0, 0);
        execute(&run, 1);
        for (int64_t k = 0; k < (axis == 0 ? 300 : 7); k++) {
            int64_t best = 0;
            for (int64_t j = 1; j < (axis == 0 ? 7 : 300); j++)
                if (at(&run.inputs[0], axis == 0 ? j * 300 + k : k * 300 + j) >
                    at(&run.inputs[0], axis == 0 ? best * 300 + k : k * 300 + best))
                    best = j;
            compare(&run, 0, k, (double)best, 0);
        }
    }
}

static double norm_factor(const haly_tensor *x, int64_t row, double epsilon)
{
    const int64_t n = x->shape[x->rank - 1];
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += at(x, row * n + i) * at(x, row * n + i);
    return 1 / sqrt(sum / (double)n + epsilon);
}

static void run_norms(haly_dtype dtype)
{
    const haly_dtype scale_dtype = layout % 2 == 0 ? HALY_F32 : dtype;
    struct run run = begin("", "RMSNormalization"), sum = begin("halyard", "AddRMSNorm");
    attribute(&run, haly_attribute_float("epsilon", 1e-2));
    run.inputs[0] = fill(make(dtype, 3, 2, 3, 70, 0));
    run.inputs[1] = fill(make(scale_dtype, 1, 70, 0, 0, 0));
    run.outputs[0] = make(dtype, 3, 2, 3, 70, 0);
    execute(&run, 2);
    for (int64_t k = 0; k < 420; k++)
        compare(&run, 0, k,
                at(&run.inputs[0], k) * norm_factor(&run.inputs[0], k / 70, 1e-2) * at(&run.inputs[1], k % 70), 0);
    sum.outputs[0] = make(dtype, 3, 2, 3, 70, 0);
    sum.inputs[0] = run.inputs[0];
    sum.inputs[1] = fill(make(dtype, 3, 2, 3, 70, 0));
    sum.inputs[2] = run.inputs[1];
    sum.outputs[1] = make(dtype, 3, 2, 3, 70, 0);
    sum.desc.output_count = 2;
    execute(&sum, 3);
    for (int64_t k = 0; k < 420; k++) {
        assert_true(at(&sum.outputs[1], k) == rounded(dtype, at(&sum.inputs[0], k) + at(&sum.inputs[1], k)));
        compare(&sum, 0, k,
                at(&sum.outputs[1], k) * norm_factor(&sum.outputs[1], k / 70, 1e-5) * at(&sum.inputs[2], k % 70), 0);
    }
}

static void run_matmul(haly_dtype dtype)
{
    struct run run = begin("", "MatMul");
    run.inputs[0] = fill(make(dtype, 4, 2, 1, 5, 33));
    run.inputs[1] = fill(make(dtype, 3, 3, 33, 9, 0));
    run.outputs[0] = make(dtype, 4, 2, 3, 5, 9);
    execute(&run, 2);
    for (int64_t k = 0; k < 270; k++) {
        double sum = 0, magnitude = 0;
        for (int64_t i = 0; i < 33; i++) {
            const double product = at(&run.inputs[0], (k / 135 * 5 + k % 45 / 9) * 33 + i) *
                                   at(&run.inputs[1], (k / 45 % 3 * 33 + i) * 9 + k % 9);
            sum += product;
            magnitude += fabs(product);
        }
        compare(&run, 0, k, sum, magnitude);
    }
}

/* Shapes of numpy's matmul with vectors; each side of a product is the same numbers. */
static void run_vector_matmul(haly_dtype dtype)
{
    for (uint32_t kind = 0; kind < 3; kind++) {
        struct run run = begin("", "MatMul");
        run.inputs[0] = fill(kind == 2 ? make(dtype, 3, 2, 4, 21, 0) : make(dtype, 1, 21, 0, 0, 0));
        run.inputs[1] = fill(kind == 1 ? make(dtype, 3, 2, 21, 6, 0) : make(dtype, 1, 21, 0, 0, 0));
        run.outputs[0] = kind == 0   ? make(dtype, 0, 0, 0, 0, 0)
                         : kind == 1 ? make(dtype, 2, 2, 6, 0, 0)
                                     : make(dtype, 2, 2, 4, 0, 0);
        execute(&run, 2);
        for (int64_t k = 0; k < count_of(&run.outputs[0]); k++) {
            double sum = 0, magnitude = 0;
            for (int64_t i = 0; i < 21; i++) {
                const double product = at(&run.inputs[0], kind == 2 ? k * 21 + i : i) *
                                       at(&run.inputs[1], kind == 1 ? (k / 6 * 21 + i) * 6 + k % 6 : i);
                sum += product;
                magnitude += fabs(product);
            }
            compare(&run, 0, k, sum, magnitude);
        }
    }
}

static void run_quantized_matmul(haly_dtype dtype)
{
    static const haly_dtype types[] = {HALY_Q4_0, HALY_Q4_1, HALY_Q8_0, HALY_F32, HALY_F16, HALY_BF16};
    for (uint32_t i = 0; i < 6; i++) {
        const bool has_bias = i % 2 == 0;
        struct run run = begin("halyard", "QuantizedMatMul");
        run.inputs[0] = fill(make(dtype, 3, 2, 3, 96, 0));
        run.inputs[1] = i < 3 ? make_blocks(types[i], 37, 96) : fill(make(types[i], 2, 37, 96, 0, 0));
        run.inputs[2] = has_bias ? fill(make(HALY_F32, 1, 37, 0, 0, 0)) : haly_tensor_none();
        run.outputs[0] = make(dtype, 3, 2, 3, 37, 0);
        execute(&run, layout == 0 && !has_bias ? 2 : 3);
        for (int64_t k = 0; k < 222; k++) {
            double sum = has_bias ? at(&run.inputs[2], k % 37) : 0, magnitude = fabs(sum);
            for (int64_t j = 0; j < 96; j++) {
                const double product = at(&run.inputs[0], k / 37 * 96 + j) * weight_at(&run.inputs[1], k % 37, j);
                sum += product;
                magnitude += fabs(product);
            }
            compare(&run, 0, k, sum, magnitude);
        }
    }
}

static void run_embedding(haly_dtype dtype)
{
    static const haly_dtype types[] = {HALY_Q4_0, HALY_Q4_1, HALY_Q8_0, HALY_DTYPE_NONE};
    for (uint32_t i = 0; i < 4; i++) {
        struct run run = begin("halyard", "Embedding");
        run.inputs[0] = i < 3 ? make_blocks(types[i], 11, 64) : fill(make(dtype, 2, 11, 64, 0, 0));
        run.inputs[1] = make(i % 2 == 0 ? HALY_I32 : HALY_I64, 2, 3, 4, 0, 0);
        run.outputs[0] = make(dtype, 3, 3, 4, 64, 0);
        for (int64_t k = 0; k < 12; k++)
            element_set(&run.inputs[1], place(&run.inputs[1], k),
                        k == 5   ? -1
                        : k == 7 ? 11
                                 : (double)(random_bits() % 11));
        execute(&run, 2);
        for (int64_t k = 0; k < 768; k++) {
            const int64_t row = (int64_t)at(&run.inputs[1], k / 64);
            compare(&run, 0, k, row < 0 || row > 10 ? (double)NAN : weight_at(&run.inputs[0], row, k % 64), 0);
        }
    }
}

static void run_rotary(haly_dtype dtype)
{
    for (uint32_t kind = 0; kind < 4; kind++) {
        const int64_t turned = kind < 2 ? 16 : 12, heads = 3;
        const bool interleaved = kind % 2 == 0;
        struct run run = begin("halyard", "Rotary");
        attribute(&run, haly_attribute_float("base", kind == 3 ? 1 : 10000));
        attribute(&run, haly_attribute_int("interleaved", interleaved));
        if (turned != 16)
            attribute(&run, haly_attribute_int("rotary_dim", turned));
        run.inputs[0] = fill(make(dtype, 4, 2, 5, heads, 16));
        run.inputs[1] = make(kind % 2 == 0 ? HALY_I32 : HALY_I64, 2, 2, 5, 0, 0);
        run.outputs[0] = make(dtype, 4, 2, 5, heads, 16);
        for (int64_t k = 0; k < 10; k++)
            element_set(&run.inputs[1], place(&run.inputs[1], k), (double)(random_bits() % 4000));
        execute(&run, 2);
        for (int64_t k = 0; k < 10 * heads * 16; k++) {
            const int64_t d = k % 16, pair = interleaved ? d / 2 : d % (turned / 2);
            const bool is_second = interleaved ? d % 2 == 1 : d >= turned / 2;
            const int64_t other = interleaved ? d ^ 1 : is_second ? d - turned / 2 : d + turned / 2;
            const double x = at(&run.inputs[0], k);
            if (d >= turned) {
                assert_true(at(&run.outputs[0], k) == x);
                continue;
            }
            const double angle =
                at(&run.inputs[1], k / 16 / heads) * pow(kind == 3 ? 1 : 10000, -2.0 * (double)pair / (double)turned);
            const double y = at(&run.inputs[0], k - d + other);
            compare(&run, 0, k, x * cos(angle) + (is_second ? y : -y) * sin(angle), fabs(x) + fabs(y));
        }
    }
}

/* One output row of attention, in double, from the caches as they are afterwards. */
static void attend(const struct run *run, int64_t b, int64_t s, int64_t h, int64_t visible, double scale)
{
    const haly_tensor *q = &run->inputs[0], *kc = &run->inputs[3], *vc = &run->inputs[4];
    const int64_t group = q->shape[2] / kc->shape[1], width = q->shape[3];
    double weights[64], total = 0, largest = -INFINITY;
    for (int64_t j = 0; j < visible; j++) {
        weights[j] = 0;
        for (int64_t d = 0; d < width; d++)
            weights[j] += at4(q, b, s, h, d) * at4(kc, b, h / group, j, d) * scale;
        largest = fmax(largest, weights[j]);
    }
    for (int64_t j = 0; j < visible; j++)
        total += weights[j] = exp(weights[j] - largest);
    for (int64_t d = 0; d < width; d++) {
        double sum = 0, magnitude = 0;
        for (int64_t j = 0; j < visible; j++) {
            const double part = weights[j] / total * at4(vc, b, h / group, j, d);
            sum += part;
            magnitude += fabs(part);
        }
        compare(run, 0, ((b * q->shape[1] + s) * q->shape[2] + h) * width + d, sum, magnitude);
    }
}

static void run_attention(haly_dtype dtype)
{
    for (uint32_t kind = 0; kind < 3; kind++) { /* one value for all, values that differ, not causal */
        const int64_t past[2] = {kind == 0 ? 6 : 0, 9};
        struct run run = begin("halyard", "CachedAttention");
        attribute(&run, haly_attribute_int("causal", kind != 2));
        attribute(&run, haly_attribute_float("scale", kind == 2 ? 0.3 : 0));
        run.inputs[0] = fill(make(dtype, 4, 2, 3, 6, 8));
        run.inputs[1] = fill(make(dtype, 4, 2, 3, 2, 8));
        run.inputs[2] = fill(make(dtype, 4, 2, 3, 2, 8));
        run.inputs[3] = fill(make(dtype, 4, 2, 2, 13, 8));
        run.inputs[4] = fill(make(dtype, 4, 2, 2, 13, 8));
        run.outputs[0] = make(dtype, 4, 2, 3, 6, 8);
        run.desc.host_values = past;
        run.desc.value_count = kind == 0 ? 1 : 2;
        const double before = at4(&run.inputs[3], 1, 1, 12, 7);
        execute(&run, 5);
        for (int64_t b = 0; b < 2; b++) {
            const int64_t first = past[kind == 0 ? 0 : b];
            for (int64_t s = 0; s < 3; s++)
                for (int64_t h = 0; h < 6; h++)
                    attend(&run, b, s, h, first + (kind == 2 ? 3 : s + 1), kind == 2 ? 0.3 : 1 / sqrt(8));
            for (int64_t k = 0; k < 48; k++) {
                const int64_t s = k / 16, h = k / 8 % 2, d = k % 8;
                assert_true(at4(&run.inputs[3], b, h, first + s, d) == at4(&run.inputs[1], b, s, h, d));
                assert_true(at4(&run.inputs[4], b, h, first + s, d) == at4(&run.inputs[2], b, s, h, d));
            }
        }
        assert_true(at4(&run.inputs[3], 1, 1, 12, 7) == before);
        check_surroundings(&run.inputs[3]);
        check_surroundings(&run.inputs[4]);
    }
}

static int set_up(void **state)
{
    static struct inline_backend backend;
    (void)state;
    inline_backend_start(&backend);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    inline_backend_stop();
    return 0;
}

#define TEST(name_)                                                                                                    \
    static void name_##_is_right(void **state)                                                                         \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        for_each(run_##name_);                                                                                         \
    }
TEST(unaries)
TEST(binaries)
TEST(swiglu)
TEST(casts)
TEST(transpose)
TEST(softmax)
TEST(argmax)
TEST(norms)
TEST(matmul)
TEST(vector_matmul)
TEST(quantized_matmul)
TEST(embedding)
TEST(rotary)
TEST(attention)

int main(void)
{
#define CASE(name_) cmocka_unit_test(name_##_is_right)
    const struct CMUnitTest tests[] = {
        CASE(unaries),          CASE(binaries),  CASE(swiglu), CASE(casts),     CASE(transpose),
        CASE(softmax),          CASE(argmax),    CASE(norms),  CASE(matmul),    CASE(vector_matmul),
        CASE(quantized_matmul), CASE(embedding), CASE(rotary), CASE(attention),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
