/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text through a small vocabulary that has a token for every byte. Only what is no UTF-8, or nothing, is refused;
 * tokens are those that joining pairs one by one, rank by rank and from the left, would give; and any tokens at all
 * stream as UTF-8.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz_tokens.h"
#include "gguf_parse.h"
#include "pretokenizer.h"
#include "tiny_gguf.h"
#include "utf8.h"

/* By rank; \u0120 is the letter of the space. Some can be reached in two ways, and some only across others. */
static const char *const merges[] = {"a b",         "ab a",
                                     "b a",         "a a",
                                     "aa aa",       "\xc4\xa0 a",
                                     "\xc4\xa0 ab", "t h",
                                     "th e",        "h e",
                                     "i n",         "x x",
                                     "xx x",        "x xxx",
                                     "l l",         "' ll",
                                     "' s",         "\xc3\x83 \xc2\xa9",
                                     "1 2",         "\xc4\xa0 \xc4\xa0",
                                     "< |"};
enum { MERGES = sizeof merges / sizeof merges[0] };

static struct tokenizer *tokenizer_of_all_bytes(void)
{
    static struct tokenizer *tokenizer; /* one for all inputs; it points into bytes that are kept */
    static struct gguf file = {.label = "tiny"};
    struct tiny_gguf bytes = {0};
    struct chat_error error = {""};
    if (tokenizer != NULL)
        return tokenizer;
    tiny_put_header(&bytes, 3, 0, TINY_TOKENIZER_KEYS);
    tiny_put_tokenizer(&bytes, merges, MERGES);
    file.map = bytes.bytes;
    file.size = bytes.size;
    FUZZ_CHECK(gguf_parse(&file, &error) && tokenizer_create(&file, &tokenizer, &error), "%s", error.text);
    return tokenizer;
}

/* ---- the slow and plain way to the same tokens ---- */

/* A token's text as the letters that merges are written in; `out` has room for two bytes a byte. */
static void letters_of(const struct tokenizer *tokenizer, int32_t token, char *out, size_t room)
{
    char bytes[64], letter[UTF8_LONGEST];
    size_t used = 0;
    const size_t count = tokenizer_token_bytes(tokenizer, token, bytes);
    for (size_t i = 0; i < count; i++) {
        const unsigned byte = (unsigned char)bytes[i];
        /* Bytes that are not printable Latin-1 take the letters from U+0100 on, in order. */
        const unsigned letter_code = byte <= 0x20                   ? 0x100 + byte
                                     : byte >= 0x7f && byte <= 0xa0 ? 0x121 + (byte - 0x7f)
                                     : byte == 0xad                 ? 0x143
                                                                    : byte;
        const int length = utf8_write(letter_code, letter);
        FUZZ_CHECK(used + (size_t)length < room, "a token of %zu bytes", count);
        memcpy(out + used, letter, (size_t)length);
        used += (size_t)length;
    }
    out[used] = '\0';
}

static int rank_of(const struct tokenizer *tokenizer, int32_t left, int32_t right)
{
    char one[96], other[96];
    letters_of(tokenizer, left, one, sizeof one);
    letters_of(tokenizer, right, other, sizeof other);
    for (int rank = 0; rank < MERGES; rank++) {
        const char *space = strchr(merges[rank], ' ');
        if (strlen(one) == (size_t)(space - merges[rank]) && memcmp(one, merges[rank], strlen(one)) == 0 &&
            strcmp(other, space + 1) == 0)
            return rank;
    }
    return MERGES;
}

static size_t join_word(const struct tokenizer *tokenizer, int32_t *tokens, size_t count)
{
    for (;;) {
        int best = MERGES;
        size_t at = 0;
        for (size_t i = 0; i + 1 < count; i++) {
            const int rank = rank_of(tokenizer, tokens[i], tokens[i + 1]);
            if (rank < best) {
                best = rank;
                at = i;
            }
        }
        if (best == MERGES)
            return count;
        tokens[at] = TINY_FIRST_MERGE_TOKEN + best;
        memmove(tokens + at + 1, tokens + at + 2, (count - at - 2) * sizeof *tokens);
        count--;
    }
}

static void check_against_plain(const struct tokenizer *tokenizer, const char *text, size_t size)
{
    struct chat_error error = {""};
    struct token_list list = {0};
    int32_t *tokens = malloc(size * sizeof *tokens);
    size_t count = 0;
    FUZZ_CHECK(tokens != NULL && tokenizer_encode(tokenizer, text, size, &list, &error), "%s", error.text);
    for (size_t at = 0; at < size;) {
        const size_t length = pretokenizer_word(text + at, size - at);
        FUZZ_CHECK(length > 0 && length <= size - at, "a word of %zu bytes at %zu of %zu", length, at, size);
        for (size_t i = 0; i < length; i++)
            tokens[count + i] = TINY_FIRST_BYTE_TOKEN + (unsigned char)text[at + i];
        count += join_word(tokenizer, tokens + count, length);
        at += length;
    }
    FUZZ_CHECK(count == list.count && memcmp(tokens, list.tokens, count * sizeof *tokens) == 0,
               "%zu tokens, the plain way gives %zu", list.count, count);
    free(tokens);
    token_list_free(&list);
}

/* The input's bytes as tokens: no text would give them, but a model may. */
static void check_any_tokens(const struct tokenizer *tokenizer, const uint8_t *data, size_t size)
{
    struct chat_error error = {""};
    struct text_stream *stream = NULL;
    FUZZ_CHECK(text_stream_create(tokenizer, &stream, &error), "%s", error.text);
    for (size_t i = 0; i < size; i++) {
        const struct gguf_string piece = text_stream_add(stream, (data[i] * 7) % tokenizer_size(tokenizer));
        FUZZ_CHECK(fuzz_is_utf8(piece.text, piece.size), "the piece at token %zu", i);
    }
    const struct gguf_string rest = text_stream_finish(stream);
    FUZZ_CHECK(fuzz_is_utf8(rest.text, rest.size), "the end");
    text_stream_destroy(stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct tokenizer *tokenizer = tokenizer_of_all_bytes();
    char *text = fuzz_text(data, size);
    const bool is_text = size != 0 && fuzz_is_utf8(text, size);
    FUZZ_CHECK(fuzz_check_tokens(tokenizer, text, size) == is_text, "%zu bytes", size);
    if (is_text && size <= 512) /* the plain way takes the square of the length */
        check_against_plain(tokenizer, text, size);
    check_any_tokens(tokenizer, data, size);
    free(text);
    return 0;
}
