/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products. */
#include "operator_check.h"

/* numpy's matmul: a vector on the left gains a leading 1, one on the right a trailing 1, and the result loses them. */
haly_status check_matmul(struct op_call *call)
{
    const haly_tensor *a = &call->inputs[0], *b = &call->inputs[1];
    int64_t shape[HALY_MAX_RANK + 2];
    uint32_t rank, misfit;
    TRY(op_expect_rank_at_least(call, 0, 1));
    TRY(op_expect_rank_at_least(call, 1, 1));
    TRY(op_expect_dtype(call, 1, a->dtype, "the type of A"));
    TRY(op_expect_dtype(call, OP_OUTPUT(0), a->dtype, "the type of A"));
    const uint32_t b_row = b->rank > 1 ? b->rank - 2 : 0;
    if (a->shape[a->rank - 1] != b->shape[b_row])
        return FAIL_TENSOR(call, HALY_ERR_INVALID, 1,
                           "has %lld elements in dimension %u, expected %lld, the last dimension of A",
                           (long long)b->shape[b_row], b_row, (long long)a->shape[a->rank - 1]);
    if (!shape_broadcast(a->rank > 2 ? a->rank - 2 : 0, a->shape, b->rank > 2 ? b->rank - 2 : 0, b->shape, &rank, shape,
                         &misfit))
        return FAIL_TENSOR(call, HALY_ERR_INVALID, 1, "has batch dimensions that do not broadcast with those of A");
    if (a->rank > 1)
        shape[rank++] = a->shape[a->rank - 2];
    if (b->rank > 1)
        shape[rank++] = b->shape[b->rank - 1];
    return op_expect_shape(call, OP_OUTPUT(0), rank, shape);
}

haly_status check_quantized_matmul(struct op_call *call)
{
    const haly_tensor *x = &call->inputs[0], *weight = &call->inputs[1];
    int64_t shape[HALY_MAX_RANK];
    TRY(op_expect_rank_at_least(call, 0, 1));
    TRY(op_expect_dtype_in(call, 1, DTYPES_BLOCK | DTYPES_FLOAT));
    TRY(op_expect_rank(call, 1, 2));
    const uint32_t last = x->rank - 1;
    if (weight->shape[1] != x->shape[last])
        return FAIL_TENSOR(call, HALY_ERR_INVALID, 1,
                           "has %lld elements in dimension 1, expected %lld, the last dimension of x",
                           (long long)weight->shape[1], (long long)x->shape[last]);
    if (op_has_input(call, 2)) {
        TRY(op_expect_dtype(call, 2, HALY_F32, "biases are added to the f32 sums"));
        TRY(op_expect_shape(call, 2, 1, weight->shape));
    }
    TRY(op_expect_dtype(call, OP_OUTPUT(0), x->dtype, "the type of x"));
    for (uint32_t i = 0; i < last; i++)
        shape[i] = x->shape[i];
    shape[last] = weight->shape[0];
    return op_expect_shape(call, OP_OUTPUT(0), x->rank, shape);
}
