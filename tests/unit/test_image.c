/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles through the public interface, on the cpu backend's file: which image is taken, and why others are not. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <elf.h>

#include <cmocka.h>

#include "bundle.h"
#include "context.h"

static haly_instance *instance;
static haly_context *context;
static struct {
    char *bytes;
    uint64_t size;
} object;

static void read_object(void)
{
    FILE *file = fopen(TEST_KERNELS, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    object.size = (uint64_t)ftell(file);
    rewind(file);
    object.bytes = malloc(object.size);
    assert_int_equal(fread(object.bytes, 1, object.size, file), object.size);
    fclose(file);
}

static int setup(void **state)
{
    (void)state;
    setenv("HALYARD_BACKEND_PATH", CPU_BACKEND_DIR, 1);
    setenv("HALYARD_BACKEND", "cpu", 1);
    setenv("HALYARD_CACHE_DIR", "off", 1);
    assert_int_equal(haly_instance_create(NULL, &instance), HALY_OK);
    assert_int_equal(haly_context_open(instance, NULL, &context), HALY_OK);
    read_object();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(object.bytes);
    haly_context_release(context);
    haly_instance_release(instance);
    return 0;
}

static struct bundle_image image_of(haly_module_format format, const char *data, uint64_t size)
{
    return (struct bundle_image){
        .format = format, .architecture = "", .minimum_version = "", .options = "", .data = data, .size = size};
}

/* What the object itself says of its kernel. */
static void get_table(haly_module **out_module, haly_kernel **out_kernel, haly_kernel_info *out_info)
{
    const haly_module_desc desc = {HALY_MODULE_DESC_INIT, .data = object.bytes, .size = object.size};
    assert_int_equal(haly_module_load(context, &desc, out_module), HALY_OK);
    assert_int_equal(haly_kernel_get(*out_module, "scale", out_kernel), HALY_OK);
    assert_int_equal(haly_kernel_info_get(*out_kernel, out_info), HALY_OK);
}

/* A bundle of these images and the object's kernel, loaded. */
static haly_status load(const haly_kernel_info *info, const struct bundle_image *images, uint32_t count,
                        haly_module **out_module, char *explanation)
{
    void *bytes = NULL;
    uint64_t size = 0;
    assert_int_equal(bundle_write("test", info, 1, images, count, &bytes, &size), HALY_OK);
    const haly_module_desc desc = {HALY_MODULE_DESC_INIT, .data = bytes, .size = size};
    assert_int_equal(haly_module_explain(context, &desc, explanation, 2048, NULL), HALY_OK);
    const haly_status status = haly_module_load(context, &desc, out_module);
    free(bytes);
    return status;
}

static const char *error_text(void)
{
    static haly_error error;
    error.struct_size = sizeof error;
    assert_int_equal(haly_error_last(&error), HALY_OK);
    return error.message;
}

struct fixture {
    haly_module *own, *module;
    haly_kernel *own_kernel, *kernel;
    haly_kernel_info info;
    char text[2048];
};

static void fixture_open(struct fixture *fixture)
{
    *fixture = (struct fixture){.info = {HALY_KERNEL_INFO_INIT}};
    get_table(&fixture->own, &fixture->own_kernel, &fixture->info);
}

static void fixture_close(struct fixture *fixture)
{
    haly_kernel_release(fixture->kernel);
    haly_module_release(fixture->module);
    haly_kernel_release(fixture->own_kernel);
    haly_module_release(fixture->own);
}

static void the_best_image_is_loaded_and_the_others_are_explained(void **state)
{
    struct fixture f;
    (void)state;
    fixture_open(&f);
    const struct bundle_image images[] = {image_of(HALY_MODULE_PTX, ".version 8.0", 12),
                                          image_of(HALY_MODULE_SOURCE, "HALY_KERNEL does not compile", 28),
                                          image_of(HALY_MODULE_HOST_OBJECT, object.bytes, object.size)};
    assert_int_equal(load(&f.info, images, 3, &f.module, f.text), HALY_OK);
    assert_int_equal(haly_kernel_get(f.module, "scale", &f.kernel), HALY_OK);
    assert_non_null(strstr(f.text, "image 3: host object: would be loaded"));
    assert_non_null(strstr(f.text, "image 2: source: next"));
    assert_non_null(strstr(f.text, "image 1: PTX: refused: "));
    assert_true(strstr(f.text, "image 3") < strstr(f.text, "image 2"));
    assert_true(strstr(f.text, "image 2") < strstr(f.text, "image 1"));
    fixture_close(&f);
}

static void the_next_image_is_tried_where_the_best_fails(void **state)
{
    struct fixture f;
    (void)state;
    fixture_open(&f);
    /* It looks like an object of this machine, and the linker refuses it. */
    char *spoilt = malloc(object.size);
    memcpy(spoilt, object.bytes, object.size);
    spoilt[EI_OSABI] = 99;
    const struct bundle_image images[] = {image_of(HALY_MODULE_HOST_OBJECT, spoilt, object.size),
                                          image_of(HALY_MODULE_HOST_OBJECT, object.bytes, object.size)};
    assert_int_equal(load(&f.info, images, 2, &f.module, f.text), HALY_OK);
    assert_int_equal(haly_kernel_get(f.module, "scale", &f.kernel), HALY_OK);
    free(spoilt);
    fixture_close(&f);
}

static void without_an_image_for_the_device_the_reason_is_told(void **state)
{
    struct fixture f;
    (void)state;
    fixture_open(&f);
    const struct bundle_image images[] = {image_of(HALY_MODULE_PTX, ".version 8.0", 12)};
    assert_int_equal(load(&f.info, images, 1, &f.module, f.text), HALY_ERR_UNSUPPORTED);
    assert_non_null(strstr(error_text(), "has no image for device cpu:0"));
    assert_non_null(strstr(f.text, "refused"));
    fixture_close(&f);
}

static void a_table_that_the_image_contradicts_is_refused_by_kernel(void **state)
{
    struct fixture f;
    (void)state;
    fixture_open(&f);
    haly_argument_info rows[16];
    haly_kernel_info lying = f.info;
    memcpy(rows, f.info.arguments, f.info.argument_count * sizeof rows[0]);
    rows[f.info.argument_count - 1].size /= 2;
    lying.arguments = rows;
    const struct bundle_image images[] = {image_of(HALY_MODULE_HOST_OBJECT, object.bytes, object.size)};
    assert_int_equal(load(&lying, images, 1, &f.module, f.text), HALY_OK);
    assert_int_equal(haly_kernel_get(f.module, "scale", &f.kernel), HALY_ERR_CORRUPT);
    assert_non_null(strstr(error_text(), "of kernel \"scale\""));
    assert_int_equal(haly_kernel_get(f.module, "chain", &f.kernel),
                     HALY_ERR_NOT_FOUND); /* there, but not in the table */
    fixture_close(&f);
}

static void a_bundle_brings_its_own_table(void **state)
{
    struct fixture f;
    void *bytes = NULL;
    uint64_t size = 0;
    (void)state;
    fixture_open(&f);
    const struct bundle_image images[] = {image_of(HALY_MODULE_HOST_OBJECT, object.bytes, object.size)};
    assert_int_equal(bundle_write("test", &f.info, 1, images, 1, &bytes, &size), HALY_OK);
    const haly_module_desc desc = {HALY_MODULE_DESC_INIT, .data = bytes, .size = size, .kernels = &f.info,
                                   .kernel_count = 1};
    assert_int_equal(haly_module_load(context, &desc, &f.module), HALY_ERR_INVALID);
    assert_non_null(strstr(error_text(), "a table of its own"));
    free(bytes);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_image_is_loaded_and_the_others_are_explained),
        cmocka_unit_test(the_next_image_is_tried_where_the_best_fails),
        cmocka_unit_test(without_an_image_for_the_device_the_reason_is_told),
        cmocka_unit_test(a_table_that_the_image_contradicts_is_refused_by_kernel),
        cmocka_unit_test(a_bundle_brings_its_own_table),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
