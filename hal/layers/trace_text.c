/* SPDX-License-Identifier: Apache-2.0 */
/* Building JSON. */
#include "layers/trace_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMATTED 512U /* bytes of one trace_text_format() at most */

static bool reserve(struct trace_text *text, size_t more)
{
    if (text->is_lost)
        return false;
    if (text->capacity - text->size >= more)
        return true;
    const size_t wanted = 2 * text->capacity + more + 256;
    char *grown = realloc(text->bytes, wanted);
    if (grown == NULL) {
        text->is_lost = true;
        return false;
    }
    text->bytes = grown;
    text->capacity = wanted;
    return true;
}

void trace_text_add(struct trace_text *text, const char *bytes, size_t size)
{
    if (!reserve(text, size) || size == 0)
        return;
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
}

void trace_text_format(struct trace_text *text, const char *format, ...)
{
    char formatted[FORMATTED];
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(formatted, sizeof formatted, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= sizeof formatted)
        text->is_lost = true;
    else
        trace_text_add(text, formatted, (size_t)size);
}

void trace_text_quote(struct trace_text *text, const char *string)
{
    trace_text_add(text, "\"", 1);
    for (; *string != '\0'; string++) {
        const unsigned char c = (unsigned char)*string;
        if (c == '"' || c == '\\')
            trace_text_add(text, "\\", 1);
        if (c < 0x20)
            trace_text_format(text, "\\u%04x", c);
        else
            trace_text_add(text, string, 1);
    }
    trace_text_add(text, "\"", 1);
}

void trace_text_microseconds(struct trace_text *text, uint64_t nanoseconds)
{
    trace_text_format(text, "%llu.%03u", (unsigned long long)(nanoseconds / 1000), (unsigned)(nanoseconds % 1000));
}

void trace_text_clear(struct trace_text *text)
{
    free(text->bytes);
    *text = (struct trace_text){0};
}
