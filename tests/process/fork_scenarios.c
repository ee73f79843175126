/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that divide: before and after the library was used, in callbacks, and with threads in the middle of it. */
#define _GNU_SOURCE
#include "scenario.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { THREADS = 8, CHILDREN = 6 };

/* A child that waits for what never comes must not outlive the test. */
static pid_t fork_child(void)
{
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0)
        alarm(240);
    return child;
}

static int before_the_library_is_used(const char *backend)
{
    const pid_t child = fork_child();
    work_do_it_all(backend);
    if (child != 0)
        scenario_join_child(child);
    return 0; /* both by way of exit() */
}

static struct work shared;

/* What the child has of the parent's is dead; what it makes is not. */
static void use_in_child(const char *backend)
{
    EXPECT(haly_stream_sync(shared.stream, 0) == HALY_ERR_FORKED);
    EXPECT(haly_context_open(shared.instance, NULL, &shared.context) == HALY_ERR_FORKED);
    EXPECT(work_queue(&shared, 1) == HALY_ERR_FORKED);
    haly_stream_release(shared.stream);
    haly_context_release(shared.context);
    haly_instance_release(shared.instance);
    work_do_it_all(backend);
}

static int after_the_library_was_used(const char *backend)
{
    work_open(&shared, backend);
    EXPECT_OK(work_queue(&shared, 3));
    work_finish(&shared);
    const pid_t child = fork_child();
    if (child == 0) {
        use_in_child(backend);
        const pid_t grandchild = fork_child();
        work_do_it_all(backend);
        if (grandchild != 0)
            scenario_join_child(grandchild);
        return 0;
    }
    scenario_join_child(child);
    EXPECT_OK(work_queue(&shared, 3));
    work_finish(&shared);
    work_close(&shared);
    return 0;
}

static int with_work_in_the_queue(const char *backend)
{
    work_open(&shared, backend);
    EXPECT_OK(work_queue(&shared, 50));
    const pid_t idle = fork_child();
    if (idle == 0)
        return 0; /* exit() with the parent's objects around */
    const pid_t busy = fork_child();
    if (busy == 0) {
        use_in_child(backend);
        return 0;
    }
    scenario_join_child(idle);
    scenario_join_child(busy);
    work_finish(&shared);
    work_close(&shared);
    return 0;
}

static _Atomic int children_in_callbacks;

/* The child goes no further: it would be in the middle of the parent's call, on one of the library's threads. */
static void fork_and_end_child(void)
{
    const pid_t child = fork_child();
    if (child == 0)
        _exit(0);
    scenario_join_child(child);
    atomic_fetch_add(&children_in_callbacks, 1);
}

static void fork_in_log(void *user, haly_log_level level, const char *text)
{
    (void)user, (void)level, (void)text;
    if (atomic_load(&children_in_callbacks) < 3)
        fork_and_end_child();
}

static int in_a_log_callback(const char *backend)
{
    haly_instance *instance = NULL;
    EXPECT_OK(work_instance(backend, fork_in_log, &instance));
    work_do_it_all(backend);
    EXPECT(children_in_callbacks > 0);
    haly_instance_release(instance);
    return 0;
}

static haly_status fork_in_call(void *user, haly_status status)
{
    (void)user;
    fork_and_end_child();
    return status;
}

static int in_a_host_call(const char *backend)
{
    work_open(&shared, backend);
    for (int i = 0; i < 3; i++) {
        EXPECT_OK(work_queue(&shared, 1));
        EXPECT_OK(haly_host_call(shared.stream, fork_in_call, NULL));
    }
    work_finish(&shared);
    EXPECT(children_in_callbacks == 3);
    work_close(&shared);
    return 0;
}

static _Atomic bool must_stop;

/* Opens, works and releases all the time: a fork finds each lock taken now and then. */
static void *keep_opening(void *backend)
{
    while (!atomic_load(&must_stop))
        work_do_it_all(backend);
    return NULL;
}

static void *keep_queueing(void *user)
{
    struct work *work = user;
    while (!atomic_load(&must_stop)) {
        EXPECT_OK(work_queue(work, 4));
        work_finish(work);
    }
    return NULL;
}

static int while_threads_are_in_the_library(const char *backend)
{
    pthread_t threads[THREADS];
    struct work *works = calloc(THREADS, sizeof *works);
    char name[16];
    snprintf(name, sizeof name, "%s", backend);
    EXPECT(works != NULL);
    work_open(&shared, backend);
    for (int i = 0; i < THREADS; i++) {
        work_share(&works[i], shared.context);
        scenario_thread(i % 2 == 0 ? keep_queueing : keep_opening, i % 2 == 0 ? (void *)&works[i] : name, false,
                        &threads[i]);
    }
    for (int i = 0; i < CHILDREN; i++) {
        const pid_t child = fork_child();
        if (child == 0) {
            use_in_child(backend);
            _exit(0); /* what only the parent's threads knew of would look leaked */
        }
        scenario_join_child(child);
    }
    atomic_store(&must_stop, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    work_close(&shared);
    free(works);
    return 0;
}

static void *do_it_all_at_once(void *backend)
{
    work_do_it_all(backend);
    return NULL;
}

/* The first call in the child comes from several threads at once. */
static int and_the_child_begins_with_many_threads(const char *backend)
{
    char name[16];
    snprintf(name, sizeof name, "%s", backend);
    work_open(&shared, backend);
    EXPECT_OK(work_queue(&shared, 3));
    work_finish(&shared);
    const pid_t child = fork_child();
    if (child == 0) {
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++)
            scenario_thread(do_it_all_at_once, name, false, &threads[i]);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        return 0;
    }
    scenario_join_child(child);
    EXPECT_OK(work_queue(&shared, 3));
    work_finish(&shared);
    work_close(&shared);
    return 0;
}

/* Another program is what most forks are for. */
static int to_run_another_program(const char *backend)
{
    work_open(&shared, backend);
    EXPECT_OK(work_queue(&shared, 20));
    EXPECT(system("exit 0") == 0);
    const pid_t child = vfork();
    if (child == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    scenario_join_child(child);
    work_finish(&shared);
    work_close(&shared);
    return 0;
}

const struct scenario fork_scenarios[] = {
    {"fork_before_the_library_is_used", before_the_library_is_used, ON_BOTH},
    {"fork_after_the_library_was_used", after_the_library_was_used, ON_BOTH | FORKS_AMONG_THREADS},
    {"fork_with_work_in_the_queue", with_work_in_the_queue, ON_BOTH | FORKS_AMONG_THREADS},
    {"fork_in_a_log_callback", in_a_log_callback, ON_BOTH},
    {"fork_in_a_host_call", in_a_host_call, ON_BOTH},
    {"fork_while_threads_are_in_the_library", while_threads_are_in_the_library, ON_BOTH | FORKS_AMONG_THREADS},
    {"fork_and_the_child_begins_with_many_threads", and_the_child_begins_with_many_threads,
     ON_BOTH | FORKS_AMONG_THREADS},
    {"fork_to_run_another_program", to_run_another_program, ON_BOTH},
    {NULL, NULL, 0},
};
