/* SPDX-License-Identifier: Apache-2.0 */
/* Handing out native handles. */
#include <halyard/interop.h>

#include <stdio.h>

#include "check.h"
#include "event.h"
#include "kernel.h"
#include "layers/layers.h"

static void *block_of_event(haly_event *event)
{
    short_lock_acquire(&event->lock);
    void *block = event->latest != NULL ? event->latest->block : NULL;
    short_lock_release(&event->lock);
    return block;
}

/* The private block behind an object; NULL for a never-recorded event. */
static void *block_of(struct object *object)
{
    switch ((uint32_t)object->kind) {
    case HALY_OBJECT_CONTEXT:
        return ((const haly_context *)object)->block;
    case HALY_OBJECT_STREAM:
        return ((const haly_stream *)object)->block;
    case HALY_OBJECT_EVENT:
        return block_of_event((haly_event *)object);
    case HALY_OBJECT_MODULE:
        return ((const haly_module *)object)->block;
    case HALY_OBJECT_KERNEL:
        return ((const haly_kernel *)object)->block;
    default:
        return NULL;
    }
}

haly_status haly_native_get(void *object, haly_native *out_native)
{
    struct object *head = object;
    haly_native native = {HALY_NATIVE_INIT};
    REQUIRE(object);
    REQUIRE(out_native);
    TRY(object_examine_any(__func__, object));
    const uint32_t kind = head->kind;
    const bool has_block = kind == HALY_OBJECT_CONTEXT || kind == HALY_OBJECT_STREAM || kind == HALY_OBJECT_EVENT ||
                           kind == HALY_OBJECT_MODULE || kind == HALY_OBJECT_KERNEL;
    if (!has_block)
        return FAIL(HALY_ERR_INVALID, "expected a context, stream, event, module or kernel, found another kind: %s",
                    object_kind_name(kind));
    haly_context *context = head->context;
    TRY(context_check(context));
    if ((context->flags & HALY_CONTEXT_MOVABLE) != 0)
        return FAIL(HALY_ERR_UNSUPPORTED, "the context is movable: a native handle would pin it to backend \"%s\"",
                    context->device->backend->name);
    void *block = block_of(head);
    if (block == NULL)
        return FAIL(HALY_ERR_UNSUPPORTED, "the event was never recorded, so it has no native event yet");
    TRY_CONTEXT(context, context->backend->native_get((haly_object_kind)kind, block, &native));
    if (kind == HALY_OBJECT_STREAM)
        TRY(stream_give_out(object));
    snprintf(native.backend, sizeof native.backend, "%.31s", context->device->backend->name);
    if (context->layers != NULL)
        layers_went_native(head);
    TRY(CHECK_OUTPUT(out_native, haly_native, value, &native));
    return HALY_OK;
}
