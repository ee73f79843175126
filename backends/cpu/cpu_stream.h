/* SPDX-License-Identifier: Apache-2.0 */
/* Stream entries of the table. */
#ifndef CPU_STREAM_H
#define CPU_STREAM_H

#include "cpu_context.h"

/* The private block of a stream. */
struct cpu_stream {
    struct cpu_context *context;
    struct cpu_queue *queue;
};

haly_status cpu_stream_create(void *context, void *stream, const haly_stream_desc *desc, void *token);
void cpu_stream_destroy(void *stream);
haly_status cpu_stream_query(void *stream, uint64_t *out_completed);
haly_status cpu_stream_wait(void *stream, uint64_t sequence, uint64_t deadline);
haly_status cpu_stream_submit(void *stream, const void *records, uint64_t bytes, uint64_t first_sequence,
                              uint64_t *out_accepted);

#endif
