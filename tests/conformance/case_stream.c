/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: order, independence, waiting, host calls, lifetime. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "cts.h"

CTS_CASE(stream, host_calls_run_exactly_once_and_in_order, "STR-007 STR-001")
{
    cts_recorder *recorder = cts_recorder_new(t);
    for (uint32_t i = 0; i < 1000; i++)
        CTS_OK(cts_note(t, t->stream, recorder, i));
    cts_sync(t, t->stream);
    CTS_EQUAL(1000, recorder->count);
    for (uint32_t i = 0; i < 1000; i++) {
        CTS_EQUAL(i, recorder->values[i]);
        CTS_EQUAL(HALY_OK, recorder->statuses[i]);
    }
}

CTS_CASE(stream, a_host_call_sees_what_was_copied_before_it, "STR-007 COPY-002")
{
    enum { SIZE = 100000 };
    uint8_t *staging = cts_host(t, SIZE), *seen = cts_host(t, SIZE);
    void *device = cts_device(t, SIZE);
    for (unsigned round = 1; round < 20; round++) {
        const uint8_t byte = (uint8_t)round;
        cts_recorder *recorder = cts_recorder_new(t);
        CTS_OK(haly_fill(t->stream, device, &byte, 1, SIZE));
        CTS_OK(haly_copy(t->stream, staging, device, SIZE));
        CTS_OK(cts_note(t, t->stream, recorder, round));
        while (atomic_load(&recorder->count) == 0) /* no call of Halyard's: queued work goes on by itself */
            cts_sleep_ms(1);
        memcpy(seen, staging, SIZE);
        CTS_TRUE(seen[0] == byte && seen[SIZE - 1] == byte);
    }
    cts_sync(t, t->stream);
}

CTS_CASE(stream, a_host_call_needs_a_function, "STR-007")
{
    CTS_INVALID(haly_host_call(t->stream, NULL, t));
    CTS_OK(haly_stream_query(t->stream));
}

CTS_CASE(stream, streams_do_not_wait_for_each_other, "STR-001")
{
    haly_stream *other = cts_stream(t);
    const uint8_t byte = 9;
    void *device = cts_device(t, 1000);
    cts_gate *gate = cts_hold(t, t->stream);
    cts_wait_held(t, gate);
    CTS_OK(haly_fill(other, device, &byte, 1, 1000));
    cts_sync(t, other);
    cts_expect_filled(t, device, byte, 1000);
    CTS_STATUS(HALY_NOT_READY, haly_stream_query(t->stream));
    cts_open(t, gate);
}

CTS_CASE(stream, work_beside_a_held_up_stream_goes_on_by_itself, "STR-001")
{
    haly_stream *other = cts_stream(t);
    const uint8_t byte = 8;
    void *device = cts_device(t, 100000);
    cts_gate *gate = cts_hold(t, t->stream);
    cts_wait_held(t, gate);
    for (unsigned i = 0; i < 100; i++)
        CTS_OK(haly_fill(other, device, &byte, 1, 100000));
    for (unsigned tries = 0; haly_stream_query(other) == HALY_NOT_READY; tries++) {
        CTS_CHECK(tries < 15000, "fills on a free stream did not finish within 15 s beside a held one");
        cts_sleep_ms(1);
    }
    CTS_OK(haly_stream_query(other));
    CTS_STATUS(HALY_NOT_READY, haly_stream_query(t->stream));
    cts_open(t, gate);
}

CTS_CASE(stream, query_is_not_ready_until_all_work_has_finished, "STR-010")
{
    CTS_OK(haly_stream_query(t->stream));
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_STATUS(HALY_NOT_READY, haly_stream_query(t->stream));
    cts_wait_held(t, gate);
    CTS_STATUS(HALY_NOT_READY, haly_stream_query(t->stream));
    cts_open(t, gate);
    for (unsigned tries = 0; haly_stream_query(t->stream) == HALY_NOT_READY; tries++) {
        CTS_CHECK(tries < 15000, "the stream did not become ready within 15 s");
        cts_sleep_ms(1);
    }
    CTS_OK(haly_stream_query(t->stream));
}

CTS_CASE(stream, sync_returns_timeout_at_its_deadline_and_nothing_latches, "STR-009 ABI-006")
{
    cts_gate *gate = cts_hold(t, t->stream);
    static const uint64_t deadlines[] = {1, 1000000, 20000000, 100000000};
    for (unsigned i = 0; i < 4; i++) {
        const uint64_t start = cts_now_ns();
        CTS_STATUS(HALY_TIMEOUT, haly_stream_sync(t->stream, deadlines[i]));
        const uint64_t waited = cts_now_ns() - start;
        CTS_CHECK(waited >= deadlines[i] && waited < deadlines[i] + CTS_SECONDS(5), "deadline %llu ns, waited %llu ns",
                  (unsigned long long)deadlines[i], (unsigned long long)waited);
    }
    cts_open(t, gate);
    CTS_OK(haly_stream_sync(t->stream, HALY_FOREVER));
    CTS_OK(haly_stream_query(t->stream));
}

CTS_CASE(stream, a_deadline_of_zero_never_blocks, "ABI-006 STR-009")
{
    CTS_OK(haly_stream_sync(t->stream, 0));
    cts_gate *gate = cts_hold(t, t->stream);
    const uint64_t start = cts_now_ns();
    for (unsigned i = 0; i < 100; i++)
        CTS_STATUS(HALY_TIMEOUT, haly_stream_sync(t->stream, 0));
    CTS_TRUE(cts_now_ns() - start < CTS_SECONDS(2));
    cts_open(t, gate);
}

CTS_CASE(stream, submitting_never_waits_for_queued_work, "STR-002")
{
    const uint8_t byte = 3;
    uint8_t host[100];
    void *device = cts_device(t, 100);
    cts_recorder *recorder = cts_recorder_new(t);
    haly_event *event = cts_event(t);
    cts_gate *gate = cts_hold(t, t->stream);
    for (unsigned i = 0; i < 64; i++) {
        CTS_OK(haly_fill(t->stream, device, &byte, 1, 100));
        CTS_OK(haly_copy(t->stream, host, device, 100));
        CTS_OK(haly_event_record(event, t->stream));
        CTS_OK(cts_note(t, t->stream, recorder, i));
    }
    CTS_EQUAL(0, recorder->count);
    cts_open(t, gate);
    cts_sync(t, t->stream);
    CTS_EQUAL(64, recorder->count);
    CTS_EQUAL(3, host[99]);
}

struct waiter {
    haly_stream *stream;
    uint64_t deadline;
    haly_status status;
    _Atomic int is_done;
};

static void *wait_for_stream(void *user)
{
    struct waiter *waiter = user;
    waiter->status = haly_stream_sync(waiter->stream, waiter->deadline);
    atomic_store(&waiter->is_done, 1);
    return NULL;
}

CTS_CASE(stream, several_threads_may_wait_for_one_stream, "STR-003 STR-009")
{
    enum { COUNT = 6 };
    struct waiter waiters[COUNT];
    pthread_t threads[COUNT];
    cts_gate *gate = cts_hold(t, t->stream);
    for (unsigned i = 0; i < COUNT; i++) {
        waiters[i] = (struct waiter){t->stream, i % 2 == 0 ? HALY_FOREVER : CTS_PATIENCE, HALY_NOT_READY, 0};
        CTS_EQUAL(0, pthread_create(&threads[i], NULL, wait_for_stream, &waiters[i]));
    }
    cts_sleep_ms(30);
    for (unsigned i = 0; i < COUNT; i++)
        CTS_TRUE(!atomic_load(&waiters[i].is_done));
    cts_open(t, gate);
    for (unsigned i = 0; i < COUNT; i++) {
        (void)pthread_join(threads[i], NULL);
        CTS_EQUAL(HALY_OK, waiters[i].status);
    }
}

CTS_CASE(stream, a_deadline_passes_although_the_work_goes_on, "STR-009 ABI-006")
{
    cts_gate *gate = cts_hold(t, t->stream);
    cts_open_later(t, gate, 1000);
    const uint64_t start = cts_now_ns();
    const haly_status status = haly_stream_sync(t->stream, 20000000);
    const uint64_t waited = cts_now_ns() - start;
    CTS_CHECK(status == HALY_TIMEOUT, "a wait of 20 ms for work of a second ended with %s after %llu ms",
              haly_status_name(status), (unsigned long long)(waited / 1000000));
    cts_sync(t, t->stream);
}

CTS_CASE(stream, a_thread_may_submit_while_others_wait, "STR-003")
{
    cts_recorder *recorder = cts_recorder_new(t);
    struct waiter waiter = {t->stream, HALY_FOREVER, HALY_NOT_READY, 0};
    pthread_t thread;
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_EQUAL(0, pthread_create(&thread, NULL, wait_for_stream, &waiter));
    cts_sleep_ms(10);
    for (uint32_t i = 0; i < 100; i++)
        CTS_OK(cts_note(t, t->stream, recorder, i));
    cts_open(t, gate);
    (void)pthread_join(thread, NULL);
    CTS_EQUAL(HALY_OK, waiter.status); /* what was submitted after it began to wait need not have finished */
    cts_sync(t, t->stream);
    CTS_EQUAL(100, recorder->count);
}

CTS_CASE(stream, a_released_stream_finishes_its_work, "STR-006 CTX-001")
{
    enum { SIZE = 100000 };
    const uint8_t byte = 0x21;
    haly_stream *stream = NULL;
    cts_recorder *recorder = cts_recorder_new(t);
    void *device = cts_device(t, SIZE);
    CTS_OK(haly_stream_create(t->context, NULL, &stream));
    cts_gate *gate = cts_hold(t, stream);
    CTS_OK(haly_fill(stream, device, &byte, 1, SIZE));
    CTS_OK(cts_note(t, stream, recorder, 1));
    haly_stream_release(stream); /* never waits: the gate is shut */
    CTS_EQUAL(0, recorder->count);
    cts_open(t, gate);
    for (unsigned tries = 0; atomic_load(&recorder->count) == 0; tries++) {
        CTS_CHECK(tries < 15000, "the work of a released stream did not finish within 15 s");
        cts_sleep_ms(1);
    }
    cts_expect_filled(t, device, byte, SIZE);
}

CTS_CASE(stream, a_retained_stream_lives_until_its_last_release, "STR-006")
{
    haly_stream *stream = NULL;
    cts_recorder *recorder = cts_recorder_new(t);
    CTS_OK(haly_stream_create(t->context, NULL, &stream));
    haly_stream_retain(stream);
    haly_stream_release(stream);
    CTS_OK(cts_note(t, stream, recorder, 1));
    cts_sync(t, stream);
    CTS_EQUAL(1, recorder->count);
    haly_stream_release(stream);
    haly_stream_retain(NULL);
    haly_stream_release(NULL);
}

CTS_CASE(stream, priority_is_a_hint_that_any_value_may_give, "STR-005")
{
    static const int32_t priorities[] = {-1000000, -1, 0, 1, INT32_MAX};
    for (unsigned i = 0; i < 5; i++) {
        haly_stream *stream = NULL;
        CTS_OK(haly_stream_create(t->context, &(haly_stream_desc){HALY_STREAM_DESC_INIT, .priority = priorities[i]},
                                  &stream));
        cts_sync(t, stream);
        haly_stream_release(stream);
    }
}

CTS_CASE(stream, many_streams_work_at_once, "STR-005 STR-001")
{
    const uint32_t limit = t->spec.max_streams == 0 ? 48 : t->spec.max_streams - 2;
    const uint32_t count = limit < 48 ? limit : 48;
    haly_stream *streams[48];
    uint8_t *device = cts_device(t, 48 * 1024);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t byte = (uint8_t)i;
        streams[i] = cts_stream(t);
        CTS_OK(haly_fill(streams[i], device + i * 1024, &byte, 1, 1024));
    }
    CTS_OK(haly_context_sync(t->context, CTS_PATIENCE));
    for (uint32_t i = 0; i < count; i++)
        cts_expect_filled(t, device + i * 1024, (uint8_t)i, 1024);
}

CTS_CASE(stream, ten_thousand_commands_finish, "STR-002 STR-009")
{
    uint32_t values[64];
    char *device = cts_device(t, sizeof values);
    for (uint32_t i = 0; i < 10000; i++)
        CTS_OK(haly_fill(t->stream, device + i % 64 * 4, &i, 4, 4));
    cts_sync(t, t->stream);
    cts_download(t, values, device, sizeof values);
    for (uint32_t i = 0; i < 10000; i++)
        if (i >= 10000 - 64)
            CTS_EQUAL(i, values[i % 64]);
}

struct submitter {
    struct cts *t;
    haly_stream *stream;
    char *device;
    haly_status status;
};

static void *submit_fills(void *user)
{
    struct submitter *submitter = user;
    for (uint32_t i = 0; i < 300 && submitter->status == HALY_OK; i++)
        submitter->status = haly_fill(submitter->stream, submitter->device, &i, 4, 4096);
    if (submitter->status == HALY_OK)
        submitter->status = haly_stream_sync(submitter->stream, CTS_PATIENCE);
    return NULL;
}

CTS_CASE(stream, threads_with_a_stream_each_do_not_disturb_each_other, "STR-003 STR-005")
{
    enum { COUNT = 8 };
    struct submitter submitters[COUNT];
    pthread_t threads[COUNT];
    uint32_t want[1024];
    for (unsigned i = 0; i < COUNT; i++) {
        submitters[i] = (struct submitter){t, cts_stream(t), cts_device(t, 4096), HALY_OK};
        CTS_EQUAL(0, pthread_create(&threads[i], NULL, submit_fills, &submitters[i]));
    }
    for (unsigned i = 0; i < 1024; i++)
        want[i] = 299;
    for (unsigned i = 0; i < COUNT; i++) {
        (void)pthread_join(threads[i], NULL);
        CTS_EQUAL(HALY_OK, submitters[i].status);
        cts_expect_bytes(t, submitters[i].device, want, sizeof want);
    }
}

CTS_CASE(stream, a_label_of_63_bytes_fits_and_64_do_not, "STR-008")
{
    char label[65];
    memset(label, 'x', sizeof label);
    label[63] = '\0';
    CTS_OK(haly_stream_set_label(t->stream, label));
    label[63] = 'x';
    label[64] = '\0';
    CTS_INVALID(haly_stream_set_label(t->stream, label));
    CTS_OK(haly_stream_set_label(t->stream, ""));
    CTS_OK(haly_stream_set_label(t->stream, NULL));
}

static void *wait_until_cancelled(void *user)
{
    if (haly_stream_sync(user, HALY_FOREVER) != HALY_OK)
        return NULL;
    for (;;)
        pthread_testcancel();
}

CTS_CASE(stream, a_cancelled_thread_ends_behind_its_wait, "ABI-009 STR-009")
{
    pthread_t thread;
    void *result = NULL;
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_EQUAL(0, pthread_create(&thread, NULL, wait_until_cancelled, t->stream));
    cts_sleep_ms(20);
    CTS_EQUAL(0, pthread_cancel(thread));
    cts_sleep_ms(20);
    CTS_EQUAL(EBUSY, pthread_tryjoin_np(thread, &result));
    cts_open(t, gate);
    CTS_EQUAL(0, pthread_join(thread, &result));
    CTS_TRUE(result == PTHREAD_CANCELED);
    cts_sync(t, t->stream); /* nothing was left half done */
}
