/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of a test's own. */
#define _GNU_SOURCE
#include "sandbox.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

int sandbox_setup(void **state)
{
    char template[] = "/tmp/halyard-test-XXXXXX";
    if (mkdtemp(template) == NULL)
        return -1;
    *state = strdup(template);
    return *state != NULL ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

int sandbox_teardown(void **state)
{
    const int result = nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return result;
}

const char *sandbox_path(void **state, const char *name)
{
    static _Thread_local char paths[8][4096];
    static _Thread_local unsigned turn;
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", (const char *)*state, name);
    return path;
}

const char *sandbox_folder(void **state, const char *name, mode_t mode)
{
    const char *path = sandbox_path(state, name);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

static void write_all(const char *path, const void *bytes, size_t size, mode_t mode)
{
    unlink(path); /* never written over: it may be mapped */
    const int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, size), (ssize_t)size);
    assert_int_equal(fchmod(file, mode), 0);
    close(file);
}

const char *sandbox_file(void **state, const char *name, const char *text, mode_t mode)
{
    const char *path = sandbox_path(state, name);
    write_all(path, text, strlen(text), mode);
    return path;
}

const char *sandbox_copy(void **state, const char *from, const char *name)
{
    const char *path = sandbox_path(state, name);
    struct stat info;
    const int file = open(from, O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(fstat(file, &info), 0);
    const size_t size = (size_t)info.st_size;
    void *bytes = malloc(size);
    assert_non_null(bytes);
    assert_int_equal(read(file, bytes, size), (ssize_t)size);
    close(file);
    write_all(path, bytes, size, 0755);
    free(bytes);
    return path;
}

const char *sandbox_link(void **state, const char *target, const char *name)
{
    const char *path = sandbox_path(state, name);
    assert_int_equal(symlink(target, path), 0);
    return path;
}
