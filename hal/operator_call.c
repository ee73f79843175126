/* SPDX-License-Identifier: Apache-2.0 */
/* Taking over and checking the description of an operator. */
#include "operator_call.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "attribute.h"
#include "check.h"

const haly_tensor *op_tensor(const struct op_call *call, uint32_t slot)
{
    return slot < OP_INPUTS ? &call->inputs[slot] : &call->outputs[slot - OP_INPUTS];
}

bool op_has_input(const struct op_call *call, uint32_t index)
{
    return call->inputs[index].dtype != HALY_DTYPE_NONE;
}

void op_tensor_text(const struct op *op, uint32_t slot, char text[OP_TENSOR_TEXT])
{
    const bool is_output = slot >= OP_INPUTS;
    snprintf(text, OP_TENSOR_TEXT, "%s %u (%s)", is_output ? "output" : "input", is_output ? slot - OP_INPUTS : slot,
             op->tensors[slot]);
}

haly_status op_fail_tensor(const struct op_call *call, haly_status status, uint32_t slot, const char *format, ...)
{
    char name[OP_TENSOR_TEXT], text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    op_tensor_text(call->op, slot, name);
    return error_set("", status, HALY_SCOPE_CALL, HALY_RECOVER_NONE, 0, NULL, "%s: %s %s", call->op->name, name, text);
}

haly_status op_expect_dtype(const struct op_call *call, uint32_t slot, haly_dtype dtype, const char *reason)
{
    const haly_dtype found = op_tensor(call, slot)->dtype;
    if (found == dtype)
        return HALY_OK;
    return FAIL_TENSOR(call, HALY_ERR_INVALID, slot, "is %s, expected %s (%s)", haly_dtype_name(found),
                       haly_dtype_name(dtype), reason);
}

haly_status op_expect_dtype_in(const struct op_call *call, uint32_t slot, uint64_t mask)
{
    const haly_dtype found = op_tensor(call, slot)->dtype;
    char list[128];
    if (dtype_in(found, mask))
        return HALY_OK;
    dtype_list(mask, list, sizeof list);
    return FAIL_TENSOR(call, HALY_ERR_UNSUPPORTED, slot, "is %s; the operator takes %s there", haly_dtype_name(found),
                       list);
}

haly_status op_expect_rank(const struct op_call *call, uint32_t slot, uint32_t rank)
{
    const uint32_t found = op_tensor(call, slot)->rank;
    if (found == rank)
        return HALY_OK;
    return FAIL_TENSOR(call, HALY_ERR_INVALID, slot, "has rank %u, expected %u", found, rank);
}

haly_status op_expect_rank_at_least(const struct op_call *call, uint32_t slot, uint32_t rank)
{
    const uint32_t found = op_tensor(call, slot)->rank;
    if (found >= rank)
        return HALY_OK;
    return FAIL_TENSOR(call, HALY_ERR_INVALID, slot, "has rank %u, expected at least %u", found, rank);
}

haly_status op_expect_shape(const struct op_call *call, uint32_t slot, uint32_t rank, const int64_t *shape)
{
    const haly_tensor *tensor = op_tensor(call, slot);
    char found[TENSOR_SHAPE_TEXT], expected[TENSOR_SHAPE_TEXT];
    if (tensor->rank == rank && memcmp(tensor->shape, shape, rank * sizeof *shape) == 0)
        return HALY_OK;
    tensor_shape_text(tensor->rank, tensor->shape, found);
    tensor_shape_text(rank, shape, expected);
    return FAIL_TENSOR(call, HALY_ERR_INVALID, slot, "has shape %s, expected %s", found, expected);
}

/* ABI-003: elements of the caller's size into elements of ours; what we do not know must be zero. */
static haly_status take_array(const char *what, const void *from, uint32_t from_size, uint32_t count, void *to,
                              uint32_t to_size, uint32_t to_count)
{
    if (count == 0)
        return HALY_OK;
    if (from == NULL)
        return FAIL(HALY_ERR_INVALID, "haly_op_desc.%ss is NULL, and %s_count is %u", what, what, count);
    if (count > to_count)
        return FAIL(HALY_ERR_INVALID, "haly_op_desc.%s_count is %u; no operator takes more than %u", what, count,
                    to_count);
    if (from_size == 0)
        from_size = to_size;
    if (from_size < to_size)
        return FAIL(HALY_ERR_INVALID, "haly_op_desc: one %s has %u bytes, expected at least %u", what, from_size,
                    to_size);
    for (uint32_t i = 0; i < count; i++) {
        const unsigned char *element = (const unsigned char *)from + (size_t)i * from_size;
        for (uint32_t tail = to_size; tail < from_size; tail++)
            if (element[tail] != 0)
                return FAIL(HALY_ERR_UNSUPPORTED, "haly_op_desc: %s %u has a newer field set", what, i);
        memcpy((unsigned char *)to + (size_t)i * to_size, element, to_size);
    }
    return HALY_OK;
}

haly_status op_call_take(const haly_op_desc *desc, struct op_call *call)
{
    memset(call, 0, sizeof *call);
    TRY(CHECK_INPUT(desc, haly_op_desc, ext, &call->desc));
    haly_op_desc *own = &call->desc;
    if (own->name == NULL)
        return FAIL(HALY_ERR_INVALID, "haly_op_desc.name is NULL, expected an operator's name");
    TRY(check_unknown(own->flags, HALY_OP_LOWERED | HALY_OP_NATIVE, own->reserved, "haly_op_desc"));
    if (own->flags == (HALY_OP_LOWERED | HALY_OP_NATIVE))
        return FAIL(HALY_ERR_INVALID, "haly_op_desc.flags has both HALY_OP_LOWERED and HALY_OP_NATIVE");
    TRY(check_no_ext(own->ext, "haly_op_desc"));
    own->domain = own->domain != NULL ? own->domain : "";
    TRY(take_array("input", own->inputs, own->tensor_size, own->input_count, call->inputs, sizeof *call->inputs,
                   OP_INPUTS));
    TRY(take_array("output", own->outputs, own->tensor_size, own->output_count, call->outputs, sizeof *call->outputs,
                   OP_OUTPUTS));
    TRY(take_array("attribute", own->attributes, own->attribute_size, own->attribute_count, call->attributes,
                   sizeof *call->attributes, OP_ATTRIBUTES));
    own->inputs = call->inputs;
    own->outputs = call->outputs;
    own->attributes = call->attributes;
    own->tensor_size = sizeof *call->inputs;
    own->attribute_size = sizeof *call->attributes;
    return HALY_OK;
}

static haly_status check_counts(struct op_call *call)
{
    const struct op *op = call->op;
    haly_op_desc *desc = &call->desc;
    if (desc->input_count < op->min_inputs || desc->input_count > op->max_inputs)
        return FAIL(HALY_ERR_INVALID, "%s has %u inputs, expected %u .. %u", op->name, desc->input_count,
                    op->min_inputs, op->max_inputs);
    if (desc->output_count != op->outputs)
        return FAIL(HALY_ERR_INVALID, "%s has %u outputs, expected %u", op->name, desc->output_count, op->outputs);
    for (uint32_t i = 0; i < op->min_inputs; i++)
        if (call->inputs[i].dtype == HALY_DTYPE_NONE)
            return FAIL_TENSOR(call, HALY_ERR_INVALID, i, "is absent, and it is not optional");
    return HALY_OK;
}

static haly_status check_tensors(struct op_call *call)
{
    for (uint32_t slot = 0; slot < OP_TENSORS; slot++) {
        const bool is_output = slot >= OP_INPUTS;
        const uint32_t index = is_output ? slot - OP_INPUTS : slot;
        char text[OP_TENSOR_TEXT], name[OP_TENSOR_TEXT + 32];
        if (index >= (is_output ? call->desc.output_count : call->desc.input_count) ||
            (!is_output && !op_has_input(call, index)))
            continue;
        op_tensor_text(call->op, slot, text);
        snprintf(name, sizeof name, "%s: %s", call->op->name, text);
        TRY(tensor_check(op_tensor(call, slot), is_output || (call->op->in_place >> slot & 1) != 0, name,
                         &call->extents[slot]));
    }
    return HALY_OK;
}

haly_status op_call_check(struct op_call *call)
{
    TRY(op_find(call->desc.domain, call->desc.name, call->desc.version, &call->op));
    call->desc.version = call->op->version;
    call->desc.value_count = 0;
    call->desc.host_values = NULL;
    TRY(check_counts(call));
    TRY(attribute_check(call));
    TRY(check_tensors(call));
    TRY(op_expect_dtype_in(call, 0, call->op->dtypes));
    return call->op->check(call);
}

haly_status op_call_make(const haly_op_desc *desc, struct op_call *call)
{
    TRY(op_call_take(desc, call));
    return op_call_check(call);
}
