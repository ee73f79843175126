/* SPDX-License-Identifier: Apache-2.0 */
/* Element-wise operators: one launch that walks all operands together. */
#include <stdio.h>
#include <string.h>

#include "attribute.h"
#include "lower.h"
#include "lowering.h"

static const struct {
    const char *stem;
    uint32_t code;
} codes[] = {
    {"neg", HALY_UNARY_NEG},   {"abs", HALY_UNARY_ABS},     {"exp", HALY_UNARY_EXP},
    {"log", HALY_UNARY_LOG},   {"sqrt", HALY_UNARY_SQRT},   {"reciprocal", HALY_UNARY_RECIPROCAL},
    {"relu", HALY_UNARY_RELU}, {"gelu", HALY_UNARY_GELU},   {"sigmoid", HALY_UNARY_SIGMOID},
    {"tanh", HALY_UNARY_TANH}, {"swish", HALY_UNARY_SWISH}, {"add", HALY_BINARY_ADD},
    {"sub", HALY_BINARY_SUB},  {"mul", HALY_BINARY_MUL},    {"div", HALY_BINARY_DIV},
    {"max", HALY_BINARY_MAX},  {"min", HALY_BINARY_MIN},    {"swiglu", HALY_BINARY_SWIGLU},
};

static haly_status code_of(const struct op *op, uint32_t *out_code)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strcmp(codes[i].stem, op->kernel) == 0) {
            *out_code = codes[i].code;
            return HALY_OK;
        }
    return FAIL(HALY_ERR_INTERNAL, "%s has no code for the kernel \"%s\"", op->name, op->kernel);
}

haly_status lower_unary(struct lowering *lowering)
{
    const struct op_call *call = lowering->call;
    const haly_tensor *x = &call->inputs[0], *y = &call->outputs[0];
    struct haly_elementwise argument = {.alpha = (float)attribute_float(call, "alpha", 1)};
    struct launch launch = {
        .address_count = 2, .slots = {0, OP_OUTPUT(0)}, .argument = &argument, .argument_bytes = sizeof argument};
    TRY(code_of(call->op, &argument.op));
    if (argument.op == HALY_UNARY_GELU && strcmp(attribute_text(call, "approximate", "none"), "tanh") == 0)
        argument.op = HALY_UNARY_GELU_TANH;
    strided_start(&argument.shape, y);
    strided_operand(&argument.shape, 0, x);
    strided_operand(&argument.shape, 1, y);
    strided_order(&argument.shape, 1);
    argument.count = strided_count(&argument.shape);
    snprintf(launch.kernel, sizeof launch.kernel, "elementwise_unary_%s", haly_dtype_name(x->dtype));
    launch.grid[0] = groups_of(argument.count, HALY_ELEMENTWISE_CHUNK);
    launch.grid[1] = launch.grid[2] = 1;
    return lowering_add(lowering, &launch);
}

haly_status lower_binary(struct lowering *lowering)
{
    const struct op_call *call = lowering->call;
    const haly_tensor *a = &call->inputs[0], *b = &call->inputs[1], *y = &call->outputs[0];
    struct haly_elementwise argument = {.alpha = 1};
    struct launch launch = {
        .address_count = 3, .slots = {0, 1, OP_OUTPUT(0)}, .argument = &argument, .argument_bytes = sizeof argument};
    TRY(code_of(call->op, &argument.op));
    strided_start(&argument.shape, y);
    strided_operand(&argument.shape, 0, a);
    strided_operand(&argument.shape, 1, b);
    strided_operand(&argument.shape, 2, y);
    strided_order(&argument.shape, 2);
    argument.count = strided_count(&argument.shape);
    snprintf(launch.kernel, sizeof launch.kernel, "elementwise_binary_%s", haly_dtype_name(y->dtype));
    launch.grid[0] = groups_of(argument.count, HALY_ELEMENTWISE_CHUNK);
    launch.grid[1] = launch.grid[2] = 1;
    return lowering_add(lowering, &launch);
}

haly_status lower_swiglu(struct lowering *lowering)
{
    return lower_binary(lowering);
}

haly_status lower_cast(struct lowering *lowering)
{
    const haly_tensor *x = &lowering->call->inputs[0], *y = &lowering->call->outputs[0];
    struct haly_cast argument = {.from = (uint32_t)x->dtype, .to = (uint32_t)y->dtype};
    struct launch launch = {.kernel = "cast",
                            .address_count = 2,
                            .slots = {0, OP_OUTPUT(0)},
                            .argument = &argument,
                            .argument_bytes = sizeof argument};
    if (x->dtype == y->dtype)
        return lower_identity(lowering);
    strided_start(&argument.shape, y);
    strided_operand(&argument.shape, 0, x);
    strided_operand(&argument.shape, 1, y);
    strided_order(&argument.shape, 1);
    argument.count = strided_count(&argument.shape);
    launch.grid[0] = groups_of(argument.count, HALY_ELEMENTWISE_CHUNK);
    launch.grid[1] = launch.grid[2] = 1;
    return lowering_add(lowering, &launch);
}
