/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/* Streams and events of the cpu backend: order, waiting, deadlines, failures, abandoning, and many threads at once. */
#include <signal.h>

#include "cpu_fixture.h"

static struct bench bench;

static int open_two_threads(void **state)
{
    (void)state;
    set_params("2", "0");
    bench_open(&bench);
    return 0;
}

static int close_bench(void **state)
{
    (void)state;
    bench_close(&bench);
    return 0;
}

static haly_status count_call(void *user, haly_status status)
{
    (void)status;
    atomic_fetch_add((_Atomic int *)user, 1);
    return HALY_OK;
}

static void a_small_copy_on_an_idle_stream_is_done_when_submit_returns(void **state)
{
    struct queue queue;
    int from = 3, to = 0;
    (void)state;
    queue_open(&bench, &queue);
    submit_copy(&queue, &to, &from, sizeof to);
    assert_int_equal(queue_completed(&queue), 1);
    assert_int_equal(to, 3);
    assert_int_equal(queue_wait(&queue, 0), HALY_OK);
    queue_close(&queue);
}

static void commands_run_in_order(void **state)
{
    enum { COMMANDS = 5000 };
    static int values[COMMANDS + 1];
    struct queue queue;
    struct gate gate = GATE_INIT;
    (void)state;
    queue_open(&bench, &queue);
    values[0] = 77;
    memset(values + 1, 0, sizeof values - sizeof values[0]);
    submit_call(&queue, gate_call, &gate);
    for (int i = 0; i < COMMANDS; i++) /* each copies what the one before wrote: more than one block of the queue */
        submit_copy(&queue, &values[i + 1], &values[i], sizeof values[0]);
    assert_int_equal(values[1], 0);
    gate_open(&gate);
    assert_int_equal(queue_wait(&queue, HALY_FOREVER), HALY_OK);
    assert_int_equal(values[COMMANDS], 77);
    assert_int_equal(queue_completed(&queue), COMMANDS + 1);
    queue_close(&queue);
}

static void sequences_may_have_gaps(void **state)
{
    struct queue queue;
    int from = 1, to = 0;
    (void)state;
    queue_open(&bench, &queue);
    submit_copy(&queue, &to, &from, sizeof to);
    queue.submitted = 41; /* the core did 2 to 41 itself */
    submit_copy(&queue, &to, &from, sizeof to);
    assert_int_equal(queue_completed(&queue), 42);
    _Atomic int called = 0;
    queue.submitted = 99;
    submit_call(&queue, count_call, (void *)&called);
    assert_int_equal(queue_wait(&queue, HALY_FOREVER), HALY_OK);
    assert_int_equal(queue_completed(&queue), 100);
    queue_close(&queue);
}

static void an_unknown_kind_is_refused_before_anything_is_queued(void **state)
{
    struct queue queue;
    int from = 1, to = 0;
    uint64_t accepted = 9;
    (void)state;
    queue_open(&bench, &queue);
    struct {
        haly_command_copy copy;
        haly_command unknown;
    } records = {{{sizeof records.copy, HALY_COMMAND_COPY, 0}, &to, &from, sizeof to, 0, 0}, {8, 77, 0}};
    assert_int_equal(cpu->submit(queue.block, &records, sizeof records, 1, &accepted), HALY_ERR_UNSUPPORTED);
    assert_int_equal(accepted, 0);
    assert_int_equal(to, 0);
    records.unknown.kind = HALY_COMMAND_COLLECTIVE;
    assert_int_equal(cpu->submit(queue.block, &records, sizeof records, 1, &accepted), HALY_ERR_UNSUPPORTED);
    queue_close(&queue);
}

static void records_that_lie_about_their_size_are_invalid(void **state)
{
    struct queue queue;
    int from = 1, to = 0;
    (void)state;
    queue_open(&bench, &queue);
    haly_command_copy copy = {{sizeof copy, HALY_COMMAND_COPY, 0}, &to, &from, sizeof to, 0, 0};
    const uint32_t sizes[] = {0, 4, 8, sizeof copy - 8, sizeof copy + 4, sizeof copy + 8, UINT32_MAX - 7};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        copy.head.size = sizes[i];
        assert_int_equal(queue_submit(&queue, &copy, sizeof copy), HALY_ERR_INVALID);
    }
    assert_int_equal(to, 0);
    queue_close(&queue);
}

static void work_goes_on_without_further_calls(void **state)
{
    struct queue queue;
    _Atomic int called = 0;
    (void)state;
    queue_open(&bench, &queue);
    for (int round = 1; round <= 3; round++) {
        submit_call(&queue, count_call, (void *)&called);
        for (int i = 0; i < 5000 && atomic_load(&called) != round; i++)
            sleep_ms(1);
        assert_int_equal(atomic_load(&called), round);
        sleep_ms(10); /* the worker parks */
    }
    queue_close(&queue);
}

static void held_streams_hold_no_other(void **state)
{
    enum { HELD = 5 };
    struct queue held[HELD], other;
    struct gate gates[HELD];
    _Atomic int called = 0;
    (void)state;
    queue_open(&bench, &other);
    for (int i = 0; i < HELD; i++) {
        gates[i] = (struct gate)GATE_INIT;
        queue_open(&bench, &held[i]);
        submit_call(&held[i], gate_call, &gates[i]);
        gate_reach(&gates[i]);
    }
    submit_call(&other, count_call, (void *)&called);
    for (int i = 0; i < 5000 && atomic_load(&called) == 0; i++)
        sleep_ms(1);
    assert_int_equal(atomic_load(&called), 1);
    for (int i = 0; i < HELD; i++) {
        gate_open(&gates[i]);
        queue_close(&held[i]);
    }
    queue_close(&other);
}

static void a_deadline_is_kept_and_nothing_changes(void **state)
{
    struct queue queue;
    struct gate gate = GATE_INIT;
    (void)state;
    queue_open(&bench, &queue);
    submit_call(&queue, gate_call, &gate);
    assert_int_equal(queue_wait(&queue, 0), HALY_TIMEOUT);
    const uint64_t deadlines[] = {1, 100000, 5 * MILLISECOND, 60 * MILLISECOND};
    for (size_t i = 0; i < 4; i++) {
        const uint64_t begin = now_ns();
        assert_int_equal(queue_wait(&queue, deadlines[i]), HALY_TIMEOUT);
        const uint64_t waited = now_ns() - begin;
        assert_true(waited >= deadlines[i] && waited < deadlines[i] + SECOND);
    }
    gate_open(&gate);
    assert_int_equal(queue_wait(&queue, UINT64_C(20) * SECOND), HALY_OK);
    queue_close(&queue);
}

static void a_deadline_interrupts_a_long_launch_and_it_goes_on(void **state)
{
    enum { GROUPS = 64 };
    static float values[GROUPS];
    struct queue queue;
    struct kernel kernel;
    (void)state;
    queue_open(&bench, &queue);
    kernel_open(&bench, &kernel, "chain");
    const struct {
        float *y;
        uint32_t steps, padding;
    } arguments = {values, 3000000, 0}; /* some 10 ms a group */
    const uint64_t grid[3] = {GROUPS, 1, 1};
    assert_int_equal(launch(&queue, &kernel, grid, 1, &arguments, kernel.info.argument_bytes), HALY_OK);
    const uint64_t begin = now_ns();
    assert_int_equal(queue_wait(&queue, 20 * MILLISECOND), HALY_TIMEOUT);
    const uint64_t waited = now_ns() - begin;
    assert_int_equal(queue_completed(&queue), 0);
    assert_int_equal(queue_wait(&queue, HALY_FOREVER), HALY_OK);
    assert_true(waited < (now_ns() - begin) * 3 / 4); /* it did not wait for the whole launch */
    for (int i = 0; i < GROUPS; i++)
        assert_true(values[i] != 0.0f);
    kernel_close(&kernel);
    queue_close(&queue);
}

static void a_wait_holds_a_stream_until_the_event(void **state)
{
    struct queue first, second;
    struct gate gate = GATE_INIT;
    int from = 4, middle = 0, to = 0;
    void *event = event_new(&bench, 0);
    (void)state;
    queue_open(&bench, &first);
    queue_open(&bench, &second);
    submit_call(&first, gate_call, &gate);
    submit_copy(&first, &middle, &from, sizeof middle);
    submit_record(&first, event);
    submit_wait(&second, event);
    submit_copy(&second, &to, &middle, sizeof to);
    assert_int_equal(cpu->event_query(event), HALY_NOT_READY);
    assert_int_equal(cpu->event_wait(event, MILLISECOND), HALY_TIMEOUT);
    assert_int_equal(queue_wait(&second, 20 * MILLISECOND), HALY_TIMEOUT);
    assert_int_equal(to, 0);
    gate_open(&gate);
    for (int i = 0; i < 5000 && queue_completed(&second) != 2; i++) /* nobody waits: the workers do it all */
        sleep_ms(1);
    assert_int_equal(to, 4);
    assert_int_equal(cpu->event_query(event), HALY_OK);
    assert_int_equal(cpu->event_wait(event, 0), HALY_OK);
    event_free(event);
    queue_close(&first);
    queue_close(&second);
}

static void a_wait_is_bound_when_it_is_submitted(void **state)
{
    struct queue first, second, third;
    struct gate gate = GATE_INIT;
    void *event = event_new(&bench, 0);
    (void)state;
    queue_open(&bench, &first);
    queue_open(&bench, &second);
    queue_open(&bench, &third);
    submit_record(&first, event);
    submit_wait(&second, event);
    submit_call(&third, gate_call, &gate);
    submit_record(&third, event); /* moves the event behind the gate: nothing to second */
    assert_int_equal(queue_wait(&second, UINT64_C(20) * SECOND), HALY_OK);
    assert_int_equal(cpu->event_query(event), HALY_NOT_READY);
    gate_open(&gate);
    assert_int_equal(cpu->event_wait(event, HALY_FOREVER), HALY_OK);
    event_free(event);
    queue_close(&first);
    queue_close(&second);
    queue_close(&third);
}

static void an_event_outlives_its_stream(void **state)
{
    struct queue first, second;
    void *event = event_new(&bench, 0);
    int from = 1, to = 0;
    (void)state;
    queue_open(&bench, &first);
    queue_open(&bench, &second);
    submit_record(&first, event);
    queue_close(&first);
    assert_int_equal(cpu->event_query(event), HALY_OK);
    submit_wait(&second, event);
    submit_copy(&second, &to, &from, sizeof to);
    assert_int_equal(queue_wait(&second, HALY_FOREVER), HALY_OK);
    assert_int_equal(to, 1);
    event_free(event);
    queue_close(&second);
}

static void one_waiter_runs_a_long_chain_of_streams(void **state)
{
    enum { STREAMS = 200 };
    static struct queue queues[STREAMS];
    static void *events[STREAMS];
    static int values[STREAMS + 1];
    struct gate gate = GATE_INIT;
    (void)state;
    values[0] = 6;
    for (int i = 0; i < STREAMS; i++) {
        queue_open(&bench, &queues[i]);
        events[i] = event_new(&bench, 0);
        if (i == 0)
            submit_call(&queues[i], gate_call, &gate);
        else
            submit_wait(&queues[i], events[i - 1]);
        submit_copy(&queues[i], &values[i + 1], &values[i], sizeof values[0]);
        submit_record(&queues[i], events[i]);
    }
    assert_int_equal(queue_wait(&queues[STREAMS - 1], MILLISECOND), HALY_TIMEOUT);
    gate_open(&gate);
    assert_int_equal(queue_wait(&queues[STREAMS - 1], UINT64_C(20) * SECOND), HALY_OK);
    assert_int_equal(values[STREAMS], 6);
    for (int i = 0; i < STREAMS; i++) {
        event_free(events[i]);
        queue_close(&queues[i]);
    }
}

static void timed_events_measure_what_ran_between_them(void **state)
{
    struct queue queue;
    struct gate gate = GATE_INIT;
    void *start = event_new(&bench, HALY_EVENT_TIMED), *end = event_new(&bench, HALY_EVENT_TIMED);
    int64_t nanoseconds = -1;
    (void)state;
    queue_open(&bench, &queue);
    submit_record(&queue, start);
    submit_call(&queue, gate_call, &gate);
    submit_record(&queue, end);
    assert_int_equal(cpu->event_elapsed(start, end, &nanoseconds), HALY_NOT_READY);
    gate_reach(&gate);
    sleep_ms(20);
    gate_open(&gate);
    assert_int_equal(queue_wait(&queue, HALY_FOREVER), HALY_OK);
    assert_int_equal(cpu->event_elapsed(start, end, &nanoseconds), HALY_OK);
    assert_true(nanoseconds >= 20 * (int64_t)MILLISECOND && nanoseconds < 10 * (int64_t)SECOND);
    int64_t backwards = 0;
    assert_int_equal(cpu->event_elapsed(end, start, &backwards), HALY_OK);
    assert_true(backwards == -nanoseconds);
    submit_record(&queue, start); /* recorded again: later than the end */
    assert_int_equal(queue_wait(&queue, HALY_FOREVER), HALY_OK);
    assert_int_equal(cpu->event_elapsed(start, end, &nanoseconds), HALY_OK);
    assert_true(nanoseconds < 0);
    event_free(start);
    event_free(end);
    queue_close(&queue);
}

static haly_status failing_call(void *user, haly_status status)
{
    (void)user;
    (void)status;
    return HALY_ERR_NOT_FOUND;
}

static haly_status status_call(void *user, haly_status status)
{
    atomic_store((_Atomic int *)user, (int)status);
    return HALY_OK;
}

struct mask {
    sigset_t blocked;
    _Atomic bool is_there;
};

static haly_status note_signals(void *user, haly_status status)
{
    struct mask *mask = user;
    pthread_sigmask(SIG_SETMASK, NULL, &mask->blocked);
    atomic_store(&mask->is_there, true);
    return status;
}

static void a_worker_hears_of_its_faults_and_of_no_other_signal(void **state)
{
    struct queue queue;
    struct mask mask = {.is_there = false};
    (void)state;
    queue_open(&bench, &queue);
    submit_call(&queue, note_signals, &mask);
    while (!atomic_load(&mask.is_there)) /* nobody waits for the stream, so a worker runs it */
        usleep(1000);
    assert_int_equal(queue_wait(&queue, HALY_FOREVER), HALY_OK);
    assert_true(sigismember(&mask.blocked, SIGTERM) && sigismember(&mask.blocked, SIGUSR1));
    assert_false(sigismember(&mask.blocked, SIGSEGV) || sigismember(&mask.blocked, SIGFPE));
    queue_close(&queue);
}

static void after_a_failure_work_is_skipped_and_host_calls_are_told(void **state)
{
    struct queue queue;
    void *event = event_new(&bench, 0);
    int from = 1, before = 0, after = 0;
    _Atomic int told = -1;
    (void)state;
    queue_open(&bench, &queue);
    submit_copy(&queue, &before, &from, sizeof before);
    submit_call(&queue, failing_call, NULL);
    submit_copy(&queue, &after, &from, sizeof after);
    submit_call(&queue, status_call, (void *)&told);
    submit_record(&queue, event);
    assert_int_equal(queue_wait(&queue, HALY_FOREVER), HALY_OK); /* the failure is the core's to tell */
    assert_int_equal(before, 1);
    assert_int_equal(after, 0);
    assert_int_equal(atomic_load(&told), HALY_ERR_HOST_CALL);
    assert_int_equal(atomic_load(&queue.token.status), HALY_ERR_HOST_CALL);
    assert_int_equal(atomic_load(&queue.token.failed_sequence), 2);
    assert_int_equal(atomic_load(&queue.token.native_code), HALY_ERR_NOT_FOUND);
    assert_int_equal(cpu->event_query(event), HALY_OK);
    submit_copy(&queue, &after, &from, sizeof after); /* on the idle stream, too */
    assert_int_equal(after, 0);
    event_free(event);
    queue_close(&queue);
}

struct waiter {
    struct queue *queue;
    _Atomic int status;
};

static void *wait_forever(void *argument)
{
    struct waiter *waiter = argument;
    atomic_store(&waiter->status, (int)queue_wait(waiter->queue, HALY_FOREVER));
    return NULL;
}

static void abandoning_wakes_waiters_and_lets_dependents_go(void **state)
{
    struct bench hung;
    struct queue stuck, dependent;
    struct gate gate = GATE_INIT;
    struct waiter waiter = {.queue = &stuck, .status = -1};
    void *event = event_new(&bench, 0);
    _Atomic int told = -1;
    pthread_t thread;
    uint64_t accepted = 0;
    (void)state;
    set_params("2", "0");
    bench_open(&hung);
    queue_open(&hung, &stuck);
    queue_open(&bench, &dependent);
    submit_call(&stuck, gate_call, &gate);
    submit_record(&stuck, event);
    submit_wait(&dependent, event);
    submit_call(&dependent, status_call, (void *)&told);
    gate_reach(&gate);
    assert_int_equal(pthread_create(&thread, NULL, wait_forever, &waiter), 0);
    sleep_ms(20);
    cpu->context_abandon(hung.context);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&waiter.status), HALY_ERR_ABANDONED);
    assert_int_equal(queue_wait(&dependent, UINT64_C(20) * SECOND), HALY_OK);
    assert_int_equal(atomic_load(&told), HALY_ERR_ABANDONED);
    assert_int_equal(atomic_load(&dependent.token.failed_sequence), 1);
    const haly_command_record record = {{sizeof record, HALY_COMMAND_RECORD, 0}, event};
    assert_int_equal(cpu->submit(stuck.block, &record, sizeof record, 9, &accepted), HALY_ERR_ABANDONED);
    gate_open(&gate); /* the thread comes back after all; what the context held stays, as the core leaks it */
    event_free(event);
    queue_close(&dependent);
    sleep_ms(20);
    cpu->stream_destroy(stuck.block);
    free(stuck.block);
    bench_close(&hung);
}

/* ---- many threads ---- */

enum { PRODUCERS = 6, ROUNDS = 400 };

struct producer {
    struct queue queue;
    void *event;
    struct producer *other;
    pthread_mutex_t *lock; /* of all events: submits that record and submits that wait are the callers' to order */
    _Atomic int calls;
    int values[ROUNDS + 1];
    bool is_right;
};

static void *produce(void *argument)
{
    struct producer *self = argument;
    self->is_right = true;
    for (int round = 0; round < ROUNDS; round++) {
        submit_copy(&self->queue, &self->values[round + 1], &self->values[round], sizeof(int));
        if (round % 3 == 0)
            submit_call(&self->queue, count_call, (void *)&self->calls);
        pthread_mutex_lock(self->lock);
        if (round % 5 == 0)
            submit_record(&self->queue, self->event);
        if (round % 7 == 0)
            submit_wait(&self->queue, self->other->event);
        pthread_mutex_unlock(self->lock);
        if (round % 50 == 49)
            self->is_right &=
                queue_wait(&self->queue, round % 100 == 99 ? HALY_FOREVER : UINT64_C(30) * SECOND) == HALY_OK;
    }
    self->is_right &= queue_wait(&self->queue, HALY_FOREVER) == HALY_OK;
    return NULL;
}

static void streams_of_many_threads_wait_for_each_other(void **state)
{
    static struct producer producers[PRODUCERS];
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[PRODUCERS];
    (void)state;
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){.event = event_new(&bench, i % 2 ? HALY_EVENT_TIMED : 0), .lock = &lock};
        producers[i].other = &producers[(i + 1) % PRODUCERS];
        producers[i].values[0] = i + 1;
        queue_open(&bench, &producers[i].queue);
    }
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < PRODUCERS; i++) {
        assert_true(producers[i].is_right);
        assert_int_equal(producers[i].values[ROUNDS], i + 1);
        assert_int_equal(atomic_load(&producers[i].calls), (ROUNDS + 2) / 3);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        event_free(producers[i].event);
        queue_close(&producers[i].queue);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_copy_on_an_idle_stream_is_done_when_submit_returns),
        cmocka_unit_test(commands_run_in_order),
        cmocka_unit_test(sequences_may_have_gaps),
        cmocka_unit_test(an_unknown_kind_is_refused_before_anything_is_queued),
        cmocka_unit_test(records_that_lie_about_their_size_are_invalid),
        cmocka_unit_test(work_goes_on_without_further_calls),
        cmocka_unit_test(held_streams_hold_no_other),
        cmocka_unit_test(a_deadline_is_kept_and_nothing_changes),
        cmocka_unit_test(a_deadline_interrupts_a_long_launch_and_it_goes_on),
        cmocka_unit_test(a_wait_holds_a_stream_until_the_event),
        cmocka_unit_test(a_wait_is_bound_when_it_is_submitted),
        cmocka_unit_test(an_event_outlives_its_stream),
        cmocka_unit_test(one_waiter_runs_a_long_chain_of_streams),
        cmocka_unit_test(timed_events_measure_what_ran_between_them),
        cmocka_unit_test(a_worker_hears_of_its_faults_and_of_no_other_signal),
        cmocka_unit_test(after_a_failure_work_is_skipped_and_host_calls_are_told),
        cmocka_unit_test(abandoning_wakes_waiters_and_lets_dependents_go),
        cmocka_unit_test(streams_of_many_threads_wait_for_each_other),
    };
    struct CMUnitTest prepared[sizeof tests / sizeof *tests];
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        prepared[i] = tests[i];
        prepared[i].setup_func = open_two_threads;
        prepared[i].teardown_func = close_bench;
    }
    return cmocka_run_group_tests(prepared, load_backend, stop_backend);
}
