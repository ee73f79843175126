/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, latching and ending contexts. */
#include "context.h"

#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "check.h"
#include "event.h"
#include "graph.h"
#include "kernel.h"
#include "layers/layers.h"
#include "memory.h"
#include "param.h"
#include "plan.h"
#include "process.h"
#include "retire.h"
#include "service.h"
#include "stream.h"
#include "timeline.h"

haly_status context_check(haly_context *context)
{
    if (LIKELY(atomic_load_explicit(&context->latched, memory_order_acquire) == 0))
        return HALY_OK;
    const haly_error fault = context_fault(context);
    return error_restore(&fault);
}

haly_error context_fault(const haly_context *context)
{
    if (!context_is_abandoned(context))
        return context->fault;
    return (haly_error){HALY_ERROR_INIT, .status = HALY_ERR_ABANDONED, .scope = HALY_SCOPE_CONTEXT,
                        .recovery = HALY_RECOVER_RECREATE, .message = "the context was abandoned"};
}

haly_status context_failure_note(haly_context *context, uint64_t serial_before, haly_status status)
{
    backend_failure_note(context->device->backend->name, serial_before, status);
    context_latch(context, error_detail());
    return status;
}

static bool addresses_are_native(const haly_device *device, uint32_t flags)
{
    const uint64_t wanted =
        HALY_CAP_NATIVE_ADDRESSES | ((flags & HALY_CONTEXT_MOVABLE) != 0 ? (uint64_t)HALY_CAP_PLACEMENT : 0U);
    return (device->spec.capabilities & wanted) == wanted;
}

static haly_status context_allocate(haly_instance *instance, haly_device *device, uint32_t flags,
                                    haly_context **out_context)
{
    const haly_backend_table *backend = &device->backend->table;
    haly_context *context = calloc(1, sizeof *context);
    if (context == NULL)
        return fail_host_oom("a context", sizeof *context);
    context->block = block_create(backend->context_size);
    if (context->block == NULL) {
        free(context); /* not an object yet */
        return fail_host_oom("a backend's context", backend->context_size);
    }
    object_init(&context->object, HALY_OBJECT_CONTEXT, context);
    context->instance = instance;
    context->device = device;
    context->backend = backend;
    context->flags = flags;
    context->native_addresses = addresses_are_native(device, flags);
    context->layers = instance->layers;
    context->fault = (haly_error){HALY_ERROR_INIT};
    pthread_mutex_init(&context->lock, NULL);
    *out_context = context;
    return HALY_OK;
}

static void context_free(haly_context *context)
{
    haly_instance *instance = context->instance;
    if (context->object.kind != 0) /* never opened */
        object_end(&context->object);
    pthread_mutex_destroy(&context->lock);
    block_destroy(context->block);
    object_free(&context->object);
    instance_leave(instance);
}

/* The backend may read its parameters: they are this instance's meanwhile. */
static haly_status open_backend(haly_context *context, const haly_context_desc *desc)
{
    const haly_backend_context_desc backend_desc = {sizeof backend_desc, desc->flags, desc->ext};
    const uint64_t serial = error_serial();
    const struct params *scope = param_scope(instance_params(context->instance));
    const haly_status status = context->backend->context_open(context->device->block, context->block, &backend_desc);
    param_scope(scope);
    return status == HALY_OK ? HALY_OK : context_failed(context, serial, status);
}

static haly_status context_start(haly_context *context, const haly_context_desc *desc)
{
    TRY(open_backend(context, desc));
    haly_status status = memory_open(context, desc->memory_limit, desc->window_bytes);
    if (status != HALY_OK)
        goto err_context;
    status = plans_open(context);
    if (status != HALY_OK)
        goto err_memory;
    status = context_enlist(context, desc->name != NULL ? desc->name : "");
    if (status != HALY_OK)
        goto err_plans;
    return HALY_OK;

err_plans:
    plans_close(context);
err_memory:
    memory_close(context);
err_context:
    context->backend->context_close(context->block);
    return status;
}

haly_status haly_context_open(haly_instance *instance, const haly_context_desc *desc, haly_context **out_context)
{
    PUT_OFF_CANCELLATION();
    haly_context_desc checked;
    haly_context *context = NULL;
    ENTRY(instance, HALY_OBJECT_INSTANCE);
    REQUIRE(out_context);
    TRY(CHECK_INPUT(desc, haly_context_desc, ext, &checked));
    TRY(check_name(checked.name));
    TRY(check_unknown(checked.flags, HALY_CONTEXT_MOVABLE, 0, "haly_context_desc"));
    TRY(check_ext(checked.ext, "haly_context_desc"));
    if (checked.memory_limit != 0 && checked.memory_limit < MEMORY_LIMIT_LEAST)
        return FAIL(HALY_ERR_INVALID, "haly_context_desc.memory_limit is %llu bytes, expected 0 or at least 2 MiB",
                    (unsigned long long)checked.memory_limit);
    if (checked.device == NULL)
        TRY(device_default(instance, &checked.device));
    ENTRY(checked.device, HALY_OBJECT_DEVICE);
    if (checked.device->instance != instance)
        return FAIL(HALY_ERR_INVALID, "haly_context_desc.device belongs to another instance");
    TRY(context_check_device(checked.device));
    TRY(context_allocate(instance, checked.device, checked.flags, &context));
    instance_join(instance);
    const haly_status status = context_start(context, &checked);
    if (status != HALY_OK) {
        context_free(context);
        return HAND_ON(status);
    }
    if (context->layers != NULL)
        layers_context_opened(context);
    *out_context = context;
    return HALY_OK;
}

void haly_context_retain(haly_context *context)
{
    object_retain(context, HALY_OBJECT_CONTEXT);
}

/* Takes the first object of what was a kind out of the context; NULL when there is none left. */
static struct object *take_first(haly_context *context, uint32_t kind)
{
    pthread_mutex_lock(&context->lock);
    struct object *object = context->objects;
    while (object != NULL && object->last_kind != kind)
        object = object->next;
    pthread_mutex_unlock(&context->lock);
    if (object != NULL)
        object_unpublish(object);
    return object;
}

/* Captures hold what comes before streams in the order of ending. */
static void discard_captures(haly_context *context)
{
    for (struct object *object = context->objects; object != NULL; object = object->next)
        if (object->last_kind == HALY_OBJECT_STREAM)
            capture_discard((haly_stream *)object);
}

/* Everything is idle: ends what is left, users before what they use. */
static void context_finish(struct object *object)
{
    haly_context *context = (haly_context *)object;
    static const struct {
        uint32_t kind;
        void (*destroy)(struct object *object);
    } order[] = {
        {HALY_OBJECT_GRAPH, graph_destroy},   {HALY_OBJECT_PLAN, plan_destroy},
        {HALY_OBJECT_EVENT, event_destroy},   {HALY_OBJECT_STREAM, stream_destroy},
        {HALY_OBJECT_KERNEL, kernel_destroy}, {HALY_OBJECT_MODULE, module_destroy},
    };
    service_end(context);
    discard_captures(context);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        if (order[i].kind == HALY_OBJECT_KERNEL)
            plans_close(context);
        for (struct object *child; (child = take_first(context, order[i].kind)) != NULL;)
            order[i].destroy(child);
    }
    if (context->layers != NULL)
        layers_context_closed(context);
    events_close(context);
    memory_close(context);
    context->backend->context_close(context->block);
    context_free(context);
}

static void context_destroy(struct object *object)
{
    haly_context *context = (haly_context *)object;
    if (context->layers != NULL)
        layers_context_released(context);
    context_delist(context);
    object_end(object);
    objects_bury(context); /* nothing may be submitted that its end does not wait for */
    if (!context_is_abandoned(context)) {
        retire_context(context, context_finish);
        return;
    }
    context_keep_abandoned(context); /* whole: the device's threads may still look at it */
}

void haly_context_release(haly_context *context)
{
    PUT_OFF_CANCELLATION();
    object_release(context, HALY_OBJECT_CONTEXT, context_destroy);
}

haly_status haly_context_abandon(haly_context *context)
{
    PUT_OFF_CANCELLATION();
    ENTRY(context, HALY_OBJECT_CONTEXT);
    if (!context_latch_abandoned(context))
        return HALY_OK;
    service_wake(context);
    context->backend->context_abandon(context->block);
    return HALY_OK;
}

/* Waits for all points, unless the time is up; the first failure among them. */
static haly_status wait_for_all(const struct timeline_point *points, uint32_t count, uint64_t moment)
{
    haly_status status = HALY_OK, failure = HALY_OK;
    for (uint32_t i = count; i > 0 && status == HALY_OK; i--) {
        struct timeline *timeline = points[i - 1].timeline;
        status = timeline_wait(timeline, points[i - 1].sequence, process_remaining(moment));
        if (status == HALY_OK && timeline->context->layers != NULL)
            layers_host_saw(timeline);
        if (status == HALY_OK && failure == HALY_OK)
            failure = timeline_status(timeline, UINT64_MAX);
    }
    return status != HALY_OK ? status : failure;
}

haly_status haly_context_sync(haly_context *context, uint64_t deadline)
{
    ENTRY_LIVE(context, HALY_OBJECT_CONTEXT, context);
    LAYERS_WATCH(context);
    const uint64_t moment = process_deadline(deadline);
    struct timeline_point *points;
    uint32_t count;
    TRY(timelines_take(context, &points, &count));
    const haly_status status = wait_for_all(points, count, moment);
    timelines_give(points, count);
    if (status == HALY_TIMEOUT)
        return FAIL(HALY_TIMEOUT, "the context's streams were not idle within %llu ns", (unsigned long long)deadline);
    TRY(status);
    return HALY_OK;
}

haly_status haly_context_info_get(haly_context *context, haly_context_info *out_info)
{
    ENTRY(context, HALY_OBJECT_CONTEXT);
    haly_context_info info = {HALY_CONTEXT_INFO_INIT,
                              .flags = context->flags,
                              .id = context->object.id,
                              .device = context->device,
                              .name = context->object.name,
                              .status = (haly_status)context->latched,
                              .addresses_are_native = context->native_addresses};
    memory_window(context, &info.window_base, &info.window_bytes);
    TRY(CHECK_OUTPUT(out_info, haly_context_info, window_bytes, &info));
    return HALY_OK;
}
