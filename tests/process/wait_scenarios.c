/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting that ends otherwise than by the work's end: a deadline passes, the thread is cancelled, the context given up.
 */
#define _GNU_SOURCE
#include "scenario.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WAITERS = 16, BUSY = 4, CANCELLED = 6 };

/* Lateness that is blamed on the machine. */
#define TOLERANCE (20 * SECOND)

/* A host call that holds its stream up until it is let go. */
struct gate {
    sem_t open;
    _Atomic bool is_reached;
};

static haly_status wait_at_gate(void *user, haly_status status)
{
    struct gate *gate = user;
    atomic_store(&gate->is_reached, true);
    while (sem_wait(&gate->open) != 0)
        ;
    return status;
}

static void close_gate(struct gate *gate, haly_stream *stream)
{
    EXPECT(sem_init(&gate->open, 0, 0) == 0);
    EXPECT_OK(haly_host_call(stream, wait_at_gate, gate));
}

static void open_gate(struct gate *gate)
{
    EXPECT(sem_post(&gate->open) == 0);
}

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static struct work shared, busy[BUSY], held[WAITERS];
static struct gate gates[WAITERS];
static haly_event *events[WAITERS];
static _Atomic bool must_stop;

static void *keep_queueing(void *user)
{
    struct work *work = user;
    while (!atomic_load(&must_stop)) {
        EXPECT_OK(work_queue(work, 4));
        work_finish(work);
    }
    return NULL;
}

static void start_load(pthread_t threads[BUSY])
{
    for (int i = 0; i < BUSY; i++) {
        work_share(&busy[i], shared.context);
        scenario_thread(keep_queueing, &busy[i], false, &threads[i]);
    }
}

static void stop_load(pthread_t threads[BUSY])
{
    atomic_store(&must_stop, true);
    for (int i = 0; i < BUSY; i++)
        pthread_join(threads[i], NULL);
}

/* Streams that are held, each with an event behind the gate and work behind that. */
static void hold_streams(int count)
{
    for (int i = 0; i < count; i++) {
        work_share(&held[i], shared.context);
        EXPECT_OK(haly_event_create(shared.context, NULL, &events[i]));
        close_gate(&gates[i], held[i].stream);
        EXPECT_OK(haly_event_record(events[i], held[i].stream));
        EXPECT_OK(work_queue(&held[i], 2));
    }
}

static void let_go(int count)
{
    for (int i = 0; i < count; i++)
        open_gate(&gates[i]);
    for (int i = 0; i < count; i++) {
        work_finish(&held[i]);
        EXPECT_OK(haly_event_sync(events[i], PATIENCE));
    }
}

static haly_status wait_somehow(int how, int stream, uint64_t deadline)
{
    if (how == 0)
        return haly_stream_sync(held[stream].stream, deadline);
    return how == 1 ? haly_event_sync(events[stream], deadline) : haly_context_sync(shared.context, deadline);
}

static void *wait_with_deadlines(void *user)
{
    static const uint64_t deadlines[] = {0, 1, MILLISECOND, 20 * MILLISECOND, 120 * MILLISECOND};
    const int stream = (int)(intptr_t)user;
    for (size_t i = 0; i < sizeof deadlines / sizeof *deadlines; i++)
        for (int how = 0; how < 3; how++) {
            const uint64_t before = now();
            EXPECT(wait_somehow(how, stream, deadlines[i]) == HALY_TIMEOUT);
            const uint64_t waited = now() - before;
            EXPECT(waited >= deadlines[i] && waited < deadlines[i] + TOLERANCE);
        }
    return NULL;
}

/* The deadline passes for each, on time, and nothing remembers it. */
static int deadlines_pass_under_load(const char *backend)
{
    pthread_t threads[BUSY], waiters[WAITERS];
    haly_context_info info = {HALY_CONTEXT_INFO_INIT};
    work_open(&shared, backend);
    start_load(threads);
    hold_streams(WAITERS);
    for (int i = 0; i < WAITERS; i++)
        scenario_thread(wait_with_deadlines, (void *)(intptr_t)i, false, &waiters[i]);
    for (int i = 0; i < WAITERS; i++)
        pthread_join(waiters[i], NULL);
    EXPECT_OK(haly_context_info_get(shared.context, &info));
    EXPECT(info.status == HALY_OK);
    let_go(WAITERS);
    stop_load(threads);
    EXPECT_OK(haly_context_sync(shared.context, PATIENCE));
    work_close(&shared);
    return 0;
}

/* ---- cancelled threads ---- */

static _Atomic int waiting, returned;

static void *wait_until_cancelled(void *user)
{
    const int i = (int)(intptr_t)user;
    atomic_fetch_add(&waiting, 1);
    EXPECT_OK(wait_somehow(i % 3, i, i < CANCELLED / 2 ? HALY_FOREVER : PATIENCE));
    atomic_fetch_add(&returned, 1);
    for (;;)
        pthread_testcancel();
}

/* A cancelled thread goes on waiting, and ends behind the call: nothing of the library's is left half done. */
static int cancelled_threads_end_behind_their_wait(const char *backend)
{
    pthread_t waiters[CANCELLED];
    work_open(&shared, backend);
    hold_streams(CANCELLED);
    for (int i = 0; i < CANCELLED; i++)
        scenario_thread(wait_until_cancelled, (void *)(intptr_t)i, false, &waiters[i]);
    while (atomic_load(&waiting) < CANCELLED)
        scenario_sleep(MILLISECOND);
    scenario_sleep(20 * MILLISECOND); /* some wait by now, some may be on their way */
    for (int i = 0; i < CANCELLED; i++)
        EXPECT(pthread_cancel(waiters[i]) == 0);
    scenario_sleep(20 * MILLISECOND);
    EXPECT(atomic_load(&returned) == 0);
    let_go(CANCELLED);
    for (int i = 0; i < CANCELLED; i++) {
        void *result = NULL;
        pthread_join(waiters[i], &result);
        EXPECT(result == PTHREAD_CANCELED);
    }
    EXPECT(atomic_load(&returned) == CANCELLED);
    EXPECT_OK(work_queue(&shared, 3));
    work_finish(&shared);
    work_close(&shared);
    return 0;
}

static void *do_it_all_cancelled(void *backend)
{
    char text[4096];
    haly_instance *instance = NULL;
    haly_device_sample sample = {HALY_DEVICE_SAMPLE_INIT};
    haly_device *device = NULL;
    EXPECT(pthread_cancel(pthread_self()) == 0);
    work_do_it_all(backend);
    EXPECT_OK(work_instance(backend, NULL, &instance));
    EXPECT_OK(haly_device_explain(instance, text, sizeof text, NULL));
    EXPECT_OK(haly_device_find(instance, NULL, &device));
    (void)haly_device_sample_get(device, &sample); /* not every backend has one */
    haly_instance_release(instance);
    atomic_fetch_add(&returned, 1);
    for (;;)
        pthread_testcancel();
}

/* No function of the library is a point of cancellation. */
static int a_cancelled_thread_may_use_the_whole_library(const char *backend)
{
    pthread_t thread;
    void *result = NULL;
    char name[16];
    snprintf(name, sizeof name, "%s", backend);
    scenario_thread(do_it_all_cancelled, name, false, &thread);
    pthread_join(thread, &result);
    EXPECT(result == PTHREAD_CANCELED && returned == 1);
    work_do_it_all(backend);
    return 0;
}

/* ---- a device that hangs ---- */

static void *wait_for_ever(void *user)
{
    const int i = (int)(intptr_t)user;
    atomic_fetch_add(&waiting, 1);
    return (void *)(uintptr_t)wait_somehow(i % 3, i, HALY_FOREVER);
}

static int how_the_process_ends;

/* Giving up wakes every waiter, other contexts go on, and the process ends although the device never does. */
static int give_up_a_hung_context(const char *backend)
{
    static struct work other;
    pthread_t waiters[CANCELLED];
    work_open(&shared, backend);
    work_open(&other, backend);
    hold_streams(CANCELLED);
    for (int i = 0; i < CANCELLED; i++)
        scenario_thread(wait_for_ever, (void *)(intptr_t)i, false, &waiters[i]);
    while (atomic_load(&waiting) < CANCELLED || !atomic_load(&gates[0].is_reached))
        scenario_sleep(MILLISECOND);
    const uint64_t before = now();
    EXPECT_OK(haly_context_abandon(shared.context));
    EXPECT(now() - before < TOLERANCE);
    for (int i = 0; i < CANCELLED; i++) {
        void *result = NULL;
        pthread_join(waiters[i], &result);
        EXPECT((uintptr_t)result == HALY_ERR_ABANDONED);
    }
    EXPECT(work_queue(&held[0], 1) == HALY_ERR_ABANDONED);
    EXPECT_OK(work_queue(&other, 5));
    work_finish(&other);
    work_close(&other);
    work_close(&shared);
    work_do_it_all(backend);
    if (how_the_process_ends == 1)
        haly_shutdown();
    return 0;
}

static int give_up_a_hung_context_and_shut_down(const char *backend)
{
    how_the_process_ends = 1;
    return give_up_a_hung_context(backend);
}

/* Nobody gave anything up, nor joins the thread that waits: the process ends all the same. */
static int exit_with_a_hung_context(const char *backend)
{
    work_open(&shared, backend);
    hold_streams(1);
    scenario_thread(wait_for_ever, NULL, true, NULL);
    while (!atomic_load(&gates[0].is_reached))
        scenario_sleep(MILLISECOND);
    EXPECT(haly_stream_query(held[0].stream) == HALY_NOT_READY);
    work_close(&shared);
    return 0;
}

const struct scenario wait_scenarios[] = {
    {"deadlines_pass_under_load", deadlines_pass_under_load, ON_BOTH},
    {"cancelled_threads_end_behind_their_wait", cancelled_threads_end_behind_their_wait, ON_BOTH},
    {"a_cancelled_thread_may_use_the_whole_library", a_cancelled_thread_may_use_the_whole_library, ON_BOTH},
    {"give_up_a_hung_context", give_up_a_hung_context, ON_BOTH},
    {"give_up_a_hung_context_and_shut_down", give_up_a_hung_context_and_shut_down, ON_BOTH},
    {"exit_with_a_hung_context", exit_with_a_hung_context, ON_BOTH},
    {NULL, NULL, 0},
};
