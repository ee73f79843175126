/* SPDX-License-Identifier: Apache-2.0 */
/* Creating plans: the backend's own implementation where it has one, else launches of the portable kernels. */
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "check.h"
#include "memory.h"
#include "plan_cache.h"
#include "plan_object.h"
#include "process.h"
#include "retire.h"

static haly_status check_storage(haly_context *context, const struct op_call *call)
{
    const haly_device_spec *spec = &context->device->spec;
    for (uint32_t slot = 0; slot < OP_TENSORS; slot++) {
        const haly_dtype dtype = op_tensor(call, slot)->dtype;
        if (dtype != HALY_DTYPE_NONE && !dtype_in(dtype, spec->storage_dtypes))
            return FAIL_TENSOR(call, HALY_ERR_UNSUPPORTED, slot, "is %s, which device %s:%u (%s) does not store",
                               haly_dtype_name(dtype), spec->backend, spec->index, spec->name);
    }
    return HALY_OK;
}

static void describe_tensor(haly_plan *plan, const struct op_call *call, uint32_t address, uint32_t slot)
{
    const haly_tensor *tensor = op_tensor(call, slot);
    const struct tensor_extent *extent = &call->extents[slot];
    const bool is_output = slot >= OP_INPUTS;
    plan->slots[address] = (uint8_t)slot;
    plan->descriptions[address] = *tensor;
    struct plan_tensor *own = &plan->tensors[address];
    own->low = extent->low;
    own->bytes = (uint64_t)(extent->high - extent->low);
    own->alignment = tensor->dtype == HALY_DTYPE_NONE ? 1 : dtype_alignment(tensor->dtype);
    own->is_written = is_output || (call->op->in_place >> slot & 1) != 0;
    own->is_absent = tensor->dtype == HALY_DTYPE_NONE;
    for (uint32_t input = 0; is_output && input < call->desc.input_count; input++)
        if ((call->op->exact_alias[slot - OP_INPUTS] >> input & 1) != 0 &&
            tensor_same_layout(tensor, &call->inputs[input]))
            own->exact |= 1U << input;
}

static void describe(haly_plan *plan, const struct op_call *call)
{
    const haly_op_desc *desc = &call->desc;
    plan->op = call->op;
    plan->value_limit = call->value_limit;
    plan->queues_nothing = true;
    for (uint32_t i = 0; i < desc->input_count; i++) {
        describe_tensor(plan, call, i, i);
        plan->queues_nothing = plan->queues_nothing && !(plan->tensors[i].is_written && plan->tensors[i].bytes > 0);
    }
    for (uint32_t i = 0; i < desc->output_count; i++) {
        describe_tensor(plan, call, desc->input_count + i, OP_OUTPUT(i));
        plan->queues_nothing = plan->queues_nothing && plan->tensors[desc->input_count + i].bytes == 0;
    }
    plan->info = (haly_plan_info){HALY_PLAN_INFO_INIT, .address_count = desc->input_count + desc->output_count,
                                  .value_count = call->value_count, .version = desc->version};
}

static haly_status lower_once(haly_context *context, const struct op_call *call, haly_plan *plan, bool value_for_each)
{
    struct lowering lowering = {.call = call,
                                .context = context,
                                .set = value_for_each ? &plan->each : &plan->same,
                                .value_for_each = value_for_each,
                                .path = plan->info.path};
    return call->op->lower(&lowering);
}

static haly_status make_lowered(haly_context *context, const struct op_call *call, haly_plan *plan)
{
    plan->info.lowered = 1;
    if (!plan->queues_nothing)
        TRY(lower_once(context, call, plan, false));
    if (!plan->queues_nothing && call->value_count > 1)
        TRY(lower_once(context, call, plan, true));
    if (plan->same.count == 0)
        snprintf(plan->info.path, sizeof plan->info.path, "nothing to do");
    plan->info.command_count = plan->same.count;
    return HALY_OK;
}

/* UNSUPPORTED, with the backend's reason as the detail, when it has no implementation. */
static haly_status make_native(haly_context *context, const struct op_call *call, haly_plan *plan)
{
    const haly_backend_table *backend = context->backend;
    haly_backend_plan made = {.struct_size = sizeof made};
    void *block = block_create(backend->plan_size);
    if (block == NULL)
        return fail_host_oom("a backend's plan", backend->plan_size);
    const uint64_t serial = error_serial();
    const haly_status status = backend->plan_create(context->block, block, &call->desc, &made);
    if (status != HALY_OK) {
        block_destroy(block);
        return context_failed(context, serial, status);
    }
    plan->block = block;
    plan->info.workspace_bytes = made.workspace_bytes;
    plan->info.command_count = plan->queues_nothing ? 0 : 1;
    made.path[sizeof made.path - 1] = '\0';
    snprintf(plan->info.path, sizeof plan->info.path, "%.32s/%.60s", context->device->backend->name, made.path);
    return HALY_OK;
}

static haly_status make_either(haly_context *context, const struct op_call *call, haly_plan *plan)
{
    char native[256] = "";
    if ((call->desc.flags & HALY_OP_LOWERED) == 0) {
        const haly_status status = make_native(context, call, plan);
        if (status != HALY_ERR_UNSUPPORTED || (call->desc.flags & HALY_OP_NATIVE) != 0)
            return status;
        snprintf(native, sizeof native, "%.255s", error_detail()->message);
    }
    const haly_status status = make_lowered(context, call, plan);
    if (status != HALY_ERR_UNSUPPORTED || native[0] == '\0')
        return status;
    char lowered[256];
    snprintf(lowered, sizeof lowered, "%.255s", error_detail()->message);
    return FAIL(HALY_ERR_UNSUPPORTED, "%s: %s; and backend \"%s\" of its own: %s", call->op->name, lowered,
                context->device->backend->name, native);
}

haly_status plan_make(haly_context *context, struct op_call *call, haly_plan **out_plan)
{
    TRY(check_storage(context, call));
    haly_plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL)
        return fail_host_oom("a plan", sizeof *plan);
    object_init(&plan->object, HALY_OBJECT_PLAN, context);
    describe(plan, call);
    const haly_status status = make_either(context, call, plan);
    if (status != HALY_OK) {
        plan_destroy(&plan->object);
        return status;
    }
    *out_plan = plan;
    return HALY_OK;
}

haly_status haly_plan_create(haly_context *context, const haly_op_desc *desc, haly_plan **out_plan)
{
    PUT_OFF_CANCELLATION();
    struct op_call call;
    haly_plan *plan = NULL;
    ENTRY_LIVE(context, HALY_OBJECT_CONTEXT, context);
    REQUIRE(desc);
    REQUIRE(out_plan);
    TRY(op_call_make(desc, &call));
    TRY(plan_make(context, &call, &plan));
    object_publish(&plan->object, NULL); /* without a name it cannot fail */
    *out_plan = plan;
    return HALY_OK;
}

haly_status haly_op_supported(haly_context *context, const haly_op_desc *desc, haly_plan_info *out_info)
{
    PUT_OFF_CANCELLATION();
    struct op_call call;
    haly_plan *plan = NULL;
    ENTRY_LIVE(context, HALY_OBJECT_CONTEXT, context);
    REQUIRE(desc);
    TRY(op_call_make(desc, &call));
    TRY(plan_make(context, &call, &plan));
    const haly_status status = out_info == NULL ? HALY_OK : haly_plan_info_get(plan, out_info);
    if (plan != NULL)
        plan_destroy(&plan->object); /* nobody else has seen it */
    TRY(status);
    return HALY_OK;
}

haly_status haly_plan_info_get(haly_plan *plan, haly_plan_info *out_info)
{
    ENTRY(plan, HALY_OBJECT_PLAN);
    TRY(CHECK_OUTPUT(out_info, haly_plan_info, path, &plan->info));
    return HALY_OK;
}

void plan_describe(const haly_plan *plan, char *name, size_t name_size, char *path, size_t path_size)
{
    snprintf(name, name_size, "%s", plan->op->name);
    snprintf(path, path_size, "%s", plan->info.path);
}

void *plan_block(haly_plan *plan)
{
    return plan->block;
}

void plan_destroy(struct object *object)
{
    haly_plan *plan = (haly_plan *)object;
    if (plan->block != NULL && !context_is_abandoned(object->context)) { /* else leaked, as promised there */
        object->context->backend->plan_destroy(plan->block);
        block_destroy(plan->block);
    }
    launch_set_free(&plan->same);
    launch_set_free(&plan->each);
    object_free(&plan->object);
}

void haly_plan_retain(haly_plan *plan)
{
    object_retain(plan, HALY_OBJECT_PLAN);
}

static void plan_end(struct object *object)
{
    object_unpublish(object);
    if (((haly_plan *)object)->block != NULL)
        retire(object, plan_destroy);
    else
        plan_destroy(object); /* its commands are copies, and their kernels stay as long as the context */
}

void haly_plan_release(haly_plan *plan)
{
    PUT_OFF_CANCELLATION();
    object_release(plan, HALY_OBJECT_PLAN, plan_end);
}
