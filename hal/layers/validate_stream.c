/* SPDX-License-Identifier: Apache-2.0 */
/* What lies before what: a clock for each stream, one for each record of an event, and one for the host. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers/clock.h"
#include "layers/map.h"
#include "layers/validate.h"

/* Slots of ended streams that stay as they are, so that what their commands touched is still told by name. */
#define SLOTS_KEPT 64U

struct tracked_stream {
    uint32_t slot;
    uint64_t id;
    char name[OBJECT_NAME_BYTES];
    haly_context *context;
    uint64_t first, latest; /* moment in front of the first, and the latest */
    uint64_t commands;
    struct clock before;   /* what lies before the next command */
    uint64_t host_version; /* of the host's clock that `before` holds */
    bool is_native, is_ended;
    bool is_entered;
    pthread_t submitter;
};

/* What stood in front of a record. */
struct layer_record {
    struct clock before; /* the record itself included */
};

static struct map streams;            /* live, by timeline */
static struct map native_contexts;    /* handed out as native handles */
static struct tracked_stream **slots; /* latest stream of each slot */
static uint32_t slot_count, slot_capacity;
static uint32_t *ended; /* slots without a live stream, oldest first */
static uint32_t ended_count, ended_capacity;
static struct clock host; /* what some thread of the program has seen pass */
static uint64_t host_version;

/* Memory ran out for something that orders commands: from then on all are taken for ordered, since what is wrongly
 * taken for a race would fail a call. */
static bool has_gaps;

static bool grow(void **array, uint32_t *capacity, uint32_t count, size_t size)
{
    if (count < *capacity)
        return true;
    const uint32_t wanted = 2 * *capacity + 16;
    void *grown = realloc(*array, wanted * size);
    if (grown == NULL)
        return false;
    *array = grown;
    *capacity = wanted;
    return true;
}

static uint64_t key_of(const struct timeline *timeline)
{
    return (uint64_t)(uintptr_t)timeline;
}

struct tracked_stream *stream_of_timeline(const struct timeline *timeline)
{
    return map_get(&streams, key_of(timeline));
}

/* A slot for a stream: a new one, or that of a stream which ended long ago, after whose last moment this one begins. */
static bool take_slot(struct tracked_stream *stream)
{
    void *list = slots;
    if (ended_count > SLOTS_KEPT) {
        stream->slot = ended[0];
        memmove(ended, ended + 1, --ended_count * sizeof *ended);
        stream->first = slots[stream->slot]->latest;
        clock_free(&slots[stream->slot]->before);
        free(slots[stream->slot]);
    } else {
        if (!grow(&list, &slot_capacity, slot_count, sizeof(struct tracked_stream *)))
            return false;
        slots = list;
        stream->slot = slot_count++;
    }
    slots[stream->slot] = stream;
    stream->latest = stream->first;
    return true;
}

struct tracked_stream *stream_track(haly_stream *stream)
{
    struct tracked_stream *tracked = stream_of_timeline(stream->timeline);
    if (tracked != NULL)
        return tracked;
    tracked = calloc(1, sizeof *tracked);
    if (tracked == NULL) {
        has_gaps = true;
        return NULL;
    }
    tracked->id = stream->object.id;
    tracked->context = stream->object.context;
    tracked->is_native = map_get(&native_contexts, (uint64_t)(uintptr_t)tracked->context) != NULL;
    memcpy(tracked->name, stream->object.name, sizeof tracked->name);
    if (map_put(&streams, key_of(stream->timeline), tracked) && take_slot(tracked))
        return tracked;
    has_gaps = true;
    map_take(&streams, key_of(stream->timeline));
    free(tracked);
    return NULL;
}

void stream_untrack(const struct timeline *timeline)
{
    struct tracked_stream *stream = map_take(&streams, key_of(timeline));
    void *list = ended;
    if (stream == NULL)
        return;
    stream->is_ended = true;
    if (grow(&list, &ended_capacity, ended_count, sizeof *ended)) {
        ended = list;
        ended[ended_count++] = stream->slot;
    }
}

struct moment stream_now(const struct tracked_stream *stream)
{
    return (struct moment){stream->slot, stream->latest, stream->commands};
}

struct moment stream_advance(struct tracked_stream *stream, bool is_command)
{
    if (stream->host_version != host_version) {
        clock_join(&stream->before, &host, &has_gaps);
        stream->host_version = host_version;
    }
    stream->latest++;
    stream->commands += is_command;
    return stream_now(stream);
}

bool stream_is_behind(const struct tracked_stream *stream, struct moment moment)
{
    return moment.slot == stream->slot || clock_at(&stream->before, moment.slot) >= moment.moment ||
           host_is_behind(moment);
}

bool host_is_behind(struct moment moment)
{
    return has_gaps || clock_at(&host, moment.slot) >= moment.moment;
}

bool order_has_gaps(void)
{
    return has_gaps;
}

bool moment_is_native(struct moment moment)
{
    return slots[moment.slot]->is_native;
}

void stream_rewind(struct tracked_stream *stream, struct moment moment)
{
    stream->latest = moment.moment;
    stream->commands = moment.command;
}

bool stream_enter(struct tracked_stream *stream)
{
    if (stream->is_entered && !pthread_equal(stream->submitter, pthread_self()))
        return false;
    stream->is_entered = true;
    stream->submitter = pthread_self();
    return true;
}

void stream_leave(struct tracked_stream *stream)
{
    stream->is_entered = false;
}

const char *moment_text(struct moment moment, char text[MOMENT_TEXT])
{
    const struct tracked_stream *stream = slots[moment.slot];
    const bool has_name = stream->name[0] != '\0';
    if (moment.moment <= stream->first)
        snprintf(text, MOMENT_TEXT, "a stream that has ended");
    else
        snprintf(text, MOMENT_TEXT, "stream %llu%s%.48s%s, command %llu", (unsigned long long)stream->id,
                 has_name ? " \"" : "", stream->name, has_name ? "\"" : "", (unsigned long long)moment.command);
    return text;
}

void order_record(struct tracked_stream *stream, struct event_record *record)
{
    order_record_ended(record);
    record->layer = calloc(1, sizeof *record->layer);
    if (record->layer == NULL) {
        has_gaps = true;
        return;
    }
    clock_join(&record->layer->before, &stream->before, &has_gaps);
    clock_raise(&record->layer->before, stream->slot, stream->latest, &has_gaps);
}

void order_wait(struct tracked_stream *stream, const struct event_record *record)
{
    if (record->layer != NULL)
        clock_join(&stream->before, &record->layer->before, &has_gaps);
}

void order_host_saw(const struct tracked_stream *stream, uint64_t moment)
{
    const bool is_news = clock_join(&host, &stream->before, &has_gaps);
    host_version += clock_raise(&host, stream->slot, moment, &has_gaps) || is_news;
}

void order_host_saw_record(const struct event_record *record)
{
    if (record->layer != NULL)
        host_version += clock_join(&host, &record->layer->before, &has_gaps);
}

void order_record_ended(struct event_record *record)
{
    if (record->layer == NULL)
        return;
    clock_free(&record->layer->before);
    free(record->layer);
    record->layer = NULL;
}

void order_went_native(const haly_context *context, const struct timeline *only)
{
    if (only == NULL && !map_put(&native_contexts, (uint64_t)(uintptr_t)context, &native_contexts))
        has_gaps = true;
    for (uint32_t i = 0; i < streams.capacity; i++) {
        struct tracked_stream *stream = streams.entries[i].value;
        if (streams.entries[i].key == 0 || stream->context != context)
            continue;
        if (only == NULL || streams.entries[i].key == key_of(only))
            stream->is_native = true;
    }
}

void order_context_closed(const haly_context *context)
{
    map_take(&native_contexts, (uint64_t)(uintptr_t)context);
}

static void streams_reset(void)
{
    streams = native_contexts = (struct map){0};
    slots = NULL;
    ended = NULL;
    slot_count = slot_capacity = ended_count = ended_capacity = 0;
    host = (struct clock){0};
    host_version = 0;
    has_gaps = false;
}

/* Without freeing what a thread of the parent may have been in the middle of. */
void streams_forked(void)
{
    static struct map of_parents[2] __attribute__((used, unused)); /* where leak checkers find them */
    static void *lists_of_parents[3] __attribute__((used, unused));
    of_parents[0] = streams;
    of_parents[1] = native_contexts;
    lists_of_parents[0] = slots;
    lists_of_parents[1] = ended;
    lists_of_parents[2] = host.moments;
    streams_reset();
}

void streams_clear(void)
{
    for (uint32_t i = 0; i < slot_count; i++) {
        clock_free(&slots[i]->before);
        free(slots[i]);
    }
    free(slots);
    free(ended);
    clock_free(&host);
    map_clear(&streams);
    map_clear(&native_contexts);
    streams_reset();
}
