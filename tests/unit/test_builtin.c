/* SPDX-License-Identifier: Apache-2.0 */
/* Backends that are a part of the library: found, selected, denied and entered as those from files are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "unit/fake_instance.h"
#include "unit/sandbox.h"

haly_status halyard_backend_fake(const haly_core_table *core, const haly_backend_table **out_table);

static unsigned entered;

static haly_status counting_entry(const haly_core_table *core, const haly_backend_table **out_table)
{
    entered++;
    return halyard_backend_fake(core, out_table);
}

static haly_status refusing_entry(const haly_core_table *core, const haly_backend_table **out_table)
{
    (void)out_table;
    /* In parentheses: cmocka has a macro of that name. */
    return (core->fail)(HALY_ERR_UNAVAILABLE, HALY_SCOPE_CALL, HALY_RECOVER_NONE, 0, NULL, "not in this program");
}

static const struct builtin_backend counted[] = {{"fake", counting_entry}, {NULL, NULL}};

/* First of all tests: afterwards the entry has run. */
static void what_is_left_out_or_denied_is_not_entered(void **state)
{
    haly_instance *instance = NULL;
    struct fake_setup setup = {.builtins = counted, .backend = "^fake"};
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_OK);
    assert_int_equal(fake_backend_info(instance, 0).state, HALY_BACKEND_FILTERED);
    haly_instance_release(instance);
    setup.backend = NULL;
    setup.policy = "deny backend f*\n";
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_OK);
    const haly_backend_info info = fake_backend_info(instance, 0);
    assert_int_equal(info.state, HALY_BACKEND_DENIED);
    assert_int_equal(info.status, HALY_ERR_POLICY);
    assert_string_equal(info.version, "");
    haly_instance_release(instance);
    setup.backend = "fake";
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_ERR_POLICY);
    assert_int_equal(entered, 0);
}

static void a_built_in_backend_is_as_good_as_a_file(void **state)
{
    haly_instance *instance = NULL;
    haly_device *device = NULL;
    uint32_t count = 0;
    const struct fake_setup setup = {.builtins = counted, .backend = "fake"};
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_OK);
    const haly_backend_info info = fake_backend_info(instance, 0);
    assert_int_equal(info.state, HALY_BACKEND_READY);
    assert_string_equal(info.path, "built in");
    assert_string_equal(info.version, "0.9-fake");
    assert_int_equal(info.abi_major, HALY_BACKEND_ABI_MAJOR);
    assert_int_equal(haly_device_count(instance, &count), HALY_OK);
    assert_int_equal(count, 2);
    assert_int_equal(haly_device_find(instance, "fake:1", &device), HALY_OK);
    haly_instance_release(instance);
}

static void its_entry_runs_once_however_many_instances(void **state)
{
    haly_instance *instances[2] = {NULL, NULL};
    const struct fake_setup setup = {.builtins = counted};
    for (int i = 0; i < 2; i++)
        assert_int_equal(fake_instance_create(state, &setup, &instances[i]), HALY_OK);
    assert_int_equal(entered, 1);
    for (int i = 0; i < 2; i++)
        haly_instance_release(instances[i]);
}

static void a_file_that_the_user_names_comes_first(void **state)
{
    haly_instance *instance = NULL;
    const struct fake_setup setup = {.builtins = counted, .path = fake_install(state, "good", "fake", "named")};
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_OK);
    assert_int_equal(fake_backend_info(instance, 0).path[0], '/');
    assert_int_equal(fake_backend_info(instance, 0).state, HALY_BACKEND_READY);
    const haly_backend_info shadowed = fake_backend_info(instance, 1);
    assert_string_equal(shadowed.path, "built in");
    assert_int_equal(shadowed.state, HALY_BACKEND_FILTERED);
    assert_non_null(strstr(shadowed.reason, "named/libhalyard_backend_fake.so"));
    haly_instance_release(instance);
}

static void a_table_of_another_name_and_a_failing_entry_have_their_reasons(void **state)
{
    static const struct builtin_backend wrong[] = {
        {"other", counting_entry}, {"refusing", refusing_entry}, {NULL, NULL}};
    haly_instance *instance = NULL;
    const struct fake_setup setup = {.builtins = wrong};
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_OK);
    const haly_backend_info other = fake_backend_info(instance, 0), refusing = fake_backend_info(instance, 1);
    assert_int_equal(other.state, HALY_BACKEND_REFUSED);
    assert_string_equal(other.reason, "it is named for \"other\", its table for \"fake\"");
    assert_int_equal(refusing.state, HALY_BACKEND_UNAVAILABLE);
    assert_string_equal(refusing.reason, "not in this program");
    haly_instance_release(instance);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, sandbox_setup, sandbox_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_left_out_or_denied_is_not_entered),
        TEST(a_built_in_backend_is_as_good_as_a_file),
        TEST(its_entry_runs_once_however_many_instances),
        TEST(a_file_that_the_user_names_comes_first),
        TEST(a_table_of_another_name_and_a_failing_entry_have_their_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
