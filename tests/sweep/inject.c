/* SPDX-License-Identifier: Apache-2.0 */
/* The count, and the table of places that calls came from. */
#define _GNU_SOURCE
#include "inject.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "interpose.h"

struct injection *injection;

static _Thread_local char looked_at[sizeof((struct injection *)NULL)->first_backend];

const struct fault faults[] = {
#define FAULT(group_, name_, code_) {GROUP_##group_, name_, code_, HALY_SCOPE_CALL, HALY_RECOVER_NONE},
#define BACKEND_FAULT(group_, name_, status_, scope_, recovery_)                                                       \
    {GROUP_##group_, name_, (int)(status_), scope_, recovery_},
#include "faults.def"
#undef FAULT
#undef BACKEND_FAULT
};
const uint32_t fault_count = sizeof faults / sizeof *faults;

const struct fault *fault_find(const char *name)
{
    for (uint32_t i = 0; i < fault_count; i++)
        if (strcmp(faults[i].name, name) == 0)
            return &faults[i];
    return NULL;
}

void inject_arm(const struct fault *fault, uint64_t nth, bool persists)
{
    atomic_store(&injection->is_armed, false);
    injection->nth = nth;
    injection->persists = persists;
    for (int group = 0; group < GROUPS; group++)
        atomic_store(&injection->hits[group], 0);
    atomic_store(&injection->injected, 0);
    atomic_store(&injection->first_site, SITE_NONE);
    injection->first_backend[0] = '\0';
    atomic_store(&injection->fault, fault);
    atomic_store(&injection->is_armed, true);
}

void inject_disarm(void)
{
    atomic_store(&injection->is_armed, false);
}

static void lock(void)
{
    while (atomic_flag_test_and_set_explicit(&injection->lock, memory_order_acquire))
        ;
}

static void unlock(void)
{
    atomic_flag_clear_explicit(&injection->lock, memory_order_release);
}

/* Index of the site, which is added when it is new. */
static uint32_t site_note(const char *call, const char *object, uint64_t offset)
{
    uint32_t index = SITE_NONE;
    lock();
    for (uint32_t i = 0; i < injection->site_count && index == SITE_NONE; i++) {
        const struct site *site = &injection->sites[i];
        if (site->offset == offset && strcmp(site->call, call) == 0 && strcmp(site->object, object) == 0)
            index = i;
    }
    if (index == SITE_NONE && injection->site_count < SITES_MOST) {
        index = injection->site_count++;
        struct site *site = &injection->sites[index];
        *site = (struct site){.offset = offset};
        snprintf(site->call, sizeof site->call, "%s", call);
        snprintf(site->object, sizeof site->object, "%s", object);
    }
    if (index != SITE_NONE)
        injection->sites[index].hits++;
    unlock();
    return index;
}

/* Counts the call; not NULL when it is the one that fails, or one behind it. */
static const struct fault *count(enum group group, uint32_t site)
{
    const struct fault *fault = atomic_load(&injection->fault);
    const uint64_t number = atomic_fetch_add(&injection->hits[group], 1) + 1;
    if (number <= TRACE_MOST)
        injection->traces[group][number - 1] = (struct trace){site, atomic_load(&injection->step)};
    if (fault == NULL || fault->group != group || number < injection->nth ||
        (number > injection->nth && !injection->persists))
        return NULL;
    uint32_t none = SITE_NONE;
    if (atomic_compare_exchange_strong(&injection->first_site, &none, site))
        snprintf(injection->first_backend, sizeof injection->first_backend, "%s", looked_at);
    atomic_fetch_add(&injection->injected, 1);
    return fault;
}

const struct fault *inject_call(enum group group, const char *call, const void *from, uint32_t *out_site)
{
    const int error = errno;
    const struct interposed_object *object = interpose_find(from);
    const uint64_t offset = object != NULL ? (uint64_t)((uintptr_t)from - object->base) : 0;
    const uint32_t site = site_note(call, object != NULL ? object->path : "?", offset);
    if (out_site != NULL)
        *out_site = site;
    const struct fault *fault = atomic_load(&injection->is_armed) ? count(group, site) : NULL;
    errno = error;
    return fault;
}

const struct fault *inject_entry(enum group group, const char *entry)
{
    const bool is_caller = gettid() == getpid(); /* else a thread of the library's own, which has nobody to tell */
    const uint32_t site = site_note(entry, is_caller ? "" : ENTRY_OF_SERVICE, (uint64_t)group);
    return atomic_load(&injection->is_armed) ? count(group, site) : NULL;
}

void inject_look(const char *path)
{
    if (strstr(path, "/libhalyard_backend_") != NULL)
        snprintf(looked_at, sizeof looked_at, "%s", path);
}

void inject_step(const char *step)
{
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (; *step != '\0'; step++)
        hash = (hash ^ (unsigned char)*step) * 16777619U;
    atomic_store(&injection->step, hash);
}
