/* SPDX-License-Identifier: Apache-2.0 */
/* The header every handle points at. References, ids, names and liveness checks exist here once. */
#ifndef HAL_OBJECT_H
#define HAL_OBJECT_H

#include <stdatomic.h>
#include <stdbool.h>

#include <halyard/context.h>

#include "error.h"

#define OBJECT_NAME_BYTES 64

struct object;
struct timeline_point;

/* How an object waits, once released, for queued work that may still use it: see retire.h. A part of the object, so
 * that releasing needs no memory. */
struct retirement {
    struct object *next;
    void (*destroy)(struct object *object);
    struct timeline_point *points; /* what it waits for, counted */
    uint32_t point_count;
    bool waits_for_idle; /* there was no memory for points: until every stream of the context is idle */
};

struct object {
    _Atomic uint32_t kind;       /* haly_object_kind; 0 once dead */
    uint32_t generation;         /* of the process that made it: see fork.h */
    _Atomic uint32_t references; /* the caller's */
    uint32_t last_kind;          /* of one that is dead because its context was released, which still lists it */
    uint64_t id;
    haly_context *context;          /* it belongs to, itself for a context, NULL above contexts */
    struct object *previous, *next; /* among the context's objects; under the context's lock */
    char name[OBJECT_NAME_BYTES];
    struct retirement retirement;
};

/* The current process's generation, wiped to 0 by fork and by haly_shutdown(): one comparison finds stale handles.
 * The pointer changes once, before the first handle exists. */
extern _Atomic uint32_t *process_generation;

static inline uint32_t process_current_generation(void)
{
    return atomic_load_explicit(process_generation, memory_order_relaxed);
}

#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* What is kept out of a function whose usual way is a few tests: that then saves no registers. */
#define APART __attribute__((noinline))

static inline bool object_is_usable(const void *handle, uint32_t kind)
{
    const struct object *object = handle;
    return object != NULL && atomic_load_explicit(&object->kind, memory_order_relaxed) == kind &&
           object->generation == process_current_generation();
}

/* For functions that take objects of several kinds. */
#define OBJECT_ANY 0U

bool object_is_any(const void *handle);

/* Why it is not: NULL, wrong kind, dead, from before a fork, or shutting down. Of a handle that was released for good
 * this is a guess: its memory may be anybody's by now. */
haly_status object_refuse(const char *function, const void *handle, uint32_t kind);

/* First line of every public function that takes a handle. */
#define ENTRY(handle, kind_)                                                                                           \
    do {                                                                                                               \
        if (UNLIKELY(!object_is_usable((handle), (kind_))))                                                            \
            return object_refuse(__func__, (handle), (kind_));                                                         \
    } while (0)

/* An output pointer or other argument that must not be NULL. */
#define REQUIRE(pointer)                                                                                               \
    do {                                                                                                               \
        if (UNLIKELY((pointer) == NULL))                                                                               \
            return FAIL(HALY_ERR_INVALID, #pointer " is NULL");                                                        \
    } while (0)

/* Fills in the header: one reference, a new id, this process's generation. Not yet visible to anybody. */
void object_init(struct object *object, haly_object_kind kind, haly_context *context);

/* Links a finished object into its context under `name` (may be NULL or ""; fails when the name is taken), or takes it
 * out and marks it dead. */
haly_status object_publish(struct object *object, const char *name);
void object_unpublish(struct object *object);

/* The context was released: all it lists is dead, and stays listed for the context's end. */
void objects_bury(haly_context *context);

/* "stream", "event", …; "object" for what is none. */
const char *object_kind_name(uint32_t kind);

/* retain/release of the public API for one kind: `destroy` runs when the last reference goes. Handles from before a
 * fork are left alone. */
void object_retain(void *handle, haly_object_kind kind);
void object_release(void *handle, haly_object_kind kind, void (*destroy)(struct object *object));

#endif
