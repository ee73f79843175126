/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Symbols form a linked list inside an array; a heap offers the pair to join next, by rank and then from the left.
 * A merge leaves pairs behind in the heap whose symbols have changed: they are recognised and skipped when they come
 * up.
 */
#include "bpe.h"

#include <stdlib.h>

struct bpe_symbol {
    int32_t token; /* VOCABULARY_NO_TOKEN: merged into its left neighbour */
    uint32_t left;
    uint32_t right;
};

struct bpe_pair {
    struct vocabulary_merge merge;
    uint32_t at; /* the left symbol */
    int32_t left_token;
    int32_t right_token;
};

#define NO_SYMBOL UINT32_MAX

/* n symbols start n-1 pairs and every merge (n-1 at most) adds two. */
enum { PAIRS_PER_SYMBOL = 3 };

static bool reserve(struct bpe *bpe, size_t symbols, struct chat_error *error)
{
    if (symbols <= bpe->capacity)
        return true;
    bpe_free(bpe);
    bpe->symbols = calloc(symbols, sizeof bpe->symbols[0]);
    bpe->pairs = calloc(symbols * PAIRS_PER_SYMBOL, sizeof bpe->pairs[0]);
    if (bpe->symbols == NULL || bpe->pairs == NULL)
        return CHAT_FAIL(error, "out of memory");
    bpe->capacity = symbols;
    return true;
}

void bpe_free(struct bpe *bpe)
{
    free(bpe->symbols);
    free(bpe->pairs);
    *bpe = (struct bpe){0};
}

static bool comes_first(const struct bpe_pair *one, const struct bpe_pair *other)
{
    if (one->merge.rank != other->merge.rank)
        return one->merge.rank < other->merge.rank;
    return one->at < other->at;
}

static void push_pair(struct bpe *bpe, const struct bpe_pair *pair)
{
    size_t at = bpe->pair_count++;
    for (; at > 0 && comes_first(pair, &bpe->pairs[(at - 1) / 2]); at = (at - 1) / 2)
        bpe->pairs[at] = bpe->pairs[(at - 1) / 2];
    bpe->pairs[at] = *pair;
}

static struct bpe_pair pop_pair(struct bpe *bpe)
{
    struct bpe_pair first = bpe->pairs[0];
    struct bpe_pair moved = bpe->pairs[--bpe->pair_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < bpe->pair_count && comes_first(&bpe->pairs[child + 1], &bpe->pairs[child]))
            child++;
        if (child >= bpe->pair_count || !comes_first(&bpe->pairs[child], &moved))
            break;
        bpe->pairs[at] = bpe->pairs[child];
        at = child;
    }
    bpe->pairs[at] = moved;
    return first;
}

static void offer_pair(struct bpe *bpe, const struct vocabulary *vocabulary, uint32_t left)
{
    uint32_t right = left != NO_SYMBOL ? bpe->symbols[left].right : NO_SYMBOL;
    if (right == NO_SYMBOL)
        return;
    struct bpe_pair pair = {
        .at = left, .left_token = bpe->symbols[left].token, .right_token = bpe->symbols[right].token};
    if (vocabulary_find_merge(vocabulary, pair.left_token, pair.right_token, &pair.merge))
        push_pair(bpe, &pair);
}

static void join(struct bpe *bpe, const struct vocabulary *vocabulary, const struct bpe_pair *pair)
{
    struct bpe_symbol *left = &bpe->symbols[pair->at];
    if (left->token != pair->left_token || left->right == NO_SYMBOL)
        return;
    struct bpe_symbol *right = &bpe->symbols[left->right];
    if (right->token != pair->right_token)
        return;
    left->token = pair->merge.token;
    right->token = VOCABULARY_NO_TOKEN;
    left->right = right->right;
    if (left->right != NO_SYMBOL)
        bpe->symbols[left->right].left = pair->at;
    offer_pair(bpe, vocabulary, left->left);
    offer_pair(bpe, vocabulary, pair->at);
}

bool bpe_merge(struct bpe *bpe, const struct vocabulary *vocabulary, int32_t *tokens, size_t *count,
               struct chat_error *error)
{
    size_t n = *count;
    if (n < 2)
        return true;
    if (!reserve(bpe, n, error))
        return false;
    for (uint32_t i = 0; i < n; i++)
        bpe->symbols[i] = (struct bpe_symbol){tokens[i], i > 0 ? i - 1 : NO_SYMBOL, i + 1 < n ? i + 1 : NO_SYMBOL};
    bpe->pair_count = 0;
    for (uint32_t i = 0; i < n; i++)
        offer_pair(bpe, vocabulary, i);
    while (bpe->pair_count > 0) {
        struct bpe_pair pair = pop_pair(bpe);
        join(bpe, vocabulary, &pair);
    }

    size_t kept = 0;
    for (uint32_t at = 0; at != NO_SYMBOL; at = bpe->symbols[at].right)
        tokens[kept++] = bpe->symbols[at].token;
    *count = kept;
    return true;
}
