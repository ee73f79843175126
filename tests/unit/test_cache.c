/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/* Results of compiling on disk: found again, believed only when nobody else could have written them, whole always. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache.h"
#include "instance.h"
#include "param.h"
#include "sandbox.h"

static haly_instance *instance;

/* The calling thread works for an instance whose cache is `folder`. */
static void use_folder(const char *folder)
{
    haly_instance_release(instance);
    instance = NULL;
    assert_int_equal(setenv("HALYARD_CACHE_DIR", folder, 1), 0);
    assert_int_equal(haly_instance_create(NULL, &instance), HALY_OK);
    param_scope(instance_params(instance));
}

static int setup(void **state)
{
    return sandbox_setup(state);
}

static int teardown(void **state)
{
    param_scope(NULL);
    haly_instance_release(instance);
    instance = NULL;
    return sandbox_teardown(state);
}

static void put(const char *first, const char *second, const char *content)
{
    const haly_cache_part parts[] = {{first, strlen(first)}, {second, strlen(second)}};
    cache_put("cpu", parts, 2, content, strlen(content));
}

/* The content under a key, or NULL; to cache_free(). */
static char *get(const char *backend, const char *first, const char *second)
{
    const haly_cache_part parts[] = {{first, strlen(first)}, {second, strlen(second)}};
    void *data = NULL;
    uint64_t size = 0;
    if (cache_get(backend, parts, 2, &data, &size) != HALY_OK)
        return NULL;
    assert_int_equal(strlen(data), size);
    return data;
}

static void assert_kept(const char *first, const char *second, const char *content)
{
    char *found = get("cpu", first, second);
    assert_non_null(found);
    assert_string_equal(found, content);
    cache_free(found);
}

/* The only file below a folder. */
static void only_file(const char *folder, char *path, size_t size)
{
    unsigned count = 0;
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (entry->d_name[0] != '.') {
            snprintf(path, size, "%s/%s", folder, entry->d_name);
            count++;
        }
    closedir(directory);
    assert_int_equal(count, 1);
}

static void what_was_put_is_found_by_its_whole_key_alone(void **state)
{
    use_folder(sandbox_path(state, "deep/er/cache"));
    assert_null(get("cpu", "ab", "c"));
    put("ab", "c", "first");
    put("b", "", "");
    assert_kept("ab", "c", "first");
    assert_kept("b", "", "");
    assert_null(get("cpu", "a", "bc"));
    assert_null(get("cpu", "ab", ""));
    assert_null(get("opencl", "ab", "c"));
    put("ab", "c", "second");
    assert_kept("ab", "c", "second");
}

static void a_file_that_was_changed_is_not_believed_and_is_replaced(void **state)
{
    char path[4096];
    const char *folder = sandbox_path(state, "cache");
    use_folder(folder);
    put("a", "b", "content");
    only_file(folder, path, sizeof path);
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    for (off_t at = 0; at < about.st_size; at++) {
        unsigned char byte = 0;
        const int file = open(path, O_RDWR);
        assert_int_equal(pread(file, &byte, 1, at), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(file, &byte, 1, at), 1);
        assert_null(get("cpu", "a", "b"));
        byte ^= 0x10;
        assert_int_equal(pwrite(file, &byte, 1, at), 1);
        close(file);
    }
    assert_kept("a", "b", "content");
    for (off_t size = about.st_size - 1; size >= 0; size -= 7) {
        assert_int_equal(truncate(path, size), 0);
        assert_null(get("cpu", "a", "b"));
    }
    put("a", "b", "content");
    assert_kept("a", "b", "content");
}

static void what_others_could_have_written_is_not_believed(void **state)
{
    char path[4096], moved[4096 + 8];
    const char *folder = sandbox_path(state, "cache");
    use_folder(folder);
    put("a", "b", "content");
    only_file(folder, path, sizeof path);
    assert_int_equal(chmod(path, 0620), 0);
    assert_null(get("cpu", "a", "b"));
    assert_int_equal(chmod(path, 0600), 0);
    assert_kept("a", "b", "content");
    assert_int_equal(chmod(folder, 0777), 0);
    assert_null(get("cpu", "a", "b"));
    put("a", "b", "other");
    assert_int_equal(chmod(folder, 0700), 0);
    assert_kept("a", "b", "content");
    snprintf(moved, sizeof moved, "%s.moved", path);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(symlink(moved, path), 0);
    assert_null(get("cpu", "a", "b"));
    put("a", "b", "again"); /* takes the link's place; what it led to stays */
    assert_kept("a", "b", "again");
}

static void without_a_folder_nothing_is_kept_and_nothing_fails(void **state)
{
    use_folder("off");
    put("a", "b", "content");
    assert_null(get("cpu", "a", "b"));
    use_folder(sandbox_file(state, "plain", "a file", 0600));
    put("a", "b", "content");
    assert_null(get("cpu", "a", "b"));
    param_scope(NULL);
    put("a", "b", "content");
    assert_null(get("cpu", "a", "b"));
}

static void the_folder_is_an_absolute_one(void **state)
{
    haly_instance *refused = NULL;
    haly_error error = {HALY_ERROR_INIT};
    (void)state;
    setenv("HALYARD_CACHE_DIR", "here", 1);
    assert_int_equal(haly_instance_create(NULL, &refused), HALY_ERR_INVALID);
    assert_int_equal(haly_error_last(&error), HALY_OK);
    assert_non_null(strstr(error.message, "HALYARD_CACHE_DIR"));
    assert_non_null(strstr(error.message, "absolute"));
}

static void unset_it_is_below_the_user_s_own(void **state)
{
    char path[4096];
    unsetenv("HALYARD_CACHE_DIR");
    setenv("XDG_CACHE_HOME", sandbox_folder(state, "xdg", 0700), 1);
    use_folder("");
    put("a", "b", "content");
    only_file(sandbox_path(state, "xdg/halyard"), path, sizeof path);
    unsetenv("XDG_CACHE_HOME");
    setenv("HOME", sandbox_folder(state, "home", 0700), 1);
    put("a", "b", "content");
    only_file(sandbox_path(state, "home/.cache/halyard"), path, sizeof path);
}

#define WRITERS 4
#define ROUNDS 60

/* Contents of one length in which every byte is the writer's. */
static void write_often(char letter)
{
    static char content[100001];
    memset(content, letter, sizeof content - 1);
    for (unsigned i = 0; i < ROUNDS; i++)
        put("shared", "key", content);
    _exit(0);
}

static void writers_at_the_same_time_never_mix(void **state)
{
    char path[4096];
    const char *folder = sandbox_path(state, "cache");
    unsigned seen = 0, running = WRITERS;
    use_folder(folder);
    for (int i = 0; i < WRITERS; i++)
        if (fork() == 0)
            write_often((char)('a' + i));
    while (running > 0) {
        char *found = get("cpu", "shared", "key");
        if (found != NULL) {
            assert_int_equal(strlen(found), 100000);
            assert_int_equal(strspn(found, (char[]){found[0], '\0'}), 100000);
            seen++;
        }
        cache_free(found);
        int status = 0;
        if (waitpid(-1, &status, WNOHANG) > 0) {
            assert_int_equal(status, 0);
            running--;
        }
    }
    assert_true(seen > 0);
    only_file(folder, path, sizeof path); /* nothing half made was left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_put_is_found_by_its_whole_key_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_was_changed_is_not_believed_and_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(what_others_could_have_written_is_not_believed, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_folder_nothing_is_kept_and_nothing_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(the_folder_is_an_absolute_one, setup, teardown),
        cmocka_unit_test_setup_teardown(unset_it_is_below_the_user_s_own, setup, teardown),
        cmocka_unit_test_setup_teardown(writers_at_the_same_time_never_mix, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
