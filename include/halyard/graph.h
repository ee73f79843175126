/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file graph.h
 * Graphs: a stream's commands recorded once and replayed many times.
 *
 * The core records; nothing reaches the device while a stream is captured. Each submitting call that succeeds and has
 * something to do becomes one node, numbered from 0. What cannot be recorded (waiting for or querying the stream, a
 * plan that is not yet built, launching a graph, freeing memory that was allocated outside of the capture) returns
 * HALY_ERR_CAPTURING and leaves the capture valid. Copies from pageable memory read it at every replay; whether host
 * memory is pinned or registered is settled when it is captured.                                          [GRA-001]
 *
 * A capture concerns its stream alone: other streams go on, a graph belongs to one context, and an event that a capture
 * records is recorded by the replays, so a wait for it elsewhere binds to what was recorded before, as always. Waiting
 * in a capture for an event of another context is HALY_ERR_UNSUPPORTED.
 *
 * Memory from haly_malloc_async() on a captured stream, and the workspaces of captured operators, belong to the graph:
 * their addresses hold for every replay, and they are reserved until the graph is gone. haly_free_async() in the same
 * capture ends the use of such memory, so that a later allocation of the capture may get the same place; what is not
 * freed keeps its contents between replays. Freeing it in any other way is HALY_ERR_INVALID.              [GRA-003]
 *
 * Threads: a captured stream needs its caller's ordering as always; graphs may be launched, updated and asked by any
 * thread at any time.
 */
#ifndef HALYARD_GRAPH_H
#define HALYARD_GRAPH_H

#include <halyard/event.h>
#include <halyard/plan.h>

HALY_BEGIN_DECLS

typedef struct haly_graph_info {
    uint32_t struct_size; /**< HALY_GRAPH_INFO_INIT */
    uint32_t instantiated;
    uint64_t command_count;
    uint64_t bytes;          /**< of the recorded commands */
    uint64_t node_count;     /**< an operator that runs as several kernels is one node and several commands */
    uint64_t reserved_bytes; /**< device memory that belongs to the graph, as asked for */
} haly_graph_info;
#define HALY_GRAPH_INFO_INIT HALY_INIT(haly_graph_info, reserved_bytes)

typedef enum haly_graph_node_kind {
    HALY_GRAPH_NODE_COPY = 1,
    HALY_GRAPH_NODE_COPY_2D = 2,
    HALY_GRAPH_NODE_FILL = 3,
    HALY_GRAPH_NODE_LAUNCH = 4,
    HALY_GRAPH_NODE_OPERATOR = 5,
    HALY_GRAPH_NODE_RECORD = 6,
    HALY_GRAPH_NODE_WAIT = 7,
    HALY_GRAPH_NODE_HOST_CALL = 8,
    HALY_GRAPH_NODE_KIND_MAX_ENUM = 0x7fffffff
} haly_graph_node_kind;

/** What a node does. */
typedef struct haly_graph_node_info {
    uint32_t struct_size; /**< HALY_GRAPH_NODE_INFO_INIT */
    haly_graph_node_kind kind;
    uint64_t command_count; /**< 0: it was updated to do nothing */
    char name[64];          /**< of the kernel, operator or event; "" for the others */
    char path[96];          /**< of an operator: as in haly_plan_info */
} haly_graph_node_info;
#define HALY_GRAPH_NODE_INFO_INIT HALY_INIT(haly_graph_node_info, path)

/** Starts recording what is submitted to the stream. @return HALY_OK; HALY_ERR_CAPTURING (already);
 *  HALY_ERR_UNSUPPORTED (a wrapped stream). Since 1.0. */
HALY_API haly_status haly_stream_capture_begin(haly_stream *stream);

/** Ends recording. @return HALY_OK; HALY_ERR_INVALID (not capturing, or begun by haly_graph_update_begin()).
 *  Since 1.0. */
HALY_API haly_status haly_stream_capture_end(haly_stream *stream, haly_graph **out_graph);

/** The number of the node that the next captured command will be: to keep for a later update. @return HALY_OK;
 *  HALY_ERR_INVALID (not capturing). Since 1.0. */
HALY_API haly_status haly_stream_capture_position(haly_stream *stream, uint64_t *out_node);

/** Adds a reference. NULL is fine. Since 1.0. */
HALY_API void haly_graph_retain(haly_graph *graph);

/** Gives a reference back; launches already queued are kept. NULL is fine. Since 1.0. */
HALY_API void haly_graph_release(haly_graph *graph);

/** Prepares the graph for replay on its context's device; haly_graph_launch() does it when it was not done. Since 1.0.
 */
HALY_API haly_status haly_graph_instantiate(haly_graph *graph);

/** Queues all its commands. Memory and objects they name must be alive. Launches of one graph run one after another,
 *  also on several streams. Does not block, but for one case: a launch that still runs on another stream is waited for
 *  when the graph goes to a wrapped stream, or one whose native stream was given out, for the first time.
 *  @return HALY_OK; HALY_ERR_INVALID (stream of another context); errors of submitting. [GRA-002] Since 1.0. */
HALY_API haly_status haly_graph_launch(haly_stream *stream, haly_graph *graph);

/**
 * Replaces nodes by doing again what made them: until haly_graph_update_end(), each command submitted to the stream
 * takes the place of one node, beginning with `first_node`, instead of running. So every argument, host value, address
 * and size can change, by the same functions and under the same checks; what a node does can not: its kind, its kernel
 * or operator, and the event it records or waits for must be the same. A command that does not fit is refused and the
 * node keeps what it had. Allocating and freeing is refused (HALY_ERR_CAPTURING).
 *
 *     haly_graph_update_begin(graph, stream, node);
 *     haly_plan_run(stream, plan, addresses, count, &new_past, 1);
 *     haly_graph_update_end(stream);
 *
 * The stream may be any of the context's that is not captured; its queued work is of no concern.          [GRA-004]
 * @return HALY_OK; HALY_ERR_INVALID (no such node; stream of another context); HALY_ERR_CAPTURING (the stream is);
 *         HALY_ERR_UNSUPPORTED (a wrapped stream); HALY_ERR_HOST_OOM. Since 1.0.
 */
HALY_API haly_status haly_graph_update_begin(haly_graph *graph, haly_stream *stream, uint64_t first_node);

/** Ends an update: all its replacements take effect at once, for later launches; those already queued keep what they
 *  had. @return HALY_OK; HALY_ERR_INVALID (the stream is in no update); HALY_ERR_HOST_OOM (nothing was replaced, the
 *  update is over). Since 1.0. */
HALY_API haly_status haly_graph_update_end(haly_stream *stream);

/** Since 1.0. */
HALY_API haly_status haly_graph_info_get(haly_graph *graph, haly_graph_info *out_info);

/** Explains one node. @return HALY_OK; HALY_ERR_INVALID (no such node). Since 1.0. */
HALY_API haly_status haly_graph_node_info_get(haly_graph *graph, uint64_t node, haly_graph_node_info *out_info);

HALY_END_DECLS

#endif
