/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The turns of a conversation as SmolLM2 was trained on them (ChatML):
 *     <|im_start|>system\n…<|im_end|>\n<|im_start|>user\n…<|im_end|>\n<|im_start|>assistant\n…<|im_end|>\n
 * Each function adds to the token list what comes next, so that the key/value cache of earlier turns stays good: the
 * caller runs the model over what was added. One-shot: open, user, generate. Interactive: after each answer
 * close_answer, then user again.
 */
#ifndef CHAT_TEMPLATE_H
#define CHAT_TEMPLATE_H

#include "tokenizer.h"

struct chat_template {
    const struct tokenizer *tokenizer; /* must outlive this */
    int32_t turn_start;
    int32_t turn_end; /* the model ends its answer with this one or tokenizer_end_token */
};

/* Refuses a vocabulary without the two control tokens: the model was made for another template. */
bool chat_template_init(struct chat_template *out_template, const struct tokenizer *tokenizer,
                        struct chat_error *error);

/* The system turn; `system` NULL is the model's default one. On failure the list is as it was, here and below. */
bool chat_template_open(const struct chat_template *chat, const char *system, struct token_list *list,
                        struct chat_error *error);

/* The user's turn and the head of the assistant's: the model speaks next. */
bool chat_template_user(const struct chat_template *chat, const char *text, size_t size, struct token_list *list,
                        struct chat_error *error);

/* True for a token that ends the answer; it is not part of the text. */
bool chat_template_is_end(const struct chat_template *chat, int32_t token);

/* Ends the assistant's turn. The list holds the answer without the token that ended it, if one did. */
bool chat_template_close_answer(const struct chat_template *chat, struct token_list *list, struct chat_error *error);

#endif
