/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file graph.h
 * Graphs: a stream's commands recorded once and replayed many times.
 *
 * The core records; nothing reaches the device while a stream is captured. What cannot be recorded (waiting for or
 * querying the stream, allocating with a new segment, a plan that is not yet built) returns HALY_ERR_CAPTURING and
 * leaves the capture valid. Copies from pageable memory read it at every replay.                          [GRA-001]
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
    uint64_t bytes; /**< of the recorded commands */
} haly_graph_info;
#define HALY_GRAPH_INFO_INIT HALY_INIT(haly_graph_info, bytes)

/** Starts recording what is submitted to the stream. @return HALY_OK; HALY_ERR_CAPTURING (already);
 *  HALY_ERR_UNSUPPORTED (a wrapped stream). Since 1.0. */
HALY_API haly_status haly_stream_capture_begin(haly_stream *stream);

/** Ends recording. @return HALY_OK; HALY_ERR_INVALID (not capturing). Since 1.0. */
HALY_API haly_status haly_stream_capture_end(haly_stream *stream, haly_graph **out_graph);

/** Adds a reference. NULL is fine. Since 1.0. */
HALY_API void haly_graph_retain(haly_graph *graph);

/** Gives a reference back; launches already queued are kept. NULL is fine. Since 1.0. */
HALY_API void haly_graph_release(haly_graph *graph);

/** Prepares the graph for replay on its context's device; haly_graph_launch() does it when it was not done. Since 1.0.
 */
HALY_API haly_status haly_graph_instantiate(haly_graph *graph);

/** Queues all its commands. Memory and objects they name must be alive. Launches of one graph run one after another.
 *  @return HALY_OK; HALY_ERR_INVALID (stream of another context); errors of submitting. [GRA-002] Since 1.0. */
HALY_API haly_status haly_graph_launch(haly_stream *stream, haly_graph *graph);

/** Since 1.0. */
HALY_API haly_status haly_graph_info_get(haly_graph *graph, haly_graph_info *out_info);

HALY_END_DECLS

#endif
