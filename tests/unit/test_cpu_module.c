/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/* Modules, launches and plans of the cpu backend: what is loaded and what is refused, and that threads change no bit.
 */
#include "cpu_fixture.h"

#include <elf.h>
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>

#include <halyard/tensor.h>

static struct bench bench;

static int open_two_threads(void **state)
{
    (void)state;
    set_params("2", "0");
    bench_open(&bench);
    return 0;
}

static int close_bench(void **state)
{
    (void)state;
    bench_close(&bench);
    return 0;
}

/* ---- modules ---- */

struct image {
    unsigned char *bytes;
    size_t size;
};

static struct image read_image(void)
{
    char path[4096];
    struct stat about;
    build_path(path, sizeof path, "tests/kernels/cpu_kernels.so");
    const int file = open(path, O_RDONLY);
    assert_true(file >= 0 && fstat(file, &about) == 0);
    const struct image image = {malloc((size_t)about.st_size), (size_t)about.st_size};
    assert_int_equal(read(file, image.bytes, image.size), (int)image.size);
    close(file);
    return image;
}

static haly_status load(void *module, const void *data, size_t size, const char *path, haly_module_format format)
{
    const haly_backend_image desc = {.format = format, .data = data, .size = size, .path = path};
    memset(module, 0, cpu->module_size);
    return cpu->module_load(bench.context, module, &desc);
}

static void an_image_in_memory_has_its_kernels(void **state)
{
    const struct image image = read_image();
    void *module = block_new(cpu->module_size), *kernel = block_new(cpu->kernel_size);
    haly_kernel_info info = {HALY_KERNEL_INFO_INIT};
    (void)state;
    assert_int_equal(load(module, image.bytes, image.size, NULL, HALY_MODULE_HOST_OBJECT), HALY_OK);
    assert_int_equal(cpu->kernel_get(module, kernel, "scale", &info), HALY_OK);
    assert_string_equal(info.name, "scale");
    assert_int_equal(info.argument_count, 4);
    assert_int_equal(info.argument_bytes, 24);
    assert_true(info.arguments[0].is_address == 1 && info.arguments[0].is_const == 1);
    assert_true(info.arguments[1].is_address == 1 && info.arguments[1].is_const == 0);
    assert_true(info.arguments[3].is_address == 0 && info.arguments[3].offset == 20 && info.arguments[3].size == 4);
    assert_int_equal(cpu->kernel_get(module, kernel, "absent", &info), HALY_ERR_NOT_FOUND);
    assert_int_equal(cpu->kernel_get(module, kernel, "", &info), HALY_ERR_NOT_FOUND);
    assert_int_equal(cpu->kernel_get(module, kernel, "a b;c", &info), HALY_ERR_NOT_FOUND);
    cpu->module_unload(module);
    free(module);
    free(kernel);
    free(image.bytes);
}

static void descriptions_that_contradict_themselves_are_corrupt(void **state)
{
    static const char *const names[] = {"broken_overlap", "broken_past_end", "broken_size", "broken_bytes"};
    struct kernel kernel;
    (void)state;
    kernel_open(&bench, &kernel, "scale");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(cpu->kernel_get(kernel.module, kernel.block, names[i], &kernel.info), HALY_ERR_CORRUPT);
        assert_non_null(strstr(last.message, names[i]));
    }
    kernel_close(&kernel);
}

static void truncated_images_are_corrupt(void **state)
{
    const struct image image = read_image();
    void *module = block_new(cpu->module_size);
    (void)state;
    for (size_t size = 4; size < image.size; size += size < 256 ? 1 : 1021) {
        unsigned char *cut = malloc(size); /* of its own, so that a read past the end shows */
        memcpy(cut, image.bytes, size);
        assert_int_equal(load(module, cut, size, NULL, HALY_MODULE_HOST_OBJECT), HALY_ERR_CORRUPT);
        free(cut);
    }
    free(module);
    free(image.bytes);
}

static void images_for_other_machines_name_both(void **state)
{
    const struct image image = read_image();
    Elf64_Ehdr *header = (Elf64_Ehdr *)(void *)image.bytes;
    void *module = block_new(cpu->module_size);
    (void)state;
    const Elf64_Half machine = header->e_machine;
    header->e_machine = EM_RISCV;
    assert_int_equal(load(module, image.bytes, image.size, NULL, HALY_MODULE_HOST_OBJECT), HALY_ERR_UNSUPPORTED);
    assert_non_null(strstr(last.message, "riscv"));
    assert_non_null(strstr(last.message, machine == EM_X86_64 ? "x86_64" : machine == EM_S390 ? "s390x" : "aarch64"));
    header->e_machine = machine;
    header->e_type = ET_EXEC;
    assert_int_equal(load(module, image.bytes, image.size, NULL, HALY_MODULE_HOST_OBJECT), HALY_ERR_UNSUPPORTED);
    header->e_type = ET_DYN;
    header->e_ident[EI_CLASS] = ELFCLASS32;
    assert_int_equal(load(module, image.bytes, image.size, NULL, HALY_MODULE_HOST_OBJECT), HALY_ERR_UNSUPPORTED);
    header->e_ident[EI_CLASS] = ELFCLASS64;
    header->e_phoff = UINT64_MAX - 3;
    assert_int_equal(load(module, image.bytes, image.size, NULL, HALY_MODULE_HOST_OBJECT), HALY_ERR_CORRUPT);
    free(module);
    free(image.bytes);
}

static void what_is_no_object_is_refused(void **state)
{
    static const char text[] = "#!/bin/sh\nexit 0\n";
    void *module = block_new(cpu->module_size);
    (void)state;
    assert_int_equal(load(module, text, sizeof text, NULL, HALY_MODULE_HOST_OBJECT), HALY_ERR_UNSUPPORTED);
    assert_int_equal(load(module, text, sizeof text, NULL, (haly_module_format)77), HALY_ERR_UNSUPPORTED);
    assert_int_equal(load(module, NULL, 0, "/nonexistent/kernels.so", HALY_MODULE_HOST_OBJECT), HALY_ERR_NOT_FOUND);
    assert_int_equal(load(module, NULL, 0, "/proc", HALY_MODULE_HOST_OBJECT), HALY_ERR_IO);
    assert_int_equal(load(module, NULL, 0, "/dev/zero", HALY_MODULE_HOST_OBJECT), HALY_ERR_IO);
    free(module);
}

/* The linker knows objects by name, and a descriptor's number comes up again: the second image must not be the first.
 */
static void an_image_is_never_taken_for_an_earlier_one(void **state)
{
    struct image image = read_image();
    void *modules[2] = {block_new(cpu->module_size), block_new(cpu->module_size)};
    void *kernel = block_new(cpu->kernel_size);
    haly_kernel_info info = {HALY_KERNEL_INFO_INIT};
    (void)state;
    for (int round = 0; round < 40; round++) {
        assert_int_equal(load(modules[0], image.bytes, image.size, NULL, HALY_MODULE_HOST_OBJECT), HALY_OK);
        char *name = memmem(image.bytes, image.size, "haly_kernel_meta_chain", 22);
        assert_non_null(name);
        name[17] = name[17] == 'c' ? 'C' : 'c'; /* the hash table of symbols no longer finds it */
        assert_int_equal(load(modules[1], image.bytes, image.size, NULL, HALY_MODULE_HOST_OBJECT), HALY_OK);
        assert_int_equal(cpu->kernel_get(modules[0], kernel, "chain", &info), HALY_OK);
        assert_int_equal(cpu->kernel_get(modules[1], kernel, "chain", &info), HALY_ERR_NOT_FOUND);
        name[17] = 'c';
        cpu->module_unload(modules[round % 2]);
        cpu->module_unload(modules[1 - round % 2]);
    }
    free(modules[0]);
    free(modules[1]);
    free(kernel);
    free(image.bytes);
}

static void every_operator_kernel_is_there_for_every_instruction_set(void **state)
{
    static const char *const isas[] = {"baseline", "avx2", "avx512"};
    static const char *const kernels[] = {
#define KERNEL(name) #name,
#include "kernels.def"
    };
    (void)state;
    for (size_t isa = 0; isa < 3; isa++) {
        struct bench own;
        haly_backend_probe probe = {.struct_size = sizeof probe};
        fake_params[2] = isas[isa];
        if (cpu->probe(&probe) == HALY_ERR_UNSUPPORTED)
            continue; /* not on this machine, and the refusal says so */
        bench_open(&own);
        void *module = block_new(cpu->module_size), *kernel = block_new(cpu->kernel_size);
        const haly_backend_image desc = {.format = HALY_MODULE_OPERATORS};
        assert_int_equal(cpu->module_load(own.context, module, &desc), HALY_OK);
        for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
            haly_kernel_info info = {HALY_KERNEL_INFO_INIT};
            assert_int_equal(cpu->kernel_get(module, kernel, kernels[i], &info), HALY_OK);
            assert_string_equal(info.name, kernels[i]);
        }
        cpu->module_unload(module);
        free(module);
        free(kernel);
        bench_close(&own);
    }
    fake_params[2] = "auto";
}

/* ---- launches ---- */

static void every_group_of_a_grid_runs_once(void **state)
{
    static const uint64_t grids[][3] = {{1, 1, 1}, {7, 5, 3}, {1000, 1, 1}, {1, 300, 2}, {3, 1, 4000}};
    struct queue queue;
    struct kernel kernel;
    (void)state;
    queue_open(&bench, &queue);
    kernel_open(&bench, &kernel, "number_groups");
    for (size_t i = 0; i < sizeof grids / sizeof *grids; i++) {
        const uint64_t groups = grids[i][0] * grids[i][1] * grids[i][2];
        uint32_t *marks = calloc(groups + 1, sizeof *marks);
        for (uint32_t times = 1; times <= 6; times++) { /* queued, inline and in parallel */
            assert_int_equal(launch(&queue, &kernel, grids[i], 1, &marks, sizeof marks), HALY_OK);
            assert_int_equal(queue_wait(&queue, HALY_FOREVER), HALY_OK);
            for (uint64_t group = 0; group < groups; group++)
                assert_int_equal(marks[group], (group + 1) * times);
            assert_int_equal(marks[groups], 0);
        }
        free(marks);
    }
    kernel_close(&kernel);
    queue_close(&queue);
}

static void launches_that_do_not_fit_are_refused(void **state)
{
    struct queue queue;
    struct kernel kernel;
    const uint64_t grid[3] = {1, 1, 1}, wide[3] = {1, 65536, 1};
    uint32_t argument = 0;
    (void)state;
    queue_open(&bench, &queue);
    kernel_open(&bench, &kernel, "nothing");
    assert_int_equal(launch(&queue, &kernel, grid, 1, &argument, 4), HALY_OK);
    assert_int_equal(launch(&queue, &kernel, grid, 1, &argument, 3), HALY_ERR_INVALID);
    assert_int_equal(launch(&queue, &kernel, grid, 0, &argument, 4), HALY_ERR_INVALID);
    assert_int_equal(launch(&queue, &kernel, grid, 1025, &argument, 4), HALY_ERR_INVALID);
    assert_int_equal(launch(&queue, &kernel, wide, 1, &argument, 4), HALY_ERR_INVALID);
    assert_int_equal(queue.submitted, 1);
    assert_int_equal(queue_wait(&queue, HALY_FOREVER), HALY_OK); /* before its kernel goes */
    kernel_close(&kernel);
    queue_close(&queue);
}

#if defined(__x86_64__)
static void flush_to_zero_of_the_caller_changes_nothing(void **state)
{
    struct queue queue;
    struct kernel kernel;
    static float x = 1e-40f, y;
    const float *const arguments[2] = {&x, &y};
    const uint64_t grid[3] = {1, 1, 1};
    (void)state;
    queue_open(&bench, &queue);
    kernel_open(&bench, &kernel, "subnormal");
    const uint32_t before = __builtin_ia32_stmxcsr(), flush = before | 0x8040U;
    for (int i = 0; i < 8; i++) {
        y = 0.0f;
        __builtin_ia32_ldmxcsr(flush);
        const haly_status submitted = launch(&queue, &kernel, grid, 1, arguments, sizeof arguments);
        const haly_status waited = queue_wait(&queue, HALY_FOREVER);
        const uint32_t after = __builtin_ia32_stmxcsr();
        __builtin_ia32_ldmxcsr(before);
        assert_int_equal(submitted, HALY_OK);
        assert_int_equal(waited, HALY_OK);
        assert_int_equal(after & 0xffc0U, flush & 0xffc0U);
        assert_true(y > 0.0f);
    }
    kernel_close(&kernel);
    queue_close(&queue);
}
#else
static void flush_to_zero_of_the_caller_changes_nothing(void **state)
{
    (void)state;
    skip(); /* sets an x86-64 register */
}
#endif

/* ---- plans ---- */

/* A plan on a context of its own; NULL when this build has no implementation of its own for it. */
struct planned {
    struct bench bench;
    struct queue queue;
    void *plan;
    char path[96];
    haly_status status;
};

static void plan_open(struct planned *planned, const char *threads, const haly_op_desc *desc)
{
    haly_backend_plan info = {.struct_size = sizeof info};
    set_params(threads, "0");
    bench_open(&planned->bench);
    queue_open(&planned->bench, &planned->queue);
    planned->plan = block_new(cpu->plan_size);
    planned->status = cpu->plan_create(planned->bench.context, planned->plan, desc, &info);
    memcpy(planned->path, info.path, sizeof planned->path);
}

static void plan_close(struct planned *planned)
{
    if (planned->status == HALY_OK)
        cpu->plan_destroy(planned->plan);
    free(planned->plan);
    queue_close(&planned->queue);
    bench_close(&planned->bench);
}

static void plan_run(struct planned *planned, void *const *addresses, uint32_t count)
{
    struct {
        haly_command_op op;
        void *addresses[6];
    } record = {.op = {{0, HALY_COMMAND_OP, 0}, planned->plan, NULL, 0, count, 0}};
    memcpy(record.addresses, addresses, count * sizeof *addresses);
    record.op.head.size = (uint32_t)(sizeof record.op + count * sizeof *addresses);
    assert_int_equal(queue_submit(&planned->queue, &record, record.op.head.size), HALY_OK);
    assert_int_equal(queue_wait(&planned->queue, HALY_FOREVER), HALY_OK);
}

static float noise(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return (float)(*seed >> 8) / 8388608.0f - 1.0f;
}

/* y = x w^T + bias with Q8_0 weights of scale 1/64, computed in double. */
static void expect_quantized(const float *x, const unsigned char *weight, const float *bias, const float *y, int64_t m,
                             int64_t n, int64_t k)
{
    for (int64_t row = 0; row < m; row++) {
        for (int64_t column = 0; column < n; column++) {
            double want = (double)bias[column], scale = fabs(want);
            for (int64_t i = 0; i < k; i++) {
                const unsigned char *block = weight + (column * (k / 32) + i / 32) * 34;
                const double product = (double)(signed char)block[2 + i % 32] / 64.0 * (double)x[row * k + i];
                want += product;
                scale += fabs(product);
            }
            assert_true(fabs((double)y[row * n + column] - want) <= 1e-5 * scale + 1e-6);
        }
    }
}

static void quantized_products_are_right_and_the_same_for_any_threads(void **state)
{
    enum { N = 300, K = 288, MOST = 37 };
    static const int64_t rows[] = {1, 3, 4, 5, MOST};
    static float x[MOST * K], bias[N], y[2][MOST * N];
    static unsigned char weight[N * K / 32 * 34];
    uint32_t seed = 7;
    (void)state;
    for (size_t i = 0; i < MOST * K; i++)
        x[i] = noise(&seed);
    for (size_t i = 0; i < N; i++)
        bias[i] = noise(&seed);
    for (size_t i = 0; i < sizeof weight; i++)
        weight[i] = i % 34 == 0 ? 0x00 : i % 34 == 1 ? 0x24 : (unsigned char)(int)(noise(&seed) * 127.0f); /* 1/64 */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const haly_tensor inputs[3] = {haly_f32_2d(x, rows[i], K), haly_tensor_2d(HALY_Q8_0, weight, N, K),
                                       haly_f32_1d(bias, N)};
        const haly_tensor output = haly_f32_2d(y, rows[i], N);
        const haly_op_desc desc = {HALY_OP_DESC_INIT, .version = 1,     .domain = "halyard", .name = "QuantizedMatMul",
                                   .inputs = inputs,  .input_count = 3, .outputs = &output,  .output_count = 1};
        for (int threads = 0; threads < 2; threads++) {
            struct planned planned;
            void *const addresses[4] = {x, weight, bias, y[threads]};
            plan_open(&planned, threads == 0 ? "1" : "4", &desc);
            assert_int_equal(planned.status, HALY_OK);
            assert_non_null(strstr(planned.path, "quantized_matmul"));
            memset(y[threads], 0xEE, sizeof y[threads]);
            plan_run(&planned, addresses, 4);
            plan_close(&planned);
        }
        assert_memory_equal(y[0], y[1], sizeof y[0]);
        expect_quantized(x, weight, bias, y[0], rows[i], N, K);
    }
}

static void dense_products_are_right_and_the_same_for_any_threads(void **state)
{
    enum { M = 300, N = 270, K = 130, BATCH = 2 };
    static float a[BATCH * M * K], b[N * K], y[3][BATCH * M * N];
    uint32_t seed = 3;
    (void)state;
    for (size_t i = 0; i < BATCH * M * K; i++)
        a[i] = noise(&seed);
    for (size_t i = 0; i < N * K; i++)
        b[i] = noise(&seed);
    const haly_tensor inputs[2] = {haly_tensor_3d(HALY_F32, a, BATCH, M, K),
                                   haly_tensor_swap(haly_f32_2d(b, N, K), 0, 1)};
    const haly_tensor output = haly_tensor_3d(HALY_F32, y, BATCH, M, N);
    const haly_op_desc desc = {HALY_OP_DESC_INIT, .version = 13,    .domain = "",       .name = "MatMul",
                               .inputs = inputs,  .input_count = 2, .outputs = &output, .output_count = 1};
    static const char *const threads[3] = {"1", "2", "5"};
    for (int i = 0; i < 3; i++) {
        struct planned planned;
        void *const addresses[3] = {a, b, y[i]};
        plan_open(&planned, threads[i], &desc);
        if (planned.status == HALY_ERR_UNSUPPORTED) { /* built without oneDNN, or a processor without AVX2 */
            plan_close(&planned);
            skip();
        }
        assert_int_equal(planned.status, HALY_OK);
        assert_non_null(strstr(planned.path, "onednn matmul"));
        plan_run(&planned, addresses, 3);
        plan_run(&planned, addresses, 3);
        plan_close(&planned);
    }
    assert_memory_equal(y[0], y[1], sizeof y[0]);
    assert_memory_equal(y[0], y[2], sizeof y[0]);
    for (size_t row = 0; row < BATCH * M; row += 7) {
        for (size_t column = 0; column < N; column++) {
            double want = 0.0, scale = 0.0;
            for (size_t i = 0; i < K; i++) {
                want += (double)a[row * K + i] * (double)b[column * K + i];
                scale += fabs((double)a[row * K + i] * (double)b[column * K + i]);
            }
            assert_true(fabs((double)y[0][row * N + column] - want) <= 1e-5 * scale);
        }
    }
}

static void what_has_no_own_implementation_is_left_to_the_portable_kernels(void **state)
{
    float data[4] = {0};
    const haly_tensor input = haly_f32_1d(data, 4);
    haly_op_desc desc = {HALY_OP_DESC_INIT, .version = 13,    .domain = "",      .name = "Exp",
                         .inputs = &input,  .input_count = 1, .outputs = &input, .output_count = 1};
    struct planned planned;
    (void)state;
    plan_open(&planned, "2", &desc);
    assert_int_equal(planned.status, HALY_ERR_UNSUPPORTED);
    assert_non_null(strstr(last.message, "Exp"));
    plan_close(&planned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_in_memory_has_its_kernels),
        cmocka_unit_test(descriptions_that_contradict_themselves_are_corrupt),
        cmocka_unit_test(truncated_images_are_corrupt),
        cmocka_unit_test(images_for_other_machines_name_both),
        cmocka_unit_test(what_is_no_object_is_refused),
        cmocka_unit_test(an_image_is_never_taken_for_an_earlier_one),
        cmocka_unit_test(every_operator_kernel_is_there_for_every_instruction_set),
        cmocka_unit_test(every_group_of_a_grid_runs_once),
        cmocka_unit_test(launches_that_do_not_fit_are_refused),
        cmocka_unit_test(flush_to_zero_of_the_caller_changes_nothing),
        cmocka_unit_test(quantized_products_are_right_and_the_same_for_any_threads),
        cmocka_unit_test(dense_products_are_right_and_the_same_for_any_threads),
        cmocka_unit_test(what_has_no_own_implementation_is_left_to_the_portable_kernels),
    };
    struct CMUnitTest prepared[sizeof tests / sizeof *tests];
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        prepared[i] = tests[i];
        prepared[i].setup_func = open_two_threads;
        prepared[i].teardown_func = close_bench;
    }
    return cmocka_run_group_tests(prepared, load_backend, stop_backend);
}
