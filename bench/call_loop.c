/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes one public call over and over, for call_instructions.py to count instructions in.
 *   call_loop CALL COUNT
 */
#include <halyard/halyard.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    haly_context *context;
    haly_stream *stream, *other;
    haly_kernel *kernel;
    haly_event *event, *reached;
    haly_graph *graph;
    void *device;
} all;

static void ok(haly_status status)
{
    if (status == HALY_OK)
        return;
    haly_error_print(stderr);
    exit(1);
}

static void call_launch(void)
{
    static const uint32_t unused;
    static const haly_launch_desc desc = {HALY_LAUNCH_DESC_INIT, .grid = {1, 1, 1}, .group = {1, 1, 1},
                                          .argument_bytes = sizeof unused, .arguments = &unused};
    ok(haly_launch(all.stream, all.kernel, &desc));
}

static void call_copy(void)
{
    ok(haly_copy(all.stream, (char *)all.device + 64, all.device, 4));
}

static void call_fill(void)
{
    static const uint32_t pattern = 7;
    ok(haly_fill(all.stream, all.device, &pattern, 4, 4));
}

static void call_stream_sync(void)
{
    ok(haly_stream_sync(all.stream, HALY_FOREVER));
}

static void call_stream_query(void)
{
    ok(haly_stream_query(all.stream));
}

/* As in a loop that asks now and then: an event that was reached is recorded again without a new record. */
static void call_event_record(void)
{
    ok(haly_event_record(all.event, all.stream));
    ok(haly_stream_query(all.stream));
}

static void call_event_sync(void)
{
    ok(haly_event_sync(all.reached, HALY_FOREVER));
}

static void call_event_query(void)
{
    ok(haly_event_query(all.reached));
}

static void call_stream_wait(void)
{
    ok(haly_stream_wait(all.other, all.reached));
}

static void call_malloc_free(void)
{
    void *address = NULL;
    ok(haly_malloc(all.context, 65536, NULL, &address));
    ok(haly_free(all.context, address));
}

static void call_add(void)
{
    const haly_tensor x = haly_f32_1d(all.device, 1);
    ok(haly_op_add(all.stream, x, x, x));
}

static void call_graph_launch(void)
{
    ok(haly_graph_launch(all.stream, all.graph));
}

static const struct {
    const char *name;
    void (*call)(void);
} calls[] = {
    {"haly_launch", call_launch},
    {"haly_copy", call_copy},
    {"haly_fill", call_fill},
    {"haly_stream_sync", call_stream_sync},
    {"haly_stream_query", call_stream_query},
    {"haly_event_record+haly_stream_query", call_event_record},
    {"haly_event_sync", call_event_sync},
    {"haly_event_query", call_event_query},
    {"haly_stream_wait", call_stream_wait},
    {"haly_malloc+haly_free", call_malloc_free},
    {"haly_op_add", call_add},
    {"haly_graph_launch", call_graph_launch},
};

static void open_all(void)
{
    haly_instance *instance = NULL;
    haly_module *module = NULL;
    setenv("HALYARD_BACKEND", "cpu", 0);
    setenv("HALYARD_CPU_THREADS", "1", 0);
    ok(haly_instance_create(NULL, &instance));
    ok(haly_context_open(instance, NULL, &all.context));
    ok(haly_stream_create(all.context, NULL, &all.stream));
    ok(haly_stream_create(all.context, NULL, &all.other));
    ok(haly_module_load_file(all.context, BENCH_KERNELS, &module));
    ok(haly_kernel_get(module, "empty", &all.kernel));
    ok(haly_event_create(all.context, NULL, &all.event));
    ok(haly_event_create(all.context, NULL, &all.reached));
    ok(haly_event_record(all.reached, all.stream));
    ok(haly_malloc(all.context, 4096, NULL, &all.device));
    ok(haly_stream_capture_begin(all.stream));
    call_launch();
    ok(haly_stream_capture_end(all.stream, &all.graph));
}

int main(int argc, char **argv)
{
    const long count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    for (size_t i = 0; argc == 2 && strcmp(argv[1], "--list") == 0 && i < sizeof calls / sizeof *calls; i++)
        puts(calls[i].name);
    if (count <= 0)
        return argc == 2 ? 0 : 2;
    open_all();
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (strcmp(calls[i].name, argv[1]) == 0)
            for (long round = 0; round < count; round++)
                calls[i].call();
    return 0;
}
