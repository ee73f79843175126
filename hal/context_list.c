/* SPDX-License-Identifier: Apache-2.0 */
/* All live contexts of the process: their names, and faults. */
#include <string.h>

#include "context.h"
#include "short_lock.h"

/* Those that live, and those given up with what they held: leaked on purpose, but where leak checkers and debuggers
 * find them. */
static struct short_lock list_lock = SHORT_LOCK_INIT;
static haly_context *contexts, *abandoned;

/* ---- faults ---- */

/* Faults of devices and backends that only a new process recovers from. Beyond so many, contexts on a device that has
 * failed are left to fail by themselves. */
#define LASTING_MOST 16U

struct lasting_fault {
    haly_error error;
    char backend[33];
    uint32_t device;
};
static struct lasting_fault lasting[LASTING_MOST]; /* under list_lock */
static uint32_t lasting_count;

/* Whether a fault of so wide a scope on one device reaches another one. Instances have device objects of their own. */
static bool reaches(haly_error_scope scope, const char *backend, uint32_t index, const haly_device *device)
{
    return strcmp(backend, device->backend->name) == 0 && (scope == HALY_SCOPE_PROCESS || index == device->spec.index);
}

/* Under list_lock. */
static void latch(haly_context *context, const haly_error *error)
{
    if (atomic_load_explicit(&context->latched, memory_order_relaxed) != 0)
        return;
    context->fault = *error;
    atomic_store_explicit(&context->latched, (uint32_t)error->status, memory_order_release);
}

/* Under list_lock. */
static void keep_lasting(const haly_device *device, const haly_error *error)
{
    if (lasting_count == LASTING_MOST)
        return;
    struct lasting_fault *fault = &lasting[lasting_count++];
    fault->error = *error;
    fault->device = device->spec.index;
    snprintf(fault->backend, sizeof fault->backend, "%s", device->backend->name);
}

/* Under list_lock. */
static const haly_error *find_lasting(const haly_device *device)
{
    for (uint32_t i = 0; i < lasting_count; i++)
        if (reaches(lasting[i].error.scope, lasting[i].backend, lasting[i].device, device))
            return &lasting[i].error;
    return NULL;
}

/* ---- names ---- */

static haly_context *find_named(const haly_instance *instance, const char *name)
{
    for (haly_context *context = contexts; context != NULL; context = (haly_context *)context->object.next)
        if (context->instance == instance && strcmp(context->object.name, name) == 0)
            return context;
    return NULL;
}

/* Under list_lock. */
static haly_status set_name(haly_context *context, const char *name)
{
    const haly_context *holder = name[0] != '\0' ? find_named(context->instance, name) : NULL;
    if (holder != NULL && holder != context)
        return FAIL(HALY_ERR_INVALID, "the name \"%s\" is taken by the context with id %llu", name,
                    (unsigned long long)holder->object.id);
    snprintf(context->object.name, sizeof context->object.name, "%s", name);
    return HALY_OK;
}

haly_status context_rename(haly_context *context, const char *name)
{
    short_lock_acquire_process(&list_lock);
    const haly_status status = set_name(context, name);
    short_lock_release(&list_lock);
    return status;
}

/* ---- the list ---- */

/* Under list_lock. */
static void link_context(haly_context *context)
{
    context->object.next = (struct object *)contexts;
    if (contexts != NULL)
        contexts->object.previous = &context->object;
    contexts = context;
}

haly_status context_enlist(haly_context *context, const char *name)
{
    short_lock_acquire_process(&list_lock);
    const haly_error *fault = find_lasting(context->device);
    const haly_status status = fault != NULL ? error_restore(fault) : set_name(context, name);
    if (status == HALY_OK)
        link_context(context);
    short_lock_release(&list_lock);
    return status;
}

void context_delist(haly_context *context)
{
    short_lock_acquire_process(&list_lock);
    if (context->object.previous != NULL)
        context->object.previous->next = context->object.next;
    else if (contexts == context)
        contexts = (haly_context *)context->object.next;
    if (context->object.next != NULL)
        context->object.next->previous = context->object.previous;
    context->object.previous = context->object.next = NULL;
    short_lock_release(&list_lock);
}

void context_keep_abandoned(haly_context *context)
{
    short_lock_acquire_process(&list_lock);
    context->object.next = (struct object *)abandoned;
    abandoned = context;
    short_lock_release(&list_lock);
}

void context_latch(haly_context *context, const haly_error *error)
{
    const haly_device *device = context->device;
    if (error->scope < HALY_SCOPE_CONTEXT)
        return;
    short_lock_acquire_process(&list_lock);
    latch(context, error);
    if (error->scope > HALY_SCOPE_CONTEXT) {
        for (haly_context *other = contexts; other != NULL; other = (haly_context *)other->object.next)
            if (reaches(error->scope, device->backend->name, device->spec.index, other->device))
                latch(other, error);
        if (error->recovery == HALY_RECOVER_RESTART && find_lasting(device) == NULL)
            keep_lasting(device, error);
    }
    short_lock_release(&list_lock);
}

bool context_latch_abandoned(haly_context *context)
{
    short_lock_acquire_process(&list_lock); /* so that no fault is latched in between */
    const bool is_first = !atomic_exchange(&context->is_abandoned, true);
    atomic_store_explicit(&context->latched, HALY_ERR_ABANDONED, memory_order_release);
    short_lock_release(&list_lock);
    return is_first;
}

haly_status context_check_device(const haly_device *device)
{
    short_lock_acquire_process(&list_lock);
    const haly_error *fault = find_lasting(device);
    const haly_status status = fault != NULL ? error_restore(fault) : HALY_OK;
    short_lock_release(&list_lock);
    return status;
}

void contexts_forked(void)
{
    lasting_count = 0;
}
