/* SPDX-License-Identifier: Apache-2.0 */
/* Captures and graphs: commands kept as data, with the objects they name. */
#ifndef HAL_GRAPH_H
#define HAL_GRAPH_H

#include "stream.h"

/* Appends records (public form) to the stream's capture and keeps the objects they name. */
haly_status capture_append(haly_stream *stream, const void *records, uint64_t bytes, uint32_t count);

/* An event recorded, or waited for, inside a capture: at replay the event itself is recorded or waited for. */
haly_status capture_event(haly_stream *stream, uint16_t kind, haly_event *event);

/* Memory that the captured commands use (workspaces): freed with the graph. */
haly_status capture_keep_memory(haly_stream *stream, void *address);

/* A stream that goes away while it is captured. */
void capture_discard(haly_stream *stream);

void graph_destroy(struct object *object);

#endif
