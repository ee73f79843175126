/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two open-addressing hash tables, both at most half full: token texts, and merges by the pair of tokens they join.
 * They are filled once at load, which takes some 150,000 look-ups for a vocabulary of 49,152 and so decides load time.
 */
#include "vocabulary.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum token_type { TOKEN_NORMAL = 1, TOKEN_UNKNOWN = 2, TOKEN_CONTROL = 3, TOKEN_USER_DEFINED = 4, TOKEN_TYPES = 7 };

struct merge_slot {
    int32_t left; /* VOCABULARY_NO_TOKEN: empty */
    int32_t right;
    struct vocabulary_merge merge;
};

struct vocabulary {
    const struct gguf *file;
    struct gguf_string *texts;
    struct gguf_i32_array types;
    int32_t size;
    int32_t *text_slots; /* VOCABULARY_NO_TOKEN: empty */
    size_t text_mask;
    struct merge_slot *merge_slots;
    size_t merge_mask;
};

/* A text in two parts, so that the result of a merge is found without being put together. */
struct split_text {
    struct gguf_string head;
    struct gguf_string tail;
};

/* FNV-1a, whose multiplication moves little into the low bits that the table uses: hence the fold at the end. */
static size_t hash_text(const struct split_text *text)
{
    uint64_t hash = 0xcbf29ce484222325U;
    for (size_t i = 0; i < text->head.size; i++)
        hash = (hash ^ (unsigned char)text->head.text[i]) * 0x100000001b3U;
    for (size_t i = 0; i < text->tail.size; i++)
        hash = (hash ^ (unsigned char)text->tail.text[i]) * 0x100000001b3U;
    return (size_t)(hash ^ hash >> 32);
}

static size_t hash_pair(int32_t left, int32_t right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    key *= 0x9e3779b97f4a7c15U;
    return (size_t)(key ^ key >> 32);
}

static bool is_text(const struct gguf_string *whole, const struct split_text *text)
{
    return whole->size == text->head.size + text->tail.size &&
           memcmp(whole->text, text->head.text, text->head.size) == 0 &&
           memcmp(whole->text + text->head.size, text->tail.text, text->tail.size) == 0;
}

/* The slot that holds the text, or the empty one where it would go. */
static int32_t *text_slot(const struct vocabulary *vocabulary, const struct split_text *text)
{
    size_t at = hash_text(text) & vocabulary->text_mask;
    for (;; at = (at + 1) & vocabulary->text_mask) {
        int32_t token = vocabulary->text_slots[at];
        if (token == VOCABULARY_NO_TOKEN || is_text(&vocabulary->texts[token], text))
            return &vocabulary->text_slots[at];
    }
}

static struct merge_slot *merge_slot(const struct vocabulary *vocabulary, int32_t left, int32_t right)
{
    size_t at = hash_pair(left, right) & vocabulary->merge_mask;
    for (;; at = (at + 1) & vocabulary->merge_mask) {
        struct merge_slot *slot = &vocabulary->merge_slots[at];
        if (slot->left == VOCABULARY_NO_TOKEN || (slot->left == left && slot->right == right))
            return slot;
    }
}

static size_t slot_count(uint64_t entries)
{
    size_t count = 16;
    while (count / 2 < entries)
        count *= 2;
    return count;
}

static bool add_token(struct vocabulary *vocabulary, int32_t token, struct chat_error *error)
{
    const char *label = gguf_label(vocabulary->file);
    struct split_text text = {vocabulary->texts[token], {"", 0}};
    struct chat_quoted quoted;
    if (text.head.size == 0)
        return CHAT_FAIL(error, "%s: tokenizer.ggml.tokens: token %" PRId32 ": expected a text, found none", label,
                         token);
    int32_t type = gguf_i32_array_at(&vocabulary->types, (uint64_t)token);
    if (type < TOKEN_NORMAL || type >= TOKEN_TYPES)
        return CHAT_FAIL(error, "%s: tokenizer.ggml.token_type: token %" PRId32 ": expected 1 to 6, found %" PRId32,
                         label, token, type);
    int32_t *slot = text_slot(vocabulary, &text);
    if (*slot != VOCABULARY_NO_TOKEN)
        return CHAT_FAIL(error, "%s: tokenizer.ggml.tokens: token %" PRId32 ": expected a new text, found \"%s\" again",
                         label, token, chat_quote(&quoted, text.head.text, text.head.size));
    *slot = token;
    return true;
}

static bool load_tokens(struct vocabulary *vocabulary, struct chat_error *error)
{
    struct gguf_string_array texts;
    if (!gguf_get_string_array(vocabulary->file, "tokenizer.ggml.tokens", &texts, error) ||
        !gguf_get_i32_array(vocabulary->file, "tokenizer.ggml.token_type", &vocabulary->types, error))
        return false;
    if (texts.count == 0 || texts.count > INT32_MAX || texts.count != vocabulary->types.count)
        return CHAT_FAIL(error,
                         "%s: tokenizer.ggml.token_type: expected one for each of %" PRIu64 " tokens, found %" PRIu64,
                         gguf_label(vocabulary->file), texts.count, vocabulary->types.count);

    size_t slots = slot_count(texts.count);
    vocabulary->size = (int32_t)texts.count;
    vocabulary->text_mask = slots - 1;
    vocabulary->texts = calloc((size_t)texts.count, sizeof vocabulary->texts[0]);
    vocabulary->text_slots = malloc(slots * sizeof vocabulary->text_slots[0]);
    if (vocabulary->texts == NULL || vocabulary->text_slots == NULL)
        return CHAT_FAIL(error, "out of memory");
    for (size_t i = 0; i < slots; i++)
        vocabulary->text_slots[i] = VOCABULARY_NO_TOKEN;
    for (int32_t token = 0; token < vocabulary->size; token++) {
        gguf_string_array_next(&texts, &vocabulary->texts[token]);
        if (!add_token(vocabulary, token, error))
            return false;
    }
    return true;
}

/* A merge is "left right"; texts hold no space of their own, since byte-level BPE writes the space as another letter.
 */
static bool split_merge(struct gguf_string merge, struct split_text *out_text)
{
    const char *space = memchr(merge.text, ' ', merge.size);
    if (space == NULL)
        return false;
    size_t head = (size_t)(space - merge.text);
    out_text->head = (struct gguf_string){merge.text, head};
    out_text->tail = (struct gguf_string){space + 1, merge.size - head - 1};
    return head != 0 && out_text->tail.size != 0;
}

static bool add_merge(struct vocabulary *vocabulary, uint32_t rank, struct gguf_string merge, struct chat_error *error)
{
    struct split_text text;
    struct chat_quoted quoted;
    if (!split_merge(merge, &text))
        return CHAT_FAIL(error, "%s: tokenizer.ggml.merges: merge %" PRIu32 ": expected two texts, found \"%s\"",
                         gguf_label(vocabulary->file), rank, chat_quote(&quoted, merge.text, merge.size));
    int32_t left = vocabulary_find(vocabulary, text.head.text, text.head.size);
    int32_t right = vocabulary_find(vocabulary, text.tail.text, text.tail.size);
    int32_t token = *text_slot(vocabulary, &text);
    if (left == VOCABULARY_NO_TOKEN || right == VOCABULARY_NO_TOKEN || token == VOCABULARY_NO_TOKEN)
        return CHAT_FAIL(error,
                         "%s: tokenizer.ggml.merges: merge %" PRIu32
                         ": expected both parts and their union among the tokens, found \"%s\"",
                         gguf_label(vocabulary->file), rank, chat_quote(&quoted, merge.text, merge.size));
    if (vocabulary_is_control(vocabulary, token)) /* or text could yield it */
        return CHAT_FAIL(error,
                         "%s: tokenizer.ggml.merges: merge %" PRIu32
                         ": expected ordinary text, found \"%s\", which makes a control token",
                         gguf_label(vocabulary->file), rank, chat_quote(&quoted, merge.text, merge.size));
    struct merge_slot *slot = merge_slot(vocabulary, left, right);
    if (slot->left == VOCABULARY_NO_TOKEN) /* a repeated merge keeps its first rank */
        *slot = (struct merge_slot){left, right, {rank, token}};
    return true;
}

static bool load_merges(struct vocabulary *vocabulary, struct chat_error *error)
{
    struct gguf_string_array merges;
    if (!gguf_get_string_array(vocabulary->file, "tokenizer.ggml.merges", &merges, error))
        return false;
    if (merges.count > INT32_MAX)
        return CHAT_FAIL(error, "%s: tokenizer.ggml.merges: expected fewer than 2^31, found %" PRIu64,
                         gguf_label(vocabulary->file), merges.count);
    size_t slots = slot_count(merges.count);
    vocabulary->merge_mask = slots - 1;
    vocabulary->merge_slots = malloc(slots * sizeof vocabulary->merge_slots[0]);
    if (vocabulary->merge_slots == NULL)
        return CHAT_FAIL(error, "out of memory");
    for (size_t i = 0; i < slots; i++)
        vocabulary->merge_slots[i].left = VOCABULARY_NO_TOKEN;
    struct gguf_string merge;
    for (uint32_t rank = 0; gguf_string_array_next(&merges, &merge); rank++)
        if (!add_merge(vocabulary, rank, merge, error))
            return false;
    return true;
}

bool vocabulary_create(const struct gguf *file, struct vocabulary **out_vocabulary, struct chat_error *error)
{
    struct vocabulary *vocabulary = calloc(1, sizeof *vocabulary);
    if (vocabulary == NULL)
        return CHAT_FAIL(error, "out of memory");
    vocabulary->file = file;
    if (!load_tokens(vocabulary, error) || !load_merges(vocabulary, error)) {
        vocabulary_destroy(vocabulary);
        return false;
    }
    *out_vocabulary = vocabulary;
    return true;
}

void vocabulary_destroy(struct vocabulary *vocabulary)
{
    if (vocabulary == NULL)
        return;
    free(vocabulary->texts);
    free(vocabulary->text_slots);
    free(vocabulary->merge_slots);
    free(vocabulary);
}

int32_t vocabulary_size(const struct vocabulary *vocabulary)
{
    return vocabulary->size;
}

struct gguf_string vocabulary_text(const struct vocabulary *vocabulary, int32_t token)
{
    return vocabulary->texts[token];
}

bool vocabulary_is_control(const struct vocabulary *vocabulary, int32_t token)
{
    return gguf_i32_array_at(&vocabulary->types, (uint64_t)token) == TOKEN_CONTROL;
}

int32_t vocabulary_find(const struct vocabulary *vocabulary, const char *text, size_t size)
{
    struct split_text whole = {{text, size}, {"", 0}};
    return *text_slot(vocabulary, &whole);
}

bool vocabulary_find_merge(const struct vocabulary *vocabulary, int32_t left, int32_t right,
                           struct vocabulary_merge *out_merge)
{
    const struct merge_slot *slot = merge_slot(vocabulary, left, right);
    if (slot->left == VOCABULARY_NO_TOKEN)
        return false;
    *out_merge = slot->merge;
    return true;
}
