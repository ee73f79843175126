/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that move elements: transposing, and looking rows up. */
#include "attribute.h"
#include "operator_check.h"

haly_status check_transpose(struct op_call *call)
{
    const haly_tensor *x = &call->inputs[0];
    const haly_attribute *perm = attribute_find(call, "perm");
    int64_t shape[HALY_MAX_RANK];
    uint32_t seen = 0;
    if (perm != NULL && perm->count != x->rank)
        return FAIL(HALY_ERR_INVALID, "Transpose: attribute \"perm\" has %u entries, expected %u, the rank of data",
                    perm->count, x->rank);
    for (uint32_t i = 0; i < x->rank; i++) {
        const int64_t from = perm != NULL ? perm->value.ints[i] : (int64_t)(x->rank - 1 - i);
        if (from < 0 || from >= (int64_t)x->rank || (seen >> from & 1) != 0)
            return FAIL(HALY_ERR_INVALID, "Transpose: attribute \"perm\" has %lld at %u, expected each of 0 .. %u once",
                        (long long)from, i, x->rank - 1);
        seen |= 1U << from;
        shape[i] = x->shape[from];
    }
    TRY(op_expect_dtype(call, OP_OUTPUT(0), x->dtype, "the input's type"));
    return op_expect_shape(call, OP_OUTPUT(0), x->rank, shape);
}

haly_status check_embedding(struct op_call *call)
{
    const haly_tensor *table = &call->inputs[0], *indices = &call->inputs[1];
    int64_t shape[HALY_MAX_RANK];
    TRY(op_expect_rank(call, 0, 2));
    TRY(op_expect_dtype_in(call, 1, DTYPES_INDEX));
    if (indices->rank >= HALY_MAX_RANK)
        return FAIL_TENSOR(call, HALY_ERR_INVALID, 1, "has rank %u, expected at most %d", indices->rank,
                           HALY_MAX_RANK - 1);
    if (dtype_in(table->dtype, DTYPES_BLOCK))
        TRY(op_expect_dtype_in(call, OP_OUTPUT(0), DTYPES_FLOAT));
    else
        TRY(op_expect_dtype(call, OP_OUTPUT(0), table->dtype, "the type of table"));
    for (uint32_t i = 0; i < indices->rank; i++)
        shape[i] = indices->shape[i];
    shape[indices->rank] = table->shape[1];
    return op_expect_shape(call, OP_OUTPUT(0), indices->rank + 1, shape);
}
