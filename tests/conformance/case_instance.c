/* SPDX-License-Identifier: Apache-2.0 */
/* Instances: discovery, parameters and where their values come from, the log. Group `selection`. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdio.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cts.h"

static haly_backend_info backend_info(struct cts *t, haly_instance *instance, const char *name)
{
    uint32_t count = 0;
    CTS_OK(haly_backend_count(instance, &count));
    for (uint32_t i = 0; i < count; i++) {
        haly_backend_info info = {HALY_BACKEND_INFO_INIT};
        CTS_OK(haly_backend_info_get(instance, i, &info));
        if (strcmp(info.name, name) == 0)
            return info;
    }
    cts_fail_at(t, __FILE__, __LINE__, "backend %s is not listed", name);
}

static haly_param_info param_info(struct cts *t, haly_instance *instance, const char *name)
{
    uint32_t count = 0;
    CTS_OK(haly_param_count(instance, &count));
    for (uint32_t i = 0; i < count; i++) {
        haly_param_info info = {HALY_PARAM_INFO_INIT};
        CTS_OK(haly_param_info_get(instance, i, &info));
        if (strcmp(info.name, name) == 0)
            return info;
    }
    cts_fail_at(t, __FILE__, __LINE__, "parameter %s is not listed", name);
}

/* Where a backend may come from: an absolute path, or the library itself. */
static bool is_a_place(const char *path)
{
    return path != NULL && (path[0] == '/' || strcmp(path, "built in") == 0);
}

CTS_CASE_HOST(selection, the_chosen_backend_is_listed_ready, "INST-001 INST-002")
{
    const haly_backend_info info = backend_info(t, t->instance, t->spec.backend);
    CTS_EQUAL(HALY_BACKEND_READY, info.state);
    CTS_EQUAL(HALY_OK, info.status);
    CTS_TRUE(info.device_count >= 1);
    CTS_TRUE(is_a_place(info.path));
    CTS_TRUE(info.reason != NULL);
    CTS_EQUAL(1, info.abi_major);
}

CTS_CASE_HOST(selection, every_backend_that_is_not_ready_has_a_reason, "INST-001")
{
    uint32_t count = 0;
    CTS_OK(haly_backend_count(t->instance, &count));
    CTS_TRUE(count >= 1);
    for (uint32_t i = 0; i < count; i++) {
        haly_backend_info info = {HALY_BACKEND_INFO_INIT};
        CTS_OK(haly_backend_info_get(t->instance, i, &info));
        CTS_TRUE(info.name[0] != '\0' && is_a_place(info.path));
        CTS_CHECK(info.state == HALY_BACKEND_READY || info.reason[0] != '\0', "%s: state %d, no reason", info.name,
                  (int)info.state);
        CTS_TRUE((info.state == HALY_BACKEND_READY) == (info.status == HALY_OK));
    }
    CTS_INVALID(haly_backend_info_get(t->instance, count, &(haly_backend_info){HALY_BACKEND_INFO_INIT}));
}

CTS_CASE_HOST(selection, an_unknown_backend_is_not_found_and_the_nearest_is_named, "INST-002")
{
    char name[64];
    haly_instance *instance = NULL;
    (void)snprintf(name, sizeof name, "%sq", t->spec.backend);
    CTS_STATUS(HALY_ERR_NOT_FOUND, cts_try_instance(t, &(haly_param){"backend", name}, 1, &instance));
    CTS_TRUE(instance == NULL);
    CTS_MESSAGE(name);
    CTS_MESSAGE(t->spec.backend);
}

CTS_CASE_HOST(selection, a_backend_that_is_left_out_is_not_used, "INST-001 CFG-001")
{
    char name[64];
    haly_instance *instance = NULL;
    haly_device *device = NULL;
    (void)snprintf(name, sizeof name, "^%s", t->spec.backend);
    const haly_status status = cts_try_instance(t, &(haly_param){"backend", name}, 1, &instance);
    CTS_CHECK(status == HALY_OK, "leaving out a backend is no failure: %s", haly_status_name(status));
    CTS_EQUAL(HALY_BACKEND_FILTERED, backend_info(t, instance, t->spec.backend).state);
    if (haly_device_find(instance, NULL, &device) == HALY_OK) {
        haly_device_spec spec = {HALY_DEVICE_SPEC_INIT};
        CTS_OK(haly_device_spec_get(device, &spec));
        CTS_TRUE(strcmp(spec.backend, t->spec.backend) != 0);
    } else {
        t->failures_expected++; /* no other backend is installed */
    }
    haly_instance_release(instance);
}

CTS_CASE_HOST(selection, a_list_with_one_unknown_backend_is_an_error, "INST-002")
{
    char name[64];
    haly_instance *instance = NULL;
    (void)snprintf(name, sizeof name, "%s,nosuchbackend", t->spec.backend);
    CTS_STATUS(HALY_ERR_NOT_FOUND, cts_try_instance(t, &(haly_param){"backend", name}, 1, &instance));
    CTS_MESSAGE("nosuchbackend");
}

CTS_CASE_HOST(selection, malformed_backend_lists_are_invalid_and_the_parameter_is_named, "CFG-001 INST-002")
{
    static const char *const lists[] = {",", "cpu,,cuda", "cp-u", "^", "cpu,^cuda", "../cpu", "a b", "cpu,cpu"};
    for (unsigned i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        haly_instance *instance = NULL;
        const haly_status status = cts_try_instance(t, &(haly_param){"backend", lists[i]}, 1, &instance);
        t->failures_expected++;
        CTS_CHECK(status == HALY_ERR_INVALID, "\"%s\": %s", lists[i], haly_status_name(status));
        CTS_MESSAGE("\"backend\"");
        CTS_MESSAGE(lists[i]);
    }
}

CTS_CASE_HOST(selection, a_search_path_with_a_relative_or_empty_element_is_refused, "INST-001 CFG-001")
{
    static const char *const paths[] = {"relative/folder", "/usr/lib::/lib", ":", "./x"};
    for (unsigned i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        haly_instance *instance = NULL;
        const haly_status status = cts_try_instance(t, &(haly_param){"backend_path", paths[i]}, 1, &instance);
        t->failures_expected++;
        CTS_CHECK(status == HALY_ERR_INVALID, "\"%s\": %s", paths[i], haly_status_name(status));
        CTS_MESSAGE("\"backend_path\"");
    }
}

CTS_CASE_HOST(selection, an_unknown_parameter_is_invalid_and_named, "CFG-001")
{
    haly_instance *instance = NULL;
    CTS_INVALID(cts_try_instance(t, &(haly_param){"bakend_path", "/x"}, 1, &instance));
    CTS_MESSAGE("bakend_path");
    CTS_INVALID(cts_try_instance(t, &(haly_param){"", "x"}, 1, &instance));
    const haly_param nameless = {NULL, "x"}, worthless = {"mem_limit", NULL};
    haly_instance_desc desc = {HALY_INSTANCE_DESC_INIT, .params = &nameless, .param_count = 1,
                               .param_size = sizeof(haly_param)};
    CTS_INVALID(haly_instance_create(&desc, &instance));
    desc.params = &worthless;
    CTS_INVALID(haly_instance_create(&desc, &instance));
    desc.params = NULL;
    CTS_INVALID(haly_instance_create(&desc, &instance));
    CTS_TRUE(instance == NULL);
}

CTS_CASE_HOST(selection, a_value_outside_its_grammar_is_invalid_and_the_variable_or_parameter_is_named, "CFG-001")
{
    static const haly_param wrong[] = {{"mem_limit", "lots"}, {"mem_limit", "-1"},
                                       {"mem_limit", "4XiB"}, {"log", "loud"},
                                       {"device", "memory>"}, {"mem_limit", "99999999999999TiB"}};
    static const char *const variables[] = {"HALYARD_MEM_LIMIT", "HALYARD_MEM_LIMIT", "HALYARD_MEM_LIMIT",
                                            "HALYARD_LOG",       "HALYARD_DEVICE",    "HALYARD_MEM_LIMIT"};
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        haly_instance *instance = NULL;
        const haly_status status = cts_try_instance(t, &wrong[i], 1, &instance);
        t->failures_expected++;
        CTS_CHECK(status == HALY_ERR_INVALID, "%s=%s: %s", wrong[i].name, wrong[i].value, haly_status_name(status));
        CTS_MESSAGE(wrong[i].name);
        (void)setenv(variables[i], wrong[i].value, 1);
        CTS_INVALID(haly_instance_create(NULL, &instance));
        CTS_MESSAGE(variables[i]);
        (void)unsetenv(variables[i]);
    }
}

/* Of all parameters of backends the suite knows the grammar of one: strict mode is 0 or 1. */
static int find_strict(struct cts *t, haly_param_info *out_info)
{
    uint32_t count = 0;
    CTS_OK(haly_param_count(t->instance, &count));
    for (uint32_t i = 0; i < count; i++) {
        *out_info = (haly_param_info){HALY_PARAM_INFO_INIT};
        CTS_OK(haly_param_info_get(t->instance, i, out_info));
        const size_t length = strlen(out_info->variable);
        if (length > 7 && strcmp(out_info->variable + length - 7, "_STRICT") == 0)
            return 1;
    }
    return 0;
}

CTS_CASE_HOST(selection, a_parameter_of_the_backend_is_checked_and_named, "CFG-001 INST-002")
{
    static const char *const wrong[] = {"perhaps", "2", "-1", "1 1", "01"};
    haly_param_info info;
    if (!find_strict(t, &info))
        cts_unsupported(t, "the backend has no parameter whose grammar the suite knows");
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        haly_instance *instance = NULL;
        const haly_status status = cts_try_instance(t, &(haly_param){info.name, wrong[i]}, 1, &instance);
        t->failures_expected++;
        CTS_CHECK(status == HALY_ERR_INVALID, "%s=\"%s\": %s", info.name, wrong[i], haly_status_name(status));
        CTS_MESSAGE(info.variable);
    }
}

CTS_CASE_HOST(selection, every_parameter_tells_its_variable_grammar_default_and_value, "CFG-001")
{
    uint32_t count = 0;
    CTS_OK(haly_param_count(t->instance, &count));
    CTS_TRUE(count >= 5);
    for (uint32_t i = 0; i < count; i++) {
        haly_param_info info = {HALY_PARAM_INFO_INIT};
        CTS_OK(haly_param_info_get(t->instance, i, &info));
        CTS_TRUE(info.name[0] != '\0' && info.type[0] != '\0' && info.help[0] != '\0');
        CTS_TRUE(strncmp(info.variable, "HALYARD_", 8) == 0);
        CTS_TRUE(info.default_value != NULL && info.value != NULL);
        CTS_CHECK(strcmp(info.source, "default") == 0 || strcmp(info.source, "environment") == 0 ||
                      strcmp(info.source, "program") == 0,
                  "%s comes from \"%s\"", info.name, info.source);
    }
    CTS_INVALID(haly_param_info_get(t->instance, count, &(haly_param_info){HALY_PARAM_INFO_INIT}));
}

CTS_CASE_HOST(selection, the_program_wins_over_the_environment_and_that_over_the_default, "CFG-001")
{
    (void)unsetenv("HALYARD_MEM_LIMIT");
    haly_param_info info = param_info(t, t->instance, "mem_limit");
    CTS_TRUE(strcmp(info.source, "default") == 0 && strcmp(info.value, info.default_value) == 0);
    (void)setenv("HALYARD_MEM_LIMIT", "48MiB", 1);
    info = param_info(t, cts_instance(t, NULL, 0), "mem_limit");
    CTS_TRUE(strcmp(info.source, "environment") == 0 && strcmp(info.value, "48MiB") == 0);
    info = param_info(t, cts_instance(t, &(haly_param){"mem_limit", "32MiB"}, 1), "mem_limit");
    CTS_TRUE(strcmp(info.source, "program") == 0 && strcmp(info.value, "32MiB") == 0);
}

CTS_CASE_HOST(selection, a_wrong_environment_value_is_an_error_of_create, "CFG-001 INST-001")
{
    haly_instance *instance = NULL;
    (void)setenv("HALYARD_MEM_LIMIT", "plenty", 1);
    CTS_INVALID(cts_try_instance(t, NULL, 0, &instance));
    CTS_MESSAGE("HALYARD_MEM_LIMIT");
    CTS_TRUE(instance == NULL);
    (void)unsetenv("HALYARD_MEM_LIMIT");
    (void)setenv("HALYARD_DEVICE", "colour=red", 1);
    if (haly_instance_create(NULL, &instance) == HALY_OK)
        cts_fail_at(t, __FILE__, __LINE__, "HALYARD_DEVICE=colour=red was accepted");
    CTS_MESSAGE("HALYARD_DEVICE");
    t->failures_expected++;
}

CTS_CASE_HOST(selection, flags_and_reserved_fields_must_be_zero, "ABI-008 ABI-005")
{
    haly_instance *instance = NULL;
    const haly_instance_desc flags = {HALY_INSTANCE_DESC_INIT, .flags = 1};
    const haly_instance_desc reserved = {HALY_INSTANCE_DESC_INIT, .reserved = 1};
    CTS_STATUS(HALY_ERR_UNSUPPORTED, haly_instance_create(&flags, &instance));
    CTS_STATUS(HALY_ERR_UNSUPPORTED, haly_instance_create(&reserved, &instance));
    CTS_TRUE(instance == NULL);
}

static void count_lines(void *user, haly_log_level level, const char *text)
{
    if (level >= HALY_LOG_ERROR && level <= HALY_LOG_DEBUG && text[0] != '\0' && strchr(text, '\n') == NULL)
        atomic_fetch_add((_Atomic uint32_t *)user, 1);
    else
        atomic_fetch_add((_Atomic uint32_t *)user, 1000000);
}

CTS_CASE_HOST(selection, the_log_goes_to_the_programs_function_and_nowhere_else, "INST-001")
{
    _Atomic uint32_t lines = 0;
    haly_instance *instance = NULL;
    haly_instance_desc desc = {HALY_INSTANCE_DESC_INIT, .log = count_lines, .log_user = &lines,
                               .log_level = HALY_LOG_DEBUG};
    CTS_OK(haly_instance_create(&desc, &instance)); /* anything on stdout or stderr fails the case */
    haly_instance_release(instance);
    CTS_CHECK(lines >= 1 && lines < 1000000, "%u lines, or lines of no level or with newlines", lines);
}

CTS_CASE_HOST(selection, a_retained_instance_lives_until_its_last_release, "INST-001")
{
    uint32_t count = 0;
    haly_instance *instance = NULL;
    CTS_OK(cts_try_instance(t, NULL, 0, &instance));
    haly_instance_retain(instance);
    haly_instance_release(instance);
    CTS_OK(haly_backend_count(instance, &count));
    haly_instance_release(instance);
    haly_instance_retain(NULL);
    haly_instance_release(NULL);
}

CTS_CASE(selection, an_instance_lives_as_long_as_its_contexts, "INST-001 CTX-001")
{
    haly_instance *instance = NULL;
    haly_context *context = NULL;
    haly_stream *stream = NULL;
    void *address = NULL;
    CTS_OK(cts_try_instance(t, NULL, 0, &instance));
    CTS_OK(haly_context_open(instance, NULL, &context));
    haly_instance_release(instance);
    CTS_OK(haly_stream_create(context, NULL, &stream));
    CTS_OK(haly_malloc(context, 100, NULL, &address));
    CTS_OK(haly_stream_sync(stream, CTS_PATIENCE));
    haly_context_release(context);
}
