/* SPDX-License-Identifier: Apache-2.0 */
/* A context: what it is opened on, the objects it holds, and the parts that serve it. */
#ifndef HAL_CONTEXT_H
#define HAL_CONTEXT_H

#include <pthread.h>

#include "device.h"
#include "short_lock.h"

struct layers;     /* layers/layers.h: what watches it */
struct memory;     /* memory.h: address window, allocator, pinned memory */
struct plan_cache; /* plan.h: eager plans and the operator kernels */
struct service;    /* service.h: the thread that runs what a deferred stream waits for */

struct haly_context {
    struct object object;
    haly_instance *instance;
    haly_device *device;
    const haly_backend_table *backend; /* the device's backend's completed table */
    void *block;                       /* the backend's */
    uint32_t flags;                    /* HALY_CONTEXT_… */
    bool native_addresses;             /* no address of this context is ever translated */

    pthread_mutex_t lock;   /* the object list and names */
    struct object *objects; /* first of the list */
    struct short_lock timelines_lock;
    struct timeline *timelines; /* of its streams, the one made last first; under timelines_lock */

    struct layers *layers;     /* the instance's; NULL: nobody watches */
    _Atomic uint32_t latched;  /* haly_status of the fault in force, 0 while healthy */
    _Atomic bool is_abandoned; /* given up, with a fault or without: its backend is not called any more */
    haly_error fault;          /* written once, before latched; of no interest once abandoned */

    struct event_record *idle_records;             /* pool of event records; under lock */
    struct event_record *busy_records, *busy_last; /* released, not known to have finished; oldest first */

    /* Grows when an address may come to mean other memory of the backend than before. */
    _Atomic uint64_t mapping_epoch;
    struct memory *memory;
    struct plan_cache *plans;
    struct service *service; /* started on first need, under lock */

    _Atomic uint32_t retiring; /* objects of it that were released and are not destroyed yet */
};

/* ---- context_list.c: all live contexts of the process ---- */

/* Lists a context that is open, under a name that nobody else has; "" is none. */
haly_status context_enlist(haly_context *context, const char *name);
void context_delist(haly_context *context);

/* Keeps a context that was given up, for ever. */
void context_keep_abandoned(haly_context *context);

/* Renames a context; names are unique among the live contexts of its instance. */
haly_status context_rename(haly_context *context, const char *name);

/* Latches a fault of context scope or wider in all contexts that it reaches; the first one stays. Only for what the
 * context's own backend said, or its owner: an error that came from elsewhere, through an event, concerns the stream
 * that waited. */
void context_latch(haly_context *context, const haly_error *error);

/* The same for one that is given up, whatever it has latched before. False: it was given up before. */
bool context_latch_abandoned(haly_context *context);

/* HALY_OK, or with its detail a fault that reaches every context on the device until the process is restarted. */
haly_status context_check_device(const haly_device *device);

/* In a child of fork. */
void contexts_forked(void);

/* ---- context.c ---- */

/* HALY_OK, or the latched fault with its detail. */
haly_status context_check(haly_context *context);

/* The fault in force of a context that has latched one. */
haly_error context_fault(const haly_context *context);

static inline bool context_is_abandoned(const haly_context *context)
{
    return atomic_load_explicit(&context->is_abandoned, memory_order_acquire);
}

static inline uint64_t context_mapping_epoch(haly_context *context)
{
    return atomic_load_explicit(&context->mapping_epoch, memory_order_acquire);
}

/* For calls into the context's backend: what backend_failed() does, and latches what reaches as far as the context. */
haly_status context_failure_note(haly_context *context, uint64_t serial_before, haly_status status);
#define context_failed(context_, serial_before_, status_)                                                              \
    error_status(context_failure_note((context_), (serial_before_), (status_)), (status_))

#define TRY_CONTEXT(context_, expression)                                                                              \
    do {                                                                                                               \
        const uint64_t try_serial_ = error_serial();                                                                   \
        const haly_status try_status_ = (expression);                                                                  \
        if (try_status_ != HALY_OK)                                                                                    \
            return HAND_ON(context_failed((context_), try_serial_, try_status_));                                      \
    } while (0)

/* What ENTRY_LIVE finds of nearly every handle. A function that asks this first, and leaves everything else to one call
 * at its end, saves no registers. */
#define IS_LIVE(handle_, kind_, context_)                                                                              \
    (object_is_usable((handle_), (kind_)) && atomic_load_explicit(&(context_)->latched, memory_order_relaxed) == 0)

/* ENTRY for a child object: also refuses when its context has latched. */
#define ENTRY_LIVE_AS(function_, handle_, kind_, context_)                                                             \
    do {                                                                                                               \
        ENTRY_AS(function_, handle_, kind_);                                                                           \
        if (UNLIKELY(atomic_load_explicit(&(context_)->latched, memory_order_relaxed) != 0))                           \
            return error_hand_on((function_), context_check(context_));                                                \
    } while (0)
#define ENTRY_LIVE(handle_, kind_, context_) ENTRY_LIVE_AS(__func__, handle_, kind_, context_)

#endif
