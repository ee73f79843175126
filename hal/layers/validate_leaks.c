/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is left behind. A context's release gives back what it holds, so that none of this is misuse; but a program that
 * does not mean it that way wants to know what it forgot, and where it was made.
 */
#include <stdlib.h>

#include "layers/handles.h"
#include "layers/validate.h"
#include "text.h"

/* Lines for one context. */
#define LEAKS_NAMED 32U
#define LEAK_TEXT 480

struct leaks {
    uint32_t count;
    char lines[LEAKS_NAMED][LEAK_TEXT];
};

static const char *quote(const char *name, char text[OBJECT_NAME_BYTES + 4])
{
    text[0] = '\0';
    if (name[0] != '\0')
        text_set(text, OBJECT_NAME_BYTES + 4, " \"%s\"", name);
    return text;
}

/* The next line; NULL when there were enough. */
static char *next_line(struct leaks *leaks)
{
    return leaks->count++ < LEAKS_NAMED ? leaks->lines[leaks->count - 1] : NULL;
}

static void add_memory(void *user, const struct layer_memory *memory, const struct place *made)
{
    char place[PLACE_TEXT];
    haly_memory_info info = {HALY_MEMORY_INFO_INIT};
    char *line = next_line(user);
    if (line == NULL)
        return;
    const bool has_name = haly_memory_info_get(memory->address, &info) == HALY_OK && info.name[0] != '\0';
    text_set(line, LEAK_TEXT, "%s memory, %llu bytes%s%.60s%s, made at %s",
             info.memory_class == HALY_MEMORY_PINNED ? "pinned" : "device", (unsigned long long)memory->size,
             has_name ? " \"" : "", has_name ? info.name : "", has_name ? "\"" : "", place_text(made, place));
}

static void add_object(struct leaks *leaks, const struct object *object)
{
    char name[OBJECT_NAME_BYTES + 4], place[PLACE_TEXT];
    const struct place made = handles_made(object);
    char *line = next_line(leaks);
    if (line != NULL)
        text_set(line, LEAK_TEXT, "%s %llu%s, made at %s", object_kind_name(object->kind),
                 (unsigned long long)object->id, quote(object->name, name), place_text(&made, place));
}

void validate_context_released(void *state, haly_context *context)
{
    struct leaks *leaks = calloc(1, sizeof *leaks);
    char name[OBJECT_NAME_BYTES + 4];
    validate_context_forget(state, context);
    if (leaks == NULL)
        return;
    pthread_mutex_lock(&context->lock);
    for (const struct object *object = context->objects; object != NULL; object = object->next)
        if (!object->is_internal)
            add_object(leaks, object);
    pthread_mutex_unlock(&context->lock);
    validate_lock();
    memory_list(context, add_memory, leaks);
    validate_unlock();
    for (uint32_t i = 0; i < leaks->count && i < LEAKS_NAMED; i++)
        validate_say(HALY_LOG_INFO, "leak: context %llu%s is released and still holds %s",
                     (unsigned long long)context->object.id, quote(context->object.name, name), leaks->lines[i]);
    if (leaks->count > LEAKS_NAMED)
        validate_say(HALY_LOG_INFO, "leak: and %u more", leaks->count - LEAKS_NAMED);
    free(leaks);
}

void validate_instance_released(void *state, haly_instance *instance)
{
    const struct validate *validate = state;
    struct leaks *leaks = calloc(1, sizeof *leaks);
    if (leaks == NULL)
        return;
    validate_lock();
    for (uint32_t i = 0; i < validate->context_count; i++)
        add_object(leaks, &validate->contexts[i]->object);
    validate_unlock();
    for (uint32_t i = 0; i < leaks->count && i < LEAKS_NAMED; i++)
        validate_say(HALY_LOG_INFO, "leak: instance %llu is released and its program still holds %s",
                     (unsigned long long)instance->object.id, leaks->lines[i]);
    free(leaks);
}
