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
#define TIMELINE_LABEL_BYTES 64

struct timeline_wait; /* see dependency.c */

struct timeline {
    _Atomic uint32_t references;
    _Atomic uint32_t readers; /* threads inside a backend call for the stream: keeps it from being destroyed */
    uint64_t stream_id;
    haly_context *context;
    struct timeline *next;      /* among the context's, under its lock */
    _Atomic uint64_t submitted; /* last sequence the core accepted */
    _Atomic uint64_t issued;    /* last sequence given to the backend or executed by the service */
    _Atomic uint64_t completed; /* highest sequence known to have finished; grows by asking */
    void *_Atomic block;        /* the backend's stream; NULL once it is destroyed: then all has finished */

    /* Under the lock of dependency.c. */
    struct timeline_wait *waits;      /* what it waits for; changed only by who may submit, and at its end */
    struct timeline_wait *dependents; /* who waits for it */
    uint32_t wait_count, wait_limit;  /* of what it waits for, and when to look which of it is over */
    struct timeline *next_news;       /* among those whose failure is being handed on */
    bool is_news;
    _Atomic uint32_t failed; /* haly_status of the first failure, 0 while healthy */
    uint64_t failed_at;      /* own sequence of the failure; only ever gets earlier */
    haly_error failure;

    pthread_mutex_t lock; /* what follows */
    struct {
        uint64_t first_sequence;
        char text[TIMELINE_LABEL_BYTES];
    } labels[TIMELINE_LABELS]; /* ring of the latest labels */
    uint32_t label_count;
};

/* A point on a timeline. */
struct timeline_point {
    struct timeline *timeline;
    uint64_t sequence;
};

/* Creates the timeline of a stream whose backend block is `block`, and lists it in the context. NULL: out of memory. */
struct timeline *timeline_create(haly_context *context, void *block, uint64_t stream_id);
void timeline_retain(struct timeline *timeline);
void timeline_release(struct timeline *timeline);

/* The stream is idle and its backend block about to go: unlists the timeline, forgets what it depended on, and returns
 * when no thread is inside a backend call for it. Comes before its last release. */
void timeline_end(struct timeline *timeline);

/* Last sequence submitted so far. */
static inline uint64_t timeline_submitted(struct timeline *timeline)
{
    return atomic_load_explicit(&timeline->submitted, memory_order_acquire);
}

/* Whether the command has finished, failed ones included: cached answer first, then the backend is asked. Never blocks.
 */
bool timeline_has_finished(struct timeline *timeline, uint64_t sequence);

/* The same, from what is known alone. */
static inline bool timeline_is_known_finished(struct timeline *timeline, uint64_t sequence)
{
    return atomic_load_explicit(&timeline->completed, memory_order_acquire) >= sequence;
}

/* Notes that commands up to `sequence` have finished. */
void timeline_complete(struct timeline *timeline, uint64_t sequence);

/* Waits until it has finished. HALY_OK or HALY_TIMEOUT, or the context's latched fault, or
 * HALY_ERR_SHUTTING_DOWN. `deadline` in ns from now. */
haly_status timeline_wait(struct timeline *timeline, uint64_t sequence, uint64_t deadline);

/* The same two for a point that the backend's event `event` stands for, where there is one (else NULL). */
bool timeline_event_has_finished(struct timeline *timeline, uint64_t sequence, void *event);
haly_status timeline_event_wait(struct timeline *timeline, uint64_t sequence, void *event, uint64_t deadline);

/* What has been submitted so far to each stream of the context, the stream first made last. timelines_give() releases
 * and frees them. */
haly_status timelines_take(haly_context *context, struct timeline_point **out_points, uint32_t *out_count);
void timelines_give(struct timeline_point *points, uint32_t count);

/* Names what is submitted from now on. */
void timeline_label(struct timeline *timeline, const char *label);

/* The label in force for a command; 64 bytes. */
void timeline_label_at(struct timeline *timeline, uint64_t sequence, char *out_label);

/* ---- dependency.c: what streams wait for, and failures ---- */

/* Whether work submitted to `timeline` from now on runs behind `sequence` of `other`, because it waited for it
 * (directly or through others), or because it is the same stream, or because it has finished. May be false for what is
 * true when the way there is long. */
bool timeline_is_after(struct timeline *timeline, struct timeline *other, uint64_t sequence);

/* Notes that what is submitted to `timeline` from now on waits for `sequence` of `other`. Calls for one timeline need
 * the order that submitting to it needs. */
haly_status timeline_note_wait(struct timeline *timeline, struct timeline *other, uint64_t sequence);

/* Takes the latest such note back: what was to wait was not submitted. */
void timeline_forget_wait(struct timeline *timeline, const struct timeline *other, uint64_t sequence);

/* All of them, since the stream has ended. */
void timeline_forget_waits(struct timeline *timeline);

/* HALY_OK, or with its detail the first failure at or before `sequence`, its own or one it waited for. UINT64_MAX: of
 * the stream as a whole. One load while nothing failed. */
haly_status timeline_status(struct timeline *timeline, uint64_t sequence);

/* The same without touching the calling thread's detail. */
haly_status timeline_status_quiet(struct timeline *timeline, uint64_t sequence);

/* Command `sequence` failed; comes before the command counts as finished. The earliest failure is kept, and handed on
 * to what depends on it. Unless the error is another stream's, its stream, sequence and label are filled in; its
 * scope becomes the stream at least. */
void timeline_fail(struct timeline *timeline, uint64_t sequence, haly_error *error);

/* The same for a failure of `context`, which the command waited for: of another context it concerns this stream alone.
 */
void timeline_inherit(struct timeline *timeline, uint64_t sequence, const haly_context *context,
                      const haly_error *error);

/* In a child of fork. */
void dependencies_forked(void);

#endif
