/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts: synchronising, giving up and ending them, on the manual backend. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "manual_fixture.h"

/* Queues a command. */
static void work(haly_stream *stream, void *device)
{
    const uint8_t byte = 1;
    assert_int_equal(haly_fill(stream, device, &byte, 1, 64), HALY_OK);
}

static void *sync_context(void *context)
{
    return (void *)(uintptr_t)haly_context_sync(context, HALY_FOREVER);
}

/* While it waits for one stream, another one that was made later goes away: no third one is forgotten over that. */
static void synchronising_waits_for_every_stream_whichever_end_meanwhile(void **state)
{
    (void)state;
    struct fixture f;
    haly_stream *ending = NULL;
    pthread_t waiter;
    void *result = NULL;
    open_fixture(&f, CAPS_ALL);
    void *device = device_memory(&f, 64);
    assert_int_equal(haly_stream_create(f.context, NULL, &ending), HALY_OK);
    f.control->allowed = f.other_control->allowed = 0;
    work(f.other, device);
    haly_stream_release(ending); /* once the other stream is through its first command */
    work(f.other, device);
    work(f.stream, device);
    assert_int_equal(pthread_create(&waiter, NULL, sync_context, f.context), 0);
    usleep(50000);
    f.other_control->allowed = 1;
    usleep(200000);
    f.other_control->allowed = UINT64_MAX;
    usleep(50000);
    assert_int_equal(haly_stream_query(f.stream), HALY_NOT_READY);
    assert_int_equal(pthread_tryjoin_np(waiter, &result), EBUSY);
    f.control->allowed = UINT64_MAX;
    assert_int_equal(pthread_join(waiter, &result), 0);
    assert_int_equal((uintptr_t)result, HALY_OK);
    close_fixture(&f);
}

static haly_status status_of(haly_context *context)
{
    haly_context_info info = {HALY_CONTEXT_INFO_INIT};
    assert_int_equal(haly_context_info_get(context, &info), HALY_OK);
    return info.status;
}

static void a_context_that_has_faulted_can_be_abandoned(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, CAPS_ALL);
    f.control->fail_at = 1;
    f.control->fail_scope = HALY_SCOPE_CONTEXT;
    work(f.stream, device_memory(&f, 64));
    assert_int_equal(status_of(f.context), HALY_ERR_DEVICE_FAULT);
    assert_int_equal(haly_context_abandon(f.context), HALY_OK);
    assert_int_equal(haly_context_abandon(f.context), HALY_OK);
    assert_int_equal(status_of(f.context), HALY_ERR_ABANDONED);
    assert_int_equal(haly_stream_query(f.other), HALY_ERR_ABANDONED);
    assert_int_equal(haly_context_sync(f.context, 0), HALY_ERR_ABANDONED);
    close_fixture(&f);
    assert_int_equal(f.control->is_destroyed, 0);
    assert_int_equal(f.other_control->is_destroyed, 0);
}

/* Holds a stream, which stays deferred meanwhile. */
static haly_status wait_for_flag(void *user, haly_status status)
{
    (void)status;
    while (atomic_load((_Atomic uint32_t *)user) == 0)
        usleep(200);
    return HALY_OK;
}

static void nothing_is_submitted_once_a_context_was_abandoned(void **state)
{
    (void)state;
    struct fixture f;
    static _Atomic uint32_t flag;
    open_fixture(&f, CAPS_NO_HELP);
    void *device = device_memory(&f, 64);
    flag = 0;
    f.control->hold_submit = f.other_control->hold_submit = 1;
    assert_int_equal(haly_host_call(f.stream, wait_for_flag, &flag), HALY_OK);
    assert_int_equal(haly_host_call(f.other, wait_for_flag, &flag), HALY_OK);
    work(f.stream, device);
    work(f.other, device);
    flag = 1;
    for (int i = 0; i < 20000 && f.control->held + f.other_control->held == 0; i++)
        usleep(1000);
    usleep(20000);
    assert_int_equal(f.control->held + f.other_control->held, 1); /* the service is in one of them */
    assert_int_equal(haly_context_abandon(f.context), HALY_OK);
    f.control->hold_submit = f.other_control->hold_submit = 0;
    usleep(100000);
    assert_int_equal(f.control->submitted + f.other_control->submitted, 1);
    close_fixture(&f);
}

/* What it holds is dead at once, though it ends only when its work has. */
static void nothing_is_submitted_once_a_context_was_released(void **state)
{
    (void)state;
    struct fixture f;
    haly_event *event = NULL;
    uint8_t byte = 1;
    open_fixture(&f, CAPS_ALL);
    void *device = device_memory(&f, 64);
    f.control->allowed = 0;
    work(f.stream, device);
    assert_int_equal(haly_event_create(f.context, NULL, &event), HALY_OK);
    close_fixture(&f);
    assert_int_equal(haly_fill(f.stream, device, &byte, 1, 64), HALY_ERR_INVALID);
    assert_int_equal(haly_fill(f.other, device, &byte, 1, 64), HALY_ERR_INVALID);
    assert_int_equal(haly_event_record(event, f.stream), HALY_ERR_INVALID);
    assert_int_equal(haly_stream_sync(f.stream, 0), HALY_ERR_INVALID);
    haly_stream_release(f.stream);
    haly_event_release(event);
    assert_int_equal(f.control->submitted, 1);
    f.control->allowed = UINT64_MAX;
    for (int i = 0; i < 20000 && f.control->is_destroyed == 0; i++)
        usleep(1000);
    assert_int_equal(f.control->completed, 1);
    assert_int_equal(f.control->is_destroyed, 1);
    assert_int_equal(f.other_control->is_destroyed, 1);
}

struct opening {
    haly_instance *instance;
    pthread_barrier_t *start;
    haly_context *context;
};

static void *open_named(void *argument)
{
    struct opening *opening = argument;
    const haly_context_desc desc = {HALY_CONTEXT_DESC_INIT, .name = "only one"};
    pthread_barrier_wait(opening->start);
    haly_context_open(opening->instance, &desc, &opening->context);
    return NULL;
}

static void of_contexts_opened_at_once_one_gets_the_name(void **state)
{
    (void)state;
    enum { THREADS = 8, ROUNDS = 100 };
    haly_instance *instance = open_instance(CAPS_ALL);
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        struct opening openings[THREADS];
        pthread_barrier_t start;
        int count = 0;
        assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
        for (int i = 0; i < THREADS; i++) {
            openings[i] = (struct opening){instance, &start, NULL};
            assert_int_equal(pthread_create(&threads[i], NULL, open_named, &openings[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
            count += openings[i].context != NULL;
        }
        assert_int_equal(count, 1);
        for (int i = 0; i < THREADS; i++)
            haly_context_release(openings[i].context);
        pthread_barrier_destroy(&start);
    }
    haly_instance_release(instance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synchronising_waits_for_every_stream_whichever_end_meanwhile),
        cmocka_unit_test(a_context_that_has_faulted_can_be_abandoned),
        cmocka_unit_test(nothing_is_submitted_once_a_context_was_abandoned),
        cmocka_unit_test(nothing_is_submitted_once_a_context_was_released),
        cmocka_unit_test(of_contexts_opened_at_once_one_gets_the_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
