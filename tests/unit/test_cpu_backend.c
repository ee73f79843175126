/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/* The cpu backend's table, parameters, device, memory, copies and threads. */
#include "cpu_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define MIB (UINT64_C(1) << 20)

static void table_has_every_entry(void **state)
{
    (void)state;
    assert_string_equal(cpu->name, "cpu");
    assert_int_equal(cpu->struct_size, HALY_SIZE_THROUGH(haly_backend_table, image_rank));
    assert_int_equal(cpu->abi_major, HALY_BACKEND_ABI_MAJOR);
    assert_int_equal(cpu->param_count, 5);
    const char *at = (const char *)cpu + offsetof(haly_backend_table, probe);
    for (; at < (const char *)cpu + cpu->struct_size; at += sizeof(void (*)(void))) {
        void (*entry)(void);
        memcpy(&entry, at, sizeof entry);
        assert_true(entry != NULL);
    }
}

static void wrong_parameters_name_the_variable_and_its_grammar(void **state)
{
    static const struct {
        int index;
        const char *value, *variable, *grammar;
    } cases[] = {
        {0, "0", "HALYARD_CPU_THREADS", "1 to 1024"},   {0, "1025", "HALYARD_CPU_THREADS", "1 to 1024"},
        {0, "2x", "HALYARD_CPU_THREADS", "1 to 1024"},  {0, "-1", "HALYARD_CPU_THREADS", "1 to 1024"},
        {0, " 2", "HALYARD_CPU_THREADS", "1 to 1024"},  {0, "99999999999999999999", "HALYARD_CPU_THREADS", "1 to"},
        {1, "yes", "HALYARD_CPU_STRICT", "0 or 1"},     {2, "sse", "HALYARD_CPU_ISA", "baseline, avx2 or avx512"},
        {3, "2", "HALYARD_CPU_ONEDNN", "auto, 0 or 1"}, {4, "bin/cc", "HALYARD_CPU_COMPILER", "name or absolute path"}};
    haly_backend_probe probe = {.struct_size = sizeof probe};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set_params("2", "0");
        fake_params[cases[i].index] = cases[i].value;
        assert_int_equal(cpu->probe(&probe), HALY_ERR_INVALID);
        assert_non_null(strstr(last.message, cases[i].variable));
        assert_non_null(strstr(last.message, cases[i].value));
        assert_non_null(strstr(last.message, cases[i].grammar));
    }
    set_params("2", "0");
    assert_int_equal(cpu->probe(&probe), HALY_OK);
    assert_int_equal(probe.device_count, 1);
}

static void device_says_what_it_is(void **state)
{
    struct bench bench;
    (void)state;
    set_params("3", "0");
    fake_params[2] = "baseline";
    bench_open(&bench);
    assert_string_equal(bench.spec.backend, "cpu");
    assert_true(strcmp(bench.spec.architecture, "x86_64") == 0 || strcmp(bench.spec.architecture, "aarch64") == 0 ||
                strcmp(bench.spec.architecture, "s390x") == 0);
    assert_int_equal(bench.spec.compute_units, 3);
    assert_true(bench.spec.name[0] != '\0' && bench.spec.memory_bytes > 64 * MIB);
    assert_true((bench.spec.capabilities & HALY_CAP_NATIVE_ADDRESSES) != 0);
    assert_true((bench.spec.capabilities & HALY_CAP_HOST_CALL) != 0);
    haly_device_sample sample = {HALY_DEVICE_SAMPLE_INIT};
    assert_int_equal(cpu->device_sample(bench.device, &sample), HALY_OK);
    assert_true((sample.valid & HALY_SAMPLE_MEMORY) != 0 && sample.memory_free_bytes <= bench.spec.memory_bytes);
    bench_close(&bench);
    assert_int_equal(cpu->device_open(1, bench.device, &bench.spec), HALY_ERR_INVALID);
}

static void unset_threads_are_the_usable_cores(void **state)
{
    struct bench bench;
    (void)state;
    set_params("", "0");
    bench_open(&bench);
    assert_in_range(bench.spec.compute_units, 1, sysconf(_SC_NPROCESSORS_ONLN));
    bench_close(&bench);
}

static void *segment_new(struct bench *bench, uint64_t size, void *place, void **out_address)
{
    void *segment = block_new(cpu->segment_size);
    const haly_segment_desc desc = {sizeof desc, 0, size, 64, place};
    assert_int_equal(cpu->segment_alloc(bench->context, segment, &desc, out_address), HALY_OK);
    return segment;
}

static void segment_delete(struct bench *bench, void *segment)
{
    cpu->segment_free(bench->context, segment);
    free(segment);
}

/* Whether the process may read the byte, found out without a signal. */
static bool is_readable(const void *address)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const bool is_read = write(ends[1], address, 1) == 1;
    close(ends[0]);
    close(ends[1]);
    return is_read;
}

static void segments_are_aligned_and_placed_where_asked(void **state)
{
    struct bench bench;
    void *address = NULL;
    (void)state;
    set_params("2", "0");
    bench_open(&bench);
    void *segment = segment_new(&bench, 2 * MIB, NULL, &address);
    assert_int_equal((uintptr_t)address % (2 * MIB), 0);
    memset(address, 1, 2 * MIB);
    segment_delete(&bench, segment);

    char *window = mmap(NULL, 8 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(window != MAP_FAILED);
    char *place = window + 2 * MIB;
    segment = segment_new(&bench, 2 * MIB, place, &address);
    assert_ptr_equal(address, place);
    assert_true(is_readable(place) && is_readable(place + 2 * MIB - 1));
    assert_false(is_readable(place - 1));
    segment_delete(&bench, segment);
    assert_false(is_readable(place)); /* reserved again, and nobody else's */
    munmap(window, 8 * MIB);
    bench_close(&bench);
}

static void memory_beyond_the_device_is_device_out_of_memory(void **state)
{
    struct bench bench;
    void *address = NULL;
    (void)state;
    set_params("2", "0");
    bench_open(&bench);
    const uint64_t sizes[] = {bench.spec.memory_bytes + 2 * MIB, UINT64_MAX / 2, UINT64_MAX};
    void *segment = block_new(cpu->segment_size);
    for (size_t i = 0; i < 3; i++) {
        const haly_segment_desc desc = {sizeof desc, 0, sizes[i], 64, NULL};
        assert_int_equal(cpu->segment_alloc(bench.context, segment, &desc, &address), HALY_ERR_DEVICE_OOM);
    }
    free(segment);
    assert_int_equal(cpu->host_alloc(bench.context, UINT64_MAX, &address), HALY_ERR_HOST_OOM);
    segment = segment_new(&bench, 2 * MIB, NULL, &address); /* and it goes on working */
    segment_delete(&bench, segment);
    bench_close(&bench);
}

static void host_memory_is_aligned(void **state)
{
    struct bench bench;
    const uint64_t sizes[] = {1, 63, 4096, 2 * MIB, 2 * MIB + 1};
    (void)state;
    set_params("2", "0");
    bench_open(&bench);
    for (size_t i = 0; i < 5; i++) {
        void *address = NULL;
        assert_int_equal(cpu->host_alloc(bench.context, sizes[i], &address), HALY_OK);
        assert_int_equal((uintptr_t)address % 64, 0);
        memset(address, 7, (size_t)sizes[i]);
        cpu->host_free(bench.context, address, sizes[i]);
    }
    bench_close(&bench);
}

static void strict_mode_poisons_and_declares_less(void **state)
{
    struct bench bench;
    struct queue queue;
    unsigned char *address = NULL;
    int called = 0;
    (void)state;
    set_params("2", "1");
    bench_open(&bench);
    const uint64_t missing =
        HALY_CAP_NATIVE_ADDRESSES | HALY_CAP_PLACEMENT | HALY_CAP_PAGEABLE_COPY | HALY_CAP_HOST_CALL;
    assert_int_equal(bench.spec.capabilities & missing, 0);
    void *segment = segment_new(&bench, 2 * MIB, NULL, (void **)&address);
    assert_true(address[0] == 0xCD && address[2 * MIB - 1] == 0xCD);
    queue_open(&bench, &queue);
    const haly_command_host_call call = {{sizeof call, HALY_COMMAND_HOST_CALL, 0}, gate_call, &called};
    assert_int_equal(queue_submit(&queue, &call, sizeof call), HALY_ERR_UNSUPPORTED);
    haly_command_copy copy = {
        {sizeof copy, HALY_COMMAND_COPY, 0}, address, &called, 4, HALY_MEMORY_DEVICE, HALY_MEMORY_UNKNOWN};
    assert_int_equal(queue_submit(&queue, &copy, sizeof copy), HALY_ERR_UNSUPPORTED);
    assert_true(address[0] == 0xCD);
    copy.src_class = HALY_MEMORY_PINNED;
    SUBMIT(&queue, copy);
    assert_int_equal(queue_wait(&queue, HALY_FOREVER), HALY_OK);
    assert_int_equal(address[0], 0);
    queue_close(&queue);
    segment_delete(&bench, segment);
    bench_close(&bench);
}

static void fill_random(unsigned char *bytes, size_t size, uint32_t seed)
{
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525U + 1013904223U;
        bytes[i] = (unsigned char)(seed >> 24);
    }
}

static void copies_move_every_byte_and_no_other(void **state)
{
    static const size_t sizes[] = {0, 1, 15, 64, 4097, (1U << 20) - 1, (1U << 20) + 3, (9U << 20) + 17};
    const size_t room = (10U << 20);
    unsigned char *src = malloc(room), *dst = malloc(room);
    (void)state;
    fill_random(src, room, 1);
    for (int threads = 1; threads <= 3; threads += 2) {
        struct bench bench;
        struct queue queue;
        set_params(threads == 1 ? "1" : "3", "0");
        bench_open(&bench);
        queue_open(&bench, &queue);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            for (int again = 0; again < 4; again++) { /* each way of moving large pieces comes up */
                memset(dst, 0xEE, room);
                submit_copy(&queue, dst + 5, src + 3, sizes[i]);
                assert_int_equal(queue_wait(&queue, HALY_FOREVER), HALY_OK);
                assert_memory_equal(dst + 5, src + 3, sizes[i]);
                assert_true(dst[4] == 0xEE && dst[5 + sizes[i]] == 0xEE);
            }
        }
        queue_close(&queue);
        bench_close(&bench);
    }
    free(src);
    free(dst);
}

static void fills_repeat_their_pattern(void **state)
{
    static const uint64_t sizes[] = {16, 48, 4096, (1U << 20) + 16, (5U << 20) + 32};
    const size_t room = (6U << 20);
    unsigned char *dst = aligned_alloc(64, room);
    struct bench bench;
    struct queue queue;
    (void)state;
    set_params("2", "0");
    bench_open(&bench);
    queue_open(&bench, &queue);
    for (uint32_t pattern = 1; pattern <= 16; pattern *= 2) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            haly_command_fill fill = {{sizeof fill, HALY_COMMAND_FILL, 0}, dst + 16, sizes[i], pattern, 0, {0}};
            fill_random(fill.pattern, 16, pattern);
            memset(dst, 0, room);
            SUBMIT(&queue, fill);
            assert_int_equal(queue_wait(&queue, HALY_FOREVER), HALY_OK);
            for (uint64_t at = 0; at < sizes[i]; at += pattern)
                assert_memory_equal(dst + 16 + at, fill.pattern, pattern);
            assert_true(dst[15] == 0 && dst[16 + sizes[i]] == 0);
        }
    }
    haly_command_fill wrong = {{sizeof wrong, HALY_COMMAND_FILL, 0}, dst, 12, 3, 0, {0}};
    assert_int_equal(queue_submit(&queue, &wrong, sizeof wrong), HALY_ERR_INVALID);
    queue_close(&queue);
    bench_close(&bench);
    free(dst);
}

static void rectangles_leave_the_gaps_alone(void **state)
{
    enum { WIDTH = 700, HEIGHT = 3000, DST_PITCH = 1024, SRC_PITCH = 777 };
    unsigned char *src = malloc(SRC_PITCH * HEIGHT), *dst = malloc(DST_PITCH * HEIGHT);
    struct bench bench;
    struct queue queue;
    (void)state;
    set_params("2", "0");
    bench_open(&bench);
    queue_open(&bench, &queue);
    fill_random(src, SRC_PITCH * HEIGHT, 9);
    memset(dst, 0xEE, DST_PITCH * HEIGHT);
    const haly_command_copy_2d copy = {{sizeof copy, HALY_COMMAND_COPY_2D, 0},
                                       dst,
                                       src,
                                       DST_PITCH,
                                       SRC_PITCH,
                                       WIDTH,
                                       HEIGHT,
                                       HALY_MEMORY_DEVICE,
                                       HALY_MEMORY_DEVICE};
    SUBMIT(&queue, copy);
    assert_int_equal(queue_wait(&queue, HALY_FOREVER), HALY_OK);
    for (size_t row = 0; row < HEIGHT; row++) {
        assert_memory_equal(dst + row * DST_PITCH, src + row * SRC_PITCH, WIDTH);
        assert_true(dst[row * DST_PITCH + WIDTH] == 0xEE && dst[row * DST_PITCH + DST_PITCH - 1] == 0xEE);
    }
    queue_close(&queue);
    bench_close(&bench);
    free(src);
    free(dst);
}

/* Threads of the process whose name begins so; counts those that do not block all signals. */
static int count_threads(const char *prefix, int *out_unblocked)
{
    int count = 0;
    *out_unblocked = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (const struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        char path[300], line[128];
        bool is_ours = false;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        FILE *status = fopen(path, "r");
        while (status != NULL && fgets(line, sizeof line, status) != NULL) {
            if (strncmp(line, "Name:\t", 6) == 0)
                is_ours = strncmp(line + 6, prefix, strlen(prefix)) == 0;
            if (is_ours && strncmp(line, "SigBlk:\t", 8) == 0) {
                const unsigned long long blocked = strtoull(line + 8, NULL, 16);
                *out_unblocked += (blocked & (1ULL << 14)) == 0 || (blocked & (1ULL << 1)) == 0; /* TERM, INT */
                count++;
            }
        }
        if (status != NULL)
            fclose(status);
    }
    closedir(tasks);
    return count;
}

/* A thread that was joined stands in /proc for a moment longer. */
static int count_threads_left(const char *prefix)
{
    int count, unblocked;
    for (int patience = 500; (count = count_threads(prefix, &unblocked)) != 0 && patience > 0; patience--)
        sleep_ms(2);
    return count;
}

static haly_status nothing(void *user, haly_status status)
{
    (void)user;
    (void)status;
    return HALY_OK;
}

static void threads_are_named_quiet_and_stopped_by_shutdown(void **state)
{
    struct bench bench;
    struct queue queue;
    int unblocked = 0;
    (void)state;
    cpu->shutdown();
    assert_int_equal(count_threads_left("haly-cpu-"), 0);
    set_params("3", "0");
    bench_open(&bench);
    queue_open(&bench, &queue);
    assert_int_equal(count_threads("haly-cpu-", &unblocked), 0); /* none before there is need */
    submit_call(&queue, nothing, NULL);
    assert_int_equal(queue_wait(&queue, HALY_FOREVER), HALY_OK);
    sleep_ms(20);
    const int count = count_threads("haly-cpu-", &unblocked);
    assert_in_range(count, 2, 3); /* two, and a spare one if both were busy with the call */
    assert_int_equal(unblocked, 0);
    queue_close(&queue);
    bench_close(&bench);
    cpu->shutdown();
    assert_int_equal(count_threads_left("haly-cpu-"), 0);
}

/* ThreadSanitizer ends a child of a threaded process that starts threads, unless it is told that this is meant. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}

static void run_in_child(void)
{
    struct bench bench;
    struct queue queue;
    int from = 5, to = 0;
    bench_open(&bench);
    queue_open(&bench, &queue);
    submit_call(&queue, nothing, NULL); /* needs a worker, and the parent's are not here */
    submit_copy(&queue, &to, &from, sizeof to);
    const haly_status status = cpu->stream_wait(queue.block, 2, UINT64_C(20) * SECOND);
    _exit(status == HALY_OK && to == 5 ? 0 : 1);
}

static void a_new_context_works_in_a_child_of_fork(void **state)
{
    struct bench bench;
    struct queue queue;
    int status = -1;
    (void)state;
    set_params("2", "0");
    bench_open(&bench);
    queue_open(&bench, &queue);
    submit_call(&queue, nothing, NULL);
    assert_int_equal(queue_wait(&queue, HALY_FOREVER), HALY_OK);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        run_in_child();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    queue_close(&queue);
    bench_close(&bench);
}

static void native_handles_are_refused_with_a_reason(void **state)
{
    struct bench bench;
    haly_native native = {HALY_NATIVE_INIT};
    (void)state;
    set_params("2", "0");
    bench_open(&bench);
    assert_int_equal(cpu->native_get(HALY_OBJECT_CONTEXT, bench.context, &native), HALY_ERR_UNSUPPORTED);
    assert_int_equal(cpu->stream_wrap(bench.context, NULL, &native, NULL), HALY_ERR_UNSUPPORTED);
    assert_int_equal(cpu->pointer_info(bench.context, &native), HALY_MEMORY_UNKNOWN);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_has_every_entry),
        cmocka_unit_test(wrong_parameters_name_the_variable_and_its_grammar),
        cmocka_unit_test(device_says_what_it_is),
        cmocka_unit_test(unset_threads_are_the_usable_cores),
        cmocka_unit_test(segments_are_aligned_and_placed_where_asked),
        cmocka_unit_test(memory_beyond_the_device_is_device_out_of_memory),
        cmocka_unit_test(host_memory_is_aligned),
        cmocka_unit_test(strict_mode_poisons_and_declares_less),
        cmocka_unit_test(copies_move_every_byte_and_no_other),
        cmocka_unit_test(fills_repeat_their_pattern),
        cmocka_unit_test(rectangles_leave_the_gaps_alone),
        cmocka_unit_test(threads_are_named_quiet_and_stopped_by_shutdown),
        cmocka_unit_test(a_new_context_works_in_a_child_of_fork),
        cmocka_unit_test(native_handles_are_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, load_backend, stop_backend);
}
