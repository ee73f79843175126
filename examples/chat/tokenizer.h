/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text to tokens and back, by the byte-level BPE that a GGUF file carries (tokenizer.ggml.model "gpt2", .pre "smollm"):
 * the text is cut into words, each word's bytes become byte tokens, and these are merged by rank. Text never yields
 * control tokens: "<|im_end|>" in a prompt is ten characters. Only the chat template places those, by id.
 * User-defined tokens (type 4) are not cut out of text first; the models that this reads have none.
 */
#ifndef CHAT_TOKENIZER_H
#define CHAT_TOKENIZER_H

#include "gguf.h"
#include "token_list.h"

struct tokenizer;

/* The file must outlive the tokenizer. */
bool tokenizer_create(const struct gguf *file, struct tokenizer **out_tokenizer, struct chat_error *error);
void tokenizer_destroy(struct tokenizer *tokenizer); /* NULL is fine */

/* Tokens are 0 to size - 1; functions that take one expect it in that range. */
int32_t tokenizer_size(const struct tokenizer *tokenizer);
int32_t tokenizer_end_token(const struct tokenizer *tokenizer); /* what the model says when its answer is complete */
bool tokenizer_is_control(const struct tokenizer *tokenizer, int32_t token);

/* The control token of this text; its absence is an error. */
bool tokenizer_find_control(const struct tokenizer *tokenizer, const char *text, int32_t *out_token,
                            struct chat_error *error);

/*
 * Adds the tokens of the text to the list. Refuses text that is empty, is not UTF-8 (naming the offset), holds a byte
 * for which the vocabulary has no token, or is 1 GiB or more; the list is then as it was.
 */
bool tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t size, struct token_list *list,
                      struct chat_error *error);

/* The checks that tokenizer_encode makes on the text; `what` names it in the message ("prompt"). */
bool tokenizer_check_text(const struct tokenizer *tokenizer, const char *what, const char *text, size_t size,
                          struct chat_error *error);

/*
 * Writes the bytes of one token, at most tokenizer_longest_token of them, and returns how many; none for a control
 * token. A character may be spread over several tokens: text_stream.h puts it together.
 */
size_t tokenizer_token_bytes(const struct tokenizer *tokenizer, int32_t token, char *out_bytes);
size_t tokenizer_longest_token(const struct tokenizer *tokenizer);

#endif
