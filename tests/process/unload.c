/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that knows nothing of libhalyard and opens a library that does, closes it while the library's threads are
 * alive, and opens it again. process_unload BACKEND.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void *find(void *handle, const char *name)
{
    void *symbol = dlsym(handle, name);
    if (symbol == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    return symbol;
}

typedef void (*function)(void);

static function find_function(void *handle, const char *name)
{
    function found = NULL;
    void *symbol = find(handle, name);
    memcpy(&found, &symbol, sizeof found);
    return found;
}

/* Ends what it began by a call, by leaving work behind, or by its destructor. */
static int open_and_close(const char *backend, const char *ending)
{
    void (*begin)(const char *) = NULL;
    void *handle = dlopen(LATE_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    void *symbol = find(handle, "late_library_begin");
    memcpy(&begin, &symbol, sizeof begin);
    begin(backend);
    if (ending != NULL)
        find_function(handle, ending)();
    return dlclose(handle);
}

int main(int argc, char **argv)
{
    static const char *const endings[] = {"late_library_leave", NULL, "late_library_end", "late_library_leave"};
    const struct timespec pause = {.tv_nsec = 5000000};
    if (argc != 2) {
        fprintf(stderr, "usage: %s cpu|manual\n", argv[0]);
        return 2;
    }
    for (int round = 0; round < 4; round++) {
        if (open_and_close(argv[1], endings[round]) != 0)
            return 1;
        nanosleep(&pause, NULL); /* threads of libhalyard go on meanwhile */
    }
    return 0;
}
