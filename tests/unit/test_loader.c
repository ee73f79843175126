/* SPDX-License-Identifier: Apache-2.0 */
/* How backends are loaded, and what becomes of their tables; test_plugin_files.c has the table of all kinds of files.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "unit/fake_instance.h"
#include "unit/sandbox.h"

static void a_bad_value_of_a_backends_parameter_is_an_error_even_when_unnamed(void **state)
{
    haly_instance *instance = NULL;
    const struct fake_setup setup = {.path = fake_install(state, "bad_value", "fake", "value")};
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_ERR_INVALID);
    assert_null(instance);
    assert_non_null(strstr(last_message(), "probe does not want to"));
    assert_string_equal(error_detail()->backend, "fake");
}

static const char *driver_of(haly_instance *instance)
{
    static haly_device_spec spec;
    haly_device *device = NULL;
    spec = (haly_device_spec){HALY_DEVICE_SPEC_INIT};
    assert_int_equal(haly_device_get(instance, 0, &device), HALY_OK);
    assert_int_equal(haly_device_spec_get(device, &spec), HALY_OK);
    return spec.driver;
}

static void the_entry_function_runs_once_however_many_instances(void **state)
{
    haly_instance *first = NULL, *second = NULL;
    const struct fake_setup setup = {.path = fake_install(state, "good", "fake", "once")};
    assert_int_equal(fake_instance_create(state, &setup, &first), HALY_OK);
    assert_string_equal(driver_of(first), "entries 1 probes 1 counts 1");
    assert_string_equal(driver_of(first), "entries 1 probes 1 counts 1");
    assert_int_equal(fake_instance_create(state, &setup, &second), HALY_OK);
    assert_string_equal(driver_of(second), "entries 1 probes 2 counts 2");
    haly_instance_release(first);
    haly_instance_release(second);
}

static void a_file_exchanged_on_disk_does_not_run_its_entry_again(void **state)
{
    haly_instance *instance = NULL;
    const struct fake_setup setup = {.path = fake_install(state, "good", "fake", "changed")};
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_OK);
    assert_string_equal(driver_of(instance), "entries 1 probes 1 counts 1");
    haly_instance_release(instance);
    assert_int_equal(unlink(sandbox_path(state, "changed/libhalyard_backend_fake.so")), 0);
    fake_install(state, "good", "fake", "changed");
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_OK);
    assert_string_equal(driver_of(instance), "entries 1 probes 2 counts 2");
    haly_instance_release(instance);
}

static void one_file_under_two_names_is_refused_under_the_wrong_one(void **state)
{
    haly_instance *instance = NULL;
    const struct fake_setup setup = {.path = fake_install(state, "good", "fake", "twice")};
    char from[512], to[512];
    snprintf(from, sizeof from, "%s/libhalyard_backend_fake.so", setup.path);
    snprintf(to, sizeof to, "%s/libhalyard_backend_gake.so", setup.path);
    assert_int_equal(link(from, to), 0);
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_OK);
    assert_int_equal(fake_backend_info(instance, 0).state, HALY_BACKEND_READY);
    assert_int_equal(fake_backend_info(instance, 1).state, HALY_BACKEND_REFUSED);
    haly_instance_release(instance);
}

static void a_load_that_failed_before_the_entry_can_be_tried_again(void **state)
{
    haly_instance *instance = NULL;
    const struct fake_setup setup = {.path = fake_install(state, "missing_dependency", "fake", "mended")};
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_OK);
    assert_int_equal(fake_backend_info(instance, 0).state, HALY_BACKEND_UNAVAILABLE);
    haly_instance_release(instance);
    sandbox_copy(state, FAKES_DIR "/elsewhere/libdependency_elsewhere.so", "mended/libdependency_elsewhere.so");
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_OK);
    assert_int_equal(fake_backend_info(instance, 0).state, HALY_BACKEND_READY);
    haly_instance_release(instance);
}

static void short_table_gets_stubs_for_missing_entries(void **state)
{
    haly_instance *instance = NULL;
    haly_device *device = NULL;
    const struct fake_setup setup = {.path = fake_install(state, "older", "fake", "older")};
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_OK);
    assert_int_equal(haly_device_get(instance, 0, &device), HALY_OK);
    const haly_backend_table *table = &device->backend->table;
    assert_int_equal(table->context_open(NULL, NULL, NULL), HALY_ERR_UNSUPPORTED);
    assert_string_equal(last_message(), "the backend does not implement context_open");
    assert_int_equal(table->native_get(HALY_OBJECT_STREAM, NULL, NULL), HALY_ERR_UNSUPPORTED);
    assert_int_equal(table->pointer_info(NULL, NULL), HALY_MEMORY_UNKNOWN);
    table->context_close(NULL);
    table->shutdown();
    haly_device_sample sample = {HALY_DEVICE_SAMPLE_INIT};
    assert_int_equal(haly_device_sample_get(device, &sample), HALY_OK);
    assert_int_equal(sample.clock_mhz, device->spec.index + 1);
    haly_instance_release(instance);
}

static void sparse_table_gets_stubs_between_entries(void **state)
{
    haly_instance *instance = NULL;
    haly_device *device = NULL;
    haly_device_sample sample = {HALY_DEVICE_SAMPLE_INIT};
    const struct fake_setup setup = {.path = fake_install(state, "sparse", "fake", "sparse")};
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_OK);
    assert_int_equal(haly_device_get(instance, 0, &device), HALY_OK);
    assert_int_equal(haly_device_sample_get(device, &sample), HALY_ERR_UNSUPPORTED);
    assert_string_equal(last_message(), "the backend does not implement device_sample");
    assert_string_equal(error_detail()->backend, "fake");
    haly_instance_release(instance); /* device_close is a stub, too */
}

static void half_a_pointer_at_the_end_is_none(void **state)
{
    haly_instance *instance = NULL;
    haly_device *device = NULL;
    const struct fake_setup setup = {.path = fake_install(state, "half_pointer", "fake", "half")};
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_OK);
    assert_int_equal(haly_device_get(instance, 0, &device), HALY_OK);
    device->backend->table.shutdown(); /* whole, or this would jump anywhere */
    haly_instance_release(instance);
}

static void long_table_of_a_newer_minor_is_used_as_far_as_it_is_known(void **state)
{
    haly_instance *instance = NULL;
    const struct fake_setup setup = {.path = fake_install(state, "newer", "fake", "newer")};
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_OK);
    const haly_backend_info info = fake_backend_info(instance, 0);
    assert_int_equal(info.abi_major, 1);
    assert_int_equal(info.abi_minor, 7);
    assert_string_equal(info.version, "0.9-fake");
    assert_string_equal(driver_of(instance), "entries 1 probes 1 counts 1");
    haly_instance_release(instance);
}

static bool is_mapped(const char *file)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[4096];
    bool found = false;
    assert_non_null(maps);
    while (!found && fgets(line, sizeof line, maps) != NULL)
        found = strstr(line, file) != NULL;
    fclose(maps);
    return found;
}

static void what_selection_leaves_out_is_not_opened(void **state)
{
    haly_instance *instance = NULL;
    const char *path = fake_install(state, "good", "fake", "filtered");
    fake_install(state, "other", "other", "filtered");
    const struct fake_setup setup = {.path = path, .backend = "^fake"};
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_OK);
    const haly_backend_info fake = fake_backend_info(instance, 0), other = fake_backend_info(instance, 1);
    assert_int_equal(fake.state, HALY_BACKEND_FILTERED);
    assert_string_equal(fake.reason, "left out by parameter \"backend\"=^fake");
    assert_string_equal(fake.version, ""); /* only the open file could have told */
    assert_int_equal(other.state, HALY_BACKEND_READY);
    haly_instance_release(instance);
    assert_false(is_mapped("filtered/libhalyard_backend_fake"));
    assert_true(is_mapped("filtered/libhalyard_backend_other"));
}

static void what_policy_denies_is_not_opened_and_an_error_when_named(void **state)
{
    haly_instance *instance = NULL;
    struct fake_setup setup = {.path = fake_install(state, "good", "fake", "denied"), .policy = "deny backend f*\n"};
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_OK);
    const haly_backend_info info = fake_backend_info(instance, 0);
    assert_int_equal(info.state, HALY_BACKEND_DENIED);
    assert_int_equal(info.status, HALY_ERR_POLICY);
    assert_non_null(strstr(info.reason, "policy.conf, line 1"));
    assert_string_equal(info.version, "");
    haly_instance_release(instance);
    setup.backend = "fake";
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_ERR_POLICY);
    assert_non_null(strstr(last_message(), "backend \"fake\" cannot be used: denied by "));
    assert_non_null(strstr(last_message(), "policy.conf, line 1"));
}

static void a_malformed_policy_stops_every_program(void **state)
{
    haly_instance *instance = NULL;
    const struct fake_setup setup = {.path = fake_install(state, "good", "fake", "policy"), .policy = "deny all\n"};
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_ERR_INVALID);
    assert_non_null(strstr(last_message(), "policy.conf, line 1"));
}

static void a_file_that_is_not_to_be_trusted_is_refused(void **state)
{
    haly_instance *instance = NULL;
    struct fake_setup setup = {.path = fake_install(state, "good", "fake", "spoilt")};
    assert_int_equal(chmod(sandbox_path(state, "spoilt/libhalyard_backend_fake.so"), 0757), 0);
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_OK);
    assert_int_equal(fake_backend_info(instance, 0).state, HALY_BACKEND_REFUSED);
    assert_int_equal(fake_backend_info(instance, 0).status, HALY_ERR_PERMISSION);
    haly_instance_release(instance);
    setup.backend = "fake";
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_ERR_PERMISSION);
    assert_non_null(strstr(last_message(), "can be written by everybody"));
}

static void a_name_that_is_not_there_is_an_error_with_the_nearest(void **state)
{
    haly_instance *instance = NULL;
    struct fake_setup setup = {.path = fake_install(state, "good", "fake", "names"), .backend = "fkae"};
    char expected[600];
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_ERR_NOT_FOUND);
    snprintf(expected, sizeof expected,
             "backend \"fkae\" cannot be used: libhalyard_backend_fkae.so not found in %s; did you mean \"fake\"? "
             "(found: fake)",
             setup.path);
    assert_string_equal(last_message(), expected);
    setup.backend = "cuda";
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_ERR_NOT_FOUND);
    assert_non_null(strstr(last_message(), "backend \"cuda\" cannot be used: libhalyard_backend_cuda.so not found in"));
    assert_null(strstr(last_message(), "did you mean"));
    setup.backend = "fake,cuda";
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_ERR_NOT_FOUND);
}

static void the_first_of_two_wins_and_the_second_says_so(void **state)
{
    haly_instance *instance = NULL;
    char path[512];
    const char *first = fake_install(state, "good", "fake", "first");
    const char *second = fake_install(state, "newer", "fake", "second");
    snprintf(path, sizeof path, "%s:%s", first, second);
    const struct fake_setup setup = {.path = path, .backend = "fake"};
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_OK);
    assert_int_equal(fake_backend_info(instance, 0).abi_minor, 0);
    const haly_backend_info shadowed = fake_backend_info(instance, 1);
    assert_int_equal(shadowed.state, HALY_BACKEND_FILTERED);
    assert_non_null(strstr(shadowed.reason, "shadowed by "));
    assert_non_null(strstr(shadowed.reason, "first/libhalyard_backend_fake.so"));
    haly_instance_release(instance);
}

struct race {
    void **state;
    struct fake_setup setup;
    haly_status status;
    haly_instance *instance;
};

static void *create_in_thread(void *argument)
{
    struct race *race = argument;
    race->status = fake_instance_create(race->state, &race->setup, &race->instance);
    return NULL;
}

static void threads_that_load_at_once_enter_once(void **state)
{
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    struct race races[THREADS];
    const char *path = fake_install(state, "good", "fake", "race");
    for (int i = 0; i < THREADS; i++) {
        races[i] = (struct race){.state = state, .setup = {.path = path}};
        assert_int_equal(pthread_create(&threads[i], NULL, create_in_thread, &races[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(races[i].status, HALY_OK);
        assert_non_null(strstr(driver_of(races[i].instance), "entries 1 "));
        haly_instance_release(races[i].instance);
    }
}

static void a_child_of_fork_uses_what_the_parent_loaded(void **state)
{
    haly_instance *instance = NULL, *again = NULL;
    const struct fake_setup setup = {.path = fake_install(state, "good", "fake", "forked")};
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_OK);
    const pid_t child = fork();
    if (child == 0) {
        uint32_t count = 0;
        const bool refused = haly_backend_count(instance, &count) == HALY_ERR_FORKED;
        const bool works = fake_instance_create(state, &setup, &again) == HALY_OK &&
                           haly_device_count(again, &count) == HALY_OK && count == 2 &&
                           strstr(driver_of(again), "entries 1 ") != NULL;
        _exit(refused && works ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    haly_instance_release(instance);
}

static void count_lines(void *user, haly_log_level level, const char *text)
{
    if (level == HALY_LOG_WARN && strstr(text, "fake shut down, time 1") != NULL)
        ++*(int *)user;
}

static void shutdown_calls_each_backend_once_and_ends_everything(void **state)
{
    const char *path = fake_install(state, "good", "fake", "ending");
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        int lines = 0;
        uint32_t count;
        haly_instance *instance = NULL, *second = NULL;
        const struct fake_setup setup = {.path = path, .log = count_lines, .log_user = &lines};
        if (fake_instance_create(state, &setup, &instance) != HALY_OK)
            _exit(1);
        haly_shutdown();
        haly_shutdown();
        if (lines != 1)
            _exit(2);
        if (haly_backend_count(instance, &count) != HALY_ERR_SHUTTING_DOWN)
            _exit(3);
        _exit(fake_instance_create(state, &setup, &second) == HALY_ERR_SHUTTING_DOWN ? 0 : 4);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, sandbox_setup, sandbox_teardown)
    const struct CMUnitTest tests[] = {
        TEST(shutdown_calls_each_backend_once_and_ends_everything), /* first: in a child that loaded nothing before */
        TEST(a_bad_value_of_a_backends_parameter_is_an_error_even_when_unnamed),
        TEST(the_entry_function_runs_once_however_many_instances),
        TEST(a_file_exchanged_on_disk_does_not_run_its_entry_again),
        TEST(one_file_under_two_names_is_refused_under_the_wrong_one),
        TEST(a_load_that_failed_before_the_entry_can_be_tried_again),
        TEST(short_table_gets_stubs_for_missing_entries),
        TEST(sparse_table_gets_stubs_between_entries),
        TEST(half_a_pointer_at_the_end_is_none),
        TEST(long_table_of_a_newer_minor_is_used_as_far_as_it_is_known),
        TEST(what_selection_leaves_out_is_not_opened),
        TEST(what_policy_denies_is_not_opened_and_an_error_when_named),
        TEST(a_malformed_policy_stops_every_program),
        TEST(a_file_that_is_not_to_be_trusted_is_refused),
        TEST(a_name_that_is_not_there_is_an_error_with_the_nearest),
        TEST(the_first_of_two_wins_and_the_second_says_so),
        TEST(threads_that_load_at_once_enter_once),
        TEST(a_child_of_fork_uses_what_the_parent_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
