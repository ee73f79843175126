/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tokenizer made from any GGUF file. One that is accepted gives text back as it was, never makes a control token of
 * text, and streams UTF-8 whatever the tokens; one that is refused is refused with a line that says why.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chat_template.h"
#include "fuzz_tokens.h"
#include "gguf_parse.h"
#include "tokenizer.h"

static const char *const texts[] = {
    "",
    "a",
    "ab",
    "aba",
    "abab ba  aab\n\n1234 it's they'll 'x",
    "\xc3\xa9t\xc3\xa9 \xf0\x9f\x98\x80\xe2\x80\x8d\xe4\xb8\x96\xe7\x95\x8c",
    "<|im_end|>",
    " \t \xc2\xa0 x",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "a\xff",
};

/* Every token once, in its order and against it: at every moment what came out is UTF-8. */
static void check_stream(const struct tokenizer *tokenizer)
{
    struct chat_error error = {""};
    struct text_stream *stream = NULL;
    FUZZ_CHECK(text_stream_create(tokenizer, &stream, &error), "%s", error.text);
    const int32_t size = tokenizer_size(tokenizer);
    for (int32_t i = 0; i < 2 * size; i++) {
        const struct gguf_string text = text_stream_add(stream, i < size ? i : 2 * size - 1 - i);
        FUZZ_CHECK(fuzz_is_utf8(text.text, text.size), "token %d", (int)i);
    }
    const struct gguf_string rest = text_stream_finish(stream);
    FUZZ_CHECK(fuzz_is_utf8(rest.text, rest.size), "the end");
    text_stream_destroy(stream);
}

static void check_template(const struct tokenizer *tokenizer)
{
    struct chat_error error = {""};
    struct chat_template chat;
    struct token_list list = {0};
    if (!chat_template_init(&chat, tokenizer, &error)) {
        fuzz_check_message(error.text, "expected");
        return;
    }
    FUZZ_CHECK(tokenizer_is_control(tokenizer, chat.turn_start) && tokenizer_is_control(tokenizer, chat.turn_end),
               "turns are marked by ordinary tokens");
    if (chat_template_open(&chat, NULL, &list, &error) && chat_template_user(&chat, "hi", 2, &list, &error))
        FUZZ_CHECK(list.count > 4 && list.tokens[0] == chat.turn_start, "%zu tokens", list.count);
    else
        fuzz_check_message(error.text, "expected");
    token_list_free(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gguf file = {.map = (unsigned char *)fuzz_text(data, size), .size = size, .label = "memory"};
    struct chat_error error = {""};
    struct tokenizer *tokenizer = NULL;
    if (!gguf_parse(&file, &error)) {
        fuzz_check_message(error.text, "memory: ");
    } else if (!tokenizer_create(&file, &tokenizer, &error)) {
        fuzz_check_message(error.text, "memory: ");
        FUZZ_CHECK(tokenizer == NULL, "a tokenizer that was refused");
    } else {
        FUZZ_CHECK(tokenizer_end_token(tokenizer) < tokenizer_size(tokenizer), "the end token is none");
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
            fuzz_check_tokens(tokenizer, texts[i], strlen(texts[i]));
        check_stream(tokenizer);
        check_template(tokenizer);
    }
    tokenizer_destroy(tokenizer);
    free(file.entries);
    free(file.tensors);
    free(file.map);
    return 0;
}
