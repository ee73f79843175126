/* SPDX-License-Identifier: Apache-2.0 */
/* Byte-pair encoding of one word: its byte tokens are joined, lowest merge rank first, until no merge applies. */
#ifndef CHAT_BPE_H
#define CHAT_BPE_H

#include "vocabulary.h"

/* Working memory, reused from word to word. Starts as {0}; freed by bpe_free. */
struct bpe {
    struct bpe_symbol *symbols;
    struct bpe_pair *pairs;
    size_t capacity; /* symbols */
    size_t pair_count;
};

/*
 * Merges tokens[0..*count) in place; *count shrinks to what is left. count < 2^30. Takes time n log n: a prompt may be
 * one long word.
 */
bool bpe_merge(struct bpe *bpe, const struct vocabulary *vocabulary, int32_t *tokens, size_t *count,
               struct chat_error *error);
void bpe_free(struct bpe *bpe);

#endif
