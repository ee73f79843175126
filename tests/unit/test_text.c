/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded text, numbers with units, patterns, and "did you mean". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nearest.h"
#include "text.h"

static void what_does_not_fit_is_cut(void **state)
{
    (void)state;
    char text[8];
    text_set(text, sizeof text, "%s", "123456789");
    assert_string_equal(text, "1234567");
    text_set(text, sizeof text, "%s", "abc");
    text_append(text, sizeof text, "%d", 45);
    assert_string_equal(text, "abc45");
    text_append(text, sizeof text, "%s", "zzzzzz");
    assert_string_equal(text, "abc45zz");
}

static void bytes_that_would_break_a_line_become_question_marks(void **state)
{
    (void)state;
    char out[16];
    assert_string_equal(text_printable(out, sizeof out, "a\nb\x1b[c\x7f", SIZE_MAX), "a?b?[c?");
    assert_string_equal(text_printable(out, 4, "abcdef", SIZE_MAX), "abc");
    assert_string_equal(text_printable(out, sizeof out, "abcdef", 2), "ab");
}

static void backend_names_have_a_closed_alphabet(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "cpu", "x_9", "abcdefghijklmnopqrstuvwxyz012345"};
    static const char *const bad[] = {"", "CPU", "a-b", "a.b", "a/b", "é", "abcdefghijklmnopqrstuvwxyz0123456"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(text_is_backend_name(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(text_is_backend_name(bad[i], strlen(bad[i])));
}

static void sizes_have_units_and_do_not_overflow(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int valid;
        uint64_t bytes;
    } cases[] = {{"0", 1, 0},
                 {"17", 0, 0},
                 {"17B", 1, 17},
                 {"00", 1, 0},
                 {"0GiB", 1, 0},
                 {"3KiB", 1, 3072},
                 {"2MiB", 1, 2097152},
                 {"1GiB", 1, 1073741824},
                 {"16777215TiB", 1, 16777215ULL << 40},
                 {"18446744073709551615B", 1, UINT64_MAX},
                 {"16777216TiB", 0, 0},
                 {"18446744073709551616B", 0, 0},
                 {"", 0, 0},
                 {"GiB", 0, 0},
                 {"-1", 0, 0},
                 {"+1", 0, 0},
                 {" 1", 0, 0},
                 {"1 GiB", 0, 0},
                 {"1GB", 0, 0},
                 {"1gib", 0, 0},
                 {"1.5GiB", 0, 0},
                 {"0x10", 0, 0},
                 {"1GiBx", 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t bytes = 0;
        assert_int_equal(text_parse_size(cases[i].text, strlen(cases[i].text), &bytes), cases[i].valid);
        if (cases[i].valid)
            assert_true(bytes == cases[i].bytes);
    }
}

static void what_is_wrong_with_a_number_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *text, *number, *size;
    } cases[] = {{"17", NULL, "a size without its unit"},
                 {"16777216TiB", "not a number", "too large"},
                 {"18446744073709551616", "too large", "a size without its unit"},
                 {"many", "not a number", "not a size"},
                 {"", "not a number", "not a size"},
                 {"4GB", "not a number", "not a size"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t length = strlen(cases[i].text);
        if (cases[i].number != NULL)
            assert_string_equal(text_number_fault(cases[i].text, length), cases[i].number);
        assert_string_equal(text_size_fault(cases[i].text, length), cases[i].size);
    }
}

static void patterns_match_any_run_without_case(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        int matches;
    } cases[] = {{"", "", 1},
                 {"", "a", 0},
                 {"*", "", 1},
                 {"*", "abc", 1},
                 {"a", "A", 1},
                 {"NVIDIA*", "nvidia h100", 1},
                 {"*h100*", "NVIDIA H100 PCIe", 1},
                 {"a*c", "abc", 1},
                 {"a*c", "ab", 0},
                 {"a*b*c", "aXbYbZc", 1},
                 {"a**", "a", 1},
                 {"*a", "b", 0},
                 {"?", "a", 0},
                 {"a*", "b", 0},
                 {"*ab", "aab", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(text_matches(cases[i].pattern, cases[i].text), cases[i].matches);
}

static void many_stars_take_no_exponential_time(void **state)
{
    (void)state;
    char text[4096];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_false(text_matches("a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text));
}

static void distance_counts_slips(void **state)
{
    (void)state;
    assert_int_equal(nearest_distance("cuda", "cuda"), 0);
    assert_int_equal(nearest_distance("cdua", "cuda"), 1);
    assert_int_equal(nearest_distance("cda", "cuda"), 1);
    assert_int_equal(nearest_distance("cuuda", "cuda"), 1);
    assert_int_equal(nearest_distance("kuda", "cuda"), 1);
    assert_int_equal(nearest_distance("CUDA", "cuda"), 0);
    assert_int_equal(nearest_distance("", "cuda"), 4);
    assert_int_equal(nearest_distance("kitten", "sitting"), 3);
    char longer[NEAREST_MAX + 2];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(nearest_distance(longer, longer), UINT32_MAX);
}

static const char *best_of(const char *wanted, const char *const *names, size_t count)
{
    struct nearest nearest;
    nearest_start(&nearest, wanted);
    for (size_t i = 0; i < count; i++)
        nearest_offer(&nearest, names[i]);
    return nearest.best;
}

static void only_a_close_name_is_offered(void **state)
{
    (void)state;
    static const char *const names[] = {"cpu", "opencl", "cuda", "template"};
    assert_string_equal(best_of("cdua", names, 4), "cuda");
    assert_string_equal(best_of("opnecl", names, 4), "opencl");
    assert_string_equal(best_of("tmeplate", names, 4), "template");
    assert_null(best_of("vulkan", names, 4));
    assert_null(best_of("foo", names, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_fit_is_cut),
        cmocka_unit_test(bytes_that_would_break_a_line_become_question_marks),
        cmocka_unit_test(backend_names_have_a_closed_alphabet),
        cmocka_unit_test(sizes_have_units_and_do_not_overflow),
        cmocka_unit_test(what_is_wrong_with_a_number_is_said),
        cmocka_unit_test(patterns_match_any_run_without_case),
        cmocka_unit_test(many_stars_take_no_exponential_time),
        cmocka_unit_test(distance_counts_slips),
        cmocka_unit_test(only_a_close_name_is_offered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
