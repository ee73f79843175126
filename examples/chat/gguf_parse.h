/* SPDX-License-Identifier: Apache-2.0 */
/* What gguf.c (mapping, lookups) and gguf_parse.c (checking) share. Nothing else includes it. */
#ifndef CHAT_GGUF_PARSE_H
#define CHAT_GGUF_PARSE_H

#include "gguf.h"

enum gguf_value_type {
    GGUF_VALUE_U8 = 0,
    GGUF_VALUE_I8,
    GGUF_VALUE_U16,
    GGUF_VALUE_I16,
    GGUF_VALUE_U32,
    GGUF_VALUE_I32,
    GGUF_VALUE_F32,
    GGUF_VALUE_BOOL,
    GGUF_VALUE_STRING,
    GGUF_VALUE_ARRAY,
    GGUF_VALUE_U64,
    GGUF_VALUE_I64,
    GGUF_VALUE_F64,
    GGUF_VALUE_TYPES,
};

struct gguf_entry {
    struct gguf_string key;
    const unsigned char *value; /* the first element of an array, the bytes of a string */
    uint64_t count;             /* elements of an array, bytes of a string, else 1 */
    uint32_t type;              /* enum gguf_value_type */
    uint32_t element_type;      /* of an array, else the type itself */
};

struct gguf {
    unsigned char *map; /* never written */
    size_t size;
    struct gguf_entry *entries; /* sorted by key */
    uint64_t entry_count;
    struct gguf_tensor *tensors; /* sorted by name */
    uint64_t tensor_count;
    char label[200];
};

/* Fills in entries and tensors from the mapping. On failure the caller frees what is there. */
bool gguf_parse(struct gguf *file, struct chat_error *error);

/* "u32", "string" …; "unknown type" for any other number. */
const char *gguf_value_type_name(uint32_t type);

/* Order of keys and names: bytes first, then length. */
int gguf_string_compare(const struct gguf_string *left, const struct gguf_string *right);

uint32_t gguf_load_u32(const unsigned char *bytes);
uint64_t gguf_load_u64(const unsigned char *bytes);

#endif
