/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that reduce along one dimension. */
#include "attribute.h"
#include "operator_check.h"

haly_status check_softmax(struct op_call *call)
{
    uint32_t axis;
    TRY(op_expect_rank_at_least(call, 0, 1));
    TRY(attribute_axis(call, -1, call->inputs[0].rank, &axis));
    const haly_tensor *x = &call->inputs[0];
    TRY(op_expect_dtype(call, OP_OUTPUT(0), x->dtype, "the input's type"));
    return op_expect_shape(call, OP_OUTPUT(0), x->rank, x->shape);
}

haly_status check_argmax(struct op_call *call)
{
    const haly_tensor *x = &call->inputs[0];
    int64_t shape[HALY_MAX_RANK];
    uint32_t axis, rank = 0;
    bool keepdims;
    TRY(op_expect_rank_at_least(call, 0, 1));
    TRY(attribute_axis(call, 0, x->rank, &axis));
    TRY(attribute_bool(call, "keepdims", true, &keepdims));
    if (attribute_int(call, "select_last_index", 0) != 0)
        return FAIL(HALY_ERR_UNSUPPORTED, "ArgMax: attribute \"select_last_index\" is %lld; only 0 is implemented",
                    (long long)attribute_int(call, "select_last_index", 0));
    for (uint32_t i = 0; i < x->rank; i++)
        if (i != axis || keepdims)
            shape[rank++] = i == axis ? 1 : x->shape[i];
    TRY(op_expect_dtype(call, OP_OUTPUT(0), HALY_I64, "an index"));
    TRY(op_expect_shape(call, OP_OUTPUT(0), rank, shape));
    if (x->shape[axis] == 0 && tensor_elements(&call->outputs[0]) != 0)
        return FAIL_TENSOR(call, HALY_ERR_INVALID, 0, "has no elements along axis %u: nothing is the largest", axis);
    return HALY_OK;
}

/* Epsilon, and a scale of the last dimension in f32 or the type of X. */
static haly_status check_norm(struct op_call *call, uint32_t scale)
{
    const haly_tensor *x = &call->inputs[0];
    TRY(op_expect_rank_at_least(call, 0, 1));
    if (attribute_float(call, "epsilon", 1e-5) < 0)
        return FAIL(HALY_ERR_INVALID, "%s: attribute \"epsilon\" is %g, expected 0 or more", call->op->name,
                    attribute_float(call, "epsilon", 1e-5));
    if (call->inputs[scale].dtype != HALY_F32)
        TRY(op_expect_dtype(call, scale, x->dtype, "the type of the first input; f32 is fine too"));
    return op_expect_shape(call, scale, 1, &x->shape[x->rank - 1]);
}

haly_status check_rms_norm(struct op_call *call)
{
    const haly_tensor *x = &call->inputs[0];
    uint32_t axis;
    TRY(check_norm(call, 1));
    TRY(attribute_axis(call, -1, x->rank, &axis));
    if (axis != x->rank - 1)
        return FAIL(HALY_ERR_UNSUPPORTED, "RMSNormalization: axis is %u; only the last dimension is implemented", axis);
    if (attribute_int(call, "stash_type", 1) != 1)
        return FAIL(HALY_ERR_UNSUPPORTED, "RMSNormalization: stash_type is %lld; only 1 (f32) is implemented",
                    (long long)attribute_int(call, "stash_type", 1));
    TRY(op_expect_dtype(call, OP_OUTPUT(0), x->dtype, "the type of X"));
    return op_expect_shape(call, OP_OUTPUT(0), x->rank, x->shape);
}

haly_status check_add_rms_norm(struct op_call *call)
{
    const haly_tensor *x = &call->inputs[0];
    TRY(op_expect_dtype(call, 1, x->dtype, "the type of x"));
    TRY(op_expect_shape(call, 1, x->rank, x->shape));
    TRY(check_norm(call, 2));
    for (uint32_t i = 0; i < 2; i++) {
        TRY(op_expect_dtype(call, OP_OUTPUT(i), x->dtype, "the type of x"));
        TRY(op_expect_shape(call, OP_OUTPUT(i), x->rank, x->shape));
    }
    return HALY_OK;
}
