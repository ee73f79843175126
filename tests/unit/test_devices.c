/* SPDX-License-Identifier: Apache-2.0 */
/* Enumeration, order, selection and what is left out, over fakes. */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "unit/fake_instance.h"
#include "unit/sandbox.h"

static haly_instance *instance;
static haly_device *device;

static haly_status create(void **state, struct fake_setup setup)
{
    instance = NULL;
    device = NULL;
    return fake_instance_create(state, &setup, &instance);
}

static haly_device_spec spec_of(haly_device *of)
{
    haly_device_spec spec = {HALY_DEVICE_SPEC_INIT};
    assert_int_equal(haly_device_spec_get(of, &spec), HALY_OK);
    return spec;
}

/* "other:0 fake:1 …" */
static const char *device_list(void)
{
    static char list[256];
    uint32_t count = 0;
    list[0] = '\0';
    assert_int_equal(haly_device_count(instance, &count), HALY_OK);
    for (uint32_t i = 0; i < count; i++) {
        haly_device *at = NULL;
        assert_int_equal(haly_device_get(instance, i, &at), HALY_OK);
        const haly_device_spec spec = spec_of(at);
        text_append(list, sizeof list, "%s%s:%u", i != 0 ? " " : "", spec.backend, spec.index);
    }
    return list;
}

static const char *install_three(void **state)
{
    fake_install(state, "good", "fake", "three");
    fake_install(state, "processor", "processor", "three");
    return fake_install(state, "other", "other", "three");
}

static void better_scores_come_first_and_processors_last(void **state)
{
    assert_int_equal(create(state, (struct fake_setup){.path = install_three(state)}), HALY_OK);
    assert_string_equal(device_list(), "other:0 fake:1 fake:0 processor:0");
    haly_instance_release(instance);
}

static void the_order_of_names_is_preferred_to_scores(void **state)
{
    assert_int_equal(create(state, (struct fake_setup){.path = install_three(state), .backend = "processor,fake"}),
                     HALY_OK);
    assert_string_equal(device_list(), "processor:0 fake:1 fake:0");
    haly_instance_release(instance);
    assert_int_equal(create(state, (struct fake_setup){.path = install_three(state), .backend = "^other"}), HALY_OK);
    assert_string_equal(device_list(), "fake:1 fake:0 processor:0");
    haly_instance_release(instance);
}

static void a_spec_is_made_fit_for_a_line(void **state)
{
    assert_int_equal(create(state, (struct fake_setup){.path = install_three(state), .backend = "fake"}), HALY_OK);
    assert_int_equal(haly_device_find(instance, "fake:0", &device), HALY_OK);
    const haly_device_spec spec = spec_of(device);
    assert_string_equal(spec.name, "Fake?0");
    assert_int_equal(spec.numa_node, -1);
    assert_int_equal(spec.index, 0);
    haly_instance_release(instance);
}

static void selectors_find_the_best_that_matches(void **state)
{
    static const struct {
        const char *selector, *found; /* NULL: none, and then what is said */
        haly_status status;
        const char *says;
    } cases[] = {
        {NULL, "other:0", HALY_OK, NULL},
        {"", "other:0", HALY_OK, NULL},
        {"auto", "other:0", HALY_OK, NULL},
        {"fake", "fake:1", HALY_OK, NULL},
        {"fake:0", "fake:0", HALY_OK, NULL},
        {"vendor=fakes,memory>1GiB", "fake:1", HALY_OK, NULL},
        {"kind=cpu", "processor:0", HALY_OK, NULL},
        {"fake:2", NULL, HALY_ERR_NOT_FOUND, "fake:1: index is 1, wanted =2"},
        {"memory>=1TiB", NULL, HALY_ERR_NOT_FOUND, "other:0: memory is 1073741824 bytes, wanted >=1TiB"},
        {"fkae", NULL, HALY_ERR_NOT_FOUND, "did you mean \"fake\"?"},
        {"cuda:0", NULL, HALY_ERR_NOT_FOUND, "backend \"cuda\" cannot be used: libhalyard_backend_cuda.so not found"},
        {"memory>lots", NULL, HALY_ERR_INVALID, "selector \"memory>lots\": \"lots\" at byte 8"},
    };
    assert_int_equal(create(state, (struct fake_setup){.path = install_three(state)}), HALY_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char found[64];
        device = NULL;
        assert_int_equal(haly_device_find(instance, cases[i].selector, &device), cases[i].status);
        if (cases[i].found == NULL) {
            print_message("         %s\n", last_message());
            assert_null(device);
            assert_non_null(strstr(last_message(), cases[i].says));
            continue;
        }
        const haly_device_spec spec = spec_of(device);
        text_set(found, sizeof found, "%s:%u", spec.backend, spec.index);
        assert_string_equal(found, cases[i].found);
    }
    haly_instance_release(instance);
}

static void a_device_that_scores_nothing_is_used_only_by_name(void **state)
{
    struct fake_setup setup = {.path = fake_install(state, "scoreless", "fake", "scoreless")};
    assert_int_equal(create(state, setup), HALY_OK);
    assert_string_equal(device_list(), "fake:0");
    assert_int_equal(haly_device_find(instance, NULL, &device), HALY_ERR_NOT_FOUND);
    assert_non_null(strstr(last_message(), "fake:0: it scores 0, so it is used only when its backend is named"));
    assert_int_equal(haly_device_find(instance, "kind=npu", &device), HALY_ERR_NOT_FOUND);
    assert_int_equal(haly_device_find(instance, "backend!=cpu", &device), HALY_ERR_NOT_FOUND);
    assert_int_equal(haly_device_find(instance, "fake", &device), HALY_OK);
    assert_int_equal(haly_device_find(instance, "backend=FAKE,index=0", &device), HALY_OK);
    haly_instance_release(instance);
    setup.backend = "fake";
    assert_int_equal(create(state, setup), HALY_OK);
    assert_int_equal(haly_device_find(instance, NULL, &device), HALY_OK);
    haly_instance_release(instance);
}

static void the_device_parameter_is_the_default(void **state)
{
    struct fake_setup setup = {.path = install_three(state), .device = "processor:0"};
    assert_int_equal(create(state, setup), HALY_OK);
    assert_int_equal(device_default(instance, &device), HALY_OK);
    assert_string_equal(spec_of(device).backend, "processor");
    haly_instance_release(instance);
    setup.device = "processor:1";
    assert_int_equal(create(state, setup), HALY_OK);
    assert_int_equal(device_default(instance, &device), HALY_ERR_NOT_FOUND);
    assert_non_null(strstr(last_message(), "no device for parameter \"device\"=processor:1: "));
    haly_instance_release(instance);
    setup.device = "processor:one";
    assert_int_equal(create(state, setup), HALY_ERR_INVALID);
    assert_non_null(strstr(last_message(), "parameter \"device\"=\"processor:one\""));
}

/* Failures that only enumeration finds: the variant, and what is said. */
static const struct {
    const char *variant;
    haly_backend_state state;
    haly_status status;
    const char *reason;
} late[] = {
    {"failing_count", HALY_BACKEND_UNAVAILABLE, HALY_ERR_DEVICE_LOST, "device_count does not want to"},
    {"failing_open", HALY_BACKEND_UNAVAILABLE, HALY_ERR_DEVICE_OOM, "device fake:0: device_open does not want to"},
    {"maybe_none", HALY_BACKEND_UNAVAILABLE, HALY_ERR_UNAVAILABLE, "it found no device"},
    {"countless", HALY_BACKEND_UNAVAILABLE, HALY_ERR_BACKEND, "it speaks of 1000000 devices"},
    {"endless_text", HALY_BACKEND_UNAVAILABLE, HALY_ERR_BACKEND, "its spec's name has no end"},
    {"bad_alignment", HALY_BACKEND_UNAVAILABLE, HALY_ERR_BACKEND, "allocation_alignment is 48, not a power of two"},
    {"foreign_spec", HALY_BACKEND_UNAVAILABLE, HALY_ERR_BACKEND, "its spec names backend \"else\""},
};

static void what_fails_in_enumeration_is_left_out_with_its_reason(void **state)
{
    for (size_t i = 0; i < sizeof late / sizeof *late; i++) {
        const char *path = fake_install(state, late[i].variant, "fake", late[i].variant);
        fake_install(state, "other", "other", late[i].variant);
        assert_int_equal(create(state, (struct fake_setup){.path = path}), HALY_OK);
        assert_int_equal(fake_backend_info(instance, 0).state, HALY_BACKEND_READY);
        error_detail()->status = HALY_OK;
        assert_string_equal(device_list(), "other:0");
        assert_int_equal(error_detail()->status, HALY_OK);
        const haly_backend_info info = fake_backend_info(instance, 0);
        assert_int_equal(info.state, late[i].state);
        assert_int_equal(info.status, late[i].status);
        assert_int_equal(info.device_count, 0);
        assert_non_null(strstr(info.reason, late[i].reason));
        assert_int_equal(haly_device_find(instance, "fake", &device), late[i].status);
        assert_non_null(strstr(last_message(), late[i].reason));
        haly_instance_release(instance);
    }
}

static void a_named_one_that_fails_in_enumeration_is_the_callers_error(void **state)
{
    for (size_t i = 0; i < sizeof late / sizeof *late; i++) {
        uint32_t count = 77;
        const char *path = fake_install(state, late[i].variant, "fake", late[i].variant);
        fake_install(state, "other", "other", late[i].variant);
        assert_int_equal(create(state, (struct fake_setup){.path = path, .backend = "other,fake"}), HALY_OK);
        for (int again = 0; again < 2; again++) {
            assert_int_equal(haly_device_count(instance, &count), late[i].status);
            assert_int_equal(count, 77);
            assert_non_null(strstr(last_message(), "backend \"fake\" cannot be used: "));
            assert_non_null(strstr(last_message(), late[i].reason));
            assert_string_equal(error_detail()->backend, "fake");
            error_detail()->message[0] = '\0';
        }
        haly_instance_release(instance);
    }
}

static void the_vendors_own_words_travel_along(void **state)
{
    uint32_t count;
    const char *path = fake_install(state, "failing_count", "fake", "words");
    assert_int_equal(create(state, (struct fake_setup){.path = path, .backend = "fake"}), HALY_OK);
    assert_int_equal(haly_device_count(instance, &count), HALY_ERR_DEVICE_LOST);
    assert_int_equal(error_detail()->native_code, 77);
    assert_string_equal(error_detail()->native_text, "native words");
    haly_instance_release(instance);
}

static void one_broken_device_does_not_spoil_the_others(void **state)
{
    const char *path = fake_install(state, "second_fails", "fake", "second");
    assert_int_equal(create(state, (struct fake_setup){.path = path, .backend = "fake"}), HALY_OK);
    assert_string_equal(device_list(), "fake:0");
    assert_int_equal(fake_backend_info(instance, 0).device_count, 1);
    assert_int_equal(fake_backend_info(instance, 0).state, HALY_BACKEND_READY);
    assert_string_equal(fake_backend_info(instance, 0).reason, "device fake:1: device_open does not want to");
    assert_int_equal(haly_device_find(instance, "fake:1", &device), HALY_ERR_NOT_FOUND);
    assert_non_null(strstr(last_message(), "fake:1: device_open does not want to"));
    haly_instance_release(instance);
}

static void policy_denies_single_devices(void **state)
{
    struct fake_setup setup = {.path = install_three(state), .policy = "deny device fake:1\ndeny vendor nobody\n"};
    assert_int_equal(create(state, setup), HALY_OK);
    assert_string_equal(device_list(), "other:0 fake:0 processor:0");
    assert_non_null(strstr(fake_backend_info(instance, 0).reason, "device fake:1: denied by "));
    assert_string_equal(fake_backend_info(instance, 1).reason, "");
    assert_int_equal(haly_device_find(instance, "fake:1", &device), HALY_ERR_NOT_FOUND);
    assert_non_null(strstr(last_message(), "fake:1: denied by "));
    assert_non_null(strstr(last_message(), "policy.conf, line 1"));
    haly_instance_release(instance);
    setup.policy = "deny device \"vendor=fakes, kind=npu\"";
    assert_int_equal(create(state, setup), HALY_OK);
    assert_string_equal(device_list(), "processor:0");
    assert_int_equal(fake_backend_info(instance, 0).state, HALY_BACKEND_DENIED);
    haly_instance_release(instance);
    setup.backend = "fake";
    uint32_t count;
    assert_int_equal(create(state, setup), HALY_OK);
    assert_int_equal(haly_device_count(instance, &count), HALY_ERR_POLICY);
    haly_instance_release(instance);
    setup = (struct fake_setup){.path = install_three(state), .policy = "allow device fake:0\ndeny backend *"};
    assert_int_equal(create(state, setup), HALY_OK);
    assert_string_equal(device_list(), "fake:0");
    haly_instance_release(instance);
}

static void with_no_device_at_all_each_backend_says_why(void **state)
{
    const char *path = fake_install(state, "failing_probe", "fake", "none");
    assert_int_equal(create(state, (struct fake_setup){.path = path}), HALY_OK);
    assert_int_equal(haly_device_find(instance, "auto", &device), HALY_ERR_UNAVAILABLE);
    assert_non_null(strstr(last_message(), "fake: probe does not want to"));
    haly_instance_release(instance);
    assert_int_equal(create(state, (struct fake_setup){.path = NULL}), HALY_OK);
    assert_int_equal(haly_device_find(instance, NULL, &device), HALY_ERR_NOT_FOUND);
    assert_non_null(strstr(last_message(), "no backend was found"));
    haly_instance_release(instance);
}

static void a_backend_reads_the_parameters_of_the_instance_it_works_for(void **state)
{
    haly_instance *quiet = NULL;
    struct fake_setup setup = {.path = fake_install(state, "params", "fake", "params")};
    assert_int_equal(fake_instance_create(state, &setup, &quiet), HALY_OK);
    setup.extra = (haly_param){"fake.level", "high"};
    assert_int_equal(create(state, setup), HALY_OK);
    assert_int_equal(haly_device_get(instance, 0, &device), HALY_OK);
    assert_string_equal(spec_of(device).architecture, "high");
    assert_int_equal(haly_device_get(quiet, 0, &device), HALY_OK);
    assert_string_equal(spec_of(device).architecture, "low");
    haly_instance_release(instance);
    haly_instance_release(quiet);
    setup.extra = (haly_param){"fake.levle", "high"};
    assert_int_equal(create(state, setup), HALY_ERR_INVALID);
    assert_non_null(strstr(last_message(), "no parameter \"fake.levle\"; did you mean \"fake.level\"?"));
    setup.backend = "^fake"; /* not opened: what it declares is not known */
    assert_int_equal(create(state, setup), HALY_OK);
    haly_instance_release(instance);
}

static void *count_in_thread(void *result)
{
    return haly_device_count(instance, result) == HALY_OK ? result : NULL;
}

static void threads_that_ask_at_once_enumerate_once(void **state)
{
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    uint32_t counts[THREADS] = {0};
    assert_int_equal(create(state, (struct fake_setup){.path = fake_install(state, "good", "fake", "race")}), HALY_OK);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_in_thread, &counts[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        assert_non_null(result);
        assert_int_equal(counts[i], 2);
    }
    assert_int_equal(haly_device_get(instance, 0, &device), HALY_OK);
    assert_non_null(strstr(spec_of(device).driver, "counts 1"));
    haly_instance_release(instance);
}

static void each_capability_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i <= 10; i++) {
        assert_non_null(haly_capability_name(UINT64_C(1) << i));
        for (int other = 0; other < i; other++)
            assert_string_not_equal(haly_capability_name(UINT64_C(1) << i), haly_capability_name(UINT64_C(1) << other));
    }
    assert_string_equal(haly_capability_name(HALY_CAP_HOST_REGISTER), "host_register");
    assert_null(haly_capability_name(0));
    assert_null(haly_capability_name(HALY_CAP_KERNELS | HALY_CAP_PLANS));
    assert_null(haly_capability_name(UINT64_C(1) << 63));
}

static void an_index_that_is_not_there_is_invalid(void **state)
{
    haly_backend_info info = {HALY_BACKEND_INFO_INIT};
    assert_int_equal(create(state, (struct fake_setup){.path = fake_install(state, "good", "fake", "index")}), HALY_OK);
    assert_int_equal(haly_device_get(instance, 2, &device), HALY_ERR_INVALID);
    assert_null(device);
    assert_int_equal(haly_backend_info_get(instance, 1, &info), HALY_ERR_INVALID);
    assert_int_equal(haly_device_get(instance, 0, NULL), HALY_ERR_INVALID);
    haly_instance_release(instance);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, sandbox_setup, sandbox_teardown)
    const struct CMUnitTest tests[] = {
        TEST(better_scores_come_first_and_processors_last),
        TEST(the_order_of_names_is_preferred_to_scores),
        TEST(a_spec_is_made_fit_for_a_line),
        TEST(selectors_find_the_best_that_matches),
        TEST(a_device_that_scores_nothing_is_used_only_by_name),
        TEST(the_device_parameter_is_the_default),
        TEST(what_fails_in_enumeration_is_left_out_with_its_reason),
        TEST(a_named_one_that_fails_in_enumeration_is_the_callers_error),
        TEST(the_vendors_own_words_travel_along),
        TEST(one_broken_device_does_not_spoil_the_others),
        TEST(policy_denies_single_devices),
        TEST(with_no_device_at_all_each_backend_says_why),
        TEST(a_backend_reads_the_parameters_of_the_instance_it_works_for),
        TEST(threads_that_ask_at_once_enumerate_once),
        TEST(each_capability_has_a_name_of_its_own),
        TEST(an_index_that_is_not_there_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
