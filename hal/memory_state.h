/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of a context: what the files memory*.c and host_memory.c share. */
#ifndef HAL_MEMORY_STATE_H
#define HAL_MEMORY_STATE_H

#include "allocator.h"
#include "context.h"
#include "memory.h"
#include "window.h"

struct memory {
    haly_context *context;
    bool has_window;
    struct window window;
    struct allocator device;
    struct allocator pinned;

    _Atomic uint32_t registration_count; /* 0: nobody needs to look */
    struct short_lock registration_lock;
    struct registration *registrations; /* sorted */
    uint32_t registration_capacity;

    haly_stream *_Atomic zero_stream; /* for HALY_MEMORY_ZERO; whoever takes it out may submit to it */
    _Atomic int64_t other_pinned;     /* bytes, see memory_note_pinned() */

    struct memory *next;       /* among all of the process, for addresses without a context */
    _Atomic uint32_t visitors; /* threads that look at an address, and ask its backend */
};

/* What an open context's memory is made from. */
struct memory_config {
    uint64_t limit;
    uint64_t window_bytes;
    bool window_is_exact; /* fail rather than take a smaller one */
};

/* memory_open() without the parameters. */
haly_status memory_open_with(haly_context *context, const struct memory_config *config);

/* All open memories, and whether one knows an unknown address as its vendor's. Used by haly_memory_info_get(). */
void memory_enlist(struct memory *memory);
void memory_delist(struct memory *memory);

/* ---- host_memory.c ---- */

/* Whether [address, +size) lies in one registered range; its start and size when asked for. */
bool host_find_registered(struct memory *memory, const void *address, uint64_t size, void **out_start,
                          uint64_t *out_size);
/* Ends all registrations and gives pinned memory back. */
void host_close(struct memory *memory);

/* ---- memory_resolve.c ---- */

/*
 * The live chunk that starts at `address` in the context, of the class. Otherwise NULL, with HALY_ERR_INVALID's detail
 * that says what the address is.
 */
struct chunk *memory_live_chunk(haly_context *context, const void *address, haly_memory_class memory_class);

#endif
