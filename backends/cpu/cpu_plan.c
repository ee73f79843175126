/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing an implementation for a plan, and running plans. */
#include "cpu_plan.h"

#include <string.h>

#include "cpu_zero_op.h"
#include "planted.h"

haly_status cpu_plan_create(void *context, void *plan, const haly_op_desc *desc, haly_backend_plan *out_plan)
{
    const struct cpu_context *owner = context;
    struct cpu_plan *self = plan;
    bool is_known = false;
    PLANTED(operator_writes_zeros, if (cpu_zero_op_is_wanted(desc)) return cpu_zero_op_create(self, desc, out_plan));
    for (const struct cpu_implementation *row = cpu_implementations; row->create != NULL; row++) {
        if (strcmp(row->domain, desc->domain) != 0 || strcmp(row->name, desc->name) != 0)
            continue;
        is_known = true;
        *self = (struct cpu_plan){.address_count = desc->input_count + desc->output_count};
        const haly_status status = row->create(owner, self, desc, out_plan);
        if (status == HALY_OK)
            out_plan->workspace_bytes = self->workspace_bytes;
        if (status != HALY_ERR_UNSUPPORTED)
            return status;
    }
    if (is_known)
        return HALY_ERR_UNSUPPORTED; /* with the last one's reason */
    return FAIL(HALY_ERR_UNSUPPORTED, "the cpu backend has no implementation of %s of its own", desc->name);
}

void cpu_plan_destroy(void *plan)
{
    struct cpu_plan *self = plan;
    if (self->destroy != NULL)
        self->destroy(self);
}

haly_status cpu_op_check(const haly_command_op *record)
{
    const struct cpu_plan *plan = record->plan;
    const uint64_t bytes = sizeof *record + ((uint64_t)record->address_count + record->value_count) * 8;
    if (record->head.size < bytes || record->address_count != plan->address_count)
        return FAIL(HALY_ERR_INVALID, "an operator with %u addresses in a record of %u bytes; the plan takes %u",
                    record->address_count, record->head.size, plan->address_count);
    if (record->workspace_bytes < plan->workspace_bytes || (plan->workspace_bytes != 0 && record->workspace == NULL))
        return FAIL(HALY_ERR_INVALID, "%llu bytes of workspace; the plan takes %llu",
                    (unsigned long long)record->workspace_bytes, (unsigned long long)plan->workspace_bytes);
    return HALY_OK;
}

uint64_t cpu_op_cost(const haly_command_op *record)
{
    struct cpu_plan *plan = record->plan;
    return cpu_cost_is_known(&plan->cost) ? cpu_cost_estimate(&plan->cost, 1) : plan->cost_guess;
}

haly_status cpu_op_run(const struct cpu_work *work, const haly_command_op *record, const char **out_text)
{
    struct cpu_plan *plan = record->plan;
    void *const *addresses = (void *const *)(const void *)(record + 1);
    const struct cpu_plan_call call = {.addresses = addresses,
                                       .values = (const int64_t *)(const void *)(addresses + record->address_count),
                                       .value_count = record->value_count,
                                       .workspace = record->workspace};
    const bool is_sample = cpu_cost_wants_sample(&plan->cost);
    const uint64_t begin = is_sample ? cpu_now() : 0;
    const haly_status status = plan->run(plan, work, &call, out_text);
    if (is_sample)
        cpu_cost_sample(&plan->cost, 1, cpu_since(begin));
    return status;
}
