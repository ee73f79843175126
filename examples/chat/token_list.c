/* SPDX-License-Identifier: Apache-2.0 */
/* Growth by doubling, so that adding stays cheap. */
#include "token_list.h"

#include <stdlib.h>

bool token_list_add(struct token_list *list, int32_t token, struct chat_error *error)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity != 0 ? 2 * list->capacity : 64;
        int32_t *tokens = realloc(list->tokens, capacity * sizeof tokens[0]);
        if (tokens == NULL)
            return CHAT_FAIL(error, "out of memory");
        list->tokens = tokens;
        list->capacity = capacity;
    }
    list->tokens[list->count++] = token;
    return true;
}

void token_list_free(struct token_list *list)
{
    free(list->tokens);
    *list = (struct token_list){0};
}
