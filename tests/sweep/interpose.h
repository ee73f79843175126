/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts functions of the sweep's in front of what the libraries under test import: the shipped files are tested as they
 * are, nothing is linked differently, and calls that anybody else makes are not touched.
 */
#ifndef TESTS_SWEEP_INTERPOSE_H
#define TESTS_SWEEP_INTERPOSE_H

#include <stdint.h>

struct interposed {
    const char *name;
    void (*function)(void);
    void (**original)(void); /* receives what stood there, where the linker would not find it; or NULL */
};

/* Ended by a row without a name. */
extern const struct interposed interposed_calls[];

/* An object whose imports were replaced. */
struct interposed_object {
    char name[48]; /* of its file, without the folder */
    char path[256];
    uintptr_t base, end;
};

/* Looks through all that is loaded and replaces the imports of what is under test: to be called at the start and behind
 * each dlopen(). Objects stay where they are once loaded. */
__attribute__((visibility("default"))) void interpose_loaded(void);

/* The object that holds an address; NULL when it is none of those under test. */
const struct interposed_object *interpose_find(const void *address);

#endif
