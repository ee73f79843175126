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
    {"memory>68719476735B", 1},
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

/*
 * What breaks it: the byte where that shows, the piece of text that is shown, and what is said of it. Conditions break
 * in the same way behind others; a short form cannot stand there.
 */
static const struct {
    const char *text;
    unsigned place;
    const char *token, *says;
} bad[] = {
    /* backend [":" index] */
    {":1", 1, "", "no backend can have this name"},
    {"cuda:", 6, "", "expected a value for index"},
    {"cuda:x", 6, "x", "not a number; expected a number for index"},
    {"cuda:-1", 6, "-1", "not a number; expected a number for index"},
    {"cuda:+1", 6, "+1", "not a number; expected a number for index"},
    {"cuda:0x1", 6, "0x1", "not a number; expected a number for index"},
    {"cuda: 1", 6, " 1", "not a number; expected a number for index"},
    {"cuda:1:2", 6, "1:2", "not a number; expected a number for index"},
    {"cuda:99999999999999999999", 6, "99999999999999999999", "too large; expected a number for index"},
    {"cuda:18446744073709551616", 6, "18446744073709551616", "too large; expected a number for index"},
    {"cuda,cpu", 1, "cuda,cpu", "no backend can have this name"},
    {"cuda cpu", 1, "cuda cpu", "no backend can have this name"},
    {"cu-da", 1, "cu-da", "no backend can have this name"},
    {"cu*", 1, "cu*", "no backend can have this name"},
    {"*", 1, "*", "no backend can have this name"},
    {"auto:1,", 6, "1,", "not a number; expected a number for index"},
    {"a\nb", 1, "a?b", "no backend can have this name"},
    {"abcdefghijklmnopqrstuvwxyz0123456", 1, "abcdefghijklmnopqrstuvwxyz0123456", "no backend can have this name"},
    /* field op value: the field */
    {"=", 1, "", "expected a field: backend, vendor, name, kind, architecture, index, memory, compute_units"},
    {"=cuda", 1, "", "expected a field: backend"},
    {">=1", 1, "", "expected a field: backend"},
    {"venodr=huawei", 1, "venodr", "no such field; did you mean \"vendor\"?"},
    {"Vendor=huawei", 1, "Vendor", "no such field; did you mean \"vendor\"?"},
    {"vendors=huawei", 1, "vendors", "no such field; did you mean \"vendor\"?"},
    {"colour=red", 1, "colour", "expected a field: backend"},
    {"index=1,", 9, "", "expected a field: backend"},
    {",index=1", 1, "", "expected a field: backend"},
    {"index=1,,die=1", 9, "", "expected a field: backend"},
    {"index=1, ,die=1", 10, "", "expected a field: backend"},
    {"index=1;die=1", 7, "1;die=1", "not a number; expected a number for index"},
    /* the operator */
    {"index=1,memory", 15, "", "expected =, !=, >=, <=, > or < behind memory"},
    {"vendor!huawei", 7, "!huawei", "expected =, !=, >=, <=, > or < behind vendor"},
    {"memory!", 7, "!", "expected =, !=, >=, <=, > or < behind memory"},
    {"vendor>huawei", 7, ">huawei", "vendor is a text: it takes = and != only"},
    {"backend<a", 8, "<a", "backend is a text: it takes = and != only"},
    {"name<=x", 5, "<=x", "name is a text: it takes = and != only"},
    {"architecture>=x", 13, ">=x", "architecture is a text: it takes = and != only"},
    {"kind>=gpu", 5, ">=gpu", "kind is a text: it takes = and != only"},
    {"memory>>1", 8, ">1", "not a size; expected a number with B, KiB, MiB, GiB or TiB for memory"},
    {"die==1", 5, "=1", "not a number; expected a number for die"},
    {"die=!1", 5, "!1", "not a number; expected a number for die"},
    {"die=<1", 5, "<1", "not a number; expected a number for die"},
    /* the value */
    {"vendor=", 8, "", "expected a value for vendor"},
    {"vendor= ", 8, "", "expected a value for vendor"},
    {"memory>=", 9, "", "expected a value for memory"},
    {"memory>=,die=1", 9, "", "expected a value for memory"},
    {"kind=tpu", 6, "tpu", "expected cpu, gpu, npu or other"},
    {"kind=g*x", 6, "g*x", "expected cpu, gpu, npu or other"},
    {"memory>=32GB", 9, "32GB", "not a size; expected a number with B, KiB, MiB, GiB or TiB for memory"},
    {"memory>=32G", 9, "32G", "not a size; expected a number with B, KiB, MiB, GiB or TiB for memory"},
    {"memory>=32gib", 9, "32gib", "not a size; expected a number with B, KiB, MiB, GiB or TiB for memory"},
    {"memory>=32 GiB", 9, "32 GiB", "not a size; expected a number with B, KiB, MiB, GiB or TiB for memory"},
    {"memory>=32GiBs", 9, "32GiBs", "not a size; expected a number with B, KiB, MiB, GiB or TiB for memory"},
    {"memory>=32PiB", 9, "32PiB", "not a size; expected a number with B, KiB, MiB, GiB or TiB for memory"},
    {"memory>=16", 9, "16", "a size without its unit; expected a number with B, KiB, MiB, GiB or TiB for memory"},
    {"memory>=GiB", 9, "GiB", "not a size; expected a number with B, KiB, MiB, GiB or TiB for memory"},
    {"memory>=-1", 9, "-1", "not a size; expected a number with B, KiB, MiB, GiB or TiB for memory"},
    {"memory>=1e9", 9, "1e9", "not a size; expected a number with B, KiB, MiB, GiB or TiB for memory"},
    {"memory>=0x10", 9, "0x10", "not a size; expected a number with B, KiB, MiB, GiB or TiB for memory"},
    {"memory>=1.5GiB", 9, "1.5GiB", "not a size; expected a number with B, KiB, MiB, GiB or TiB for memory"},
    {"memory>=16777216TiB", 9, "16777216TiB", "too large; expected a number with B, KiB, MiB, GiB or TiB for memory"},
    {"memory>=18446744073709551616", 9, "18446744073709551616",
     "a size without its unit; expected a number with B, KiB, MiB, GiB or TiB"},
    {"index=1GiB", 7, "1GiB", "not a number; expected a number for index"},
    {"index=*", 7, "*", "not a number; expected a number for index"},
    {"compute_units>=many", 16, "many", "not a number; expected a number for compute_units"},
    {"package=4,die=x", 15, "x", "not a number; expected a number for die"},
};
enum { BAD = sizeof bad / sizeof *bad };

static void expect_broken(const char *text, size_t place, const char *token, const char *says)
{
    struct selector selector;
    char why[256] = "", begins[256];
    assert_false(selector_parse(text, &selector, why, sizeof why));
    print_message("         \"%s\": %s\n", text, why);
    snprintf(begins, sizeof begins, "\"%s\" at byte %zu: %s", token, place, says);
    assert_memory_equal(why, begins, strlen(begins));
    assert_null(strchr(why, '\n'));
}

static bool is_condition(const char *text)
{
    return strpbrk(text, "=!<>") != NULL;
}

static void what_breaks_the_grammar_is_told_with_its_place(void **state)
{
    static const char *const before[] = {"", " ", "kind=npu,", " kind = npu , die<=3 ,\t"};
    char text[256];
    unsigned count = 0;
    (void)state;
    for (size_t i = 0; i < BAD; i++)
        for (size_t j = 0; j < sizeof before / sizeof *before; j++) {
            if (strpbrk(before[j], "=") != NULL && !is_condition(bad[i].text))
                continue;
            snprintf(text, sizeof text, "%s%s", before[j], bad[i].text);
            expect_broken(text, strlen(before[j]) + bad[i].place, bad[i].token, bad[i].says);
            count++;
        }
    print_message("table: %u selectors that break the grammar, each at its byte\n", count);
}

static void a_selector_has_at_most_16_conditions(void **state)
{
    char text[128] = "die=1";
    struct selector selector;
    char why[256];
    (void)state;
    for (unsigned i = 1; i < SELECTOR_CONDITIONS; i++)
        text_append(text, sizeof text, ",die=1");
    assert_true(selector_parse(text, &selector, why, sizeof why));
    assert_int_equal(selector.count, SELECTOR_CONDITIONS);
    text_append(text, sizeof text, ",die=1");
    expect_broken(text, 97, "die=1", "a selector has at most 16 conditions");
}

/* ---- every field, operator and unit, against a second opinion ---- */

enum relation { BELOW, SAME, ABOVE };

/* Whether `have op want` holds, by how the two stand to each other. */
static bool holds(enum relation relation, const char *op)
{
    const bool is_equal = relation == SAME;
    const bool is_less = relation == BELOW;
    if (op[0] == '=')
        return is_equal;
    if (op[0] == '!')
        return !is_equal;
    return (op[0] == '<') == is_less ? !is_equal || op[1] == '=' : is_equal && op[1] == '=';
}

static const char *const operators[] = {"=", "!=", ">=", "<=", ">", "<"};
enum { OPERATORS = sizeof operators / sizeof *operators };

static unsigned expect_match(const char *field, const char *op, const char *value, bool matches)
{
    const haly_device_spec spec = example();
    struct selector selector;
    char text[256], why[256] = "";
    snprintf(text, sizeof text, "%s%s%s", field, op, value);
    assert_true(selector_parse(text, &selector, why, sizeof why));
    if (selector_matches(&selector, &spec, why, sizeof why) != matches)
        fail_msg("%s: expected %d (%s)", text, matches, why);
    return 1;
}

/* What the example has, and values below and above it. */
static unsigned compare_numbers(void)
{
    static const struct {
        const char *field, *values[3]; /* by relation of what the device has to them: BELOW, SAME, ABOVE */
    } rows[] = {
        {"index", {"2", "1", "0"}},
        {"package", {"5", "4", "3"}},
        {"die", {"18446744073709551615", "1", "000"}},
        {"compute_units", {"25", "024", "23"}},
        {"memory", {"68719476737B", "68719476736B", "68719476735B"}},
        {"memory", {"67108865KiB", "67108864KiB", "67108863KiB"}},
        {"memory", {"65537MiB", "65536MiB", "65535MiB"}},
        {"memory", {"65GiB", "64GiB", "63GiB"}},
        {"memory", {"1TiB", "64GiB", "0TiB"}},
        {"memory", {"16777215TiB", "0065536MiB", "0"}},
    };
    unsigned count = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int op = 0; op < OPERATORS; op++)
            for (int relation = BELOW; relation <= ABOVE; relation++)
                count += expect_match(rows[i].field, operators[op], rows[i].values[relation],
                                      holds((enum relation)relation, operators[op]));
    return count;
}

static unsigned compare_texts(void)
{
    static const struct {
        const char *field, *value;
        int equals;
    } rows[] = {
        {"backend", "ascend", 1},
        {"backend", "ASCEND", 1},
        {"backend", "ascen", 0},
        {"backend", "ascend2", 0},
        {"backend", "*", 1},
        {"backend", "a*d", 1},
        {"backend", "a*c*d", 1},
        {"backend", "*ascend*", 1},
        {"backend", "a*e", 0},
        {"backend", "**", 1},
        {"backend", "?scend", 0},
        {"vendor", "huawei", 1},
        {"vendor", "hua*", 1},
        {"vendor", "*wei", 1},
        {"vendor", "nvidia", 0},
        {"name", "Ascend 910C", 1},
        {"name", "ascend  910c", 0},
        {"name", "*91*0*C", 1},
        {"name", "ascend:910c", 0},
        {"name", "\"Ascend 910C\"", 0},
        {"architecture", "dav-2201", 1},
        {"architecture", "DAV-*", 1},
        {"architecture", "dav", 0},
        {"kind", "npu", 1},
        {"kind", "Npu", 1},
        {"kind", "n*", 1},
        {"kind", "*", 1},
        {"kind", "cpu", 0},
        {"kind", "gpu", 0},
        {"kind", "other", 0},
    };
    unsigned count = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        count += expect_match(rows[i].field, "=", rows[i].value, rows[i].equals);
        count += expect_match(rows[i].field, "!=", rows[i].value, !rows[i].equals);
        count += expect_match(rows[i].field, " = ", rows[i].value, rows[i].equals);
    }
    return count;
}

static void every_field_takes_its_operators_and_units(void **state)
{
    (void)state;
    const unsigned numbers = compare_numbers(), texts = compare_texts();
    print_message("table: %u comparisons of numbers, %u of texts\n", numbers, texts);
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
    assert_true(selection_parse("CUDA", &selection, why, sizeof why));
    assert_true(selection_names(&selection, "cuda"));
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
    } cases[] = {{"^", "\"\" is not a backend name"},    {",", "\"\" is not a backend name"},
                 {"cpu,", "\"\" is not a backend name"}, {"CP-U", "\"CP-U\" is not a backend name"},
                 {"cpu,^cuda", "\"^cuda\" is not"},      {"../cpu", "\"../cpu\" is not"},
                 {"cpu;cuda", "\"cpu;cuda\" is not"},    {"cpu,cpu", "stands there twice"},
                 {"cpu,CPU", "stands there twice"},      {"cp\nu", "\"cp?u\" is not"}};
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
        cmocka_unit_test(a_selector_has_at_most_16_conditions),
        cmocka_unit_test(every_field_takes_its_operators_and_units),
        cmocka_unit_test(a_value_that_is_too_long_is_refused),
        cmocka_unit_test(a_mismatch_says_what_the_device_has),
        cmocka_unit_test(the_backend_a_selector_names_is_known),
        cmocka_unit_test(lists_of_backends_prefer_or_leave_out),
        cmocka_unit_test(lists_of_backends_follow_a_grammar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
