/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A description of an operator, taken over from the caller and checked: the form in which checks, lowerings and
 * backends see it. Its arrays are copies, so that the caller's versions and sizes of structs matter in one place only.
 */
#ifndef HAL_OPERATOR_CALL_H
#define HAL_OPERATOR_CALL_H

#include <stdbool.h>

#include "operator.h"
#include "tensor_check.h"

struct op_call {
    const struct op *op;
    haly_op_desc desc; /* domain never NULL, version resolved, arrays below, no host values */
    haly_tensor inputs[OP_INPUTS];
    haly_tensor outputs[OP_OUTPUTS];
    haly_attribute attributes[OP_ATTRIBUTES];
    struct tensor_extent extents[OP_TENSORS]; /* by slot */
    uint32_t value_count;                     /* host values that a run takes; one for all is fine too */
    int64_t value_limit;                      /* each is 0 .. value_limit */
};

/*
 * Copies and checks a description: struct rules, operator, counts, attributes, each tensor by itself, then all that the
 * operator's meaning asks. `call` points into itself and must not be moved.
 */
haly_status op_call_make(const haly_op_desc *desc, struct op_call *call);

/* The first half of it: struct rules, and arrays copied in their known size. Enough to find a plan in the cache. */
haly_status op_call_take(const haly_op_desc *desc, struct op_call *call);
haly_status op_call_check(struct op_call *call);

/* The tensor of a slot; absent ones have dtype HALY_DTYPE_NONE. */
const haly_tensor *op_tensor(const struct op_call *call, uint32_t slot);
bool op_has_input(const struct op_call *call, uint32_t index);

#define OP_TENSOR_TEXT 40
/* "input 1 (B)". */
void op_tensor_text(const struct op *op, uint32_t slot, char text[OP_TENSOR_TEXT]);

/* Fails with "Add: input 1 (B) " in front of the message. */
haly_status op_fail_tensor(const struct op_call *call, haly_status status, uint32_t slot, const char *format, ...)
    HALY_PRINTF_LIKE(4, 5);
#define FAIL_TENSOR(call_, status_, slot_, ...) op_fail_tensor((call_), (status_), (slot_), __VA_ARGS__)

/* What checks are made of. Each fails with what was found and what was expected. */
haly_status op_expect_dtype(const struct op_call *call, uint32_t slot, haly_dtype dtype, const char *reason);
haly_status op_expect_dtype_in(const struct op_call *call, uint32_t slot, uint64_t mask);
haly_status op_expect_rank(const struct op_call *call, uint32_t slot, uint32_t rank);
haly_status op_expect_rank_at_least(const struct op_call *call, uint32_t slot, uint32_t rank);
haly_status op_expect_shape(const struct op_call *call, uint32_t slot, uint32_t rank, const int64_t *shape);

#endif
