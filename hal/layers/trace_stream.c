/* SPDX-License-Identifier: Apache-2.0 */
/* Timing what streams do: batches on their way down get timed events, and become lines of the trace once they are over.
 */
#include <stdlib.h>
#include <string.h>

#include "layers/trace.h"
#include "process.h"

/* Unread batches of a stream from where on the backend is asked how far it is. */
#define UNREAD_MOST 256U
/* Batches whose places among the stream's commands are known. */
#define PLACES 1024U

typedef unsigned long long ull; /* for formats */

/* Commands of one submit: event, command, event, …, command, event. */
struct trace_batch {
    struct trace_batch *next;
    haly_context *context;
    uint64_t stream_id, first, last; /* place of the first event, and of the last that was queued */
    uint64_t submitted;              /* when, on the host, in nanoseconds */
    uint32_t count;                  /* of commands */
    struct trace_text *texts;        /* what each of them is */
    struct event_record **events;    /* count + 1, or NULL: without times of their own */
    char *woven;                     /* records and events, until they are submitted */
    uint64_t woven_bytes;
};

/* Where a batch stands: its events are none of the program's commands. */
struct trace_place {
    uint64_t first;
    uint64_t inserted; /* events in front of it */
    uint32_t count;
};

struct trace_stream {
    struct trace_batch *oldest, *latest; /* unread */
    uint32_t unread;
    uint64_t commands, inserted;
    struct trace_place places[PLACES]; /* ring */
    uint64_t place_count;
};

static uint64_t key_of(const struct timeline *timeline)
{
    return (uint64_t)(uintptr_t)timeline;
}

/* ---- a batch ---- */

static void batch_free(struct trace_batch *batch)
{
    for (uint32_t i = 0; batch->texts != NULL && i < batch->count; i++)
        trace_text_clear(&batch->texts[i]);
    for (uint32_t i = 0; batch->events != NULL && i <= batch->count; i++)
        if (batch->events[i] != NULL)
            event_record_release(batch->events[i]);
    free(batch->texts);
    free(batch->events);
    free(batch->woven);
    free(batch);
}

static bool acquire_events(struct trace_batch *batch)
{
    batch->events = calloc(batch->count + 1, sizeof(struct event_record *));
    for (uint32_t i = 0; batch->events != NULL && i <= batch->count; i++)
        if (event_record_acquire(batch->context, HALY_EVENT_TIMED, &batch->events[i]) != HALY_OK)
            return false;
    return batch->events != NULL;
}

static char *put_event(char *at, struct event_record *event)
{
    const haly_command_record command = {{sizeof command, HALY_COMMAND_RECORD, 0}, event};
    memcpy(at, &command, sizeof command);
    return at + sizeof command;
}

/* The records with the batch's events among them, and without notes. */
static bool weave(struct trace_batch *batch, const struct layer_batch *records)
{
    batch->woven = malloc(records->bytes + (batch->count + 1) * sizeof(haly_command_record));
    if (batch->woven == NULL)
        return false;
    char *at = put_event(batch->woven, batch->events[0]);
    uint32_t i = 0;
    const void *end = records->records + records->bytes;
    for (const haly_command *record = (const void *)records->records; (const void *)record != end;
         record = command_next(record)) {
        if (is_note(record))
            continue;
        memcpy(at, record, record->size);
        at = put_event(at + record->size, batch->events[++i]);
    }
    batch->woven_bytes = (uint64_t)(at - batch->woven);
    return true;
}

static void describe_all(struct trace_batch *batch, const struct layer_batch *records, uint64_t number)
{
    char label[TIMELINE_LABEL_BYTES];
    const void *end = records->records + records->bytes;
    uint32_t i = 0;
    timeline_label_at(records->stream->timeline, UINT64_MAX, label);
    for (const haly_command *record = (const void *)records->records; (const void *)record != end;
         record = command_next(record))
        if (!is_note(record)) {
            trace_describe(&batch->texts[i], record, note_behind(record, end), number + i, label);
            i++;
        }
}

/* What is submitted, in words, with events where `is_timed`; NULL when memory or the device has no room for that: then
 * nobody traces it. */
static struct trace_batch *batch_create(const struct layer_batch *records, uint64_t number, bool is_timed)
{
    const haly_error before = *error_detail();
    struct trace_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL)
        return NULL;
    batch->context = records->stream->object.context;
    batch->stream_id = records->stream->object.id;
    batch->count = records->count;
    batch->texts = calloc(batch->count + 1, sizeof *batch->texts);
    if (batch->texts == NULL || (is_timed && !(acquire_events(batch) && weave(batch, records)))) {
        batch_free(batch);
        *error_detail() = before;
        return NULL;
    }
    describe_all(batch, records, number);
    batch->submitted = process_now();
    return batch;
}

/* ---- reading ---- */

/* The host's time of an event; 0 when it has none. */
static uint64_t time_of(const struct trace_context *context, const struct event_record *event)
{
    int64_t nanoseconds = 0;
    if (event->context->backend->event_elapsed(context->anchor->block, event->block, &nanoseconds) != HALY_OK)
        return 0;
    return context->anchored + (uint64_t)nanoseconds;
}

static void write_command(struct trace *trace, const struct trace_batch *batch, uint32_t i, uint64_t begin,
                          uint64_t end)
{
    struct trace_text text = {0};
    trace_text_format(&text, "{\"ph\":\"X\",\"cat\":\"%s\",\"pid\":%llu,\"tid\":%llu,\"ts\":",
                      begin != 0 ? "command" : "command without times",
                      (ull)(TRACE_CONTEXTS + batch->context->object.id), (ull)batch->stream_id);
    trace_text_microseconds(&text, begin != 0 ? begin : batch->submitted);
    trace_text_format(&text, ",\"dur\":");
    trace_text_microseconds(&text, end > begin && begin != 0 ? end - begin : 0);
    trace_text_format(&text, ",");
    trace_text_add(&text, batch->texts[i].bytes, batch->texts[i].size);
    trace_text_format(&text, "}");
    text.is_lost = text.is_lost || batch->texts[i].is_lost;
    trace_emit(trace, &text);
}

/* Writes a batch that is over, and frees it. Not under the lock. */
static void batch_write(struct trace *trace, struct trace_batch *batch)
{
    const haly_error before = *error_detail();
    const struct trace_context *context = trace_context_of(trace, batch->context);
    uint64_t begin = 0;
    if (batch->events != NULL && context != NULL)
        begin = time_of(context, batch->events[0]);
    for (uint32_t i = 0; i < batch->count; i++) {
        const uint64_t end = begin != 0 ? time_of(context, batch->events[i + 1]) : 0;
        write_command(trace, batch, i, end != 0 ? begin : 0, end);
        begin = end;
    }
    *error_detail() = before;
    batch_free(batch);
}

/* Takes the oldest unread batch if it is over, or `is_ended`. */
static struct trace_batch *take_batch(struct trace *trace, struct timeline *timeline, bool is_ended)
{
    pthread_mutex_lock(&trace->lock);
    struct trace_stream *stream = map_get(&trace->streams, key_of(timeline));
    struct trace_batch *batch = stream != NULL ? stream->oldest : NULL;
    if (batch != NULL && !is_ended && !timeline_is_known_finished(timeline, batch->last))
        batch = NULL;
    if (batch != NULL) {
        stream->oldest = batch->next;
        stream->unread--;
        if (stream->oldest == NULL)
            stream->latest = NULL;
    }
    pthread_mutex_unlock(&trace->lock);
    return batch;
}

void trace_collect(struct trace *trace, struct timeline *timeline)
{
    for (struct trace_batch *batch; (batch = take_batch(trace, timeline, false)) != NULL;)
        batch_write(trace, batch);
}

void trace_stream_ended(void *state, haly_stream *stream)
{
    struct trace *trace = state;
    for (struct trace_batch *batch; (batch = take_batch(trace, stream->timeline, true)) != NULL;)
        batch_write(trace, batch);
    pthread_mutex_lock(&trace->lock);
    free(map_take(&trace->streams, key_of(stream->timeline)));
    pthread_mutex_unlock(&trace->lock);
    trace_flush(trace);
}

void trace_streams_clear(struct trace *trace)
{
    for (uint32_t i = 0; i < trace->streams.capacity; i++) {
        struct trace_stream *stream = trace->streams.entries[i].value;
        for (struct trace_batch *batch; stream != NULL && (batch = stream->oldest) != NULL;) {
            stream->oldest = batch->next;
            free(batch->events); /* which are the abandoned context's */
            batch->events = NULL;
            batch_free(batch);
        }
        free(stream);
    }
    map_clear(&trace->streams);
}

/* ---- submitting ---- */

static void name_stream(struct trace *trace, const haly_stream *stream)
{
    struct trace_text name = {0}, text = {0};
    trace_text_format(&name, "stream %llu%s%.63s%c", (ull)stream->object.id, stream->object.name[0] != '\0' ? " " : "",
                      stream->object.name, '\0');
    trace_text_format(&text, "{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":%llu,\"tid\":%llu,\"args\":{\"name\":",
                      (ull)(TRACE_CONTEXTS + stream->object.context->object.id), (ull)stream->object.id);
    if (!name.is_lost)
        trace_text_quote(&text, name.bytes);
    trace_text_format(&text, "}}");
    text.is_lost = text.is_lost || name.is_lost;
    trace_text_clear(&name);
    trace_emit(trace, &text);
}

/* The stream's entry, made on first need; NULL: out of memory. */
static struct trace_stream *stream_of(struct trace *trace, const haly_stream *stream)
{
    bool is_new = false;
    pthread_mutex_lock(&trace->lock);
    struct trace_stream *known = map_get(&trace->streams, key_of(stream->timeline));
    if (known == NULL) {
        known = calloc(1, sizeof *known);
        is_new = known != NULL && map_put(&trace->streams, key_of(stream->timeline), known);
        if (!is_new) {
            free(known);
            known = NULL;
        }
    }
    pthread_mutex_unlock(&trace->lock);
    if (is_new)
        name_stream(trace, stream);
    return known;
}

/* A native stream may be in the middle of what its owner captures: no events of ours there. */
static bool has_times(struct trace *trace, haly_stream *stream)
{
    const struct trace_context *context = trace_context_of(trace, stream->object.context);
    const uint32_t gate = atomic_load_explicit(&stream->gate, memory_order_relaxed);
    return context != NULL && context->anchor != NULL && (gate & (STREAM_WRAPPED | STREAM_GIVEN)) == 0;
}

/* Notes where the batch stands, before the backend can fail one of its commands. */
static void place(struct trace *trace, struct trace_stream *stream, const struct trace_batch *batch)
{
    pthread_mutex_lock(&trace->lock);
    stream->places[stream->place_count++ % PLACES] = (struct trace_place){batch->first, stream->inserted, batch->count};
    pthread_mutex_unlock(&trace->lock);
}

uint64_t trace_program_sequence(void *state, struct timeline *timeline, uint64_t sequence)
{
    struct trace *trace = state;
    uint64_t inserted = 0;
    pthread_mutex_lock(&trace->lock);
    const struct trace_stream *stream = map_get(&trace->streams, key_of(timeline));
    const uint64_t kept = stream == NULL ? 0 : stream->place_count < PLACES ? stream->place_count : PLACES;
    for (uint64_t back = 1; back <= kept; back++) {
        const struct trace_place *at = &stream->places[(stream->place_count - back) % PLACES];
        if (at->first > sequence)
            continue;
        const uint64_t inside = (sequence - at->first + 1) / 2;
        inserted = at->inserted + (inside < at->count + 1 ? inside : at->count + 1);
        break;
    }
    pthread_mutex_unlock(&trace->lock);
    return sequence - inserted;
}

/* Only so many of its commands, with the events around them, were queued. */
static void batch_cut(struct trace_batch *batch, uint32_t count)
{
    for (uint32_t i = count; i < batch->count; i++) {
        trace_text_clear(&batch->texts[i]);
        if (batch->events != NULL)
            event_record_release(batch->events[i + 1]);
    }
    batch->count = count;
}

static void batch_keep(struct trace *trace, struct trace_stream *stream, struct trace_batch *batch, uint64_t queued)
{
    const uint64_t commands = batch->events != NULL ? queued / 2 : queued;
    const uint64_t whole = batch->events == NULL ? queued : queued != 0 ? (queued - 1) / 2 : 0;
    batch_cut(batch, (uint32_t)whole);
    batch->last = batch->first + queued - 1;
    pthread_mutex_lock(&trace->lock);
    stream->commands += commands;
    stream->inserted += queued - commands;
    if (stream->latest != NULL)
        stream->latest->next = batch;
    else
        stream->oldest = batch;
    stream->latest = batch;
    stream->unread++;
    pthread_mutex_unlock(&trace->lock);
}

static void bind_event(struct event_record *event, struct timeline *timeline, uint64_t sequence)
{
    if (event->timeline != timeline || event->sequence != sequence)
        event_record_bind(event, timeline, sequence);
}

/* The core gives a record command that comes alone its place, and the service those that it queues; among commands it
 * is done here, the program's own included, as far as they were queued. */
static void bind_queued(const struct trace_batch *batch, const struct layer_batch *records, uint64_t queued)
{
    struct timeline *timeline = records->stream->timeline;
    const void *end = records->records + records->bytes;
    uint64_t at = 1;
    for (uint64_t i = 0; 2 * i < queued; i++)
        bind_event(batch->events[i], timeline, batch->first + 2 * i);
    for (const haly_command *record = (const void *)records->records; (const void *)record != end && at < queued;
         record = command_next(record)) {
        if (is_note(record))
            continue;
        if (record->kind == HALY_COMMAND_RECORD)
            bind_event(((const haly_command_record *)record)->event, timeline, batch->first + at);
        at += 2;
    }
}

haly_status trace_submit(void *state, struct layer_batch *records, const struct layer_chain *chain)
{
    struct trace *trace = state;
    haly_stream *stream = records->stream;
    struct trace_stream *known = stream_of(trace, stream);
    struct trace_batch *batch =
        known != NULL ? batch_create(records, known->commands + 1, has_times(trace, stream)) : NULL;
    struct layer_batch down = *records;
    if (batch == NULL)
        return layer_pass(chain, records);
    batch->first = layer_submitted(stream) + 1;
    if (batch->woven != NULL) {
        down = (struct layer_batch){stream, batch->woven, batch->woven_bytes, 2 * batch->count + 1};
        place(trace, known, batch);
    }
    const haly_status status = layer_pass(chain, &down);
    const uint64_t queued = layer_submitted(stream) + 1 - batch->first;
    if (batch->woven != NULL)
        bind_queued(batch, records, queued);
    free(batch->woven);
    batch->woven = NULL;
    batch_keep(trace, known, batch, queued);
    if (known->unread > UNREAD_MOST)
        timeline_has_finished(stream->timeline, batch->first - 1);
    trace_collect(trace, stream->timeline);
    return status;
}
