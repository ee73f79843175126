/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that fail: what the stream says, what its dependents say, and what still runs. */
#include <stdatomic.h>

#include "cts.h"

#define NUMBER ((haly_status)1234) /* what the failing host calls return; Halyard gives it no meaning */

CTS_CASE(stream, a_failed_host_call_fails_its_stream_with_its_number, "STR-004 STR-009")
{
    t->is_broken = 1;
    CTS_OK(cts_break(t, t->stream, NUMBER));
    CTS_STATUS(HALY_ERR_HOST_CALL, haly_stream_sync(t->stream, CTS_PATIENCE));
    const haly_error error = cts_last_error(t);
    CTS_EQUAL(1234, error.native_code);
    CTS_EQUAL(HALY_SCOPE_STREAM, error.scope);
    CTS_EQUAL(haly_object_id(t->stream), error.stream_id);
    CTS_STATUS(HALY_ERR_HOST_CALL, haly_stream_query(t->stream));
    CTS_STATUS(HALY_ERR_HOST_CALL, haly_stream_sync(t->stream, 0));
}

CTS_CASE(stream, the_detail_has_label_and_sequence_of_the_command, "STR-008 STR-009 STR-004")
{
    haly_stream *stream = cts_stream(t);
    cts_recorder *recorder = cts_recorder_new(t);
    t->is_broken = 1;
    CTS_OK(cts_note(t, stream, recorder, 1));
    CTS_OK(haly_stream_set_label(stream, "layer 3"));
    CTS_OK(cts_note(t, stream, recorder, 2));
    CTS_OK(cts_break(t, stream, NUMBER)); /* the third command */
    CTS_OK(haly_stream_set_label(stream, "layer 4"));
    CTS_OK(cts_note(t, stream, recorder, 4));
    CTS_STATUS(HALY_ERR_HOST_CALL, haly_stream_sync(stream, CTS_PATIENCE));
    const haly_error error = cts_last_error(t);
    CTS_CHECK(strcmp(error.label, "layer 3") == 0, "the label is \"%s\"", error.label);
    CTS_CHECK(error.first_sequence <= 3 && error.last_sequence >= 3 && error.first_sequence >= 1,
              "command 3 failed, the range is %llu to %llu", (unsigned long long)error.first_sequence,
              (unsigned long long)error.last_sequence);
}

CTS_CASE(stream, without_a_label_the_detail_has_none, "STR-008")
{
    t->is_broken = 1;
    CTS_OK(haly_stream_set_label(t->stream, "early"));
    CTS_OK(haly_stream_set_label(t->stream, NULL));
    CTS_OK(cts_break(t, t->stream, NUMBER));
    CTS_STATUS(HALY_ERR_HOST_CALL, haly_stream_sync(t->stream, CTS_PATIENCE));
    CTS_EQUAL('\0', cts_last_error(t).label[0]);
}

CTS_CASE(stream, the_first_failure_is_the_one_that_is_reported, "STR-004")
{
    t->is_broken = 1;
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(cts_break(t, t->stream, (haly_status)111));
    CTS_OK(cts_break(t, t->stream, (haly_status)222));
    cts_open(t, gate);
    for (unsigned i = 0; i < 3; i++) {
        CTS_STATUS(HALY_ERR_HOST_CALL, haly_stream_sync(t->stream, CTS_PATIENCE));
        CTS_EQUAL(111, cts_last_error(t).native_code);
    }
}

CTS_CASE(stream, host_calls_behind_a_failure_still_run_once_and_are_told, "STR-004 STR-007")
{
    cts_recorder *recorder = cts_recorder_new(t);
    t->is_broken = 1;
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(cts_note(t, t->stream, recorder, 0));
    CTS_OK(cts_break(t, t->stream, NUMBER));
    for (uint32_t i = 1; i < 20; i++)
        CTS_OK(cts_note(t, t->stream, recorder, i));
    cts_open(t, gate);
    CTS_STATUS(HALY_ERR_HOST_CALL, haly_stream_sync(t->stream, CTS_PATIENCE));
    for (unsigned tries = 0; atomic_load(&recorder->count) < 20; tries++) {
        CTS_CHECK(tries < 15000, "%u of 20 host calls ran", recorder->count);
        cts_sleep_ms(1);
    }
    cts_sleep_ms(20);
    CTS_EQUAL(20, recorder->count);
    CTS_EQUAL(HALY_OK, recorder->statuses[0]);
    for (uint32_t i = 1; i < 20; i++) {
        CTS_EQUAL(i, recorder->values[i]);
        CTS_EQUAL(HALY_ERR_HOST_CALL, recorder->statuses[i]);
    }
}

CTS_CASE(stream, a_host_call_given_to_a_failed_stream_is_refused_or_runs_once, "STR-004 STR-007")
{
    cts_recorder *recorder = cts_recorder_new(t);
    t->is_broken = 1;
    CTS_OK(cts_break(t, t->stream, NUMBER));
    CTS_STATUS(HALY_ERR_HOST_CALL, haly_stream_sync(t->stream, CTS_PATIENCE));
    const haly_status status = cts_note(t, t->stream, recorder, 7);
    CTS_CHECK(status == HALY_OK || status == HALY_ERR_HOST_CALL, "got %s", haly_status_name(status));
    CTS_STATUS(HALY_ERR_HOST_CALL, haly_stream_sync(t->stream, CTS_PATIENCE));
    cts_sleep_ms(50);
    CTS_EQUAL(status == HALY_OK ? 1 : 0, recorder->count);
    if (status == HALY_OK)
        CTS_EQUAL(HALY_ERR_HOST_CALL, recorder->statuses[0]);
}

CTS_CASE(stream, a_failure_stays_in_its_stream, "STR-004 STR-001")
{
    haly_stream *broken = cts_stream(t);
    const uint8_t byte = 0x31;
    void *device = cts_device(t, 100);
    CTS_OK(cts_break(t, broken, NUMBER));
    CTS_STATUS(HALY_ERR_HOST_CALL, haly_stream_sync(broken, CTS_PATIENCE));
    CTS_OK(haly_fill(t->stream, device, &byte, 1, 100));
    cts_sync(t, t->stream);
    cts_expect_filled(t, device, byte, 100);
    haly_context_info info = {HALY_CONTEXT_INFO_INIT};
    CTS_OK(haly_context_info_get(t->context, &info));
    CTS_EQUAL(HALY_OK, info.status);
    t->is_broken = 1; /* the context's sync would report the broken stream */
}

CTS_CASE(stream, a_new_stream_works_after_another_failed, "STR-004 STR-005")
{
    haly_stream *broken = NULL;
    CTS_OK(haly_stream_create(t->context, NULL, &broken));
    CTS_OK(cts_break(t, broken, NUMBER));
    CTS_STATUS(HALY_ERR_HOST_CALL, haly_stream_sync(broken, CTS_PATIENCE));
    haly_stream_release(broken);
    haly_stream *fresh = cts_stream(t);
    cts_recorder *recorder = cts_recorder_new(t);
    CTS_OK(cts_note(t, fresh, recorder, 5));
    cts_sync(t, fresh);
    CTS_EQUAL(HALY_OK, recorder->statuses[0]);
}

CTS_CASE(event, a_failure_reaches_the_streams_that_waited_for_it, "STR-004 EVT-004")
{
    haly_stream *second = cts_stream(t), *third = cts_stream(t);
    haly_event *event = cts_event(t), *next = cts_event(t);
    t->is_broken = 1;
    CTS_OK(haly_stream_set_label(t->stream, "source"));
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(cts_break(t, t->stream, NUMBER));
    CTS_OK(haly_event_record(event, t->stream));
    CTS_OK(haly_stream_wait(second, event));
    CTS_OK(haly_event_record(next, second));
    CTS_OK(haly_stream_wait(third, next));
    cts_open(t, gate);
    CTS_STATUS(HALY_ERR_HOST_CALL, haly_stream_sync(third, CTS_PATIENCE));
    haly_error error = cts_last_error(t);
    CTS_EQUAL(1234, error.native_code);
    CTS_CHECK(strcmp(error.label, "source") == 0, "the label is \"%s\"", error.label);
    CTS_EQUAL(haly_object_id(t->stream), error.stream_id);
    CTS_STATUS(HALY_ERR_HOST_CALL, haly_stream_sync(second, CTS_PATIENCE));
    CTS_STATUS(HALY_ERR_HOST_CALL, haly_stream_query(second));
}

CTS_CASE(event, a_stream_that_waited_for_many_hears_of_any_failure, "STR-004 EVT-004")
{
    enum { STREAMS = 40 };
    haly_stream *streams[STREAMS];
    haly_event *events[STREAMS];
    t->is_broken = 1;
    streams[0] = cts_stream(t);
    events[0] = cts_event(t);
    cts_gate *gate = cts_hold(t, streams[0]);
    CTS_OK(cts_break(t, streams[0], NUMBER));
    CTS_OK(haly_event_record(events[0], streams[0]));
    CTS_OK(haly_stream_wait(t->stream, events[0]));
    for (unsigned i = 1; i < STREAMS;
         i++) { /* each waits for the first too, so that none has finished when waited for */
        haly_event *held = cts_event(t);
        streams[i] = cts_stream(t);
        events[i] = cts_event(t);
        CTS_OK(haly_event_record(held, streams[0]));
        CTS_OK(haly_stream_wait(streams[i], i % 2 == 0 ? held : events[i - 1]));
        CTS_OK(haly_event_record(events[i], streams[i]));
        CTS_OK(haly_stream_wait(t->stream, events[i]));
    }
    cts_open(t, gate);
    CTS_STATUS(HALY_ERR_HOST_CALL, haly_stream_sync(t->stream, CTS_PATIENCE));
    CTS_EQUAL(haly_object_id(streams[0]), cts_last_error(t).stream_id);
    for (unsigned i = 1; i < STREAMS; i++)
        CTS_STATUS(HALY_ERR_HOST_CALL, haly_stream_sync(streams[i], CTS_PATIENCE));
}

CTS_CASE(event, host_calls_of_a_dependent_stream_are_told_the_failure, "STR-004 STR-007 EVT-004")
{
    haly_stream *other = cts_stream(t);
    haly_event *event = cts_event(t);
    cts_recorder *recorder = cts_recorder_new(t);
    t->is_broken = 1;
    CTS_OK(cts_note(t, other, recorder, 1));
    cts_sync(t, other); /* before the failure: it is told what the stream knows when it runs */
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(cts_break(t, t->stream, NUMBER));
    CTS_OK(haly_event_record(event, t->stream));
    CTS_OK(haly_stream_wait(other, event));
    CTS_OK(cts_note(t, other, recorder, 2));
    cts_open(t, gate);
    CTS_STATUS(HALY_ERR_HOST_CALL, haly_stream_sync(other, CTS_PATIENCE));
    for (unsigned tries = 0; atomic_load(&recorder->count) < 2 && tries < 15000; tries++)
        cts_sleep_ms(1);
    CTS_EQUAL(2, recorder->count);
    CTS_EQUAL(HALY_OK, recorder->statuses[0]);
    CTS_EQUAL(HALY_ERR_HOST_CALL, recorder->statuses[1]);
}

CTS_CASE(event, an_event_recorded_before_the_failure_is_no_failure, "EVT-005 EVT-006 STR-004")
{
    haly_event *before = cts_event(t), *after = cts_event(t);
    haly_stream *careful = cts_stream(t);
    t->is_broken = 1;
    CTS_OK(haly_event_record(before, t->stream));
    CTS_OK(cts_break(t, t->stream, NUMBER));
    CTS_OK(haly_event_record(after, t->stream));
    CTS_STATUS(HALY_ERR_HOST_CALL, haly_event_sync(after, CTS_PATIENCE));
    CTS_STATUS(HALY_ERR_HOST_CALL, haly_event_query(after));
    CTS_OK(haly_event_sync(before, CTS_PATIENCE));
    CTS_OK(haly_event_query(before));
    CTS_OK(haly_stream_wait(careful, before));
    CTS_OK(haly_stream_sync(careful, CTS_PATIENCE));
}

CTS_CASE(context, syncing_a_context_reports_a_failed_stream, "CTX-007 STR-004")
{
    haly_stream *broken = cts_stream(t);
    t->is_broken = 1;
    CTS_OK(haly_context_sync(t->context, CTS_PATIENCE));
    CTS_OK(cts_break(t, broken, NUMBER));
    CTS_STATUS(HALY_ERR_HOST_CALL, haly_context_sync(t->context, CTS_PATIENCE));
    CTS_EQUAL(1234, cts_last_error(t).native_code);
}
