/* SPDX-License-Identifier: Apache-2.0 */
/* Argument tables as backends of other versions describe them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "inline_backend.h"

static struct inline_backend backend;

static haly_status get_kernel(uint32_t argument_bytes, haly_kernel_info *out_info, haly_argument_info *out_last)
{
    const haly_module_desc desc = {HALY_MODULE_DESC_INIT, .format = HALY_MODULE_OPERATORS};
    haly_module *module = NULL;
    haly_kernel *kernel = NULL;
    inline_backend_start(&backend);
    backend.argument_bytes = argument_bytes;
    haly_context *context = inline_context_open();
    assert_int_equal(haly_module_load(context, &desc, &module), HALY_OK);
    const haly_status status = haly_kernel_get(module, "copy_4", &kernel);
    assert_int_equal(kernel != NULL, status == HALY_OK);
    if (kernel != NULL) {
        assert_int_equal(haly_kernel_info_get(kernel, out_info), HALY_OK);
        *out_last = out_info->arguments[out_info->argument_count - 1];
    }
    haly_kernel_release(kernel);
    haly_module_release(module);
    haly_context_release(context);
    inline_backend_stop();
    return status;
}

static void rows_of_a_later_backend_are_read_by_their_size(void **state)
{
    (void)state;
    haly_kernel_info same = {HALY_KERNEL_INFO_INIT}, later = {HALY_KERNEL_INFO_INIT};
    haly_argument_info same_last = {0}, later_last = {0};
    assert_int_equal(get_kernel(sizeof(haly_argument_info), &same, &same_last), HALY_OK);
    assert_int_equal(get_kernel(40, &later, &later_last), HALY_OK);
    assert_int_equal(later.argument_size, sizeof(haly_argument_info));
    assert_int_equal(later.argument_count, same.argument_count);
    assert_true(same.argument_count > 1);
    assert_memory_equal(&later_last, &same_last, sizeof same_last);
}

static void assert_refused(uint32_t argument_bytes, const char *why)
{
    haly_kernel_info info = {HALY_KERNEL_INFO_INIT};
    haly_argument_info last;
    haly_error error = {HALY_ERROR_INIT};
    assert_int_equal(get_kernel(argument_bytes, &info, &last), HALY_ERR_BACKEND);
    assert_int_equal(haly_error_last(&error), HALY_OK);
    assert_non_null(strstr(error.message, why));
    assert_string_equal(error.function, "haly_kernel_get");
}

static void rows_that_are_too_short_are_refused(void **state)
{
    (void)state;
    assert_refused(12, "by rows of 12 bytes each, expected at least 16");
}

static void a_missing_table_is_refused(void **state)
{
    (void)state;
    assert_refused(0, "by no table");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_a_later_backend_are_read_by_their_size),
        cmocka_unit_test(rows_that_are_too_short_are_refused),
        cmocka_unit_test(a_missing_table_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
