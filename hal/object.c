/* SPDX-License-Identifier: Apache-2.0 */
/* References, ids, names and liveness of every object. */
#include "object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "context.h"
#include "layers/validate_handle.h"
#include "process.h"

_Atomic uintptr_t object_limit = UINTPTR_MAX;

static _Atomic uint64_t last_id;

const char *object_kind_name(uint32_t kind)
{
    static const char *const names[] = {"object", "instance", "device", "context", "stream",      "event",
                                        "module", "kernel",   "plan",   "graph",   "communicator"};
    return kind < sizeof names / sizeof *names ? names[kind] : names[OBJECT_ANY];
}

/* "an event" */
static const char *with_article(uint32_t kind, char out[32])
{
    const char *name = object_kind_name(kind);
    snprintf(out, 32, "%s %s", strchr("aeiou", name[0]) != NULL ? "an" : "a", name);
    return out;
}

/* Why a handle is of no use. Of one that was released for good this is a guess: its memory may be anybody's by now. */
static haly_status refuse(const char *function, const void *handle, uint32_t kind)
{
    const char *wanted = object_kind_name(kind);
    const struct object *object = handle;
    const uint32_t found = object != NULL ? atomic_load(&object->kind) : OBJECT_ANY;
    char wanted_text[32], found_text[32];
    haly_status status = HALY_ERR_INVALID;
    char why[128];
    if (process_is_shutting_down()) {
        status = HALY_ERR_SHUTTING_DOWN;
        snprintf(why, sizeof why, "haly_shutdown() was called");
    } else if (object == NULL) {
        snprintf(why, sizeof why, "the %s is NULL", wanted);
    } else if (object_kind_name(found) == object_kind_name(OBJECT_ANY)) {
        snprintf(why, sizeof why, "expected %s, found what is no live object of Halyard's: released already?",
                 with_article(kind, wanted_text));
    } else if (found != kind && kind != OBJECT_ANY) {
        snprintf(why, sizeof why, "expected %s, found %s", with_article(kind, wanted_text),
                 with_article(found, found_text));
    } else {
        status = HALY_ERR_FORKED;
        snprintf(why, sizeof why, "the %s was made before fork(); create a new instance in the child", wanted);
    }
    return error_set(function, status, HALY_SCOPE_CALL, HALY_RECOVER_NONE, 0, NULL, "%s", why);
}

haly_status object_examine(const char *function, const void *handle, uint32_t kind)
{
    if (!handles_are_listed() || handle == NULL)
        return refuse(function, handle, kind);
    TRY(validate_handle(function, handle));
    return object_is_sound(handle, kind) ? HALY_OK : refuse(function, handle, kind);
}

haly_status object_examine_any(const char *function, const void *handle)
{
    const struct object *object = handle;
    if (handles_are_listed())
        TRY(validate_handle(function, handle));
    const uint32_t kind = object->kind;
    if (object_kind_name(kind) != object_kind_name(OBJECT_ANY) && object_is_sound(object, kind))
        return HALY_OK;
    return refuse(function, handle, OBJECT_ANY);
}

uint32_t object_kind(const void *handle)
{
    const struct object *object = handle;
    if (object == NULL || (handles_are_listed() && !handle_is_live(handle)))
        return 0;
    return object->generation == process_current_generation() ? object->kind : 0;
}

void object_init(struct object *object, haly_object_kind kind, haly_context *context)
{
    memset(object, 0, sizeof *object);
    object->generation = process_current_generation();
    object->references = 1;
    object->id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
    object->context = context;
    atomic_store_explicit(&object->kind, (uint32_t)kind, memory_order_release);
    if (UNLIKELY(handles_are_listed()))
        handles_add(object);
}

void object_end(struct object *object)
{
    atomic_store_explicit(&object->kind, 0, memory_order_release);
    if (UNLIKELY(handles_are_listed()))
        handles_release(object);
}

void object_free(struct object *object)
{
    if (UNLIKELY(handles_are_listed()))
        handles_retire(object);
    else
        free(object);
}

/* The holder of a name among a context's objects of one kind; under the context's lock. */
static struct object *find_by_name(haly_context *context, uint32_t kind, const char *name)
{
    for (struct object *object = context->objects; object != NULL; object = object->next)
        if (object->kind == kind && strcmp(object->name, name) == 0)
            return object;
    return NULL;
}

static haly_status name_taken(const struct object *holder, const char *name)
{
    return FAIL(HALY_ERR_INVALID, "the name \"%s\" is taken by the %s with id %llu", name,
                object_kind_name(holder->kind), (unsigned long long)holder->id);
}

haly_status object_publish(struct object *object, const char *name)
{
    haly_context *context = object->context;
    haly_status status = HALY_OK;
    TRY(check_name(name));
    pthread_mutex_lock(&context->lock);
    if (name != NULL && name[0] != '\0') {
        const struct object *holder = find_by_name(context, object->kind, name);
        if (holder != NULL)
            status = name_taken(holder, name);
        else
            snprintf(object->name, sizeof object->name, "%s", name);
    }
    if (status == HALY_OK) {
        object->next = context->objects;
        if (object->next != NULL)
            object->next->previous = object;
        context->objects = object;
    }
    pthread_mutex_unlock(&context->lock);
    return status;
}

void object_unpublish(struct object *object)
{
    haly_context *context = object->context;
    pthread_mutex_lock(&context->lock);
    if (object->previous != NULL)
        object->previous->next = object->next;
    else if (context->objects == object)
        context->objects = object->next;
    if (object->next != NULL)
        object->next->previous = object->previous;
    object->next = object->previous = NULL;
    pthread_mutex_unlock(&context->lock);
    object_end(object);
}

/* Whether the references of a handle may be touched; `verb` is for messages. */
static bool is_counted(const char *verb, const void *handle, uint32_t kind)
{
    if (LIKELY(object_is_usable(handle, kind)))
        return true;
    return handle != NULL && handles_are_listed() && validate_reference(verb, handle, kind) &&
           object_is_sound(handle, kind);
}

void objects_bury(haly_context *context)
{
    pthread_mutex_lock(&context->lock);
    for (struct object *object = context->objects; object != NULL; object = object->next)
        object->last_kind = atomic_exchange(&object->kind, 0);
    pthread_mutex_unlock(&context->lock);
}

void object_retain(void *handle, haly_object_kind kind)
{
    struct object *object = handle;
    if (is_counted("retain", object, (uint32_t)kind))
        atomic_fetch_add_explicit(&object->references, 1, memory_order_relaxed);
}

void object_release(void *handle, haly_object_kind kind, void (*destroy)(struct object *object))
{
    struct object *object = handle;
    if (is_counted("release", object, (uint32_t)kind) &&
        atomic_fetch_sub_explicit(&object->references, 1, memory_order_acq_rel) == 1)
        destroy(object);
}

uint64_t haly_object_id(const void *object)
{
    if (object == NULL || (handles_are_listed() && object_kind(object) == 0))
        return 0;
    return ((const struct object *)object)->id;
}

static haly_status context_object_rename(haly_context *context, struct object *object, const char *name)
{
    haly_status status = HALY_OK;
    pthread_mutex_lock(&context->lock);
    const struct object *holder = name[0] != '\0' ? find_by_name(context, object->kind, name) : NULL;
    if (holder != NULL && holder != object)
        status = name_taken(holder, name);
    else
        snprintf(object->name, sizeof object->name, "%s", name);
    pthread_mutex_unlock(&context->lock);
    return status;
}

haly_status haly_object_name_set(void *object, const char *name)
{
    struct object *named = object;
    REQUIRE(object);
    TRY(object_examine_any(__func__, object));
    TRY(check_name(name));
    name = name != NULL ? name : "";
    if (named->kind == HALY_OBJECT_CONTEXT)
        TRY(context_rename((haly_context *)object, name));
    else if (named->context == NULL)
        return FAIL(HALY_ERR_INVALID, "%s has no name of the program's", with_article(named->kind, (char[32]){0}));
    else
        TRY(context_object_rename(named->context, named, name));
    return HALY_OK;
}

haly_status haly_context_find(haly_context *context, haly_object_kind kind, const char *name, uint64_t id,
                              void **out_object)
{
    ENTRY(context, HALY_OBJECT_CONTEXT);
    REQUIRE(out_object);
    if (kind < HALY_OBJECT_STREAM || kind > HALY_OBJECT_GRAPH || kind == HALY_OBJECT_KERNEL)
        return FAIL(HALY_ERR_INVALID, "kind is %s; streams, events, modules, plans and graphs can be found",
                    object_kind_name((uint32_t)kind));
    if (name != NULL && name[0] == '\0')
        return FAIL(HALY_ERR_INVALID, "name is empty; expected a name, or NULL to find by id");
    struct object *found = NULL;
    pthread_mutex_lock(&context->lock);
    for (struct object *object = context->objects; object != NULL && found == NULL; object = object->next)
        if (object->kind == (uint32_t)kind && (name != NULL ? strcmp(object->name, name) == 0 : object->id == id))
            found = object;
    pthread_mutex_unlock(&context->lock);
    if (found == NULL && name != NULL)
        return FAIL(HALY_ERR_NOT_FOUND, "the context has no %s named \"%s\"", object_kind_name((uint32_t)kind), name);
    if (found == NULL)
        return FAIL(HALY_ERR_NOT_FOUND, "the context has no %s with id %llu", object_kind_name((uint32_t)kind),
                    (unsigned long long)id);
    *out_object = found;
    return HALY_OK;
}
