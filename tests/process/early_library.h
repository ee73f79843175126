/* SPDX-License-Identifier: Apache-2.0 */
/* A library that knows nothing of libhalyard and whose destructor runs after every other. */
#ifndef TESTS_PROCESS_EARLY_LIBRARY_H
#define TESTS_PROCESS_EARLY_LIBRARY_H

/* What the destructor calls. */
__attribute__((visibility("default"))) void early_library_at_end(void (*first)(void), void (*second)(void));

#endif
