/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/* Kernel sources on the cpu backend: compiled by the system's compiler, kept, and refused with its words. */
#include "cpu_fixture.h"

#include <dirent.h>
#include <sys/stat.h>

#include "sandbox.h"

static struct bench bench;

/* A source that includes nothing: what the dialect's header makes of a kernel, by hand. It doubles n floats. */
static const char source[] =
    "struct group { unsigned group[3], groups[3], size[3], reserved[7]; };\n"
    "struct argument { unsigned offset, size; unsigned char is_address, is_const, reserved[6]; };\n"
    "struct meta { unsigned struct_size, argument_count; const struct argument *arguments;\n"
    "              unsigned argument_bytes, group_size[3], flags; const char *name;\n"
    "              void (*entry)(const struct group *, const void *); unsigned max_items, reserved; };\n"
    "struct arguments { float *x; unsigned n; };\n"
    "static void entry(const struct group *g, const void *packed)\n"
    "{\n"
    "    const struct arguments *a = packed;\n"
    "    for (unsigned t = 0; t < g->size[0]; t++) {\n"
    "        unsigned i = g->group[0] * g->size[0] + t;\n"
    "        if (i < a->n) a->x[i] *= FACTOR;\n"
    "    }\n"
    "}\n"
    "static const struct argument rows[] = {{0, 8, 1, 0, {0}}, {8, 4, 0, 1, {0}}};\n"
    "__attribute__((visibility(\"default\"))) extern const struct meta haly_kernel_meta_scale;\n"
    "const struct meta haly_kernel_meta_scale = {sizeof(struct meta), 2, rows, 16, {0, 0, 0}, 0, \"scale\", entry,\n"
    "                                            1024, 0};\n";

static int open_bench(void **state)
{
    set_params("2", "0");
    bench_open(&bench);
    return sandbox_setup(state);
}

static int close_bench(void **state)
{
    bench_close(&bench);
    fake_params[4] = "cc";
    fake_cache_forget();
    return sandbox_teardown(state);
}

static haly_status load(void *module, const char *text, const char *options)
{
    const haly_backend_image image = {.struct_size = sizeof image,
                                      .format = HALY_MODULE_SOURCE,
                                      .data = text,
                                      .size = strlen(text),
                                      .label = "scale.c",
                                      .architecture = "",
                                      .minimum_version = "",
                                      .options = options};
    memset(module, 0, cpu->module_size);
    return cpu->module_load(bench.context, module, &image);
}

/* What the kernel makes of 1.0f. */
static float run(void *module)
{
    struct kernel kernel = {.block = block_new(cpu->kernel_size), .info = {HALY_KERNEL_INFO_INIT}};
    const uint64_t grid[3] = {2, 1, 1};
    float x[20];
    struct queue queue;
    assert_int_equal(cpu->kernel_get(module, kernel.block, "scale", &kernel.info), HALY_OK);
    assert_int_equal(kernel.info.argument_count, 2);
    for (size_t i = 0; i < 20; i++)
        x[i] = 1.0f;
    const struct {
        float *x;
        uint32_t n, padding;
    } arguments = {x, 19, 0};
    queue_open(&bench, &queue);
    assert_int_equal(launch(&queue, &kernel, grid, 16, &arguments, sizeof arguments), HALY_OK);
    queue_close(&queue);
    for (size_t i = 1; i < 19; i++)
        assert_true(x[i] == x[0]);
    assert_true(x[19] == 1.0f);
    cpu->kernel_release(kernel.block);
    free(kernel.block);
    return x[0];
}

static void a_source_is_compiled_and_runs(void **state)
{
    void *module = block_new(cpu->module_size);
    (void)state;
    assert_int_equal(load(module, source, "-DFACTOR=2.0f"), HALY_OK);
    assert_true(run(module) == 2.0f);
    cpu->module_unload(module);
    free(module);
}

static void a_result_is_kept_under_source_and_options(void **state)
{
    void *module = block_new(cpu->module_size);
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(load(module, source, "-DFACTOR=3.0f"), HALY_OK);
        assert_int_equal(fake_cache.hits, i);
        assert_int_equal(fake_cache.puts, 1);
        assert_true(run(module) == 3.0f);
        cpu->module_unload(module);
    }
    assert_int_equal(load(module, source, "-DFACTOR=5.0f"), HALY_OK);
    assert_int_equal(fake_cache.puts, 2);
    assert_true(run(module) == 5.0f);
    cpu->module_unload(module);
    free(module);
}

static unsigned folders_left(const char *folder)
{
    unsigned count = 0;
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static void a_source_that_does_not_compile_is_refused_in_the_compiler_s_words(void **state)
{
    void *module = block_new(cpu->module_size);
    const char *folder = sandbox_folder(state, "tmp", 0700);
    setenv("TMPDIR", folder, 1);
    assert_int_equal(load(module, "#line 7 \"mine.haly.c\"\nint f(void) { return undeclared_name; }\n", ""),
                     HALY_ERR_INVALID);
    assert_non_null(strstr(last.message, "scale.c does not compile: "));
    assert_non_null(strstr(last.message, "mine.haly.c:7"));
    assert_non_null(strstr(last.message, "undeclared_name"));
    assert_int_equal(load(module, source, ""), HALY_ERR_INVALID);
    assert_non_null(strstr(last.message, "FACTOR"));
    assert_int_equal(fake_cache.puts, 0);
    assert_int_equal(load(module, source, "-DFACTOR=2.0f"), HALY_OK);
    cpu->module_unload(module);
    assert_int_equal(folders_left(folder), 0);
    unsetenv("TMPDIR");
    free(module);
}

static void without_a_compiler_the_reason_and_the_remedy_are_told(void **state)
{
    static const struct {
        const char *compiler, *why;
    } cases[] = {{"off", "HALYARD_CPU_COMPILER is off"},
                 {"no-such-compiler", "no program named \"no-such-compiler\" is in PATH"},
                 {"/etc/passwd", "/etc/passwd is no program"}};
    void *module = block_new(cpu->module_size);
    uint32_t rank = 0;
    const haly_backend_image image = {.struct_size = sizeof image, .format = HALY_MODULE_SOURCE, .label = "scale.c"};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake_params[4] = cases[i].compiler;
        assert_int_equal(load(module, source, ""), HALY_ERR_UNAVAILABLE);
        assert_non_null(strstr(last.message, cases[i].why));
        assert_non_null(strstr(last.message, "give a host object"));
        assert_int_equal(cpu->image_rank(bench.context, &image, &rank), HALY_ERR_UNSUPPORTED);
        assert_non_null(strstr(last.message, cases[i].why));
    }
    free(module);
}

static void a_compiler_that_dies_or_writes_nothing_is_an_error(void **state)
{
    void *module = block_new(cpu->module_size);
    fake_params[4] = sandbox_file(state, "dies", "#!/bin/sh\nkill -9 $$\n", 0700);
    assert_int_equal(load(module, source, ""), HALY_ERR_INVALID);
    fake_params[4] = sandbox_file(state, "idle", "#!/bin/sh\nexit 0\n", 0700);
    assert_int_equal(load(module, source, ""), HALY_ERR_INVALID);
    fake_params[4] = sandbox_file(state, "junk", "#!/bin/sh\nwhile [ $# -gt 2 ]; do shift; done; echo no >$1\n", 0700);
    assert_int_equal(load(module, source, ""), HALY_ERR_UNSUPPORTED);
    assert_non_null(strstr(last.message, "not an ELF object"));
    free(module);
}

static void objects_rank_above_source(void **state)
{
    uint32_t source_rank = 0, object_rank = 0;
    char path[4096];
    static char object[1 << 20];
    (void)state;
    build_path(path, sizeof path, "tests/kernels/cpu_kernels.so");
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t size = fread(object, 1, sizeof object, file);
    fclose(file);
    const haly_backend_image text = {.struct_size = sizeof text, .format = HALY_MODULE_SOURCE, .label = "a"};
    const haly_backend_image ready = {
        .struct_size = sizeof ready, .format = HALY_MODULE_HOST_OBJECT, .data = object, .size = size, .label = "b"};
    const haly_backend_image ptx = {.struct_size = sizeof ptx, .format = HALY_MODULE_PTX, .label = "c"};
    assert_int_equal(cpu->image_rank(bench.context, &text, &source_rank), HALY_OK);
    assert_int_equal(cpu->image_rank(bench.context, &ready, &object_rank), HALY_OK);
    assert_true(object_rank > source_rank);
    assert_int_equal(cpu->image_rank(bench.context, &ptx, &object_rank), HALY_ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_is_compiled_and_runs),
        cmocka_unit_test(a_result_is_kept_under_source_and_options),
        cmocka_unit_test(a_source_that_does_not_compile_is_refused_in_the_compiler_s_words),
        cmocka_unit_test(without_a_compiler_the_reason_and_the_remedy_are_told),
        cmocka_unit_test(a_compiler_that_dies_or_writes_nothing_is_an_error),
        cmocka_unit_test(objects_rank_above_source),
    };
    struct CMUnitTest prepared[sizeof tests / sizeof *tests];
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        prepared[i] = tests[i];
        prepared[i].setup_func = open_bench;
        prepared[i].teardown_func = close_bench;
    }
    return cmocka_run_group_tests(prepared, load_backend, stop_backend);
}
