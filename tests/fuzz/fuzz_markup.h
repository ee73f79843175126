/* SPDX-License-Identifier: Apache-2.0 */
/* Strict readers of JSON and XML that build nothing: is it well-formed, and how much stands in it? */
#ifndef TESTS_FUZZ_MARKUP_H
#define TESTS_FUZZ_MARKUP_H

#include <stdbool.h>
#include <stddef.h>

struct fuzz_markup {
    size_t members;   /* JSON: names in objects; XML: attributes */
    size_t elements;  /* JSON: values in arrays; XML: elements */
    size_t negatives; /* JSON: numbers below zero */
};

/* RFC 8259 with nothing before or behind but blanks; UTF-8 throughout. */
bool fuzz_read_json(const char *text, size_t size, struct fuzz_markup *out_found);

/* One element, perhaps behind a declaration; the five entities and decimal references only. */
bool fuzz_read_xml(const char *text, size_t size, struct fuzz_markup *out_found);

#endif
