/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The validation layer's inside. What the core checks it refuses with or without this layer; the layer finds what no
 * check of one call can see: handles that must not even be followed, commands of different streams that touch the same
 * bytes although nothing orders them, memory given back or replayed over while it is in use, and what is left behind.
 *
 * Streams and memory are tracked for the process, since commands of one instance may touch what another one holds. One
 * lock guards all of it; what is found under it is told without it.
 */
#ifndef HAL_LAYERS_VALIDATE_H
#define HAL_LAYERS_VALIDATE_H

#include "layers/layer.h"
#include "layers/region.h"
#include "layers/validate_report.h"

struct validate {
    bool fails;              /* a certain finding fails the call that shows it */
    haly_context **contexts; /* that the program holds; under the lock */
    uint32_t context_count, context_capacity;
};

/* The policy of the latest instance, for calls that belong to none. */
bool validate_fails(void);

void validate_lock(void);
void validate_unlock(void);

/* ---- validate_stream.c: streams, and what is known to lie before what. All under the lock. ---- */

#define TRACKED_LABEL 32

struct tracked_stream;

/* A point in a stream: a command, or an allocation behind one. */
struct moment {
    uint32_t slot;
    uint64_t moment;
    uint64_t command; /* its number, or that of the one in front, as the program counts */
};

/* The stream's entry, made on first need; NULL: out of memory. */
struct tracked_stream *stream_track(haly_stream *stream);
struct tracked_stream *stream_of_timeline(const struct timeline *timeline);
void stream_untrack(const struct timeline *timeline);

/* The next command, or allocation, gets its place; what the host has seen by now lies before it. */
struct moment stream_advance(struct tracked_stream *stream, bool is_command);
/* The latest place. */
struct moment stream_now(const struct tracked_stream *stream);
/* Whether the moment lies before what the stream does next, or is its own. */
bool stream_is_behind(const struct tracked_stream *stream, struct moment moment);
/* Whether the host has seen it pass. */
bool host_is_behind(struct moment moment);
/* Whether others may order what happens there, out of sight. */
bool moment_is_native(struct moment moment);

/* Commands behind the moment, of the stream's own, were not queued after all. */
void stream_rewind(struct tracked_stream *stream, struct moment moment);

/* Marks the stream as being submitted to by this thread; false when another thread is in the middle of that. */
bool stream_enter(struct tracked_stream *stream);
void stream_leave(struct tracked_stream *stream);

/* "stream 5 \"copies\", command 12" */
#define MOMENT_TEXT 128
const char *moment_text(struct moment moment, char text[MOMENT_TEXT]);

void order_record(struct tracked_stream *stream, struct event_record *record);
void order_wait(struct tracked_stream *stream, const struct event_record *record);
void order_host_saw(const struct tracked_stream *stream, uint64_t moment);
void order_host_saw_record(const struct event_record *record);
void order_record_ended(struct event_record *record);
void order_went_native(const haly_context *context, const struct timeline *only);
void order_context_closed(const haly_context *context);
/* Whether memory ran out for some of it: no two commands are told to be a race then. */
bool order_has_gaps(void);
void streams_clear(void);
void streams_forked(void);

/* ---- validate_memory.c: allocations, and who touched them last. All under the lock. ---- */

/* One use of memory by a command. */
struct touch {
    struct region region;
    struct moment moment;
    bool is_write;
    bool is_allocation; /* haly_malloc_async(): others may use it behind that only */
    bool is_kept;       /* haly_memory_used_on(): the free waits for it */
    char what[64];      /* "copy", "Add: output 0 (C)" */
    char label[TRACKED_LABEL];
    struct place place;
};

void memory_track(const struct layer_memory *memory, struct tracked_stream *stream);
/* `fails`: a certain finding refuses the command, which then never happens. */
void memory_touch(struct tracked_stream *stream, const struct touch *touch, bool fails, struct findings *findings);
/* Forgets what the commands behind a moment, of its slot, did. */
void memory_rewind(struct moment moment);
/* Bytes from an address to the end of its allocation; 0 when it is in none that is tracked. */
uint64_t memory_bytes_behind(const void *address);
/* Whether the address lies in memory that was freed behind a moment of layers_memory_moment(), used again or not; says
 * how. */
bool memory_was_freed(const void *address, uint64_t memory_moment, char *text, size_t size);
void memory_used(const struct tracked_stream *stream, const void *address);
/* Looks at who may still use it, and forgets it unless that fails the call. */
void memory_give(const void *address, enum layers_give how, const struct tracked_stream *stream, bool fails,
                 struct findings *findings);
/* Calls `visit` for each allocation of a context that is not a graph's. */
typedef void (*memory_visit_fn)(void *user, const struct layer_memory *memory, const struct place *made);
void memory_list(const haly_context *context, memory_visit_fn visit, void *user);
void memory_context_closed(const haly_context *context);
void memory_clear(void);
void memory_forked(void);

/* ---- validate_commands.c ---- */
haly_status validate_submit(void *state, struct layer_batch *batch, const struct layer_chain *chain);

/* ---- validate_leaks.c ---- */
/* The program holds the context no longer. */
void validate_context_forget(struct validate *validate, const haly_context *context);
void validate_context_released(void *state, haly_context *context);
void validate_instance_released(void *state, haly_instance *instance);

#endif
