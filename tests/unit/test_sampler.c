/* SPDX-License-Identifier: Apache-2.0 */
/* The sampler: what it may choose, how often, and that it is the same everywhere. */
#include "sampler.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct sampler *make(uint64_t seed, uint32_t top_k, float top_p, int32_t tokens)
{
    const struct sampler_options options = {.seed = seed, .top_k = top_k, .top_p = top_p};
    struct chat_error error;
    struct sampler *sampler = NULL;
    if (!sampler_create(&options, tokens, &sampler, &error))
        fail_msg("%s", error.text);
    return sampler;
}

static int32_t choose(struct sampler *sampler, const float *probabilities)
{
    struct chat_error error;
    int32_t token = -1;
    if (!sampler_choose(sampler, probabilities, &token, &error))
        fail_msg("%s", error.text);
    return token;
}

enum { DRAWS = 20000, FEW = 6 };

/* How often each of a few tokens is chosen in DRAWS draws. */
static void count_choices(uint32_t top_k, float top_p, const float *probabilities, int *out_counts)
{
    struct sampler *sampler = make(1, top_k, top_p, FEW);
    memset(out_counts, 0, FEW * sizeof out_counts[0]);
    for (int i = 0; i < DRAWS; i++) {
        int32_t token = choose(sampler, probabilities);
        assert_in_range(token, 0, FEW - 1);
        out_counts[token]++;
    }
    sampler_destroy(sampler);
}

/* Within 5 standard deviations of the share; the seed is fixed, so this passes always or never. */
static void assert_share(int count, double share)
{
    double expected = share * DRAWS;
    double slack = 5.0 * sqrt(expected * (1.0 - share));
    if (fabs(count - expected) > slack)
        fail_msg("expected about %g of %d, found %d", expected, DRAWS, count);
}

static const float falling[FEW] = {0.05F, 0.4F, 0.1F, 0.25F, 0.0F, 0.2F};

/* 1,024 equal tokens show the upper ten bits of each random number. The numbers come from another implementation. */
static void numbers_are_those_of_xoshiro256ss(void **state)
{
    (void)state;
    static const int32_t expected[2][12] = {{615, 765, 105, 426, 750, 1023, 432, 548, 876, 940, 117, 68},
                                            {85, 388, 696, 946, 1015, 788, 736, 870, 779, 597, 698, 297}};
    float equal[1024];
    for (int i = 0; i < 1024; i++)
        equal[i] = 1.0F / 1024.0F;
    for (int seed = 0; seed < 2; seed++) {
        struct sampler *sampler = make(seed == 0 ? 0 : 42, 0, 1.0F, 1024);
        for (int i = 0; i < 12; i++)
            assert_int_equal(choose(sampler, equal), expected[seed][i]);
        sampler_destroy(sampler);
    }
}

static void top_one_is_the_likeliest(void **state)
{
    (void)state;
    struct sampler *sampler = make(9, 1, 1.0F, FEW);
    for (int i = 0; i < 100; i++)
        assert_int_equal(choose(sampler, falling), 1);
    sampler_destroy(sampler);
}

static void tie_goes_to_the_lower_token(void **state)
{
    (void)state;
    const float tied[FEW] = {0.1F, 0.3F, 0.3F, 0.3F, 0.0F, 0.0F};
    struct sampler *sampler = make(9, 1, 1.0F, FEW);
    for (int i = 0; i < 100; i++)
        assert_int_equal(choose(sampler, tied), 1);
    sampler_destroy(sampler);
}

static void without_limits_tokens_come_as_often_as_their_probability(void **state)
{
    (void)state;
    int counts[FEW];
    count_choices(0, 1.0F, falling, counts);
    for (int i = 0; i < FEW; i++)
        assert_share(counts[i], (double)falling[i]);
    assert_int_equal(counts[4], 0);
}

static void top_k_shares_among_the_k_likeliest(void **state)
{
    (void)state;
    int counts[FEW];
    count_choices(3, 1.0F, falling, counts);
    assert_int_equal(counts[0] + counts[2] + counts[4], 0);
    assert_share(counts[1], 0.4 / 0.85);
    assert_share(counts[3], 0.25 / 0.85);
    assert_share(counts[5], 0.2 / 0.85);
}

static void top_p_keeps_the_fewest_that_reach_it(void **state)
{
    (void)state;
    int counts[FEW];
    count_choices(0, 0.6F, falling, counts); /* 0.4 + 0.25 */
    assert_int_equal(counts[0] + counts[2] + counts[4] + counts[5], 0);
    assert_share(counts[1], 0.4 / 0.65);
    count_choices(0, 0.66F, falling, counts); /* 0.4 + 0.25 + 0.2 */
    assert_share(counts[5], 0.2 / 0.85);
}

static void top_p_is_a_share_of_what_top_k_leaves(void **state)
{
    (void)state;
    int counts[FEW];
    count_choices(2, 0.6F, falling, counts); /* 0.4 of 0.65 is 0.615 */
    assert_int_equal(counts[1], DRAWS);
}

static void tiny_top_p_leaves_one(void **state)
{
    (void)state;
    int counts[FEW];
    count_choices(0, 1e-6F, falling, counts);
    assert_int_equal(counts[1], DRAWS);
}

static void top_k_beyond_the_vocabulary_is_all(void **state)
{
    (void)state;
    int counts[FEW], all[FEW];
    count_choices(1000, 1.0F, falling, counts);
    count_choices(0, 1.0F, falling, all);
    assert_memory_equal(counts, all, sizeof all);
}

static void impossible_tokens_are_never_chosen(void **state)
{
    (void)state;
    const float last_only[FEW] = {0.0F, 0.0F, 0.0F, 0.0F, 0.0F, 1e-30F};
    int counts[FEW];
    count_choices(0, 1.0F, last_only, counts);
    assert_int_equal(counts[5], DRAWS);
    count_choices(5, 0.99F, last_only, counts);
    assert_int_equal(counts[5], DRAWS);
}

static void same_seed_gives_the_same_tokens_and_another_seed_others(void **state)
{
    (void)state;
    struct sampler *one = make(5, 4, 0.95F, FEW);
    struct sampler *same = make(5, 4, 0.95F, FEW);
    struct sampler *other = make(6, 4, 0.95F, FEW);
    int differences = 0;
    for (int i = 0; i < 200; i++) {
        int32_t token = choose(one, falling);
        assert_int_equal(choose(same, falling), token);
        differences += choose(other, falling) != token;
    }
    assert_true(differences > 20);
    sampler_destroy(one);
    sampler_destroy(same);
    sampler_destroy(other);
}

/* The heap against a plain search for the k largest, on a vocabulary of real size. */
static void large_vocabulary_keeps_exactly_its_k_largest(void **state)
{
    (void)state;
    enum { TOKENS = 49152, TOP = 40 };
    float *probabilities = malloc(TOKENS * sizeof probabilities[0]);
    assert_non_null(probabilities);
    for (uint32_t i = 0; i < TOKENS; i++)
        probabilities[i] = (float)((i * 2654435761U) >> 12) * 0x1p-40F;
    struct sampler *sampler = make(3, TOP, 1.0F, TOKENS);
    for (int draw = 0; draw < 50; draw++) {
        int32_t token = choose(sampler, probabilities);
        int larger = 0;
        for (int i = 0; i < TOKENS; i++)
            larger += probabilities[i] > probabilities[token];
        assert_true(larger < TOP);
    }
    sampler_destroy(sampler);
    free(probabilities);
}

static void assert_choice_refused(float wrong, const char *expected)
{
    float probabilities[FEW];
    struct sampler *sampler = make(1, 3, 0.9F, FEW);
    struct chat_error error;
    int32_t token = -1;
    memcpy(probabilities, falling, sizeof falling);
    probabilities[3] = wrong;
    bool chosen = sampler_choose(sampler, probabilities, &token, &error);
    sampler_destroy(sampler);
    assert_false(chosen);
    assert_int_equal(token, -1);
    assert_non_null(strstr(error.text, expected));
}

static void broken_probabilities_are_refused(void **state)
{
    (void)state;
    assert_choice_refused(NAN, "probability of token 3: expected a finite number from 0, found nan");
    assert_choice_refused(-0.25F, "probability of token 3: expected a finite number from 0, found -0.25");
    assert_choice_refused(INFINITY, "probability of token 3: expected a finite number from 0, found inf");
}

static void nothing_but_zeros_is_refused(void **state)
{
    (void)state;
    const float zeros[FEW] = {0.0F};
    struct sampler *sampler = make(1, 0, 1.0F, FEW);
    struct chat_error error;
    int32_t token;
    bool chosen = sampler_choose(sampler, zeros, &token, &error);
    sampler_destroy(sampler);
    assert_false(chosen);
    assert_non_null(strstr(error.text, "expected one above 0 in 6, found none"));
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    static const float wrong[] = {0.0F, -1.0F, 1.5F, NAN};
    struct chat_error error;
    struct sampler *sampler = NULL;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const struct sampler_options options = {.top_p = wrong[i]};
        assert_false(sampler_create(&options, FEW, &sampler, &error));
        assert_non_null(strstr(error.text, "top-p: expected above 0 and at most 1, found"));
    }
    assert_false(sampler_create(&(struct sampler_options){.top_p = 1.0F}, 0, &sampler, &error));
    assert_non_null(strstr(error.text, "expected at least one token, found 0"));
    assert_null(sampler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_xoshiro256ss),
        cmocka_unit_test(top_one_is_the_likeliest),
        cmocka_unit_test(tie_goes_to_the_lower_token),
        cmocka_unit_test(without_limits_tokens_come_as_often_as_their_probability),
        cmocka_unit_test(top_k_shares_among_the_k_likeliest),
        cmocka_unit_test(top_p_keeps_the_fewest_that_reach_it),
        cmocka_unit_test(top_p_is_a_share_of_what_top_k_leaves),
        cmocka_unit_test(tiny_top_p_leaves_one),
        cmocka_unit_test(top_k_beyond_the_vocabulary_is_all),
        cmocka_unit_test(impossible_tokens_are_never_chosen),
        cmocka_unit_test(same_seed_gives_the_same_tokens_and_another_seed_others),
        cmocka_unit_test(large_vocabulary_keeps_exactly_its_k_largest),
        cmocka_unit_test(broken_probabilities_are_refused),
        cmocka_unit_test(nothing_but_zeros_is_refused),
        cmocka_unit_test(options_out_of_range_are_refused),
    };
    return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
