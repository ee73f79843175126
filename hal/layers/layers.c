/* SPDX-License-Identifier: Apache-2.0 */
/* Which layers an instance has, and telling each of them. */
#include "layers/layers.h"

#include <stdlib.h>
#include <string.h>

#include "layers/layer.h"
#include "layers/layers_object.h"
#include "nearest.h"
#include "text.h"

static _Atomic uint64_t memory_moment;

static const struct layer *const known[LAYERS] = {&layer_validate, &layer_trace};

/* The index of a layer by name; LAYERS when there is none. */
static uint32_t find(const char *name, size_t length)
{
    uint32_t i = 0;
    while (i < LAYERS && (strlen(known[i]->name) != length || memcmp(known[i]->name, name, length) != 0))
        i++;
    return i;
}

static void refuse(const char *name, size_t length, char *why, size_t why_size)
{
    char found[TEXT_QUOTED_BYTES];
    struct nearest nearest;
    text_printable(found, sizeof found, name, length);
    nearest_start(&nearest, found);
    for (uint32_t i = 0; i < LAYERS; i++)
        nearest_offer(&nearest, known[i]->name);
    if (nearest.best != NULL)
        text_set(why, why_size, "unknown layer \"%s\"; did you mean \"%s\"?", found, nearest.best);
    else
        text_set(why, why_size, "unknown layer \"%s\"", found);
}

static bool add_name(const char *name, size_t length, uint32_t *mask, char *why, size_t why_size)
{
    text_trim(&name, &length);
    const uint32_t index = find(name, length);
    if (index == LAYERS) {
        refuse(name, length, why, why_size);
        return false;
    }
    if ((*mask >> index & 1) != 0) {
        text_set(why, why_size, "\"%s\" stands there twice", known[index]->name);
        return false;
    }
    *mask |= 1U << index;
    return true;
}

/* The layers that a value names, as bits; says what is wrong with it. */
static bool parse(const char *names, uint32_t *out_mask, char *why, size_t why_size)
{
    size_t length = strlen(names);
    text_trim(&names, &length);
    *out_mask = 0;
    while (length > 0) {
        const char *comma = memchr(names, ',', length);
        const size_t name_length = comma != NULL ? (size_t)(comma - names) : length;
        if (!add_name(names, name_length, out_mask, why, why_size))
            return false;
        if (comma == NULL)
            return true;
        names = comma + 1;
        length -= name_length + 1;
        if (length == 0)
            return add_name("", 0, out_mask, why, why_size); /* "validate," */
    }
    return true;
}

bool layers_check(const char *names, char *why, size_t why_size)
{
    uint32_t mask;
    return parse(names, &mask, why, why_size);
}

haly_status layers_open(haly_instance *instance, struct layers **out_layers)
{
    uint32_t mask = 0;
    char why[256];
    if (!parse(param_text(instance->params, "layers"), &mask, why, sizeof why))
        return FAIL(HALY_ERR_INTERNAL, "a checked list of layers does not parse: %s", why);
    if (mask == 0)
        return HALY_OK;
    struct layers *layers = calloc(1, sizeof *layers);
    if (layers == NULL)
        return fail_host_oom("layers", sizeof *layers);
    for (uint32_t i = 0; i < LAYERS; i++) {
        if ((mask >> i & 1) == 0)
            continue;
        struct active_layer *active = &layers->active[layers->count];
        const haly_status status = known[i]->open(instance, &active->state);
        if (status != HALY_OK) {
            layers_close(layers);
            return status;
        }
        active->layer = known[i];
        layers->count++;
    }
    *out_layers = layers;
    return HALY_OK;
}

void layers_close(struct layers *layers)
{
    if (layers == NULL)
        return;
    while (layers->count > 0) {
        const struct active_layer *active = &layers->active[--layers->count];
        active->layer->close(active->state);
    }
    free(layers);
}

void layers_forked(void)
{
    for (uint32_t i = 0; i < LAYERS; i++)
        if (known[i]->forked != NULL)
            known[i]->forked();
}

uint64_t layers_program_sequence(struct timeline *timeline, uint64_t sequence)
{
    const struct layers *layers = timeline->context->layers;
    for (uint32_t i = layers != NULL ? layers->count : 0; i > 0; i--)
        if (layers->active[i - 1].layer->program_sequence != NULL)
            sequence = layers->active[i - 1].layer->program_sequence(layers->active[i - 1].state, timeline, sequence);
    return sequence;
}

void layers_stream_waited(haly_stream *stream, struct event_record *record)
{
    LAYERS_TELL(stream->object.context->layers, stream_waited, stream, record);
}

void layers_host_saw(struct timeline *timeline)
{
    LAYERS_TELL(timeline->context->layers, host_saw, timeline);
}

void layers_host_saw_record(struct event_record *record)
{
    LAYERS_TELL(record->context->layers, host_saw_record, record);
}

void layers_went_native(struct object *object)
{
    LAYERS_TELL(object->context->layers, went_native, object);
}

void layers_context_opened(haly_context *context)
{
    LAYERS_TELL(context->layers, context_opened, context);
}

void layers_context_released(haly_context *context)
{
    LAYERS_TELL(context->layers, context_released, context);
}

void layers_context_closed(haly_context *context)
{
    LAYERS_TELL(context->layers, context_closed, context);
}

void layers_instance_released(haly_instance *instance)
{
    LAYERS_TELL(instance->layers, instance_released, instance);
}

void layers_stream_ended(haly_stream *stream)
{
    LAYERS_TELL(stream->object.context->layers, stream_ended, stream);
}

void layers_record_ended(struct event_record *record)
{
    LAYERS_TELL(record->context->layers, record_ended, record);
}

uint64_t layers_memory_moment(void)
{
    return atomic_load(&memory_moment);
}

void layers_memory_taken(haly_context *context, void *address, uint64_t size, haly_stream *stream)
{
    const struct layer_memory memory = {context, address, size, stream, atomic_fetch_add(&memory_moment, 1) + 1, false};
    LAYERS_TELL(context->layers, memory_taken, &memory);
}

void layers_graph_memory_taken(haly_context *context, void *address, uint64_t size)
{
    const struct layer_memory memory = {context, address, size, NULL, atomic_fetch_add(&memory_moment, 1) + 1, true};
    LAYERS_TELL(context->layers, memory_taken, &memory);
}

haly_status layers_memory_given(haly_context *context, void *address, enum layers_give how, haly_stream *stream)
{
    const struct layers *layers = context->layers;
    for (uint32_t i = 0; i < layers->count; i++)
        if (layers->active[i].layer->memory_given != NULL)
            TRY(layers->active[i].layer->memory_given(layers->active[i].state, context, address, how, stream));
    return HALY_OK;
}

void layers_memory_used(haly_stream *stream, const void *address)
{
    LAYERS_TELL(stream->object.context->layers, memory_used, stream, address);
}

void layers_call_begin(struct layers_call *call)
{
    LAYERS_TELL(call->layers, call_begins, call->function);
}

void layers_call_end(struct layers_call *call)
{
    LAYERS_TELL(call->layers, call_ends, call->function);
}
