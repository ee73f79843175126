/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold of the tokens of a text. */
#include "fuzz_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static void check_bytes(const struct tokenizer *tokenizer, const struct token_list *list, const char *text, size_t size)
{
    char *bytes = malloc(tokenizer_longest_token(tokenizer));
    size_t at = 0;
    FUZZ_CHECK(bytes != NULL, "out of memory");
    for (size_t i = 1; i < list->count; i++) {
        FUZZ_CHECK(list->tokens[i] >= 0 && list->tokens[i] < tokenizer_size(tokenizer), "token %zu", i);
        FUZZ_CHECK(!tokenizer_is_control(tokenizer, list->tokens[i]), "text made the control token %d",
                   (int)list->tokens[i]);
        const size_t length = tokenizer_token_bytes(tokenizer, list->tokens[i], bytes);
        FUZZ_CHECK(length <= tokenizer_longest_token(tokenizer), "token %zu has %zu bytes", i, length);
        FUZZ_CHECK(length <= size - at && memcmp(bytes, text + at, length) == 0, "token %zu is not the text's", i);
        at += length;
    }
    FUZZ_CHECK(at == size, "tokens for %zu of %zu bytes", at, size);
    free(bytes);
}

/* The text is UTF-8, so streaming its tokens must give exactly it back, and leave nothing at the end. */
static void check_stream(const struct tokenizer *tokenizer, const struct token_list *list, const char *text,
                         size_t size)
{
    struct chat_error error = {""};
    struct text_stream *stream = NULL;
    size_t at = 0;
    FUZZ_CHECK(text_stream_create(tokenizer, &stream, &error), "%s", error.text);
    for (size_t i = 1; i < list->count; i++) {
        const struct gguf_string piece = text_stream_add(stream, list->tokens[i]);
        FUZZ_CHECK(piece.size <= size - at && memcmp(piece.text, text + at, piece.size) == 0, "piece %zu", i);
        at += piece.size;
    }
    FUZZ_CHECK(at == size && text_stream_finish(stream).size == 0, "%zu of %zu bytes came out", at, size);
    text_stream_destroy(stream);
}

bool fuzz_check_tokens(const struct tokenizer *tokenizer, const char *text, size_t size)
{
    struct chat_error error = {""};
    struct token_list list = {0};
    FUZZ_CHECK(token_list_add(&list, 7, &error), "%s", error.text); /* what the list held before must stay */
    const bool is_good = tokenizer_encode(tokenizer, text, size, &list, &error);
    FUZZ_CHECK(list.count >= 1 && list.tokens[0] == 7, "the list was changed");
    if (is_good) {
        check_bytes(tokenizer, &list, text, size);
        check_stream(tokenizer, &list, text, size);
    } else {
        FUZZ_CHECK(list.count == 1, "%zu tokens of a text that was refused", list.count - 1);
        fuzz_check_message(error.text, "text: expected ");
    }
    token_list_free(&list);
    return is_good;
}
