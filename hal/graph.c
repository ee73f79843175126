/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replaying what was captured. A graph is prepared once: its records are turned into the backend's form and cut into
 * runs, so that a replay on an ordinary stream is one submit a run, without copying, checking or translating anything.
 * Where a stream or a run needs the service thread, the records go the way of newly submitted ones.
 */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "event.h"
#include "kernel.h"
#include "layers/layers.h"
#include "memory.h"
#include "plan.h"
#include "process.h"
#include "retire.h"

/* Neighbouring commands that are submitted in one go, or one command on an event. */
struct graph_run {
    uint64_t offset, bytes; /* of the records, and of their resolved form */
    uint32_t count;
    uint16_t event_kind; /* HALY_COMMAND_RECORD or _WAIT; 0: commands */
    bool needs_service;  /* the backend's queue cannot take one of them */
    bool was_accepted;   /* as it stands: its records say so to the backend */
    haly_event *event;
};

/* ---- life ---- */

haly_graph *graph_create(haly_context *context)
{
    haly_graph *graph = calloc(1, sizeof *graph);
    if (graph == NULL)
        return NULL;
    object_init(&graph->object, HALY_OBJECT_GRAPH, context);
    return graph;
}

static void release_object(void *object)
{
    if (object == NULL)
        return;
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
    for (uint64_t i = 0; i < graph->recording.node_count; i++)
        release_object(graph->recording.nodes[i].object);
    for (uint32_t i = 0; i < graph->memory_count; i++)
        memory_free_of_graph(object->context, graph->memory[i].address);
    if (graph->launched != NULL)
        event_record_release(graph->launched);
    if (graph->end.timeline != NULL)
        timeline_release(graph->end.timeline);
    recording_free(&graph->recording);
    free(graph->memory);
    free(graph->resolved);
    free(graph->runs);
    object_free(&graph->object);
}

static void graph_end(struct object *object)
{
    object_unpublish(object);
    retire(object, graph_destroy);
}

void haly_graph_retain(haly_graph *graph)
{
    object_retain(graph, HALY_OBJECT_GRAPH);
}

void haly_graph_release(haly_graph *graph)
{
    PUT_OFF_CANCELLATION();
    object_release(graph, HALY_OBJECT_GRAPH, graph_end);
}

/* ---- preparing ---- */

static bool is_event_command(const haly_command *record)
{
    return record->kind == HALY_COMMAND_RECORD || record->kind == HALY_COMMAND_WAIT;
}

static haly_status room_for_run(haly_graph *graph)
{
    if (graph->run_count < graph->run_capacity)
        return HALY_OK;
    const uint64_t wanted = graph->run_capacity != 0 ? 2 * graph->run_capacity : 4;
    struct graph_run *grown = realloc(graph->runs, wanted * sizeof *grown);
    if (grown == NULL)
        return fail_host_oom("a graph's runs", wanted * sizeof *grown);
    graph->runs = grown;
    graph->run_capacity = wanted;
    return HALY_OK;
}

/* Adds a command to the run it continues, or begins one with it. */
static haly_status add_to_runs(haly_graph *graph, const haly_command *record)
{
    const uint64_t offset = (uint64_t)((const char *)record - graph->recording.records);
    struct graph_run *run = graph->run_count != 0 ? &graph->runs[graph->run_count - 1] : NULL;
    if (is_event_command(record) || run == NULL || run->event_kind != 0) {
        TRY(room_for_run(graph));
        run = &graph->runs[graph->run_count++];
        *run = (struct graph_run){.offset = offset};
    }
    if (is_event_command(record)) {
        run->event_kind = record->kind;
        run->event = ((const haly_command_record *)record)->event;
    } else {
        run->needs_service = run->needs_service || command_needs_service(graph->object.context, record);
    }
    run->bytes += record->size;
    run->count++;
    return HALY_OK;
}

static haly_status room_for_resolved(haly_graph *graph)
{
    const uint64_t needed = graph->recording.bytes + sizeof(haly_command_record);
    if (needed <= graph->resolved_capacity)
        return HALY_OK;
    char *grown = realloc(graph->resolved, needed);
    if (grown == NULL)
        return fail_host_oom("a graph's resolved commands", needed);
    graph->resolved = grown;
    graph->resolved_capacity = needed;
    return HALY_OK;
}

/* Tells the backend from now on that it has seen these records. */
static void mark_accepted(haly_graph *graph, struct graph_run *run)
{
    char *at = graph->resolved + run->offset;
    for (const char *end = at + run->bytes; at < end; at += ((haly_command *)(void *)at)->size)
        ((haly_command *)(void *)at)->flags |= HALY_COMMAND_AGAIN;
    run->was_accepted = true;
}

static void resolve_run(haly_graph *graph, const struct graph_run *run)
{
    if (run->event_kind != 0)
        return;
    memcpy(graph->resolved + run->offset, graph->recording.records + run->offset, run->bytes);
    records_resolve(graph->object.context, graph->resolved + run->offset, run->bytes);
}

static haly_status prepare(haly_graph *graph)
{
    haly_context *context = graph->object.context;
    graph->is_prepared = false;
    graph->run_count = 0;
    graph->mapping_epoch = context_mapping_epoch(context);
    TRY(room_for_resolved(graph));
    const haly_command *record = (const void *)graph->recording.records;
    for (; record != recording_end(&graph->recording); record = command_next(record))
        TRY(add_to_runs(graph, record));
    for (uint64_t i = 0; i < graph->run_count; i++)
        resolve_run(graph, &graph->runs[i]);
    graph->is_prepared = true;
    return HALY_OK;
}

/* Translated addresses stand in the resolved records: once memory went, they may mean something else. */
static haly_status graph_prepare(haly_graph *graph)
{
    if (LIKELY(graph->is_prepared && graph->mapping_epoch == context_mapping_epoch(graph->object.context)))
        return HALY_OK;
    return prepare(graph);
}

haly_status haly_graph_instantiate(haly_graph *graph)
{
    PUT_OFF_CANCELLATION();
    ENTRY_LIVE(graph, HALY_OBJECT_GRAPH, graph->object.context);
    short_lock_acquire(&graph->lock);
    const haly_status status = graph_prepare(graph);
    short_lock_release(&graph->lock);
    return HAND_ON(status);
}

/* ---- updating ---- */

/* Whether the edited nodes have kept their sizes and need what they needed before, so that the runs stay as they are.
 */
static bool keeps_runs(const haly_graph *graph, uint64_t first_node, const struct recording *edits)
{
    for (uint64_t i = 0; i < edits->node_count; i++)
        if (edits->nodes[i].bytes != graph->recording.nodes[first_node + i].bytes ||
            edits->nodes[i].kind == HALY_COMMAND_COPY || edits->nodes[i].kind == HALY_COMMAND_COPY_2D)
            return false;
    return true;
}

static void resolve_nodes(haly_graph *graph, uint64_t first_node, uint64_t count)
{
    for (uint64_t i = first_node; i < first_node + count; i++) {
        const struct recorded_node *node = &graph->recording.nodes[i];
        const struct graph_run run = {.offset = node->offset, .bytes = node->bytes};
        if (node->kind != HALY_COMMAND_RECORD && node->kind != HALY_COMMAND_WAIT)
            resolve_run(graph, &run);
    }
    for (uint64_t i = 0; i < graph->run_count; i++)
        graph->runs[i].was_accepted = false;
}

haly_status graph_edit(haly_graph *graph, uint64_t first_node, const struct recording *edits)
{
    short_lock_acquire(&graph->lock);
    const bool keeps = graph->is_prepared && keeps_runs(graph, first_node, edits);
    const haly_status status = recording_replace(&graph->recording, first_node, edits);
    if (status == HALY_OK) {
        graph->is_prepared = keeps;
        if (keeps)
            resolve_nodes(graph, first_node, edits->node_count);
    }
    short_lock_release(&graph->lock);
    return status;
}

/* ---- launching ---- */

/* The slow way: as if the commands were submitted anew. */
static haly_status submit_copy(haly_stream *stream, const haly_graph *graph, const struct graph_run *run)
{
    char *scratch = malloc(run->bytes);
    if (scratch == NULL)
        return fail_host_oom("a graph's launch", run->bytes);
    memcpy(scratch, graph->recording.records + run->offset, run->bytes);
    const haly_status status = stream_submit(stream, scratch, run->bytes, run->count);
    free(scratch);
    return status;
}

/* What a direct stream's backend gets; `record`: of the record command behind the run, or NULL. */
static haly_status submit_resolved(haly_stream *stream, haly_graph *graph, struct graph_run *run,
                                   struct event_record *record)
{
    const uint64_t bytes = record != NULL ? sizeof(haly_command_record) : 0;
    TRY(stream_submit_resolved(stream, graph->resolved + run->offset, run->bytes + bytes, run->count + (record != NULL),
                               record));
    if (UNLIKELY(!run->was_accepted))
        mark_accepted(graph, run);
    return HALY_OK;
}

static haly_status submit_run(haly_stream *stream, haly_graph *graph, struct graph_run *run)
{
    if (run->event_kind == HALY_COMMAND_RECORD)
        return haly_event_record(run->event, stream);
    if (run->event_kind == HALY_COMMAND_WAIT)
        return haly_stream_wait(stream, run->event);
    if (run->needs_service || !stream_is_direct(stream))
        return submit_copy(stream, graph, run);
    return submit_resolved(stream, graph, run, NULL);
}

/* A record for the end of this launch: the one of the latest when nobody waits for that any more. */
static haly_status take_record(haly_graph *graph, struct event_record **out_record)
{
    if (graph->launched == NULL || !event_record_is_ours_alone(graph->launched))
        return event_record_acquire(graph->object.context, 0, out_record);
    *out_record = graph->launched;
    event_record_retain(*out_record);
    return HALY_OK;
}

/* The last run with the record behind it, in one submit where that can be. */
static haly_status submit_with(haly_stream *stream, haly_graph *graph, struct graph_run *run,
                               struct event_record *record)
{
    const bool is_direct = run != NULL && run->event_kind == 0 && !run->needs_service && stream_is_direct(stream);
    haly_command_record command = {{sizeof command, HALY_COMMAND_RECORD, 0}, record};
    if (!is_direct) {
        if (run != NULL)
            TRY(submit_run(stream, graph, run));
        return stream_submit(stream, &command, sizeof command, 1);
    }
    command.event = record->block;
    memcpy(graph->resolved + run->offset + run->bytes, &command, sizeof command);
    return submit_resolved(stream, graph, run, record);
}

static haly_status submit_last(haly_stream *stream, haly_graph *graph, struct graph_run *run)
{
    struct event_record *record;
    TRY(take_record(graph, &record));
    const haly_status status = submit_with(stream, graph, run, record);
    struct event_record *unused = status == HALY_OK ? graph->launched : record;
    if (status == HALY_OK)
        graph->launched = record;
    if (unused != NULL)
        event_record_release(unused);
    return status;
}

static haly_status submit_runs(haly_stream *stream, haly_graph *graph)
{
    const uint64_t plain = graph->run_count - (graph->is_shared && graph->run_count != 0 ? 1 : 0);
    for (uint64_t i = 0; i < plain; i++)
        TRY(submit_run(stream, graph, &graph->runs[i]));
    if (!graph->is_shared)
        return HALY_OK;
    return submit_last(stream, graph, plain != graph->run_count ? &graph->runs[plain] : NULL);
}

/* The stream waits for a launch that has no record behind it. The service can do that, but no stream whose native one
 * the program has: that one is waited for here, once in the life of a graph. */
static haly_status wait_for_end(haly_stream *stream, haly_graph *graph)
{
    struct timeline_point end = graph->end;
    struct event_record *record;
    if (stream_is_native(stream))
        TRY(timeline_wait(end.timeline, end.sequence, HALY_FOREVER));
    if (graph->is_torn) /* its failure stands behind what was queued */
        TRY(timeline_note_wait(stream->timeline, end.timeline, end.sequence + 1));
    TRY(event_record_of_point(graph->object.context, &end, &record));
    const haly_status status = stream_wait_record(stream, record);
    event_record_release(record);
    return status;
}

/* Launches come one after another. A stream keeps the order by itself; layers want to be told of it by records. */
static haly_status wait_for_latest(haly_stream *stream, haly_graph *graph)
{
    const bool is_elsewhere = graph->end.timeline != NULL && graph->end.timeline != stream->timeline;
    graph->is_shared = graph->is_shared || is_elsewhere || stream_is_layered(stream);
    if (graph->launched != NULL)
        TRY(stream_wait_record(stream, graph->launched));
    return is_elsewhere ? wait_for_end(stream, graph) : HALY_OK;
}

static void set_end(haly_graph *graph, struct timeline *timeline)
{
    if (graph->end.timeline != timeline) {
        if (timeline != NULL)
            timeline_retain(timeline);
        if (graph->end.timeline != NULL)
            timeline_release(graph->end.timeline);
        graph->end.timeline = timeline;
    }
    graph->end.sequence = timeline != NULL ? timeline_submitted(timeline) : 0;
}

static haly_status launch(haly_stream *stream, haly_graph *graph)
{
    struct timeline *timeline = stream->timeline;
    TRY(graph_prepare(graph));
    TRY(wait_for_latest(stream, graph));
    const uint64_t before = timeline_submitted(timeline);
    const haly_status status = submit_runs(stream, graph);
    if (LIKELY(status == HALY_OK)) {
        set_end(graph, graph->is_shared ? NULL : timeline);
        graph->is_torn = false;
    } else if (timeline_submitted(timeline) != before) { /* launching again would do a part twice */
        timeline_fail(timeline, timeline_submitted(timeline) + 1, error_detail());
        set_end(graph, timeline);
        graph->is_torn = true;
    }
    return status;
}

haly_status haly_graph_launch(haly_stream *stream, haly_graph *graph)
{
    ENTRY_STREAM(stream);
    ENTRY(graph, HALY_OBJECT_GRAPH);
    TRY(stream_refuse_in_capture(stream, "launching a graph"));
    TRY(check_same_context(graph, stream));
    short_lock_acquire(&graph->lock);
    const haly_status status = launch(stream, graph);
    short_lock_release(&graph->lock);
    return HAND_ON(status);
}

/* ---- asking ---- */

static uint64_t reserved_bytes(const haly_graph *graph)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < graph->memory_count; i++)
        bytes += graph->memory[i].bytes;
    return bytes;
}

haly_status haly_graph_info_get(haly_graph *graph, haly_graph_info *out_info)
{
    ENTRY(graph, HALY_OBJECT_GRAPH);
    short_lock_acquire(&graph->lock);
    const haly_graph_info info = {HALY_GRAPH_INFO_INIT,
                                  .instantiated = graph->is_prepared,
                                  .command_count = graph->recording.command_count,
                                  .bytes = graph->recording.bytes,
                                  .node_count = graph->recording.node_count,
                                  .reserved_bytes = reserved_bytes(graph)};
    short_lock_release(&graph->lock);
    TRY(CHECK_OUTPUT(out_info, haly_graph_info, reserved_bytes, &info));
    return HALY_OK;
}

static void describe_object(const struct recorded_node *node, haly_graph_node_info *info)
{
    const struct object *object = node->object;
    if (object == NULL)
        return;
    snprintf(info->name, sizeof info->name, "%s", object->name);
    if (object->kind == HALY_OBJECT_KERNEL)
        snprintf(info->name, sizeof info->name, "%s", ((const haly_kernel *)node->object)->name);
    else if (object->kind == HALY_OBJECT_PLAN)
        plan_describe(node->object, info->name, sizeof info->name, info->path, sizeof info->path);
}

haly_status haly_graph_node_info_get(haly_graph *graph, uint64_t node, haly_graph_node_info *out_info)
{
    haly_graph_node_info info = {HALY_GRAPH_NODE_INFO_INIT};
    ENTRY(graph, HALY_OBJECT_GRAPH);
    if (node >= graph->recording.node_count)
        return FAIL(HALY_ERR_INVALID, "node is %llu, the graph has %llu nodes", (unsigned long long)node,
                    (unsigned long long)graph->recording.node_count);
    short_lock_acquire(&graph->lock);
    const struct recorded_node *recorded = &graph->recording.nodes[node];
    info.kind = (haly_graph_node_kind)recorded->kind;
    info.command_count = recorded->command_count;
    describe_object(recorded, &info);
    short_lock_release(&graph->lock);
    TRY(CHECK_OUTPUT(out_info, haly_graph_node_info, path, &info));
    return HALY_OK;
}
