/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations and the commands that touched them last. A command that comes is held against those it is not behind. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "hash.h"
#include "layers/map.h"
#include "layers/validate.h"
#include "text.h"
#include "window.h"

/* Touches kept for one allocation; beyond, the oldest is forgotten, which can hide a race but never invent one. */
#define TOUCHES_KEPT 512U

typedef unsigned long long ull; /* for messages */

struct tracked_memory {
    struct layer_memory facts;
    struct place made;
    struct touch *touches; /* oldest first */
    uint32_t count, capacity;
};

static struct map memories; /* by base */

/* The allocation that holds an address, if it is tracked. */
static struct tracked_memory *memory_at(uint64_t address)
{
    struct segment *segment = address_find((const void *)(uintptr_t)address);
    struct chunk *chunk = segment != NULL ? segment_chunk_at(segment, (const void *)(uintptr_t)address) : NULL;
    struct tracked_memory *memory = chunk != NULL ? map_get(&memories, chunk_address(chunk)) : NULL;
    if (memory == NULL || address - (uint64_t)(uintptr_t)memory->facts.address >= memory->facts.size)
        return NULL;
    return memory;
}

static uint64_t base_of(const struct tracked_memory *memory)
{
    return (uint64_t)(uintptr_t)memory->facts.address;
}

static void memory_free(struct tracked_memory *memory)
{
    if (memory == NULL)
        return;
    free(memory->touches);
    free(memory);
}

static void touch_add(struct tracked_memory *memory, const struct touch *touch)
{
    if (memory->count == TOUCHES_KEPT)
        memmove(memory->touches, memory->touches + 1, --memory->count * sizeof *memory->touches);
    if (memory->count == memory->capacity) {
        const uint32_t capacity = memory->capacity * 2 + 4;
        struct touch *grown = realloc(memory->touches, capacity * sizeof *grown);
        if (grown == NULL)
            return;
        memory->touches = grown;
        memory->capacity = capacity;
    }
    memory->touches[memory->count++] = *touch;
}

void memory_track(const struct layer_memory *facts, struct tracked_stream *stream)
{
    struct tracked_memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL)
        return;
    memory->facts = *facts;
    memory->made = place_here();
    memory_free(map_take(&memories, base_of(memory)));
    if (!map_put(&memories, base_of(memory), memory)) {
        memory_free(memory);
        return;
    }
    if (stream == NULL)
        return;
    struct touch touch = {.region = region_of_range(facts->address, facts->size),
                          .moment = stream_advance(stream, false),
                          .is_write = true,
                          .is_allocation = true,
                          .place = memory->made};
    text_set(touch.what, sizeof touch.what, "haly_malloc_async");
    touch_add(memory, &touch);
}

/* "the allocation of 64 bytes \"x\" at 0x1000, made at main" */
#define MEMORY_TEXT 420
static const char *memory_text(const struct tracked_memory *memory, char text[MEMORY_TEXT])
{
    char made[PLACE_TEXT];
    haly_memory_info info = {HALY_MEMORY_INFO_INIT};
    const bool has_name = haly_memory_info_get(memory->facts.address, &info) == HALY_OK && info.name[0] != '\0';
    text_set(text, MEMORY_TEXT, "the allocation of %llu bytes%s%.60s%s at %p, made at %s", (ull)memory->facts.size,
             has_name ? " \"" : "", has_name ? info.name : "", has_name ? "\"" : "", memory->facts.address,
             place_text(&memory->made, made));
    return text;
}

/* "copy of stream 5, command 3, label \"x\"" */
#define TOUCH_TEXT 280
static const char *touch_text(const struct touch *touch, char text[TOUCH_TEXT])
{
    char moment[MOMENT_TEXT];
    text_set(text, TOUCH_TEXT, "%s (%s", touch->what, moment_text(touch->moment, moment));
    if (touch->label[0] != '\0')
        text_append(text, TOUCH_TEXT, ", label \"%s\"", touch->label);
    text_append(text, TOUCH_TEXT, ")");
    return text;
}

static uint64_t key_of(const struct touch *a, const struct touch *b, enum region_relation relation)
{
    const uint64_t words[] = {hash_text(a->what), hash_text(b->what), a->place.key, b->place.key,
                              (uint64_t)relation << 2 | (uint64_t)a->is_write << 1 | b->is_write};
    return hash_words(words, sizeof words / sizeof *words);
}

static void add_race(struct findings *findings, const struct tracked_memory *memory, const struct touch *first,
                     const struct touch *second, enum region_relation relation)
{
    char one[TOUCH_TEXT], two[TOUCH_TEXT], where[MEMORY_TEXT], here[PLACE_TEXT], there[PLACE_TEXT];
    const bool is_certain = relation == REGIONS_MEET;
    findings_add(findings, is_certain ? HALY_LOG_ERROR : HALY_LOG_INFO, key_of(first, second, relation),
                 "%s: %s %s what %s %s, and nothing orders them; %s at %s, %s at %s; %llu bytes into %s",
                 is_certain ? "race" : "possible race", touch_text(second, two), second->is_write ? "writes" : "reads",
                 touch_text(first, one),
                 first->is_allocation ? "allocates"
                 : first->is_write    ? "writes"
                                      : "reads",
                 "the first was submitted", place_text(&first->place, there), "the second",
                 place_text(&second->place, here), (ull)(second->region.start - base_of(memory)),
                 memory_text(memory, where));
}

/* Whether an earlier touch need not be kept beside the new one, which is behind it. */
static bool is_superseded(const struct touch *old, const struct touch *new)
{
    const bool is_stronger = new->is_write || (!old->is_write && old->moment.slot == new->moment.slot);
    return is_stronger && region_covers(&new->region, &old->region);
}

/* Holds an earlier touch against a new one; whether it can be forgotten. */
static bool hold_against(const struct tracked_memory *memory, const struct touch *old,
                         const struct tracked_stream *stream, const struct touch *new, bool fails,
                         struct findings *findings)
{
    if (host_is_behind(old->moment))
        return true; /* whatever comes is behind it */
    if (stream_is_behind(stream, old->moment))
        return is_superseded(old, new);
    if (!old->is_write && !new->is_write)
        return false;
    const enum region_relation relation = region_relate(&old->region, &new->region);
    if (relation == REGIONS_APART || moment_is_native(old->moment) || moment_is_native(new->moment))
        return false;
    add_race(findings, memory, old, new, relation);
    return relation == REGIONS_MEET && !fails; /* once said is enough */
}

void memory_touch(struct tracked_stream *stream, const struct touch *touch, bool fails, struct findings *findings)
{
    struct tracked_memory *memory = touch->region.rows != 0 ? memory_at(touch->region.start) : NULL;
    uint32_t kept = 0;
    if (memory == NULL)
        return;
    for (uint32_t i = 0; i < memory->count; i++)
        if (!hold_against(memory, &memory->touches[i], stream, touch, fails, findings))
            memory->touches[kept++] = memory->touches[i];
    memory->count = kept;
    touch_add(memory, touch);
}

void memory_rewind(struct moment moment)
{
    for (uint32_t i = 0; i < memories.capacity; i++) {
        struct tracked_memory *memory = memories.entries[i].value;
        uint32_t kept = 0;
        for (uint32_t j = 0; memory != NULL && j < memory->count; j++)
            if (memory->touches[j].moment.slot != moment.slot || memory->touches[j].moment.moment <= moment.moment)
                memory->touches[kept++] = memory->touches[j];
        if (memory != NULL)
            memory->count = kept;
    }
}

uint64_t memory_bytes_behind(const void *address)
{
    const struct tracked_memory *memory = memory_at((uint64_t)(uintptr_t)address);
    return memory != NULL ? base_of(memory) + memory->facts.size - (uint64_t)(uintptr_t)address : 0;
}

bool memory_was_freed(const void *address, uint64_t memory_moment, char *text, size_t size)
{
    char where[MEMORY_TEXT];
    struct segment *segment = address_find(address);
    struct chunk *chunk = segment != NULL ? segment_chunk_at(segment, address) : NULL;
    const struct tracked_memory *memory = memory_at((uint64_t)(uintptr_t)address);
    if (memory != NULL && memory->facts.moment > memory_moment) {
        text_set(text, size, "was freed since, and is part of %s", memory_text(memory, where));
        return true;
    }
    const bool is_live = chunk != NULL && atomic_load(&chunk->state) == CHUNK_LIVE;
    if (is_live || (segment == NULL && !window_is_inside_any(address)))
        return false;
    text_set(text, size, "was freed since");
    return true;
}

void memory_used(const struct tracked_stream *stream, const void *address)
{
    struct tracked_memory *memory = map_get(&memories, (uint64_t)(uintptr_t)address);
    const struct moment now = stream_now(stream);
    for (uint32_t i = 0; memory != NULL && i < memory->count; i++)
        if (memory->touches[i].moment.slot == now.slot)
            memory->touches[i].is_kept = true;
}

/* A touch that the memory is taken from: the first one not passed when the host takes it, or not in the stream's order.
 * The allocator itself keeps a free behind the allocation. */
static const struct touch *find_victim(const struct tracked_memory *memory, enum layers_give how,
                                       const struct tracked_stream *stream)
{
    for (uint32_t i = 0; i < memory->count; i++) {
        const struct touch *touch = &memory->touches[i];
        const bool is_passed = how == LAYERS_GIVE_AT_ONCE ? host_is_behind(touch->moment)
                                                          : touch->is_kept || stream_is_behind(stream, touch->moment);
        if (!is_passed && !touch->is_allocation && !moment_is_native(touch->moment))
            return touch;
    }
    return NULL;
}

void memory_give(const void *address, enum layers_give how, const struct tracked_stream *stream, bool fails,
                 struct findings *findings)
{
    char what[TOUCH_TEXT], where[MEMORY_TEXT], there[PLACE_TEXT];
    struct tracked_memory *memory = map_get(&memories, (uint64_t)(uintptr_t)address);
    if (memory == NULL)
        return;
    const bool is_judged = how == LAYERS_GIVE_AT_ONCE || (how == LAYERS_GIVE_IN_STREAM && stream != NULL);
    const struct touch *victim = is_judged ? find_victim(memory, how, stream) : NULL;
    if (victim != NULL)
        findings_add(findings, HALY_LOG_ERROR, 0, "free: %s may still use the memory, %s; it was submitted at %s; %s",
                     touch_text(victim, what),
                     how == LAYERS_GIVE_AT_ONCE ? "and the host has not waited for it"
                                                : "and nothing orders it in front of this stream's free",
                     place_text(&victim->place, there), memory_text(memory, where));
    if (victim == NULL || !fails)
        memory_free(map_take(&memories, (uint64_t)(uintptr_t)address));
}

void memory_list(const haly_context *context, memory_visit_fn visit, void *user)
{
    for (uint32_t i = 0; i < memories.capacity; i++) {
        const struct tracked_memory *memory = memories.entries[i].value;
        if (memory != NULL && memory->facts.context == context && !memory->facts.is_of_graph)
            visit(user, &memory->facts, &memory->made);
    }
}

/* The first allocation of a context, or of all. */
static struct tracked_memory *first_of(const haly_context *context)
{
    for (uint32_t i = 0; i < memories.capacity; i++) {
        struct tracked_memory *memory = memories.entries[i].value;
        if (memory != NULL && (context == NULL || memory->facts.context == context))
            return memory;
    }
    return NULL;
}

void memory_context_closed(const haly_context *context)
{
    for (struct tracked_memory *memory; (memory = first_of(context)) != NULL;)
        memory_free(map_take(&memories, base_of(memory)));
}

void memory_clear(void)
{
    memory_context_closed(NULL);
    map_clear(&memories);
}

void memory_forked(void)
{
    static struct map of_parents __attribute__((used, unused)); /* where leak checkers find it */
    of_parents = memories;
    memories = (struct map){0};
}
