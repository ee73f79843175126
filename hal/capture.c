/* SPDX-License-Identifier: Apache-2.0 */
/* A captured stream: what is submitted to it becomes nodes of a graph, or replaces nodes of one. */
#include <stdlib.h>

#include "check.h"
#include "event.h"
#include "graph.h"
#include "kernel.h"
#include "memory.h"
#include "plan.h"

struct capture {
    haly_graph *graph; /* of an update: counted; else nobody else knows it yet */
    bool is_update;
    uint64_t first_node;    /* of an update */
    struct recording edits; /* of an update; their objects are the graph's */
};

/* ---- nodes ---- */

/* Which node the next one replaces. */
static haly_status fit_update(const struct capture *capture, const struct recorded_node *node)
{
    const struct recording *recording = &capture->graph->recording;
    const uint64_t at = capture->first_node + capture->edits.node_count;
    if (at >= recording->node_count)
        return FAIL(HALY_ERR_INVALID, "the graph has %llu nodes, and the update has come to number %llu",
                    (unsigned long long)recording->node_count, (unsigned long long)at);
    const struct recorded_node *old = &recording->nodes[at];
    if (old->kind != node->kind)
        return FAIL(HALY_ERR_INVALID, "node %llu is a %s, expected another one in its place, not a %s",
                    (unsigned long long)at, command_kind_name(old->kind), command_kind_name(node->kind));
    if (old->object != node->object)
        return FAIL(HALY_ERR_INVALID,
                    "node %llu is a %s of another %s; an update changes what it works on, not what it does",
                    (unsigned long long)at, command_kind_name(old->kind),
                    object_kind_name(((const struct object *)old->object)->kind));
    return HALY_OK;
}

static haly_status append(haly_stream *stream, const struct recorded_node *node, const void *records)
{
    struct capture *capture = stream->capture;
    struct recording *recording = &capture->graph->recording;
    if (capture->is_update) {
        TRY(fit_update(capture, node));
        recording = &capture->edits;
    }
    TRY(recording_reserve(recording, node->bytes));
    if (!capture->is_update && node->object != NULL)
        object_retain(node->object, (haly_object_kind)((struct object *)node->object)->kind);
    recording_append(recording, node, records);
    return HALY_OK;
}

haly_status capture_append(haly_stream *stream, const void *records, uint64_t bytes, uint32_t count)
{
    const haly_command *first = records;
    struct recorded_node node = {.bytes = bytes, .command_count = count, .kind = first->kind};
    if (stream->running != NULL) {
        node.kind = HALY_COMMAND_OP;
        node.object = stream->running->plan;
    } else if (first->kind == HALY_COMMAND_LAUNCH) {
        node.object = ((const haly_command_launch *)records)->kernel;
    } else if (first->kind == HALY_COMMAND_RECORD || first->kind == HALY_COMMAND_WAIT) {
        node.object = ((const haly_command_record *)records)->event;
    }
    return append(stream, &node, records);
}

haly_status capture_nothing(haly_stream *stream, uint16_t kind, void *object)
{
    const struct recorded_node node = {.kind = kind, .object = object};
    return append(stream, &node, NULL);
}

/* An event that was recorded earlier in the same capture is in order already. */
static bool is_recorded_before(const struct capture *capture, const haly_event *event)
{
    const struct recording *recording = &capture->graph->recording;
    const uint64_t end = capture->is_update ? capture->first_node + capture->edits.node_count : recording->node_count;
    for (uint64_t i = 0; i < end && i < recording->node_count; i++)
        if (recording->nodes[i].kind == HALY_COMMAND_RECORD && recording->nodes[i].object == event)
            return true;
    return false;
}

haly_status capture_event(haly_stream *stream, uint16_t kind, haly_event *event)
{
    const haly_command_record command = {{sizeof command, kind, 0}, event};
    if (event->object.context != stream->object.context)
        return FAIL(HALY_ERR_UNSUPPORTED,
                    "an event of another context cannot be captured: a graph belongs to one; wait "
                    "for it before the graph is launched");
    if (kind == HALY_COMMAND_WAIT && is_recorded_before(stream->capture, event))
        return capture_nothing(stream, kind, event);
    return capture_append(stream, &command, sizeof command, 1);
}

/* ---- memory ---- */

static struct graph_memory *find_memory(const haly_graph *graph, const void *address)
{
    for (uint32_t i = 0; i < graph->memory_count; i++)
        if (graph->memory[i].address == address && !graph->memory[i].is_free)
            return &graph->memory[i];
    return NULL;
}

/* The smallest free piece that serves. */
static struct graph_memory *find_free(const haly_graph *graph, uint64_t size, uint64_t alignment)
{
    struct graph_memory *best = NULL;
    for (uint32_t i = 0; i < graph->memory_count; i++) {
        struct graph_memory *piece = &graph->memory[i];
        if (piece->is_free && piece->bytes >= size && piece->aligned >= alignment &&
            (best == NULL || piece->bytes < best->bytes))
            best = piece;
    }
    return best;
}

static haly_status room_for_memory(haly_graph *graph)
{
    if (graph->memory_count < graph->memory_capacity)
        return HALY_OK;
    const uint32_t wanted = graph->memory_capacity != 0 ? 2 * graph->memory_capacity : 8;
    struct graph_memory *grown = realloc(graph->memory, wanted * sizeof *grown);
    if (grown == NULL)
        return fail_host_oom("a graph's memory", wanted * sizeof *grown);
    graph->memory = grown;
    graph->memory_capacity = wanted;
    return HALY_OK;
}

haly_status capture_alloc(haly_stream *stream, const struct allocation *request, void **out_address)
{
    haly_graph *graph = stream->capture->graph;
    if (stream->capture->is_update)
        return FAIL(HALY_ERR_CAPTURING, "allocating is not possible while nodes of a graph are updated");
    const bool may_share = (request->flags & ~(uint32_t)HALY_MEMORY_ZERO) == 0;
    struct graph_memory *piece = may_share ? find_free(graph, request->size, request->alignment) : NULL;
    if (piece != NULL) {
        piece->is_free = false;
        *out_address = piece->address;
        return HALY_OK;
    }
    TRY(room_for_memory(graph));
    TRY(memory_alloc_for_graph(stream->object.context, request, out_address));
    graph->memory[graph->memory_count++] =
        (struct graph_memory){*out_address, request->size, request->alignment, false};
    return HALY_OK;
}

haly_status capture_free(haly_stream *stream, void *address)
{
    struct graph_memory *piece = stream->capture->is_update ? NULL : find_memory(stream->capture->graph, address);
    if (piece == NULL)
        return FAIL(HALY_ERR_CAPTURING,
                    "%p was not allocated in this capture, and its replays may use it: free it after the last of them",
                    address);
    piece->is_free = true;
    return HALY_OK;
}

/* The workspace that the node which is updated has now. */
static haly_status present_workspace(const haly_stream *stream, void **out_address)
{
    const struct capture *capture = stream->capture;
    const struct recording *recording = &capture->graph->recording;
    const struct recorded_node node = {.kind = HALY_COMMAND_OP, .object = stream->running->plan};
    TRY(fit_update(capture, &node));
    const struct recorded_node *old = &recording->nodes[capture->first_node + capture->edits.node_count];
    if (old->bytes == 0)
        return FAIL(HALY_ERR_CAPTURING, "the node did nothing when it was captured, so it has no workspace");
    *out_address = ((const haly_command_op *)(const void *)(recording->records + old->offset))->workspace;
    return HALY_OK;
}

haly_status capture_workspace(haly_stream *stream, uint64_t size, void **out_address)
{
    const struct allocation request = {.size = size};
    if (!stream->capture->is_update)
        return capture_alloc(stream, &request, out_address);
    short_lock_acquire(&stream->capture->graph->lock);
    const haly_status status = present_workspace(stream, out_address);
    short_lock_release(&stream->capture->graph->lock);
    return status;
}

void capture_workspace_end(haly_stream *stream, void *address)
{
    struct graph_memory *piece = find_memory(stream->capture->graph, address);
    if (!stream->capture->is_update && piece != NULL)
        piece->is_free = true;
}

/* ---- beginning and ending ---- */

static haly_status begin(haly_stream *stream, haly_graph *graph, bool is_update, uint64_t first_node)
{
    struct capture *capture = calloc(1, sizeof *capture);
    if (capture == NULL)
        return fail_host_oom("a capture", sizeof *capture);
    *capture = (struct capture){.graph = graph, .is_update = is_update, .first_node = first_node};
    stream->capture = capture;
    atomic_fetch_or(&stream->gate, STREAM_CAPTURING);
    return HALY_OK;
}

/* What was captured is handed to the caller. */
static struct capture finish(haly_stream *stream)
{
    const struct capture capture = *stream->capture;
    free(stream->capture);
    stream->capture = NULL;
    atomic_fetch_and(&stream->gate, ~(uint32_t)STREAM_CAPTURING);
    return capture;
}

static haly_status check_capturable(haly_stream *stream, const char *what)
{
    TRY(stream_refuse_in_capture(stream, what));
    if ((stream->gate & STREAM_WRAPPED) != 0)
        return FAIL(HALY_ERR_UNSUPPORTED, "a wrapped stream cannot be captured by Halyard; its owner can");
    return HALY_OK;
}

haly_status haly_stream_capture_begin(haly_stream *stream)
{
    ENTRY_STREAM(stream);
    TRY(check_capturable(stream, "starting another capture"));
    haly_graph *graph = graph_create(stream->object.context);
    if (graph == NULL)
        return HAND_ON(fail_host_oom("a graph", sizeof *graph));
    const haly_status status = begin(stream, graph, false, 0);
    if (status != HALY_OK)
        graph_destroy(&graph->object);
    return HAND_ON(status);
}

haly_status haly_stream_capture_end(haly_stream *stream, haly_graph **out_graph)
{
    ENTRY_STREAM(stream);
    REQUIRE(out_graph);
    if (!stream_is_capturing(stream))
        return FAIL(HALY_ERR_INVALID, "the stream is not being captured");
    if (stream->capture->is_update)
        return FAIL(HALY_ERR_INVALID, "the stream updates a graph; haly_graph_update_end() ends that");
    haly_graph *graph = finish(stream).graph;
    object_publish(&graph->object, NULL); /* without a name it cannot fail */
    *out_graph = graph;
    return HALY_OK;
}

haly_status haly_stream_capture_position(haly_stream *stream, uint64_t *out_node)
{
    ENTRY_STREAM(stream);
    REQUIRE(out_node);
    if (!stream_is_capturing(stream))
        return FAIL(HALY_ERR_INVALID, "the stream is not being captured");
    const struct capture *capture = stream->capture;
    *out_node =
        capture->is_update ? capture->first_node + capture->edits.node_count : capture->graph->recording.node_count;
    return HALY_OK;
}

haly_status haly_graph_update_begin(haly_graph *graph, haly_stream *stream, uint64_t first_node)
{
    ENTRY(graph, HALY_OBJECT_GRAPH);
    ENTRY_STREAM(stream);
    TRY(check_same_context(graph, stream));
    TRY(check_capturable(stream, "updating a graph"));
    if (first_node >= graph->recording.node_count)
        return FAIL(HALY_ERR_INVALID, "first_node is %llu, the graph has %llu nodes", (unsigned long long)first_node,
                    (unsigned long long)graph->recording.node_count);
    TRY(begin(stream, graph, true, first_node));
    haly_graph_retain(graph);
    return HALY_OK;
}

haly_status haly_graph_update_end(haly_stream *stream)
{
    ENTRY_STREAM(stream);
    if (!stream_is_capturing(stream) || !stream->capture->is_update)
        return FAIL(HALY_ERR_INVALID, "the stream is in no update of a graph");
    struct capture capture = finish(stream);
    const haly_status status = graph_edit(capture.graph, capture.first_node, &capture.edits);
    recording_free(&capture.edits);
    haly_graph_release(capture.graph);
    return HAND_ON(status);
}

void capture_discard(haly_stream *stream)
{
    if (stream->capture == NULL)
        return;
    struct capture capture = finish(stream);
    recording_free(&capture.edits);
    if (capture.is_update)
        haly_graph_release(capture.graph);
    else
        graph_destroy(&capture.graph->object);
}
