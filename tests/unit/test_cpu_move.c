/* SPDX-License-Identifier: Apache-2.0 */
/* The cpu backend's ways of moving memory against plain loops, and how it chooses among them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpu_choice.h"
#include "cpu_move.h"

#define GUARD 64U
#define MOST 700U
#define MIB (UINT64_C(1) << 20)

static _Alignas(64) unsigned char source[MOST + 64], target[GUARD + 64 + MOST + GUARD], expected[sizeof target];

static void begin(void)
{
    for (size_t i = 0; i < sizeof source; i++)
        source[i] = (unsigned char)(i * 7 + i / 251 + 1);
    memset(target, 0xEE, sizeof target);
    memset(expected, 0xEE, sizeof expected);
}

static void every_way_copies_what_it_is_told_and_no_byte_more(void **state)
{
    (void)state;
    const struct cpu_ways *ways = cpu_ways();
    for (uint32_t way = 0; way < ways->count; way++)
        for (size_t to = 0; to < 64; to += 5)
            for (size_t from = 0; from < 64; from += 9)
                for (size_t bytes = 0; bytes <= MOST; bytes += bytes < 140 ? 1 : 61) {
                    begin();
                    for (size_t i = 0; i < bytes; i++)
                        expected[GUARD + to + i] = source[from + i];
                    ways->copy[way](target + GUARD + to, source + from, bytes);
                    assert_memory_equal(target, expected, sizeof target);
                }
}

static void every_way_fills_with_every_pattern(void **state)
{
    (void)state;
    const struct cpu_ways *ways = cpu_ways();
    for (uint32_t way = 0; way < ways->count; way++)
        for (size_t period = 1; period <= 16; period *= 2)
            for (size_t to = 0; to < 64; to++)
                for (size_t bytes = 0; bytes <= MOST; bytes += bytes < 140 ? 1 : 61) {
                    unsigned char pattern[16];
                    begin();
                    for (size_t i = 0; i < 16; i++)
                        pattern[i] = source[i % period];
                    for (size_t i = 0; i < bytes; i++)
                        expected[GUARD + to + i] = pattern[i % 16];
                    ways->fill[way](target + GUARD + to, pattern, bytes);
                    assert_memory_equal(target, expected, sizeof target);
                }
}

static void the_plain_way_comes_first(void **state)
{
    (void)state;
    assert_in_range(cpu_ways()->count, 1, CPU_WAYS_MOST);
    assert_string_equal(cpu_ways()->names[0], "plain");
}

static void small_transfers_are_plain_and_teach_nothing(void **state)
{
    (void)state;
    struct cpu_choice choice = {0};
    for (int i = 0; i < 100; i++) {
        const struct cpu_chosen chosen = cpu_choose(&choice, 3, CPU_LARGE_BYTES - 1);
        assert_int_equal(chosen.way, 0);
        assert_false(chosen.is_trial);
    }
    assert_int_equal(choice.classes[0].turn, 0);
}

static void a_single_way_needs_no_trial(void **state)
{
    (void)state;
    struct cpu_choice choice = {0};
    assert_false(cpu_choose(&choice, 1, 64 * MIB).is_trial);
}

/* Does `count` transfers that take, by way, so many nanoseconds; returns how often each way served. */
static void transfer(struct cpu_choice *choice, uint64_t bytes, uint32_t count, const uint64_t nanoseconds[3],
                     uint32_t out_served[3])
{
    memset(out_served, 0, 3 * sizeof *out_served);
    for (uint32_t i = 0; i < count; i++) {
        const struct cpu_chosen chosen = cpu_choose(choice, 3, bytes);
        assert_in_range(chosen.way, 0, 2);
        out_served[chosen.way]++;
        if (chosen.is_trial)
            cpu_choice_note(&chosen, bytes, nanoseconds[chosen.way]);
    }
}

static void the_quickest_way_serves_after_a_few_trials(void **state)
{
    (void)state;
    uint32_t served[3];
    for (uint32_t quick = 0; quick < 3; quick++) {
        struct cpu_choice choice = {0};
        uint64_t nanoseconds[3] = {9000000, 9000000, 9000000};
        nanoseconds[quick] = 5000000;
        transfer(&choice, 64 * MIB, 9, nanoseconds, served);
        for (int way = 0; way < 3; way++)
            assert_int_equal(served[way], 3);
        transfer(&choice, 64 * MIB, 1000, nanoseconds, served);
        assert_true(served[quick] >= 970); /* five rounds of trials */
    }
}

static void the_first_of_a_row_does_not_count(void **state)
{
    (void)state;
    struct cpu_choice choice = {0};
    for (int i = 0; i < 9; i++) {
        const struct cpu_chosen chosen = cpu_choose(&choice, 3, 8 * MIB);
        const bool looks_quick = chosen.is_first && chosen.way == 2;
        assert_true(chosen.is_trial);
        cpu_choice_note(&chosen, 8 * MIB, looks_quick ? 10 : (1 + chosen.way) * 1000000);
    }
    assert_int_equal(cpu_choose(&choice, 3, 8 * MIB).way, 0);
}

/* Fresh memory makes the first trials slow, whatever their way. */
static void what_the_first_trials_got_wrong_is_soon_mended(void **state)
{
    (void)state;
    static const uint64_t usual[3] = {5000000, 9000000, 9000000};
    struct cpu_choice choice = {0};
    uint32_t served[3];
    transfer(&choice, 256 * MIB, 9, (const uint64_t[3]){90000000, 9000000, 9000000}, served);
    transfer(&choice, 256 * MIB, 16, usual, served);
    assert_int_equal(served[0], 0);
    transfer(&choice, 256 * MIB, 9, usual, served); /* the second round */
    transfer(&choice, 256 * MIB, 32, usual, served);
    assert_int_equal(served[0], 32);
}

/* In the long run trials are few. */
static void trials_grow_rare(void **state)
{
    (void)state;
    static const uint64_t usual[3] = {9000000, 5000000, 9000000};
    struct cpu_choice choice = {0};
    uint32_t served[3];
    transfer(&choice, 64 * MIB, 100000, usual, served);
    assert_in_range(served[0], 280, 320);
    assert_true(served[1] >= 99300);
}

static void a_machine_that_changes_is_noticed(void **state)
{
    (void)state;
    struct cpu_choice choice = {0};
    uint32_t served[3];
    transfer(&choice, 16 * MIB, 100, (const uint64_t[3]){3000000, 2000000, 4000000}, served);
    transfer(&choice, 16 * MIB, 1000, (const uint64_t[3]){3000000, 5000000, 4000000}, served);
    transfer(&choice, 16 * MIB, 100, (const uint64_t[3]){3000000, 5000000, 4000000}, served);
    assert_true(served[0] >= 97);
}

static void sizes_learn_apart(void **state)
{
    (void)state;
    struct cpu_choice choice = {0};
    uint32_t served[3];
    transfer(&choice, 16 * MIB, 34, (const uint64_t[3]){1000000, 2000000, 3000000}, served); /* two rounds */
    transfer(&choice, 256 * MIB, 34, (const uint64_t[3]){3000000, 2000000, 1000000}, served);
    transfer(&choice, 16 * MIB, 32, (const uint64_t[3]){1000000, 2000000, 3000000}, served);
    assert_int_equal(served[0], 32);
    transfer(&choice, 400 * MIB, 32, (const uint64_t[3]){3000000, 2000000, 1000000}, served);
    assert_int_equal(served[2], 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_copies_what_it_is_told_and_no_byte_more),
        cmocka_unit_test(every_way_fills_with_every_pattern),
        cmocka_unit_test(the_plain_way_comes_first),
        cmocka_unit_test(small_transfers_are_plain_and_teach_nothing),
        cmocka_unit_test(a_single_way_needs_no_trial),
        cmocka_unit_test(the_quickest_way_serves_after_a_few_trials),
        cmocka_unit_test(the_first_of_a_row_does_not_count),
        cmocka_unit_test(what_the_first_trials_got_wrong_is_soon_mended),
        cmocka_unit_test(trials_grow_rare),
        cmocka_unit_test(a_machine_that_changes_is_noticed),
        cmocka_unit_test(sizes_learn_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
