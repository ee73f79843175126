/* SPDX-License-Identifier: Apache-2.0 */
/* Operators along one dimension: a group for each row. */
#include <stdio.h>

#include "attribute.h"
#include "lower.h"
#include "lowering.h"

haly_status lower_softmax(struct lowering *lowering)
{
    const struct op_call *call = lowering->call;
    const haly_tensor *const operands[] = {&call->inputs[0], &call->outputs[0]};
    struct haly_rows argument;
    struct launch launch = {
        .address_count = 2, .slots = {0, OP_OUTPUT(0)}, .argument = &argument, .argument_bytes = sizeof argument};
    uint32_t axis;
    TRY(attribute_axis(call, -1, operands[0]->rank, &axis));
    rows_make(&argument, axis, 2, operands);
    snprintf(launch.kernel, sizeof launch.kernel, "softmax_%s", haly_dtype_name(operands[0]->dtype));
    launch.grid[0] = argument.n > 0 ? strided_count(&argument.outer) : 0;
    launch.grid[1] = launch.grid[2] = 1;
    return lowering_add(lowering, &launch);
}

/* y has 1 or nothing at the axis: it gets it back as 1, so that both operands have the same rank. */
static haly_tensor with_axis(const haly_tensor *y, uint32_t axis, uint32_t rank)
{
    haly_tensor whole = *y;
    if (y->rank == rank)
        return whole;
    whole.rank = rank;
    for (uint32_t i = rank - 1; i > axis; i--) {
        whole.shape[i] = y->shape[i - 1];
        whole.strides[i] = y->strides[i - 1];
    }
    whole.shape[axis] = 1;
    whole.strides[axis] = 0;
    return whole;
}

haly_status lower_argmax(struct lowering *lowering)
{
    const struct op_call *call = lowering->call;
    const haly_tensor *x = &call->inputs[0];
    struct haly_argmax argument = {0};
    struct launch launch = {
        .address_count = 2, .slots = {0, OP_OUTPUT(0)}, .argument = &argument, .argument_bytes = sizeof argument};
    uint32_t axis;
    TRY(attribute_axis(call, 0, x->rank, &axis));
    const haly_tensor y = with_axis(&call->outputs[0], axis, x->rank);
    const haly_tensor *const operands[] = {x, &y};
    rows_make(&argument.rows, axis, 2, operands);
    snprintf(launch.kernel, sizeof launch.kernel, "argmax_%s", haly_dtype_name(x->dtype));
    launch.grid[0] = strided_count(&argument.rows.outer);
    launch.grid[1] = launch.grid[2] = 1;
    return lowering_add(lowering, &launch);
}

/* The norms' common part: `launch` has the addresses. operands[0] is x. */
static haly_status add_norm(struct lowering *lowering, struct launch launch, const char *kernel, uint32_t scale_slot,
                            uint32_t operand_count, const haly_tensor *const *operands)
{
    const struct op_call *call = lowering->call;
    const haly_tensor *x = operands[0], *scale = &call->inputs[scale_slot];
    struct haly_norm argument = {.epsilon = (float)attribute_float(call, "epsilon", 1e-5),
                                 .scale_dtype = (uint32_t)scale->dtype,
                                 .scale_step = lowering_stride(scale, 0)};
    rows_make(&argument.rows, x->rank - 1, operand_count, operands);
    snprintf(launch.kernel, sizeof launch.kernel, "%s_%s", kernel, haly_dtype_name(x->dtype));
    launch.grid[0] = argument.rows.n > 0 ? strided_count(&argument.rows.outer) : 0;
    launch.grid[1] = launch.grid[2] = 1;
    launch.argument = &argument;
    launch.argument_bytes = sizeof argument;
    return lowering_add(lowering, &launch);
}

haly_status lower_rms_norm(struct lowering *lowering)
{
    const struct op_call *call = lowering->call;
    const haly_tensor *const operands[] = {&call->inputs[0], &call->outputs[0]};
    struct launch launch = {.address_count = 3, .slots = {0, 1, OP_OUTPUT(0)}};
    return add_norm(lowering, launch, "rms_norm", 1, 2, operands);
}

haly_status lower_add_rms_norm(struct lowering *lowering)
{
    const struct op_call *call = lowering->call;
    const haly_tensor *const operands[] = {&call->inputs[0], &call->outputs[0], &call->inputs[1], &call->outputs[1]};
    struct launch launch = {.address_count = 5, .slots = {0, 1, 2, OP_OUTPUT(1), OP_OUTPUT(0)}};
    return add_norm(lowering, launch, "add_rms_norm", 2, 4, operands);
}
