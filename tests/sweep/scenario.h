/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a scenario is: calls of the public interface, one after another, each of which may be the one that a planted
 * failure reaches. The first call that does not answer as it should ends the scenario; then everything made is
 * released.
 */
#ifndef TESTS_SWEEP_SCENARIO_H
#define TESTS_SWEEP_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#include <halyard/halyard.h>

/* How a scenario came out. Stands in shared memory. */
struct outcome {
    char step[64];          /* the call that is running, or ran last */
    haly_status status;     /* of the first call that failed */
    char function[48];      /* that call; "" when none failed */
    haly_error error;       /* its detail */
    int32_t context_status; /* what the context said of itself then, or at the end; -1 when there was none */
    char problem[512];      /* the first thing that must not be, whatever was planted; "" when there is none */
};

struct world;

/* One way of running a body. */
struct scenario {
    const char *name;
    void (*run)(struct world *world);
    const char *backend;  /* NULL: none is named */
    haly_param params[4]; /* more of them, up to the first without a name */
    uint32_t context_flags;
    bool is_final; /* it shuts the library down: nothing can run behind it */
    bool keeps;    /* what was abandoned, or released under validate, stays held for a while: more of it each time */
};

extern const struct scenario scenarios[];
extern const uint32_t scenario_count;

#define MADE_MOST 64U

/* So many runs have what queued work may still touch for themselves: work of a run that failed may still be going on in
 * the next one. */
#define WORLD_RUNS 8U

/* What a running scenario has. Everything made is released from the last to the first, unless the scenario takes it
 * out. */
struct world {
    const struct scenario *scenario;
    struct outcome *outcome;
    bool is_faulty; /* the backend that fails on purpose stands before the one that is named */
    haly_instance *instance;
    haly_context *context;
    haly_stream *stream;
    struct {
        void *handle;
        void (*release)(void *handle);
    } made[MADE_MOST];
    uint32_t made_count;
    uint64_t seed; /* other contents each time */
    uint32_t run;  /* how often scenarios have run before in this process */
};

/* Notes what a call answered; true when it is `wanted`. */
bool world_step(struct world *world, const char *call, haly_status status, haly_status wanted);
/* Names the call that is about to be made. */
void world_begin(struct world *world, const char *call);
/* Notes something that must not be; false. */
bool world_problem(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool world_has_failed(const struct world *world);
/* Notes what the context says of itself. */
void world_note_context(struct world *world);

/* STEP(haly_malloc, context, size, NULL, &address): ends the scenario's function unless the call answers HALY_OK.
 * EXPECT says what else it answers. */
#define EXPECT(wanted_, function_, ...)                                                                                \
    do {                                                                                                               \
        world_begin(world, #function_);                                                                                \
        if (!world_step(world, #function_, function_(__VA_ARGS__), (wanted_)))                                         \
            return;                                                                                                    \
    } while (0)
#define STEP(function_, ...) EXPECT(HALY_OK, function_, __VA_ARGS__)

/* STEP for a call that writes `out_`, a pointer that was NULL: a failure must leave it so. [ABI-005] */
#define STEP_OUT(out_, function_, ...)                                                                                 \
    do {                                                                                                               \
        (out_) = NULL;                                                                                                 \
        world_begin(world, #function_);                                                                                \
        if (!world_step(world, #function_, function_(__VA_ARGS__), HALY_OK)) {                                         \
            if ((out_) != NULL)                                                                                        \
                world_problem(world, #function_ " failed and wrote its output");                                       \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)

/* What must hold once calls have answered HALY_OK. */
#define CHECK(condition_)                                                                                              \
    do {                                                                                                               \
        if (!(condition_)) {                                                                                           \
            world_problem(world, "wrong result: %s (%s:%d)", #condition_, __FILE__, __LINE__);                         \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)

/* Goes on only while nothing has failed, behind a helper that has steps of its own. */
#define GO(call_)                                                                                                      \
    do {                                                                                                               \
        call_;                                                                                                         \
        if (world_has_failed(world))                                                                                   \
            return;                                                                                                    \
    } while (0)

/* ---- what scenarios share; each may fail, so they are called with GO ---- */

void world_open_instance(struct world *world);
/* The instance, a context with the scenario's flags, and a stream. */
void world_open(struct world *world);
void world_context(struct world *world, uint32_t flags, haly_context **out_context);
void world_stream(struct world *world, haly_stream **out_stream);
void world_event(struct world *world, uint32_t flags, haly_event **out_event);
void world_memory(struct world *world, uint64_t size, void **out_address);
void world_module(struct world *world, haly_module **out_module);
void world_sync(struct world *world, haly_stream *stream);

/* Copies pageable bytes to new device memory, and device memory back to be compared with them. */
void world_upload(struct world *world, const void *bytes, uint64_t size, void **out_address);
void world_compare(struct world *world, const void *address, const void *bytes, uint64_t size);

/* Bytes that differ from place to place and from seed to seed. */
void world_fill(struct world *world, void *bytes, uint64_t size);

/* Releases `handle` when the scenario ends; or now, out of its turn. */
void world_keep(struct world *world, void *handle, void (*release)(void *handle));
void world_release_now(struct world *world, void *handle);
void world_close(struct world *world);

/* Paths in the build folder, and of a folder of the sweep's own in /tmp. */
const char *world_path(const char *below);

/* Whether a backend's file is not that of the backend that the scenario names, or of one that it leaves out. */
bool world_is_other_backend(const struct scenario *scenario, bool is_faulty, const char *file);
const char *world_sandbox(void);

/* The bodies. The first is what a program does that nothing is wrong with: run behind every other one. */
void run_computation(struct world *world);
void run_instance(struct world *world);
void run_instance_with_policy(struct world *world);
void run_instance_with_bad_policy(struct world *world);
void run_instance_with_several_backends(struct world *world);
void run_instance_with_bad_backends(struct world *world);
void run_instances_twice(struct world *world);
void run_devices(struct world *world);
void run_context(struct world *world);
void run_streams(struct world *world);
void run_events(struct world *world);
void run_events_across_contexts(struct world *world);
void run_memory(struct world *world);
void run_memory_in_stream_order(struct world *world);
void run_memory_with_limit(struct world *world);
void run_host_memory(struct world *world);
void run_copies(struct world *world);
void run_copies_across_contexts(struct world *world);
void run_host_calls(struct world *world);
void run_module(struct world *world);
void run_module_from_memory(struct world *world);
void run_module_from_source(struct world *world);
void run_plans(struct world *world);
void run_operators(struct world *world);
void run_large_matmul(struct world *world);
void run_graph(struct world *world);
void run_interop(struct world *world);
void run_fork(struct world *world);
void run_release_in_odd_order(struct world *world);
void run_release_while_busy(struct world *world);
void run_graph_on_two_streams(struct world *world);
void run_abandon(struct world *world);
void run_shutdown(struct world *world);
void run_model(struct world *world);
void run_text(struct world *world);

#endif
