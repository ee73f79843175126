/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retiring: what was released while queued work may still use it is destroyed when that work has finished, by the
 * releasing thread when it is idle already, else by one background thread of the process. So release never waits.
 */
#ifndef HAL_RETIRE_H
#define HAL_RETIRE_H

#include "object.h"

/* Destroys `object` once all that was submitted so far in its context has finished; in an abandoned context never. The
 * object was taken out of its context. Needs no memory: without any, it waits for more than it must. */
void retire(struct object *object, void (*destroy)(struct object *object));

/* Destroys `object` now, which no queued work uses; in an abandoned context never. */
void retire_idle(struct object *object, void (*destroy)(struct object *object));

/* The same for a context, which waits besides until nothing of it is being retired. */
void retire_context(haly_context *context, void (*destroy)(struct object *object));

/* In a child of fork: the thread and what it waited for are the parent's. */
void retire_forked(void);

/* haly_shutdown(): stops the thread; what it held is left alone. */
void retire_stop(void);

#endif
