/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of handles: kept once the validation layer was asked for, until the process ends, so that a handle can be
 * judged without following it. What was released stays known, and its storage is not used again, until HANDLES_KEPT
 * more have been released.
 */
#ifndef HAL_LAYERS_HANDLES_H
#define HAL_LAYERS_HANDLES_H

#include "layers/place.h"
#include "object.h"

#define HANDLES_KEPT 1024U

enum handle_state {
    HANDLE_UNKNOWN,    /* nothing that Halyard made, or released long ago */
    HANDLE_UNLISTED,   /* not known, but there are handles from before the list */
    HANDLE_LIVE,       /* follow it */
    HANDLE_RELEASED,   /* storage still there */
    HANDLE_OF_RELEASED /* live, of a context that was released */
};

/* What is known of a handle; kind 0 when nothing is. */
struct handle_facts {
    enum handle_state state;
    uint32_t kind;
    uint64_t id;
    char name[OBJECT_NAME_BYTES];
    struct place made, released;
};

static inline bool handles_are_listed(void)
{
    return atomic_load_explicit(&object_limit, memory_order_relaxed) == 0;
}

/* Starts the list. `is_first`: no handle exists yet. */
void handles_start(bool is_first);
void handles_forked(void);

void handles_add(struct object *object);
/* It was released. Its storage follows later, or never. */
void handles_release(struct object *object);
/* Takes over the storage of one that was released, or that never became visible. */
void handles_retire(struct object *object);

/* Whether it may be followed. */
bool handle_is_live(const void *handle);
enum handle_state handles_find(const void *handle, struct handle_facts *out_facts);

/* Where a live object was made; an empty place when that is not known. */
struct place handles_made(const struct object *object);

#endif
