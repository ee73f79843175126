/* SPDX-License-Identifier: Apache-2.0 */
/* Which files may bring code into the process. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "trust.h"
#include "unit/sandbox.h"

static char real[PATH_MAX], why[256];

static haly_status check(const char *path, const struct trust_anchor *anchor)
{
    struct stat info;
    why[0] = '\0';
    return trust_check(path, anchor, real, &info, why, sizeof why);
}

static void a_private_file_is_trusted(void **state)
{
    const char *file = sandbox_file(state, "a.so", "x", 0755);
    assert_int_equal(check(file, NULL), HALY_OK);
    assert_string_equal(real, file);
}

static void a_file_that_others_can_write_is_not(void **state)
{
    assert_int_equal(check(sandbox_file(state, "a.so", "x", 0757), NULL), HALY_ERR_PERMISSION);
    assert_non_null(strstr(why, "a.so can be written by everybody"));
    assert_int_equal(check(sandbox_file(state, "b.so", "x", 0775), NULL), HALY_ERR_PERMISSION);
    assert_non_null(strstr(why, "b.so can be written by its group"));
}

static void a_folder_above_that_others_can_write_spoils_it(void **state)
{
    sandbox_folder(state, "open", 0777);
    sandbox_folder(state, "open/inner", 0755);
    assert_int_equal(check(sandbox_file(state, "open/inner/a.so", "x", 0755), NULL), HALY_ERR_PERMISSION);
    assert_non_null(strstr(why, "/open can be written by everybody"));
    chmod(sandbox_path(state, "open"), 0770);
    assert_int_equal(check(sandbox_path(state, "open/inner/a.so"), NULL), HALY_ERR_PERMISSION);
    assert_non_null(strstr(why, "/open can be written by its group"));
    chmod(sandbox_path(state, "open"), 0750);
    assert_int_equal(check(sandbox_path(state, "open/inner/a.so"), NULL), HALY_OK);
}

static void only_roots_sticky_folder_is_accepted(void **state)
{
    sandbox_folder(state, "sticky", 01777);
    const char *file = sandbox_file(state, "sticky/a.so", "x", 0755);
    if (geteuid() == 0) {
        assert_int_equal(check(file, NULL), HALY_OK);
        assert_int_equal(chown(sandbox_path(state, "sticky"), 4711, 0), 0);
    }
    assert_int_equal(check(file, NULL), HALY_ERR_PERMISSION);
}

static void a_strangers_file_or_folder_is_not_trusted(void **state)
{
    if (geteuid() != 0) {
        print_message("only root can give files away\n");
        skip();
    }
    sandbox_folder(state, "theirs", 0755);
    const char *file = sandbox_file(state, "theirs/a.so", "x", 0755);
    assert_int_equal(chown(file, 4711, 0), 0);
    assert_int_equal(check(file, NULL), HALY_ERR_PERMISSION);
    assert_non_null(strstr(why, "a.so belongs to user 4711, neither root nor the effective user"));
    assert_int_equal(chown(file, 0, 0), 0);
    assert_int_equal(chown(sandbox_path(state, "theirs"), 4711, 0), 0);
    assert_int_equal(check(file, NULL), HALY_ERR_PERMISSION);
    assert_non_null(strstr(why, "/theirs belongs to user 4711"));
}

static void a_link_is_followed_before_anything_is_checked(void **state)
{
    sandbox_folder(state, "open", 0777);
    const char *target = sandbox_file(state, "open/a.so", "x", 0755);
    const char *link = sandbox_link(state, target, "link.so");
    assert_int_equal(check(link, NULL), HALY_ERR_PERMISSION);
    assert_string_equal(real, target);
    const char *good = sandbox_file(state, "good.so", "x", 0755);
    const char *in_open = sandbox_link(state, good, "open/link.so");
    assert_int_equal(check(in_open, NULL), HALY_OK); /* what would be opened is the target, by its real path */
    assert_string_equal(real, good);
}

static void what_is_no_regular_file_is_refused(void **state)
{
    const char *folder = sandbox_folder(state, "folder.so", 0755);
    assert_int_equal(check(folder, NULL), HALY_ERR_PERMISSION);
    assert_non_null(strstr(why, "not a regular file"));
    const char *pipe_path = sandbox_path(state, "pipe.so");
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_int_equal(check(pipe_path, NULL), HALY_ERR_PERMISSION);
    assert_int_equal(check("/dev/null", NULL), HALY_ERR_PERMISSION);
}

static void what_is_not_there_is_not_found(void **state)
{
    assert_int_equal(check(sandbox_path(state, "absent.so"), NULL), HALY_ERR_NOT_FOUND);
    assert_int_equal(check(sandbox_link(state, "nowhere", "dangling.so"), NULL), HALY_ERR_NOT_FOUND);
    assert_int_equal(check("relative.so", NULL), HALY_ERR_PERMISSION);
    sandbox_link(state, sandbox_path(state, "loop.so"), "loop.so");
    assert_int_equal(check(sandbox_path(state, "loop.so"), NULL), HALY_ERR_PERMISSION);
}

static void beside_the_library_its_own_trust_is_enough(void **state)
{
    struct trust_anchor anchor = {.owner = 4711, .group = 4712, .group_may_write = true};
    const char *folder = sandbox_folder(state, "lib", 0777); /* libhalyard lies in it already */
    snprintf(anchor.folder, sizeof anchor.folder, "%s", folder);
    sandbox_folder(state, "lib/halyard", 0755);
    const char *file = sandbox_file(state, "lib/halyard/a.so", "x", 0755);
    assert_int_equal(check(file, NULL), HALY_ERR_PERMISSION);
    assert_int_equal(check(file, &anchor), HALY_OK);
    assert_int_equal(chmod(sandbox_path(state, "lib/halyard"), 0777), 0);
    assert_int_equal(check(file, &anchor), HALY_ERR_PERMISSION);
    assert_int_equal(chmod(sandbox_path(state, "lib/halyard"), 0775), 0);
    assert_int_equal(check(file, &anchor), HALY_ERR_PERMISSION); /* another group than the library's */
    assert_int_equal(chmod(sandbox_path(state, "lib/halyard"), 0755), 0);
    anchor.group = getegid();
    assert_int_equal(chmod(file, 0775), 0);
    assert_int_equal(check(file, &anchor), HALY_OK);
    const char *link = sandbox_link(state, "/etc/passwd", "lib/halyard/link.so");
    assert_int_equal(check(link, &anchor), HALY_OK); /* by the strict rules: root's all the way */
    sandbox_folder(state, "lib2", 0777);
    assert_int_equal(check(sandbox_file(state, "lib2/a.so", "x", 0755), &anchor), HALY_ERR_PERMISSION);
}

/* ---- owners and modes of everything on the way, against a second opinion ---- */

enum { STRANGER = 4711, USER = 65534, LEVELS = 3 };

static const uid_t owners[] = {0, USER, STRANGER};
static const mode_t modes[] = {0755, 0775, 0757, 0777, 01777, 01775, 01755, 02755, 04755};

/* May only root and `user` change what this is, or is in it? */
static bool is_closed(bool is_folder, uid_t owner, mode_t mode, uid_t user)
{
    const bool is_sticky_of_root = is_folder && (mode & S_ISVTX) != 0 && owner == 0;
    return (owner == 0 || owner == user) && ((mode & (S_IWGRP | S_IWOTH)) == 0 || is_sticky_of_root);
}

/* The file, its folder and the folder above that, of which one is as given and the others are root's. */
static void check_one_on_the_way(void **state, int level, uid_t owner, mode_t mode, uid_t user)
{
    static const char *const names[LEVELS] = {"upper/folder/a.so", "upper/folder", "upper"};
    const char *odd = sandbox_path(state, names[level]);
    assert_int_equal(chown(odd, owner, owner), 0);
    assert_int_equal(chmod(odd, mode), 0);
    assert_int_equal(seteuid(user), 0);
    const haly_status status = check(sandbox_path(state, names[0]), NULL);
    assert_int_equal(seteuid(0), 0);
    if ((status == HALY_OK) != is_closed(level != 0, owner, mode, user) ||
        (status != HALY_OK && status != HALY_ERR_PERMISSION))
        fail_msg("%s of user %u, mode %o, for user %u: %d (%s)", names[level], (unsigned)owner, (unsigned)mode,
                 (unsigned)user, (int)status, why);
    if (status != HALY_OK)
        assert_non_null(strstr(why, odd));
    assert_int_equal(chown(odd, 0, 0), 0);
    assert_int_equal(chmod(odd, 0755), 0);
}

static void each_owner_and_mode_on_the_way_counts(void **state)
{
    unsigned count = 0;
    if (geteuid() != 0) {
        print_message("only root can give files away\n");
        skip();
    }
    assert_int_equal(chmod(*state, 0755), 0);
    sandbox_folder(state, "upper", 0755);
    sandbox_folder(state, "upper/folder", 0755);
    sandbox_file(state, "upper/folder/a.so", "x", 0755);
    for (int level = 0; level < LEVELS; level++)
        for (size_t i = 0; i < sizeof owners / sizeof *owners; i++)
            for (size_t j = 0; j < sizeof modes / sizeof *modes; j++)
                for (int as_user = 0; as_user < 2; as_user++, count++)
                    check_one_on_the_way(state, level, owners[i], modes[j], as_user ? USER : 0);
    print_message("table: %u owners and modes of a file and the folders above it\n", count);
}

static void the_anchor_is_where_this_code_lies(void **state)
{
    (void)state;
    struct trust_anchor anchor;
    char self[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(length > 0);
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    assert_int_equal(trust_anchor_find(&anchor), HALY_OK);
    assert_string_equal(anchor.folder, self);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, sandbox_setup, sandbox_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_private_file_is_trusted),
        TEST(a_file_that_others_can_write_is_not),
        TEST(a_folder_above_that_others_can_write_spoils_it),
        TEST(only_roots_sticky_folder_is_accepted),
        TEST(a_strangers_file_or_folder_is_not_trusted),
        TEST(a_link_is_followed_before_anything_is_checked),
        TEST(what_is_no_regular_file_is_refused),
        TEST(what_is_not_there_is_not_found),
        TEST(beside_the_library_its_own_trust_is_enough),
        TEST(each_owner_and_mode_on_the_way_counts),
        TEST(the_anchor_is_where_this_code_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
