/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs built against other versions of the headers, seen through the public library: their structs are shorter or
 * longer than this library's. A check of each rule of halyard/base.h that an instance and its devices can show.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <halyard/halyard.h>

#include "unit/sandbox.h"

#define CANARY 0xC5

static haly_instance *instance;

static int create(void **state)
{
    if (sandbox_setup(state) != 0)
        return -1;
    sandbox_copy(state, FAKES_DIR "/good/libhalyard_backend_fake.so", "libhalyard_backend_fake.so");
    const haly_param params[] = {{"backend_path", *state}, {"backend", "fake"}};
    const haly_instance_desc desc = {HALY_INSTANCE_DESC_INIT, .params = params, .param_count = 2,
                                     .param_size = sizeof(haly_param)};
    return haly_instance_create(&desc, &instance) == HALY_OK ? 0 : -1;
}

static int release(void **state)
{
    haly_instance_release(instance);
    return sandbox_teardown(state);
}

/* An input of another version: `size` bytes, of which the last is `last`. */
static haly_status create_with(uint32_t size, unsigned char last)
{
    union {
        haly_instance_desc desc;
        unsigned char bytes[256];
    } given;
    haly_instance *created = NULL;
    const haly_param none = {"backend", "^fake"}; /* nothing is opened: this is about the struct alone */
    memset(&given, 0, sizeof given);
    given.desc.struct_size = size;
    given.desc.params = &none;
    given.desc.param_count = 1;
    given.desc.param_size = sizeof none;
    if (size > sizeof given.desc)
        given.bytes[size - 1] = last;
    const haly_status status = haly_instance_create(&given.desc, &created);
    haly_instance_release(created);
    return status;
}

static void an_input_below_its_first_size_is_invalid(void **state)
{
    (void)state;
    assert_int_equal(create_with(HALY_SIZE_THROUGH(haly_instance_desc, ext) - 1, 0), HALY_ERR_INVALID);
    assert_int_equal(create_with(0, 0), HALY_ERR_INVALID);
    assert_int_equal(create_with(HALY_SIZE_THROUGH(haly_instance_desc, ext), 0), HALY_OK);
}

static void a_longer_input_passes_when_its_unknown_tail_is_zero(void **state)
{
    (void)state;
    assert_int_equal(create_with(sizeof(haly_instance_desc) + 8, 0), HALY_OK);
    assert_int_equal(create_with(256, 0), HALY_OK);
    assert_int_equal(create_with(sizeof(haly_instance_desc) + 8, 1), HALY_ERR_UNSUPPORTED);
    assert_int_equal(create_with(256, 1), HALY_ERR_UNSUPPORTED);
}

static haly_status get_backend(void *out)
{
    return haly_backend_info_get(instance, 0, out);
}

static haly_status get_param(void *out)
{
    return haly_param_info_get(instance, 0, out);
}

static haly_status get_spec(void *out)
{
    haly_device *device = NULL;
    return haly_device_get(instance, 0, &device) == HALY_OK ? haly_device_spec_get(device, out) : HALY_ERR_INTERNAL;
}

static haly_status get_sample(void *out)
{
    haly_device *device = NULL;
    return haly_device_get(instance, 0, &device) == HALY_OK ? haly_device_sample_get(device, out) : HALY_ERR_INTERNAL;
}

static haly_status get_error(void *out)
{
    (void)haly_device_get(instance, 999, NULL); /* something to tell */
    return haly_error_last(out);
}

static const struct {
    const char *name;
    haly_status (*get)(void *out);
    uint32_t first_size, size;
} outputs[] = {
    {"haly_backend_info", get_backend, HALY_SIZE_THROUGH(haly_backend_info, reserved), sizeof(haly_backend_info)},
    {"haly_param_info", get_param, HALY_SIZE_THROUGH(haly_param_info, source), sizeof(haly_param_info)},
    {"haly_device_spec", get_spec, HALY_SIZE_THROUGH(haly_device_spec, reserved), sizeof(haly_device_spec)},
    {"haly_device_sample", get_sample, HALY_SIZE_THROUGH(haly_device_sample, time_ns), sizeof(haly_device_sample)},
    {"haly_error", get_error, HALY_SIZE_THROUGH(haly_error, native_text), sizeof(haly_error)},
};

static void check_untouched(const unsigned char *bytes, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        assert_int_equal(bytes[i], CANARY);
}

static void an_output_is_never_written_past_the_callers_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        _Alignas(16) unsigned char bytes[2048];
        const uint32_t sizes[] = {outputs[i].first_size, outputs[i].size, outputs[i].size + 64};
        print_message("         %s\n", outputs[i].name);
        for (size_t j = 0; j < 3; j++) {
            memset(bytes, CANARY, sizeof bytes);
            memcpy(bytes, &sizes[j], sizeof sizes[j]);
            assert_int_equal(outputs[i].get(bytes), HALY_OK);
            uint32_t kept;
            memcpy(&kept, bytes, sizeof kept);
            assert_int_equal(kept, sizes[j]);
            check_untouched(bytes, sizes[j] < outputs[i].size ? sizes[j] : outputs[i].size, sizeof bytes);
        }
    }
}

static void an_output_below_its_first_size_is_invalid_and_untouched(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        _Alignas(16) unsigned char bytes[2048];
        const uint32_t sizes[] = {0, 4, outputs[i].first_size - 1};
        for (size_t j = 0; j < 3; j++) {
            memset(bytes, CANARY, sizeof bytes);
            memcpy(bytes, &sizes[j], sizeof sizes[j]);
            assert_int_equal(outputs[i].get(bytes), HALY_ERR_INVALID);
            check_untouched(bytes, sizeof sizes[j], sizeof bytes);
        }
        assert_int_equal(outputs[i].get(NULL), HALY_ERR_INVALID);
    }
}

static void an_array_is_walked_by_the_callers_element_size(void **state)
{
    struct {
        haly_param param;
        uint64_t newer[3];
    } params[] = {{{"backend_path", *state}, {1, 2, 3}}, {{"backend", "fake"}, {4, 5, 6}}};
    haly_instance *created = NULL;
    haly_instance_desc desc = {HALY_INSTANCE_DESC_INIT, .params = &params[0].param, .param_count = 2,
                               .param_size = sizeof params[0]};
    assert_int_equal(haly_instance_create(&desc, &created), HALY_OK);
    haly_instance_release(created);
    created = NULL;
    desc.param_size = sizeof(haly_param) - 1;
    assert_int_equal(haly_instance_create(&desc, &created), HALY_ERR_INVALID);
    assert_null(created);
}

static void unknown_extensions_pass_only_when_optional(void **state)
{
    (void)state;
    haly_instance *created = NULL;
    haly_ext ext = {.type = 0xABCD, .size = sizeof ext, .optional = 1};
    const haly_instance_desc desc = {HALY_INSTANCE_DESC_INIT, .ext = &ext};
    assert_int_equal(haly_instance_create(&desc, &created), HALY_OK);
    haly_instance_release(created);
    ext.optional = 0;
    assert_int_equal(haly_instance_create(&desc, &created), HALY_ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_input_below_its_first_size_is_invalid),
        cmocka_unit_test(a_longer_input_passes_when_its_unknown_tail_is_zero),
        cmocka_unit_test(an_output_is_never_written_past_the_callers_size),
        cmocka_unit_test(an_output_below_its_first_size_is_invalid_and_untouched),
        cmocka_unit_test(an_array_is_walked_by_the_callers_element_size),
        cmocka_unit_test(unknown_extensions_pass_only_when_optional),
    };
    return cmocka_run_group_tests(tests, create, release);
}
