/* SPDX-License-Identifier: Apache-2.0 */
/* What the operators' checks accept and refuse, and in which words. No device is needed: a description is enough. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <halyard/ops.h>

#include "dtype.h"
#include "operator_call.h"

#define ATTRIBUTES 3

/* Tensors as text: "f32[2,3] none q4_0[8,64]/64,1" (strides behind the slash). */
struct example {
    const char *domain, *name, *inputs, *outputs;
    haly_attribute attributes[ATTRIBUTES]; /* kind 0 ends them */
    haly_status status;
    const char *fragment; /* of the message */
};

static const char *read_numbers(const char *at, int64_t *numbers, uint32_t *count)
{
    char *end;
    for (*count = 0; *count < HALY_MAX_RANK; at = end + 1) {
        numbers[(*count)++] = strtoll(at, &end, 10);
        if (*end != ',')
            return end;
    }
    return at;
}

static haly_dtype dtype_named(const char *text, size_t length)
{
    for (uint32_t i = 0; i <= (uint32_t)DTYPE_LAST; i++) {
        const char *name = haly_dtype_name((haly_dtype)i);
        if (strlen(name) == length && memcmp(name, text, length) == 0)
            return (haly_dtype)i;
    }
    fail_msg("no type \"%.*s\"", (int)length, text);
    return HALY_DTYPE_NONE;
}

static uint32_t read_tensors(const char *text, haly_tensor *tensors)
{
    uint32_t count = 0;
    for (const char *at = text; *at != '\0'; at += *at == ' ') {
        int64_t shape[HALY_MAX_RANK];
        uint32_t rank = 0;
        const size_t length = strcspn(at, "[ ");
        const haly_dtype dtype = dtype_named(at, length);
        at += length;
        if (*at == '[')
            at = at[1] == ']' ? at + 2 : read_numbers(at + 1, shape, &rank) + 1;
        if (*at == '/') {
            tensors[count] = (haly_tensor){.dtype = dtype, .rank = rank};
            memcpy(tensors[count].shape, shape, rank * sizeof *shape);
            at = read_numbers(at + 1, tensors[count].strides, &rank);
        } else {
            tensors[count] = haly_tensor_make(dtype, rank, shape, NULL);
        }
        count++;
    }
    return count;
}

static haly_status check(const struct example *example)
{
    haly_tensor inputs[8], outputs[4];
    struct op_call call;
    uint32_t attributes = 0;
    while (attributes < ATTRIBUTES && example->attributes[attributes].kind != 0)
        attributes++;
    const haly_op_desc desc = {HALY_OP_DESC_INIT,
                               .domain = example->domain,
                               .name = example->name,
                               .inputs = inputs,
                               .input_count = read_tensors(example->inputs, inputs),
                               .outputs = outputs,
                               .output_count = read_tensors(example->outputs, outputs),
                               .attributes = example->attributes,
                               .attribute_count = attributes};
    return op_call_make(&desc, &call);
}

static void run_examples(const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct example *example = &examples[i];
        haly_error error = {HALY_ERROR_INIT};
        haly_error_clear();
        const haly_status status = check(example);
        haly_error_last(&error);
        if (status != example->status)
            fail_msg("%s(%s -> %s): %s \"%s\", expected %s", example->name, example->inputs, example->outputs,
                     haly_status_name(status), error.message, haly_status_name(example->status));
        if (status != HALY_OK && strstr(error.message, example->fragment) == NULL)
            fail_msg("%s(%s -> %s): \"%s\" does not say \"%s\"", example->name, example->inputs, example->outputs,
                     error.message, example->fragment);
    }
}
#define RUN(examples_) run_examples((examples_), sizeof(examples_) / sizeof *(examples_))

#define OK HALY_OK, NULL
#define BAD HALY_ERR_INVALID
#define UNSUP HALY_ERR_UNSUPPORTED
#define NONE                                                                                                           \
    {                                                                                                                  \
        {                                                                                                              \
            0                                                                                                          \
        }                                                                                                              \
    }
#define I(name_, value_)                                                                                               \
    {                                                                                                                  \
        .name = name_, .kind = HALY_ATTRIBUTE_INT, .count = 1, .value.i = value_                                       \
    }
#define F(name_, value_)                                                                                               \
    {                                                                                                                  \
        .name = name_, .kind = HALY_ATTRIBUTE_FLOAT, .count = 1, .value.f = value_                                     \
    }
#define T(name_, value_)                                                                                               \
    {                                                                                                                  \
        .name = name_, .kind = HALY_ATTRIBUTE_TEXT, .count = 1, .value.text = value_                                   \
    }
#define L(name_, ...)                                                                                                  \
    {                                                                                                                  \
        .name = name_, .kind = HALY_ATTRIBUTE_INTS, .count = sizeof((int64_t[]){__VA_ARGS__}) / 8,                     \
        .value.ints = (const int64_t[])                                                                                \
        {                                                                                                              \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

/* clang-format off */
static void names_and_counts(void **state)
{
    (void)state;
    const struct example examples[] = {
        {"", "Add", "f32[2] f32[2]", "f32[2]", NONE, OK},
        {NULL, "Add", "f32[2] f32[2]", "f32[2]", NONE, OK},
        {"", "Ad", "f32[2] f32[2]", "f32[2]", NONE, HALY_ERR_NOT_FOUND, "did you mean \"Add\""},
        {"", "Convolution3DTransposed", "f32[2]", "f32[2]", NONE, HALY_ERR_NOT_FOUND, "no operator"},
        {"", "SwiGLU", "f32[2] f32[2]", "f32[2]", NONE, HALY_ERR_NOT_FOUND, "in halyard"},
        {"halyard", "MatMul", "f32[2,2] f32[2,2]", "f32[2,2]", NONE, HALY_ERR_NOT_FOUND, "ONNX"},
        {"", "Add", "f32[2]", "f32[2]", NONE, BAD, "has 1 inputs, expected 2 .. 2"},
        {"", "Add", "f32[2] f32[2] f32[2]", "f32[2]", NONE, BAD, "has 3 inputs"},
        {"", "Add", "f32[2] f32[2]", "f32[2] f32[2]", NONE, BAD, "has 2 outputs, expected 1"},
        {"", "Add", "f32[2] none", "f32[2]", NONE, BAD, "input 1 (B) is absent"},
        {"", "Add", "f32[2] f32[2]", "none", NONE, BAD, "output 0 (C) has type number 0"},
        {"", "Swish", "f32[2]", "f32[2]", {F("alhpa", 1)}, BAD, "did you mean \"alpha\""},
        {"", "Add", "f32[2] f32[2]", "f32[2]", {F("alpha", 1)}, BAD, "it takes none"},
        {"", "Swish", "f32[2]", "f32[2]", {I("alpha", 1)}, BAD, "is an int, expected a float"},
        {"", "Swish", "f32[2]", "f32[2]", {F("alpha", 1), F("alpha", 2)}, BAD, "given twice"},
        {"", "Swish", "f32[2]", "f32[2]", {F("alpha", 0.0 / 0.0)}, BAD, "finite"},
        {"", "Swish", "f32[2]", "f32[2]", {F("alpha", 1.5)}, OK},
    };
    RUN(examples);
}

static void tensors_by_themselves(void **state)
{
    (void)state;
    const struct example examples[] = {
        {"", "Neg", "f32[]", "f32[]", NONE, OK},
        {"", "Neg", "f32[0,3]", "f32[0,3]", NONE, OK},
        {"", "Neg", "f32[-1]", "f32[2]", NONE, BAD, "input 0 (X) has -1 elements in dimension 0"},
        {"", "Neg", "f32[2,3]/0,0", "f32[2,3]", NONE, OK},
        {"", "Neg", "f32[2,3]/-3,1", "f32[2,3]/1,2", NONE, OK},
        {"", "Neg", "f32[2,3]", "f32[2,3]/0,1", NONE, BAD, "output 0 (Y) is written"},
        {"", "Neg", "f32[2,3]", "f32[2,3]/2,1", NONE, BAD, "share memory"},
        {"", "Neg", "f32[2,1]", "f32[2,1]/1,0", NONE, OK},
        {"", "Neg", "f32[4611686018427387904,4]/0,0", "f32[1]", NONE, BAD, "overflow"},
        {"", "Neg", "f32[4,4]/4611686018427387904,1", "f32[4,4]", NONE, BAD, "overflow"},
        {"", "Neg", "f32[2]/-9223372036854775808", "f32[2]", NONE, BAD, "overflow"},
        {"", "Neg", "f32[1]/-9223372036854775808", "f32[1]", NONE, OK},
        {"halyard", "Embedding", "q4_0[4,33] i32[2]", "f32[2,33]", NONE, BAD, "33 elements in its last dimension"},
        {"halyard", "Embedding", "q8_0[4,64]/64,2 i32[2]", "f32[2,64]", NONE, BAD, "stride 2 in its last dimension"},
        {"halyard", "Embedding", "q8_0[4,64]/65,1 i32[2]", "f32[2,64]", NONE, BAD, "stride 65 in dimension 0"},
        {"halyard", "Embedding", "q4_1[4,64]/96,1 i32[2]", "f32[2,64]", NONE, OK},
    };
    RUN(examples);
}

static void elementwise(void **state)
{
    (void)state;
    const struct example examples[] = {
        {"", "Add", "f16[4,1,3] f16[2,1]", "f16[4,2,3]", NONE, OK},
        {"", "Add", "bf16[] bf16[2,0]", "bf16[2,0]", NONE, OK},
        {"", "Mul", "f32[4,3] f32[2]", "f32[4,3]", NONE, BAD, "input 1 (B) has 2 elements in dimension -1"},
        {"", "Mul", "f32[4,3] f32[3]", "f32[4,1]", NONE, BAD, "output 0 (C) has shape [4, 1], expected [4, 3]"},
        {"", "Mul", "f32[3] f16[3]", "f32[3]", NONE, BAD, "input 1 (B) is f16, expected f32"},
        {"", "Mul", "f32[3] f32[3]", "f16[3]", NONE, BAD, "output 0 (C) is f16, expected f32"},
        {"", "Div", "i32[3] i32[3]", "i32[3]", NONE, UNSUP, "takes f32, f16 or bf16"},
        {"", "Exp", "f64[3]", "f64[3]", NONE, UNSUP, "input 0 (X) is f64"},
        {"", "Exp", "q8_0[32]", "q8_0[32]", NONE, UNSUP, "is q8_0"},
        {"", "Relu", "f32[2,3]", "f32[3,2]", NONE, BAD, "has shape [3, 2], expected [2, 3]"},
        {"", "Identity", "u64[2]", "u64[2]", NONE, OK},
        {"", "Identity", "q4_0[32]", "q4_0[32]", NONE, UNSUP, "is q4_0"},
        {"", "Gelu", "f32[3]", "f32[3]", {T("approximate", "tanh")}, OK},
        {"", "Gelu", "f32[3]", "f32[3]", {T("approximate", "erf")}, BAD, "expected \"none\" or \"tanh\""},
        {"", "Cast", "f32[3]", "bool[3]", NONE, OK},
        {"", "Cast", "i64[3]", "bf16[3]", NONE, OK},
        {"", "Cast", "f32[3]", "f64[3]", NONE, UNSUP, "output 0 (output) is f64"},
        {"", "Cast", "u16[3]", "f32[3]", NONE, UNSUP, "input 0 (input) is u16"},
        {"", "Cast", "f32[3]", "f16[4]", NONE, BAD, "shape [4], expected [3]"},
        {"halyard", "SwiGLU", "f32[2,3] f32[2,3]", "f32[2,3]", NONE, OK},
        {"halyard", "SwiGLU", "f32[2,3] f32[3]", "f32[2,3]", NONE, BAD, "input 1 (up) has shape [3]"},
    };
    RUN(examples);
}

static void movement(void **state)
{
    (void)state;
    const struct example examples[] = {
        {"", "Transpose", "f32[2,3,4]", "f32[4,3,2]", NONE, OK},
        {"", "Transpose", "i8[2,3,4]", "i8[2,4,3]", {L("perm", 0, 2, 1)}, OK},
        {"", "Transpose", "i8[2,3,4]", "i8[2,3,4]", {L("perm", 0, 2, 1)}, BAD, "expected [2, 4, 3]"},
        {"", "Transpose", "f32[2,3]", "f32[3,2]", {L("perm", 1)}, BAD, "has 1 entries, expected 2"},
        {"", "Transpose", "f32[2,3]", "f32[2,2]", {L("perm", 0, 0)}, BAD, "each of 0 .. 1 once"},
        {"", "Transpose", "f32[2,3]", "f32[2,2]", {L("perm", 0, -1)}, BAD, "has -1 at 1"},
        {"halyard", "Embedding", "f16[9,4] i64[2,3]", "f16[2,3,4]", NONE, OK},
        {"halyard", "Embedding", "f16[9,4] i64[]", "f16[4]", NONE, OK},
        {"halyard", "Embedding", "f16[9,4] i64[2]", "f32[2,4]", NONE, BAD, "output 0 (y) is f32, expected f16"},
        {"halyard", "Embedding", "q8_0[9,32] i32[2]", "bf16[2,32]", NONE, OK},
        {"halyard", "Embedding", "q8_0[9,32] i32[2]", "i32[2,32]", NONE, UNSUP, "output 0 (y) is i32"},
        {"halyard", "Embedding", "f32[9,4] f32[2]", "f32[2,4]", NONE, UNSUP, "takes i32 or i64"},
        {"halyard", "Embedding", "f32[4] i32[2]", "f32[2,4]", NONE, BAD, "input 0 (table) has rank 1, expected 2"},
        {"halyard", "Embedding", "f32[9,4] i32[1,1,1,1,1,1,1,1]", "f32[1,1,1,1,1,1,1,4]", NONE, BAD, "at most 7"},
    };
    RUN(examples);
}

static void reductions(void **state)
{
    (void)state;
    const struct example examples[] = {
        {"", "Softmax", "f32[2,3]", "f32[2,3]", {I("axis", 0)}, OK},
        {"", "Softmax", "f32[2,3]", "f32[2,3]", {I("axis", -2)}, OK},
        {"", "Softmax", "f32[2,3]", "f32[2,3]", {I("axis", 2)}, BAD, "axis is 2, expected -2 .. 1"},
        {"", "Softmax", "f32[]", "f32[]", NONE, BAD, "rank 0, expected at least 1"},
        {"", "ArgMax", "f32[2,3]", "i64[1,3]", NONE, OK},
        {"", "ArgMax", "f32[2,3]", "i64[2]", {I("axis", -1), I("keepdims", 0)}, OK},
        {"", "ArgMax", "f32[2,3]", "i64[2]", {I("axis", -1)}, BAD, "expected [2, 1]"},
        {"", "ArgMax", "f32[2,3]", "i32[1,3]", NONE, BAD, "is i32, expected i64"},
        {"", "ArgMax", "f32[2,3]", "i64[1,3]", {I("keepdims", 2)}, BAD, "expected 0 or 1"},
        {"", "ArgMax", "f32[2,3]", "i64[1,3]", {I("select_last_index", 1)}, UNSUP, "select_last_index"},
        {"", "ArgMax", "f32[0,3]", "i64[1,3]", NONE, BAD, "nothing is the largest"},
        {"", "ArgMax", "f32[3,0]", "i64[1,0]", NONE, OK},
        {"", "RMSNormalization", "f16[2,8] f32[8]", "f16[2,8]", NONE, OK},
        {"", "RMSNormalization", "f16[2,8] f16[8]", "f16[2,8]", {F("epsilon", 0)}, OK},
        {"", "RMSNormalization", "f16[2,8] bf16[8]", "f16[2,8]", NONE, BAD, "input 1 (scale) is bf16, expected f16"},
        {"", "RMSNormalization", "f32[2,8] f32[2]", "f32[2,8]", NONE, BAD, "shape [2], expected [8]"},
        {"", "RMSNormalization", "f32[2,8] f32[8]", "f32[2,8]", {I("axis", 0)}, UNSUP, "only the last"},
        {"", "RMSNormalization", "f32[2,8] f32[8]", "f32[2,8]", {F("epsilon", -1)}, BAD, "epsilon"},
        {"", "RMSNormalization", "f32[2,8] f32[8]", "f32[2,8]", {I("stash_type", 10)}, UNSUP, "stash_type"},
        {"halyard", "AddRMSNorm", "f32[2,8] f32[2,8] f32[8]", "f32[2,8] f32[2,8]", NONE, OK},
        {"halyard", "AddRMSNorm", "f32[2,8] f32[8] f32[8]", "f32[2,8] f32[2,8]", NONE, BAD, "input 1 (residual)"},
        {"halyard", "AddRMSNorm", "f32[2,8] f32[2,8] f32[8]", "f32[2,8] f32[2,4]", NONE, BAD, "output 1 (sum)"},
    };
    RUN(examples);
}

static void products(void **state)
{
    (void)state;
    const struct example examples[] = {
        {"", "MatMul", "f32[2,3] f32[3,4]", "f32[2,4]", NONE, OK},
        {"", "MatMul", "f32[3] f32[3]", "f32[]", NONE, OK},
        {"", "MatMul", "f32[3] f32[5,3,4]", "f32[5,4]", NONE, OK},
        {"", "MatMul", "f32[5,2,3] f32[3]", "f32[5,2]", NONE, OK},
        {"", "MatMul", "f32[7,1,2,3] f32[5,3,4]", "f32[7,5,2,4]", NONE, OK},
        {"", "MatMul", "f32[2,0] f32[0,4]", "f32[2,4]", NONE, OK},
        {"", "MatMul", "f32[2,3] f32[4,3]", "f32[2,3]", NONE, BAD, "input 1 (B) has 4 elements in dimension 0, expected 3"},
        {"", "MatMul", "f32[6,2,3] f32[5,3,4]", "f32[6,2,4]", NONE, BAD, "do not broadcast"},
        {"", "MatMul", "f32[2,3] f32[3,4]", "f32[4,2]", NONE, BAD, "expected [2, 4]"},
        {"", "MatMul", "f32[] f32[3,4]", "f32[4]", NONE, BAD, "rank 0"},
        {"halyard", "QuantizedMatMul", "f32[2,64] q4_0[5,64]", "f32[2,5]", NONE, OK},
        {"halyard", "QuantizedMatMul", "f16[64] q8_0[5,64] none", "f16[5]", NONE, OK},
        {"halyard", "QuantizedMatMul", "bf16[3,2,64] q4_1[5,64] f32[5]", "bf16[3,2,5]", NONE, OK},
        {"halyard", "QuantizedMatMul", "f32[2,64] f16[5,64]", "f32[2,5]", NONE, OK},
        {"halyard", "QuantizedMatMul", "f32[2,64] i8[5,64]", "f32[2,5]", NONE, UNSUP, "input 1 (weight) is i8"},
        {"halyard", "QuantizedMatMul", "q8_0[2,64] q8_0[5,64]", "f32[2,5]", NONE, UNSUP, "input 0 (x) is q8_0"},
        {"halyard", "QuantizedMatMul", "f32[2,64] q4_0[5,32]", "f32[2,5]", NONE, BAD, "32 elements in dimension 1, expected 64"},
        {"halyard", "QuantizedMatMul", "f32[2,64] q4_0[5,64] f16[5]", "f32[2,5]", NONE, BAD, "input 2 (bias) is f16"},
        {"halyard", "QuantizedMatMul", "f32[2,64] q4_0[5,64] f32[4]", "f32[2,5]", NONE, BAD, "input 2 (bias) has shape"},
        {"halyard", "QuantizedMatMul", "f32[2,64] q4_0[5,64]", "f16[2,5]", NONE, BAD, "output 0 (y) is f16"},
    };
    RUN(examples);
}

static void attention(void **state)
{
    (void)state;
    const char *qkv = "f32[1,2,6,8] f32[1,2,3,8] f32[1,2,3,8] f32[1,3,9,8] f32[1,3,9,8]";
    const struct example examples[] = {
        {"halyard", "Rotary", "f32[1,2,3,8] i32[1,2]", "f32[1,2,3,8]", NONE, OK},
        {"halyard", "Rotary", "f16[1,2,3,8] i64[1,2]/0,1", "f16[1,2,3,8]", {I("rotary_dim", 6), I("interleaved", 0)}, OK},
        {"halyard", "Rotary", "f32[1,2,3,8] i32[2]", "f32[1,2,3,8]", NONE, BAD, "input 1 (positions)"},
        {"halyard", "Rotary", "f32[2,3,8] i32[1,2]", "f32[2,3,8]", NONE, BAD, "rank 3, expected 4"},
        {"halyard", "Rotary", "f32[1,2,3,7] i32[1,2]", "f32[1,2,3,7]", NONE, BAD, "rotary_dim is 7, expected an even"},
        {"halyard", "Rotary", "f32[1,2,3,8] i32[1,2]", "f32[1,2,3,8]", {I("rotary_dim", 10)}, BAD, "at most D = 8"},
        {"halyard", "Rotary", "f32[1,2,3,8] i32[1,2]", "f32[1,2,3,8]", {F("base", 0.5)}, BAD, "at least 1"},
        {"halyard", "CachedAttention", qkv, "f32[1,2,6,8]", NONE, OK},
        {"halyard", "CachedAttention", qkv, "f32[1,2,6,4]", NONE, BAD, "output 0 (y)"},
        {"halyard", "CachedAttention", "f32[1,2,5,8] f32[1,2,3,8] f32[1,2,3,8] f32[1,3,9,8] f32[1,3,9,8]",
         "f32[1,2,5,8]", NONE, BAD, "input 1 (k) has 3 heads in dimension 2, expected a number that divides the 5"},
        {"halyard", "CachedAttention", "f32[1,2,6,8] f32[1,2,3,8] f32[1,2,3,4] f32[1,3,9,8] f32[1,3,9,8]",
         "f32[1,2,6,8]", NONE, BAD, "input 2 (v)"},
        {"halyard", "CachedAttention", "f32[1,2,6,8] f32[1,2,3,8] f32[1,2,3,8] f32[1,3,1,8] f32[1,3,1,8]",
         "f32[1,2,6,8]", NONE, BAD, "input 3 (k_cache) has 1 rows, and k has 2 to store"},
        {"halyard", "CachedAttention", "f32[1,2,6,8] f32[1,2,3,8] f32[1,2,3,8] f32[1,3,9,8] f32[1,3,8,8]",
         "f32[1,2,6,8]", NONE, BAD, "input 4 (v_cache)"},
        {"halyard", "CachedAttention", "f32[1,2,6,8] f32[1,2,3,8] f32[1,2,3,8] f32[1,3,9,8]/0,0,8,1 f32[1,3,9,8]",
         "f32[1,2,6,8]", NONE, BAD, "input 3 (k_cache) is written"},
        {"halyard", "CachedAttention", qkv, "f32[1,2,6,8]", {I("causal", 3)}, BAD, "causal"},
    };
    RUN(examples);
}
/* clang-format on */

static void versions_are_those_with_the_same_meaning(void **state)
{
    (void)state;
    haly_tensor x = haly_f32_1d(NULL, 4);
    struct op_call call;
    haly_op_desc desc = {HALY_OP_DESC_INIT, .name = "Softmax", .inputs = &x, .input_count = 1,
                         .outputs = &x,     .output_count = 1, .version = 13};
    assert_int_equal(op_call_make(&desc, &call), HALY_OK);
    desc.version = 0;
    assert_int_equal(op_call_make(&desc, &call), HALY_OK);
    assert_int_equal(call.desc.version, 13);
    desc.version = 11; /* meant another thing: dimensions behind the axis were flattened */
    assert_int_equal(op_call_make(&desc, &call), HALY_ERR_NOT_FOUND);
    desc.version = 99;
    assert_int_equal(op_call_make(&desc, &call), HALY_ERR_NOT_FOUND);
}

static void descriptions_follow_the_struct_rules(void **state)
{
    (void)state;
    struct {
        haly_tensor known;
        uint64_t newer;
    } wide[2] = {{haly_f32_1d(NULL, 4), 0}, {haly_f32_1d(NULL, 4), 0}};
    struct op_call call;
    haly_op_desc desc = {HALY_OP_DESC_INIT, .name = "Add", .inputs = &wide[0].known,  .input_count = 2,
                         .output_count = 1, .flags = 0,    .outputs = &wide[0].known, .tensor_size = sizeof *wide};
    assert_int_equal(op_call_make(&desc, &call), HALY_OK);
    wide[1].newer = 1;
    assert_int_equal(op_call_make(&desc, &call), HALY_ERR_UNSUPPORTED);
    desc.tensor_size = 8;
    assert_int_equal(op_call_make(&desc, &call), HALY_ERR_INVALID);
    desc.tensor_size = 0;
    desc.flags = HALY_OP_LOWERED | HALY_OP_NATIVE;
    assert_int_equal(op_call_make(&desc, &call), HALY_ERR_INVALID);
    desc.flags = 1U << 20;
    assert_int_equal(op_call_make(&desc, &call), HALY_ERR_UNSUPPORTED);
    desc.flags = 0;
    desc.inputs = NULL;
    assert_int_equal(op_call_make(&desc, &call), HALY_ERR_INVALID);
    desc.name = NULL;
    assert_int_equal(op_call_make(&desc, &call), HALY_ERR_INVALID);
    desc.struct_size = 8;
    assert_int_equal(op_call_make(&desc, &call), HALY_ERR_INVALID);
}

static void every_operator_is_listed_with_its_limits(void **state)
{
    (void)state;
    haly_operator_info info = {HALY_OPERATOR_INFO_INIT};
    const uint32_t count = haly_operator_count();
    assert_true(count >= 29);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(haly_operator_get(i, &info), HALY_OK);
        assert_true(info.version >= 1 && info.min_inputs >= 1 && info.max_inputs >= info.min_inputs);
        assert_true(info.min_outputs == info.max_outputs && info.min_outputs >= 1 && info.dtypes != 0);
        assert_true(strlen(info.name) > 0 && strlen(info.meaning) > 0);
        assert_true(strcmp(info.domain, "") == 0 || strcmp(info.domain, "halyard") == 0);
    }
    assert_int_equal(haly_operator_get(count, &info), HALY_ERR_INVALID);
}

static void extents_count_bytes_both_ways(void **state)
{
    (void)state;
    struct tensor_extent extent;
    haly_tensor tensor = haly_f32_2d(NULL, 3, 5);
    assert_int_equal(tensor_check(&tensor, true, "t", &extent), HALY_OK);
    assert_true(extent.low == 0 && extent.high == 60);
    tensor.strides[0] = -5;
    assert_int_equal(tensor_check(&tensor, true, "t", &extent), HALY_OK);
    assert_true(extent.low == -40 && extent.high == 20);
    tensor.shape[1] = 0;
    assert_int_equal(tensor_check(&tensor, true, "t", &extent), HALY_OK);
    assert_true(extent.low == 0 && extent.high == 0);
    tensor = haly_tensor_2d(HALY_Q4_1, NULL, 2, 64);
    tensor.strides[0] = 96;
    assert_int_equal(tensor_check(&tensor, false, "t", &extent), HALY_OK);
    assert_true(extent.low == 0 && extent.high == 100); /* 3 blocks to the second row, 2 in it, 20 bytes each */
}

/* Marks the bytes of one tensor and looks whether the other touches any: what tensor_is_disjoint() must not contradict.
 */
static bool share_bytes(const haly_tensor *a, uintptr_t a_at, const haly_tensor *b, uintptr_t b_at)
{
    unsigned char touched[4096] = {0};
    bool share = false;
    for (int64_t i = 0; i < a->shape[0]; i++)
        for (int64_t j = 0; j < a->shape[1]; j++)
            memset(&touched[a_at + (uintptr_t)((i * a->strides[0] + j * a->strides[1]) * 4)], 1, 4);
    for (int64_t i = 0; i < b->shape[0]; i++)
        for (int64_t j = 0; j < b->shape[1]; j++)
            share = share || touched[b_at + (uintptr_t)((i * b->strides[0] + j * b->strides[1]) * 4)] != 0;
    return share;
}

static void disjoint_views_are_recognised_and_overlaps_never_missed(void **state)
{
    (void)state;
    haly_tensor left = haly_f32_2d(NULL, 4, 3), right = haly_f32_2d(NULL, 4, 5);
    left.strides[0] = right.strides[0] = 8;
    assert_true(tensor_is_disjoint(&left, 1024, &right, 1024 + 12));
    assert_false(tensor_is_disjoint(&left, 1024, &right, 1024 + 8));
    haly_tensor even = haly_f32_2d(NULL, 4, 4);
    even.strides[0] = 8;
    even.strides[1] = 2;
    assert_true(tensor_is_disjoint(&even, 1024, &even, 1028));
    assert_false(tensor_is_disjoint(&even, 1024, &even, 1032));
    uint32_t seed = 1, apart = 0;
    for (uint32_t round = 0; round < 20000; round++) {
        int64_t random[8];
        for (uint32_t i = 0; i < 8; i++) {
            seed = seed * 1664525U + 1013904223U;
            random[i] = seed >> 16;
        }
        haly_tensor a = haly_f32_2d(NULL, 1 + random[0] % 4, 1 + random[1] % 4), b = a;
        a.strides[0] = random[2] % 21 - 10;
        a.strides[1] = random[3] % 7 - 3;
        b.strides[0] = random[4] % 3 == 0 ? a.strides[0] : random[4] % 21 - 10;
        b.strides[1] = random[5] % 7 - 3;
        const uintptr_t b_at = 2048 + (uintptr_t)(random[6] % 16) * 4;
        if (!tensor_is_disjoint(&a, 2048, &b, b_at))
            continue;
        apart++;
        assert_false(share_bytes(&a, 2048, &b, b_at));
    }
    assert_true(apart > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_counts),
        cmocka_unit_test(tensors_by_themselves),
        cmocka_unit_test(elementwise),
        cmocka_unit_test(movement),
        cmocka_unit_test(reductions),
        cmocka_unit_test(products),
        cmocka_unit_test(attention),
        cmocka_unit_test(versions_are_those_with_the_same_meaning),
        cmocka_unit_test(descriptions_follow_the_struct_rules),
        cmocka_unit_test(every_operator_is_listed_with_its_limits),
        cmocka_unit_test(extents_count_bytes_both_ways),
        cmocka_unit_test(disjoint_views_are_recognised_and_overlaps_never_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
