/* SPDX-License-Identifier: Apache-2.0 */
/* What fuzz targets share. */
#define _GNU_SOURCE
#include "fuzz.h"

#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void fuzz_fail(const char *file, int line, const char *condition, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "%s:%d: does not hold: %s\n  ", file, line, condition);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    abort();
}

void fuzz_check_message(const char *message, const char *word)
{
    FUZZ_CHECK(message[0] != '\0', "the message is empty");
    for (const char *at = message; *at != '\0'; at++)
        FUZZ_CHECK((unsigned char)*at >= 0x20 && *at != 0x7f, "byte 0x%02x in \"%s\"", (unsigned char)*at, message);
    FUZZ_CHECK(strstr(message, word) != NULL, "no \"%s\" in \"%s\"", word, message);
}

static void *checked(void *memory)
{
    FUZZ_CHECK(memory != NULL, "out of memory");
    return memory;
}

char *fuzz_text(const void *data, size_t size)
{
    char *text = checked(malloc(size + 1));
    if (size != 0)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

char *fuzz_line(const uint8_t **data, size_t *size)
{
    if (*size == 0)
        return NULL;
    const uint8_t *end = memchr(*data, '\n', *size);
    const size_t length = end != NULL ? (size_t)(end - *data) : *size;
    char *line = fuzz_text(*data, length);
    const size_t used = length + (end != NULL);
    *data += used;
    *size -= used;
    return line;
}

const char *fuzz_file(const void *data, size_t size)
{
    static int file = -1;
    static char path[64];
    if (file < 0) {
        file = memfd_create("fuzz", MFD_CLOEXEC);
        FUZZ_CHECK(file >= 0 && fchmod(file, 0600) == 0, "no file in memory");
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    FUZZ_CHECK(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size, "cannot write %zu bytes", size);
    return path;
}

/* Decodes as the length in the first byte says, and asks whether the number needed that length. */
bool fuzz_is_utf8(const void *bytes, size_t size)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t *at = bytes, *end = at + size;
    while (at < end) {
        const int length = *at < 0x80 ? 1 : *at >> 5 == 6 ? 2 : *at >> 4 == 14 ? 3 : *at >> 3 == 30 ? 4 : 0;
        if (length == 0 || length > end - at)
            return false;
        uint32_t number = length == 1 ? *at : *at & (0x7fU >> length);
        for (int i = 1; i < length; i++) {
            if (at[i] >> 6 != 2)
                return false;
            number = number * 64 + at[i] % 64;
        }
        if (number < least[length] || number > 0x10ffff || (number >= 0xd800 && number < 0xe000))
            return false;
        at += length;
    }
    return true;
}

bool fuzz_number(const char *text, uint64_t *out_number)
{
    static const char units[] = "KMGT";
    fuzz_wide number = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        if ((number = number * 10 + (unsigned)(*text - '0')) > UINT64_MAX)
            return false;
    const char *unit = *text != '\0' ? strchr(units, *text) : NULL;
    if (unit != NULL)
        number <<= 10 * (unit - units + 1);
    *out_number = (uint64_t)number;
    return number <= UINT64_MAX;
}

bool fuzz_matches(const char *expression, const char *text)
{
    enum { MOST = 32 };
    static struct {
        const char *expression;
        regex_t compiled;
    } known[MOST];
    size_t i = 0;
    while (i < MOST && known[i].expression != NULL && known[i].expression != expression)
        i++;
    FUZZ_CHECK(i < MOST, "more than %d expressions", MOST);
    if (known[i].expression == NULL) {
        FUZZ_CHECK(regcomp(&known[i].compiled, expression, REG_EXTENDED | REG_NOSUB) == 0, "%s", expression);
        known[i].expression = expression;
    }
    return regexec(&known[i].compiled, text, 0, NULL, 0) == 0;
}
