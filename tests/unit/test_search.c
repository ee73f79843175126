/* SPDX-License-Identifier: Apache-2.0 */
/* Where backends are looked for, and which of several wins. */
#define _GNU_SOURCE
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "log.h"
#include "search.h"
#include "unit/sandbox.h"

static struct search search;

static haly_status look(const char *path, const char *own)
{
    return search_backends(path, NULL, NULL, own, &search);
}

static const struct search_file *file_at(unsigned index)
{
    const struct search_file *file = search.files;
    while (file != NULL && index-- > 0)
        file = file->next;
    return file;
}

static void elements_are_absolute_and_not_empty(void **state)
{
    (void)state;
    static const struct {
        const char *path, *says; /* NULL: fine */
    } cases[] = {{"", NULL},
                 {"/a", NULL},
                 {"/a:/b/", NULL},
                 {"/a/libhalyard_backend_x.so", NULL},
                 {":", "element 1 is empty"},
                 {"/a:", "element 2 is empty"},
                 {":/a", "element 1 is empty"},
                 {"/a::/b", "element 2 is empty"},
                 {"a", "element 1, \"a\", is relative"},
                 {"/a:./b", "element 2, \"./b\", is relative"},
                 {"/a:~/b", "element 2, \"~/b\", is relative"},
                 {"/a/libhalyard_backend_.so", "names no backend"},
                 {"/a/libhalyard_backend_A.so", "names no backend"},
                 {"/a/libhalyard_backend_x.so.1", "names no backend"},
                 {"/a/libhalyard_backend_a-b.so", "names no backend"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char why[256] = "";
        assert_int_equal(search_path_check(cases[i].path, why, sizeof why), cases[i].says == NULL);
        if (cases[i].says != NULL)
            assert_non_null(strstr(why, cases[i].says));
    }
}

static void only_files_of_the_right_name_are_taken_in_order(void **state)
{
    const char *folder = sandbox_folder(state, "a", 0755);
    sandbox_file(state, "a/libhalyard_backend_zeta.so", "", 0755);
    sandbox_file(state, "a/libhalyard_backend_alpha.so", "", 0755);
    sandbox_file(state, "a/libhalyard_backend_alpha.so.bak", "", 0755);
    sandbox_file(state, "a/libhalyard_backend_Upper.so", "", 0755);
    sandbox_file(state, "a/libhalyard_backend_.so", "", 0755);
    sandbox_file(state, "a/halyard_backend_x.so", "", 0755);
    sandbox_file(state, "a/libhalyard_backend_abcdefghijklmnopqrstuvwxyz0123456.so", "", 0755);
    assert_int_equal(look("", folder), HALY_OK);
    assert_string_equal(file_at(0)->name, "alpha");
    assert_string_equal(file_at(1)->name, "zeta");
    assert_null(file_at(2));
    assert_string_equal(search.folders, folder);
    search_free(&search);
}

/* A locale in which b comes before a, made with nothing but the C library's own compiler for locales. */
static bool use_backward_locale(void **state)
{
    char charmap[8192] = "<code_set_name> ANSI_X3.4-1968\n<comment_char> %\n<escape_char> /\nCHARMAP\n";
    char command[1024];
    for (unsigned i = 0; i < 128; i++)
        text_append(charmap, sizeof charmap, "<U%04X> /x%02x x\n", i, i);
    text_append(charmap, sizeof charmap, "END CHARMAP\n");
    sandbox_folder(state, "locales", 0755);
    sandbox_file(state, "charmap", charmap, 0644);
    sandbox_file(state, "source",
                 "escape_char /\nLC_COLLATE\norder_start forward\n<U0062>\n<U0061>\norder_end\nEND LC_COLLATE\n", 0644);
    snprintf(command, sizeof command, "cd %s && localedef -c -i source -f charmap locales/backward >/dev/null 2>&1",
             (const char *)*state);
    (void)!system(command); /* warns of categories that it lacks */
    return setenv("LOCPATH", sandbox_path(state, "locales"), 1) == 0 && setlocale(LC_COLLATE, "backward") != NULL;
}

static char warning[512];

static void keep_warning(void *user, haly_log_level level, const char *text)
{
    (void)user;
    if (level == HALY_LOG_WARN)
        snprintf(warning, sizeof warning, "%s", text);
}

static void a_name_that_no_backend_can_have_is_told(void **state)
{
    struct log_sink sink = {.fn = keep_warning, .level = HALY_LOG_WARN};
    const char *folder = sandbox_folder(state, "a", 0755);
    sandbox_file(state, "a/libhalyard_backend_Foo-Bar.so", "", 0755);
    log_sink_add(&sink);
    assert_int_equal(look(folder, NULL), HALY_OK);
    log_sink_remove(&sink);
    assert_null(file_at(0));
    assert_non_null(strstr(warning, "a/libhalyard_backend_Foo-Bar.so is left out: a backend's name is"));
    search_free(&search);
}

static void the_order_of_names_is_the_same_in_every_locale(void **state)
{
    const char *folder = sandbox_folder(state, "a", 0755);
    sandbox_file(state, "a/libhalyard_backend_b.so", "", 0755);
    sandbox_file(state, "a/libhalyard_backend_a.so", "", 0755);
    if (!use_backward_locale(state)) {
        print_message("there is no localedef here\n");
        skip();
    }
    assert_true(strcoll("a", "b") > 0);
    assert_int_equal(look("", folder), HALY_OK);
    setlocale(LC_COLLATE, "C");
    assert_string_equal(file_at(0)->name, "a");
    assert_string_equal(file_at(1)->name, "b");
    search_free(&search);
}

static void what_the_user_names_comes_first_and_shadows(void **state)
{
    const char *own = sandbox_folder(state, "own", 0755), *user = sandbox_folder(state, "user", 0755);
    sandbox_file(state, "own/libhalyard_backend_cpu.so", "own", 0755);
    sandbox_file(state, "own/libhalyard_backend_other.so", "own", 0755);
    const char *users = sandbox_file(state, "user/libhalyard_backend_cpu.so", "user", 0755);
    assert_int_equal(look(user, own), HALY_OK);
    assert_string_equal(file_at(0)->path, users);
    assert_null(file_at(0)->shadowed_by);
    assert_string_equal(file_at(1)->name, "cpu");
    assert_string_equal(file_at(1)->shadowed_by, users);
    assert_string_equal(file_at(2)->name, "other");
    assert_null(file_at(2)->shadowed_by);
    search_free(&search);
}

static void one_file_found_twice_counts_once(void **state)
{
    const char *folder = sandbox_folder(state, "a", 0755);
    sandbox_file(state, "a/libhalyard_backend_cpu.so", "", 0755);
    sandbox_link(state, folder, "b");
    char path[512];
    snprintf(path, sizeof path, "%s:%s/libhalyard_backend_cpu.so", sandbox_path(state, "b"), folder);
    assert_int_equal(look(path, folder), HALY_OK);
    assert_non_null(file_at(0));
    assert_null(file_at(1));
    search_free(&search);
}

static void a_spoilt_file_keeps_its_place_and_its_reason(void **state)
{
    const char *user = sandbox_folder(state, "user", 0755), *own = sandbox_folder(state, "own", 0755);
    sandbox_file(state, "user/libhalyard_backend_cpu.so", "", 0777);
    sandbox_file(state, "own/libhalyard_backend_cpu.so", "", 0755);
    assert_int_equal(look(user, own), HALY_OK);
    assert_int_equal(file_at(0)->trust, HALY_ERR_PERMISSION);
    assert_non_null(strstr(file_at(0)->why, "written by everybody"));
    assert_non_null(file_at(1)->shadowed_by); /* no second choice in its stead */
    search_free(&search);
}

static void missing_folders_pass_and_missing_files_do_not(void **state)
{
    char path[512];
    assert_int_equal(look(sandbox_path(state, "absent"), sandbox_path(state, "absent2")), HALY_OK);
    assert_null(search.files);
    snprintf(path, sizeof path, "%s/absent/libhalyard_backend_cpu.so", (const char *)*state);
    assert_int_equal(look(path, NULL), HALY_ERR_NOT_FOUND);
    assert_non_null(strstr(error_detail()->message, path));
    assert_int_equal(look(sandbox_file(state, "notes.txt", "", 0644), NULL), HALY_ERR_INVALID);
    assert_non_null(strstr(error_detail()->message, "notes.txt"));
}

/* Elements of HALYARD_BACKEND_PATH below the sandbox, and what is found by them. */
static const struct {
    const char *element;
    haly_status status; /* of the search */
    int found;
    haly_status trust; /* of what was found */
} elements[] = {
    {"good", HALY_OK, 1, HALY_OK},
    {"good/", HALY_OK, 1, HALY_OK},
    {"good///", HALY_OK, 1, HALY_OK},
    {"/good", HALY_OK, 1, HALY_OK}, /* two slashes */
    {"good/.", HALY_OK, 1, HALY_OK},
    {"./good", HALY_OK, 1, HALY_OK},
    {"good/../good", HALY_OK, 1, HALY_OK},
    {"open/../good", HALY_OK, 1, HALY_OK}, /* what is opened is the real path, and that is closed */
    {"good/../open", HALY_OK, 1, HALY_ERR_PERMISSION},
    {"open", HALY_OK, 1, HALY_ERR_PERMISSION},
    {"open/inner", HALY_OK, 1, HALY_ERR_PERMISSION},
    {"link_to_good", HALY_OK, 1, HALY_OK},
    {"link_to_open", HALY_OK, 1, HALY_ERR_PERMISSION},
    {"open/link_to_good", HALY_OK, 1, HALY_OK},
    {"a b", HALY_OK, 1, HALY_OK},
    {"good/libhalyard_backend_cpu.so", HALY_OK, 1, HALY_OK},
    {"good/../good/libhalyard_backend_cpu.so", HALY_OK, 1, HALY_OK},
    {"open/libhalyard_backend_cpu.so", HALY_OK, 1, HALY_ERR_PERMISSION},
    {"link_to_good/libhalyard_backend_cpu.so", HALY_OK, 1, HALY_OK},
    {"empty", HALY_OK, 0, HALY_OK},
    {"absent", HALY_OK, 0, HALY_OK},
    {"absent/../good", HALY_OK, 0, HALY_OK}, /* there is no way through it */
    {"$HOME", HALY_OK, 0, HALY_OK},
    {"*", HALY_OK, 0, HALY_OK},
    {"file", HALY_ERR_INVALID, 0, HALY_OK},
    {"pipe", HALY_ERR_INVALID, 0, HALY_OK},
    {"file/libhalyard_backend_cpu.so", HALY_ERR_NOT_FOUND, 0, HALY_OK},
    {"good/libhalyard_backend_other.so", HALY_ERR_NOT_FOUND, 0, HALY_OK},
    {"loop", HALY_ERR_IO, 0, HALY_OK},
    {"folder/libhalyard_backend_cpu.so", HALY_OK, 0, HALY_OK}, /* a folder of that name */
};

static void make_places(void **state)
{
    static const char *const folders[] = {
        "good", "open", "open/inner", "a b", "empty", "folder", "folder/libhalyard_backend_cpu.so"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        sandbox_folder(state, folders[i], 0755);
    sandbox_file(state, "good/libhalyard_backend_cpu.so", "", 0755);
    sandbox_file(state, "open/libhalyard_backend_cpu.so", "", 0755);
    sandbox_file(state, "open/inner/libhalyard_backend_cpu.so", "", 0755);
    sandbox_file(state, "a b/libhalyard_backend_cpu.so", "", 0755);
    sandbox_file(state, "file", "", 0644);
    sandbox_link(state, "good", "link_to_good");
    sandbox_link(state, "open", "link_to_open");
    sandbox_link(state, "../good", "open/link_to_good");
    sandbox_link(state, "loop", "loop");
    assert_int_equal(mkfifo(sandbox_path(state, "pipe"), 0600), 0);
    assert_int_equal(chmod(sandbox_path(state, "open"), 0777), 0);
}

static void each_element_leads_where_it_says_and_is_trusted_by_its_real_path(void **state)
{
    const size_t count = sizeof elements / sizeof *elements;
    make_places(state);
    for (size_t i = 0; i < count; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", (const char *)*state, elements[i].element);
        assert_int_equal(look(path, NULL), elements[i].status);
        if (elements[i].status != HALY_OK)
            continue;
        print_message("         %s\n", elements[i].element);
        assert_int_equal(file_at(0) != NULL, elements[i].found);
        assert_null(file_at(1));
        if (file_at(0) != NULL)
            assert_int_equal(file_at(0)->trust, elements[i].trust);
        search_free(&search);
    }
    print_message("table: %zu elements of the search path\n", count);
}

static void a_folder_beside_the_library_comes_before_the_fixed_one(void **state)
{
    struct trust_anchor anchor = {.owner = 0};
    snprintf(anchor.folder, sizeof anchor.folder, "%s", (const char *)*state);
    sandbox_folder(state, "halyard", 0755);
    const char *beside = sandbox_file(state, "halyard/libhalyard_backend_cpu.so", "", 0755);
    const char *own = sandbox_folder(state, "own", 0755);
    sandbox_file(state, "own/libhalyard_backend_cpu.so", "", 0755);
    assert_int_equal(search_backends("", NULL, &anchor, own, &search), HALY_OK);
    assert_string_equal(file_at(0)->path, beside);
    assert_string_equal(file_at(1)->shadowed_by, beside);
    search_free(&search);
}

static haly_status no_entry(const haly_core_table *core, const haly_backend_table **out_table)
{
    (void)core;
    (void)out_table;
    return HALY_ERR_UNAVAILABLE;
}

static void what_is_built_in_comes_behind_what_the_user_names_and_before_all_else(void **state)
{
    static const struct builtin_backend builtins[] = {{"cpu", no_entry}, {"gpu", no_entry}, {NULL, NULL}};
    const char *user = sandbox_folder(state, "user", 0755), *own = sandbox_folder(state, "own", 0755);
    const char *users = sandbox_file(state, "user/libhalyard_backend_gpu.so", "", 0755);
    sandbox_file(state, "own/libhalyard_backend_cpu.so", "", 0755);
    sandbox_file(state, "own/libhalyard_backend_gpu.so", "", 0755);
    assert_int_equal(search_backends(user, builtins, NULL, own, &search), HALY_OK);
    assert_string_equal(file_at(0)->path, users);
    assert_null(file_at(0)->entry);
    assert_string_equal(file_at(1)->name, "cpu");
    assert_string_equal(file_at(1)->path, "built in");
    assert_true(file_at(1)->entry == no_entry);
    assert_int_equal(file_at(1)->trust, HALY_OK);
    assert_null(file_at(1)->shadowed_by);
    assert_string_equal(file_at(2)->path, "built in");
    assert_string_equal(file_at(2)->shadowed_by, users);
    assert_string_equal(file_at(3)->shadowed_by, "the one that is built in");
    assert_string_equal(file_at(4)->shadowed_by, users);
    search_free(&search);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, sandbox_setup, sandbox_teardown)
    const struct CMUnitTest tests[] = {
        TEST(elements_are_absolute_and_not_empty),
        TEST(only_files_of_the_right_name_are_taken_in_order),
        TEST(a_name_that_no_backend_can_have_is_told),
        TEST(the_order_of_names_is_the_same_in_every_locale),
        TEST(what_the_user_names_comes_first_and_shadows),
        TEST(one_file_found_twice_counts_once),
        TEST(a_spoilt_file_keeps_its_place_and_its_reason),
        TEST(missing_folders_pass_and_missing_files_do_not),
        TEST(each_element_leads_where_it_says_and_is_trusted_by_its_real_path),
        TEST(a_folder_beside_the_library_comes_before_the_fixed_one),
        TEST(what_is_built_in_comes_behind_what_the_user_names_and_before_all_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
