/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters: program before environment before default, and what is said of bad ones. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "log.h"
#include "param.h"

static struct params *params;

static haly_status create(const char *name, const char *value)
{
    const haly_param param = {name, value};
    const haly_instance_desc desc = {HALY_INSTANCE_DESC_INIT, .params = &param, .param_count = name != NULL,
                                     .param_size = sizeof param};
    params = NULL;
    return params_create(&desc, &params);
}

static int clear_environment(void **state)
{
    (void)state;
    static const char *const names[] = {"HALYARD_BACKEND",      "HALYARD_BACKEND_PATH", "HALYARD_DEVICE",
                                        "HALYARD_MEM_LIMIT",    "HALYARD_WINDOW",       "HALYARD_LOG",
                                        "HALYARD_FAKE_THREADS", "HALYARD_FAKE_THREDAS"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    return 0;
}

static const char *source_of(const char *name)
{
    for (uint32_t i = 0; i < params_count(params); i++) {
        haly_param_info info;
        params_info(params, i, &info);
        if (strcmp(info.name, name) == 0)
            return info.source;
    }
    return NULL;
}

static void every_parameter_is_declared_in_full(void **state)
{
    (void)state;
    assert_int_equal(create(NULL, NULL), HALY_OK);
    assert_true(params_count(params) >= 6);
    for (uint32_t i = 0; i < params_count(params); i++) {
        haly_param_info info;
        params_info(params, i, &info);
        assert_true(strncmp(info.variable, "HALYARD_", 8) == 0);
        assert_string_not_equal(info.type, "");
        assert_string_not_equal(info.help, "");
        assert_string_equal(info.value, info.default_value);
        assert_string_equal(info.source, "default");
    }
    params_destroy(params);
}

static void program_wins_over_environment_over_default(void **state)
{
    (void)state;
    assert_int_equal(create(NULL, NULL), HALY_OK);
    assert_string_equal(param_text(params, "device"), "auto");
    params_destroy(params);
    setenv("HALYARD_DEVICE", "cuda:1", 1);
    assert_int_equal(create(NULL, NULL), HALY_OK);
    assert_string_equal(param_text(params, "device"), "cuda:1");
    assert_string_equal(source_of("device"), "environment");
    assert_string_equal(param_origin(params, "device"), "HALYARD_DEVICE");
    params_destroy(params);
    assert_int_equal(create("device", "cpu"), HALY_OK);
    assert_string_equal(param_text(params, "device"), "cpu");
    assert_string_equal(source_of("device"), "program");
    assert_string_equal(param_origin(params, "device"), "parameter \"device\"");
    params_destroy(params);
}

static void an_empty_value_is_an_unset_one(void **state)
{
    (void)state;
    setenv("HALYARD_DEVICE", "", 1);
    assert_int_equal(create(NULL, NULL), HALY_OK);
    assert_string_equal(param_text(params, "device"), "auto");
    params_destroy(params);
}

static void neither_blanks_around_a_value_nor_case_in_names_count(void **state)
{
    (void)state;
    setenv("HALYARD_MEM_LIMIT", " 3GiB\t", 1);
    setenv("HALYARD_BACKEND", "CPU", 1);
    setenv("HALYARD_LOG", "Off ", 1);
    setenv("HALYARD_DEVICE", "  ", 1);
    assert_int_equal(create(NULL, NULL), HALY_OK);
    assert_string_equal(param_text(params, "mem_limit"), "3GiB");
    assert_true(param_size(params, "mem_limit") == 3ULL << 30);
    assert_string_equal(param_text(params, "backend"), "CPU");
    assert_string_equal(param_text(params, "device"), "auto");
    assert_string_equal(source_of("device"), "default");
    params_destroy(params);
}

static void bad_values_name_variable_grammar_and_what_was_found(void **state)
{
    (void)state;
    static const struct {
        const char *name, *variable, *value, *says, *grammar;
    } cases[] = {
        {"backend", "HALYARD_BACKEND", "CU-DA", "\"CU-DA\" is not a backend name", "expected backend names"},
        {"backend", "HALYARD_BACKEND", "cuda,Cuda", "\"Cuda\" stands there twice", "expected backend names"},
        {"device", "HALYARD_DEVICE", "memory>>1", "byte 8", "expected \"auto\""},
        {"backend_path", "HALYARD_BACKEND_PATH", "/a:b", "element 2, \"b\", is relative", "expected absolute folders"},
        {"backend_path", "HALYARD_BACKEND_PATH", "/a:", "element 2 is empty", "expected absolute folders"},
        {"mem_limit", "HALYARD_MEM_LIMIT", "4GB", "not a size", "KiB, MiB, GiB or TiB"},
        {"mem_limit", "HALYARD_MEM_LIMIT", "4", "a size without its unit", "KiB, MiB, GiB or TiB"},
        {"mem_limit", "HALYARD_MEM_LIMIT", "1MiB", "too small for any memory", "KiB, MiB, GiB or TiB"},
        {"window", "HALYARD_WINDOW", "16777216TiB", "too large", "KiB, MiB, GiB or TiB"},
        {"window", "HALYARD_WINDOW", "-1", "not a size", "KiB, MiB, GiB or TiB"},
        {"log", "HALYARD_LOG", "loud", "not a level", "off, error, warn, info or debug"},
        {"log", "HALYARD_LOG", "de\nbug", "\"de?bug\": not a level", "off, error, warn, info or debug"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char start[128];
        setenv(cases[i].variable, cases[i].value, 1);
        assert_int_equal(create(NULL, NULL), HALY_ERR_INVALID);
        print_message("         %s\n", error_detail()->message);
        snprintf(start, sizeof start, "%s=\"", cases[i].variable);
        assert_int_equal(strncmp(error_detail()->message, start, strlen(start)), 0);
        assert_non_null(strstr(error_detail()->message, cases[i].says));
        assert_non_null(strstr(error_detail()->message, cases[i].grammar));
        unsetenv(cases[i].variable);
        assert_int_equal(create(cases[i].name, cases[i].value), HALY_ERR_INVALID);
        snprintf(start, sizeof start, "parameter \"%s\"=\"", cases[i].name);
        assert_int_equal(strncmp(error_detail()->message, start, strlen(start)), 0);
    }
}

static void unknown_names_from_the_program_are_errors(void **state)
{
    (void)state;
    assert_int_equal(create("bakcend", "cpu"), HALY_ERR_INVALID);
    assert_string_equal(error_detail()->message, "no parameter \"bakcend\"; did you mean \"backend\"?");
    assert_int_equal(create("HALYARD_BACKEND", "cpu"), HALY_ERR_INVALID);
    assert_string_equal(error_detail()->message, "no parameter \"HALYARD_BACKEND\"; did you mean \"backend\"?");
    assert_int_equal(create("colour", "red"), HALY_ERR_INVALID);
    assert_non_null(strstr(error_detail()->message, "halyard info --env"));
    assert_int_equal(create(NULL, NULL), HALY_OK);
    params_destroy(params);
    assert_int_equal(create("fake.threads", "2"), HALY_OK); /* perhaps a backend's */
    assert_int_equal(params_check_unknown(params, NULL, 0), HALY_ERR_INVALID);
    const char *const unopened[] = {"fake"};
    assert_int_equal(params_check_unknown(params, unopened, 1), HALY_OK);
    params_destroy(params);
}

static void the_array_of_the_program_is_checked(void **state)
{
    (void)state;
    const haly_param twice[] = {{"device", "cpu"}, {"device", "cuda"}}, hollow[] = {{"device", NULL}};
    haly_instance_desc desc = {HALY_INSTANCE_DESC_INIT, .params = twice, .param_count = 2, .param_size = sizeof *twice};
    assert_int_equal(params_create(&desc, &params), HALY_ERR_INVALID);
    assert_non_null(strstr(error_detail()->message, "twice"));
    desc.params = hollow;
    desc.param_count = 1;
    assert_int_equal(params_create(&desc, &params), HALY_ERR_INVALID);
    desc.param_size = 8;
    assert_int_equal(params_create(&desc, &params), HALY_ERR_INVALID);
    desc.param_size = sizeof *twice;
    desc.params = NULL;
    assert_int_equal(params_create(&desc, &params), HALY_ERR_INVALID);
    struct {
        haly_param param;
        uint64_t newer;
    } longer[] = {{{"device", "cpu"}, 1}, {{"log", "off"}, 2}};
    desc.params = &longer[0].param;
    desc.param_count = 2;
    desc.param_size = sizeof *longer;
    assert_int_equal(params_create(&desc, &params), HALY_OK);
    assert_string_equal(param_text(params, "device"), "cpu");
    params_destroy(params);
}

static void sizes_numbers_and_truths_are_read(void **state)
{
    (void)state;
    assert_int_equal(create("mem_limit", "3GiB"), HALY_OK);
    assert_true(param_size(params, "mem_limit") == 3ULL << 30);
    assert_true(param_size(params, "window") == 0);
    const haly_backend_param declared[] = {
        {"threads", "a number", "4", "threads"}, {"strict", "on or off", "On", "x"}, {"lazy", "on or off", "off", "x"}};
    assert_int_equal(params_declare(params, "fake", &(haly_backend_table){.params = declared, .param_count = 3}),
                     HALY_OK);
    assert_int_equal(param_number(params, "fake.threads"), 4);
    assert_true(param_bool(params, "fake.strict"));
    assert_false(param_bool(params, "fake.lazy"));
    params_destroy(params);
}

static void backends_read_their_own_from_everywhere(void **state)
{
    (void)state;
    const haly_backend_param declared = {"threads", "a number", "4", "threads"};
    setenv("HALYARD_FAKE_THREADS", "7", 1);
    assert_int_equal(create(NULL, NULL), HALY_OK);
    assert_int_equal(params_declare(params, "fake", &(haly_backend_table){.params = &declared, .param_count = 1}),
                     HALY_OK);
    assert_string_equal(param_text(params, "fake.threads"), "7");
    assert_string_equal(param_of_backend("fake", "threads"), "7");
    assert_string_equal(param_of_backend("fake", "nothing"), "");
    struct params *first = params;
    unsetenv("HALYARD_FAKE_THREADS");
    assert_int_equal(create(NULL, NULL), HALY_OK);
    assert_int_equal(params_declare(params, "fake", &(haly_backend_table){.params = &declared, .param_count = 1}),
                     HALY_OK);
    assert_string_equal(param_of_backend("fake", "threads"), "4");
    const struct params *before = param_scope(first);
    const char *kept = param_of_backend("fake", "threads");
    assert_string_equal(kept, "7");
    param_scope(before);
    params_destroy(first);
    params_destroy(params);
    assert_string_equal(kept, "7"); /* texts outlive the instance */
}

static char logged[1024];

static void keep_line(void *user, haly_log_level level, const char *text)
{
    (void)user;
    if (level == HALY_LOG_WARN && strstr(text, "HALYARD_FAKE") != NULL)
        snprintf(logged, sizeof logged, "%s", text);
}

static void unknown_variables_are_logged_with_the_nearest(void **state)
{
    (void)state;
    const haly_backend_param declared = {"threads", "a number", "4", "threads"};
    struct log_sink sink = {.fn = keep_line, .level = HALY_LOG_WARN};
    setenv("HALYARD_FAKE_THREDAS", "7", 1);
    assert_int_equal(create(NULL, NULL), HALY_OK);
    assert_int_equal(params_declare(params, "fake", &(haly_backend_table){.params = &declared, .param_count = 1}),
                     HALY_OK);
    log_sink_add(&sink);
    assert_int_equal(params_check_unknown(params, NULL, 0), HALY_OK);
    assert_string_equal(logged, "environment variable HALYARD_FAKE_THREDAS means nothing here; did you mean "
                                "HALYARD_FAKE_THREADS?");
    logged[0] = '\0';
    const char *const unopened[] = {"fake"};
    assert_int_equal(params_check_unknown(params, unopened, 1), HALY_OK);
    assert_string_equal(logged, "");
    log_sink_remove(&sink);
    LOG(HALY_LOG_WARN, "HALYARD_FAKE after the sink has gone");
    assert_string_equal(logged, "");
    params_destroy(params);
}

static void what_backends_declare_is_checked(void **state)
{
    (void)state;
    const haly_backend_param good = {"a_1", "", "", ""}, upper = {"Threads", "", "", ""}, hollow = {"a", NULL, "", ""};
    char why[128];
    assert_true(params_are_sound(&(haly_backend_table){.params = NULL, .param_count = 0}, why, sizeof why));
    assert_true(params_are_sound(&(haly_backend_table){.params = &good, .param_count = 1}, why, sizeof why));
    assert_false(params_are_sound(&(haly_backend_table){.params = NULL, .param_count = 1}, why, sizeof why));
    assert_false(params_are_sound(&(haly_backend_table){.params = &good, .param_count = 100000}, why, sizeof why));
    assert_false(params_are_sound(&(haly_backend_table){.params = &upper, .param_count = 1}, why, sizeof why));
    assert_false(
        params_are_sound(&(haly_backend_table){.params = &good, .param_count = 1, .param_size = 8}, why, sizeof why));
    assert_non_null(strstr(why, "8 bytes"));
    assert_false(params_are_sound(&(haly_backend_table){.params = &hollow, .param_count = 1}, why, sizeof why));
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, clear_environment, clear_environment)
    const struct CMUnitTest tests[] = {
        TEST(every_parameter_is_declared_in_full),
        TEST(program_wins_over_environment_over_default),
        TEST(an_empty_value_is_an_unset_one),
        TEST(neither_blanks_around_a_value_nor_case_in_names_count),
        TEST(bad_values_name_variable_grammar_and_what_was_found),
        TEST(unknown_names_from_the_program_are_errors),
        TEST(the_array_of_the_program_is_checked),
        TEST(sizes_numbers_and_truths_are_read),
        TEST(backends_read_their_own_from_everywhere),
        TEST(unknown_variables_are_logged_with_the_nearest),
        TEST(what_backends_declare_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
