/* SPDX-License-Identifier: Apache-2.0 */
/* Formatting of the chat example's one-line errors. */
#include "chat_error.h"

#include <stdarg.h>
#include <stdio.h>

void chat_error_set(struct chat_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
}

const char *chat_quote(struct chat_quoted *out_quoted, const void *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    enum { WIDEST = 4, ELLIPSIS = 4 }; /* "\xNN" and "..." with its terminator */
    const unsigned char *from = bytes;
    size_t used = 0;
    size_t at = 0;

    for (; at < size && used + WIDEST + ELLIPSIS <= sizeof out_quoted->text; at++) {
        unsigned char byte = from[at];
        if (byte >= 0x20 && byte < 0x7f) {
            out_quoted->text[used++] = (char)byte;
            continue;
        }
        out_quoted->text[used++] = '\\';
        out_quoted->text[used++] = 'x';
        out_quoted->text[used++] = digits[byte >> 4];
        out_quoted->text[used++] = digits[byte & 15];
    }
    for (int dot = 0; at < size && dot < 3; dot++)
        out_quoted->text[used++] = '.';
    out_quoted->text[used] = '\0';
    return out_quoted->text;
}
