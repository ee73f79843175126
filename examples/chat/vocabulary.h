/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vocabulary of a byte-level BPE model, indexed from the file's tokenizer.ggml.tokens, .token_type and .merges:
 * token by text, text by token, and the merge of two tokens. Texts stay in the mapped file, which must outlive this.
 */
#ifndef CHAT_VOCABULARY_H
#define CHAT_VOCABULARY_H

#include "gguf.h"

enum { VOCABULARY_NO_TOKEN = -1 };

/* A pair of tokens that becomes one; the pair of the lowest rank is merged first. */
struct vocabulary_merge {
    uint32_t rank;
    int32_t token;
};

struct vocabulary;

bool vocabulary_create(const struct gguf *file, struct vocabulary **out_vocabulary, struct chat_error *error);
void vocabulary_destroy(struct vocabulary *vocabulary); /* NULL is fine */

/* Tokens are 0 to size - 1; functions that take one expect it in that range. */
int32_t vocabulary_size(const struct vocabulary *vocabulary);
struct gguf_string vocabulary_text(const struct vocabulary *vocabulary, int32_t token);
bool vocabulary_is_control(const struct vocabulary *vocabulary, int32_t token);

int32_t vocabulary_find(const struct vocabulary *vocabulary, const char *text, size_t size); /* or NO_TOKEN */
bool vocabulary_find_merge(const struct vocabulary *vocabulary, int32_t left, int32_t right,
                           struct vocabulary_merge *out_merge);

#endif
