/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How every part of the chat example reports a failure: one line of text in memory that the caller owns. Functions that
 * can fail return false and fill it in; nothing here prints or exits.
 */
#ifndef CHAT_ERROR_H
#define CHAT_ERROR_H

#include <stdbool.h>
#include <stddef.h>

struct chat_error {
    char text[512];
};

/* Text from a file or a user, made safe to show inside a one-line message. */
struct chat_quoted {
    char text[80];
};

/* Writes the message, cut to fit. */
void chat_error_set(struct chat_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* `return CHAT_FAIL(error, "format", …);` A macro, so that compilers see the false and need no needless initialisers.
 */
#define CHAT_FAIL(...) (chat_error_set(__VA_ARGS__), false)

/*
 * Copies `size` bytes with everything but printable ASCII written as \xNN; what does not fit ends in "...".
 * Returns out_quoted->text, so that it can be used inside an argument list.
 */
const char *chat_quote(struct chat_quoted *out_quoted, const void *bytes, size_t size);

#endif
