/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timeline of a stream: how far it was submitted and how far it has come, which other streams it waited for, and
 * its first failure. It is counted on its own and outlives the stream, so that events, pending frees and dependents can
 * go on asking. A sequence is a command's number in its stream, from 1.
 */
#ifndef HAL_TIMELINE_H
#define HAL_TIMELINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "error.h"

#define TIMELINE_LABELS 16

struct timeline {
    _Atomic uint32_t references;
    uint32_t reserved;
    uint64_t stream_id;
    haly_context *context;
    struct timeline *next;      /* among the context's, under its lock */
    _Atomic uint64_t submitted; /* last sequence the core accepted */
    _Atomic uint64_t issued;    /* last sequence given to the backend or executed by the service */
    _Atomic uint64_t completed; /* highest sequence known to have finished; grows by asking */

    pthread_mutex_t lock;        /* what follows */
    haly_stream *stream;         /* NULL once the stream is destroyed: then all has finished */
    struct timeline_wait *waits; /* for each other timeline, the highest sequence waited for */
    _Atomic uint32_t failed;     /* haly_status of the first failure, 0 while healthy */
    haly_error failure;
    struct {
        uint64_t first_sequence;
        char text[64];
    } labels[TIMELINE_LABELS]; /* ring of the latest labels */
    uint32_t label_count;
};

struct timeline *timeline_create(haly_context *context, haly_stream *stream, uint64_t stream_id);
void timeline_retain(struct timeline *timeline);
void timeline_release(struct timeline *timeline);

/* Last sequence submitted so far. */
static inline uint64_t timeline_submitted(const struct timeline *timeline)
{
    return atomic_load_explicit(&((struct timeline *)timeline)->submitted, memory_order_acquire);
}

/* Whether the command has finished, failed ones included: cached answer first, then the backend is asked. Never blocks.
 */
bool timeline_has_finished(struct timeline *timeline, uint64_t sequence);

/* Waits until it has finished. HALY_OK or HALY_TIMEOUT, or the context's latched fault. `deadline` in ns from now. */
haly_status timeline_wait(struct timeline *timeline, uint64_t sequence, uint64_t deadline);

/* Whether work submitted to `timeline` from now on runs behind `sequence` of `other`, because it waited for it
 * (directly or through others), or because it is the same stream, or because it has finished. */
bool timeline_is_after(struct timeline *timeline, struct timeline *other, uint64_t sequence);

/* Notes that `timeline` waited for `sequence` of `other`. */
haly_status timeline_note_wait(struct timeline *timeline, struct timeline *other, uint64_t sequence);

/* HALY_OK, or with its detail the first failure at or before `sequence`, its own or one it waited for. */
haly_status timeline_status(struct timeline *timeline, uint64_t sequence);

/* Keeps the first failure; wider scopes latch the context. */
void timeline_fail(struct timeline *timeline, const haly_error *error);

#endif
