/* SPDX-License-Identifier: Apache-2.0 */
/* The whole selector grammar, what it matches, and what is said of what does not follow it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "selection.h"
#include "selector.h"

static haly_device_spec example(void)
{
    haly_device_spec spec = {
        HALY_DEVICE_SPEC_INIT, .kind = HALY_DEVICE_NPU,    .index = 1, .package_id = 4, .die_index = 1,
        .compute_units = 24,   .memory_bytes = 64ULL << 30};
    snprintf(spec.backend, sizeof spec.backend, "ascend");
    snprintf(spec.vendor, sizeof spec.vendor, "huawei");
    snprintf(spec.name, sizeof spec.name, "Ascend 910C");
    snprintf(spec.architecture, sizeof spec.architecture, "dav-2201");
    return spec;
}

/* A selector that parses, and whether it matches the example. */
static const struct {
    const char *text;
    int matches;
} good[] = {
    {"", 1},
    {"auto", 1},
    {" auto ", 1},
    {"ascend", 1},
    {"ASCEND", 1},
    {"cuda", 0},
    {"ascend:1", 1},
    {"ascend:0", 0},
    {"ascend:4294967297", 0},
    {"backend=ascend", 1},
    {"backend=asc*", 1},
    {"backend!=ascend", 0},
    {"backend!=cuda", 1},
    {"vendor=huawei", 1},
    {"vendor=Huawei", 1},
    {"vendor!=nvidia", 1},
    {"vendor=nvidia", 0},
    {"name=Ascend 910C", 1},
    {"name=*910*", 1},
    {"name=*910", 0},
    {"name=ascend*,name!=*b", 1},
    {"kind=npu", 1},
    {"kind=NPU", 1},
    {"kind=gpu", 0},
    {"kind!=cpu", 1},
    {"kind=*pu", 1},
    {"architecture=dav-*", 1},
    {"index=1", 1},
    {"index!=1", 0},
    {"index>0", 1},
    {"index<1", 0},
    {"index<=1", 1},
    {"index>=2", 0},
    {"memory=64GiB", 1},
    {"memory>=32GiB", 1},
    {"memory>=65GiB", 0},
    {"memory<1TiB", 1},
    {"memory>68719476735", 1},
    {"memory>68719476736B", 0},
    {"memory!=0", 1},
    {"compute_units>=24", 1},
    {"compute_units>24", 0},
    {"package=4", 1},
    {"die=1", 1},
    {"die=0", 0},
    {"vendor=huawei,memory>=32GiB", 1},
    {"vendor=huawei,memory>=32GiB,die=0", 0},
    {" vendor = huawei , memory >= 32GiB ", 1},
    {"index=0,index=1", 0},
};

static void what_follows_the_grammar_matches_as_written(void **state)
{
    (void)state;
    const haly_device_spec spec = example();
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct selector selector;
        char why[256] = "";
        print_message("         \"%s\"\n", good[i].text);
        assert_true(selector_parse(good[i].text, &selector, why, sizeof why));
        assert_int_equal(selector_matches(&selector, &spec, why, sizeof why), good[i].matches);
    }
}

/* What breaks it, and what must be said: where, and what was expected. */
static const struct {
    const char *text, *place, *says;
} bad[] = {
    {":1", "byte 1", "auto"},
    {"cuda:", "byte 6", "expected a value for index"},
    {"cuda:x", "byte 6", "expected a number"},
    {"cuda:-1", "byte 6", "expected a number"},
    {"cuda:1:2", "byte 6", "expected a number"},
    {"cuda:99999999999999999999", "byte 6", "expected a number"},
    {"cuda,cpu", "byte 1", "conditions"},
    {"cuda cpu", "byte 1", "conditions"},
    {"cu-da", "byte 1", "conditions"},
    {"*", "byte 1", "conditions"},
    {"abcdefghijklmnopqrstuvwxyz0123456", "byte 1", "conditions"},
    {"=", "byte 1", "expected a field"},
    {"=cuda", "byte 1", "expected a field"},
    {"venodr=huawei", "byte 1", "did you mean \"vendor\""},
    {"colour=red", "byte 1", "expected a field: backend"},
    {"vendor=", "byte 8", "expected a value for vendor"},
    {"vendor=huawei,", "byte 15", "expected a field"},
    {",vendor=huawei", "byte 1", "expected a field"},
    {"vendor=huawei,,die=1", "byte 15", "expected a field"},
    {"vendor=huawei,memory", "byte 21", "expected =, !=, >=, <=, > or < behind memory"},
    {"vendor>huawei", "byte 7", "takes = and != only"},
    {"name<=x", "byte 5", "takes = and != only"},
    {"kind>=gpu", "byte 5", "takes = and != only"},
    {"kind=tpu", "byte 6", "cpu, gpu, npu or other"},
    {"vendor!huawei", "byte 7", "expected ="},
    {"memory>=", "byte 9", "expected a value for memory"},
    {"memory>=32GB", "byte 9", "B, KiB, MiB, GiB or TiB"},
    {"memory>=1.5GiB", "byte 9", "B, KiB, MiB, GiB or TiB"},
    {"memory>=99999999TiB", "byte 9", "B, KiB, MiB, GiB or TiB"},
    {"memory>>1", "byte 8", "B, KiB, MiB, GiB or TiB"},
    {"index=1GiB", "byte 7", "expected a number for index"},
    {"die==1", "byte 5", "expected a number for die"},
    {"index=*", "byte 7", "expected a number"},
    {"die=1,die=1,die=1,die=1,die=1,die=1,die=1,die=1,die=1,die=1,die=1,die=1,die=1,die=1,die=1,die=1,die=1", "byte 97",
     "at most 16 conditions"},
};

static void what_breaks_the_grammar_is_told_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct selector selector;
        char why[256] = "";
        assert_false(selector_parse(bad[i].text, &selector, why, sizeof why));
        print_message("         \"%s\": %s\n", bad[i].text, why);
        assert_non_null(strstr(why, bad[i].place));
        assert_non_null(strstr(why, bad[i].says));
        assert_null(strchr(why, '\n'));
    }
}

static void a_value_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char text[256] = "name=";
    char why[256] = "";
    struct selector selector;
    memset(text + 5, 'x', SELECTOR_TEXT_BYTES - 1);
    assert_true(selector_parse(text, &selector, why, sizeof why));
    text[5 + SELECTOR_TEXT_BYTES - 1] = 'x';
    assert_false(selector_parse(text, &selector, why, sizeof why));
    assert_non_null(strstr(why, "at most 127 bytes"));
}

static void a_mismatch_says_what_the_device_has(void **state)
{
    (void)state;
    const haly_device_spec spec = example();
    struct selector selector;
    char why[256] = "";
    assert_true(selector_parse("vendor=huawei,memory>=128GiB", &selector, why, sizeof why));
    assert_false(selector_matches(&selector, &spec, why, sizeof why));
    assert_string_equal(why, "memory is 68719476736 bytes, wanted >=128GiB");
    assert_true(selector_parse("cuda:1", &selector, why, sizeof why));
    assert_false(selector_matches(&selector, &spec, why, sizeof why));
    assert_string_equal(why, "backend is \"ascend\", wanted =cuda");
}

static void the_backend_a_selector_names_is_known(void **state)
{
    (void)state;
    struct selector selector;
    char why[256];
    assert_true(selector_parse("cuda:1", &selector, why, sizeof why));
    assert_string_equal(selector_backend(&selector), "cuda");
    assert_true(selector_allows_backend(&selector, "cuda"));
    assert_false(selector_allows_backend(&selector, "cpu"));
    assert_true(selector_parse("backend=c*,backend!=cpu", &selector, why, sizeof why));
    assert_null(selector_backend(&selector));
    assert_true(selector_allows_backend(&selector, "cuda"));
    assert_false(selector_allows_backend(&selector, "cpu"));
    assert_true(selector_parse("vendor=amd", &selector, why, sizeof why));
    assert_null(selector_backend(&selector));
    assert_true(selector_allows_backend(&selector, "cpu"));
}

static void lists_of_backends_prefer_or_leave_out(void **state)
{
    (void)state;
    struct selection selection;
    char why[256];
    assert_true(selection_parse("", &selection, why, sizeof why));
    assert_true(selection_takes(&selection, "cpu"));
    assert_false(selection_names(&selection, "cpu"));
    assert_int_equal(selection_preference(&selection, "cpu"), selection_preference(&selection, "cuda"));
    assert_true(selection_parse("cuda, cpu", &selection, why, sizeof why));
    assert_true(selection_takes(&selection, "cpu"));
    assert_true(selection_names(&selection, "cpu"));
    assert_false(selection_takes(&selection, "opencl"));
    assert_true(selection_preference(&selection, "cuda") < selection_preference(&selection, "cpu"));
    assert_true(selection_parse("^opencl,cpu", &selection, why, sizeof why));
    assert_false(selection_takes(&selection, "cpu"));
    assert_false(selection_takes(&selection, "opencl"));
    assert_true(selection_takes(&selection, "cuda"));
    assert_false(selection_names(&selection, "cuda"));
}

static void lists_of_backends_follow_a_grammar(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {{"^", "\"\" is not a backend name"},
                 {",", "\"\" is not a backend name"},
                 {"cpu,", "\"\" is not a backend name"},
                 {"CPU", "\"CPU\" is not a backend name"},
                 {"cpu,^cuda", "\"^cuda\" is not"},
                 {"../cpu", "\"../cpu\" is not"},
                 {"cpu;cuda", "\"cpu;cuda\" is not"},
                 {"cpu,cpu", "stands there twice"},
                 {"cp\nu", "\"cp?u\" is not"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct selection selection;
        char why[256] = "";
        assert_false(selection_parse(cases[i].text, &selection, why, sizeof why));
        assert_non_null(strstr(why, cases[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_follows_the_grammar_matches_as_written),
        cmocka_unit_test(what_breaks_the_grammar_is_told_with_its_place),
        cmocka_unit_test(a_value_that_is_too_long_is_refused),
        cmocka_unit_test(a_mismatch_says_what_the_device_has),
        cmocka_unit_test(the_backend_a_selector_names_is_known),
        cmocka_unit_test(lists_of_backends_prefer_or_leave_out),
        cmocka_unit_test(lists_of_backends_follow_a_grammar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
