/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for hal/intern.c, which keeps each text of the configuration for the life of the process: with a fuzzer's
 * millions of configurations that would be all memory there is. This one forgets them when it is told to.
 */
#ifndef TESTS_FUZZ_INTERN_H
#define TESTS_FUZZ_INTERN_H

/* Every text but those that were to be kept; pointers to them are then stale. */
void fuzz_intern_forget(void);
void fuzz_intern_keep(const char *text);

#endif
