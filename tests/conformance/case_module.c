/* SPDX-License-Identifier: Apache-2.0 */
/* What haly_module_load() is told beside the image, and what haly_module_explain() says of it. */
#include <stdlib.h>
#include <string.h>

#include "cts.h"

#define CASE_MODULE(name_, requirements_) CTS_CASE_CAP(module, name_, requirements_, HALY_CAP_KERNELS)

/* The table of scale_bias as its image has it. */
static const haly_argument_info scale_bias_rows[] = {{0, 8, 1, 0}, {8, 4, 0, 1}, {12, 4, 0, 1}, {16, 4, 0, 1}};

static haly_kernel_info scale_bias_info(void)
{
    return (haly_kernel_info){HALY_KERNEL_INFO_INIT,        .argument_count = 4,
                              .arguments = scale_bias_rows, .argument_size = sizeof scale_bias_rows[0],
                              .argument_bytes = 24,         .name = "scale_bias"};
}

static haly_status load_with(struct cts *t, const haly_kernel_info *kernels, uint32_t count, haly_module **out_module)
{
    return haly_module_load(t->context,
                            &(haly_module_desc){HALY_MODULE_DESC_INIT, .path = cts_data_file(t, "cts_basic.so"),
                                                .kernels = kernels, .kernel_count = count,
                                                .kernel_size = sizeof *kernels},
                            out_module);
}

CASE_MODULE(a_table_that_agrees_names_the_kernels_there_are, "KRN-006")
{
    const haly_kernel_info told = scale_bias_info();
    haly_kernel_info found = {HALY_KERNEL_INFO_INIT};
    haly_module *module = NULL;
    haly_kernel *kernel = NULL, *other = NULL;
    CTS_OK(load_with(t, &told, 1, &module));
    cts_own_module(t, module);
    CTS_OK(haly_kernel_get(module, "scale_bias", &kernel));
    cts_own_kernel(t, kernel);
    CTS_OK(haly_kernel_info_get(kernel, &found));
    CTS_EQUAL(4, found.argument_count);
    CTS_EQUAL(24, found.argument_bytes);
    CTS_STATUS(HALY_ERR_NOT_FOUND, haly_kernel_get(module, "vector_add", &other));
    CTS_MESSAGE("vector_add");
}

static void expect_contradiction(struct cts *t, const haly_kernel_info *told, const char *why)
{
    haly_module *module = NULL;
    haly_kernel *kernel = NULL;
    CTS_OK(load_with(t, told, 1, &module));
    cts_own_module(t, module);
    CTS_STATUS(HALY_ERR_CORRUPT, haly_kernel_get(module, "scale_bias", &kernel));
    CTS_MESSAGE(why);
}

CASE_MODULE(a_table_with_another_count_of_arguments_is_refused, "KRN-006")
{
    haly_kernel_info told = scale_bias_info();
    told.argument_count = 3;
    expect_contradiction(t, &told, "takes 4 arguments");
}

CASE_MODULE(a_table_with_an_argument_of_another_kind_is_refused, "KRN-006")
{
    haly_argument_info rows[4];
    haly_kernel_info told = scale_bias_info();
    memcpy(rows, scale_bias_rows, sizeof rows);
    rows[0].is_address = 0;
    told.arguments = rows;
    expect_contradiction(t, &told, "argument 0");
}

CASE_MODULE(a_table_with_an_argument_elsewhere_is_refused, "KRN-006")
{
    haly_argument_info rows[4];
    haly_kernel_info told = scale_bias_info();
    memcpy(rows, scale_bias_rows, sizeof rows);
    rows[3].offset = 20;
    told.arguments = rows;
    expect_contradiction(t, &told, "argument 3");
}

CASE_MODULE(a_table_for_another_group_size_is_refused, "KRN-006")
{
    haly_kernel_info told = scale_bias_info();
    told.group[0] = 32;
    told.group[1] = told.group[2] = 1;
    expect_contradiction(t, &told, "(32, 1, 1)");
}

static void expect_refused(struct cts *t, const haly_kernel_info *told, uint32_t count, const char *why)
{
    haly_module *module = NULL;
    CTS_STATUS(HALY_ERR_CORRUPT, load_with(t, told, count, &module));
    CTS_MESSAGE(why);
    CTS_TRUE(module == NULL);
}

CASE_MODULE(a_table_that_contradicts_itself_is_refused_before_anything_is_loaded, "KRN-006")
{
    haly_argument_info rows[4];
    haly_kernel_info told = scale_bias_info();
    memcpy(rows, scale_bias_rows, sizeof rows);
    rows[1].offset = 4;
    told.arguments = rows;
    expect_refused(t, &told, 1, "argument 1");
}

CASE_MODULE(a_table_names_its_kernels_by_identifiers, "KRN-006")
{
    haly_kernel_info told = scale_bias_info();
    told.name = "scale bias";
    expect_refused(t, &told, 1, "\"scale bias\"");
    told.name = "";
    expect_refused(t, &told, 1, "kernel 0");
    told.name = "4th";
    expect_refused(t, &told, 1, "\"4th\"");
    told.name = NULL;
    expect_refused(t, &told, 1, "kernel 0");
}

CASE_MODULE(a_table_names_each_kernel_once, "KRN-006")
{
    const haly_kernel_info told[2] = {scale_bias_info(), scale_bias_info()};
    expect_refused(t, told, 2, "two kernels");
}

CASE_MODULE(a_table_has_at_most_sixteen_arguments, "KRN-006")
{
    haly_kernel_info told = scale_bias_info();
    told.argument_count = 17;
    expect_refused(t, &told, 1, "17 arguments");
}

CASE_MODULE(a_table_has_at_most_4096_bytes_of_arguments, "KRN-006")
{
    haly_kernel_info told = scale_bias_info();
    told.argument_bytes = 4097;
    expect_refused(t, &told, 1, "4097 bytes");
}

CASE_MODULE(a_table_and_its_count_come_together, "KRN-006")
{
    const haly_kernel_info told = scale_bias_info();
    haly_module *module = NULL;
    CTS_INVALID(load_with(t, &told, 0, &module));
    CTS_INVALID(load_with(t, NULL, 1, &module));
}

CASE_MODULE(a_table_of_another_version_is_read_by_its_size, "KRN-006")
{
    struct {
        haly_kernel_info known;
        uint64_t later[2];
    } told[2] = {{scale_bias_info(), {0, 0}}, {scale_bias_info(), {0, 0}}};
    haly_module *module = NULL;
    haly_kernel *kernel = NULL;
    told[1].known.name = "never_asked_for";
    CTS_OK(haly_module_load(t->context,
                            &(haly_module_desc){HALY_MODULE_DESC_INIT, .path = cts_data_file(t, "cts_basic.so"),
                                                .kernels = &told[0].known, .kernel_count = 2,
                                                .kernel_size = sizeof told[0]},
                            &module));
    cts_own_module(t, module);
    CTS_OK(haly_kernel_get(module, "scale_bias", &kernel));
    cts_own_kernel(t, kernel);
    CTS_STATUS(HALY_ERR_NOT_FOUND, haly_kernel_get(module, "never_asked_for", &kernel));
}

CASE_MODULE(an_explanation_says_what_would_be_loaded, "KRN-007")
{
    char text[1024] = "unwritten";
    uint64_t needed = 0;
    const haly_module_desc desc = {HALY_MODULE_DESC_INIT, .path = cts_data_file(t, "cts_basic.so")};
    CTS_OK(haly_module_explain(t->context, &desc, text, sizeof text, &needed));
    CTS_EQUAL(strlen(text) + 1, needed);
    CTS_TRUE(strstr(text, "cts_basic.so") != NULL);
    CTS_TRUE(strstr(text, "host object") != NULL);
    CTS_TRUE(strstr(text, "would be loaded") != NULL);
}

CASE_MODULE(of_a_long_path_messages_have_the_end, "KRN-002")
{
    char path[1200];
    haly_module *module = NULL;
    memset(path, 'd', sizeof path);
    for (size_t i = 0; i < 1000; i += 100)
        path[i] = '/';
    memcpy(path + 1000, "/absent.halb", sizeof "/absent.halb");
    CTS_STATUS(HALY_ERR_NOT_FOUND, haly_module_load_file(t->context, path, &module));
    CTS_MESSAGE("/absent.halb");
}

CASE_MODULE(an_explanation_is_cut_to_the_room_there_is, "KRN-007")
{
    char whole[1024], cut[1024];
    uint64_t needed = 0, same = 0;
    const haly_module_desc desc = {HALY_MODULE_DESC_INIT, .path = cts_data_file(t, "cts_basic.so")};
    CTS_OK(haly_module_explain(t->context, &desc, NULL, 0, &needed));
    CTS_OK(haly_module_explain(t->context, &desc, whole, sizeof whole, NULL));
    CTS_EQUAL(strlen(whole) + 1, needed);
    for (uint64_t room = 1; room < needed; room += 5) {
        memset(cut, 'x', sizeof cut);
        CTS_OK(haly_module_explain(t->context, &desc, cut, room, &same));
        CTS_EQUAL(needed, same);
        CTS_EQUAL(room - 1, strlen(cut));
        CTS_TRUE(memcmp(cut, whole, room - 1) == 0 && cut[room] == 'x');
    }
    CTS_INVALID(haly_module_explain(t->context, &desc, NULL, 1, &needed));
}

CASE_MODULE(an_explanation_of_what_cannot_be_read_fails_as_loading_does, "KRN-007")
{
    char text[64] = "as it was";
    uint64_t needed = 7;
    const haly_module_desc absent = {HALY_MODULE_DESC_INIT, .path = "/nonexistent/kernels.halb"};
    CTS_STATUS(HALY_ERR_NOT_FOUND, haly_module_explain(t->context, &absent, text, sizeof text, &needed));
    CTS_TRUE(strcmp(text, "as it was") == 0);
    CTS_EQUAL(7, needed);
    CTS_INVALID(haly_module_explain(t->context, NULL, text, sizeof text, &needed));
}

static haly_status load_bytes(struct cts *t, const void *bytes, uint64_t size, haly_module_format format)
{
    haly_module *module = NULL;
    const haly_status status = haly_module_load(
        t->context, &(haly_module_desc){HALY_MODULE_DESC_INIT, .format = format, .data = bytes, .size = size}, &module);
    haly_module_release(module);
    return status;
}

CASE_MODULE(bytes_that_say_nothing_of_themselves_are_refused_with_how_they_begin, "KRN-002")
{
    static const unsigned char bytes[] = {0xDE, 0xAD, 0x00, 0x01, 0x02};
    CTS_STATUS(HALY_ERR_UNSUPPORTED, load_bytes(t, bytes, sizeof bytes, HALY_MODULE_AUTO));
    CTS_MESSAGE("de ad 00 01");
}

CASE_MODULE(a_named_format_that_the_bytes_contradict_is_corrupt, "KRN-002")
{
    static const char text[] = "no object at all";
    CTS_STATUS(HALY_ERR_CORRUPT, load_bytes(t, text, sizeof text, HALY_MODULE_HOST_OBJECT));
    CTS_STATUS(HALY_ERR_CORRUPT, load_bytes(t, text, sizeof text, HALY_MODULE_BUNDLE));
    CTS_STATUS(HALY_ERR_CORRUPT, load_bytes(t, text, sizeof text, HALY_MODULE_CUBIN));
}

CASE_MODULE(a_format_of_a_later_version_is_unsupported, "KRN-002")
{
    static const char text[] = "whatever it is";
    CTS_STATUS(HALY_ERR_UNSUPPORTED, load_bytes(t, text, sizeof text, (haly_module_format)99));
    CTS_MESSAGE("99");
}
