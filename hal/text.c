/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded text for messages, and the few parsers that parameters, selectors and policy share. */
#define _GNU_SOURCE
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void text_set(char *text, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, size, format, arguments);
    va_end(arguments);
}

void text_append(char *text, size_t size, const char *format, ...)
{
    const size_t used = strnlen(text, size);
    if (used >= size)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
}

void text_line(char *text, uint64_t size, uint64_t *needed, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (*needed < size)
        snprintf(text + *needed, size - *needed, "%s\n", line);
    *needed += strlen(line) + 1;
}

const char *text_printable(char *out, size_t size, const char *text, size_t length)
{
    size_t i = 0;
    for (; i + 1 < size && i < length && text[i] != '\0'; i++) {
        const unsigned char byte = (unsigned char)text[i];
        out[i] = byte < 0x20 || byte == 0x7f ? '?' : text[i];
    }
    out[i] = '\0';
    return out;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

void text_lower(char *out, size_t size, const char *text)
{
    size_t i = 0;
    for (; i + 1 < size && text[i] != '\0'; i++)
        out[i] = lower(text[i]);
    out[i] = '\0';
}

bool text_is_backend_name(const char *text, size_t length)
{
    if (length == 0 || length >= BACKEND_NAME_BYTES)
        return false;
    for (size_t i = 0; i < length; i++) {
        const char c = text[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return true;
}

static size_t leading_digits(const char *text, size_t length)
{
    size_t i = 0;
    while (i < length && text[i] >= '0' && text[i] <= '9')
        i++;
    return i;
}

bool text_parse_number(const char *text, size_t length, uint64_t *out_number)
{
    if (length == 0 || leading_digits(text, length) != length)
        return false;
    uint64_t number = 0;
    for (size_t i = 0; i < length; i++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number))
            return false;
    *out_number = number;
    return true;
}

const char *text_number_fault(const char *text, size_t length)
{
    return length > 0 && leading_digits(text, length) == length ? "too large" : "not a number";
}

/* Bytes of a unit; 0 when it is none. */
static uint64_t unit_bytes(const char *unit, size_t length)
{
    static const struct {
        const char *name;
        uint64_t bytes;
    } units[] = {{"B", 1}, {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30}, {"TiB", 1ULL << 40}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strlen(units[i].name) == length && memcmp(units[i].name, unit, length) == 0)
            return units[i].bytes;
    return 0;
}

bool text_parse_size(const char *text, size_t length, uint64_t *out_bytes)
{
    const size_t digits = leading_digits(text, length);
    const uint64_t unit = unit_bytes(text + digits, length - digits);
    uint64_t number;
    if (!text_parse_number(text, digits, &number) || (unit == 0 && (number != 0 || digits != length)))
        return false;
    return !__builtin_mul_overflow(number, unit, out_bytes);
}

const char *text_size_fault(const char *text, size_t length)
{
    const size_t digits = leading_digits(text, length);
    if (digits == 0)
        return "not a size";
    if (digits == length)
        return "a size without its unit";
    return unit_bytes(text + digits, length - digits) != 0 ? "too large" : "not a size";
}

void text_trim(const char **text, size_t *length)
{
    while (*length > 0 && (**text == ' ' || **text == '\t')) {
        ++*text;
        --*length;
    }
    while (*length > 0 && ((*text)[*length - 1] == ' ' || (*text)[*length - 1] == '\t'))
        --*length;
}

bool text_matches(const char *pattern, const char *text)
{
    /* Only the latest star needs to be tried again: linear in practice, never exponential. */
    const char *star = NULL, *retry = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            retry = text;
        } else if (lower(*pattern) == lower(*text) && *pattern != '\0') {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}
