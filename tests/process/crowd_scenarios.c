/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many threads that create, use and release everything at once, for a while. At the end each number must be exact: host
 * calls that ran, bytes that arrived, allocations that are left.
 */
#define _GNU_SOURCE
#include "scenario.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { THREADS = 64, CONTEXTS = 4, FLOATS = 2000, BYTES = FLOATS * 4 };

static struct {
    haly_instance *instance;
    haly_context *contexts[CONTEXTS];
    const char *backend;
    bool has_operators;
    time_t until;
} crowd;

/* What was asked for, and what happened. */
static _Atomic uint64_t turns, calls_asked, calls_run, launches;

static haly_status count(void *user, haly_status status)
{
    atomic_fetch_add((_Atomic uint64_t *)user, 1);
    return status;
}

static void call_host(haly_stream *stream)
{
    EXPECT_OK(haly_host_call(stream, count, &calls_run));
    atomic_fetch_add(&calls_asked, 1);
}

/* What one turn of a thread has. */
struct turn {
    haly_context *context;
    haly_stream *stream, *other;
    haly_event *event;
    float *device, *scratch;
    float in[FLOATS], out[FLOATS];
};

static void begin_turn(struct turn *turn, uint32_t number)
{
    for (uint32_t i = 0; i < FLOATS; i++)
        turn->in[i] = (float)(number % 1000 + i);
    EXPECT_OK(haly_stream_create(turn->context, NULL, &turn->stream));
    EXPECT_OK(haly_stream_create(turn->context, NULL, &turn->other));
    EXPECT_OK(haly_event_create(turn->context, NULL, &turn->event));
    EXPECT_OK(haly_malloc(turn->context, BYTES, NULL, (void **)&turn->device));
    EXPECT_OK(haly_malloc_async(turn->stream, BYTES, NULL, (void **)&turn->scratch));
}

/* Into device memory on one stream, out of it on the other, which waits for the first by an event. */
static void copy_around(struct turn *turn)
{
    EXPECT_OK(haly_copy(turn->stream, turn->scratch, turn->in, BYTES));
    call_host(turn->stream);
    EXPECT_OK(haly_copy(turn->stream, turn->device, turn->scratch, BYTES));
    EXPECT_OK(haly_event_record(turn->event, turn->stream));
    EXPECT_OK(haly_stream_wait(turn->other, turn->event));
    EXPECT_OK(haly_copy(turn->other, turn->out, turn->device, BYTES));
    call_host(turn->other);
    EXPECT_OK(haly_stream_sync(turn->other, PATIENCE));
    EXPECT_OK(haly_event_sync(turn->event, PATIENCE));
    EXPECT(memcmp(turn->in, turn->out, BYTES) == 0);
}

static void replay_graph(struct turn *turn)
{
    haly_graph *graph = NULL;
    const uint32_t pattern = 0x3f800000; /* 1.0f */
    EXPECT_OK(haly_stream_capture_begin(turn->stream));
    EXPECT_OK(haly_fill(turn->stream, turn->device, &pattern, sizeof pattern, BYTES));
    EXPECT_OK(haly_host_call(turn->stream, count, &calls_run));
    EXPECT_OK(haly_stream_capture_end(turn->stream, &graph));
    for (int i = 0; i < 3; i++) {
        EXPECT_OK(haly_graph_launch(turn->stream, graph));
        atomic_fetch_add(&calls_asked, 1);
        atomic_fetch_add(&launches, 1);
    }
    haly_graph_release(graph); /* while it runs */
    EXPECT_OK(haly_copy(turn->stream, turn->out, turn->device, BYTES));
    EXPECT_OK(haly_stream_sync(turn->stream, PATIENCE));
    EXPECT(turn->out[0] == 1.0F && turn->out[FLOATS - 1] == 1.0F);
}

/* y = in + in, by a plan of the turn's own. */
static void run_plan(struct turn *turn)
{
    haly_plan *plan = NULL;
    float *y = NULL;
    EXPECT_OK(haly_malloc(turn->context, BYTES, NULL, (void **)&y));
    const haly_tensor in = haly_f32_1d(turn->device, FLOATS), out = haly_f32_1d(y, FLOATS);
    const haly_op_desc desc = {HALY_OP_DESC_INIT, .name = "Add", HALY_INPUTS(in, in), HALY_OUTPUTS(out)};
    void *const addresses[] = {turn->device, turn->device, y};
    EXPECT_OK(haly_plan_create(turn->context, &desc, &plan));
    EXPECT_OK(haly_copy(turn->stream, turn->device, turn->in, BYTES));
    EXPECT_OK(haly_plan_run(turn->stream, plan, addresses, 3, NULL, 0));
    haly_plan_release(plan);
    EXPECT_OK(haly_copy(turn->stream, turn->out, y, BYTES));
    EXPECT_OK(haly_free(turn->context, y)); /* waits by itself for what uses it */
    EXPECT_OK(haly_stream_sync(turn->stream, PATIENCE));
    for (uint32_t i = 0; i < FLOATS; i++)
        EXPECT(turn->out[i] == 2 * turn->in[i]);
}

/* Releases in the middle of work now and then: the host memory that the work names must outlive it. */
static void end_turn(struct turn *turn, uint32_t number)
{
    EXPECT_OK(haly_free_async(turn->stream, turn->scratch));
    call_host(turn->stream);
    EXPECT_OK(haly_free(turn->context, turn->device));
    haly_event_release(turn->event);
    if (number % 3 == 0)
        EXPECT_OK(haly_stream_sync(turn->stream, PATIENCE));
    haly_stream_release(turn->stream);
    haly_stream_release(turn->other);
}

static void *take_turns(void *user)
{
    const uint32_t thread = (uint32_t)(uintptr_t)user;
    struct turn *turn = malloc(sizeof *turn);
    EXPECT(turn != NULL);
    for (uint32_t number = 0; number < 2 || time(NULL) < crowd.until; number++) {
        const bool is_own = (thread + number) % 8 == 0;
        turn->context = crowd.contexts[(thread + number) % CONTEXTS];
        if (is_own)
            EXPECT_OK(haly_context_open(crowd.instance, NULL, &turn->context));
        begin_turn(turn, number);
        copy_around(turn);
        replay_graph(turn);
        if (crowd.has_operators)
            run_plan(turn);
        end_turn(turn, number);
        if (is_own)
            haly_context_release(turn->context);
        atomic_fetch_add(&turns, 1);
    }
    free(turn);
    return NULL;
}

/* Released contexts finish their last host calls by themselves. */
static void wait_for_the_last_call(void)
{
    for (int i = 0; i < 60000 && atomic_load(&calls_run) < atomic_load(&calls_asked); i++)
        scenario_sleep(MILLISECOND);
    scenario_sleep(5 * MILLISECOND);
    EXPECT(atomic_load(&calls_run) == atomic_load(&calls_asked));
}

static void expect_nothing_left(void)
{
    for (int i = 0; i < CONTEXTS; i++) {
        haly_memory_stats stats = {HALY_MEMORY_STATS_INIT};
        EXPECT_OK(haly_context_sync(crowd.contexts[i], PATIENCE));
        EXPECT_OK(haly_memory_stats_get(crowd.contexts[i], &stats));
        EXPECT(stats.allocation_count == 0 && stats.allocated_bytes == 0);
        haly_context_release(crowd.contexts[i]);
    }
    haly_instance_release(crowd.instance);
}

static int a_crowd_uses_everything_at_once(const char *backend)
{
    pthread_t threads[THREADS];
    crowd.backend = backend;
    crowd.has_operators = strcmp(backend, "cpu") == 0;
    EXPECT_OK(work_instance(backend, NULL, &crowd.instance));
    for (int i = 0; i < CONTEXTS; i++)
        EXPECT_OK(haly_context_open(crowd.instance, NULL, &crowd.contexts[i]));
    crowd.until = time(NULL) + (time_t)scenario_seconds;
    for (int i = 0; i < THREADS; i++)
        scenario_thread(take_turns, (void *)(uintptr_t)i, false, &threads[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    wait_for_the_last_call();
    expect_nothing_left();
    printf("%llu turns, %llu host calls, %llu launches of graphs\n", (unsigned long long)turns,
           (unsigned long long)calls_run, (unsigned long long)launches);
    EXPECT(launches == 3 * turns && calls_run == 6 * turns);
    return 0;
}

const struct scenario crowd_scenarios[] = {
    {"a_crowd_uses_everything_at_once", a_crowd_uses_everything_at_once, ON_BOTH},
    {NULL, NULL, 0},
};
