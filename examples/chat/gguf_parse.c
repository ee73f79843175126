/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks a mapped GGUF file from its first byte to its last and indexes it. The one rule: every read goes through
 * take(), which compares a length with the bytes that are left before anything moves, so no sum of lengths can wrap.
 * Counts are compared with what the rest of the file could hold before anything is allocated.
 */
#include "gguf_parse.h"

#include "utf8.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_ALIGNMENT = 32,
    SMALLEST_ENTRY = 8 + 1 + 4 + 1,          /* key length, key, type, one byte of value */
    SMALLEST_TENSOR = 8 + 1 + 4 + 8 + 4 + 8, /* name length, name, rank, one dimension, type, offset */
    LONGEST_KEY = 65535,
};

/* The index stays small beside the file, whatever counts the file claims. */
_Static_assert(sizeof(struct gguf_entry) <= (size_t)4 * SMALLEST_ENTRY, "an index entry outgrows its record");
_Static_assert(sizeof(struct gguf_tensor) <= (size_t)4 * SMALLEST_TENSOR, "an index entry outgrows its record");

struct reader {
    struct gguf *file;
    const unsigned char *at;
    const unsigned char *end;
    char where[112]; /* what is being read, for messages */
    struct chat_error *error;
};

struct block_format {
    const char *name;
    uint32_t weights; /* in one block */
    uint32_t bytes;
};

static const struct block_format *block_format(uint32_t type)
{
    static const struct block_format formats[] = {
        [GGUF_F32] = {"f32", 1, 4},     [GGUF_F16] = {"f16", 1, 2},     [GGUF_Q4_0] = {"q4_0", 32, 18},
        [GGUF_Q4_1] = {"q4_1", 32, 20}, [GGUF_Q8_0] = {"q8_0", 32, 34}, [GGUF_BF16] = {"bf16", 1, 2},
    };
    if (type >= sizeof formats / sizeof formats[0] || formats[type].name == NULL)
        return NULL;
    return &formats[type];
}

const char *gguf_type_name(uint32_t type)
{
    const struct block_format *format = block_format(type);
    return format != NULL ? format->name : NULL;
}

static const struct value_format {
    const char *name;
    uint32_t bytes; /* 0: strings and arrays carry their own lengths */
} value_formats[GGUF_VALUE_TYPES] = {
    [GGUF_VALUE_U8] = {"u8", 1},       [GGUF_VALUE_I8] = {"i8", 1},     [GGUF_VALUE_U16] = {"u16", 2},
    [GGUF_VALUE_I16] = {"i16", 2},     [GGUF_VALUE_U32] = {"u32", 4},   [GGUF_VALUE_I32] = {"i32", 4},
    [GGUF_VALUE_F32] = {"f32", 4},     [GGUF_VALUE_BOOL] = {"bool", 1}, [GGUF_VALUE_STRING] = {"string", 0},
    [GGUF_VALUE_ARRAY] = {"array", 0}, [GGUF_VALUE_U64] = {"u64", 8},   [GGUF_VALUE_I64] = {"i64", 8},
    [GGUF_VALUE_F64] = {"f64", 8},
};

const char *gguf_value_type_name(uint32_t type)
{
    return type < GGUF_VALUE_TYPES ? value_formats[type].name : "unknown type";
}

int gguf_string_compare(const struct gguf_string *left, const struct gguf_string *right)
{
    size_t shared = left->size < right->size ? left->size : right->size;
    int order = memcmp(left->text, right->text, shared);
    if (order != 0)
        return order;
    return (left->size > right->size) - (left->size < right->size);
}

uint32_t gguf_load_u32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

uint64_t gguf_load_u64(const unsigned char *bytes)
{
    return (uint64_t)gguf_load_u32(bytes) | (uint64_t)gguf_load_u32(bytes + 4) << 32;
}

static void set_refusal(struct reader *reader, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void set_refusal(struct reader *reader, const char *field, const char *format, ...)
{
    char detail[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    chat_error_set(reader->error, "%s: %s%s: %s", reader->file->label, reader->where, field, detail);
}

#define REFUSE(...) (set_refusal(__VA_ARGS__), false)

static uint64_t bytes_left(const struct reader *reader)
{
    return (uint64_t)(reader->end - reader->at);
}

static bool take(struct reader *reader, const char *field, uint64_t size, const unsigned char **out_bytes)
{
    if (size > bytes_left(reader))
        return REFUSE(reader, field, "expected %" PRIu64 " bytes, found %" PRIu64 " before the end of the file", size,
                      bytes_left(reader));
    *out_bytes = reader->at;
    reader->at += size;
    return true;
}

static bool take_u32(struct reader *reader, const char *field, uint32_t *out_value)
{
    const unsigned char *bytes;
    if (!take(reader, field, 4, &bytes))
        return false;
    *out_value = gguf_load_u32(bytes);
    return true;
}

static bool take_u64(struct reader *reader, const char *field, uint64_t *out_value)
{
    const unsigned char *bytes;
    if (!take(reader, field, 8, &bytes))
        return false;
    *out_value = gguf_load_u64(bytes);
    return true;
}

static bool take_string(struct reader *reader, const char *field, struct gguf_string *out_string)
{
    uint64_t size;
    const unsigned char *bytes;
    size_t bad;
    if (!take_u64(reader, field, &size) || !take(reader, field, size, &bytes))
        return false;
    if (!utf8_check((const char *)bytes, (size_t)size, &bad))
        return REFUSE(reader, field, "expected UTF-8, found the byte 0x%02x at offset %zu of its text", bytes[bad],
                      bad);
    *out_string = (struct gguf_string){(const char *)bytes, (size_t)size};
    return true;
}

static bool take_name(struct reader *reader, const char *field, size_t longest, struct gguf_string *out_name)
{
    if (!take_string(reader, field, out_name))
        return false;
    if (out_name->size == 0 || out_name->size > longest)
        return REFUSE(reader, field, "expected 1 to %zu bytes, found %zu", longest, out_name->size);
    return true;
}

static bool check_bools(struct reader *reader, const unsigned char *values, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (values[i] > 1)
            return REFUSE(reader, "", "expected a bool of 0 or 1, found %u", (unsigned)values[i]);
    return true;
}

static bool take_elements(struct reader *reader, struct gguf_entry *entry)
{
    uint32_t size = value_formats[entry->element_type].bytes;
    uint64_t smallest = size != 0 ? size : 8; /* a string is at least its length */
    if (entry->count > bytes_left(reader) / smallest)
        return REFUSE(reader, "", "expected at most %" PRIu64 " elements in what is left of the file, found %" PRIu64,
                      bytes_left(reader) / smallest, entry->count);
    entry->value = reader->at;
    if (size != 0) {
        reader->at += entry->count * size;
        return entry->element_type != GGUF_VALUE_BOOL || check_bools(reader, entry->value, entry->count);
    }
    for (uint64_t i = 0; i < entry->count; i++) {
        struct gguf_string ignored;
        if (!take_string(reader, " element", &ignored))
            return false;
    }
    return true;
}

static bool take_array(struct reader *reader, struct gguf_entry *entry)
{
    if (!take_u32(reader, " element type", &entry->element_type))
        return false;
    if (entry->element_type >= GGUF_VALUE_TYPES || entry->element_type == GGUF_VALUE_ARRAY)
        return REFUSE(reader, " element type", "expected a number or string type (0 to 8, 10 to 12), found %" PRIu32,
                      entry->element_type);
    return take_u64(reader, " element count", &entry->count) && take_elements(reader, entry);
}

static bool take_value(struct reader *reader, struct gguf_entry *entry)
{
    if (!take_u32(reader, " type", &entry->type))
        return false;
    if (entry->type >= GGUF_VALUE_TYPES)
        return REFUSE(reader, " type", "expected 0 to %d, found %" PRIu32, GGUF_VALUE_TYPES - 1, entry->type);
    if (entry->type == GGUF_VALUE_ARRAY)
        return take_array(reader, entry);

    entry->element_type = entry->type;
    if (entry->type == GGUF_VALUE_STRING) {
        struct gguf_string string;
        if (!take_string(reader, "", &string))
            return false;
        entry->value = (const unsigned char *)string.text;
        entry->count = string.size;
        return true;
    }
    entry->count = 1;
    if (!take(reader, "", value_formats[entry->type].bytes, &entry->value))
        return false;
    return entry->type != GGUF_VALUE_BOOL || check_bools(reader, entry->value, 1);
}

static int compare_entries(const void *left, const void *right)
{
    return gguf_string_compare(&((const struct gguf_entry *)left)->key, &((const struct gguf_entry *)right)->key);
}

static bool check_keys(struct reader *reader)
{
    struct gguf *file = reader->file;
    if (file->entry_count != 0)
        qsort(file->entries, (size_t)file->entry_count, sizeof file->entries[0], compare_entries);
    for (uint64_t i = 1; i < file->entry_count; i++) {
        const struct gguf_string *key = &file->entries[i].key;
        struct chat_quoted quoted;
        if (gguf_string_compare(&file->entries[i - 1].key, key) != 0)
            continue;
        snprintf(reader->where, sizeof reader->where, "key \"%s\"", chat_quote(&quoted, key->text, key->size));
        return REFUSE(reader, "", "expected one value, found two");
    }
    return true;
}

static bool take_entries(struct reader *reader)
{
    struct gguf *file = reader->file;
    if (file->entry_count != 0) {
        file->entries = calloc((size_t)file->entry_count, sizeof file->entries[0]);
        if (file->entries == NULL)
            return REFUSE(reader, "keys", "out of memory");
    }
    for (uint64_t i = 0; i < file->entry_count; i++) {
        struct gguf_entry *entry = &file->entries[i];
        struct chat_quoted quoted;
        snprintf(reader->where, sizeof reader->where, "key %" PRIu64 " of %" PRIu64, i + 1, file->entry_count);
        if (!take_name(reader, " name", LONGEST_KEY, &entry->key))
            return false;
        chat_quote(&quoted, entry->key.text, entry->key.size);
        snprintf(reader->where, sizeof reader->where, "key \"%s\"", quoted.text);
        if (!take_value(reader, entry))
            return false;
    }
    reader->where[0] = '\0';
    return check_keys(reader);
}

/* Writes the bytes that the dimensions need, or refuses what would wrap or does not fill whole blocks. */
static bool size_tensor(struct reader *reader, struct gguf_tensor *tensor)
{
    const struct block_format *format = block_format(tensor->type);
    uint64_t weights = 1;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (tensor->dims[i] == 0)
            return REFUSE(reader, " dimensions", "expected at least 1 in each, found 0 in dimension %" PRIu32, i);
        if (tensor->dims[i] > UINT64_MAX / sizeof(double) / weights)
            return REFUSE(reader, " dimensions", "expected a product that fits the file, found one beyond 2^61");
        weights *= tensor->dims[i];
    }
    if (tensor->dims[0] % format->weights != 0)
        return REFUSE(reader, " dimension 0", "expected a multiple of %" PRIu32 " for %s, found %" PRIu64,
                      format->weights, format->name, tensor->dims[0]);
    tensor->bytes = weights / format->weights * format->bytes;
    return true;
}

/* Reads one record; where its data is can only be said once the end of all records is known. */
static bool take_tensor(struct reader *reader, struct gguf_tensor *tensor)
{
    struct chat_quoted quoted;
    uint32_t type;
    if (!take_name(reader, " name", GGUF_MAX_NAME, &tensor->name))
        return false;
    chat_quote(&quoted, tensor->name.text, tensor->name.size);
    snprintf(reader->where, sizeof reader->where, "tensor \"%s\"", quoted.text);
    if (!take_u32(reader, " rank", &tensor->rank))
        return false;
    if (tensor->rank < 1 || tensor->rank > GGUF_MAX_RANK)
        return REFUSE(reader, " rank", "expected 1 to %d, found %" PRIu32, GGUF_MAX_RANK, tensor->rank);
    for (uint32_t i = 0; i < GGUF_MAX_RANK; i++) {
        tensor->dims[i] = 1;
        if (i < tensor->rank && !take_u64(reader, " dimensions", &tensor->dims[i]))
            return false;
    }
    if (!take_u32(reader, " type", &type))
        return false;
    if (gguf_type_name(type) == NULL)
        return REFUSE(reader, " type",
                      "expected 0 (f32), 1 (f16), 2 (q4_0), 3 (q4_1), 8 (q8_0) or 30 (bf16), found %" PRIu32, type);
    tensor->type = (enum gguf_tensor_type)type;
    return size_tensor(reader, tensor) && take_u64(reader, " offset", &tensor->offset);
}

/* The reader stands at the start of the data, so what is left of the file is what tensors may use. */
static bool place_tensor(struct reader *reader, struct gguf_tensor *tensor, uint64_t alignment)
{
    uint64_t offset = tensor->offset;
    struct chat_quoted quoted;
    snprintf(reader->where, sizeof reader->where, "tensor \"%s\"",
             chat_quote(&quoted, tensor->name.text, tensor->name.size));
    if (offset % alignment != 0)
        return REFUSE(reader, " offset", "expected a multiple of %" PRIu64 ", found %" PRIu64, alignment, offset);
    if (offset > bytes_left(reader) || tensor->bytes > bytes_left(reader) - offset)
        return REFUSE(reader, " data",
                      "expected %" PRIu64 " bytes at offset %" PRIu64 ", found %" PRIu64 " bytes of data in the file",
                      tensor->bytes, offset, bytes_left(reader));
    tensor->data = reader->at + offset;
    return true;
}

static int compare_offsets(const void *left, const void *right)
{
    uint64_t a = ((const struct gguf_tensor *)left)->offset;
    uint64_t b = ((const struct gguf_tensor *)right)->offset;
    return (a > b) - (a < b);
}

static int compare_names(const void *left, const void *right)
{
    return gguf_string_compare(&((const struct gguf_tensor *)left)->name, &((const struct gguf_tensor *)right)->name);
}

static bool check_overlaps(struct reader *reader)
{
    struct gguf *file = reader->file;
    qsort(file->tensors, (size_t)file->tensor_count, sizeof file->tensors[0], compare_offsets);
    for (uint64_t i = 1; i < file->tensor_count; i++) {
        const struct gguf_tensor *before = &file->tensors[i - 1];
        const struct gguf_tensor *tensor = &file->tensors[i];
        struct chat_quoted quoted;
        if (tensor->offset - before->offset >= before->bytes)
            continue;
        snprintf(reader->where, sizeof reader->where, "tensor \"%s\"",
                 chat_quote(&quoted, tensor->name.text, tensor->name.size));
        chat_quote(&quoted, before->name.text, before->name.size);
        return REFUSE(reader, " offset", "expected data of its own, found an overlap with tensor \"%s\"", quoted.text);
    }
    return true;
}

static bool check_names(struct reader *reader)
{
    struct gguf *file = reader->file;
    qsort(file->tensors, (size_t)file->tensor_count, sizeof file->tensors[0], compare_names);
    for (uint64_t i = 1; i < file->tensor_count; i++) {
        struct chat_quoted quoted;
        if (compare_names(&file->tensors[i - 1], &file->tensors[i]) != 0)
            continue;
        snprintf(reader->where, sizeof reader->where, "tensor \"%s\"",
                 chat_quote(&quoted, file->tensors[i].name.text, file->tensors[i].name.size));
        return REFUSE(reader, "", "expected one tensor of this name, found two");
    }
    return true;
}

static bool take_alignment(struct reader *reader, uint64_t *out_alignment)
{
    uint32_t alignment = DEFAULT_ALIGNMENT;
    if (gguf_has_key(reader->file, "general.alignment") &&
        !gguf_get_u32(reader->file, "general.alignment", &alignment, reader->error))
        return false;
    if (alignment < 8 || (alignment & (alignment - 1)) != 0)
        return REFUSE(reader, "key \"general.alignment\"", "expected a power of two from 8, found %" PRIu32, alignment);
    *out_alignment = alignment;
    return true;
}

static bool take_tensors(struct reader *reader)
{
    struct gguf *file = reader->file;
    uint64_t alignment;
    if (!take_alignment(reader, &alignment))
        return false;
    if (file->tensor_count == 0)
        return true;
    file->tensors = calloc((size_t)file->tensor_count, sizeof file->tensors[0]);
    if (file->tensors == NULL)
        return REFUSE(reader, "tensors", "out of memory");
    for (uint64_t i = 0; i < file->tensor_count; i++) {
        snprintf(reader->where, sizeof reader->where, "tensor %" PRIu64 " of %" PRIu64, i + 1, file->tensor_count);
        if (!take_tensor(reader, &file->tensors[i]))
            return false;
    }

    const unsigned char *padding;
    uint64_t used = (uint64_t)(reader->at - file->map);
    reader->where[0] = '\0';
    if (!take(reader, "padding before the data", (alignment - used % alignment) % alignment, &padding))
        return false;
    for (uint64_t i = 0; i < file->tensor_count; i++)
        if (!place_tensor(reader, &file->tensors[i], alignment))
            return false;
    return check_overlaps(reader) && check_names(reader);
}

static bool take_header(struct reader *reader)
{
    struct gguf *file = reader->file;
    const unsigned char *magic;
    uint32_t version;
    struct chat_quoted quoted;
    if (!take(reader, "magic", 4, &magic))
        return false;
    if (memcmp(magic, "GGUF", 4) != 0)
        return REFUSE(reader, "magic", "expected \"GGUF\", found \"%s\"", chat_quote(&quoted, magic, 4));
    if (!take_u32(reader, "version", &version))
        return false;
    if (version != 2 && version != 3)
        return REFUSE(reader, "version", "expected 2 or 3 (little-endian), found %" PRIu32, version);
    if (!take_u64(reader, "tensor count", &file->tensor_count) || !take_u64(reader, "key count", &file->entry_count))
        return false;
    if (file->tensor_count > bytes_left(reader) / SMALLEST_TENSOR)
        return REFUSE(reader, "tensor count", "expected at most %" PRIu64 " in a file of %zu bytes, found %" PRIu64,
                      bytes_left(reader) / SMALLEST_TENSOR, file->size, file->tensor_count);
    if (file->entry_count > bytes_left(reader) / SMALLEST_ENTRY)
        return REFUSE(reader, "key count", "expected at most %" PRIu64 " in a file of %zu bytes, found %" PRIu64,
                      bytes_left(reader) / SMALLEST_ENTRY, file->size, file->entry_count);
    return true;
}

bool gguf_parse(struct gguf *file, struct chat_error *error)
{
    struct reader reader = {.file = file, .at = file->map, .end = file->map + file->size, .error = error};
    return take_header(&reader) && take_entries(&reader) && take_tensors(&reader);
}
