/* SPDX-License-Identifier: Apache-2.0 */
/* The numerics contract has a row for every output an operator can have, and says no to the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include <halyard/numerics.h>
#include <halyard/ops.h>

#include "dtype.h"

/* Types of the first output, given the types of the first input. */
static uint64_t output_dtypes(const haly_operator_info *info)
{
    if (strcmp(info->name, "ArgMax") == 0)
        return DTYPE_BIT(HALY_I64);
    return info->dtypes & ~DTYPES_BLOCK;
}

static void every_operator_and_output_type_has_a_row(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < haly_operator_count(); i++) {
        haly_operator_info info = {HALY_OPERATOR_INFO_INIT};
        assert_int_equal(haly_operator_get(i, &info), HALY_OK);
        for (uint32_t dtype = HALY_F32; dtype <= (uint32_t)DTYPE_LAST; dtype++) {
            haly_numerics numerics = {HALY_NUMERICS_INIT};
            const haly_status status = haly_numerics_get(info.domain, info.name, (haly_dtype)dtype, &numerics);
            const bool is_output = (output_dtypes(&info) >> dtype & 1) != 0;
            if ((status == HALY_OK) != is_output)
                fail_msg("%s with output %s: %s", info.name, haly_dtype_name((haly_dtype)dtype),
                         haly_status_name(status));
            if (status != HALY_OK)
                continue;
            assert_non_null(numerics.note);
            assert_true(numerics.accumulate != HALY_DTYPE_NONE);
            assert_true(numerics.absolute >= 0 && numerics.relative >= 0 && numerics.relative < 0.02);
            assert_true(numerics.exact != 0 || numerics.relative > 0);
        }
    }
}

static void narrow_outputs_are_given_the_room_of_their_rounding(void **state)
{
    (void)state;
    haly_numerics wide = {HALY_NUMERICS_INIT}, f16 = wide, bf16 = wide;
    assert_int_equal(haly_numerics_get("", "Exp", HALY_F32, &wide), HALY_OK);
    assert_int_equal(haly_numerics_get(NULL, "Exp", HALY_F16, &f16), HALY_OK);
    assert_int_equal(haly_numerics_get(NULL, "Exp", HALY_BF16, &bf16), HALY_OK);
    assert_true(wide.relative < 0x1p-20);
    assert_true(f16.relative >= 0x1p-10 && f16.relative < 0x1.1p-10);
    assert_true(bf16.relative >= 0x1p-7 && bf16.relative < 0x1.1p-7);
}

static void what_is_unknown_is_said_to_be(void **state)
{
    (void)state;
    haly_numerics numerics = {HALY_NUMERICS_INIT};
    haly_error error = {HALY_ERROR_INIT};
    assert_int_equal(haly_numerics_get("", "Expp", HALY_F32, &numerics), HALY_ERR_NOT_FOUND);
    assert_int_equal(haly_error_last(&error), HALY_OK);
    assert_non_null(strstr(error.message, "did you mean \"Exp\""));
    assert_int_equal(haly_numerics_get("", NULL, HALY_F32, &numerics), HALY_ERR_INVALID);
    assert_int_equal(haly_numerics_get("", "Exp", HALY_I32, &numerics), HALY_ERR_NOT_FOUND);
    assert_int_equal(haly_numerics_get("", "Exp", (haly_dtype)77, &numerics), HALY_ERR_NOT_FOUND);
    assert_int_equal(haly_numerics_get("", "Exp", HALY_F32, NULL), HALY_ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operator_and_output_type_has_a_row),
        cmocka_unit_test(narrow_outputs_are_given_the_room_of_their_rounding),
        cmocka_unit_test(what_is_unknown_is_said_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
