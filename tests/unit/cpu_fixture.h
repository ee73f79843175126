/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drives the cpu backend through its table, with a core that only takes notes. The backend is found beside the test in
 * the build tree. Header-only, so that each test stays one file.
 */
#ifndef TESTS_UNIT_CPU_FIXTURE_H
#define TESTS_UNIT_CPU_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <halyard/backend.h>

#define UNUSED __attribute__((unused))
#define MILLISECOND 1000000U
#define SECOND 1000000000U

/* ---- the core's side ---- */

struct note {
    haly_status status;
    char message[512];
};

/* What the core keeps of a stream. */
struct token {
    _Atomic uint32_t status;
    _Atomic uint64_t failed_sequence;
    _Atomic int64_t native_code;
};

static _Thread_local struct note last;
static const char *fake_params[5] = {"2", "0", "auto", "auto", "cc"};

static HALY_PRINTF_LIKE(6, 7) haly_status
    fake_fail(haly_status status, haly_error_scope scope, haly_error_recovery recovery, int64_t native_code,
              const char *native_text, const char *format, ...)
{
    va_list arguments;
    (void)scope;
    (void)recovery;
    (void)native_code;
    (void)native_text;
    va_start(arguments, format);
    vsnprintf(last.message, sizeof last.message, format, arguments);
    va_end(arguments);
    last.status = status;
    return status;
}

static HALY_PRINTF_LIKE(2, 3) void fake_log(haly_log_level level, const char *format, ...)
{
    (void)level;
    (void)format;
}

static const char *fake_param(const char *backend, const char *name)
{
    static const char *const names[] = {"threads", "strict", "isa", "onednn", "compiler"};
    for (int i = 0; i < 5; i++)
        if (strcmp(name, names[i]) == 0)
            return strcmp(backend, "cpu") == 0 ? fake_params[i] : NULL;
    return NULL;
}

static void fake_stream_failed(void *stream, uint64_t sequence, haly_status status, haly_error_scope scope,
                               haly_error_recovery recovery, int64_t native_code, const char *text)
{
    struct token *token = stream;
    (void)scope;
    (void)recovery;
    (void)text;
    if (atomic_load(&token->status) != HALY_OK) /* one thread runs a stream at a time */
        return;
    atomic_store(&token->failed_sequence, sequence);
    atomic_store(&token->native_code, native_code);
    atomic_store(&token->status, (uint32_t)status);
}

static haly_status fake_stream_status(void *stream, uint64_t sequence)
{
    struct token *token = stream;
    const haly_status status = (haly_status)atomic_load(&token->status);
    return status != HALY_OK && atomic_load(&token->failed_sequence) <= sequence ? status : HALY_OK;
}

/* A cache that keeps everything, by the parts run together. */
static struct {
    char *keys[16];
    void *data[16];
    uint64_t key_bytes[16], sizes[16];
    int puts, hits;
} fake_cache;

static char *run_together(const haly_cache_part *parts, uint32_t count, uint64_t *out_bytes)
{
    char *key = NULL;
    *out_bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        key = realloc(key, *out_bytes + parts[i].size + 1);
        memcpy(key + *out_bytes, parts[i].data, parts[i].size);
        *out_bytes += parts[i].size;
        key[(*out_bytes)++] = '\0';
    }
    return key;
}

static haly_status fake_cache_get(const char *backend, const haly_cache_part *parts, uint32_t count, void **out_data,
                                  uint64_t *out_size)
{
    uint64_t bytes;
    char *key = run_together(parts, count, &bytes);
    haly_status status = HALY_ERR_NOT_FOUND;
    (void)backend;
    for (int i = 0; i < fake_cache.puts && status != HALY_OK; i++)
        if (fake_cache.key_bytes[i] == bytes && memcmp(fake_cache.keys[i], key, bytes) == 0) {
            *out_size = fake_cache.sizes[i];
            *out_data = malloc(*out_size);
            memcpy(*out_data, fake_cache.data[i], *out_size);
            fake_cache.hits++;
            status = HALY_OK;
        }
    free(key);
    return status;
}

static void fake_cache_put(const char *backend, const haly_cache_part *parts, uint32_t count, const void *data,
                           uint64_t size)
{
    const int at = fake_cache.puts++;
    (void)backend;
    fake_cache.keys[at] = run_together(parts, count, &fake_cache.key_bytes[at]);
    fake_cache.data[at] = malloc(size);
    memcpy(fake_cache.data[at], data, size);
    fake_cache.sizes[at] = size;
}

static UNUSED void fake_cache_forget(void)
{
    for (int i = 0; i < fake_cache.puts; i++) {
        free(fake_cache.keys[i]);
        free(fake_cache.data[i]);
    }
    memset(&fake_cache, 0, sizeof fake_cache);
}

static const haly_core_table fake_core = {.struct_size = sizeof fake_core,
                                          .abi_major = HALY_BACKEND_ABI_MAJOR,
                                          .abi_minor = HALY_BACKEND_ABI_MINOR,
                                          .fail = fake_fail,
                                          .log = fake_log,
                                          .param = fake_param,
                                          .stream_failed = fake_stream_failed,
                                          .stream_status = fake_stream_status,
                                          .cache_get = fake_cache_get,
                                          .cache_put = fake_cache_put,
                                          .cache_free = free};

/* ---- the backend ---- */

static const haly_backend_table *cpu;

/* A path below the build folder, two above the test's own. */
static UNUSED void build_path(char *path, size_t bytes, const char *below)
{
    char own[3072];
    const ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    assert_true(length > 0);
    own[length] = '\0';
    for (int up = 0; up < 3; up++) {
        char *slash = strrchr(own, '/');
        assert_non_null(slash);
        *slash = '\0';
    }
    snprintf(path, bytes, "%s/%s", own, below);
}

static UNUSED int load_backend(void **state)
{
    char path[4096];
    void *symbol;
    haly_backend_entry entry;
    (void)state;
    build_path(path, sizeof path, "lib/halyard/libhalyard_backend_cpu.so");
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL || (symbol = dlsym(handle, "halyard_backend_cpu")) == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return -1;
    }
    memcpy(&entry, &symbol, sizeof entry);
    return entry(&fake_core, &cpu) == HALY_OK ? 0 : -1;
}

static UNUSED int stop_backend(void **state)
{
    (void)state;
    cpu->shutdown();
    return 0;
}

/* A private block as the core makes them. */
static UNUSED void *block_new(uint32_t size)
{
    void *block = aligned_alloc(64, (size + 63U) / 64U * 64U + 64U);
    assert_non_null(block);
    memset(block, 0, size);
    return block;
}

/* ---- a context with what tests use ---- */

struct bench {
    void *device, *context;
    haly_device_spec spec;
};

static UNUSED void bench_open(struct bench *bench)
{
    const haly_backend_context_desc desc = {sizeof desc, 0, NULL};
    bench->device = block_new(cpu->device_size);
    bench->context = block_new(cpu->context_size);
    bench->spec = (haly_device_spec){HALY_DEVICE_SPEC_INIT};
    assert_int_equal(cpu->device_open(0, bench->device, &bench->spec), HALY_OK);
    assert_int_equal(cpu->context_open(bench->device, bench->context, &desc), HALY_OK);
}

static UNUSED void bench_close(struct bench *bench)
{
    cpu->context_close(bench->context);
    cpu->device_close(bench->device);
    free(bench->context);
    free(bench->device);
}

static UNUSED void set_params(const char *threads, const char *strict)
{
    fake_params[0] = threads;
    fake_params[1] = strict;
    fake_params[2] = fake_params[3] = "auto";
    fake_params[4] = "cc";
}

struct queue {
    void *block;
    struct token token;
    uint64_t submitted;
};

static UNUSED void queue_open(const struct bench *bench, struct queue *queue)
{
    const haly_stream_desc desc = {HALY_STREAM_DESC_INIT};
    *queue = (struct queue){.block = block_new(cpu->stream_size)};
    assert_int_equal(cpu->stream_create(bench->context, queue->block, &desc, &queue->token), HALY_OK);
}

static UNUSED haly_status queue_wait(struct queue *queue, uint64_t deadline)
{
    return cpu->stream_wait(queue->block, queue->submitted, deadline);
}

static UNUSED void queue_close(struct queue *queue)
{
    assert_int_equal(queue_wait(queue, HALY_FOREVER), HALY_OK);
    cpu->stream_destroy(queue->block);
    free(queue->block);
}

static UNUSED haly_status queue_submit(struct queue *queue, const void *records, uint64_t bytes)
{
    uint64_t accepted = 0;
    const haly_status status = cpu->submit(queue->block, records, bytes, queue->submitted + 1, &accepted);
    queue->submitted += accepted;
    return status;
}

static UNUSED uint64_t queue_completed(struct queue *queue)
{
    uint64_t completed = 0;
    assert_int_equal(cpu->stream_query(queue->block, &completed), HALY_OK);
    return completed;
}

#define SUBMIT(queue, record) assert_int_equal(queue_submit((queue), &(record), sizeof(record)), HALY_OK)

static UNUSED void submit_copy(struct queue *queue, void *dst, const void *src, uint64_t size)
{
    const haly_command_copy copy = {
        {sizeof copy, HALY_COMMAND_COPY, 0}, dst, src, size, HALY_MEMORY_DEVICE, HALY_MEMORY_DEVICE};
    SUBMIT(queue, copy);
}

static UNUSED void submit_call(struct queue *queue, haly_host_fn fn, void *user)
{
    const haly_command_host_call call = {{sizeof call, HALY_COMMAND_HOST_CALL, 0}, fn, user};
    SUBMIT(queue, call);
}

static UNUSED void submit_record(struct queue *queue, void *event)
{
    const haly_command_record record = {{sizeof record, HALY_COMMAND_RECORD, 0}, event};
    SUBMIT(queue, record);
}

static UNUSED void submit_wait(struct queue *queue, void *event)
{
    const haly_command_wait wait = {{sizeof wait, HALY_COMMAND_WAIT, 0}, event};
    SUBMIT(queue, wait);
}

static UNUSED void *event_new(const struct bench *bench, uint32_t flags)
{
    void *event = block_new(cpu->event_size);
    assert_int_equal(cpu->event_create(bench->context, event, flags), HALY_OK);
    return event;
}

static UNUSED void event_free(void *event)
{
    cpu->event_destroy(event);
    free(event);
}

/* ---- a kernel of the test's own object ---- */

struct kernel {
    void *module, *block;
    haly_kernel_info info;
};

static UNUSED void kernel_open(const struct bench *bench, struct kernel *kernel, const char *name)
{
    char path[4096];
    build_path(path, sizeof path, "tests/kernels/cpu_kernels.so");
    const haly_backend_image desc = {.format = HALY_MODULE_HOST_OBJECT, .path = path};
    *kernel = (struct kernel){.module = block_new(cpu->module_size), .block = block_new(cpu->kernel_size)};
    kernel->info = (haly_kernel_info){HALY_KERNEL_INFO_INIT};
    assert_int_equal(cpu->module_load(bench->context, kernel->module, &desc), HALY_OK);
    assert_int_equal(cpu->kernel_get(kernel->module, kernel->block, name, &kernel->info), HALY_OK);
}

static UNUSED void kernel_close(struct kernel *kernel)
{
    cpu->kernel_release(kernel->block);
    cpu->module_unload(kernel->module);
    free(kernel->block);
    free(kernel->module);
}

static UNUSED haly_status launch(struct queue *queue, struct kernel *kernel, const uint64_t grid[3], uint32_t group,
                                 const void *arguments, uint32_t bytes)
{
    struct {
        haly_command_launch launch;
        uint64_t arguments[16];
    } record = {
        .launch = {
            {0, HALY_COMMAND_LAUNCH, 0}, kernel->block, {grid[0], grid[1], grid[2]}, {group, 1, 1}, 0, bytes, 0, NULL}};
    memcpy(record.arguments, arguments, bytes);
    record.launch.head.size = (uint32_t)sizeof record.launch + (bytes + 7U) / 8U * 8U;
    return queue_submit(queue, &record, record.launch.head.size);
}

/* ---- gates: a host call that holds its stream until it is let go ---- */

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_reached, is_open;
};
#define GATE_INIT                                                                                                      \
    {                                                                                                                  \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false                                              \
    }

static UNUSED haly_status gate_call(void *user, haly_status status)
{
    struct gate *gate = user;
    (void)status;
    pthread_mutex_lock(&gate->lock);
    gate->is_reached = true;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->is_open)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
    return HALY_OK;
}

static UNUSED void gate_reach(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    while (!gate->is_reached)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static UNUSED void gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->is_open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static UNUSED void sleep_ms(long milliseconds)
{
    nanosleep(&(struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000}, NULL);
}

static UNUSED uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

#endif
