/* SPDX-License-Identifier: Apache-2.0 */
/* Holds back at most three bytes, the longest unfinished character. */
#include "text_stream.h"

#include "utf8.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_HELD = UTF8_LONGEST - 1, REPLACEMENT = 0xfffd, REPLACEMENT_SIZE = 3 };

struct text_stream {
    const struct tokenizer *tokenizer;
    char *bytes; /* what was held back, then the token's */
    size_t held;
    char *text; /* what is given out */
};

bool text_stream_create(const struct tokenizer *tokenizer, struct text_stream **out_stream, struct chat_error *error)
{
    size_t most = MOST_HELD + tokenizer_longest_token(tokenizer);
    struct text_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return CHAT_FAIL(error, "out of memory");
    stream->tokenizer = tokenizer;
    stream->bytes = malloc(most);
    stream->text = malloc(most * REPLACEMENT_SIZE);
    if (stream->bytes == NULL || stream->text == NULL) {
        text_stream_destroy(stream);
        return CHAT_FAIL(error, "out of memory");
    }
    *out_stream = stream;
    return true;
}

void text_stream_destroy(struct text_stream *stream)
{
    if (stream == NULL)
        return;
    free(stream->bytes);
    free(stream->text);
    free(stream);
}

struct gguf_string text_stream_add(struct text_stream *stream, int32_t token)
{
    size_t size = stream->held + tokenizer_token_bytes(stream->tokenizer, token, stream->bytes + stream->held);
    size_t written = 0;
    size_t at = 0;
    while (at < size) {
        uint32_t code_point;
        int length = utf8_read(stream->bytes + at, size - at, &code_point);
        if (length == UTF8_INCOMPLETE)
            break;
        if (length == UTF8_INVALID) {
            code_point = REPLACEMENT;
            length = 1;
        }
        written += (size_t)utf8_write(code_point, stream->text + written);
        at += (size_t)length;
    }
    stream->held = size - at;
    memmove(stream->bytes, stream->bytes + at, stream->held);
    return (struct gguf_string){stream->text, written};
}

struct gguf_string text_stream_finish(struct text_stream *stream)
{
    size_t written = stream->held != 0 ? (size_t)utf8_write(REPLACEMENT, stream->text) : 0;
    stream->held = 0;
    return (struct gguf_string){stream->text, written};
}
