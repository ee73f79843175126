/* SPDX-License-Identifier: Apache-2.0 */
/* Rotary embedding, and attention with its key/value cache. */
#include "attribute.h"
#include "operator_check.h"

haly_status check_rotary(struct op_call *call)
{
    const haly_tensor *x = &call->inputs[0];
    bool interleaved;
    TRY(op_expect_rank(call, 0, 4));
    TRY(op_expect_dtype_in(call, 1, DTYPES_INDEX));
    TRY(op_expect_shape(call, 1, 2, x->shape));
    TRY(op_expect_dtype(call, OP_OUTPUT(0), x->dtype, "the type of x"));
    TRY(op_expect_shape(call, OP_OUTPUT(0), 4, x->shape));
    TRY(attribute_bool(call, "interleaved", true, &interleaved));
    const double base = attribute_float(call, "base", 10000);
    if (!(base >= 1))
        return FAIL(HALY_ERR_INVALID, "Rotary: attribute \"base\" is %g, expected at least 1", base);
    const int64_t given = attribute_int(call, "rotary_dim", 0);
    const int64_t turned = given == 0 ? x->shape[3] : given;
    if (turned < 0 || turned > x->shape[3] || turned % 2 != 0)
        return FAIL(HALY_ERR_INVALID, "Rotary: rotary_dim is %lld, expected an even number of at most D = %lld",
                    (long long)turned, (long long)x->shape[3]);
    return HALY_OK;
}

static haly_status check_heads(struct op_call *call)
{
    const int64_t queries = call->inputs[0].shape[2], keys = call->inputs[1].shape[2];
    if (keys == 0 ? queries != 0 : queries % keys != 0)
        return FAIL_TENSOR(call, HALY_ERR_INVALID, 1,
                           "has %lld heads in dimension 2, expected a number that divides the %lld of q",
                           (long long)keys, (long long)queries);
    return HALY_OK;
}

static haly_status check_caches(struct op_call *call)
{
    const haly_tensor *k = &call->inputs[1], *k_cache = &call->inputs[3];
    TRY(op_expect_rank(call, 3, 4));
    const int64_t rows = k_cache->shape[2];
    const int64_t shape[4] = {k->shape[0], k->shape[2], rows, k->shape[3]};
    TRY(op_expect_dtype_in(call, 3, DTYPES_FLOAT));
    TRY(op_expect_dtype(call, 4, k_cache->dtype, "the type of k_cache"));
    TRY(op_expect_shape(call, 3, 4, shape));
    TRY(op_expect_shape(call, 4, 4, shape));
    if (k->shape[1] > rows)
        return FAIL_TENSOR(call, HALY_ERR_INVALID, 3, "has %lld rows, and k has %lld to store", (long long)rows,
                           (long long)k->shape[1]);
    call->value_limit = rows - k->shape[1];
    return HALY_OK;
}

haly_status check_cached_attention(struct op_call *call)
{
    const haly_tensor *q = &call->inputs[0];
    bool causal;
    TRY(op_expect_rank(call, 0, 4));
    TRY(op_expect_rank(call, 1, 4));
    const int64_t shape[4] = {q->shape[0], q->shape[1], call->inputs[1].shape[2], q->shape[3]};
    for (uint32_t i = 1; i < 3; i++) {
        TRY(op_expect_dtype(call, i, q->dtype, "the type of q"));
        TRY(op_expect_shape(call, i, 4, shape));
    }
    TRY(check_heads(call));
    TRY(check_caches(call));
    TRY(op_expect_dtype(call, OP_OUTPUT(0), q->dtype, "the type of q"));
    TRY(op_expect_shape(call, OP_OUTPUT(0), 4, q->shape));
    TRY(attribute_bool(call, "causal", true, &causal));
    if (q->shape[0] > UINT32_MAX / 2)
        return FAIL_TENSOR(call, HALY_ERR_INVALID, 0, "has %lld sequences, more than host values can be given for",
                           (long long)q->shape[0]);
    call->value_count = q->shape[0] > 0 ? (uint32_t)q->shape[0] : 1;
    return HALY_OK;
}
