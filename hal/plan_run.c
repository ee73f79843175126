/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running plans. A decode step of a language model comes here hundreds of times, so a run looks each address up, copies
 * the prepared records, fills them in and submits: no lock, and no allocation below SCRATCH_WORDS.
 */
#include <stdlib.h>
#include <string.h>

#include "graph.h"
#include "memory.h"
#include "plan_cache.h"
#include "plan_object.h"
#include "process.h"

#define SCRATCH_WORDS 512

/* Names an address in messages: "Add: input 1 (B)". Made only when something is wrong. */
#define TENSOR_NAME 96
static void tensor_name(const haly_plan *plan, uint32_t address, char name[TENSOR_NAME])
{
    char text[OP_TENSOR_TEXT];
    op_tensor_text(plan->op, plan->slots[address], text);
    snprintf(name, TENSOR_NAME, "%s: %s", plan->op->name, text);
}

static haly_status refuse_address(haly_context *context, const haly_plan *plan, uint32_t index, const void *address)
{
    const struct plan_tensor *tensor = &plan->tensors[index];
    struct memory_view view;
    char name[TENSOR_NAME];
    tensor_name(plan, index, name);
    if (tensor->is_absent)
        return FAIL(HALY_ERR_INVALID, "%s is absent in the plan, and its address is not NULL", name);
    if (address == NULL)
        return FAIL(HALY_ERR_INVALID, "%s is NULL", name);
    if ((uintptr_t)address % tensor->alignment != 0)
        return FAIL(HALY_ERR_INVALID, "%s is at %p, expected a multiple of %u (%s)", name, address, tensor->alignment,
                    haly_dtype_name(plan->descriptions[index].dtype));
    TRY(memory_resolve(context, (const char *)address + tensor->low, tensor->bytes, name, &view));
    if (view.memory_class == HALY_MEMORY_DEVICE)
        return FAIL(HALY_ERR_INVALID, "%s is at %p, device memory of another context", name, address);
    return FAIL(HALY_ERR_INVALID, "%s is at %p, which is not device memory of the context", name, address);
}

static haly_status check_addresses(haly_context *context, const haly_plan *plan, void *const *addresses)
{
    for (uint32_t i = 0; i < plan->info.address_count; i++) {
        const struct plan_tensor *tensor = &plan->tensors[i];
        const char *address = addresses[i];
        struct memory_view view;
        if (tensor->bytes == 0) {
            if (UNLIKELY(tensor->is_absent && address != NULL))
                return refuse_address(context, plan, i, address);
            continue;
        }
        if (UNLIKELY(address == NULL || ((uintptr_t)address & (tensor->alignment - 1)) != 0 ||
                     memory_resolve(context, address + tensor->low, tensor->bytes, plan->op->tensors[plan->slots[i]],
                                    &view) != HALY_OK ||
                     !memory_is_usable(context, &view)))
            return refuse_address(context, plan, i, address);
    }
    return HALY_OK;
}

static haly_status refuse_overlap(const haly_plan *plan, uint32_t written, uint32_t other)
{
    char name[TENSOR_NAME], text[OP_TENSOR_TEXT];
    tensor_name(plan, written, name);
    op_tensor_text(plan->op, plan->slots[other], text);
    return FAIL(HALY_ERR_INVALID, "%s overlaps %s; %s", name, text,
                (plan->op->exact_alias[0] | plan->op->exact_alias[1]) != 0
                    ? "expected apart, or exactly the same where the operator allows it"
                    : "expected apart");
}

/* Slow path: the extents of two tensors overlap, one of them written. */
static haly_status check_pair(const haly_plan *plan, void *const *addresses, uint32_t written, uint32_t other)
{
    if ((plan->tensors[written].exact >> other & 1) != 0 && addresses[written] == addresses[other])
        return HALY_OK;
    if (tensor_is_disjoint(&plan->descriptions[written], (uintptr_t)addresses[written], &plan->descriptions[other],
                           (uintptr_t)addresses[other]))
        return HALY_OK;
    return refuse_overlap(plan, written, other);
}

static haly_status check_overlaps(const haly_plan *plan, void *const *addresses)
{
    const struct plan_tensor *tensors = plan->tensors;
    for (uint32_t i = 0; i < plan->info.address_count; i++) {
        if (!tensors[i].is_written || tensors[i].bytes == 0)
            continue;
        const uintptr_t start = (uintptr_t)addresses[i] + (uintptr_t)tensors[i].low;
        for (uint32_t j = 0; j < plan->info.address_count; j++) {
            const uintptr_t other = (uintptr_t)addresses[j] + (uintptr_t)tensors[j].low;
            if (j == i || tensors[j].bytes == 0 || start >= other + tensors[j].bytes ||
                other >= start + tensors[i].bytes)
                continue;
            TRY(check_pair(plan, addresses, i, j));
        }
    }
    return HALY_OK;
}

/* Which launches do: those for one value, unless values differ. */
static haly_status check_values(const haly_plan *plan, const int64_t *values, uint32_t count, bool *out_differ)
{
    const uint32_t expected = plan->info.value_count;
    *out_differ = false;
    if (LIKELY(expected == 0 && count == 0))
        return HALY_OK;
    if (count != expected && !(count == 1 && expected > 0))
        return FAIL(HALY_ERR_INVALID, "%s takes %u host values%s, and %u are given", plan->op->name, expected,
                    expected > 1 ? ", or one for all" : "", count);
    if (values == NULL)
        return FAIL(HALY_ERR_INVALID, "%s: the host values are NULL", plan->op->name);
    for (uint32_t i = 0; i < count; i++) {
        if (values[i] < 0 || values[i] > plan->value_limit)
            return FAIL(HALY_ERR_INVALID,
                        "%s: host value %u (past) is %lld, expected 0 .. %lld so that the new rows fit into the cache",
                        plan->op->name, i, (long long)values[i], (long long)plan->value_limit);
        *out_differ = *out_differ || values[i] != values[0];
    }
    return HALY_OK;
}

static haly_status run_lowered(haly_stream *stream, const struct launch_set *set, void *const *addresses,
                               const int64_t *values)
{
    uint64_t scratch[SCRATCH_WORDS];
    unsigned char *records = (unsigned char *)scratch;
    if (UNLIKELY(set->bytes > sizeof scratch)) {
        records = malloc(set->bytes);
        if (records == NULL)
            return fail_host_oom("the commands of a plan", set->bytes);
    }
    memcpy(records, set->records, set->bytes);
    for (uint32_t i = 0; i < set->address_count; i++) {
        const struct address_patch *patch = &set->addresses[i];
        const uintptr_t address = (uintptr_t)addresses[patch->address] + (uintptr_t)patch->bytes;
        memcpy(records + patch->offset, &address, sizeof address);
    }
    for (uint32_t i = 0; i < set->value_count; i++) {
        const struct value_patch *patch = &set->values[i];
        const int64_t value = values[patch->value] + patch->addend;
        memcpy(records + patch->offset, &value, sizeof value);
    }
    const haly_status status = stream_submit(stream, records, set->bytes, set->count);
    if (UNLIKELY(records != (unsigned char *)scratch))
        free(records);
    return status;
}

/* One op record: the plan, its addresses, then its host values, one for each sequence. */
static haly_status submit_op(haly_stream *stream, haly_plan *plan, void *const *addresses, const int64_t *values,
                             uint32_t value_count, void *workspace)
{
    uint64_t scratch[SCRATCH_WORDS];
    haly_command_op *op = (haly_command_op *)scratch;
    const uint32_t address_count = plan->info.address_count;
    const uint64_t bytes = sizeof *op + 8 * ((uint64_t)address_count + plan->info.value_count);
    if (UNLIKELY(bytes > sizeof scratch)) {
        op = malloc(bytes);
        if (op == NULL)
            return fail_host_oom("the command of a plan", bytes);
    }
    *op = (haly_command_op){.head = {.size = (uint32_t)bytes, .kind = HALY_COMMAND_OP},
                            .plan = plan,
                            .workspace = workspace,
                            .workspace_bytes = plan->info.workspace_bytes,
                            .address_count = address_count,
                            .value_count = plan->info.value_count};
    void **at = (void **)(op + 1);
    for (uint32_t i = 0; i < address_count; i++)
        at[i] = plan->tensors[i].bytes == 0 ? NULL : addresses[i];
    int64_t *value = (int64_t *)(at + address_count);
    for (uint32_t i = 0; i < plan->info.value_count; i++)
        value[i] = values[value_count == 1 ? 0 : i];
    const haly_status status = stream_submit(stream, op, bytes, 1);
    if (UNLIKELY((uint64_t *)op != scratch))
        free(op);
    return status;
}

static haly_status run_native(haly_stream *stream, haly_plan *plan, void *const *addresses, const int64_t *values,
                              uint32_t value_count)
{
    haly_context *context = stream->object.context;
    void *workspace = NULL;
    if (plan->info.workspace_bytes == 0)
        return submit_op(stream, plan, addresses, values, value_count, NULL);
    if (UNLIKELY(stream_is_capturing(stream))) { /* every replay writes to it: it is the graph's */
        TRY(capture_workspace(stream, plan->info.workspace_bytes, &workspace));
        const haly_status status = submit_op(stream, plan, addresses, values, value_count, workspace);
        capture_workspace_end(stream, workspace);
        return status;
    }
    TRY(memory_alloc_ordered(context, stream->timeline, plan->info.workspace_bytes, &workspace));
    const haly_status status = submit_op(stream, plan, addresses, values, value_count, workspace);
    memory_free_ordered(context, stream->timeline, workspace);
    return status;
}

static haly_status queue_run(haly_stream *stream, haly_plan *plan, void *const *addresses, const int64_t *values,
                             uint32_t value_count, bool differ)
{
    const struct launch_set *set = differ ? &plan->each : &plan->same;
    if (UNLIKELY(plan->queues_nothing || (plan->block == NULL && set->count == 0)))
        return stream_submit_nothing(stream, HALY_COMMAND_OP, plan);
    if (plan->block != NULL)
        return run_native(stream, plan, addresses, values, value_count);
    return run_lowered(stream, set, addresses, values);
}

haly_status plan_run(haly_stream *stream, haly_plan *plan, void *const *addresses, const int64_t *values,
                     uint32_t value_count)
{
    bool differ;
    TRY(check_values(plan, values, value_count, &differ));
    TRY(check_addresses(stream->object.context, plan, addresses));
    TRY(check_overlaps(plan, addresses));
    if (LIKELY(!stream_is_watched(stream)))
        return queue_run(stream, plan, addresses, values, value_count, differ);
    const struct operator_run run = {plan, addresses};
    stream->running = &run;
    const haly_status status = queue_run(stream, plan, addresses, values, value_count, differ);
    stream->running = NULL;
    return status;
}

haly_status haly_plan_run(haly_stream *stream, haly_plan *plan, void *const *addresses, uint32_t address_count,
                          const int64_t *values, uint32_t value_count)
{
    ENTRY_STREAM(stream);
    ENTRY(plan, HALY_OBJECT_PLAN);
    TRY(check_same_context(plan, stream));
    if (UNLIKELY(address_count != plan->info.address_count))
        return FAIL(HALY_ERR_INVALID, "%s takes %u addresses (inputs, then outputs), and %u are given", plan->op->name,
                    plan->info.address_count, address_count);
    REQUIRE(addresses);
    TRY(plan_run(stream, plan, addresses, values, value_count));
    return HALY_OK;
}

/* The plan of a description: from the cache, or made and kept there. One reference. */
static haly_status eager_plan(haly_stream *stream, struct op_call *call, haly_plan **out_plan)
{
    haly_context *context = stream->object.context;
    struct plan_key key;
    const bool is_keepable = plan_key_make(call, &key);
    haly_plan *plan = is_keepable ? plan_cache_find(context->plans, &key) : NULL;
    if (plan == NULL) {
        PUT_OFF_CANCELLATION();
        TRY(op_call_check(call));
        if (UNLIKELY(stream_is_capturing(stream)))
            return FAIL(
                HALY_ERR_CAPTURING,
                "%s has no plan for these tensors yet, and none is made while the stream is captured: run it once "
                "before, or create a plan; the capture stays valid",
                call->desc.name);
        TRY(plan_make(context, call, &plan));
        if (is_keepable)
            plan_cache_put(context->plans, &key, plan);
    }
    *out_plan = plan;
    return HALY_OK;
}

haly_status haly_op_run(haly_stream *stream, const haly_op_desc *desc)
{
    struct op_call call;
    haly_plan *plan = NULL;
    void *addresses[OP_TENSORS] = {NULL};
    ENTRY_STREAM(stream);
    REQUIRE(desc);
    TRY(op_call_take(desc, &call));
    const int64_t *values = call.desc.host_values;
    const uint32_t value_count = call.desc.value_count;
    for (uint32_t i = 0; i < call.desc.input_count; i++)
        addresses[i] = call.inputs[i].dtype != HALY_DTYPE_NONE ? call.inputs[i].data : NULL;
    for (uint32_t i = 0; i < call.desc.output_count; i++)
        addresses[call.desc.input_count + i] = call.outputs[i].data;
    TRY(eager_plan(stream, &call, &plan));
    const haly_status status = plan_run(stream, plan, addresses, values, value_count);
    haly_plan_release(plan);
    TRY(status);
    return HALY_OK;
}
