/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products. */
#include <stdio.h>
#include <string.h>

#include "lower.h"
#include "lowering.h"

/* A matrix with batch dimensions in front: vectors have got the 1 they lack. */
static haly_tensor as_matrix(const haly_tensor *tensor, bool vector_is_row)
{
    haly_tensor matrix = *tensor;
    if (tensor->rank != 1)
        return matrix;
    matrix.rank = 2;
    matrix.shape[vector_is_row ? 1 : 0] = tensor->shape[0];
    matrix.strides[vector_is_row ? 1 : 0] = tensor->strides[0];
    matrix.shape[vector_is_row ? 0 : 1] = 1;
    matrix.strides[vector_is_row ? 0 : 1] = 0;
    return matrix;
}

/* The result lost dimensions that were added to the operands: it gets them back. */
static haly_tensor as_result(const haly_tensor *y, bool has_rows, bool has_columns)
{
    haly_tensor matrix = *y;
    if (!has_rows) {
        const uint32_t row = has_columns ? y->rank - 1 : y->rank;
        if (has_columns) {
            matrix.shape[row + 1] = y->shape[row];
            matrix.strides[row + 1] = y->strides[row];
        }
        matrix.shape[row] = 1;
        matrix.strides[row] = 0;
        matrix.rank++;
    }
    if (!has_columns) {
        matrix.shape[matrix.rank] = 1;
        matrix.strides[matrix.rank] = 0;
        matrix.rank++;
    }
    return matrix;
}

/* The batch dimensions of a matrix, or of what is left of a vector. */
static haly_tensor batch_of(const haly_tensor *matrix)
{
    haly_tensor batch = *matrix;
    batch.rank -= 2;
    for (uint32_t i = 0; i < batch.rank; i++)
        batch.strides[i] = lowering_stride(matrix, i);
    return batch;
}

static void set_strides(int64_t strides[2], const haly_tensor *matrix)
{
    strides[0] = lowering_stride(matrix, matrix->rank - 2);
    strides[1] = lowering_stride(matrix, matrix->rank - 1);
}

/* y = a b for matrices with batch dimensions, y giving the batch. `bias` of n elements may be NULL. */
static haly_status add_matmul(struct lowering *lowering, const haly_tensor *a, const haly_tensor *b,
                              const haly_tensor *bias, const haly_tensor *y)
{
    struct haly_matmul argument = {.m = (uint64_t)y->shape[y->rank - 2],
                                   .n = (uint64_t)y->shape[y->rank - 1],
                                   .k = (uint64_t)a->shape[a->rank - 1],
                                   .b_dtype = (uint32_t)b->dtype,
                                   .has_bias = bias != NULL};
    struct launch launch = {.address_count = 4,
                            .slots = {0, 1, bias != NULL ? 2 : NO_SLOT, OP_OUTPUT(0)},
                            .argument = &argument,
                            .argument_bytes = sizeof argument};
    const haly_tensor batch_a = batch_of(a), batch_b = batch_of(b), batch_y = batch_of(y);
    set_strides(argument.a_strides, a);
    set_strides(argument.b_strides, b);
    set_strides(argument.y_strides, y);
    argument.bias_strides[1] = bias != NULL ? lowering_stride(bias, 0) : 0;
    strided_start(&argument.batch, &batch_y);
    strided_operand(&argument.batch, 0, &batch_a);
    strided_operand(&argument.batch, 1, &batch_b);
    strided_operand(&argument.batch, 3, &batch_y);
    haly_strided_compact(&argument.batch);
    snprintf(launch.kernel, sizeof launch.kernel, "matmul_%s", haly_dtype_name(y->dtype));
    launch.grid[0] = groups_of(argument.n, HALY_MATMUL_COLUMNS);
    launch.grid[1] = groups_of(argument.m, HALY_MATMUL_ROWS);
    launch.grid[2] = strided_count(&argument.batch);
    return lowering_add(lowering, &launch);
}

haly_status lower_matmul(struct lowering *lowering)
{
    const struct op_call *call = lowering->call;
    const haly_tensor a = as_matrix(&call->inputs[0], true);
    const haly_tensor b = as_matrix(&call->inputs[1], false);
    const haly_tensor y = as_result(&call->outputs[0], call->inputs[0].rank > 1, call->inputs[1].rank > 1);
    return add_matmul(lowering, &a, &b, NULL, &y);
}

/* Merges the dimensions in front of the last into one, when x and y both allow it. */
static bool merge_rows(haly_tensor *x, haly_tensor *y)
{
    struct haly_strided rows;
    haly_tensor front = *y;
    front.rank = y->rank - 1;
    strided_start(&rows, &front);
    for (uint32_t i = 0; i + 1 < x->rank; i++) {
        rows.strides[0][i] = lowering_stride(x, i);
        rows.strides[1][i] = lowering_stride(y, i);
    }
    haly_strided_compact(&rows);
    if (rows.rank > 1)
        return false;
    const uint32_t last = x->rank - 1;
    x->shape[1] = x->shape[last];
    x->strides[1] = x->strides[last];
    y->shape[1] = y->shape[last];
    y->strides[1] = y->strides[last];
    x->shape[0] = y->shape[0] = rows.rank == 1 ? (int64_t)rows.dims[0] : 1;
    x->strides[0] = rows.rank == 1 ? rows.strides[0][0] : 0;
    y->strides[0] = rows.rank == 1 ? rows.strides[1][0] : 0;
    x->rank = y->rank = 2;
    return true;
}

/* Weights in a plain type: the ordinary product with the weight seen transposed. */
static haly_status lower_plain_weight(struct lowering *lowering)
{
    const struct op_call *call = lowering->call;
    haly_tensor x = call->inputs[0], y = call->outputs[0];
    const haly_tensor weight = haly_tensor_swap(call->inputs[1], 0, 1);
    if (x.rank == 1) {
        x = as_matrix(&x, true);
        y = as_matrix(&y, true);
    } else if (tensor_elements(&y) > 0) {
        merge_rows(&x, &y);
    }
    return add_matmul(lowering, &x, &weight, op_has_input(call, 2) ? &call->inputs[2] : NULL, &y);
}

haly_status lower_quantized_matmul(struct lowering *lowering)
{
    const struct op_call *call = lowering->call;
    const haly_tensor *x = &call->inputs[0], *weight = &call->inputs[1], *y = &call->outputs[0];
    if (haly_dtype_block_elements(weight->dtype) == 1)
        return lower_plain_weight(lowering);
    const bool has_bias = op_has_input(call, 2);
    const uint32_t last = x->rank - 1;
    struct haly_quantized_matmul argument = {
        .n = (uint64_t)weight->shape[0],
        .k = (uint64_t)weight->shape[1],
        .weight_stride = lowering_stride(weight, 0) / HALY_QUANT_BLOCK * haly_dtype_block_bytes(weight->dtype),
        .x_step = lowering_stride(x, last),
        .y_step = lowering_stride(y, last),
        .bias_step = has_bias ? lowering_stride(&call->inputs[2], 0) : 0,
        .has_bias = has_bias,
    };
    struct launch launch = {.address_count = 4,
                            .slots = {0, 1, has_bias ? 2 : NO_SLOT, OP_OUTPUT(0)},
                            .argument = &argument,
                            .argument_bytes = sizeof argument};
    argument.rows.rank = last;
    for (uint32_t i = 0; i < last; i++) {
        argument.rows.dims[i] = (uint64_t)x->shape[i];
        argument.rows.strides[0][i] = lowering_stride(x, i);
        argument.rows.strides[1][i] = lowering_stride(y, i);
    }
    haly_strided_compact(&argument.rows);
    argument.m = strided_count(&argument.rows);
    snprintf(launch.kernel, sizeof launch.kernel, "quantized_matmul_%s_%s", haly_dtype_name(weight->dtype),
             haly_dtype_name(x->dtype));
    launch.grid[0] = groups_of(argument.n, HALY_MATMUL_COLUMNS);
    launch.grid[1] = groups_of(argument.m, HALY_MATMUL_ROWS);
    launch.grid[2] = 1;
    return lowering_add(lowering, &launch);
}
