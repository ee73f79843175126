/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service thread of a context: runs what the backend's queue cannot take, in stream order. A stream becomes
 * *deferred* when a command must wait for the host's help (a pageable copy that needs staging, a host call, an event of
 * another backend or of a deferred stream); later commands queue behind it, are issued in order, then the stream is
 * direct again.
 */
#ifndef HAL_SERVICE_H
#define HAL_SERVICE_H

#include "stream.h"

/* Queues records (public form, scratch) on a stream that is, or becomes, deferred. Sets *out_taken to false, and does
 * nothing, when the stream turned direct meanwhile and nothing in the records needs the service. */
haly_status service_submit(haly_stream *stream, const void *records, uint64_t bytes, uint32_t count, bool is_needed,
                           bool *out_taken);

/* Waits until the service has issued or executed `sequence`, or for `deadline` nanoseconds at most. */
void service_wait(haly_context *context, struct timeline *timeline, uint64_t sequence, uint64_t deadline);

/* Returns when the service has let go of a stream whose commands have all been executed. */
void service_detach(haly_stream *stream);

/* Wakes everybody who waits, after the context latched. */
void service_wake(haly_context *context);

/* Stops the thread of an idle context and frees what it held. */
void service_end(haly_context *context);

/* In a child of fork: the threads are the parent's. */
void services_forked(void);

/* haly_shutdown(): stops all service threads; work they had is left undone. Those that are inside a host call, or the
 * backend, are given a second. */
void services_stop(void);

#endif
