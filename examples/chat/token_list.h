/* SPDX-License-Identifier: Apache-2.0 */
/* A growing array of token ids. Starts as {0}; freed by token_list_free. */
#ifndef CHAT_TOKEN_LIST_H
#define CHAT_TOKEN_LIST_H

#include "chat_error.h"

#include <stdint.h>

struct token_list {
    int32_t *tokens;
    size_t count;
    size_t capacity;
};

bool token_list_add(struct token_list *list, int32_t token, struct chat_error *error);
void token_list_free(struct token_list *list); /* leaves it as {0} */

#endif
