/* SPDX-License-Identifier: Apache-2.0 */
/* One text of many files: nothing is lost, nothing stands twice, and every mistake is told with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flatten.h"
#include "sandbox.h"

static char why[512];

static char *flatten(void **state, const char *main_text)
{
    const char *folders[] = {sandbox_path(state, "headers")};
    return flatten_file(sandbox_file(state, "main.haly.c", main_text, 0600), folders, 1, why, sizeof why);
}

static unsigned count_of(const char *text, const char *part)
{
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
        count++;
    return count;
}

static void files_stand_where_they_are_included(void **state)
{
    sandbox_folder(state, "headers", 0700);
    sandbox_file(state, "headers/far.h", "int far;\n", 0600);
    sandbox_file(state, "near.h", "int near;", 0600);
    char *text = flatten(state, "int first;\n#include \"near.h\"\n  #  include <far.h>\nint last;\n");
    assert_non_null(text);
    assert_string_equal(text,
                        "#line 1 \"main.haly.c\"\nint first;\n#line 1 \"near.h\"\nint near;\n"
                        "#line 3 \"main.haly.c\"\n#line 1 \"far.h\"\nint far;\n#line 4 \"main.haly.c\"\nint last;\n");
    free(text);
}

static void headers_of_the_system_stay(void **state)
{
    char *text = flatten(state, "#include <stdint.h>\nint x;\n");
    assert_non_null(text);
    assert_non_null(strstr(text, "#include <stdint.h>\nint x;"));
    free(text);
}

static void a_guarded_file_stands_once_and_others_each_time(void **state)
{
    sandbox_file(state, "guarded.h", "/* words */\n#ifndef G\n#define G\n#include \"inner.h\"\nint guarded;\n#endif\n",
                 0600);
    sandbox_file(state, "inner.h", "#ifndef I\n#define I\nint inner;\n#endif\n", 0600);
    sandbox_file(state, "each.h", "int each;\n", 0600);
    char *text = flatten(state, "#include \"guarded.h\"\n#include \"inner.h\"\n#include \"guarded.h\"\n"
                                "#include \"each.h\"\n#include \"each.h\"\n");
    assert_non_null(text);
    assert_int_equal(count_of(text, "int guarded;"), 1);
    assert_int_equal(count_of(text, "int inner;"), 1);
    assert_int_equal(count_of(text, "int each;"), 2);
    free(text);
}

/* Where the first place may be left out by the compiler, the second must have it. */
static void a_guarded_file_under_a_condition_stands_again(void **state)
{
    sandbox_file(state, "guarded.h", "#ifndef G\n#define G\nint guarded;\n#endif\n", 0600);
    char *text = flatten(
        state, "#if defined(A)\n#include \"guarded.h\"\n#endif\n#include \"guarded.h\"\n#include \"guarded.h\"\n");
    assert_non_null(text);
    assert_int_equal(count_of(text, "int guarded;"), 2);
    free(text);
}

static void a_macro_may_name_the_file(void **state)
{
    sandbox_file(state, "one.h", "int one;\n", 0600);
    sandbox_file(state, "two.h", "int two;\n", 0600);
    sandbox_file(state, "body.h", "#include BODY\n", 0600);
    char *text = flatten(state, "#define BODY \"one.h\"\n#include \"body.h\"\n#undef BODY\n#define BODY \"two.h\"\n"
                                "#include \"body.h\"\n");
    assert_non_null(text);
    assert_int_equal(count_of(text, "int one;"), 1);
    assert_int_equal(count_of(text, "int two;"), 1);
    free(text);
}

static void comments_go_and_lines_stay(void **state)
{
    char *text =
        flatten(state, "int a; // one\nint /* two\nlines */ b;\nchar *c = \"/* no // comment */\";\nchar d = '\"';\n");
    assert_non_null(text);
    assert_string_equal(
        text, "#line 1 \"main.haly.c\"\nint a;\nint\nb;\nchar *c = \"/* no // comment */\";\nchar d = '\"';\n");
    free(text);
}

static void mistakes_are_told_with_their_place(void **state)
{
    sandbox_file(state, "self.h", "int again;\n#include \"self.h\"\n", 0600);
    assert_null(flatten(state, "\n#include \"absent.h\"\n"));
    assert_non_null(strstr(why, "main.haly.c:2: \"absent.h\" is neither"));
    assert_null(flatten(state, "#include \"self.h\"\n"));
    assert_non_null(strstr(why, "self.h:2: files include each other more than 32 deep"));
    assert_null(flatten(state, "#include NOTHING\n"));
    assert_non_null(strstr(why, "main.haly.c:1: #include NOTHING names no file"));
    assert_null(flatten_file("/nonexistent/a.haly.c", NULL, 0, why, sizeof why));
    assert_non_null(strstr(why, "/nonexistent/a.haly.c cannot be read"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_stand_where_they_are_included, sandbox_setup, sandbox_teardown),
        cmocka_unit_test_setup_teardown(headers_of_the_system_stay, sandbox_setup, sandbox_teardown),
        cmocka_unit_test_setup_teardown(a_guarded_file_stands_once_and_others_each_time, sandbox_setup,
                                        sandbox_teardown),
        cmocka_unit_test_setup_teardown(a_guarded_file_under_a_condition_stands_again, sandbox_setup, sandbox_teardown),
        cmocka_unit_test_setup_teardown(a_macro_may_name_the_file, sandbox_setup, sandbox_teardown),
        cmocka_unit_test_setup_teardown(comments_go_and_lines_stay, sandbox_setup, sandbox_teardown),
        cmocka_unit_test_setup_teardown(mistakes_are_told_with_their_place, sandbox_setup, sandbox_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
