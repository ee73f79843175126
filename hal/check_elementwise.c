/* SPDX-License-Identifier: Apache-2.0 */
/* Element-wise operators: one type, one shape, or shapes that broadcast. */
#include <math.h>
#include <string.h>

#include "attribute.h"
#include "operator_check.h"

bool shape_broadcast(uint32_t a_rank, const int64_t *a, uint32_t b_rank, const int64_t *b, uint32_t *out_rank,
                     int64_t *out_shape, uint32_t *out_misfit)
{
    const uint32_t rank = a_rank > b_rank ? a_rank : b_rank;
    int64_t shape[HALY_MAX_RANK];
    for (uint32_t back = 1; back <= rank; back++) {
        const int64_t of_a = back <= a_rank ? a[a_rank - back] : 1;
        const int64_t of_b = back <= b_rank ? b[b_rank - back] : 1;
        if (of_a != of_b && of_a != 1 && of_b != 1) {
            *out_misfit = back;
            return false;
        }
        shape[rank - back] = of_a == 1 ? of_b : of_a;
    }
    *out_rank = rank;
    memcpy(out_shape, shape, rank * sizeof *shape);
    return true;
}

haly_status check_unary(struct op_call *call)
{
    const haly_tensor *x = &call->inputs[0];
    TRY(op_expect_dtype(call, OP_OUTPUT(0), x->dtype, "the input's type"));
    return op_expect_shape(call, OP_OUTPUT(0), x->rank, x->shape);
}

haly_status check_gelu(struct op_call *call)
{
    const char *approximate = attribute_text(call, "approximate", "none");
    if (strcmp(approximate, "none") != 0 && strcmp(approximate, "tanh") != 0)
        return FAIL(HALY_ERR_INVALID, "Gelu: attribute \"approximate\" is \"%.40s\", expected \"none\" or \"tanh\"",
                    approximate);
    return check_unary(call);
}

haly_status check_binary(struct op_call *call)
{
    const haly_tensor *a = &call->inputs[0], *b = &call->inputs[1];
    uint32_t rank, misfit;
    int64_t shape[HALY_MAX_RANK];
    TRY(op_expect_dtype(call, 1, a->dtype, "the type of input 0"));
    TRY(op_expect_dtype(call, OP_OUTPUT(0), a->dtype, "the type of the inputs"));
    if (!shape_broadcast(a->rank, a->shape, b->rank, b->shape, &rank, shape, &misfit))
        return FAIL_TENSOR(call, HALY_ERR_INVALID, 1, "has %lld elements in dimension -%u, expected 1 or %lld as in A",
                           (long long)b->shape[b->rank - misfit], misfit, (long long)a->shape[a->rank - misfit]);
    return op_expect_shape(call, OP_OUTPUT(0), rank, shape);
}

haly_status check_cast(struct op_call *call)
{
    const haly_tensor *x = &call->inputs[0];
    TRY(op_expect_dtype_in(call, OP_OUTPUT(0), call->op->dtypes));
    return op_expect_shape(call, OP_OUTPUT(0), x->rank, x->shape);
}

haly_status check_swiglu(struct op_call *call)
{
    const haly_tensor *gate = &call->inputs[0];
    TRY(op_expect_dtype(call, 1, gate->dtype, "the type of gate"));
    TRY(op_expect_shape(call, 1, gate->rank, gate->shape));
    return check_unary(call);
}
