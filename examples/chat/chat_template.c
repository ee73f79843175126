/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Role, newline and content are tokenised as one text, as the trained template does: a newline that opens the content
 * must meet the one behind the role.
 */
#include "chat_template.h"

#include <stdlib.h>
#include <string.h>

static const char default_system[] = "You are a helpful AI assistant named SmolLM, trained by Hugging Face";

bool chat_template_init(struct chat_template *out_template, const struct tokenizer *tokenizer, struct chat_error *error)
{
    struct chat_template chat = {.tokenizer = tokenizer};
    if (!tokenizer_find_control(tokenizer, "<|im_start|>", &chat.turn_start, error) ||
        !tokenizer_find_control(tokenizer, "<|im_end|>", &chat.turn_end, error))
        return false;
    *out_template = chat;
    return true;
}

static bool add_text(const struct chat_template *chat, const char *head, const char *text, size_t size,
                     struct token_list *list, struct chat_error *error)
{
    size_t head_size = strlen(head);
    char *whole = malloc(head_size + size + 1);
    if (whole == NULL)
        return CHAT_FAIL(error, "out of memory");
    memcpy(whole, head, head_size + 1);
    memcpy(whole + head_size, text, size);
    bool added = tokenizer_encode(chat->tokenizer, whole, head_size + size, list, error);
    free(whole);
    return added;
}

static bool add_turn_end(const struct chat_template *chat, struct token_list *list, struct chat_error *error)
{
    return token_list_add(list, chat->turn_end, error) && tokenizer_encode(chat->tokenizer, "\n", 1, list, error);
}

static bool add_turn(const struct chat_template *chat, const char *head, const char *text, size_t size,
                     struct token_list *list, struct chat_error *error)
{
    return token_list_add(list, chat->turn_start, error) && add_text(chat, head, text, size, list, error) &&
           add_turn_end(chat, list, error);
}

bool chat_template_open(const struct chat_template *chat, const char *system, struct token_list *list,
                        struct chat_error *error)
{
    const char *text = system != NULL ? system : default_system;
    size_t size = strlen(text);
    size_t before = list->count;
    if (size != 0 && !tokenizer_check_text(chat->tokenizer, "system prompt", text, size, error))
        return false;
    if (add_turn(chat, "system\n", text, size, list, error))
        return true;
    list->count = before;
    return false;
}

bool chat_template_user(const struct chat_template *chat, const char *text, size_t size, struct token_list *list,
                        struct chat_error *error)
{
    size_t before = list->count;
    if (!tokenizer_check_text(chat->tokenizer, "prompt", text, size, error))
        return false;
    if (add_turn(chat, "user\n", text, size, list, error) && token_list_add(list, chat->turn_start, error) &&
        tokenizer_encode(chat->tokenizer, "assistant\n", strlen("assistant\n"), list, error))
        return true;
    list->count = before;
    return false;
}

bool chat_template_is_end(const struct chat_template *chat, int32_t token)
{
    return token == chat->turn_end || token == tokenizer_end_token(chat->tokenizer);
}

bool chat_template_close_answer(const struct chat_template *chat, struct token_list *list, struct chat_error *error)
{
    size_t before = list->count;
    if (add_turn_end(chat, list, error))
        return true;
    list->count = before;
    return false;
}
