/* SPDX-License-Identifier: Apache-2.0 */
/* What HALYARD_BACKEND says: the only backends to use, in order of preference, or those to leave out. */
#ifndef HAL_SELECTION_H
#define HAL_SELECTION_H

#include <stdbool.h>

#include "text.h"

#define SELECTION_NAMES 32

#define SELECTION_GRAMMAR                                                                                              \
    "backend names with commas between, or \"^\" and names to leave out; a name is [a-z0-9_]{1,32}, in any case"

/* count 0: every backend. */
struct selection {
    bool excludes;
    uint32_t count;
    char names[SELECTION_NAMES][BACKEND_NAME_BYTES];
};

/* On failure writes one sentence. */
bool selection_parse(const char *text, struct selection *out_selection, char *why, size_t why_size);

/* Whether the backend takes part. */
bool selection_takes(const struct selection *selection, const char *backend);

/* Place in the order of preference, 0 first; equal for all when nothing was named. */
uint32_t selection_preference(const struct selection *selection, const char *backend);

/* Whether it was named to be used: then it must be usable. */
bool selection_names(const struct selection *selection, const char *backend);

#endif
