/* SPDX-License-Identifier: Apache-2.0 */
/* Modules, operators, graphs and native handles. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenario.h"

#define ITEMS 1000U

static void release_kernel(void *kernel)
{
    haly_kernel_release(kernel);
}

static void release_module(void *module)
{
    haly_module_release(module);
}

static void release_plan(void *plan)
{
    haly_plan_release(plan);
}

static void release_graph(void *graph)
{
    haly_graph_release(graph);
}

static void get_kernel(struct world *world, haly_module *module, const char *name, haly_kernel **out_kernel)
{
    STEP_OUT(*out_kernel, haly_kernel_get, module, name, out_kernel);
    world_keep(world, *out_kernel, release_kernel);
}

/* x and y in device memory, x[i] = i and y[i] = 2 i, and room for as much. */
static void make_vectors(struct world *world, void *vectors[3])
{
    static float numbers[2][ITEMS];
    for (unsigned i = 0; i < ITEMS; i++) {
        numbers[0][i] = (float)i;
        numbers[1][i] = 2.0F * (float)i;
    }
    GO(world_upload(world, numbers[0], sizeof numbers[0], &vectors[0]));
    GO(world_upload(world, numbers[1], sizeof numbers[1], &vectors[1]));
    GO(world_memory(world, sizeof numbers[0], &vectors[2]));
}

/* Device memory holds factor * i. */
static void expect_multiples(struct world *world, const void *address, float factor)
{
    static float wanted[ITEMS];
    for (unsigned i = 0; i < ITEMS; i++)
        wanted[i] = factor * (float)i;
    GO(world_compare(world, address, wanted, sizeof wanted));
}

void run_computation(struct world *world)
{
    void *vectors[3] = {NULL};
    GO(world_open(world));
    GO(make_vectors(world, vectors));
    STEP(haly_op_add, world->stream, haly_f32_1d(vectors[2], ITEMS), haly_f32_1d(vectors[0], ITEMS),
         haly_f32_1d(vectors[1], ITEMS));
    GO(expect_multiples(world, vectors[2], 3));
}

static void launch_both(struct world *world, haly_module *module)
{
    haly_kernel *add = NULL, *scale = NULL, *none = NULL;
    haly_kernel_info info = {HALY_KERNEL_INFO_INIT};
    void *vectors[3] = {NULL};
    const uint64_t count = ITEMS;
    const uint32_t items = ITEMS;
    const float factor = 2, bias = 0;
    GO(get_kernel(world, module, "vector_add", &add));
    GO(get_kernel(world, module, "scale_bias", &scale));
    EXPECT(HALY_ERR_NOT_FOUND, haly_kernel_get, module, "no_such_kernel", &none);
    STEP(haly_kernel_info_get, add, &info);
    CHECK(info.argument_count == 4);
    GO(make_vectors(world, vectors));
    STEP(haly_launch_1d, world->stream, add, ITEMS, 0, HALY_ARGS(vectors[0], vectors[1], vectors[2], count));
    STEP(haly_launch_1d, world->stream, scale, ITEMS, 0, HALY_ARGS(vectors[2], factor, bias, items));
    GO(world_sync(world, world->stream));
    GO(expect_multiples(world, vectors[2], 6));
    world_release_now(world, module); /* its kernels keep it */
    STEP(haly_launch_1d, world->stream, scale, ITEMS, 0, HALY_ARGS(vectors[2], factor, bias, items));
    world_release_now(world, scale);
    GO(expect_multiples(world, vectors[2], 12));
}

void run_module(struct world *world)
{
    haly_module *module = NULL;
    GO(world_open(world));
    GO(world_module(world, &module));
    GO(launch_both(world, module));
}

static unsigned char image[1 << 20];

static size_t read_image(void)
{
    FILE *file = fopen(world_path("lib/halyard/conformance/cts_basic.so"), "rbe");
    const size_t size = file != NULL ? fread(image, 1, sizeof image, file) : 0;
    if (file == NULL || size == 0 || size == sizeof image)
        abort();
    fclose(file);
    return size;
}

void run_module_from_memory(struct world *world)
{
    haly_module *module = NULL;
    const haly_module_desc desc = {HALY_MODULE_DESC_INIT, .data = image, .size = read_image(), .name = "basic"};
    GO(world_open(world));
    STEP_OUT(module, haly_module_load, world->context, &desc, &module);
    world_keep(world, module, release_module);
    GO(launch_both(world, module));
}

/* What the dialect's header makes of a kernel without work, by hand: it includes nothing. */
static const char source[] =
    "struct meta { unsigned struct_size, argument_count; const void *arguments; unsigned argument_bytes, group_size[3],"
    " flags; const char *name; void (*entry)(const void *, const void *); unsigned max_items, reserved; };\n"
    "static void entry(const void *group, const void *arguments) { (void)group, (void)arguments; }\n"
    "static const struct row { unsigned offset, size; unsigned char address, constant, reserved[6]; } rows[] ="
    " {{0, 8, 1, 0, {0}}};\n"
    "__attribute__((visibility(\"default\"))) const struct meta haly_kernel_meta_nothing ="
    " {sizeof(struct meta), 1, rows, 8, {0}, 0, \"nothing\", entry, 1024, 0};\n";

/* A place of this run's own, so that every run begins alike. */
static void use_fresh_cache(void)
{
    static char folder[64] = "";
    snprintf(folder, sizeof folder, "%s/cache-%ld", world_sandbox(), (long)getpid());
    setenv("XDG_CACHE_HOME", folder, 1);
}

/* Compiled the first time, found on disk the second. */
void run_module_from_source(struct world *world)
{
    static const haly_argument_info rows[] = {{0, 8, 1, 0}};
    static const haly_kernel_info kernels[] = {{HALY_KERNEL_INFO_INIT, .argument_count = 1, .arguments = rows,
                                                .argument_size = sizeof rows[0], .argument_bytes = 8,
                                                .name = "nothing"}};
    const haly_module_desc desc = {HALY_MODULE_DESC_INIT,           .format = HALY_MODULE_SOURCE, .data = source,
                                   .size = sizeof source - 1,       .kernels = kernels,           .kernel_count = 1,
                                   .kernel_size = sizeof kernels[0]};
    haly_module *modules[2] = {NULL, NULL};
    haly_kernel *kernel = NULL;
    use_fresh_cache();
    GO(world_open(world));
    for (int i = 0; i < 2; i++) {
        STEP_OUT(modules[i], haly_module_load, world->context, &desc, &modules[i]);
        world_keep(world, modules[i], release_module);
    }
    GO(get_kernel(world, modules[1], "nothing", &kernel));
}

/* ---- operators ---- */

static void make_plan(struct world *world, const haly_op_desc *desc, haly_plan **out_plan)
{
    STEP_OUT(*out_plan, haly_plan_create, world->context, desc, out_plan);
    world_keep(world, *out_plan, release_plan);
}

void run_plans(struct world *world)
{
    void *vectors[3] = {NULL};
    haly_plan *lowered = NULL, *product = NULL;
    haly_plan_info info = {HALY_PLAN_INFO_INIT};
    GO(world_open(world));
    GO(make_vectors(world, vectors));
    const haly_tensor x = haly_f32_1d(vectors[0], ITEMS), y = haly_f32_1d(vectors[1], ITEMS);
    const haly_tensor a = haly_f32_2d(vectors[0], 10, 10), b = haly_f32_2d(vectors[1], 10, 10);
    const haly_op_desc add = {HALY_OP_DESC_INIT, .name = "Add", HALY_INPUTS(x, y), HALY_OUTPUTS(x),
                              .flags = HALY_OP_LOWERED};
    const haly_op_desc matmul = {HALY_OP_DESC_INIT, .name = "MatMul", HALY_INPUTS(a, b), HALY_OUTPUTS(a)};
    const haly_op_desc unknown = {HALY_OP_DESC_INIT, .name = "NoSuchOperator", HALY_INPUTS(x), HALY_OUTPUTS(y)};
    EXPECT(HALY_ERR_NOT_FOUND, haly_op_supported, world->context, &unknown, NULL);
    STEP(haly_op_supported, world->context, &matmul, &info);
    GO(make_plan(world, &add, &lowered));
    GO(make_plan(world, &matmul, &product));
    STEP(haly_plan_info_get, lowered, &info);
    CHECK(info.lowered == 1 && info.address_count == 3);
    STEP(haly_plan_run, world->stream, lowered, vectors, 3, NULL, 0);
    GO(expect_multiples(world, vectors[2], 3));
    STEP(haly_plan_run, world->stream, product, vectors, 3, NULL, 0);
    world_release_now(world, product); /* its run goes on */
    GO(world_sync(world, world->stream));
}

/* One operator of each family, from the cache of plans the second time. */
static void run_each(struct world *world, const haly_tensor *x, const haly_tensor *y, const haly_tensor *scale)
{
    STEP(haly_op_add, world->stream, *y, *x, *x);
    STEP(haly_op_unary, world->stream, "Gelu", *y, *x);
    STEP(haly_op_softmax, world->stream, *y, *x, -1);
    STEP(haly_op_rms_norm, world->stream, *y, *x, *scale, 1e-5);
    STEP(haly_op_matmul, world->stream, *y, *x, *x);
    STEP(haly_op_transpose, world->stream, *y, *x, (const int64_t[]){1, 0});
    STEP(haly_op_swiglu, world->stream, *y, *x, *x);
}

/* Weights as the file of a model holds them: the backend may turn them into another layout. */
static void multiply_quantized(struct world *world, const haly_tensor *x, const haly_tensor *y)
{
    static unsigned char weights[32 * 32 / 32 * 34];
    void *memory = NULL;
    GO(world_upload(world, weights, sizeof weights, &memory));
    STEP(haly_op_quantized_matmul, world->stream, *y, *x, haly_tensor_2d(HALY_Q8_0, memory, 32, 32),
         haly_tensor_none());
}

/* Attention over a cache, which needs a host value. */
static void attend(struct world *world, void *const memory[4])
{
    const haly_tensor q = haly_tensor_4d(HALY_F32, memory[0], 1, 1, 2, 16);
    const haly_tensor k = haly_tensor_4d(HALY_F32, memory[1], 1, 1, 1, 16), v = k;
    const haly_tensor k_cache = haly_tensor_4d(HALY_F32, memory[2], 1, 1, 4, 16);
    haly_tensor v_cache = k_cache, y = q;
    const int64_t past = 0;
    v_cache.data = (char *)memory[2] + 256;
    y.data = memory[3];
    const haly_op_desc desc = {
        HALY_OP_DESC_INIT, .domain = "halyard",  .name = "CachedAttention", HALY_INPUTS(q, k, v, k_cache, v_cache),
        HALY_OUTPUTS(y),   .host_values = &past, .value_count = 1};
    STEP(haly_op_run, world->stream, &desc);
}

void run_operators(struct world *world)
{
    static float zeros[32 * 32];
    void *memory[4] = {NULL};
    GO(world_open(world));
    for (unsigned i = 0; i < 4; i++)
        GO(world_upload(world, zeros, sizeof zeros, &memory[i]));
    const haly_tensor x = haly_f32_2d(memory[0], 32, 32), y = haly_f32_2d(memory[1], 32, 32);
    const haly_tensor scale = haly_f32_1d(memory[2], 32);
    for (unsigned round = 0; round < 2; round++) {
        GO(run_each(world, &x, &y, &scale));
        GO(multiply_quantized(world, &x, &y));
        GO(attend(world, memory));
    }
    GO(world_sync(world, world->stream));
}

/* As large as the vendor's library takes; its threads, its own memory. */
void run_large_matmul(struct world *world)
{
    enum { SIDE = 160 };
    static float ones[SIDE * SIDE], wanted[SIDE * SIDE];
    void *memory[3] = {NULL};
    GO(world_open(world));
    for (unsigned i = 0; i < SIDE * SIDE; i++) {
        ones[i] = 1;
        wanted[i] = SIDE;
    }
    GO(world_upload(world, ones, sizeof ones, &memory[0]));
    GO(world_upload(world, ones, sizeof ones, &memory[1]));
    GO(world_memory(world, sizeof ones, &memory[2]));
    for (unsigned round = 0; round < 2; round++) {
        STEP(haly_op_matmul, world->stream, haly_f32_2d(memory[2], SIDE, SIDE), haly_f32_2d(memory[0], SIDE, SIDE),
             haly_f32_2d(memory[1], SIDE, SIDE));
        GO(world_compare(world, memory[2], wanted, sizeof wanted));
    }
}

/* ---- graphs ---- */

static void capture(struct world *world, haly_event *event, haly_plan *plan, haly_kernel *scale, void *vectors[3],
                    haly_graph **out_graph)
{
    static const uint8_t zero = 0;
    const float factor = 2, bias = 0;
    const uint32_t items = ITEMS;
    STEP(haly_stream_capture_begin, world->stream);
    STEP(haly_fill, world->stream, vectors[2], &zero, 1, ITEMS * sizeof(float));
    STEP(haly_plan_run, world->stream, plan, vectors, 3, NULL, 0);
    STEP(haly_event_record, event, world->stream);
    STEP(haly_launch_1d, world->stream, scale, ITEMS, 0, HALY_ARGS(vectors[2], factor, bias, items));
    STEP_OUT(*out_graph, haly_stream_capture_end, world->stream, out_graph);
    world_keep(world, *out_graph, release_graph);
}

static void launch_graph(struct world *world, haly_graph *graph, void *const vectors[3])
{
    haly_graph_info info = {HALY_GRAPH_INFO_INIT};
    STEP(haly_graph_instantiate, graph);
    STEP(haly_graph_info_get, graph, &info);
    CHECK(info.instantiated == 1 && info.command_count >= 3);
    for (unsigned i = 0; i < 3; i++)
        STEP(haly_graph_launch, world->stream, graph);
    GO(expect_multiples(world, vectors[2], 6));
}

void run_graph(struct world *world)
{
    void *vectors[3] = {NULL};
    haly_plan *plan = NULL;
    haly_module *module = NULL;
    haly_kernel *scale = NULL;
    haly_event *event = NULL;
    haly_graph *graph = NULL;
    GO(world_open(world));
    GO(make_vectors(world, vectors));
    const haly_tensor x = haly_f32_1d(vectors[0], ITEMS), y = haly_f32_1d(vectors[1], ITEMS);
    const haly_op_desc add = {HALY_OP_DESC_INIT, .name = "Add", HALY_INPUTS(x, y), HALY_OUTPUTS(x)};
    GO(make_plan(world, &add, &plan));
    GO(world_module(world, &module));
    GO(get_kernel(world, module, "scale_bias", &scale));
    GO(world_event(world, 0, &event));
    GO(capture(world, event, plan, scale, vectors, &graph));
    GO(launch_graph(world, graph, vectors));
}

/* ---- native handles ---- */

void run_interop(struct world *world)
{
    const haly_native foreign = {HALY_NATIVE_INIT, .backend = "cpu", .handle = (void *)world};
    haly_native native = {HALY_NATIVE_INIT};
    haly_module *module = NULL;
    haly_stream *wrapped = NULL;
    GO(world_open(world));
    GO(world_module(world, &module));
    STEP(haly_native_get, module, &native);
    CHECK(strcmp(native.backend, "cpu") == 0 && native.handle != NULL);
    EXPECT(HALY_ERR_UNSUPPORTED, haly_native_get, world->stream, &native);
    EXPECT(HALY_ERR_UNSUPPORTED, haly_stream_wrap, world->context, &foreign, &wrapped);
    CHECK(wrapped == NULL);
}
