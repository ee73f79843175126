/* SPDX-License-Identifier: Apache-2.0 */
/* What a case holds: made through the helpers, checked when the case is over, given back in reverse order. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "cts_gate.h"
#include "cts_runner.h"

enum owned_kind {
    OWNED_HOST,
    OWNED_DEVICE,
    OWNED_CONTEXT,
    OWNED_INSTANCE,
    OWNED_STREAM,
    OWNED_EVENT,
    OWNED_PLAN,
    OWNED_MODULE,
    OWNED_KERNEL,
    OWNED_GRAPH,
    OWNED_GATE
};

struct cts_owned {
    struct cts_owned *next;
    void *object;
    haly_context *context; /* of device memory */
    uint64_t size;
    uint64_t guard;
    enum owned_kind kind;
};

#define SENTINEL 0xA5

static struct cts_owned *own(struct cts *t, enum owned_kind kind, void *object)
{
    struct cts_owned *owned = calloc(1, sizeof *owned);
    if (owned == NULL)
        cts_fail_at(t, __FILE__, __LINE__, "the suite itself ran out of memory");
    owned->kind = kind;
    owned->object = object;
    owned->next = t->owned;
    t->owned = owned;
    return owned;
}

void cts_own_event(struct cts *t, haly_event *event)
{
    (void)own(t, OWNED_EVENT, event);
}
void cts_own_plan(struct cts *t, haly_plan *plan)
{
    (void)own(t, OWNED_PLAN, plan);
}
void cts_own_module(struct cts *t, haly_module *module)
{
    (void)own(t, OWNED_MODULE, module);
}
void cts_own_kernel(struct cts *t, haly_kernel *kernel)
{
    (void)own(t, OWNED_KERNEL, kernel);
}
void cts_own_graph(struct cts *t, haly_graph *graph)
{
    (void)own(t, OWNED_GRAPH, graph);
}
void cts_own_gate(struct cts *t, cts_gate *gate)
{
    (void)own(t, OWNED_GATE, gate);
}

void *cts_host(struct cts *t, uint64_t size)
{
    void *memory = calloc(1, size == 0 ? 1 : size);
    CTS_CHECK(memory != NULL, "the suite itself ran out of memory");
    (void)own(t, OWNED_HOST, memory);
    return memory;
}

haly_instance *cts_instance(struct cts *t, const haly_param *params, uint32_t count)
{
    haly_instance *instance = NULL;
    CTS_OK(cts_try_instance(t, params, count, &instance));
    (void)own(t, OWNED_INSTANCE, instance);
    return instance;
}

haly_context_desc cts_context_desc(struct cts *t)
{
    return (haly_context_desc){HALY_CONTEXT_DESC_INIT, .device = t->device,
                               .flags = t->variant == CTS_MOVABLE ? HALY_CONTEXT_MOVABLE : 0};
}

haly_context *cts_context(struct cts *t, const haly_context_desc *desc)
{
    const haly_context_desc plain = cts_context_desc(t);
    haly_context *context = NULL;
    CTS_OK(haly_context_open(t->instance, desc == NULL ? &plain : desc, &context));
    (void)own(t, OWNED_CONTEXT, context);
    return context;
}

haly_context *cts_context_limited(struct cts *t, uint64_t memory_limit)
{
    haly_context_desc desc = cts_context_desc(t);
    desc.memory_limit = memory_limit;
    return cts_context(t, &desc);
}

haly_stream *cts_stream_of(struct cts *t, haly_context *context)
{
    haly_stream *stream = NULL;
    CTS_OK(haly_stream_create(context, NULL, &stream));
    (void)own(t, OWNED_STREAM, stream);
    return stream;
}

haly_stream *cts_stream(struct cts *t)
{
    return cts_stream_of(t, t->context);
}

haly_event *cts_event(struct cts *t)
{
    haly_event *event = NULL;
    CTS_OK(haly_event_create(t->context, NULL, &event));
    cts_own_event(t, event);
    return event;
}

haly_event *cts_event_timed(struct cts *t)
{
    haly_event *event = NULL;
    CTS_OK(haly_event_create(t->context, &(haly_event_desc){HALY_EVENT_DESC_INIT, .flags = HALY_EVENT_TIMED}, &event));
    cts_own_event(t, event);
    return event;
}

void *cts_device_in(struct cts *t, haly_context *context, uint64_t size)
{
    const uint64_t guard = t->spec.allocation_alignment > 256 ? t->spec.allocation_alignment : 256;
    const uint64_t rounded = (size + 15) & ~(uint64_t)15; /* fills below want multiples of the pattern */
    const uint8_t sentinel = SENTINEL;
    void *base = NULL;
    haly_stream *stream = t->aux;
    CTS_OK(haly_malloc(context, rounded + 2 * guard, NULL, &base));
    struct cts_owned *owned = own(t, OWNED_DEVICE, (char *)base + guard);
    owned->context = context;
    owned->size = size;
    owned->guard = guard;
    if (context != t->context)
        CTS_OK(haly_stream_create(context, NULL, &stream));
    CTS_OK(haly_fill(stream, base, &sentinel, 1, rounded + 2 * guard));
    cts_sync(t, stream);
    if (stream != t->aux)
        haly_stream_release(stream);
    return (char *)base + guard;
}

void *cts_device(struct cts *t, uint64_t size)
{
    return cts_device_in(t, t->context, size);
}

void *cts_device_from(struct cts *t, const void *bytes, uint64_t size)
{
    void *address = cts_device(t, size);
    cts_upload(t, address, bytes, size);
    return address;
}

static void check_guard(struct cts *t, const struct cts_owned *owned, const char *bytes, const char *where)
{
    uint8_t *seen = cts_host(t, owned->guard);
    cts_download(t, seen, bytes, owned->guard);
    for (uint64_t i = 0; i < owned->guard; i++)
        CTS_CHECK(seen[i] == SENTINEL, "something wrote %s an allocation of %llu bytes: guard byte %llu is 0x%02x",
                  where, (unsigned long long)owned->size, (unsigned long long)i, seen[i]);
}

/* Also opens the gates that the case left shut. */
void cts_owned_check_guards(struct cts *t)
{
    for (struct cts_owned *owned = t->owned; owned != NULL; owned = owned->next)
        if (owned->kind == OWNED_GATE)
            cts_open(t, owned->object);
    if (t->is_broken)
        return;
    for (struct cts_owned *owned = t->owned; owned != NULL; owned = owned->next) {
        if (owned->kind != OWNED_DEVICE || owned->context != t->context)
            continue;
        cts_sync(t, t->stream);
        check_guard(t, owned, (const char *)owned->object - owned->guard, "before");
        check_guard(t, owned, (const char *)owned->object + owned->size, "behind");
    }
}

static void release_one(struct cts *t, const struct cts_owned *owned)
{
    switch (owned->kind) {
    case OWNED_DEVICE:
        if (!t->is_broken)
            CTS_OK(haly_free(owned->context, (char *)owned->object - owned->guard));
        break;
    case OWNED_CONTEXT:
        haly_context_release(owned->object);
        break;
    case OWNED_INSTANCE:
        haly_instance_release(owned->object);
        break;
    case OWNED_STREAM:
        haly_stream_release(owned->object);
        break;
    case OWNED_EVENT:
        haly_event_release(owned->object);
        break;
    case OWNED_PLAN:
        haly_plan_release(owned->object);
        break;
    case OWNED_MODULE:
        haly_module_release(owned->object);
        break;
    case OWNED_KERNEL:
        haly_kernel_release(owned->object);
        break;
    case OWNED_GRAPH:
        haly_graph_release(owned->object);
        break;
    default:
        break;
    }
}

/* Newest first, as they depend on each other. Host memory and gates stay: queued work may name them until the contexts
 * are gone. */
void cts_owned_release(struct cts *t)
{
    for (const struct cts_owned *owned = t->owned; owned != NULL; owned = owned->next)
        if (owned->kind == OWNED_CONTEXT && !t->is_broken)
            (void)haly_context_sync(owned->object, CTS_PATIENCE);
    for (const struct cts_owned *owned = t->owned; owned != NULL; owned = owned->next)
        release_one(t, owned);
}

void cts_owned_release_host(struct cts *t)
{
    while (t->owned != NULL) {
        struct cts_owned *owned = t->owned;
        t->owned = owned->next;
        if (owned->kind == OWNED_HOST)
            free(owned->object);
        if (owned->kind == OWNED_GATE)
            cts_gate_free(owned->object);
        free(owned);
    }
}
