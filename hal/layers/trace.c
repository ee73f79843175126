/* SPDX-License-Identifier: Apache-2.0 */
/* The trace layer: its hooks, the anchors of device time, and the tracks of threads. */
#define _GNU_SOURCE
#include "layers/trace.h"

#include <stdlib.h>
#include <unistd.h>

#include "device.h"
#include "process.h"
#include "text.h"

/* How long a new context may take to say what time it is. */
#define ANCHOR_PATIENCE UINT64_C(1000000000)

typedef unsigned long long ull; /* for formats */

static uint64_t key_of(const void *address)
{
    return (uint64_t)(uintptr_t)address;
}

/* ---- events ---- */

void trace_emit(struct trace *trace, struct trace_text *event)
{
    pthread_mutex_lock(&trace->lock);
    trace_file_add(&trace->file, event);
    pthread_mutex_unlock(&trace->lock);
    trace_text_clear(event);
}

/* Names the calling thread's track when it is new. */
static void name_thread(struct trace *trace, uint64_t thread)
{
    char name[16] = "";
    struct trace_text text = {0};
    pthread_mutex_lock(&trace->lock);
    const bool is_known = map_get(&trace->threads, thread) != NULL || !map_put(&trace->threads, thread, trace);
    pthread_mutex_unlock(&trace->lock);
    if (is_known)
        return;
    pthread_getname_np(pthread_self(), name, sizeof name);
    trace_text_format(&text, "{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":%ld,\"tid\":%llu,\"args\":{\"name\":",
                      (long)getpid(), (ull)thread);
    trace_text_quote(&text, name);
    trace_text_format(&text, "}}");
    trace_emit(trace, &text);
}

void trace_emit_here(struct trace *trace, struct trace_text *event)
{
    const uint64_t thread = (uint64_t)gettid();
    name_thread(trace, thread);
    trace_text_format(event, ",\"pid\":%ld,\"tid\":%llu}", (long)getpid(), (ull)thread);
    trace_emit(trace, event);
}

void trace_flush(struct trace *trace)
{
    pthread_mutex_lock(&trace->lock);
    trace_file_flush(&trace->file);
    pthread_mutex_unlock(&trace->lock);
}

/* ---- contexts ---- */

struct trace_context *trace_context_of(struct trace *trace, const haly_context *context)
{
    pthread_mutex_lock(&trace->lock);
    struct trace_context *known = map_get(&trace->contexts, key_of(context));
    pthread_mutex_unlock(&trace->lock);
    return known;
}

static haly_status record_anchor(haly_stream *stream, struct event_record *record, uint64_t *out_moment)
{
    haly_command_record command = {{sizeof command, HALY_COMMAND_RECORD, 0}, record};
    const uint64_t before = process_now();
    TRY(stream_submit_plain(stream, &command, sizeof command, 1));
    TRY(timeline_event_wait(record->timeline, record->sequence, record->block, ANCHOR_PATIENCE));
    *out_moment = before + (process_now() - before) / 2;
    return HALY_OK;
}

/* An event whose moment on the host is known, on a stream of its own; without one the context's commands have no times.
 */
static void anchor(haly_context *handle, struct trace_context *context)
{
    const haly_error before = *error_detail();
    haly_stream *stream = NULL;
    if ((handle->device->spec.capabilities & HALY_CAP_TIMING) == 0 ||
        haly_stream_create(handle, NULL, &stream) != HALY_OK) {
        *error_detail() = before;
        return;
    }
    stream->object.is_internal = true;
    if (event_record_acquire(handle, HALY_EVENT_TIMED, &context->anchor) == HALY_OK &&
        record_anchor(stream, context->anchor, &context->anchored) != HALY_OK) {
        event_record_release(context->anchor);
        context->anchor = NULL;
    }
    haly_stream_release(stream);
    *error_detail() = before;
}

static void name_context(struct trace *trace, const haly_context *context)
{
    const haly_device_spec *spec = &context->device->spec;
    struct trace_text text = {0};
    char name[256];
    text_set(name, sizeof name, "%s:%u, context %llu%s%.63s", spec->backend, spec->index, (ull)context->object.id,
             context->object.name[0] != '\0' ? " " : "", context->object.name);
    trace_text_format(&text, "{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":%llu,\"args\":{\"name\":",
                      (ull)(TRACE_CONTEXTS + context->object.id));
    trace_text_quote(&text, name);
    trace_text_format(&text, "}}");
    trace_emit(trace, &text);
}

static void context_opened(void *state, haly_context *handle)
{
    struct trace *trace = state;
    struct trace_context *context = calloc(1, sizeof *context);
    if (context == NULL)
        return;
    context->id = handle->object.id;
    anchor(handle, context);
    pthread_mutex_lock(&trace->lock);
    const bool is_kept = map_put(&trace->contexts, key_of(handle), context);
    pthread_mutex_unlock(&trace->lock);
    if (is_kept) {
        name_context(trace, handle);
        return;
    }
    if (context->anchor != NULL)
        event_record_release(context->anchor);
    free(context);
}

static void context_closed(void *state, haly_context *handle)
{
    struct trace *trace = state;
    trace_memory_context_closed(trace, handle);
    pthread_mutex_lock(&trace->lock);
    struct trace_context *context = map_take(&trace->contexts, key_of(handle));
    pthread_mutex_unlock(&trace->lock);
    if (context != NULL && context->anchor != NULL)
        event_record_release(context->anchor);
    free(context);
    trace_flush(trace);
}

/* ---- waits and calls ---- */

static void host_saw(void *state, struct timeline *timeline)
{
    trace_collect(state, timeline);
    trace_flush(state);
}

static void host_saw_record(void *state, struct event_record *record)
{
    host_saw(state, record->timeline);
}

static void call_edge(struct trace *trace, const char *function, char phase)
{
    struct trace_text text = {0};
    trace_text_format(&text, "{\"ph\":\"%c\",\"cat\":\"call\",\"name\":\"%s\",\"ts\":", phase, function);
    trace_text_microseconds(&text, process_now());
    trace_emit_here(trace, &text);
}

static void call_begins(void *state, const char *function)
{
    call_edge(state, function, 'B');
}

static void call_ends(void *state, const char *function)
{
    call_edge(state, function, 'E');
    trace_flush(state);
}

/* ---- the layer ---- */

static haly_status open_layer(haly_instance *instance, void **out_state)
{
    struct trace *trace = calloc(1, sizeof *trace);
    if (trace == NULL)
        return fail_host_oom("the trace layer", sizeof *trace);
    const haly_status status = trace_file_open(&trace->file, param_text(instance->params, "trace_file"));
    if (status != HALY_OK) {
        free(trace);
        return status;
    }
    pthread_mutex_init(&trace->lock, NULL);
    *out_state = trace;
    return HALY_OK;
}

static void free_values(struct map *map)
{
    for (uint32_t i = 0; i < map->capacity; i++)
        free(map->entries[i].value);
    map_clear(map);
}

static void close_layer(void *state)
{
    struct trace *trace = state;
    trace_file_close(&trace->file);
    trace_streams_clear(trace);
    free_values(&trace->contexts); /* what is left is of contexts that were abandoned */
    free_values(&trace->memories);
    map_clear(&trace->threads);
    pthread_mutex_destroy(&trace->lock);
    free(trace);
}

const struct layer layer_trace = {
    .name = "trace",
    .open = open_layer,
    .close = close_layer,
    .submit = trace_submit,
    .program_sequence = trace_program_sequence,
    .host_saw = host_saw,
    .host_saw_record = host_saw_record,
    .context_opened = context_opened,
    .context_closed = context_closed,
    .stream_ended = trace_stream_ended,
    .memory_taken = trace_memory_taken,
    .memory_given = trace_memory_given,
    .call_begins = call_begins,
    .call_ends = call_ends,
};
