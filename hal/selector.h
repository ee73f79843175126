/* SPDX-License-Identifier: Apache-2.0 */
/* Device selectors: the grammar of halyard/device.h, parsed once and matched against specs. */
#ifndef HAL_SELECTOR_H
#define HAL_SELECTOR_H

#include <stdbool.h>

#include <halyard/device.h>

#include "text.h"

#define SELECTOR_CONDITIONS 16
#define SELECTOR_TEXT_BYTES 128

#define SELECTOR_GRAMMAR                                                                                               \
    "\"auto\", \"backend\", \"backend:index\", or conditions \"field op value\" with commas between, like "            \
    "\"kind=gpu,memory>=32GiB\""

struct selector_condition {
    uint32_t field;                 /* index into the table of fields in selector.c */
    uint32_t op;                    /* enum selector_op, there too */
    uint64_t number;                /* of number fields */
    char text[SELECTOR_TEXT_BYTES]; /* as written */
};

/* All must hold; none: "auto". */
struct selector {
    uint32_t count;
    struct selector_condition conditions[SELECTOR_CONDITIONS];
};

/* On failure writes one sentence saying where and what was expected, and leaves *out_selector undefined. */
bool selector_parse(const char *text, struct selector *out_selector, char *why, size_t why_size);

/* When it does not match, writes the first condition that fails and what the device has. */
bool selector_matches(const struct selector *selector, const haly_device_spec *spec, char *why, size_t why_size);

/* Whether a device of the backend could match: false only when a condition on the backend's name excludes it. */
bool selector_allows_backend(const struct selector *selector, const char *backend);

/* The one backend it names without '*', or NULL. */
const char *selector_backend(const struct selector *selector);

#endif
