/* SPDX-License-Identifier: Apache-2.0 */
/* Copies with other strides, and looking rows up. */
#include <stdio.h>

#include "attribute.h"
#include "lower.h"
#include "lowering.h"

/* y = x element by element, where dimension i of y is dimension from[i] of x. */
static haly_status lower_copy(struct lowering *lowering, const uint32_t *from)
{
    const haly_tensor *x = &lowering->call->inputs[0], *y = &lowering->call->outputs[0];
    struct haly_copy argument = {0};
    struct launch launch = {
        .address_count = 2, .slots = {0, OP_OUTPUT(0)}, .argument = &argument, .argument_bytes = sizeof argument};
    strided_start(&argument.shape, y);
    strided_operand(&argument.shape, 1, y);
    for (uint32_t i = 0; i < y->rank; i++)
        argument.shape.strides[0][i] = lowering_stride(x, from[i]);
    strided_order(&argument.shape, 1);
    argument.count = strided_count(&argument.shape);
    snprintf(launch.kernel, sizeof launch.kernel, "copy_%u", haly_dtype_block_bytes(x->dtype));
    launch.grid[0] = groups_of(argument.count, HALY_ELEMENTWISE_CHUNK);
    launch.grid[1] = launch.grid[2] = 1;
    return lowering_add(lowering, &launch);
}

haly_status lower_identity(struct lowering *lowering)
{
    static const uint32_t straight[HALY_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    return lower_copy(lowering, straight);
}

haly_status lower_transpose(struct lowering *lowering)
{
    const haly_attribute *perm = attribute_find(lowering->call, "perm");
    const uint32_t rank = lowering->call->inputs[0].rank;
    uint32_t from[HALY_MAX_RANK] = {0};
    for (uint32_t i = 0; i < rank; i++)
        from[i] = perm != NULL ? (uint32_t)perm->value.ints[i] : rank - 1 - i;
    return lower_copy(lowering, from);
}

/* The indices walk with the rows of y: all of y's dimensions but the last. */
haly_status lower_embedding(struct lowering *lowering)
{
    const struct op_call *call = lowering->call;
    const haly_tensor *table = &call->inputs[0], *indices = &call->inputs[1], *y = &call->outputs[0];
    const bool is_block = haly_dtype_block_elements(table->dtype) > 1;
    const uint32_t last = y->rank - 1;
    const int64_t row = lowering_stride(table, 0);
    struct haly_embedding argument = {
        .index_dtype = (uint32_t)indices->dtype,
        .y_dtype = (uint32_t)y->dtype,
        .n = (uint64_t)table->shape[1],
        .table_rows = (uint64_t)table->shape[0],
        .table_stride = is_block ? row / HALY_QUANT_BLOCK * haly_dtype_block_bytes(table->dtype) : row,
        .table_step = lowering_stride(table, 1),
        .y_step = lowering_stride(y, last),
    };
    struct launch launch = {.grid = {(uint64_t)tensor_elements(indices), 1, 1},
                            .address_count = 3,
                            .slots = {0, 1, OP_OUTPUT(0)},
                            .argument = &argument,
                            .argument_bytes = sizeof argument};
    strided_start(&argument.outer, indices);
    strided_operand(&argument.outer, 0, indices);
    for (uint32_t i = 0; i < last; i++)
        argument.outer.strides[1][i] = lowering_stride(y, i);
    haly_strided_compact(&argument.outer);
    snprintf(launch.kernel, sizeof launch.kernel, "embedding_%s", haly_dtype_name(table->dtype));
    return argument.n == 0 ? HALY_OK : lowering_add(lowering, &launch);
}
