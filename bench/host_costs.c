/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What calls cost the host, beside PoCL and ggml: launching, waiting, submitting, replaying, allocating.
 *   host_costs [--csv] [--ggml FOLDER]
 * The cpu backend runs with two threads unless HALYARD_CPU_THREADS says otherwise.
 */
#include <halyard/halyard.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pairs.h"
#include "peer_ggml.h"
#include "peer_opencl.h"

#define NODES 1000U
#define FRESH_BYTES (UINT64_C(256) << 20)
#define CACHED_BYTES 65536U

static struct {
    haly_instance *instance;
    haly_context *context;
    haly_stream *stream;
    haly_kernel *kernel;
    haly_event *finished;
    haly_graph *empty_kernels[4]; /* of 1, 10, 100 and 1000 launches */
    haly_graph *additions;        /* NODES operators of one element */
    haly_tensor element;
} ours;

#define PARKED "launch and wait after 2 ms of sleep"

static const uint32_t graph_sizes[4] = {1, 10, 100, NODES};

/* Apart, so that the error's bytes are not cleared by each call that succeeds. */
static __attribute__((noinline)) void failed(void)
{
    haly_error error = {HALY_ERROR_INIT};
    haly_error_last(&error);
    fail("%s", error.message);
}

static inline void ok(haly_status status)
{
    if (status != HALY_OK)
        failed();
}

/* ---- the operations; each returns nanoseconds ---- */

static void launch_empty(void)
{
    static const uint32_t unused;
    static const haly_launch_desc desc = {HALY_LAUNCH_DESC_INIT, .grid = {1, 1, 1}, .group = {1, 1, 1},
                                          .argument_bytes = sizeof unused, .arguments = &unused};
    ok(haly_launch(ours.stream, ours.kernel, &desc));
}

static uint64_t launch_and_sync(void *state, uint64_t count)
{
    (void)state;
    const uint64_t begin = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        launch_empty();
        ok(haly_stream_sync(ours.stream, HALY_FOREVER));
    }
    return now_ns() - begin;
}

static uint64_t launch_parked(void *state, uint64_t count)
{
    uint64_t total = 0;
    for (uint64_t i = 0; i < count; i++) {
        usleep(PARK_MICROSECONDS);
        total += launch_and_sync(state, 1);
    }
    return total;
}

/* ---- what the first call after a pause waits for: the same call behind other pauses ---- */

static void spin(uint64_t nanoseconds)
{
    const uint64_t begin = now_ns();
    while (now_ns() - begin < nanoseconds)
        ;
}

/* The worker is parked, the processor is not idle. */
static uint64_t launch_behind_spinning(void *state, uint64_t count)
{
    uint64_t total = 0;
    for (uint64_t i = 0; i < count; i++) {
        spin(PARK_MICROSECONDS * UINT64_C(1000));
        total += launch_and_sync(state, 1);
    }
    return total;
}

/* The processor was idle, and is not any more. */
static uint64_t launch_behind_sleep_and_spinning(void *state, uint64_t count)
{
    uint64_t total = 0;
    for (uint64_t i = 0; i < count; i++) {
        usleep(PARK_MICROSECONDS);
        spin(50000);
        total += launch_and_sync(state, 1);
    }
    return total;
}

/* No pause, but other data in the caches. */
static uint64_t launch_with_cold_caches(void *state, uint64_t count)
{
    static unsigned char others[8U << 20];
    uint64_t total = 0;
    for (uint64_t i = 0; i < count; i++) {
        for (size_t at = 0; at < sizeof others; at += 64)
            (*(volatile unsigned char *)&others[at])++;
        total += launch_and_sync(state, 1);
    }
    return total;
}

/* What a reading of the clock alone takes there. */
static uint64_t clock_behind_sleep(void *state, uint64_t count)
{
    uint64_t total = 0;
    (void)state;
    for (uint64_t i = 0; i < count; i++) {
        usleep(PARK_MICROSECONDS);
        const uint64_t begin = now_ns();
        total += now_ns() - begin;
    }
    return total;
}

static haly_status hold(void *user, haly_status status)
{
    while (atomic_load_explicit((atomic_int *)user, memory_order_acquire) == 0)
        ;
    return status;
}

/* A host call keeps a worker awake and the stream busy, so that all launches are queued. */
static uint64_t submit_to_awake(void *state, uint64_t count)
{
    static atomic_int is_open;
    (void)state;
    atomic_store(&is_open, 0);
    ok(haly_host_call(ours.stream, hold, &is_open));
    usleep(200);
    const uint64_t begin = now_ns();
    for (uint64_t i = 0; i < count; i++)
        launch_empty();
    const uint64_t taken = now_ns() - begin;
    atomic_store(&is_open, 1);
    ok(haly_stream_sync(ours.stream, HALY_FOREVER));
    return taken;
}

static uint64_t wait_finished(void *state, uint64_t count)
{
    (void)state;
    const uint64_t begin = now_ns();
    for (uint64_t i = 0; i < count; i++)
        ok(haly_event_sync(ours.finished, HALY_FOREVER));
    return now_ns() - begin;
}

struct replay {
    haly_graph *graph;
    uint32_t nodes;
};

static uint64_t replay(void *state, uint64_t count)
{
    const struct replay *what = state;
    const uint64_t begin = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        ok(haly_graph_launch(ours.stream, what->graph));
        ok(haly_stream_sync(ours.stream, HALY_FOREVER));
    }
    return now_ns() - begin;
}

static uint64_t eager_launches(void *state, uint64_t count)
{
    const struct replay *what = state;
    const uint64_t begin = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        for (uint32_t node = 0; node < what->nodes; node++)
            launch_empty();
        ok(haly_stream_sync(ours.stream, HALY_FOREVER));
    }
    return now_ns() - begin;
}

static uint64_t eager_additions(void *state, uint64_t count)
{
    const struct replay *what = state;
    const uint64_t begin = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        for (uint32_t node = 0; node < what->nodes; node++)
            ok(haly_op_add(ours.stream, ours.element, ours.element, ours.element));
        ok(haly_stream_sync(ours.stream, HALY_FOREVER));
    }
    return now_ns() - begin;
}

static uint64_t allocate_cached(void *state, uint64_t count)
{
    void *address = NULL;
    (void)state;
    const uint64_t begin = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        ok(haly_malloc(ours.context, CACHED_BYTES, NULL, &address));
        ok(haly_free(ours.context, address));
    }
    return now_ns() - begin;
}

static uint64_t allocate_fresh(void *state, uint64_t count)
{
    static const uint8_t byte = 1;
    uint64_t total = 0;
    (void)state;
    for (uint64_t i = 0; i < count; i++) {
        void *address = NULL;
        const uint64_t begin = now_ns();
        ok(haly_malloc(ours.context, FRESH_BYTES, NULL, &address));
        ok(haly_fill(ours.stream, address, &byte, 1, FRESH_BYTES));
        ok(haly_stream_sync(ours.stream, HALY_FOREVER));
        total += now_ns() - begin;
        ok(haly_free(ours.context, address));
        ok(haly_memory_trim(ours.context, 0));
    }
    return total;
}

/* As a program gets memory that asks for no large pages. */
static uint64_t map_small_pages(void *state, uint64_t count)
{
    uint64_t total = 0;
    (void)state;
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t begin = now_ns();
        void *address = mmap(NULL, FRESH_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (address == MAP_FAILED)
            fail("no %llu bytes could be mapped", (unsigned long long)FRESH_BYTES);
        madvise(address, FRESH_BYTES, MADV_NOHUGEPAGE);
        memset(address, 1, FRESH_BYTES);
        total += now_ns() - begin;
        munmap(address, FRESH_BYTES);
    }
    return total;
}

/* ---- preparing ---- */

static haly_graph *capture_launches(uint32_t count)
{
    haly_graph *graph = NULL;
    ok(haly_stream_capture_begin(ours.stream));
    for (uint32_t i = 0; i < count; i++)
        launch_empty();
    ok(haly_stream_capture_end(ours.stream, &graph));
    ok(haly_graph_instantiate(graph));
    return graph;
}

/* The same additions as the peer's: one element, which must come out right. */
static void capture_additions(void)
{
    float one = 1, got = 0;
    void *x = NULL, *y = NULL;
    ok(haly_malloc(ours.context, sizeof one, NULL, &x));
    ok(haly_malloc(ours.context, sizeof one, NULL, &y));
    const haly_tensor step = haly_f32_1d(x, 1), sum = haly_f32_1d(y, 1);
    ours.element = haly_f32_1d(x, 1);
    ok(haly_copy(ours.stream, x, &one, sizeof one));
    ok(haly_copy(ours.stream, y, &one, sizeof one));
    ok(haly_stream_sync(ours.stream, HALY_FOREVER));
    ok(haly_op_add(ours.stream, sum, sum, step)); /* makes the plan */
    ok(haly_copy(ours.stream, y, &one, sizeof one));
    ok(haly_stream_capture_begin(ours.stream));
    for (uint32_t i = 0; i < NODES; i++)
        ok(haly_op_add(ours.stream, sum, sum, step));
    ok(haly_stream_capture_end(ours.stream, &ours.additions));
    ok(haly_graph_launch(ours.stream, ours.additions));
    ok(haly_copy(ours.stream, &got, y, sizeof got));
    ok(haly_stream_sync(ours.stream, HALY_FOREVER));
    if (got != (float)(NODES + 1))
        fail("the graph computed %f, expected %u", (double)got, NODES + 1);
}

static void open_ours(void)
{
    haly_module *module = NULL;
    setenv("HALYARD_BACKEND", "cpu", 0);
    setenv("HALYARD_CPU_THREADS", "2", 0);
    ok(haly_instance_create(NULL, &ours.instance));
    ok(haly_context_open(ours.instance, NULL, &ours.context));
    ok(haly_stream_create(ours.context, NULL, &ours.stream));
    ok(haly_module_load_file(ours.context, BENCH_KERNELS, &module));
    ok(haly_kernel_get(module, "empty", &ours.kernel));
    haly_module_release(module);
    for (int i = 0; i < 100; i++) /* the backend learns what the kernel costs */
        launch_empty();
    ok(haly_event_create(ours.context, NULL, &ours.finished));
    ok(haly_event_record(ours.finished, ours.stream));
    ok(haly_stream_sync(ours.stream, HALY_FOREVER));
    for (int i = 0; i < 4; i++)
        ours.empty_kernels[i] = capture_launches(graph_sizes[i]);
    capture_additions();
}

/* ---- tables ---- */

static int run_against_opencl(int csv)
{
    struct opencl pocl[2];
    char why[256];
    int missed = 0;
    pairs_begin("Host costs beside PoCL", csv);
    if (opencl_open(pocl, why) == 0) {
        fprintf(stderr, "bench: OpenCL is left out: %s\n", why);
        return 0;
    }
    const struct pair pairs[] = {
        {"launch an empty kernel on an idle stream and wait",
         {"", launch_and_sync, NULL},
         {pocl[0].name, opencl_launch_and_finish, &pocl[0]},
         .goal = 0.2},
        {"the same with the worker parked",
         {"", launch_parked, NULL},
         {pocl[1].name, opencl_launch_parked, &pocl[1]},
         .goal = 0.02,
         .count = 10},
        {PARKED,
         {"", launch_parked, NULL},
         {"with 2 ms of spinning in place of sleep", launch_behind_spinning, NULL},
         .count = 10},
        {PARKED,
         {"", launch_parked, NULL},
         {"with 50 us of spinning behind the sleep", launch_behind_sleep_and_spinning, NULL},
         .count = 10},
        {PARKED,
         {"", launch_parked, NULL},
         {"without a pause, other data in the caches", launch_with_cold_caches, NULL},
         .count = 10},
        {PARKED,
         {"", launch_parked, NULL},
         {"reading the clock behind the sleep", clock_behind_sleep, NULL},
         .count = 10},
        {"submit to an awake worker",
         {"", submit_to_awake, NULL},
         {pocl[1].name, opencl_enqueue, &pocl[1]},
         .goal = 0.15,
         .count = 1000},
        {"wait for a finished event",
         {"", wait_finished, NULL},
         {pocl[0].name, opencl_wait_finished, &pocl[0]},
         .goal = 0.25},
        {"allocate 64 KiB from the cache and free",
         {"", allocate_cached, NULL},
         {pocl[0].name, opencl_buffer, &pocl[0]},
         .goal = 0.3},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        missed += !pair_run(&pairs[i]);
    return missed;
}

static int run_graphs(int csv, const char *ggml_folder)
{
    static const char *const names[4] = {"replay 1 empty launch", "replay 10, per node", "replay 100, per node",
                                         "replay 1000, per node"};
    struct replay additions = {ours.additions, NODES}, launches[4];
    struct ggml_peer ggml;
    char why[256];
    int missed = 0;
    pairs_begin("Graphs", csv);
    for (int i = 0; i < 4; i++) {
        launches[i] = (struct replay){ours.empty_kernels[i], graph_sizes[i]};
        const struct pair pair = {names[i],
                                  {"", replay, &launches[i]},
                                  {"eager launches", eager_launches, &launches[i]},
                                  .goal = 1,
                                  .parts = graph_sizes[i]};
        missed += !pair_run(&pair);
    }
    const struct pair eager = {"replay 1000 additions of one element, per node",
                               {"", replay, &additions},
                               {"eager additions", eager_additions, &additions},
                               .goal = 1,
                               .parts = NODES};
    missed += !pair_run(&eager);
    if (!ggml_open(&ggml, ggml_folder, NODES, why)) {
        fprintf(stderr, "bench: ggml is left out: %s\n", why);
        return missed;
    }
    const struct pair empty = {"replay 1000 empty launches, per node",
                               {"", replay, &launches[3]},
                               {ggml.name, ggml_compute, &ggml},
                               .goal = 0.6,
                               .parts = NODES};
    const struct pair same = {"replay 1000 additions of one element, per node",
                              {"", replay, &additions},
                              {ggml.name, ggml_compute, &ggml},
                              .goal = 0,
                              .parts = NODES};
    missed += !pair_run(&empty);
    return missed + !pair_run(&same);
}

static int run_fresh(int csv)
{
    const struct pair pair = {"allocate 256 MiB afresh and write all of it",
                              {"", allocate_fresh, NULL},
                              {"mmap with 4 KiB pages", map_small_pages, NULL},
                              .goal = 0.2,
                              .count = 1};
    pairs_begin("Fresh memory", csv);
    return !pair_run(&pair);
}

int main(int argc, char **argv)
{
    const char *ggml_folder = NULL;
    int csv = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--csv") == 0)
            csv = 1;
        else if (strcmp(argv[i], "--ggml") == 0 && i + 1 < argc)
            ggml_folder = argv[++i];
        else
            fail("usage: host_costs [--csv] [--ggml FOLDER]");
    }
    start_sleeping_thread();
    open_ours();
    const int missed = run_against_opencl(csv) + run_graphs(csv, ggml_folder) + run_fresh(csv);
    if (!csv)
        printf("\n%d goal%s missed\n", missed, missed == 1 ? "" : "s");
    return 0;
}
