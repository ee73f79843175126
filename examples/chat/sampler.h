/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chooses the next token from probabilities that the device has computed (temperature and softmax are its work). The
 * same options and probabilities give the same tokens on every machine: ties go to the lower token, sums run in a fixed
 * order in double precision, and the random numbers are xoshiro256** seeded through splitmix64 (Blackman and Vigna,
 * "Scrambled linear pseudorandom number generators", 2018, https://prng.di.unimi.it/).
 */
#ifndef CHAT_SAMPLER_H
#define CHAT_SAMPLER_H

#include "chat_error.h"

#include <stdint.h>

struct sampler_options {
    uint64_t seed;
    uint32_t top_k; /* only the k most likely tokens; 0: all */
    float top_p;    /* of those, the fewest whose share reaches p, 0 < p <= 1; 1: all */
};

struct sampler;

/* Refuses a top_p outside (0, 1] and 0 tokens. */
bool sampler_create(const struct sampler_options *options, int32_t token_count, struct sampler **out_sampler,
                    struct chat_error *error);
void sampler_destroy(struct sampler *sampler); /* NULL is fine */

/*
 * probabilities[0..token_count) need not sum to 1 exactly. Refuses one that is negative or not a number, and all zero:
 * an answer computed from broken numbers is no answer.
 */
bool sampler_choose(struct sampler *sampler, const float *probabilities, int32_t *out_token, struct chat_error *error);

#endif
