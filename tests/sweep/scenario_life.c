/* SPDX-License-Identifier: Apache-2.0 */
/* How things end: out of order, while work is queued, given up, in a child, for good. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "scenario.h"

static const uint8_t pattern = 0x3c;

/* Instance and context go first; what belongs to them is dead then. */
void run_release_in_odd_order(struct world *world)
{
    haly_stream *other = NULL;
    haly_event *event = NULL;
    haly_module *module = NULL;
    void *memory = NULL;
    GO(world_open(world));
    GO(world_stream(world, &other));
    GO(world_event(world, 0, &event));
    GO(world_module(world, &module));
    GO(world_memory(world, 1U << 16, &memory));
    STEP(haly_fill, world->stream, memory, &pattern, 1, 1U << 16);
    STEP(haly_event_record, event, world->stream);
    STEP(haly_stream_wait, other, event);
    STEP(haly_fill, other, memory, &pattern, 1, 1U << 16);
    world_release_now(world, event);
    world_release_now(world, world->instance);
    world_release_now(world, world->stream);
    world->made_count = 0; /* the rest goes with the context */
    haly_context_release(world->context);
    world->context = NULL;
}

/* ---- with work in flight ---- */

struct gate {
    _Atomic bool is_open;
};

/* One for each run: the call of an earlier one may still stand before its own. */
static struct gate gates[WORLD_RUNS];

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static haly_status wait_at_gate(void *user, haly_status status)
{
    struct gate *at = user;
    (void)status;
    while (!atomic_load(&at->is_open))
        nap();
    return HALY_OK;
}

/* Lets a queue go on, whatever became of the scenario. */
static void open_gate(void *at)
{
    atomic_store(&((struct gate *)at)->is_open, true);
}

/* Streams, events, kernels and plans that are released while a host call holds the stream: the thread that retires them
 * has to wait. */
static void queue_behind_gate(struct world *world, haly_stream *other, haly_event *event, void *memory)
{
    STEP(haly_host_call, world->stream, wait_at_gate, &gates[world->run % WORLD_RUNS]);
    STEP(haly_fill, world->stream, memory, &pattern, 1, 4096);
    STEP(haly_event_record, event, world->stream);
    STEP(haly_stream_wait, other, event);
    STEP(haly_fill, other, (char *)memory + 4096, &pattern, 1, 4096);
    STEP(haly_free, world->context, memory);
    world_release_now(world, event);
    world_release_now(world, other);
    world_release_now(world, world->stream);
}

void run_release_while_busy(struct world *world)
{
    struct gate *gate = &gates[world->run % WORLD_RUNS];
    haly_stream *other = NULL;
    haly_event *event = NULL;
    void *memory = NULL;
    GO(world_open(world));
    GO(world_stream(world, &other));
    GO(world_event(world, 0, &event));
    GO(world_memory(world, 8192, &memory));
    world_keep(world, gate, open_gate); /* opened first of all, and before the context goes */
    GO(queue_behind_gate(world, other, event, memory));
    world->stream = NULL;
    world_release_now(world, world->context); /* the gate is shut */
    world->context = NULL;
    open_gate(gate);
}

static void release_graph(void *graph)
{
    haly_graph_release(graph);
}

static void capture_fill(struct world *world, void *memory, haly_graph **out_graph)
{
    STEP(haly_stream_capture_begin, world->stream);
    STEP(haly_fill, world->stream, memory, &pattern, 1, 4096);
    STEP_OUT(*out_graph, haly_stream_capture_end, world->stream, out_graph);
    world_keep(world, *out_graph, release_graph);
}

/* A graph that goes to a second stream while the first is held: its launch waits for the one before. */
void run_graph_on_two_streams(struct world *world)
{
    struct gate *gate = &gates[world->run % WORLD_RUNS];
    haly_stream *other = NULL;
    haly_graph *graph = NULL;
    void *memory = NULL;
    GO(world_open(world));
    GO(world_stream(world, &other));
    GO(world_memory(world, 4096, &memory));
    GO(capture_fill(world, memory, &graph));
    world_keep(world, gate, open_gate);
    STEP(haly_host_call, world->stream, wait_at_gate, gate);
    STEP(haly_graph_launch, world->stream, graph);
    STEP(haly_graph_launch, other, graph);
    open_gate(gate);
    STEP(haly_graph_launch, world->stream, graph);
    GO(world_sync(world, other));
    GO(world_sync(world, world->stream));
}

static void abandon_hung(struct world *world)
{
    STEP(haly_host_call, world->stream, wait_at_gate, &gates[world->run % WORLD_RUNS]);
    STEP(haly_context_abandon, world->context);
    EXPECT(HALY_ERR_ABANDONED, haly_stream_sync, world->stream, HALY_FOREVER);
    EXPECT(HALY_ERR_ABANDONED, haly_fill, world->stream, NULL, &pattern, 1, 1);
}

/* What an abandoned context held is leaked, as promised. */
void run_abandon(struct world *world)
{
    GO(world_open(world));
    world_keep(world, &gates[world->run % WORLD_RUNS], open_gate);
    GO(abandon_hung(world));
}

/* ---- processes ---- */

static void use_in_child(struct world *world)
{
    struct world child = {.scenario = world->scenario, .outcome = world->outcome, .is_faulty = world->is_faulty};
    void *memory = NULL;
    world->context = NULL; /* the parent's: of no use here */
    EXPECT(HALY_ERR_FORKED, haly_stream_sync, world->stream, 0);
    world_open(&child);
    if (!world_has_failed(&child))
        world_upload(&child, &child, sizeof child, &memory);
    world_close(&child);
}

/* The child's steps are noted like the parent's: the outcome is shared. */
void run_fork(struct world *world)
{
    void *memory = NULL;
    int status = 0;
    GO(world_open(world));
    GO(world_upload(world, &pattern, 1, &memory));
    const pid_t child = fork();
    if (child == 0) {
        use_in_child(world);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        abort();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        world_problem(world, "the child ended with wait status 0x%x", (unsigned)status);
    GO((void)0);
    GO(world_compare(world, memory, &pattern, 1));
}

void run_shutdown(struct world *world)
{
    haly_stream *stream = NULL;
    haly_instance *instance = NULL;
    void *memory = NULL;
    GO(world_open(world));
    GO(world_upload(world, &pattern, 1, &memory));
    world_begin(world, "haly_shutdown");
    haly_shutdown();
    haly_shutdown();
    EXPECT(HALY_ERR_SHUTTING_DOWN, haly_stream_create, world->context, NULL, &stream);
    EXPECT(HALY_ERR_SHUTTING_DOWN, haly_instance_create, NULL, &instance);
}
