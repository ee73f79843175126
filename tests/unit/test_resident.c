/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that an idle context costs: the figure that bench/README.md states. The file /proc/self/smaps_rollup counts
 * what is really there; reserved windows are left out, and so are unchanged pages of files, which count as private or
 * shared by who else has mapped them at the moment: what this process alone has written is added up.
 */
#include <halyard/halyard.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CONTEXTS 8

/* Instrumented programs keep shadows of everything. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KIB_OF_A_CONTEXT 65536
#else
#define KIB_OF_A_CONTEXT 64
#endif
#define KIB_OF_THE_FIRST (KIB_OF_A_CONTEXT + 4096)

static long written_kib(void)
{
    char line[256];
    long total = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "Private_Dirty: %ld", &total) == 1)
            break;
    fclose(file);
    assert_true(total > 0);
    return total;
}

static void idle_contexts_are_small(void **state)
{
    (void)state;
    const haly_param params[] = {{"backend", "cpu"}};
    const haly_instance_desc desc = {HALY_INSTANCE_DESC_INIT, .params = params, .param_count = 1,
                                     .param_size = sizeof *params};
    haly_instance *instance = NULL;
    haly_context *contexts[CONTEXTS];
    haly_stream *streams[CONTEXTS];
    written_kib(); /* so that reading costs nothing new later */
    assert_int_equal(haly_instance_create(&desc, &instance), HALY_OK);
    const long before = written_kib();
    assert_int_equal(haly_context_open(instance, NULL, &contexts[0]), HALY_OK);
    assert_int_equal(haly_stream_create(contexts[0], NULL, &streams[0]), HALY_OK);
    const long first = written_kib();
    for (int i = 1; i < CONTEXTS; i++) {
        assert_int_equal(haly_context_open(instance, NULL, &contexts[i]), HALY_OK);
        assert_int_equal(haly_stream_create(contexts[i], NULL, &streams[i]), HALY_OK);
    }
    const long all = written_kib();
    print_message("first context and stream %ld KiB, each further one %ld KiB\n", first - before,
                  (all - first) / (CONTEXTS - 1));
    assert_in_range(first - before, 0, KIB_OF_THE_FIRST);
    assert_in_range((all - first) / (CONTEXTS - 1), 0, KIB_OF_A_CONTEXT);
    for (int i = 0; i < CONTEXTS; i++) {
        haly_stream_release(streams[i]);
        haly_context_release(contexts[i]);
    }
    haly_instance_release(instance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(idle_contexts_are_small)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
