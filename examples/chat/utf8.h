/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF. Everything that enters the chat example
 * (file strings, prompts) and everything that leaves it (streamed text) passes through here.
 */
#ifndef CHAT_UTF8_H
#define CHAT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UTF8_INVALID = 0, UTF8_INCOMPLETE = -1, UTF8_LONGEST = 4 };

/*
 * Reads one code point from the start of text[0..size). Returns the bytes it takes (1 to 4), UTF8_INVALID when they can
 * not begin a code point, or UTF8_INCOMPLETE when they are a valid beginning that `size` cuts short (size 0 included).
 * out_code_point is written only on success.
 */
int utf8_read(const char *text, size_t size, uint32_t *out_code_point);

/* Writes the code point (at most U+10FFFF) and returns the bytes written, 1 to 4. */
int utf8_write(uint32_t code_point, char out_text[UTF8_LONGEST]);

/* True when the whole text is UTF-8; otherwise out_offset is where the first bad or cut sequence begins. */
bool utf8_check(const char *text, size_t size, size_t *out_offset);

#endif
