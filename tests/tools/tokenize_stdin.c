/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the tokens of each NUL-terminated text on stdin, a line each, as the chat example's tokeniser sees them:
 * what tests/reference/llama_cpp_top20.py --tokenize-stdin prints for llama.cpp. Every text must survive decoding.
 */
#define _GNU_SOURCE
#include "text_stream.h"
#include "tokenizer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Takes the decoded text off the front of what is expected; false when they differ. */
static bool matches(struct gguf_string decoded, const char **expected, size_t *left)
{
    if (decoded.size > *left || memcmp(decoded.text, *expected, decoded.size) != 0)
        return false;
    *expected += decoded.size;
    *left -= decoded.size;
    return true;
}

static bool print_text(const struct tokenizer *tokenizer, struct text_stream *stream, const char *text, size_t size,
                       struct chat_error *error)
{
    struct token_list list = {0};
    if (!tokenizer_encode(tokenizer, text, size, &list, error))
        return false;
    const char *expected = text;
    size_t left = size;
    bool same = true;
    for (size_t i = 0; i < list.count; i++) {
        printf(i == 0 ? "%" PRId32 : " %" PRId32, list.tokens[i]);
        same = same && matches(text_stream_add(stream, list.tokens[i]), &expected, &left);
    }
    puts("");
    same = matches(text_stream_finish(stream), &expected, &left) && same && left == 0;
    token_list_free(&list);
    return same || CHAT_FAIL(error, "decoding the tokens of \"%s\" gives another text", text);
}

static bool print_all(const struct tokenizer *tokenizer, struct chat_error *error)
{
    struct text_stream *stream = NULL;
    char *text = NULL;
    size_t room = 0;
    if (!text_stream_create(tokenizer, &stream, error))
        return false;
    bool good = true;
    while (good && getdelim(&text, &room, '\0', stdin) > 0)
        good = print_text(tokenizer, stream, text, strlen(text), error);
    free(text);
    text_stream_destroy(stream);
    return good;
}

int main(int argc, char **argv)
{
    struct chat_error error;
    struct gguf *file = NULL;
    struct tokenizer *tokenizer = NULL;
    if (argc != 2) {
        fprintf(stderr, "usage: tokenize_stdin MODEL.gguf < NUL-terminated texts\n");
        return 2;
    }
    bool good =
        gguf_open(argv[1], &file, &error) && tokenizer_create(file, &tokenizer, &error) && print_all(tokenizer, &error);
    if (!good)
        fprintf(stderr, "tokenize_stdin: %s\n", error.text);
    tokenizer_destroy(tokenizer);
    gguf_close(file);
    return good ? 0 : 1;
}
