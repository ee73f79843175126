/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of operators. Versions of the ONNX domain are those of the specification since which an operator has the
 * meaning implemented here, up to the newest, which only added types.
 */
#include "operator.h"

#include <string.h>

#include "check.h"
#include "lower.h"
#include "nearest.h"
#include "operator_check.h"
#include "text.h"

/* What may be exactly what, as bits of inputs. */
#define FIRST 1U
#define SECOND 2U

#define DTYPES_CAST (DTYPES_FLOAT | DTYPES_INDEX | DTYPE_BIT(HALY_U8) | DTYPE_BIT(HALY_BOOL))

/* clang-format off */
#define INT(name_) {name_, HALY_ATTRIBUTE_INT}
#define FLOAT(name_) {name_, HALY_ATTRIBUTE_FLOAT}
#define TEXT(name_) {name_, HALY_ATTRIBUTE_TEXT}
#define INTS(name_) {name_, HALY_ATTRIBUTE_INTS}

#define OP(domain_, name_, since_, version_, min_, max_, outputs_, dtypes_)                                            \
    .domain = domain_, .name = name_, .since = since_, .version = version_, .min_inputs = min_, .max_inputs = max_,    \
    .outputs = outputs_, .dtypes = dtypes_
#define RUN(family_, meaning_) .meaning = meaning_, .check = check_##family_, .lower = lower_##family_
#define UNARY(name_, since_, version_, kernel_, meaning_)                                                              \
    {OP("", name_, since_, version_, 1, 1, 1, DTYPES_FLOAT), .tensors = {[0] = "X", [OP_OUTPUT(0)] = "Y"},             \
     .exact_alias = {FIRST}, .kernel = kernel_, RUN(unary, meaning_)}
#define BINARY(name_, since_, version_, kernel_, meaning_)                                                             \
    {OP("", name_, since_, version_, 2, 2, 1, DTYPES_FLOAT), .tensors = {[0] = "A", [1] = "B", [OP_OUTPUT(0)] = "C"},  \
     .exact_alias = {FIRST | SECOND}, .kernel = kernel_, RUN(binary, meaning_)}

static const struct op ops[] = {
    BINARY("Add", 7, 14, "add", "C = A + B, broadcasting"),
    BINARY("Sub", 7, 14, "sub", "C = A - B, broadcasting"),
    BINARY("Mul", 7, 14, "mul", "C = A * B, broadcasting"),
    BINARY("Div", 7, 14, "div", "C = A / B, broadcasting"),
    BINARY("Max", 8, 13, "max", "the larger of A and B, NaN when either is; broadcasting"),
    BINARY("Min", 8, 13, "min", "the smaller of A and B, NaN when either is; broadcasting"),
    UNARY("Neg", 6, 13, "neg", "Y = -X"),
    UNARY("Abs", 6, 13, "abs", "Y = |X|"),
    UNARY("Exp", 6, 13, "exp", "Y = e^X"),
    UNARY("Log", 6, 13, "log", "Y = ln X"),
    UNARY("Sqrt", 6, 13, "sqrt", "the square root of X"),
    UNARY("Reciprocal", 6, 13, "reciprocal", "Y = 1 / X"),
    UNARY("Sigmoid", 6, 13, "sigmoid", "Y = 1 / (1 + e^-X)"),
    UNARY("Tanh", 6, 13, "tanh", "the hyperbolic tangent of X"),
    UNARY("Relu", 6, 14, "relu", "Y = max(X, 0), NaN when X is"),
    {OP("", "Gelu", 20, 20, 1, 1, 1, DTYPES_FLOAT), .tensors = {[0] = "X", [OP_OUTPUT(0)] = "Y"},
     .exact_alias = {FIRST}, .attributes = {TEXT("approximate")}, .kernel = "gelu", .check = check_gelu,
     .lower = lower_unary, .meaning = "X times the normal distribution function of X, or its tanh approximation"},
    {OP("", "Swish", 24, 24, 1, 1, 1, DTYPES_FLOAT), .tensors = {[0] = "X", [OP_OUTPUT(0)] = "Y"},
     .exact_alias = {FIRST}, .attributes = {FLOAT("alpha")}, .kernel = "swish",
     RUN(unary, "Y = X * Sigmoid(alpha * X)")},
    {OP("", "Identity", 1, 25, 1, 1, 1, DTYPES_PLAIN), .tensors = {[0] = "input", [OP_OUTPUT(0)] = "output"},
     .exact_alias = {FIRST}, .check = check_unary, .lower = lower_identity, .meaning = "a copy"},
    {OP("", "Cast", 6, 25, 1, 1, 1, DTYPES_CAST), .tensors = {[0] = "input", [OP_OUTPUT(0)] = "output"},
     .exact_alias = {FIRST}, RUN(cast, "the input converted to the output's type")},
    {OP("", "Transpose", 1, 25, 1, 1, 1, DTYPES_PLAIN), .tensors = {[0] = "data", [OP_OUTPUT(0)] = "transposed"},
     .attributes = {INTS("perm")}, RUN(transpose, "a copy with dimensions reordered")},
    {OP("", "Softmax", 13, 13, 1, 1, 1, DTYPES_FLOAT), .tensors = {[0] = "input", [OP_OUTPUT(0)] = "output"},
     .exact_alias = {FIRST}, .attributes = {INT("axis")},
     RUN(softmax, "e^x divided by the sum of e^x along an axis")},
    {OP("", "ArgMax", 11, 13, 1, 1, 1, DTYPES_FLOAT), .tensors = {[0] = "data", [OP_OUTPUT(0)] = "reduced"},
     .attributes = {INT("axis"), INT("keepdims"), INT("select_last_index")},
     RUN(argmax, "index of the largest along an axis, the first of equals")},
    {OP("", "MatMul", 1, 13, 2, 2, 1, DTYPES_FLOAT), .tensors = {[0] = "A", [1] = "B", [OP_OUTPUT(0)] = "Y"},
     RUN(matmul, "matrix product, batch dimensions broadcast")},
    {OP("", "RMSNormalization", 23, 23, 2, 2, 1, DTYPES_FLOAT),
     .tensors = {[0] = "X", [1] = "scale", [OP_OUTPUT(0)] = "Y"}, .exact_alias = {FIRST},
     .attributes = {INT("axis"), FLOAT("epsilon"), INT("stash_type")},
     RUN(rms_norm, "X / sqrt(mean(X^2) + epsilon) * scale along the last dimension")},
    {OP("halyard", "Embedding", 1, 1, 2, 2, 1, DTYPES_FLOAT | DTYPES_BLOCK),
     .tensors = {[0] = "table", [1] = "indices", [OP_OUTPUT(0)] = "y"}, RUN(embedding, "rows of a table, dequantised")},
    {OP("halyard", "QuantizedMatMul", 1, 1, 2, 3, 1, DTYPES_FLOAT),
     .tensors = {[0] = "x", [1] = "weight", [2] = "bias", [OP_OUTPUT(0)] = "y"},
     RUN(quantized_matmul, "x times the transposed weight, dequantised, plus bias")},
    {OP("halyard", "SwiGLU", 1, 1, 2, 2, 1, DTYPES_FLOAT), .tensors = {[0] = "gate", [1] = "up", [OP_OUTPUT(0)] = "y"},
     .exact_alias = {FIRST | SECOND}, .kernel = "swiglu", RUN(swiglu, "Swish(gate) * up")},
    {OP("halyard", "AddRMSNorm", 1, 1, 3, 3, 2, DTYPES_FLOAT),
     .tensors = {[0] = "x", [1] = "residual", [2] = "scale", [OP_OUTPUT(0)] = "y", [OP_OUTPUT(1)] = "sum"},
     .exact_alias = {FIRST, FIRST | SECOND}, .attributes = {FLOAT("epsilon")},
     RUN(add_rms_norm, "sum = x + residual, and its RMSNormalization")},
    {OP("halyard", "Rotary", 1, 1, 2, 2, 1, DTYPES_FLOAT),
     .tensors = {[0] = "x", [1] = "positions", [OP_OUTPUT(0)] = "y"}, .exact_alias = {FIRST},
     .attributes = {FLOAT("base"), INT("interleaved"), INT("rotary_dim")}, RUN(rotary, "rotary position embedding")},
    {OP("halyard", "CachedAttention", 1, 1, 5, 5, 1, DTYPES_FLOAT),
     .tensors = {[0] = "q", [1] = "k", [2] = "v", [3] = "k_cache", [4] = "v_cache", [OP_OUTPUT(0)] = "y"},
     .in_place = 1U << 3 | 1U << 4, .attributes = {FLOAT("scale"), INT("causal")},
     RUN(cached_attention, "attention over a key/value cache that is updated in place")},
};
/* clang-format on */

#define OP_COUNT (sizeof ops / sizeof *ops)

const struct op *op_row(uint32_t index)
{
    return index < OP_COUNT ? &ops[index] : NULL;
}

static haly_status refuse_version(const struct op *op, uint32_t version)
{
    return FAIL(HALY_ERR_NOT_FOUND, "%s: version %u is not known; this library has %u .. %u, which mean the same",
                op->name, version, op->since, op->version);
}

static haly_status refuse_name(const char *domain, const char *name)
{
    struct nearest nearest;
    const char *prefix = strcmp(domain, "") == 0 ? "ONNX" : PRINTABLE(domain);
    nearest_start(&nearest, name);
    for (uint32_t i = 0; i < OP_COUNT; i++) {
        if (strcmp(ops[i].name, name) == 0)
            return FAIL(HALY_ERR_NOT_FOUND, "operator \"%s\" is not in the domain %s, but in %s", ops[i].name, prefix,
                        ops[i].domain[0] == '\0' ? "ONNX (\"\")" : ops[i].domain);
        nearest_offer(&nearest, ops[i].name);
    }
    if (nearest.best != NULL)
        return FAIL(HALY_ERR_NOT_FOUND, "no operator \"%s\" in the domain %s; did you mean \"%s\"?", PRINTABLE(name),
                    prefix, nearest.best);
    return FAIL(HALY_ERR_NOT_FOUND, "no operator \"%s\" in the domain %s, and none with a name like it",
                PRINTABLE(name), prefix);
}

haly_status op_find(const char *domain, const char *name, uint32_t version, const struct op **out_op)
{
    for (uint32_t i = 0; i < OP_COUNT; i++) {
        if (strcmp(ops[i].name, name) != 0 || strcmp(ops[i].domain, domain) != 0)
            continue;
        if (version != 0 && (version < ops[i].since || version > ops[i].version))
            return refuse_version(&ops[i], version);
        *out_op = &ops[i];
        return HALY_OK;
    }
    return refuse_name(domain, name);
}

uint32_t haly_operator_count(void)
{
    return OP_COUNT;
}

haly_status haly_operator_get(uint32_t index, haly_operator_info *out_info)
{
    const struct op *op = op_row(index);
    if (op == NULL)
        return FAIL(HALY_ERR_INVALID, "index is %u, expected less than %u", index, (uint32_t)OP_COUNT);
    const haly_operator_info info = {HALY_OPERATOR_INFO_INIT,      .version = op->version,
                                     .domain = op->domain,         .name = op->name,
                                     .min_inputs = op->min_inputs, .max_inputs = op->max_inputs,
                                     .min_outputs = op->outputs,   .max_outputs = op->outputs,
                                     .dtypes = op->dtypes,         .meaning = op->meaning};
    TRY(CHECK_OUTPUT(out_info, haly_operator_info, meaning, &info));
    return HALY_OK;
}
