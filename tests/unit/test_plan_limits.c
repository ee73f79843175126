/* SPDX-License-Identifier: Apache-2.0 */
/* Plans at the edges: launches beyond the device's limits, and descriptions full of extreme numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "inline_backend.h"

static struct inline_backend backend;
static haly_context *context;
static uint64_t seed = 7;

static uint32_t random_below(uint32_t limit)
{
    seed = seed * UINT64_C(6364136223846793005) + 1;
    return (uint32_t)(seed >> 33) % limit;
}

static int set_up(void **state)
{
    (void)state;
    inline_backend_start(&backend);
    context = inline_context_open();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    haly_context_release(context);
    inline_backend_stop();
    return 0;
}

static void what_is_too_large_for_a_launch_is_unsupported(void **state)
{
    (void)state;
    haly_error error = {HALY_ERROR_INIT};
    const haly_tensor inputs[2] = {haly_tensor_4d(HALY_F32, NULL, 70000, 1, 1, 2),
                                   haly_tensor_2d(HALY_I32, NULL, 70000, 1)};
    const haly_op_desc desc = {HALY_OP_DESC_INIT, .domain = "halyard", .name = "Rotary", .inputs = inputs,
                               .input_count = 2,  .outputs = inputs,   .output_count = 1};
    assert_int_equal(haly_op_supported(context, &desc, NULL), HALY_ERR_UNSUPPORTED);
    assert_int_equal(haly_error_last(&error), HALY_OK);
    assert_non_null(strstr(error.message, "grid[1] is 70000"));
}

/* Shapes and strides that no program means: each is accepted or refused, and nothing overflows on the way (which the
 * sanitizer builds would tell). */
static void hostile_descriptions_are_accepted_or_refused(void **state)
{
    (void)state;
    static const int64_t extents[] = {0, 1, 1, 2, 2, 3, 4, 32, 64, INT64_C(1) << 31, INT64_C(1) << 40, INT64_MAX, -1};
    static const int64_t strides[] = {0, 1, 1, 2, 32, 64, -1, INT64_C(1) << 33, INT64_MAX, INT64_MIN, INT64_MAX / 3};
    uint32_t accepted = 0;
    for (uint32_t round = 0; round < 40000; round++) {
        haly_tensor tensors[7];
        haly_operator_info info = {HALY_OPERATOR_INFO_INIT};
        haly_plan_info plan = {HALY_PLAN_INFO_INIT};
        assert_int_equal(haly_operator_get(random_below(haly_operator_count()), &info), HALY_OK);
        const haly_dtype dtype = (haly_dtype)(1 + random_below(random_below(2) == 0 ? 3U : 20U));
        const uint32_t rank = random_below(5), likeness = random_below(4);
        for (uint32_t i = 0; i < 7; i++) {
            tensors[i] = (haly_tensor){.dtype = dtype, .rank = likeness != 0 ? rank : random_below(10)};
            for (uint32_t d = 0; d < HALY_MAX_RANK; d++) {
                tensors[i].shape[d] = i > 0 && likeness > 1 ? tensors[0].shape[d] : extents[random_below(13)];
                tensors[i].strides[d] = strides[random_below(11)];
            }
        }
        const haly_op_desc desc = {HALY_OP_DESC_INIT,
                                   .domain = info.domain,
                                   .name = info.name,
                                   .inputs = tensors,
                                   .input_count = info.max_inputs,
                                   .outputs = tensors + 5,
                                   .output_count = info.max_outputs};
        accepted += haly_op_supported(context, &desc, &plan) == HALY_OK;
    }
    assert_in_range(accepted, 100, 39000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_too_large_for_a_launch_is_unsupported),
        cmocka_unit_test(hostile_descriptions_are_accepted_or_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
