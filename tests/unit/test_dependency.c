/* SPDX-License-Identifier: Apache-2.0 */
/* What streams depend on: how failures reach dependents, what is forgotten when, and who is known to be behind whom. */
#define _GNU_SOURCE
#include "memory_fixture.h"

#define MANY 200U /* streams, where two dozen of the fixture's are too few */

struct many {
    struct fixture *fixture;
    struct fake_stream blocks[MANY];
    struct timeline *timelines[MANY];
};

static struct many *open_many(void)
{
    struct many *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->fixture = fixture_open(NATIVE, 0, GIB, 0);
    for (uint32_t i = 0; i < MANY; i++) {
        m->timelines[i] = timeline_create(m->fixture->context, &m->blocks[i], 1000 + i);
        assert_non_null(m->timelines[i]);
    }
    return m;
}

static void close_many(struct many *m)
{
    for (uint32_t i = 0; i < MANY; i++)
        timeline_end(m->timelines[i]);
    for (uint32_t i = 0; i < MANY; i++)
        timeline_release(m->timelines[i]);
    fixture_close(m->fixture);
    free(m);
}

/* Queues a command; returns its sequence. */
static uint64_t work(struct timeline *timeline)
{
    const uint64_t sequence = timeline_submitted(timeline) + 1;
    atomic_store(&timeline->issued, sequence);
    atomic_store(&timeline->submitted, sequence);
    return sequence;
}

static void finish_to(struct many *m, uint32_t i, uint64_t sequence)
{
    atomic_store(&m->blocks[i].completed, sequence);
}

/* The command failed, with a native code to know it by. */
static void fail_at(struct timeline *timeline, uint64_t sequence, int64_t code)
{
    haly_error error = {HALY_ERROR_INIT, .status = HALY_ERR_BACKEND, .scope = HALY_SCOPE_STREAM, .native_code = code};
    timeline_fail(timeline, sequence, &error);
}

static void assert_failed_with(struct timeline *timeline, uint64_t sequence, int64_t code)
{
    assert_int_equal(timeline_status(timeline, sequence), HALY_ERR_BACKEND);
    assert_int_equal(error_detail()->native_code, code);
    assert_int_equal(timeline_status_quiet(timeline, sequence), HALY_ERR_BACKEND);
}

static void a_join_hears_of_the_failure_of_any_of_its_streams(void **state)
{
    (void)state;
    for (uint32_t failing = 1; failing < MANY; failing += 49) {
        struct many *m = open_many();
        for (uint32_t i = 1; i < MANY; i++)
            assert_ok(timeline_note_wait(m->timelines[0], m->timelines[i], work(m->timelines[i])));
        const uint64_t behind = work(m->timelines[0]);
        assert_ok(timeline_status(m->timelines[0], UINT64_MAX));
        fail_at(m->timelines[failing], 1, failing);
        assert_failed_with(m->timelines[0], behind, failing);
        assert_int_equal(error_detail()->stream_id, 1000 + failing);
        assert_ok(timeline_status(m->timelines[failing == 1 ? 2 : 1], UINT64_MAX));
        close_many(m);
    }
}

static void a_failure_goes_down_a_chain_of_any_length(void **state)
{
    (void)state;
    struct many *m = open_many();
    for (uint32_t i = 1; i < MANY; i++)
        assert_ok(timeline_note_wait(m->timelines[i], m->timelines[i - 1], work(m->timelines[i - 1])));
    fail_at(m->timelines[0], 1, 5);
    assert_failed_with(m->timelines[MANY - 1], UINT64_MAX, 5);
    assert_ok(timeline_status(m->timelines[MANY - 1], 0));
    close_many(m);
}

static void a_wait_for_what_has_failed_fails_at_once(void **state)
{
    (void)state;
    struct many *m = open_many();
    const uint64_t good = work(m->timelines[0]), bad = work(m->timelines[0]);
    fail_at(m->timelines[0], bad, 6);
    finish_to(m, 0, bad);
    assert_true(timeline_has_finished(m->timelines[0], bad));
    work(m->timelines[1]);
    assert_ok(timeline_note_wait(m->timelines[1], m->timelines[0], good));
    assert_ok(timeline_status(m->timelines[1], UINT64_MAX));
    assert_ok(timeline_note_wait(m->timelines[1], m->timelines[0], bad));
    assert_ok(timeline_status(m->timelines[1], 1));
    assert_failed_with(m->timelines[1], 2, 6);
    close_many(m);
}

static void the_earliest_failure_counts_in_whatever_order_they_are_reported(void **state)
{
    (void)state;
    struct many *m = open_many();
    for (uint64_t sequence = 1; sequence <= 4; sequence++) {
        work(m->timelines[0]);
        assert_ok(timeline_note_wait(m->timelines[sequence], m->timelines[0], sequence));
    }
    fail_at(m->timelines[0], 4, 44);
    assert_ok(timeline_status(m->timelines[0], 3));
    assert_ok(timeline_status(m->timelines[3], UINT64_MAX));
    assert_failed_with(m->timelines[4], UINT64_MAX, 44);
    fail_at(m->timelines[0], 2, 22);
    fail_at(m->timelines[0], 3, 33);
    assert_ok(timeline_status(m->timelines[0], 1));
    assert_failed_with(m->timelines[0], 2, 22);
    assert_failed_with(m->timelines[0], UINT64_MAX, 22);
    assert_ok(timeline_status(m->timelines[1], UINT64_MAX));
    for (uint32_t i = 2; i <= 4; i++)
        assert_failed_with(m->timelines[i], UINT64_MAX, 22);
    close_many(m);
}

static void failures_of_streams_that_wait_for_each_other_come_to_rest(void **state)
{
    (void)state;
    struct many *m = open_many();
    for (int round = 0; round < 10; round++) {
        assert_ok(timeline_note_wait(m->timelines[1], m->timelines[0], work(m->timelines[0])));
        assert_ok(timeline_note_wait(m->timelines[0], m->timelines[1], work(m->timelines[1])));
    }
    fail_at(m->timelines[0], 9, 9);
    fail_at(m->timelines[1], 3, 3);
    assert_failed_with(m->timelines[1], 3, 3);
    assert_failed_with(m->timelines[0], 4, 3);
    assert_ok(timeline_status(m->timelines[0], 3));
    close_many(m);
}

static void finished_waits_are_forgotten_even_after_a_failure_elsewhere(void **state)
{
    (void)state;
    struct many *m = open_many();
    fail_at(m->timelines[9], work(m->timelines[9]), 1);
    for (int round = 0; round < 10000; round++) {
        const uint64_t sequence = work(m->timelines[1]);
        assert_ok(timeline_note_wait(m->timelines[0], m->timelines[1], sequence));
        finish_to(m, 1, sequence); /* nobody asks */
        assert_true(m->timelines[0]->wait_count <= 32);
    }
    close_many(m);
}

static void unfinished_waits_are_kept_however_many(void **state)
{
    (void)state;
    enum { WAITS = 3000 };
    struct many *m = open_many();
    for (uint32_t round = 0; round < WAITS; round++) {
        const uint32_t other = 1 + round % (MANY - 1);
        assert_ok(timeline_note_wait(m->timelines[0], m->timelines[other], work(m->timelines[other])));
        work(m->timelines[0]);
    }
    assert_int_equal(m->timelines[0]->wait_count, WAITS);
    fail_at(m->timelines[7], 1, 77);
    assert_ok(timeline_status(m->timelines[0], 6));
    assert_failed_with(m->timelines[0], 7, 77);
    close_many(m);
}

static void a_wait_that_was_taken_back_is_no_dependency(void **state)
{
    (void)state;
    struct many *m = open_many();
    const uint64_t sequence = work(m->timelines[1]);
    assert_ok(timeline_note_wait(m->timelines[0], m->timelines[1], sequence));
    assert_true(timeline_is_after(m->timelines[0], m->timelines[1], sequence));
    timeline_forget_wait(m->timelines[0], m->timelines[1], sequence);
    assert_false(timeline_is_after(m->timelines[0], m->timelines[1], sequence));
    fail_at(m->timelines[1], sequence, 1);
    assert_ok(timeline_status(m->timelines[0], UINT64_MAX));
    close_many(m);
}

static void a_stream_is_behind_what_it_waited_for_through_others(void **state)
{
    (void)state;
    struct many *m = open_many();
    const uint64_t early = work(m->timelines[2]), late = work(m->timelines[2]);
    assert_ok(timeline_note_wait(m->timelines[1], m->timelines[2], early));
    const uint64_t before = work(m->timelines[1]);
    assert_ok(timeline_note_wait(m->timelines[1], m->timelines[2], late));
    work(m->timelines[1]);
    assert_ok(timeline_note_wait(m->timelines[0], m->timelines[1], before));
    assert_true(timeline_is_after(m->timelines[0], m->timelines[2], early));
    assert_false(timeline_is_after(m->timelines[0], m->timelines[2], late));
    assert_true(timeline_is_after(m->timelines[1], m->timelines[2], late));
    finish_to(m, 2, late);
    assert_true(timeline_is_after(m->timelines[0], m->timelines[2], late));
    close_many(m);
}

static void looking_for_a_long_way_gives_up_on_the_safe_side(void **state)
{
    (void)state;
    struct many *m = open_many();
    for (uint32_t i = 1; i < MANY; i++)
        assert_ok(timeline_note_wait(m->timelines[i], m->timelines[i - 1], work(m->timelines[i - 1])));
    assert_true(timeline_is_after(m->timelines[10], m->timelines[0], 1));
    assert_false(timeline_is_after(m->timelines[MANY - 1], m->timelines[0], 1));
    finish_to(m, 0, 1);
    assert_true(timeline_is_after(m->timelines[MANY - 1], m->timelines[0], 1));
    close_many(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_join_hears_of_the_failure_of_any_of_its_streams),
        cmocka_unit_test(a_failure_goes_down_a_chain_of_any_length),
        cmocka_unit_test(a_wait_for_what_has_failed_fails_at_once),
        cmocka_unit_test(the_earliest_failure_counts_in_whatever_order_they_are_reported),
        cmocka_unit_test(failures_of_streams_that_wait_for_each_other_come_to_rest),
        cmocka_unit_test(finished_waits_are_forgotten_even_after_a_failure_elsewhere),
        cmocka_unit_test(unfinished_waits_are_kept_however_many),
        cmocka_unit_test(a_wait_that_was_taken_back_is_no_dependency),
        cmocka_unit_test(a_stream_is_behind_what_it_waited_for_through_others),
        cmocka_unit_test(looking_for_a_long_way_gives_up_on_the_safe_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
