/* SPDX-License-Identifier: Apache-2.0 */
/* The list of handles: a table by address, and a ring of what was released last. */
#define _GNU_SOURCE
#include "layers/handles.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "context.h"
#include "layers/map.h"

struct handle {
    struct object *object;
    uint32_t kind; /* the object's own is 0 once it is released */
    bool is_released;
    struct place made, released;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* what follows */
static struct map handles;
static struct object *kept[HANDLES_KEPT]; /* storage of the latest that were released */
static uint32_t kept_next;
static bool is_complete; /* no handle exists that is not listed */

static struct handle *get(const void *object)
{
    return map_get(&handles, (uint64_t)(uintptr_t)object);
}

/* What ended with its context is followed by the context into the ring, and so leaves it first. */
static enum handle_state state_of(const struct handle *handle)
{
    const struct object *object = handle->object;
    const haly_context *context = object->context;
    if (handle->is_released)
        return HANDLE_RELEASED;
    if (context == NULL || &context->object == object || context->object.kind != 0)
        return HANDLE_LIVE;
    return HANDLE_OF_RELEASED;
}

void handles_start(bool is_first)
{
    uintptr_t all = UINTPTR_MAX;
    place_start();
    if (atomic_compare_exchange_strong(&object_limit, &all, 0))
        is_complete = is_first;
}

/* What the parent's threads may have been in the middle of is left as it is, and its handles are told by themselves. */
void handles_forked(void)
{
    static struct map of_parents __attribute__((used, unused)); /* where leak checkers find it */
    of_parents = handles;
    handles = (struct map){0};
    memset(kept, 0, sizeof kept);
    pthread_mutex_init(&lock, NULL);
    is_complete = false;
}

void handles_add(struct object *object)
{
    struct handle *handle = calloc(1, sizeof *handle), *old = NULL;
    bool is_listed = handle != NULL;
    if (handle != NULL)
        *handle = (struct handle){.object = object, .kind = object->kind, .made = place_here()};
    pthread_mutex_lock(&lock);
    if (is_listed) {
        old = get(object);
        is_listed = map_put(&handles, (uint64_t)(uintptr_t)object, handle);
    }
    is_complete = is_complete && is_listed;
    pthread_mutex_unlock(&lock);
    free(is_listed ? old : handle);
}

void handles_release(struct object *object)
{
    const struct place here = place_here();
    pthread_mutex_lock(&lock);
    struct handle *handle = get(object);
    if (handle != NULL && !handle->is_released) {
        handle->is_released = true;
        handle->released = here;
    }
    pthread_mutex_unlock(&lock);
}

void handles_retire(struct object *object)
{
    struct object *oldest = object;
    pthread_mutex_lock(&lock);
    const struct handle *known = get(object);
    if (known != NULL && state_of(known) != HANDLE_LIVE) {
        oldest = kept[kept_next];
        kept[kept_next] = object;
        kept_next = (kept_next + 1) % HANDLES_KEPT;
    }
    struct handle *handle = oldest != NULL ? map_take(&handles, (uint64_t)(uintptr_t)oldest) : NULL;
    pthread_mutex_unlock(&lock);
    free(handle);
    free(oldest);
}

/* A handle that may be from before the list: looked at through the kernel, which does not mind what it is. Where that
 * is forbidden it passes, and is followed as without the layer. */
static enum handle_state judge_unlisted(const void *handle)
{
    struct object object;
    const struct iovec here = {&object, sizeof object}, there = {(void *)(uintptr_t)handle, sizeof object};
    const ssize_t got = process_vm_readv(getpid(), &here, 1, &there, 1, 0);
    if (got < 0 && (errno == EPERM || errno == ENOSYS))
        return HANDLE_UNLISTED;
    const bool is_object = got == (ssize_t)sizeof object && object.kind >= HALY_OBJECT_INSTANCE &&
                           object.kind <= HALY_OBJECT_COMM && object.generation != 0 &&
                           object.generation <= process_current_generation();
    return is_object ? HANDLE_UNLISTED : HANDLE_UNKNOWN;
}

enum handle_state handles_find(const void *handle, struct handle_facts *out_facts)
{
    struct handle_facts facts = {.state = HANDLE_UNKNOWN};
    pthread_mutex_lock(&lock);
    const bool may_be_unlisted = !is_complete;
    const struct handle *known = get(handle);
    if (known != NULL) {
        facts.state = state_of(known);
        facts.kind = known->kind;
        facts.id = known->object->id;
        facts.made = known->made;
        facts.released = known->released;
        memcpy(facts.name, known->object->name, sizeof facts.name);
    }
    pthread_mutex_unlock(&lock);
    if (known == NULL && may_be_unlisted)
        facts.state = judge_unlisted(handle);
    *out_facts = facts;
    return facts.state;
}

bool handle_is_live(const void *handle)
{
    struct handle_facts facts;
    const enum handle_state state = handles_find(handle, &facts);
    return state == HANDLE_LIVE || state == HANDLE_UNLISTED;
}

struct place handles_made(const struct object *object)
{
    struct place place = {.key = 0};
    pthread_mutex_lock(&lock);
    const struct handle *known = get(object);
    if (known != NULL)
        place = known->made;
    pthread_mutex_unlock(&lock);
    return place;
}
