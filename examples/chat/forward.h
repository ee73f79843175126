/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running the model: tokens in, the next token's logits out. Every tensor operation is a Halyard plan; the host only
 * moves token ids and reads the result. A *pass* is the set of plans for one number of tokens at a time: one for
 * decoding, one for a full prefill chunk, and one made on the spot for what is left of a prompt.
 */
#ifndef CHAT_FORWARD_H
#define CHAT_FORWARD_H

#include "model.h"

/* Tokens of one prefill step. Long enough to reuse each weight many times, short enough to keep activations in cache.
 */
enum { FORWARD_CHUNK = 128 };

struct forward;

/* How the next token is made from the logits. */
struct forward_choice {
    bool is_greedy;    /* argmax on the device; else probabilities are read */
    float temperature; /* > 0; logits are divided by it before the softmax */
};

bool forward_create(struct model *model, const struct forward_choice *choice, struct forward **out_forward,
                    struct chat_error *error);
void forward_destroy(struct forward *forward); /* NULL is fine */

/* Tokens that are in the cache. */
uint32_t forward_length(const struct forward *forward);

/*
 * Appends `count` tokens (each below the vocabulary's size) to the sequence and computes the logits behind the last
 * one. Refuses a sequence that would not fit the cache. Returns when the device has the answer.
 */
bool forward_run(struct forward *forward, const int32_t *tokens, uint32_t count, struct chat_error *error);

/* The results of the last run: the most likely token, or the probabilities (vocabulary floats, valid until the next
 * run). */
int32_t forward_best(const struct forward *forward);
const float *forward_probabilities(const struct forward *forward);

/* Copies the logits of the last run to `out_logits` (vocabulary floats). */
bool forward_logits(struct forward *forward, float *out_logits, struct chat_error *error);

#endif
