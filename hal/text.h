/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded text for messages, and the few parsers that parameters, selectors and policy share. */
#ifndef HAL_TEXT_H
#define HAL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <halyard/base.h>

#define BACKEND_NAME_BYTES 33 /* [a-z0-9_]{1,32} and the NUL */

/* Writes, or adds to, a NUL-terminated text of at most `size` bytes; what does not fit is cut. */
void text_set(char *text, size_t size, const char *format, ...) HALY_PRINTF_LIKE(3, 4);
void text_append(char *text, size_t size, const char *format, ...) HALY_PRINTF_LIKE(3, 4);

/* Appends a line to a text of `size` bytes that may be full, and counts in *needed what all lines together take. */
void text_line(char *text, uint64_t size, uint64_t *needed, const char *format, ...) HALY_PRINTF_LIKE(4, 5);

/* A copy for messages: cut to `size`, with bytes that would break a line or a terminal shown as '?'. Returns `out`. */
const char *text_printable(char *out, size_t size, const char *text, size_t length);
#define TEXT_QUOTED_BYTES 81
#define PRINTABLE(text_) text_printable((char[TEXT_QUOTED_BYTES]){0}, TEXT_QUOTED_BYTES, (text_), SIZE_MAX)

/* A copy with ASCII letters in lower case, cut to `size`. */
void text_lower(char *out, size_t size, const char *text);

/* [a-z0-9_]{1,32} over exactly `length` bytes. */
bool text_is_backend_name(const char *text, size_t length);

/* Decimal digits only, no sign or space; false on overflow or anything else. */
bool text_parse_number(const char *text, size_t length, uint64_t *out_number);

/* The same with a unit B, KiB, MiB, GiB or TiB right behind the digits, which only 0 can do without. */
bool text_parse_size(const char *text, size_t length, uint64_t *out_bytes);

/* What is wrong with a text that the two refuse. */
const char *text_number_fault(const char *text, size_t length);
const char *text_size_fault(const char *text, size_t length);

/* Moves *text and *length past ASCII blanks at both ends. */
void text_trim(const char **text, size_t *length);

/* Whether all of `text` matches `pattern`, where '*' stands for any run and ASCII case does not count. */
bool text_matches(const char *pattern, const char *text);

#endif
