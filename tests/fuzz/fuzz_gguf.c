/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The GGUF reader on any bytes. It accepts what follows the format, which stands here a second time, and nothing else.
 * What it accepts lies inside the file, and written anew in the order of its index it
 * reads as the same; whatever it refuses it refuses with a line that says what was expected. From a file and from
 * memory the answer is the same.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gguf.h"
#include "gguf_parse.h"
#include "tiny_gguf.h"

/* Bytes of a value by the number of its type; 0: strings and arrays. The format's own table, not the reader's. */
static const unsigned value_bytes[GGUF_VALUE_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

/* ---- the format, stated a second time ---- */

/* A cursor over the file. Once something was wrong it stays so, and what is taken is 0. */
struct cursor {
    const uint8_t *bytes;
    size_t at, size;
    bool is_bad;
};

static void expect(struct cursor *cursor, bool condition)
{
    cursor->is_bad = cursor->is_bad || !condition;
}

static uint64_t number(struct cursor *cursor, unsigned bytes)
{
    uint64_t value = 0;
    expect(cursor, cursor->size - cursor->at >= bytes);
    for (unsigned i = 0; i < bytes && !cursor->is_bad; i++)
        value += (uint64_t)cursor->bytes[cursor->at++] << 8 * i;
    return value;
}

static struct gguf_string string(struct cursor *cursor, uint64_t least, uint64_t most)
{
    const uint64_t size = number(cursor, 8);
    const char *text = (const char *)cursor->bytes + cursor->at;
    expect(cursor, size >= least && size <= most && size <= cursor->size - cursor->at);
    expect(cursor, cursor->is_bad || fuzz_is_utf8(text, (size_t)size));
    if (cursor->is_bad)
        return (struct gguf_string){"", 0};
    cursor->at += (size_t)size;
    return (struct gguf_string){text, (size_t)size};
}

static void value(struct cursor *cursor, uint64_t type)
{
    if (type == GGUF_VALUE_STRING) {
        (void)string(cursor, 0, UINT64_MAX);
        return;
    }
    expect(cursor, type < GGUF_VALUE_TYPES && type != GGUF_VALUE_ARRAY);
    if (!cursor->is_bad)
        expect(cursor, number(cursor, value_bytes[type]) <= 1 || type != GGUF_VALUE_BOOL);
}

/* The names so far, and the alignment if this is the key that says it; 0 when it says so in another type. */
struct names {
    struct gguf_string *texts;
    size_t count;
    uint64_t alignment;
};

static void new_name(struct cursor *cursor, struct names *names, uint64_t longest)
{
    const struct gguf_string text = string(cursor, 1, longest);
    for (size_t i = 0; i < names->count; i++)
        expect(cursor, names->texts[i].size != text.size || memcmp(names->texts[i].text, text.text, text.size) != 0);
    names->texts[names->count++] = text;
}

static void key(struct cursor *cursor, struct names *names)
{
    static const char alignment_key[] = "general.alignment";
    new_name(cursor, names, 65535);
    const struct gguf_string *name = &names->texts[names->count - 1];
    const uint64_t type = number(cursor, 4);
    const size_t at = cursor->at;
    if (type != GGUF_VALUE_ARRAY) {
        value(cursor, type);
    } else {
        const uint64_t element = number(cursor, 4), count = number(cursor, 8);
        expect(cursor, element < GGUF_VALUE_TYPES && element != GGUF_VALUE_ARRAY);
        for (uint64_t i = 0; i < count && !cursor->is_bad; i++)
            value(cursor, element);
    }
    if (name->size == strlen(alignment_key) && memcmp(name->text, alignment_key, name->size) == 0) {
        struct cursor again = *cursor;
        again.at = at;
        names->alignment = type == GGUF_VALUE_U32 ? number(&again, 4) : 0;
    }
}

struct extent {
    uint64_t offset, bytes;
};

static struct extent tensor(struct cursor *cursor, struct names *names)
{
    static const struct {
        uint64_t type, weights, bytes;
    } blocks[] = {{0, 1, 4}, {1, 1, 2}, {2, 32, 18}, {3, 32, 20}, {8, 32, 34}, {30, 1, 2}};
    enum { BLOCKS = sizeof blocks / sizeof blocks[0] };
    size_t block = 0;
    uint64_t first = 1;
    fuzz_wide weights = 1;
    new_name(cursor, names, 64);
    const uint64_t rank = number(cursor, 4);
    expect(cursor, rank >= 1 && rank <= 4);
    for (uint64_t i = 0; i < rank && !cursor->is_bad; i++) {
        const uint64_t dimension = number(cursor, 8);
        expect(cursor, dimension != 0);
        first = i == 0 ? dimension : first;
        weights *= dimension;
        expect(cursor, weights <= UINT64_MAX / 8);
    }
    const uint64_t type = number(cursor, 4);
    while (block < BLOCKS && blocks[block].type != type)
        block++;
    expect(cursor, block < BLOCKS);
    const uint64_t offset = number(cursor, 8);
    if (cursor->is_bad)
        return (struct extent){0, 0};
    expect(cursor, first % blocks[block].weights == 0);
    return (struct extent){offset, (uint64_t)weights / blocks[block].weights * blocks[block].bytes};
}

static void data(struct cursor *cursor, const struct extent *extents, uint64_t count, uint64_t alignment)
{
    const uint64_t padding = (alignment - cursor->at % alignment) % alignment;
    expect(cursor, padding <= cursor->size - cursor->at);
    const uint64_t left = cursor->size - cursor->at - padding;
    for (uint64_t i = 0; i < count; i++) {
        expect(cursor, extents[i].offset % alignment == 0);
        expect(cursor, (fuzz_wide)extents[i].offset + extents[i].bytes <= left);
        for (uint64_t j = 0; j < i; j++)
            expect(cursor, extents[i].offset + extents[i].bytes <= extents[j].offset ||
                               extents[j].offset + extents[j].bytes <= extents[i].offset);
    }
}

static bool follows_format(const uint8_t *bytes, size_t size)
{
    struct cursor cursor = {bytes, 4, size, size < 4 || memcmp(bytes, "GGUF", 4) != 0};
    const uint64_t version = cursor.is_bad ? 0 : number(&cursor, 4);
    expect(&cursor, version == 2 || version == 3);
    const uint64_t tensors = cursor.is_bad ? 0 : number(&cursor, 8), keys = cursor.is_bad ? 0 : number(&cursor, 8);
    expect(&cursor, tensors <= size && keys <= size); /* each takes more bytes than one */
    if (cursor.is_bad)
        return false;
    struct names names = {.texts = calloc(size, sizeof names.texts[0]), .alignment = 32};
    struct extent *extents = calloc(size, sizeof extents[0]);
    FUZZ_CHECK(names.texts != NULL && extents != NULL, "out of memory");
    for (uint64_t i = 0; i < keys && !cursor.is_bad; i++)
        key(&cursor, &names);
    expect(&cursor, names.alignment >= 8 && (names.alignment & (names.alignment - 1)) == 0);
    names.count = 0;
    for (uint64_t i = 0; i < tensors && !cursor.is_bad; i++)
        extents[i] = tensor(&cursor, &names);
    if (tensors != 0 && !cursor.is_bad)
        data(&cursor, extents, tensors, names.alignment);
    free(names.texts);
    free(extents);
    return !cursor.is_bad;
}

/* ---- what was accepted lies inside the file ---- */

static bool is_inside(const struct gguf *file, const void *start, uint64_t size)
{
    const unsigned char *at = start;
    return at >= file->map && at <= file->map + file->size && size <= (uint64_t)(file->map + file->size - at);
}

static uint64_t value_size(const struct gguf_entry *entry)
{
    if (entry->type == GGUF_VALUE_STRING)
        return entry->count;
    if (entry->element_type != GGUF_VALUE_STRING)
        return entry->count * value_bytes[entry->element_type];
    struct gguf_string_array array = {.count = entry->count, .next = entry->value};
    struct gguf_string string;
    while (gguf_string_array_next(&array, &string)) {
    }
    return (uint64_t)(array.next - entry->value);
}

static void check_entries(const struct gguf *file)
{
    for (uint64_t i = 0; i < file->entry_count; i++) {
        const struct gguf_entry *entry = &file->entries[i];
        FUZZ_CHECK(is_inside(file, entry->key.text, entry->key.size), "key %zu", (size_t)i);
        FUZZ_CHECK(fuzz_is_utf8(entry->key.text, entry->key.size), "key %zu", (size_t)i);
        FUZZ_CHECK(entry->type < GGUF_VALUE_TYPES && entry->element_type < GGUF_VALUE_TYPES, "key %zu", (size_t)i);
        FUZZ_CHECK(entry->element_type != GGUF_VALUE_ARRAY, "key %zu", (size_t)i);
        FUZZ_CHECK(is_inside(file, entry->value, value_size(entry)), "key %zu", (size_t)i);
        FUZZ_CHECK(i == 0 || gguf_string_compare(&entry[-1].key, &entry->key) < 0, "key %zu", (size_t)i);
    }
}

static uint64_t tensor_bytes(const struct gguf_tensor *tensor)
{
    uint64_t weights = 1;
    for (uint32_t i = 0; i < GGUF_MAX_RANK; i++)
        weights *= tensor->dims[i];
    switch (tensor->type) {
    case GGUF_F32:
        return weights * 4;
    case GGUF_F16:
    case GGUF_BF16:
        return weights * 2;
    case GGUF_Q4_0:
        return weights / 32 * 18;
    case GGUF_Q4_1:
        return weights / 32 * 20;
    case GGUF_Q8_0:
        return weights / 32 * 34;
    }
    FUZZ_CHECK(false, "tensor type %d", (int)tensor->type);
}

static void check_tensors(const struct gguf *file)
{
    for (uint64_t i = 0; i < gguf_tensor_count(file); i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(file, i);
        FUZZ_CHECK(is_inside(file, tensor->name.text, tensor->name.size), "tensor %zu", (size_t)i);
        FUZZ_CHECK(tensor->bytes == tensor_bytes(tensor) && tensor->bytes != 0, "tensor %zu", (size_t)i);
        FUZZ_CHECK(is_inside(file, tensor->data, tensor->bytes), "tensor %zu", (size_t)i);
        FUZZ_CHECK(gguf_type_name(tensor->type) != NULL, "tensor %zu", (size_t)i);
        for (uint64_t j = 0; j < i; j++) {
            const struct gguf_tensor *other = gguf_tensor_at(file, j);
            FUZZ_CHECK(gguf_string_compare(&other->name, &tensor->name) < 0, "tensors %zu, %zu", (size_t)j, (size_t)i);
            FUZZ_CHECK(other->offset + other->bytes <= tensor->offset ||
                           tensor->offset + tensor->bytes <= other->offset,
                       "tensors %zu and %zu overlap", (size_t)j, (size_t)i);
        }
    }
}

/* ---- looking things up ---- */

/* Every key under every type: found under its own, refused by name under the others. */
static void check_lookups(const struct gguf *file, const char *key)
{
    struct chat_error error = {""};
    uint32_t u32;
    float f32;
    bool yes;
    struct gguf_string string;
    struct gguf_string_array strings;
    struct gguf_i32_array i32s;
    unsigned found = 0;
    found += gguf_get_u32(file, key, &u32, &error);
    found += gguf_get_f32(file, key, &f32, &error);
    found += gguf_get_bool(file, key, &yes, &error);
    found += gguf_get_string(file, key, &string, &error);
    found += gguf_get_string_array(file, key, &strings, &error);
    found += gguf_get_i32_array(file, key, &i32s, &error);
    FUZZ_CHECK(found <= 1 && (found == 0 || gguf_has_key(file, key)), "key \"%s\" was found %u times", key, found);
    FUZZ_CHECK(strstr(error.text, gguf_label(file)) == error.text, "%s", error.text);
    FUZZ_CHECK(strstr(error.text, "expected") != NULL, "%s", error.text);
    for (uint64_t i = 0; gguf_get_i32_array(file, key, &i32s, &error) && i < i32s.count; i++) {
        const unsigned char *at = i32s.bytes + 4 * i;
        const uint32_t bits = at[0] + at[1] * 0x100U + at[2] * 0x10000U + at[3] * 0x1000000U;
        FUZZ_CHECK(gguf_i32_array_at(&i32s, i) == (int32_t)bits, "element %zu of \"%s\"", (size_t)i, key);
    }
}

static void check_all_lookups(const struct gguf *file)
{
    struct chat_error error = {""};
    struct gguf_tensor tensor;
    for (uint64_t i = 0; i < file->entry_count; i++) {
        char *key = fuzz_text(file->entries[i].key.text, file->entries[i].key.size);
        FUZZ_CHECK(gguf_has_key(file, key) || strlen(key) != file->entries[i].key.size, "key \"%s\"", key);
        check_lookups(file, key);
        free(key);
    }
    check_lookups(file, "no such key, and longer than any");
    for (uint64_t i = 0; i < file->tensor_count; i++) {
        const struct gguf_string *name = &gguf_tensor_at(file, i)->name;
        char *text = fuzz_text(name->text, name->size);
        FUZZ_CHECK(gguf_get_tensor(file, text, &tensor, &error) || strlen(text) != name->size, "tensor \"%s\"", text);
        free(text);
    }
    FUZZ_CHECK(!gguf_get_tensor(file, "no such tensor", &tensor, &error), "a tensor from nowhere");
    fuzz_check_message(error.text, "no such tensor");
}

/* ---- written anew, it reads as the same ---- */

static void put_string(struct tiny_gguf *out, const struct gguf_string *string)
{
    tiny_put_u64(out, string->size);
    tiny_put(out, string->text, string->size);
}

static void put_entry(struct tiny_gguf *out, const struct gguf_entry *entry)
{
    put_string(out, &entry->key);
    tiny_put_u32(out, entry->type);
    if (entry->type == GGUF_VALUE_ARRAY)
        tiny_put_u32(out, entry->element_type);
    if (entry->type == GGUF_VALUE_ARRAY || entry->type == GGUF_VALUE_STRING)
        tiny_put_u64(out, entry->count);
    tiny_put(out, entry->value, (size_t)value_size(entry));
}

static uint32_t alignment_of(const struct gguf *file)
{
    struct chat_error error;
    uint32_t alignment = 32;
    (void)gguf_get_u32(file, "general.alignment", &alignment, &error);
    return alignment;
}

static uint64_t aligned(uint64_t size, uint32_t alignment)
{
    return (size + alignment - 1) / alignment * alignment;
}

static void put_tensors(struct tiny_gguf *out, const struct gguf *file)
{
    const uint32_t alignment = alignment_of(file);
    uint64_t offset = 0;
    for (uint64_t i = 0; i < file->tensor_count; i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(file, i);
        put_string(out, &tensor->name);
        tiny_put_u32(out, tensor->rank);
        for (uint32_t d = 0; d < tensor->rank; d++)
            tiny_put_u64(out, tensor->dims[d]);
        tiny_put_u32(out, (uint32_t)tensor->type);
        tiny_put_u64(out, offset);
        offset += aligned(tensor->bytes, alignment);
    }
    for (uint64_t i = 0; i < file->tensor_count; i++) {
        tiny_align(out, alignment);
        tiny_put(out, gguf_tensor_at(file, i)->data, (size_t)gguf_tensor_at(file, i)->bytes);
    }
}

static bool is_same_string(const struct gguf_string *one, const struct gguf_string *other)
{
    return gguf_string_compare(one, other) == 0;
}

static void check_same(const struct gguf *file, const struct gguf *again)
{
    FUZZ_CHECK(again->entry_count == file->entry_count && again->tensor_count == file->tensor_count,
               "the counts differ");
    for (uint64_t i = 0; i < file->entry_count; i++) {
        const struct gguf_entry *one = &file->entries[i], *other = &again->entries[i];
        FUZZ_CHECK(is_same_string(&one->key, &other->key) && one->type == other->type && one->count == other->count &&
                       one->element_type == other->element_type && value_size(one) == value_size(other) &&
                       memcmp(one->value, other->value, (size_t)value_size(one)) == 0,
                   "key %zu differs", (size_t)i);
    }
    for (uint64_t i = 0; i < file->tensor_count; i++) {
        const struct gguf_tensor *one = gguf_tensor_at(file, i), *other = gguf_tensor_at(again, i);
        FUZZ_CHECK(is_same_string(&one->name, &other->name) && one->type == other->type && one->rank == other->rank &&
                       memcmp(one->dims, other->dims, sizeof one->dims) == 0 && one->bytes == other->bytes &&
                       memcmp(one->data, other->data, (size_t)one->bytes) == 0,
                   "tensor %zu differs", (size_t)i);
    }
}

/* Parses bytes in a block of exactly their size. The caller frees what `file` holds. */
static bool parse(struct gguf *file, const void *bytes, size_t size, const char *label, struct chat_error *error)
{
    *file = (struct gguf){.map = (unsigned char *)fuzz_text(bytes, size), .size = size};
    unsigned char *exact = realloc(file->map, size != 0 ? size : 1);
    FUZZ_CHECK(exact != NULL, "out of memory");
    file->map = exact;
    snprintf(file->label, sizeof file->label, "%s", label);
    return gguf_parse(file, error);
}

static void release(struct gguf *file)
{
    free(file->entries);
    free(file->tensors);
    free(file->map);
}

static void check_written_anew(const struct gguf *file)
{
    struct tiny_gguf out = {0};
    struct gguf again;
    struct chat_error error = {""};
    tiny_put_header(&out, 3, file->tensor_count, file->entry_count);
    for (uint64_t i = 0; i < file->entry_count; i++)
        put_entry(&out, &file->entries[i]);
    put_tensors(&out, file);
    FUZZ_CHECK(parse(&again, out.bytes, out.size, "again", &error), "%s", error.text);
    check_same(file, &again);
    release(&again);
    tiny_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size);
    struct chat_error from_memory = {""}, from_file = {""};
    struct gguf file, *opened = NULL;
    const bool is_good = parse(&file, data, size, path, &from_memory);
    FUZZ_CHECK(is_good == follows_format(data, size), "%s", is_good ? "accepted" : from_memory.text);
    if (is_good) {
        check_entries(&file);
        check_tensors(&file);
        check_all_lookups(&file);
        check_written_anew(&file);
    } else {
        fuzz_check_message(from_memory.text, path);
        fuzz_check_message(from_memory.text, ": expected ");
    }
    FUZZ_CHECK(gguf_open(path, &opened, &from_file) == is_good, "%s / %s", from_memory.text, from_file.text);
    if (is_good)
        check_same(&file, opened);
    else if (size != 0) /* of an empty file there is nothing to map */
        FUZZ_CHECK(strcmp(from_memory.text, from_file.text) == 0, "%s / %s", from_memory.text, from_file.text);
    FUZZ_CHECK(is_good || opened == NULL, "a file that was refused");
    gguf_close(opened);
    release(&file);
    return 0;
}
