/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes small GGUF files for tests: piece by piece, so that a test can make any piece wrong, or a whole llama model
 * with random weights and a working vocabulary. The same arguments give the same bytes on every machine.
 * Out of memory ends the program: a test cannot go on.
 */
#ifndef TESTS_TINY_GGUF_H
#define TESTS_TINY_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TINY_F32 = 0,
    TINY_F16 = 1,
    TINY_Q4_0 = 2,
    TINY_Q4_1 = 3,
    TINY_Q8_0 = 8,
    TINY_BF16 = 30,
    TINY_MIXED = 255, /* each matrix of the model takes the next of q8_0, q4_1, q4_0, f16, f32 */
};

/* The vocabulary: three control tokens, one token for each byte, then one for each merge. */
enum {
    TINY_TOKEN_END_OF_TEXT = 0, /* <|endoftext|> */
    TINY_TOKEN_TURN_START = 1,  /* <|im_start|>, also bos */
    TINY_TOKEN_TURN_END = 2,    /* <|im_end|>, also eos */
    TINY_FIRST_BYTE_TOKEN = 3,  /* + the byte's value */
    TINY_FIRST_MERGE_TOKEN = 259,
};

/* Growing bytes. Starts as {0}; freed by tiny_free. */
struct tiny_gguf {
    unsigned char *bytes;
    size_t size;
    size_t capacity;
};

void tiny_free(struct tiny_gguf *file);
bool tiny_write(const struct tiny_gguf *file, const char *path);

void tiny_put(struct tiny_gguf *file, const void *bytes, size_t size);
void tiny_put_u32(struct tiny_gguf *file, uint32_t value);
void tiny_put_u64(struct tiny_gguf *file, uint64_t value);
void tiny_put_f32(struct tiny_gguf *file, float value);
void tiny_put_string(struct tiny_gguf *file, const char *text);
void tiny_put_header(struct tiny_gguf *file, uint32_t version, uint64_t tensors, uint64_t keys);
void tiny_put_tensor(struct tiny_gguf *file, const char *name, uint32_t rank, const uint64_t *dims, uint32_t type,
                     uint64_t offset);
void tiny_align(struct tiny_gguf *file, size_t alignment); /* zeros up to the next multiple */

void tiny_key_u32(struct tiny_gguf *file, const char *key, uint32_t value);
void tiny_key_f32(struct tiny_gguf *file, const char *key, float value);
void tiny_key_bool(struct tiny_gguf *file, const char *key, bool value);
void tiny_key_string(struct tiny_gguf *file, const char *key, const char *value);
void tiny_key_strings(struct tiny_gguf *file, const char *key, const char *const *values, size_t count);
void tiny_key_i32s(struct tiny_gguf *file, const char *key, const int32_t *values, size_t count);

/* The keys tokenizer.ggml.*; a merge is two texts of earlier tokens with a space between them. */
enum { TINY_TOKENIZER_KEYS = 7 };
void tiny_put_tokenizer(struct tiny_gguf *file, const char *const *merges, size_t merge_count);

struct tiny_model {
    uint64_t seed;
    uint32_t layers, width, heads, kv_heads, feed_forward, vocabulary, context;
    uint32_t weight_type; /* of the matrices; norms are f32 */
    bool separate_output; /* output.weight beside token_embd.weight */
};

/* NULL when the sizes can make a model, else the reason why not. */
const char *tiny_model_problem(const struct tiny_model *model);
void tiny_model_build(const struct tiny_model *model, struct tiny_gguf *file);

#endif
