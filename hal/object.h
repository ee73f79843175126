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
    uint32_t generation;         /* of the process that made it: see process.h */
    _Atomic uint32_t references; /* the caller's */
    uint32_t last_kind;          /* of one that is dead because its context was released, which still lists it */
    bool is_internal;            /* made by the core for itself */
    uint64_t id;
    haly_context *context;          /* it belongs to, itself for a context, NULL above contexts */
    struct object *previous, *next; /* among the context's objects; under the context's lock */
    char name[OBJECT_NAME_BYTES];
    struct retirement retirement;
};

/* Spares a look into the table of what other objects define. */
#define HIDDEN __attribute__((visibility("hidden")))

/* The current process's generation, wiped to 0 by fork and by haly_shutdown(): one comparison finds stale handles.
 * The pointer changes once, before the first handle exists. */
HIDDEN extern _Atomic uint32_t *process_generation;

/* Handles below this address may be looked at: all of them, or none once the validation layer keeps the list of handles
 * (layers/handles.h), which then says of each what it is before anybody follows it. */
HIDDEN extern _Atomic uintptr_t object_limit;

static inline uint32_t process_current_generation(void)
{
    return atomic_load_explicit(process_generation, memory_order_relaxed);
}

#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* What is kept out of a function whose usual way is a few tests: that then saves no registers. */
#define APART __attribute__((noinline))

/* For one that is known to be there. */
static inline bool object_is_sound(const struct object *object, uint32_t kind)
{
    return atomic_load_explicit(&object->kind, memory_order_relaxed) == kind &&
           object->generation == process_current_generation();
}

static inline bool object_is_usable(const void *handle, uint32_t kind)
{
    const struct object *object = handle;
    /* NULL minus 1 is never below the limit. */
    return (uintptr_t)object - 1 < atomic_load_explicit(&object_limit, memory_order_relaxed) &&
           object_is_sound(object, kind);
}

/* For functions that take objects of several kinds. */
#define OBJECT_ANY 0U

/* For what is not usable at first sight: HALY_OK when the list of handles knows it. Else why not: NULL, wrong kind,
 * dead, foreign, from before a fork, or shutting down. */
haly_status object_examine(const char *function, const void *handle, uint32_t kind);
/* The same for an object of any kind; not NULL. */
haly_status object_examine_any(const char *function, const void *handle);
/* Its kind; 0 when it is NULL or may not be used. */
uint32_t object_kind(const void *handle);

/* First line of every public function that takes a handle. */
#define ENTRY_AS(function_, handle, kind_)                                                                             \
    do {                                                                                                               \
        if (UNLIKELY(!object_is_usable((handle), (kind_))))                                                            \
            TRY(object_examine((function_), (handle), (kind_)));                                                       \
    } while (0)
#define ENTRY(handle, kind_) ENTRY_AS(__func__, handle, kind_)

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

/* Marks an object dead, and frees its storage: an object of `malloc` that begins with its header. */
void object_end(struct object *object);
void object_free(struct object *object);

/* "stream", "event", …; "object" for what is none. */
const char *object_kind_name(uint32_t kind);

/* retain/release of the public API for one kind: `destroy` runs when the last reference goes. Handles from before a
 * fork are left alone. */
void object_retain(void *handle, haly_object_kind kind);
void object_release(void *handle, haly_object_kind kind, void (*destroy)(struct object *object));

#endif
