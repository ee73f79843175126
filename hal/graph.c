/* SPDX-License-Identifier: Apache-2.0 */
/* Capturing a stream's commands and replaying them. */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "event.h"
#include "kernel.h"
#include "memory.h"
#include "plan.h"
#include "retire.h"

struct haly_graph {
    struct object object;
    char *records; /* public form; events stand in record and wait commands */
    uint64_t bytes, capacity;
    uint64_t command_count;
    void **kept; /* kernels, plans and events, each counted */
    uint32_t kept_count, kept_capacity;
    void **memory; /* workspaces, freed with the graph */
    uint32_t memory_count, memory_capacity;
    bool instantiated;
    pthread_mutex_t launch_lock;
    haly_event *launched; /* behind the latest launch: launches of one graph are ordered */
};

/* A capture is a graph that nobody else knows yet. */
struct capture {
    haly_graph *graph;
};

static haly_status grow(void **list, uint32_t *capacity, uint32_t count, size_t size)
{
    if (count < *capacity)
        return HALY_OK;
    const uint32_t wanted = *capacity != 0 ? 2 * *capacity : 16;
    void *grown = realloc(*list, wanted * size);
    if (grown == NULL)
        return fail_host_oom("a graph", wanted * size);
    *list = grown;
    *capacity = wanted;
    return HALY_OK;
}

static haly_status reserve_records(haly_graph *graph, uint64_t bytes)
{
    if (graph->bytes + bytes <= graph->capacity)
        return HALY_OK;
    const uint64_t wanted =
        2 * graph->capacity > graph->bytes + bytes ? 2 * graph->capacity : graph->bytes + bytes + 4096;
    char *grown = realloc(graph->records, wanted);
    if (grown == NULL)
        return fail_host_oom("a graph's commands", wanted);
    graph->records = grown;
    graph->capacity = wanted;
    return HALY_OK;
}

static haly_status keep(haly_graph *graph, void *object)
{
    if (graph->kept_count > 0 && graph->kept[graph->kept_count - 1] == object)
        return HALY_OK;
    void *list = graph->kept;
    TRY(grow(&list, &graph->kept_capacity, graph->kept_count, sizeof *graph->kept));
    graph->kept = list;
    graph->kept[graph->kept_count++] = object;
    object_retain(object, (haly_object_kind)((struct object *)object)->kind);
    return HALY_OK;
}

static haly_status keep_objects(haly_graph *graph, const void *records, uint64_t bytes)
{
    const char *end = (const char *)records + bytes;
    for (const haly_command *record = records; (const char *)record < end; record = command_next(record)) {
        if (record->kind == HALY_COMMAND_LAUNCH)
            TRY(keep(graph, ((const haly_command_launch *)record)->kernel));
        else if (record->kind == HALY_COMMAND_OP)
            TRY(keep(graph, ((const haly_command_op *)record)->plan));
    }
    return HALY_OK;
}

haly_status capture_append(haly_stream *stream, const void *records, uint64_t bytes, uint32_t count)
{
    haly_graph *graph = stream->capture->graph;
    TRY(reserve_records(graph, bytes));
    TRY(keep_objects(graph, records, bytes));
    memcpy(graph->records + graph->bytes, records, bytes);
    graph->bytes += bytes;
    graph->command_count += count;
    return HALY_OK;
}

static bool is_recorded_in(const haly_graph *graph, const haly_event *event)
{
    const char *end = graph->records + graph->bytes;
    for (const haly_command *record = (const void *)graph->records; (const char *)record < end;
         record = command_next(record))
        if (record->kind == HALY_COMMAND_RECORD && ((const haly_command_record *)record)->event == event)
            return true;
    return false;
}

haly_status capture_event(haly_stream *stream, uint16_t kind, haly_event *event)
{
    haly_graph *graph = stream->capture->graph;
    if (kind == HALY_COMMAND_WAIT && is_recorded_in(graph, event))
        return HALY_OK; /* recorded earlier in this capture, so in order already */
    const haly_command_record command = {{sizeof command, kind, 0}, event};
    TRY(keep(graph, event));
    return capture_append(stream, &command, sizeof command, 1);
}

haly_status capture_keep_memory(haly_stream *stream, void *address)
{
    haly_graph *graph = stream->capture->graph;
    void *list = graph->memory;
    TRY(grow(&list, &graph->memory_capacity, graph->memory_count, sizeof *graph->memory));
    graph->memory = list;
    graph->memory[graph->memory_count++] = address;
    return HALY_OK;
}

static void release_kept(void *object)
{
    switch ((uint32_t)((struct object *)object)->kind) {
    case HALY_OBJECT_KERNEL:
        haly_kernel_release(object);
        break;
    case HALY_OBJECT_PLAN:
        haly_plan_release(object);
        break;
    case HALY_OBJECT_EVENT:
        haly_event_release(object);
        break;
    default:
        break;
    }
}

void graph_destroy(struct object *object)
{
    haly_graph *graph = (haly_graph *)object;
    for (uint32_t i = 0; i < graph->kept_count; i++)
        release_kept(graph->kept[i]);
    for (uint32_t i = 0; i < graph->memory_count; i++)
        haly_free(object->context, graph->memory[i]);
    haly_event_release(graph->launched);
    pthread_mutex_destroy(&graph->launch_lock);
    free(graph->records);
    free(graph->kept);
    free(graph->memory);
    free(graph);
}

static void graph_end(struct object *object)
{
    object_unpublish(object);
    retire(object, graph_destroy);
}

haly_status haly_stream_capture_begin(haly_stream *stream)
{
    ENTRY_STREAM(stream);
    TRY(stream_refuse_in_capture(stream, "starting another capture"));
    if ((stream->gate & STREAM_WRAPPED) != 0)
        return FAIL(HALY_ERR_UNSUPPORTED, "a wrapped stream cannot be captured by Halyard; its owner can");
    struct capture *capture = calloc(1, sizeof *capture);
    haly_graph *graph = calloc(1, sizeof *graph);
    if (capture == NULL || graph == NULL) {
        free(capture);
        free(graph);
        return fail_host_oom("a capture", sizeof *capture + sizeof *graph);
    }
    object_init(&graph->object, HALY_OBJECT_GRAPH, stream->object.context);
    pthread_mutex_init(&graph->launch_lock, NULL);
    capture->graph = graph;
    stream->capture = capture;
    atomic_fetch_or(&stream->gate, STREAM_CAPTURING);
    return HALY_OK;
}

haly_status haly_stream_capture_end(haly_stream *stream, haly_graph **out_graph)
{
    ENTRY_STREAM(stream);
    REQUIRE(out_graph);
    if (!stream_is_capturing(stream))
        return FAIL(HALY_ERR_INVALID, "the stream is not being captured");
    struct capture *capture = stream->capture;
    stream->capture = NULL;
    atomic_fetch_and(&stream->gate, ~(uint32_t)STREAM_CAPTURING);
    *out_graph = capture->graph;
    object_publish(&capture->graph->object, NULL); /* without a name it cannot fail */
    free(capture);
    return HALY_OK;
}

void capture_discard(haly_stream *stream)
{
    if (stream->capture == NULL)
        return;
    graph_destroy(&stream->capture->graph->object);
    free(stream->capture);
    stream->capture = NULL;
}

void haly_graph_retain(haly_graph *graph)
{
    object_retain(graph, HALY_OBJECT_GRAPH);
}

void haly_graph_release(haly_graph *graph)
{
    object_release(graph, HALY_OBJECT_GRAPH, graph_end);
}

static haly_status instantiate(haly_graph *graph)
{
    if (graph->instantiated)
        return HALY_OK;
    TRY(haly_event_create(graph->object.context, NULL, &graph->launched));
    graph->instantiated = true;
    return HALY_OK;
}

haly_status haly_graph_instantiate(haly_graph *graph)
{
    ENTRY_LIVE(graph, HALY_OBJECT_GRAPH, graph->object.context);
    pthread_mutex_lock(&graph->launch_lock);
    const haly_status status = instantiate(graph);
    pthread_mutex_unlock(&graph->launch_lock);
    return status;
}

/* Submits [from, to) of the graph's records through a scratch copy, which submitting rewrites. */
static haly_status replay_run(haly_stream *stream, const haly_graph *graph, uint64_t from, uint64_t to, uint32_t count,
                              char *scratch)
{
    if (count == 0)
        return HALY_OK;
    memcpy(scratch, graph->records + from, to - from);
    return stream_submit(stream, scratch, to - from, count);
}

/* Replays in runs between record and wait commands, which go through their own functions. */
static haly_status replay(haly_stream *stream, const haly_graph *graph, char *scratch)
{
    uint64_t from = 0, at = 0;
    uint32_t count = 0;
    while (at < graph->bytes) {
        const haly_command *record = (const void *)(graph->records + at);
        const uint64_t next = at + record->size;
        if (record->kind == HALY_COMMAND_RECORD || record->kind == HALY_COMMAND_WAIT) {
            haly_event *event = ((const haly_command_record *)record)->event;
            TRY(replay_run(stream, graph, from, at, count, scratch));
            TRY(record->kind == HALY_COMMAND_RECORD ? haly_event_record(event, stream)
                                                    : haly_stream_wait(stream, event));
            from = next;
            count = 0;
        } else {
            count++;
        }
        at = next;
    }
    return replay_run(stream, graph, from, at, count, scratch);
}

haly_status haly_graph_launch(haly_stream *stream, haly_graph *graph)
{
    ENTRY_STREAM(stream);
    ENTRY(graph, HALY_OBJECT_GRAPH);
    TRY(stream_refuse_in_capture(stream, "launching a graph"));
    if (graph->object.context != stream->object.context)
        return FAIL(HALY_ERR_INVALID, "the graph belongs to context %llu, the stream to context %llu",
                    (unsigned long long)graph->object.context->object.id,
                    (unsigned long long)stream->object.context->object.id);
    char *scratch = malloc(graph->bytes + 1);
    if (scratch == NULL)
        return fail_host_oom("a graph's launch", graph->bytes);
    pthread_mutex_lock(&graph->launch_lock);
    haly_status status = instantiate(graph);
    if (status == HALY_OK)
        status = haly_stream_wait(stream, graph->launched);
    if (status == HALY_OK)
        status = replay(stream, graph, scratch);
    if (status == HALY_OK)
        status = haly_event_record(graph->launched, stream);
    pthread_mutex_unlock(&graph->launch_lock);
    free(scratch);
    return status;
}

haly_status haly_graph_info_get(haly_graph *graph, haly_graph_info *out_info)
{
    ENTRY(graph, HALY_OBJECT_GRAPH);
    const haly_graph_info info = {HALY_GRAPH_INFO_INIT, graph->instantiated, graph->command_count, graph->bytes};
    return CHECK_OUTPUT(out_info, haly_graph_info, bytes, &info);
}
