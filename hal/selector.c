/* SPDX-License-Identifier: Apache-2.0 */
/* Device selectors. A new field is one line in the table; parser, matcher and messages follow it. */
#include "selector.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "nearest.h"

enum field_type { FIELD_TEXT, FIELD_KIND, FIELD_NUMBER, FIELD_SIZE };
enum selector_op { OP_EQUAL, OP_NOT_EQUAL, OP_AT_LEAST, OP_AT_MOST, OP_ABOVE, OP_BELOW };

#define FIELD(name_, type_, member_)                                                                                   \
    {                                                                                                                  \
        name_, type_, offsetof(haly_device_spec, member_)                                                              \
    }
static const struct field {
    const char *name;
    enum field_type type;
    size_t offset;
} fields[] = {
    FIELD("backend", FIELD_TEXT, backend),
    FIELD("index", FIELD_NUMBER, index),
    FIELD("vendor", FIELD_TEXT, vendor),
    FIELD("name", FIELD_TEXT, name),
    FIELD("kind", FIELD_KIND, kind),
    FIELD("architecture", FIELD_TEXT, architecture),
    FIELD("memory", FIELD_SIZE, memory_bytes),
    FIELD("compute_units", FIELD_NUMBER, compute_units),
    FIELD("package", FIELD_NUMBER, package_id),
    FIELD("die", FIELD_NUMBER, die_index),
};
enum { FIELD_BACKEND = 0, FIELD_INDEX = 1, FIELD_COUNT = sizeof fields / sizeof fields[0] };

/* Longer spellings first, so that ">=" is not read as ">". */
static const struct {
    const char *text;
    enum selector_op op;
} ops[] = {{">=", OP_AT_LEAST}, {"<=", OP_AT_MOST}, {"!=", OP_NOT_EQUAL},
           {"=", OP_EQUAL},     {">", OP_ABOVE},    {"<", OP_BELOW}};

static const char *const kinds[] = {"cpu", "gpu", "npu", "other"}; /* by haly_device_kind */

/* A piece of the text, and where complaints about it go. */
struct piece {
    const char *text;
    size_t length;
    const char *whole; /* for the place in complaints */
    char *why;
    size_t why_size;
};

HALY_PRINTF_LIKE(2, 3) static bool complain(const struct piece *piece, const char *format, ...)
{
    char expected[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(expected, sizeof expected, format, arguments);
    va_end(arguments);
    char found[TEXT_QUOTED_BYTES];
    text_printable(found, sizeof found, piece->text, piece->length);
    text_set(piece->why, piece->why_size, "\"%s\" at byte %zu: %s", found, (size_t)(piece->text - piece->whole) + 1,
             expected);
    return false;
}

static struct piece piece_of(const struct piece *piece, size_t offset, size_t length)
{
    struct piece part = *piece;
    part.text += offset;
    part.length = length;
    text_trim(&part.text, &part.length);
    return part;
}

/* Offset of the first of `characters` in the piece, or its length. */
static size_t find(const struct piece *piece, const char *characters)
{
    size_t i = 0;
    while (i < piece->length && strchr(characters, piece->text[i]) == NULL)
        i++;
    return i;
}

static bool is_number(uint32_t field)
{
    return fields[field].type == FIELD_NUMBER || fields[field].type == FIELD_SIZE;
}

static bool parse_field(const struct piece *piece, uint32_t *out_field)
{
    char name[NEAREST_MAX + 1];
    text_printable(name, sizeof name, piece->text, piece->length);
    struct nearest nearest;
    nearest_start(&nearest, name);
    for (uint32_t i = 0; i < FIELD_COUNT; i++) {
        if (strlen(fields[i].name) == piece->length && memcmp(fields[i].name, piece->text, piece->length) == 0) {
            *out_field = i;
            return true;
        }
        nearest_offer(&nearest, fields[i].name);
    }
    if (nearest.best != NULL)
        return complain(piece, "no such field; did you mean \"%s\"?", nearest.best);
    return complain(piece, "expected a field: backend, vendor, name, kind, architecture, index, memory, compute_units, "
                           "package or die");
}

static bool is_kind(const char *pattern)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (text_matches(pattern, kinds[i]))
            return true;
    return false;
}

static bool parse_value(const struct piece *value, struct selector_condition *condition)
{
    if (value->length == 0)
        return complain(value, "expected a value for %s", fields[condition->field].name);
    if (value->length >= SELECTOR_TEXT_BYTES)
        return complain(value, "a value has at most %d bytes", SELECTOR_TEXT_BYTES - 1);
    memcpy(condition->text, value->text, value->length);
    condition->text[value->length] = '\0';
    switch (fields[condition->field].type) {
    case FIELD_NUMBER:
        return text_parse_number(value->text, value->length, &condition->number) ||
               complain(value, "%s; expected a number for %s", text_number_fault(value->text, value->length),
                        fields[condition->field].name);
    case FIELD_SIZE:
        return text_parse_size(value->text, value->length, &condition->number) ||
               complain(value, "%s; expected a number with B, KiB, MiB, GiB or TiB for %s",
                        text_size_fault(value->text, value->length), fields[condition->field].name);
    case FIELD_KIND:
        return is_kind(condition->text) || complain(value, "expected cpu, gpu, npu or other");
    case FIELD_TEXT:
        break;
    }
    return true;
}

static bool parse_op(const struct piece *rest, struct selector_condition *condition, size_t *out_length)
{
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        const size_t length = strlen(ops[i].text);
        if (rest->length < length || memcmp(rest->text, ops[i].text, length) != 0)
            continue;
        condition->op = ops[i].op;
        *out_length = length;
        if (!is_number(condition->field) && condition->op != OP_EQUAL && condition->op != OP_NOT_EQUAL)
            return complain(rest, "%s is a text: it takes = and != only", fields[condition->field].name);
        return true;
    }
    return complain(rest, "expected =, !=, >=, <=, > or < behind %s", fields[condition->field].name);
}

static bool parse_condition(const struct piece *piece, struct selector_condition *condition)
{
    const size_t at = find(piece, "=!<>");
    const struct piece name = piece_of(piece, 0, at), rest = piece_of(piece, at, piece->length - at);
    size_t op_length = 0;
    if (!parse_field(&name, &condition->field) || !parse_op(&rest, condition, &op_length))
        return false;
    const struct piece value = piece_of(&rest, op_length, rest.length - op_length);
    return parse_value(&value, condition);
}

static bool parse_conditions(const struct piece *piece, struct selector *selector)
{
    for (size_t offset = 0;; offset++) {
        const struct piece rest = {piece->text + offset, piece->length - offset, piece->whole, piece->why,
                                   piece->why_size};
        const size_t comma = find(&rest, ",");
        const struct piece part = piece_of(&rest, 0, comma);
        if (selector->count == SELECTOR_CONDITIONS)
            return complain(&part, "a selector has at most %d conditions", SELECTOR_CONDITIONS);
        if (!parse_condition(&part, &selector->conditions[selector->count]))
            return false;
        selector->count++;
        offset += comma;
        if (offset >= piece->length)
            return true;
    }
}

/* Case does not matter in what is matched, so upper case is a name here. */
#define NAME_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

/* backend [":" index] */
static bool parse_short(const struct piece *piece, struct selector *selector)
{
    const size_t colon = find(piece, ":");
    const struct piece name = {piece->text, colon, piece->whole, piece->why, piece->why_size};
    struct selector_condition *condition = selector->conditions;
    if (colon == 0 || colon >= BACKEND_NAME_BYTES || strspn(piece->text, NAME_BYTES) < colon)
        return complain(&name, "no backend can have this name");
    condition[0] = (struct selector_condition){.field = FIELD_BACKEND, .op = OP_EQUAL};
    memcpy(condition[0].text, name.text, name.length);
    selector->count = 1;
    if (colon == piece->length)
        return true;
    const struct piece index = {piece->text + colon + 1, piece->length - colon - 1, piece->whole, piece->why,
                                piece->why_size};
    condition[1] = (struct selector_condition){.field = FIELD_INDEX, .op = OP_EQUAL};
    selector->count = 2;
    return parse_value(&index, &condition[1]);
}

bool selector_parse(const char *text, struct selector *out_selector, char *why, size_t why_size)
{
    const struct piece whole = {text, strlen(text), text, why, why_size};
    const struct piece piece = piece_of(&whole, 0, whole.length);
    out_selector->count = 0;
    if (piece.length == 0 || (piece.length == 4 && memcmp(piece.text, "auto", 4) == 0))
        return true;
    if (find(&piece, "=!<>") < piece.length)
        return parse_conditions(&piece, out_selector);
    return parse_short(&piece, out_selector);
}

static bool compare(uint32_t op, uint64_t have, uint64_t want)
{
    switch ((enum selector_op)op) {
    case OP_EQUAL:
        return have == want;
    case OP_NOT_EQUAL:
        return have != want;
    case OP_AT_LEAST:
        return have >= want;
    case OP_AT_MOST:
        return have <= want;
    case OP_ABOVE:
        return have > want;
    case OP_BELOW:
        return have < want;
    }
    return false;
}

static uint64_t spec_number(const haly_device_spec *spec, const struct field *field)
{
    uint64_t wide;
    uint32_t narrow;
    if (field->type == FIELD_SIZE) {
        memcpy(&wide, (const char *)spec + field->offset, sizeof wide);
        return wide;
    }
    memcpy(&narrow, (const char *)spec + field->offset, sizeof narrow);
    return narrow;
}

static const char *spec_text(const haly_device_spec *spec, const struct field *field)
{
    if (field->type == FIELD_KIND)
        return (uint32_t)spec->kind <= HALY_DEVICE_OTHER ? kinds[spec->kind] : kinds[HALY_DEVICE_OTHER];
    return (const char *)spec + field->offset;
}

static const char *op_text(uint32_t op)
{
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (ops[i].op == op)
            return ops[i].text;
    return "?";
}

bool selector_matches(const struct selector *selector, const haly_device_spec *spec, char *why, size_t why_size)
{
    for (uint32_t i = 0; i < selector->count; i++) {
        const struct selector_condition *condition = &selector->conditions[i];
        const struct field *field = &fields[condition->field];
        if (is_number(condition->field)) {
            const uint64_t have = spec_number(spec, field);
            if (!compare(condition->op, have, condition->number)) {
                text_set(why, why_size, "%s is %" PRIu64 "%s, wanted %s%s", field->name, have,
                         field->type == FIELD_SIZE ? " bytes" : "", op_text(condition->op), condition->text);
                return false;
            }
        } else if (text_matches(condition->text, spec_text(spec, field)) != (condition->op == OP_EQUAL)) {
            text_set(why, why_size, "%s is \"%s\", wanted %s%s", field->name, PRINTABLE(spec_text(spec, field)),
                     op_text(condition->op), PRINTABLE(condition->text));
            return false;
        }
    }
    return true;
}

bool selector_allows_backend(const struct selector *selector, const char *backend)
{
    for (uint32_t i = 0; i < selector->count; i++) {
        const struct selector_condition *condition = &selector->conditions[i];
        if (condition->field == FIELD_BACKEND && text_matches(condition->text, backend) != (condition->op == OP_EQUAL))
            return false;
    }
    return true;
}

const char *selector_backend(const struct selector *selector)
{
    for (uint32_t i = 0; i < selector->count; i++) {
        const struct selector_condition *condition = &selector->conditions[i];
        if (condition->field == FIELD_BACKEND && condition->op == OP_EQUAL && strchr(condition->text, '*') == NULL)
            return condition->text;
    }
    return NULL;
}
