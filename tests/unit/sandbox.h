/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of a test's own below /tmp, which root owns with the sticky bit: files in it can be trusted or spoilt at
 * will, wherever the source tree lies and whoever owns that. */
#ifndef TESTS_SANDBOX_H
#define TESTS_SANDBOX_H

#include <sys/types.h>

/* CMocka fixtures: *state becomes the folder's path. */
int sandbox_setup(void **state);
int sandbox_teardown(void **state);

/* Path of `name` in the folder; one of a few buffers that take turns. */
const char *sandbox_path(void **state, const char *name);

const char *sandbox_folder(void **state, const char *name, mode_t mode);
const char *sandbox_file(void **state, const char *name, const char *text, mode_t mode);
const char *sandbox_copy(void **state, const char *from, const char *name);
const char *sandbox_link(void **state, const char *target, const char *name);

#endif
