/* SPDX-License-Identifier: Apache-2.0 */
/* The administrator's policy: its grammar, its order, and what becomes of a file that cannot be believed. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "error.h"
#include "policy.h"
#include "unit/sandbox.h"

static struct policy *policy;

static haly_status load(void **state, const char *text)
{
    policy = NULL;
    return policy_load(sandbox_file(state, "policy.conf", text, 0644), &policy);
}

static haly_device_spec device(const char *backend, const char *vendor, uint32_t index)
{
    haly_device_spec spec = {HALY_DEVICE_SPEC_INIT, .index = index};
    snprintf(spec.backend, sizeof spec.backend, "%s", backend);
    snprintf(spec.vendor, sizeof spec.vendor, "%s", vendor);
    return spec;
}

static void without_a_file_everything_is_allowed(void **state)
{
    assert_int_equal(policy_load(sandbox_path(state, "absent.conf"), &policy), HALY_OK);
    assert_int_equal(policy_denies_backend(policy, "cuda"), 0);
    const haly_device_spec spec = device("cuda", "nvidia", 0);
    assert_int_equal(policy_denies_device(policy, &spec), 0);
    policy_destroy(policy);
}

static void the_first_rule_that_matches_decides(void **state)
{
    assert_int_equal(load(state, "# ours\n"
                                 "\n"
                                 "allow backend cpu   # always\n"
                                 "deny\tbackend\t\"op*\"\n"
                                 "deny device \"cuda:1\"\n"
                                 "deny device vendor=amd,index=0\r\n"
                                 "deny vendor NVIDIA\n"
                                 "allow backend cuda\n"
                                 "deny backend *"),
                     HALY_OK);
    assert_int_equal(policy_denies_backend(policy, "cpu"), 0);
    assert_int_equal(policy_denies_backend(policy, "opencl"), 4);
    assert_int_equal(policy_denies_backend(policy, "cuda"), 0);
    assert_int_equal(policy_denies_backend(policy, "ascend"), 9);
    const haly_device_spec denied = device("cuda", "other", 1), allowed = device("cuda", "other", 0);
    const haly_device_spec vendor = device("cuda", "nvidia", 0), amd = device("rocm", "amd", 0);
    assert_int_equal(policy_denies_device(policy, &denied), 5);
    assert_int_equal(policy_denies_device(policy, &allowed), 0);
    assert_int_equal(policy_denies_device(policy, &vendor), 7);
    assert_int_equal(policy_denies_device(policy, &amd), 6);
    policy_destroy(policy);
}

static void a_backend_stays_open_for_a_device_that_is_allowed(void **state)
{
    assert_int_equal(load(state, "allow device cuda:1\ndeny backend *\n"), HALY_OK);
    assert_int_equal(policy_denies_backend(policy, "cuda"), 0);
    assert_int_equal(policy_denies_backend(policy, "ascend"), 2);
    const haly_device_spec first = device("cuda", "nvidia", 0), second = device("cuda", "nvidia", 1);
    assert_int_equal(policy_denies_device(policy, &first), 2);
    assert_int_equal(policy_denies_device(policy, &second), 0);
    policy_destroy(policy);
    assert_int_equal(load(state, "allow vendor huawei\ndeny backend *\n"), HALY_OK);
    assert_int_equal(policy_denies_backend(policy, "anything"), 0);
    policy_destroy(policy);
}

static void a_malformed_line_stops_everything_and_is_named(void **state)
{
    static const struct {
        const char *text, *line, *says;
    } cases[] = {{"permit backend cpu", "line 1", "neither allow nor deny"},
                 {"\n\nALLOW backend cpu", "line 3", "neither allow nor deny"},
                 {"deny", "line 1", "backend, vendor or device"},
                 {"deny cuda", "line 1", "backend, vendor or device"},
                 {"deny backend", "line 1", "nothing is named"},
                 {"deny backend # all", "line 1", "nothing is named"},
                 {"deny backend \"\"", "line 1", "nothing is named"},
                 {"deny backend cpu cuda", "line 1", "something behind"},
                 {"deny backend cpu \"\"", "line 1", "something behind"},
                 {"deny backend \"cpu", "line 1", "quote without end"},
                 {"\"\"", "line 1", "neither allow nor deny"},
                 {"deny device colour=red", "line 1", "expected a field"},
                 {"allow backend cpu\ndeny device cuda:x", "line 2", "expected a number"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(load(state, cases[i].text), HALY_ERR_INVALID);
        assert_null(policy);
        assert_non_null(strstr(error_detail()->message, sandbox_path(state, "policy.conf")));
        assert_non_null(strstr(error_detail()->message, cases[i].line));
        assert_non_null(strstr(error_detail()->message, cases[i].says));
        assert_non_null(strstr(error_detail()->message, "expected allow|deny backend <name>"));
    }
}

static void long_names_and_files_are_refused(void **state)
{
    static char text[(1U << 20) + 2];
    const char start[] = "deny backend ";
    memset(text, 'x', sizeof text - 1);
    memcpy(text, start, sizeof start - 1);
    assert_int_equal(load(state, text), HALY_ERR_INVALID);
    assert_non_null(strstr(error_detail()->message, "at most 1 MiB"));
    text[5000] = '\0';
    assert_int_equal(load(state, text), HALY_ERR_INVALID);
    assert_non_null(strstr(error_detail()->message, "too long"));
    memcpy(text, "deny device ", 12);
    assert_int_equal(load(state, text), HALY_ERR_INVALID);
    assert_non_null(strstr(error_detail()->message, "too long"));
}

static void a_file_with_a_nul_byte_is_no_text(void **state)
{
    const char *path = sandbox_path(state, "nul.conf");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite("allow backend *\n\0deny backend *\n", 1, 32, file), 32);
    fclose(file);
    chmod(path, 0600);
    assert_int_equal(policy_load(path, &policy), HALY_ERR_INVALID);
    assert_non_null(strstr(error_detail()->message, "NUL byte"));
}

static void a_file_that_others_could_have_written_is_not_believed(void **state)
{
    assert_int_equal(policy_load(sandbox_file(state, "a.conf", "", 0666), &policy), HALY_ERR_PERMISSION);
    assert_non_null(strstr(error_detail()->message, "written by everybody"));
    assert_int_equal(policy_load(sandbox_file(state, "b.conf", "", 0664), &policy), HALY_ERR_PERMISSION);
    assert_int_equal(policy_load(sandbox_folder(state, "c.conf", 0755), &policy), HALY_ERR_PERMISSION);
    if (geteuid() == 0) {
        const char *foreign = sandbox_file(state, "d.conf", "", 0644);
        assert_int_equal(chown(foreign, 4711, 0), 0);
        assert_int_equal(policy_load(foreign, &policy), HALY_ERR_PERMISSION);
    }
}

static void a_link_that_leads_nowhere_is_no_permission(void **state)
{
    assert_int_equal(policy_load(sandbox_link(state, "gone.conf", "link.conf"), &policy), HALY_ERR_NOT_FOUND);
    assert_null(policy);
    assert_non_null(strstr(error_detail()->message, "link.conf: No such file"));
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, sandbox_setup, sandbox_teardown)
    const struct CMUnitTest tests[] = {
        TEST(without_a_file_everything_is_allowed),
        TEST(the_first_rule_that_matches_decides),
        TEST(a_backend_stays_open_for_a_device_that_is_allowed),
        TEST(a_malformed_line_stops_everything_and_is_named),
        TEST(long_names_and_files_are_refused),
        TEST(a_file_with_a_nul_byte_is_no_text),
        TEST(a_file_that_others_could_have_written_is_not_believed),
        TEST(a_link_that_leads_nowhere_is_no_permission),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
