/* SPDX-License-Identifier: Apache-2.0 */
/* Events: what a record, a wait and a query mean, the same everywhere. */
#include <pthread.h>
#include <stdatomic.h>

#include "cts.h"

CTS_CASE(event, a_never_recorded_event_is_complete, "EVT-001 EVT-005 EVT-006")
{
    haly_event *event = cts_event(t);
    CTS_OK(haly_event_query(event));
    CTS_OK(haly_event_sync(event, 0));
    CTS_OK(haly_event_sync(event, HALY_FOREVER));
}

CTS_CASE(event, waiting_for_a_never_recorded_event_is_nothing, "EVT-001 EVT-004")
{
    haly_event *event = cts_event(t);
    CTS_OK(haly_stream_wait(t->stream, event));
    cts_sync(t, t->stream);
}

CTS_CASE(event, a_wait_before_the_record_does_not_wait_for_it, "EVT-001 EVT-004")
{
    haly_stream *other = cts_stream(t);
    haly_event *event = cts_event(t);
    CTS_OK(haly_stream_wait(other, event));
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(haly_event_record(event, t->stream));
    cts_sync(t, other);
    CTS_STATUS(HALY_NOT_READY, haly_event_query(event));
    cts_open(t, gate);
}

CTS_CASE(event, an_event_orders_two_streams, "EVT-003 EVT-004 STR-001")
{
    enum { SIZE = 300000 };
    haly_stream *other = cts_stream(t);
    haly_event *event = cts_event(t);
    const uint8_t byte = 0x19;
    void *a = cts_device(t, SIZE), *b = cts_device(t, SIZE);
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(haly_fill(t->stream, a, &byte, 1, SIZE));
    CTS_OK(haly_event_record(event, t->stream));
    CTS_OK(haly_stream_wait(other, event));
    CTS_OK(haly_copy(other, b, a, SIZE));
    cts_sleep_ms(20);
    CTS_STATUS(HALY_NOT_READY, haly_stream_query(other));
    cts_open(t, gate);
    cts_sync(t, other);
    cts_expect_filled(t, b, byte, SIZE);
}

CTS_CASE(event, an_event_is_done_when_the_work_before_it_is_done, "EVT-003 EVT-005")
{
    haly_event *event = cts_event(t);
    cts_recorder *recorder = cts_recorder_new(t);
    cts_gate *first = cts_hold(t, t->stream);
    CTS_OK(cts_note(t, t->stream, recorder, 1));
    CTS_OK(haly_event_record(event, t->stream));
    cts_gate *second = cts_hold(t, t->stream);
    CTS_STATUS(HALY_NOT_READY, haly_event_query(event));
    cts_open(t, first);
    CTS_OK(haly_event_sync(event, CTS_PATIENCE)); /* though the stream is held up behind it */
    CTS_EQUAL(1, recorder->count);
    CTS_OK(haly_event_query(event));
    CTS_STATUS(HALY_NOT_READY, haly_stream_query(t->stream));
    cts_open(t, second);
}

CTS_CASE(event, query_goes_from_not_ready_to_ok_by_itself, "EVT-006")
{
    haly_event *event = cts_event(t);
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(haly_event_record(event, t->stream));
    CTS_STATUS(HALY_NOT_READY, haly_event_query(event));
    cts_open_later(t, gate, 20);
    for (unsigned tries = 0; haly_event_query(event) == HALY_NOT_READY; tries++) {
        CTS_CHECK(tries < 15000, "the event did not complete within 15 s");
        cts_sleep_ms(1);
    }
    CTS_OK(haly_event_query(event));
}

CTS_CASE(event, sync_returns_timeout_at_its_deadline, "EVT-005 ABI-006")
{
    haly_event *event = cts_event(t);
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(haly_event_record(event, t->stream));
    CTS_STATUS(HALY_TIMEOUT, haly_event_sync(event, 0));
    const uint64_t start = cts_now_ns();
    CTS_STATUS(HALY_TIMEOUT, haly_event_sync(event, 30000000));
    const uint64_t waited = cts_now_ns() - start;
    CTS_CHECK(waited >= 30000000 && waited < CTS_SECONDS(5), "waited %llu ns", (unsigned long long)waited);
    cts_open(t, gate);
    CTS_OK(haly_event_sync(event, CTS_PATIENCE));
}

CTS_CASE(event, recording_again_moves_the_event, "EVT-001 EVT-003")
{
    haly_event *event = cts_event(t);
    CTS_OK(haly_event_record(event, t->stream));
    CTS_OK(haly_event_sync(event, CTS_PATIENCE));
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(haly_event_record(event, t->stream));
    CTS_STATUS(HALY_NOT_READY, haly_event_query(event));
    cts_open(t, gate);
    CTS_OK(haly_event_sync(event, CTS_PATIENCE));
}

CTS_CASE(event, an_event_may_move_to_another_stream_while_it_is_pending, "EVT-001 EVT-003")
{
    haly_stream *other = cts_stream(t);
    haly_event *event = cts_event(t);
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(haly_event_record(event, t->stream));
    CTS_OK(haly_event_record(event, other));
    CTS_OK(haly_event_sync(event, CTS_PATIENCE)); /* the first stream is still held up */
    CTS_STATUS(HALY_NOT_READY, haly_stream_query(t->stream));
    cts_open(t, gate);
}

CTS_CASE(event, a_wait_binds_to_the_latest_record_before_it, "EVT-001 EVT-004")
{
    enum { SIZE = 4 << 20 };
    haly_stream *slow = cts_stream(t), *bound_early = cts_stream(t), *bound_late = cts_stream(t);
    haly_event *event = cts_event(t);
    const uint8_t byte = 1;
    char *memory = cts_device(t, 2 * SIZE);
    for (unsigned i = 0; i < 20; i++) { /* so that neither record nor wait is over before the next record is made */
        CTS_OK(haly_fill(t->stream, memory, &byte, 1, SIZE));
        CTS_OK(haly_fill(bound_early, memory + SIZE, &byte, 1, SIZE));
    }
    CTS_OK(haly_event_record(event, t->stream));
    CTS_OK(haly_stream_wait(bound_early, event));
    cts_gate *gate = cts_hold(t, slow);
    CTS_OK(haly_event_record(event, slow)); /* changes nothing for the wait above */
    CTS_OK(haly_stream_wait(bound_late, event));
    cts_sync(t, bound_early);
    CTS_STATUS(HALY_NOT_READY, haly_stream_query(bound_late));
    cts_open(t, gate);
    cts_sync(t, bound_late);
}

CTS_CASE(event, a_stream_may_wait_for_its_own_record, "EVT-004")
{
    haly_event *event = cts_event(t);
    cts_recorder *recorder = cts_recorder_new(t);
    CTS_OK(haly_event_record(event, t->stream));
    CTS_OK(haly_stream_wait(t->stream, event));
    CTS_OK(cts_note(t, t->stream, recorder, 1));
    cts_sync(t, t->stream);
    CTS_EQUAL(1, recorder->count);
}

CTS_CASE(event, one_record_releases_many_streams, "EVT-004")
{
    enum { COUNT = 10 };
    haly_stream *streams[COUNT];
    haly_event *event = cts_event(t);
    cts_recorder *recorder = cts_recorder_new(t);
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(haly_event_record(event, t->stream));
    for (unsigned i = 0; i < COUNT; i++) {
        streams[i] = cts_stream(t);
        CTS_OK(haly_stream_wait(streams[i], event));
        CTS_OK(cts_note(t, streams[i], recorder, i));
    }
    cts_sleep_ms(20);
    CTS_EQUAL(0, recorder->count);
    cts_open(t, gate);
    for (unsigned i = 0; i < COUNT; i++)
        cts_sync(t, streams[i]);
    CTS_EQUAL(COUNT, recorder->count);
}

CTS_CASE(event, a_stream_that_waits_for_many_waits_for_all, "EVT-004")
{
    enum { COUNT = 6 };
    cts_gate *gates[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        haly_stream *stream = cts_stream(t);
        haly_event *event = cts_event(t);
        gates[i] = cts_hold(t, stream);
        CTS_OK(haly_event_record(event, stream));
        CTS_OK(haly_stream_wait(t->stream, event));
    }
    for (unsigned i = 0; i < COUNT; i++) {
        CTS_STATUS(HALY_TIMEOUT, haly_stream_sync(t->stream, 2000000));
        cts_open(t, gates[(i + 3) % COUNT]);
    }
    cts_sync(t, t->stream);
}

CTS_CASE(event, two_streams_pass_work_to_each_other, "EVT-003 EVT-004 STR-001")
{
    enum { ROUNDS = 200 };
    haly_stream *streams[2] = {t->stream, cts_stream(t)};
    haly_event *event = cts_event(t);
    cts_recorder *recorder = cts_recorder_new(t);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        CTS_OK(haly_stream_wait(streams[round % 2], event));
        CTS_OK(cts_note(t, streams[round % 2], recorder, round));
        CTS_OK(haly_event_record(event, streams[round % 2]));
    }
    cts_sync(t, streams[0]);
    cts_sync(t, streams[1]);
    CTS_EQUAL(ROUNDS, recorder->count);
    for (uint32_t round = 0; round < ROUNDS; round++)
        CTS_EQUAL(round, recorder->values[round]);
}

CTS_CASE(event, a_diamond_of_streams_keeps_its_order, "EVT-004 STR-001")
{
    enum { SIZE = 100000 };
    haly_stream *left = cts_stream(t), *right = cts_stream(t);
    haly_event *top = cts_event(t), *left_done = cts_event(t), *right_done = cts_event(t);
    const uint8_t byte = 0x44;
    char *source = cts_device(t, SIZE), *target = cts_device(t, SIZE);
    uint8_t *result = cts_host(t, SIZE);
    CTS_OK(haly_fill(t->stream, source, &byte, 1, SIZE));
    CTS_OK(haly_event_record(top, t->stream));
    CTS_OK(haly_stream_wait(left, top));
    CTS_OK(haly_stream_wait(right, top));
    CTS_OK(haly_copy(left, target, source, SIZE / 2));
    CTS_OK(haly_copy(right, target + SIZE / 2, source + SIZE / 2, SIZE / 2));
    CTS_OK(haly_event_record(left_done, left));
    CTS_OK(haly_event_record(right_done, right));
    CTS_OK(haly_stream_wait(t->stream, left_done));
    CTS_OK(haly_stream_wait(t->stream, right_done));
    CTS_OK(haly_copy(t->stream, result, target, SIZE));
    cts_sync(t, t->stream);
    for (unsigned i = 0; i < SIZE; i++)
        CTS_EQUAL(byte, result[i]);
}

CTS_CASE(event, releasing_an_event_keeps_the_waits_for_it, "EVT-002")
{
    haly_stream *other = cts_stream(t);
    haly_event *event = NULL;
    cts_recorder *recorder = cts_recorder_new(t);
    CTS_OK(haly_event_create(t->context, NULL, &event));
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(cts_note(t, t->stream, recorder, 1));
    CTS_OK(haly_event_record(event, t->stream));
    CTS_OK(haly_stream_wait(other, event));
    haly_event_release(event);
    CTS_OK(cts_note(t, other, recorder, 2));
    cts_sleep_ms(10);
    CTS_EQUAL(0, recorder->count);
    cts_open(t, gate);
    cts_sync(t, other);
    CTS_EQUAL(1, recorder->values[0]);
    CTS_EQUAL(2, recorder->values[1]);
    haly_event_retain(NULL);
    haly_event_release(NULL);
}

CTS_CASE(event, an_event_is_recorded_in_its_own_context_only, "EVT-003")
{
    haly_context *other = cts_context(t, NULL);
    haly_stream *foreign = cts_stream_of(t, other);
    haly_event *event = cts_event(t);
    CTS_INVALID(haly_event_record(event, foreign));
    CTS_OK(haly_event_query(event));
}

CTS_CASE(event, a_stream_waits_for_an_event_of_another_context, "EVT-004")
{
    haly_context *other = cts_context(t, NULL);
    haly_stream *foreign = cts_stream_of(t, other);
    haly_event *event = cts_event(t);
    cts_recorder *recorder = cts_recorder_new(t);
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(cts_note(t, t->stream, recorder, 1));
    CTS_OK(haly_event_record(event, t->stream));
    CTS_OK(haly_stream_wait(foreign, event));
    CTS_OK(cts_note(t, foreign, recorder, 2));
    cts_sleep_ms(20);
    CTS_STATUS(HALY_NOT_READY, haly_stream_query(foreign));
    cts_open(t, gate);
    cts_sync(t, foreign);
    CTS_EQUAL(2, recorder->count);
    CTS_EQUAL(1, recorder->values[0]);
}

CTS_CASE(event, a_thousand_events_work, "EVT-003 EVT-005")
{
    enum { COUNT = 1000 };
    haly_event *events[COUNT];
    cts_recorder *recorder = cts_recorder_new(t);
    for (uint32_t i = 0; i < COUNT; i++) {
        events[i] = cts_event(t);
        CTS_OK(cts_note(t, t->stream, recorder, i));
        CTS_OK(haly_event_record(events[i], t->stream));
    }
    CTS_OK(haly_event_sync(events[499], CTS_PATIENCE));
    CTS_TRUE(recorder->count >= 500);
    CTS_OK(haly_event_sync(events[COUNT - 1], CTS_PATIENCE));
    CTS_EQUAL(COUNT, recorder->count);
    for (uint32_t i = 0; i < COUNT; i++)
        CTS_OK(haly_event_query(events[i]));
}

static void *wait_for_event(void *user)
{
    return haly_event_sync(user, CTS_PATIENCE) == HALY_OK ? user : NULL;
}

CTS_CASE(event, threads_may_wait_for_one_event, "EVT-005")
{
    pthread_t threads[4];
    haly_event *event = cts_event(t);
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(haly_event_record(event, t->stream));
    for (unsigned i = 0; i < 4; i++)
        CTS_EQUAL(0, pthread_create(&threads[i], NULL, wait_for_event, event));
    cts_sleep_ms(20);
    cts_open(t, gate);
    for (unsigned i = 0; i < 4; i++) {
        void *result = NULL;
        (void)pthread_join(threads[i], &result);
        CTS_TRUE(result == event);
    }
}

static haly_status sleep_in_call(void *user, haly_status status)
{
    (void)user;
    (void)status;
    cts_sleep_ms(20);
    return HALY_OK;
}

CTS_CASE_CAP(event, elapsed_time_is_that_between_the_two_points, "EVT-007", HALY_CAP_TIMING)
{
    haly_event *start = cts_event_timed(t), *end = cts_event_timed(t);
    int64_t forward = 0, backward = 0;
    const uint64_t host_start = cts_now_ns();
    CTS_OK(haly_event_record(start, t->stream));
    CTS_OK(haly_host_call(t->stream, sleep_in_call, NULL));
    CTS_OK(haly_event_record(end, t->stream));
    cts_sync(t, t->stream);
    const int64_t host_elapsed = (int64_t)(cts_now_ns() - host_start);
    CTS_OK(haly_event_elapsed(start, end, &forward));
    CTS_OK(haly_event_elapsed(end, start, &backward));
    CTS_CHECK(forward >= 19000000 && forward <= host_elapsed + 1000000, "%lld ns on the device, %lld ns on the host",
              (long long)forward, (long long)host_elapsed);
    CTS_EQUAL(-forward, backward);
}

CTS_CASE_CAP(event, elapsed_time_of_unfinished_work_is_not_ready, "EVT-007 ABI-005", HALY_CAP_TIMING)
{
    haly_event *start = cts_event_timed(t), *end = cts_event_timed(t);
    int64_t elapsed = 77;
    CTS_OK(haly_event_record(start, t->stream));
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(haly_event_record(end, t->stream));
    CTS_STATUS(HALY_NOT_READY, haly_event_elapsed(start, end, &elapsed));
    CTS_EQUAL(77, elapsed);
    cts_open(t, gate);
    cts_sync(t, t->stream);
    CTS_OK(haly_event_elapsed(start, end, &elapsed));
}

CTS_CASE_CAP(event, elapsed_time_wants_two_timed_recorded_events_of_one_context, "EVT-007", HALY_CAP_TIMING)
{
    haly_event *timed = cts_event_timed(t), *unrecorded = cts_event_timed(t), *untimed = cts_event(t), *foreign = NULL;
    haly_context *other = cts_context(t, NULL);
    haly_stream *stream = cts_stream_of(t, other);
    int64_t elapsed = 0;
    CTS_OK(haly_event_create(other, &(haly_event_desc){HALY_EVENT_DESC_INIT, .flags = HALY_EVENT_TIMED}, &foreign));
    CTS_OK(haly_event_record(timed, t->stream));
    CTS_OK(haly_event_record(untimed, t->stream));
    CTS_OK(haly_event_record(foreign, stream));
    cts_sync(t, t->stream);
    cts_sync(t, stream);
    CTS_INVALID(haly_event_elapsed(timed, unrecorded, &elapsed));
    CTS_INVALID(haly_event_elapsed(untimed, timed, &elapsed));
    CTS_INVALID(haly_event_elapsed(timed, foreign, &elapsed));
    CTS_INVALID(haly_event_elapsed(timed, timed, NULL));
    CTS_OK(haly_event_elapsed(timed, timed, &elapsed));
    CTS_EQUAL(0, elapsed);
    haly_event_release(foreign);
}

CTS_CASE(event, timed_events_exist_exactly_where_they_are_declared, "EVT-007")
{
    haly_event *event = NULL;
    const haly_event_desc timed = {HALY_EVENT_DESC_INIT, .flags = HALY_EVENT_TIMED};
    if (!cts_has(t, HALY_CAP_TIMING)) {
        CTS_STATUS(HALY_ERR_UNSUPPORTED, haly_event_create(t->context, &timed, &event));
        CTS_TRUE(event == NULL);
        return;
    }
    CTS_OK(haly_event_create(t->context, &timed, &event));
    haly_event_release(event);
}
