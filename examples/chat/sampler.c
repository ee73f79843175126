/* SPDX-License-Identifier: Apache-2.0 */
/* Top-k and top-p by taking the likeliest tokens off a heap, so that a large vocabulary is never sorted as a whole. */
#include "sampler.h"

#include <inttypes.h>
#include <stdlib.h>

struct sampler {
    uint64_t state[4];
    const float *probabilities; /* during a choice */
    int32_t *heap;
    int32_t heap_count;
    int32_t token_count;
    int32_t top_k;
    float top_p;
};

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15U;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

static uint64_t rotate_left(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

static uint64_t xoshiro256ss(uint64_t state[4])
{
    uint64_t result = rotate_left(state[1] * 5, 7) * 9;
    uint64_t shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate_left(state[3], 45);
    return result;
}

/* Uniform in [0, 1): the upper 53 bits, which is what a double holds. */
static double uniform(struct sampler *sampler)
{
    return (double)(xoshiro256ss(sampler->state) >> 11) * 0x1p-53;
}

bool sampler_create(const struct sampler_options *options, int32_t token_count, struct sampler **out_sampler,
                    struct chat_error *error)
{
    if (token_count < 1)
        return CHAT_FAIL(error, "sampler: expected at least one token, found %" PRId32, token_count);
    if (!(options->top_p > 0.0F && options->top_p <= 1.0F)) /* written so that NaN is refused, too */
        return CHAT_FAIL(error, "top-p: expected above 0 and at most 1, found %g", (double)options->top_p);
    struct sampler *sampler = calloc(1, sizeof *sampler);
    if (sampler == NULL)
        return CHAT_FAIL(error, "out of memory");
    sampler->heap = calloc((size_t)token_count, sizeof sampler->heap[0]);
    if (sampler->heap == NULL) {
        sampler_destroy(sampler);
        return CHAT_FAIL(error, "out of memory");
    }
    sampler->token_count = token_count;
    sampler->top_k =
        options->top_k == 0 || options->top_k > (uint32_t)token_count ? token_count : (int32_t)options->top_k;
    sampler->top_p = options->top_p;
    uint64_t seed = options->seed;
    for (int i = 0; i < 4; i++)
        sampler->state[i] = splitmix64(&seed);
    *out_sampler = sampler;
    return true;
}

void sampler_destroy(struct sampler *sampler)
{
    if (sampler == NULL)
        return;
    free(sampler->heap);
    free(sampler);
}

static bool is_likelier(const struct sampler *sampler, int32_t one, int32_t other)
{
    float a = sampler->probabilities[one];
    float b = sampler->probabilities[other];
    return a > b || (a == b && one < other);
}

static void sift_down(struct sampler *sampler, int32_t at)
{
    int32_t moved = sampler->heap[at];
    while (at < sampler->heap_count / 2) { /* has a child */
        int32_t child = 2 * at + 1;
        if (child + 1 < sampler->heap_count && is_likelier(sampler, sampler->heap[child + 1], sampler->heap[child]))
            child++;
        if (!is_likelier(sampler, sampler->heap[child], moved))
            break;
        sampler->heap[at] = sampler->heap[child];
        at = child;
    }
    sampler->heap[at] = moved;
}

static void fill_heap(struct sampler *sampler)
{
    sampler->heap_count = sampler->token_count;
    for (int32_t i = 0; i < sampler->token_count; i++)
        sampler->heap[i] = i;
    for (int32_t i = sampler->token_count / 2; i-- > 0;)
        sift_down(sampler, i);
}

/* Moves the likeliest token behind the end of the heap, so that the chosen ones pile up at the array's back. */
static int32_t take_likeliest(struct sampler *sampler)
{
    int32_t token = sampler->heap[0];
    sampler->heap_count--;
    sampler->heap[0] = sampler->heap[sampler->heap_count];
    sampler->heap[sampler->heap_count] = token;
    sift_down(sampler, 0);
    return token;
}

static bool sum_all(const struct sampler *sampler, double *out_sum, struct chat_error *error)
{
    double sum = 0.0;
    for (int32_t i = 0; i < sampler->token_count; i++) {
        float p = sampler->probabilities[i];
        if (!(p >= 0.0F && p <= 3.4e38F))
            return CHAT_FAIL(error, "probability of token %" PRId32 ": expected a finite number from 0, found %g", i,
                             (double)p);
        sum += (double)p;
    }
    if (!(sum > 0.0))
        return CHAT_FAIL(error, "probabilities: expected one above 0 in %" PRId32 ", found none", sampler->token_count);
    *out_sum = sum;
    return true;
}

/* The token at which the running sum of chosen ones, in the order of i, passes `target`; rounding may leave the last.
 */
static int32_t walk(const struct sampler *sampler, const int32_t *last, int32_t count, double target)
{
    double sum = 0.0;
    int32_t chosen = *last;
    for (int32_t i = 0; i < count; i++) {
        float p = sampler->probabilities[*(last - i)];
        if (p <= 0.0F)
            continue;
        chosen = *(last - i);
        sum += (double)p;
        if (sum > target)
            break;
    }
    return chosen;
}

static int32_t choose_among_likeliest(struct sampler *sampler, double total)
{
    const int32_t *likeliest = &sampler->heap[sampler->token_count - 1];
    double kept = 0.0;
    int32_t count = 0;
    fill_heap(sampler);
    if (sampler->top_k < sampler->token_count) { /* p is a share of what top-k leaves */
        total = 0.0;
        for (; count < sampler->top_k; count++)
            total += (double)sampler->probabilities[take_likeliest(sampler)];
    }
    int32_t most = count != 0 ? count : sampler->token_count;
    int32_t nucleus = 0;
    while (nucleus < most && (nucleus == 0 || kept < (double)sampler->top_p * total)) {
        int32_t token = nucleus < count ? *(likeliest - nucleus) : take_likeliest(sampler);
        kept += (double)sampler->probabilities[token];
        nucleus++;
    }
    return walk(sampler, likeliest, nucleus, uniform(sampler) * kept);
}

static int32_t choose_among_all(struct sampler *sampler, double total)
{
    double target = uniform(sampler) * total;
    double sum = 0.0;
    int32_t chosen = 0;
    for (int32_t i = 0; i < sampler->token_count && sum <= target; i++) {
        if (sampler->probabilities[i] > 0.0F)
            chosen = i;
        sum += (double)sampler->probabilities[i];
    }
    return chosen;
}

bool sampler_choose(struct sampler *sampler, const float *probabilities, int32_t *out_token, struct chat_error *error)
{
    double total;
    sampler->probabilities = probabilities;
    if (!sum_all(sampler, &total, error))
        return false;
    if (sampler->top_k == sampler->token_count && sampler->top_p >= 1.0F)
        *out_token = choose_among_all(sampler, total);
    else
        *out_token = choose_among_likeliest(sampler, total);
    return true;
}
