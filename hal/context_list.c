/* SPDX-License-Identifier: Apache-2.0 */
/* All live contexts of the process: their names, and faults. */
#include <string.h>

#include "context.h"
#include "short_lock.h"

/* Those that live, and those given up with what they held: leaked on purpose, but where leak checkers and debuggers
 * find them. */
static struct short_lock list_lock = SHORT_LOCK_INIT;
static haly_context *contexts, *abandoned;

static haly_context *find_named(const haly_instance *instance, const char *name)
{
    for (haly_context *context = contexts; context != NULL; context = (haly_context *)context->object.next)
        if (context->instance == instance && strcmp(context->object.name, name) == 0)
            return context;
    return NULL;
}

haly_status context_rename(haly_context *context, const char *name)
{
    haly_status status = HALY_OK;
    short_lock_acquire_process(&list_lock);
    const haly_context *holder = name[0] != '\0' ? find_named(context->instance, name) : NULL;
    if (holder != NULL && holder != context)
        status = FAIL(HALY_ERR_INVALID, "the name \"%s\" is taken by the context with id %llu", name,
                      (unsigned long long)holder->object.id);
    else
        snprintf(context->object.name, sizeof context->object.name, "%s", name);
    short_lock_release(&list_lock);
    return status;
}

void context_enlist(haly_context *context)
{
    short_lock_acquire_process(&list_lock);
    context->object.next = (struct object *)contexts;
    if (contexts != NULL)
        contexts->object.previous = &context->object;
    contexts = context;
    short_lock_release(&list_lock);
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
    if (error->scope < HALY_SCOPE_CONTEXT)
        return;
    pthread_mutex_lock(&context->lock);
    if (context->latched == 0) {
        context->fault = *error;
        atomic_store_explicit(&context->latched, (uint32_t)error->status, memory_order_release);
    }
    pthread_mutex_unlock(&context->lock);
}
