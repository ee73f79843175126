/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Read-only view of a GGUF model file (versions 2 and 3, little-endian), mapped into memory. The whole structure is
 * checked once, when the file is opened: after that every string, array and tensor handed out lies inside the file.
 * Weights are never copied; what is handed out points into the mapping and stays valid until gguf_close.
 *
 * A file is not trusted in any way. It must not be cut short by another process while it is open.
 * Functions that return false write one line to `error` (file, field, expected, found) and nothing else.
 */
#ifndef CHAT_GGUF_H
#define CHAT_GGUF_H

#include "chat_error.h"

#include <stdint.h>

enum { GGUF_MAX_RANK = 4, GGUF_MAX_NAME = 64 };

/* Tensor storage types, with the numbers that the format gives them. */
enum gguf_tensor_type {
    GGUF_F32 = 0,
    GGUF_F16 = 1,
    GGUF_Q4_0 = 2,
    GGUF_Q4_1 = 3,
    GGUF_Q8_0 = 8,
    GGUF_BF16 = 30,
};

struct gguf;

/* Not NUL-terminated; always valid UTF-8. */
struct gguf_string {
    const char *text;
    size_t size;
};

/* Strings have different lengths, so they are read in order: see gguf_string_array_next. */
struct gguf_string_array {
    uint64_t count; /* strings not read yet */
    const unsigned char *next;
};

/* Elements need not be aligned in the file: see gguf_i32_array_at. */
struct gguf_i32_array {
    uint64_t count;
    const unsigned char *bytes;
};

struct gguf_tensor {
    struct gguf_string name;
    const void *data;             /* aligned to general.alignment (32 unless the file says otherwise) */
    uint64_t offset;              /* of the data, from the start of the file's data section */
    uint64_t bytes;               /* what the type and the dimensions need */
    uint64_t dims[GGUF_MAX_RANK]; /* dims[0] varies fastest; those past `rank` are 1 */
    uint32_t rank;
    enum gguf_tensor_type type;
};

bool gguf_open(const char *path, struct gguf **out_file, struct chat_error *error);
void gguf_close(struct gguf *file); /* NULL is fine */

/* The path, cut and cleaned for messages. */
const char *gguf_label(const struct gguf *file);

/* Metadata by key. An absent key and a value of another type are errors that say so. */
bool gguf_has_key(const struct gguf *file, const char *key);
bool gguf_get_u32(const struct gguf *file, const char *key, uint32_t *out_value, struct chat_error *error);
bool gguf_get_f32(const struct gguf *file, const char *key, float *out_value, struct chat_error *error);
bool gguf_get_bool(const struct gguf *file, const char *key, bool *out_value, struct chat_error *error);
bool gguf_get_string(const struct gguf *file, const char *key, struct gguf_string *out_value, struct chat_error *error);
bool gguf_get_string_array(const struct gguf *file, const char *key, struct gguf_string_array *out_value,
                           struct chat_error *error);
bool gguf_get_i32_array(const struct gguf *file, const char *key, struct gguf_i32_array *out_value,
                        struct chat_error *error);

/* Takes the next string off the array; false when none is left. */
bool gguf_string_array_next(struct gguf_string_array *array, struct gguf_string *out_string);
int32_t gguf_i32_array_at(const struct gguf_i32_array *array, uint64_t index); /* index < count */

/* Tensors by name (an absent one is an error), or all of them in the order of their names. */
bool gguf_get_tensor(const struct gguf *file, const char *name, struct gguf_tensor *out_tensor,
                     struct chat_error *error);
const struct gguf_tensor *gguf_find_tensor(const struct gguf *file, const char *name); /* NULL when absent */
uint64_t gguf_tensor_count(const struct gguf *file);
const struct gguf_tensor *gguf_tensor_at(const struct gguf *file, uint64_t index); /* index < count */

/* "f32", "q4_1" …; NULL for a number that this reader does not know. */
const char *gguf_type_name(uint32_t type);

#endif
