/* SPDX-License-Identifier: Apache-2.0 */
/* Recursive descent over a text that a NUL ends; a NUL inside is an error as any other odd byte. */
#include "fuzz_markup.h"

#include <string.h>

#include "fuzz.h"

enum { DEEPEST = 64 };

struct reader {
    const char *at;
    struct fuzz_markup found;
    int depth;
};

static bool skip(struct reader *reader, const char *text)
{
    const size_t length = strlen(text);
    if (strncmp(reader->at, text, length) != 0)
        return false;
    reader->at += length;
    return true;
}

static size_t skip_any(struct reader *reader, const char *characters)
{
    const size_t length = strspn(reader->at, characters);
    reader->at += length;
    return length;
}

/* ---- JSON ---- */

#define DIGITS "0123456789"
#define JSON_BLANKS " \t\r\n"

static bool read_value(struct reader *reader);

static bool read_text(struct reader *reader)
{
    if (!skip(reader, "\""))
        return false;
    while (*reader->at != '"') {
        if ((unsigned char)*reader->at < 0x20)
            return false;
        if (*reader->at++ != '\\')
            continue;
        if (*reader->at == '\0' || strchr("\"\\/bfnrtu", *reader->at) == NULL)
            return false;
        if (*reader->at++ == 'u') {
            if (strspn(reader->at, DIGITS "abcdefABCDEF") < 4)
                return false;
            reader->at += 4;
        }
    }
    reader->at++;
    return true;
}

static bool read_number(struct reader *reader)
{
    reader->found.negatives += *reader->at == '-';
    (void)skip(reader, "-");
    if (!skip(reader, "0") && skip_any(reader, DIGITS) == 0)
        return false;
    if (skip(reader, ".") && skip_any(reader, DIGITS) == 0)
        return false;
    if (*reader->at != 'e' && *reader->at != 'E')
        return true;
    reader->at++;
    if (!skip(reader, "-"))
        (void)skip(reader, "+");
    return skip_any(reader, DIGITS) != 0;
}

static bool read_member(struct reader *reader)
{
    reader->found.members++;
    skip_any(reader, JSON_BLANKS);
    if (!read_text(reader))
        return false;
    skip_any(reader, JSON_BLANKS);
    return skip(reader, ":") && read_value(reader);
}

static bool read_element(struct reader *reader)
{
    reader->found.elements++;
    return read_value(reader);
}

/* What stands between two brackets, the first of which is behind. */
static bool read_list(struct reader *reader, bool (*read_one)(struct reader *reader), const char *end)
{
    skip_any(reader, JSON_BLANKS);
    if (skip(reader, end))
        return true;
    if (++reader->depth > DEEPEST)
        return false;
    do {
        if (!read_one(reader))
            return false;
    } while (skip(reader, ","));
    reader->depth--;
    return skip(reader, end);
}

static bool read_value(struct reader *reader)
{
    bool is_good;
    skip_any(reader, JSON_BLANKS);
    if (*reader->at == '"')
        is_good = read_text(reader);
    else if (skip(reader, "{"))
        is_good = read_list(reader, read_member, "}");
    else if (skip(reader, "["))
        is_good = read_list(reader, read_element, "]");
    else
        is_good = skip(reader, "true") || skip(reader, "false") || skip(reader, "null") || read_number(reader);
    skip_any(reader, JSON_BLANKS);
    return is_good;
}

bool fuzz_read_json(const char *text, size_t size, struct fuzz_markup *out_found)
{
    struct reader reader = {.at = text};
    const bool is_good = fuzz_is_utf8(text, size) && read_value(&reader) && reader.at == text + size;
    *out_found = reader.found;
    return is_good;
}

/* ---- XML ---- */

#define NAME "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

/* Text up to `end`, which it leaves. */
static bool read_characters(struct reader *reader, char end)
{
    for (; *reader->at != end; reader->at++) {
        const unsigned char byte = (unsigned char)*reader->at;
        if (byte == '<' || (byte < 0x20 && strchr("\t\r\n", byte) == NULL) || byte == '\0')
            return false;
        if (byte != '&')
            continue;
        if (skip(reader, "&#")) {
            if (skip_any(reader, DIGITS) == 0)
                return false;
        } else if (!skip(reader, "&lt") && !skip(reader, "&gt") && !skip(reader, "&amp") && !skip(reader, "&quot") &&
                   !skip(reader, "&apos")) {
            return false;
        }
        if (*reader->at != ';')
            return false;
    }
    return true;
}

static bool read_attributes(struct reader *reader)
{
    while (skip_any(reader, JSON_BLANKS) != 0 && skip_any(reader, NAME) != 0) {
        reader->found.members++;
        if (!skip(reader, "=\"") || !read_characters(reader, '"') || !skip(reader, "\""))
            return false;
    }
    return true;
}

static bool read_tag(struct reader *reader)
{
    const char *name = reader->at + 1;
    if (!skip(reader, "<"))
        return false;
    const size_t length = skip_any(reader, NAME);
    reader->found.elements++;
    if (length == 0 || ++reader->depth > DEEPEST || !read_attributes(reader))
        return false;
    if (skip(reader, "/>")) {
        reader->depth--;
        return true;
    }
    if (!skip(reader, ">"))
        return false;
    for (;;) {
        if (!read_characters(reader, '<'))
            return false;
        if (skip(reader, "</"))
            break;
        if (!read_tag(reader))
            return false;
    }
    reader->depth--;
    const bool is_same = strncmp(reader->at, name, length) == 0;
    reader->at += is_same ? length : 0;
    return is_same && skip(reader, ">");
}

bool fuzz_read_xml(const char *text, size_t size, struct fuzz_markup *out_found)
{
    struct reader reader = {.at = text};
    bool is_good = fuzz_is_utf8(text, size);
    if (skip(&reader, "<?xml"))
        is_good = is_good && read_attributes(&reader) && skip(&reader, "?>");
    skip_any(&reader, JSON_BLANKS);
    is_good = is_good && read_tag(&reader);
    skip_any(&reader, JSON_BLANKS);
    *out_found = reader.found;
    return is_good && reader.at == text + size;
}
