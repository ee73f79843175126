/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Byte-level BPE writes each byte as one printable character, so that merges can be kept as text: bytes that are
 * printable in Latin-1 stand for themselves, the other 68 take the characters from U+0100 on, in order.
 */
#include "tokenizer.h"

#include "bpe.h"
#include "pretokenizer.h"
#include "utf8.h"
#include "vocabulary.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_SUBSTITUTE = 0x100,
    SUBSTITUTES = 68,
    ALPHABET_END = FIRST_SUBSTITUTE + SUBSTITUTES,
    NOT_A_BYTE = -1,
    LONGEST_TEXT = 1 << 30,
};

struct tokenizer {
    const struct gguf *file;
    struct vocabulary *vocabulary;
    int32_t byte_tokens[256];             /* or VOCABULARY_NO_TOKEN */
    int16_t byte_of_letter[ALPHABET_END]; /* or NOT_A_BYTE */
    int32_t end_token;
    size_t longest_token;
};

static bool stands_for_itself(unsigned byte)
{
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
}

static void load_alphabet(struct tokenizer *tokenizer)
{
    uint32_t substitute = FIRST_SUBSTITUTE;
    for (size_t i = 0; i < ALPHABET_END; i++)
        tokenizer->byte_of_letter[i] = NOT_A_BYTE;
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[UTF8_LONGEST];
        uint32_t letter = stands_for_itself(byte) ? byte : substitute++;
        int length = utf8_write(letter, text);
        int32_t token = vocabulary_find(tokenizer->vocabulary, text, (size_t)length);
        bool is_usable = token != VOCABULARY_NO_TOKEN && !vocabulary_is_control(tokenizer->vocabulary, token);
        tokenizer->byte_of_letter[letter] = (int16_t)byte;
        tokenizer->byte_tokens[byte] = is_usable ? token : VOCABULARY_NO_TOKEN; /* text never yields control tokens */
    }
}

static bool expect_string(const struct gguf *file, const char *key, const char *expected, struct chat_error *error)
{
    struct gguf_string found;
    struct chat_quoted quoted;
    if (!gguf_get_string(file, key, &found, error))
        return false;
    if (found.size != strlen(expected) || memcmp(found.text, expected, found.size) != 0)
        return CHAT_FAIL(error, "%s: key \"%s\": expected \"%s\", found \"%s\"", gguf_label(file), key, expected,
                         chat_quote(&quoted, found.text, found.size));
    return true;
}

static bool load_end_token(struct tokenizer *tokenizer, struct chat_error *error)
{
    const char *key = "tokenizer.ggml.eos_token_id";
    uint32_t token;
    if (!gguf_get_u32(tokenizer->file, key, &token, error))
        return false;
    if (token >= (uint32_t)vocabulary_size(tokenizer->vocabulary))
        return CHAT_FAIL(error, "%s: key \"%s\": expected a token below %" PRId32 ", found %" PRIu32,
                         gguf_label(tokenizer->file), key, vocabulary_size(tokenizer->vocabulary), token);
    tokenizer->end_token = (int32_t)token;
    return true;
}

static bool load(struct tokenizer *tokenizer, struct chat_error *error)
{
    const struct gguf *file = tokenizer->file;
    if (!expect_string(file, "tokenizer.ggml.model", "gpt2", error) ||
        !expect_string(file, "tokenizer.ggml.pre", "smollm", error) ||
        !vocabulary_create(file, &tokenizer->vocabulary, error) || !load_end_token(tokenizer, error))
        return false;
    load_alphabet(tokenizer);
    for (int32_t token = 0; token < vocabulary_size(tokenizer->vocabulary); token++) {
        size_t size = vocabulary_text(tokenizer->vocabulary, token).size;
        if (size > tokenizer->longest_token)
            tokenizer->longest_token = size;
    }
    return true;
}

bool tokenizer_create(const struct gguf *file, struct tokenizer **out_tokenizer, struct chat_error *error)
{
    struct tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
    if (tokenizer == NULL)
        return CHAT_FAIL(error, "out of memory");
    tokenizer->file = file;
    if (!load(tokenizer, error)) {
        tokenizer_destroy(tokenizer);
        return false;
    }
    *out_tokenizer = tokenizer;
    return true;
}

void tokenizer_destroy(struct tokenizer *tokenizer)
{
    if (tokenizer == NULL)
        return;
    vocabulary_destroy(tokenizer->vocabulary);
    free(tokenizer);
}

int32_t tokenizer_size(const struct tokenizer *tokenizer)
{
    return vocabulary_size(tokenizer->vocabulary);
}

int32_t tokenizer_end_token(const struct tokenizer *tokenizer)
{
    return tokenizer->end_token;
}

bool tokenizer_is_control(const struct tokenizer *tokenizer, int32_t token)
{
    return vocabulary_is_control(tokenizer->vocabulary, token);
}

bool tokenizer_find_control(const struct tokenizer *tokenizer, const char *text, int32_t *out_token,
                            struct chat_error *error)
{
    int32_t token = vocabulary_find(tokenizer->vocabulary, text, strlen(text));
    if (token == VOCABULARY_NO_TOKEN || !vocabulary_is_control(tokenizer->vocabulary, token))
        return CHAT_FAIL(error, "%s: tokenizer.ggml.tokens: expected the control token \"%s\", found %s",
                         gguf_label(tokenizer->file), text, token == VOCABULARY_NO_TOKEN ? "none" : "ordinary text");
    *out_token = token;
    return true;
}

bool tokenizer_check_text(const struct tokenizer *tokenizer, const char *what, const char *text, size_t size,
                          struct chat_error *error)
{
    size_t bad;
    if (size == 0)
        return CHAT_FAIL(error, "%s: expected some text, found none", what);
    if (size >= LONGEST_TEXT)
        return CHAT_FAIL(error, "%s: expected less than 1 GiB of text, found %zu bytes", what, size);
    if (!utf8_check(text, size, &bad))
        return CHAT_FAIL(error, "%s: expected UTF-8, found the byte 0x%02x at offset %zu", what,
                         (unsigned)(unsigned char)text[bad], bad);
    for (size_t i = 0; i < size; i++)
        if (tokenizer->byte_tokens[(unsigned char)text[i]] == VOCABULARY_NO_TOKEN)
            return CHAT_FAIL(error, "%s: expected bytes that the vocabulary has tokens for, found 0x%02x at offset %zu",
                             what, (unsigned)(unsigned char)text[i], i);
    return true;
}

static bool encode_words(const struct tokenizer *tokenizer, const char *text, size_t size, struct bpe *bpe,
                         struct token_list *list, struct chat_error *error)
{
    for (size_t at = 0; at < size;) {
        size_t length = pretokenizer_word(text + at, size - at);
        size_t start = list->count;
        for (size_t i = 0; i < length; i++)
            if (!token_list_add(list, tokenizer->byte_tokens[(unsigned char)text[at + i]], error))
                return false;
        size_t count = length;
        if (!bpe_merge(bpe, tokenizer->vocabulary, list->tokens + start, &count, error))
            return false;
        list->count = start + count;
        at += length;
    }
    return true;
}

bool tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t size, struct token_list *list,
                      struct chat_error *error)
{
    struct bpe bpe = {0};
    size_t before = list->count;
    if (!tokenizer_check_text(tokenizer, "text", text, size, error))
        return false;
    bool encoded = encode_words(tokenizer, text, size, &bpe, list, error);
    if (!encoded)
        list->count = before;
    bpe_free(&bpe);
    return encoded;
}

size_t tokenizer_token_bytes(const struct tokenizer *tokenizer, int32_t token, char *out_bytes)
{
    if (vocabulary_is_control(tokenizer->vocabulary, token))
        return 0;
    struct gguf_string text = vocabulary_text(tokenizer->vocabulary, token);
    size_t count = 0;
    for (size_t at = 0; at < text.size;) {
        uint32_t letter = 0;
        int length = utf8_read(text.text + at, text.size - at, &letter);
        if (letter < ALPHABET_END && tokenizer->byte_of_letter[letter] != NOT_A_BYTE) {
            out_bytes[count++] = (char)tokenizer->byte_of_letter[letter];
        } else { /* outside the alphabet: it can only mean itself */
            memcpy(out_bytes + count, text.text + at, (size_t)length);
            count += (size_t)length;
        }
        at += (size_t)length;
    }
    return count;
}

size_t tokenizer_longest_token(const struct tokenizer *tokenizer)
{
    return tokenizer->longest_token;
}
