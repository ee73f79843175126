/* SPDX-License-Identifier: Apache-2.0 */
/* Zeroes the outputs of one operator, element by element, so that any strides are right. */
#include "cpu_zero_op.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUTS 2U

struct zero {
    uint32_t inputs, outputs;
    haly_tensor tensors[OUTPUTS];
    uint32_t element_bytes[OUTPUTS];
};

static uint32_t bytes_of(haly_dtype dtype)
{
    switch (dtype) {
    case HALY_F64:
    case HALY_I64:
    case HALY_U64:
        return 8;
    case HALY_F32:
    case HALY_I32:
    case HALY_U32:
        return 4;
    case HALY_F16:
    case HALY_BF16:
    case HALY_I16:
    case HALY_U16:
        return 2;
    default:
        return 1;
    }
}

static void zero_tensor(const haly_tensor *tensor, uint32_t element_bytes, unsigned char *data)
{
    uint64_t elements = 1;
    for (uint32_t i = 0; i < tensor->rank; i++)
        elements *= (uint64_t)tensor->shape[i];
    for (uint64_t element = 0; element < elements; element++) {
        uint64_t rest = element;
        int64_t offset = 0;
        for (uint32_t i = tensor->rank; i-- > 0;) {
            offset += (int64_t)(rest % (uint64_t)tensor->shape[i]) * tensor->strides[i];
            rest /= (uint64_t)tensor->shape[i];
        }
        memset(data + offset * (int64_t)element_bytes, 0, element_bytes);
    }
}

static haly_status run(const struct cpu_plan *plan, const struct cpu_work *work, const struct cpu_plan_call *call,
                       const char **out_text)
{
    const struct zero *self = plan->state;
    (void)work;
    (void)out_text;
    for (uint32_t i = 0; i < self->outputs; i++)
        if (call->addresses[self->inputs + i] != NULL)
            zero_tensor(&self->tensors[i], self->element_bytes[i], call->addresses[self->inputs + i]);
    return HALY_OK;
}

static void destroy(struct cpu_plan *plan)
{
    free(plan->state);
}

bool cpu_zero_op_is_wanted(const haly_op_desc *desc)
{
    return strcmp(planted_argument, desc->name) == 0;
}

haly_status cpu_zero_op_create(struct cpu_plan *plan, const haly_op_desc *desc, haly_backend_plan *out_plan)
{
    struct zero *self = calloc(1, sizeof *self);
    if (self == NULL)
        return FAIL(HALY_ERR_HOST_OOM, "out of memory for a plan");
    self->inputs = desc->input_count;
    self->outputs = desc->output_count < OUTPUTS ? desc->output_count : OUTPUTS;
    for (uint32_t i = 0; i < self->outputs; i++) {
        self->tensors[i] = desc->outputs[i];
        self->element_bytes[i] = bytes_of(desc->outputs[i].dtype);
    }
    *plan = (struct cpu_plan){.run = run, .destroy = destroy, .state = self, .cost_guess = 1000};
    plan->address_count = desc->input_count + desc->output_count;
    snprintf(out_plan->path, sizeof out_plan->path, "writes zeros");
    return HALY_OK;
}
