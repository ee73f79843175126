/* SPDX-License-Identifier: Apache-2.0 */
/* Memory as the rest of the core sees it: opening, resolving addresses, and allocating for internal needs. */
#ifndef HAL_MEMORY_H
#define HAL_MEMORY_H

#include <stdbool.h>

#include <halyard/memory.h>

#include "context.h"

struct timeline;

/* What a range of addresses is. */
struct memory_view {
    haly_memory_class memory_class;
    haly_context *context; /* NULL for host memory that is not ours */
};

/* Memory is taken from a backend by so much, so a lower limit would allow none. */
#define MEMORY_LIMIT_LEAST (UINT64_C(2) << 20)

/* Opens and closes the memory of a context. Closing requires idle streams, and frees everything, leaked or not; in an
 * abandoned context it frees nothing, and the context must stay. */
haly_status memory_open(haly_context *context, uint64_t memory_limit, uint64_t window_bytes);
void memory_close(haly_context *context);

/* Address window, for haly_context_info; zeros when there is none. */
void memory_window(haly_context *context, uint64_t *out_base, uint64_t *out_bytes);

/*
 * Resolves [address, address + size) for a command in `context`. HALY_ERR_INVALID, with a message that begins with
 * `what` ("dst"), when the range starts in an allocation and leaves it, runs into one, touches freed memory, wraps
 * around, or starts at NULL. Size 0 is fine anywhere but in freed memory. Device memory of another context resolves
 * too; the caller looks at view.context. Takes no lock for device and pinned memory.
 */
haly_status memory_resolve(haly_context *context, const void *address, uint64_t size, const char *what,
                           struct memory_view *out_view);

/*
 * Whether kernels and operators of the context may use the memory: device memory of its own, pinned memory of its
 * backend, and, where addresses are native and the context need not move, what Halyard does not own.
 */
static inline bool memory_is_usable(const haly_context *context, const struct memory_view *view)
{
    if (LIKELY(view->memory_class == HALY_MEMORY_DEVICE))
        return view->context == context;
    if (view->memory_class == HALY_MEMORY_PINNED)
        return view->context == NULL || view->context->backend == context->backend;
    return context->native_addresses && (context->flags & HALY_CONTEXT_MOVABLE) == 0;
}

/* HALY_ERR_INVALID unless the context that a resolved range belongs to can be used, in this process. */
haly_status memory_check_owner(const struct memory_view *view, const void *address);

/* The backend's address for one that was resolved before; NULL stays NULL, host addresses stay as they are.
 * Cheap: one table look-up, none in contexts with native addresses. */
void *memory_translate(haly_context *context, const void *address);

/* Stream-ordered allocation on behalf of the core (workspaces), and its free behind what was submitted since. */
haly_status memory_alloc_ordered(haly_context *context, struct timeline *timeline, uint64_t size, void **out_address);
void memory_free_ordered(haly_context *context, struct timeline *timeline, void *address);

/* The same for memory that stays a graph's until the graph frees it, behind nothing: its launches have finished. */
struct allocation;
haly_status memory_alloc_for_graph(haly_context *context, const struct allocation *request, void **out_address);
void memory_free_of_graph(haly_context *context, void *address);

/* Counts host memory that another part of the core pins (positive) or lets go (negative), for the statistics. */
void memory_note_pinned(haly_context *context, int64_t bytes);

/* Drops what pending frees hold on a timeline that has ended; called when a stream is destroyed. */
void memory_timeline_ended(haly_context *context, struct timeline *timeline);

#endif
