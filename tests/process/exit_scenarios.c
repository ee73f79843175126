/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that end: with work in the queue, with threads in the library, and with calls from whatever runs at the
 * end. */
#define _GNU_SOURCE
#include "scenario.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "early_library.h"

enum { THREADS = 8 };

static struct work shared, of_thread[THREADS];
static char backend_name[16];
static _Atomic unsigned rounds_of_threads;

static void open_shared(const char *backend)
{
    snprintf(backend_name, sizeof backend_name, "%s", backend);
    work_open(&shared, backend);
}

static int main_returns_with_work_in_the_queue(const char *backend)
{
    open_shared(backend);
    EXPECT_OK(work_queue(&shared, 200));
    return 0;
}

static int exit_at_once_with_work_in_the_queue(const char *backend)
{
    open_shared(backend);
    EXPECT_OK(work_queue(&shared, 200));
    _exit(0);
}

/* ---- handlers ---- */

static void finish_shared(void)
{
    work_finish(&shared);
}

static void queue_more(void)
{
    EXPECT_OK(work_queue(&shared, 3));
}

static void close_shared(void)
{
    work_close(&shared);
}

static void begin_anew(void)
{
    work_do_it_all(backend_name);
}

/* Some registered before the library was first used, and so run after all that it might have registered itself. */
static int handlers_of_exit_call_the_library(const char *backend)
{
    EXPECT(atexit(begin_anew) == 0 && atexit(close_shared) == 0);
    open_shared(backend);
    EXPECT(atexit(finish_shared) == 0 && atexit(queue_more) == 0);
    EXPECT_OK(work_queue(&shared, 20));
    return 0;
}

static int the_library_is_first_used_in_a_handler_of_exit(const char *backend)
{
    snprintf(backend_name, sizeof backend_name, "%s", backend);
    EXPECT(atexit(begin_anew) == 0);
    exit(0);
}

static int handlers_of_quick_exit_call_the_library(const char *backend)
{
    EXPECT(at_quick_exit(begin_anew) == 0 && at_quick_exit(close_shared) == 0);
    open_shared(backend);
    EXPECT(at_quick_exit(finish_shared) == 0);
    EXPECT_OK(work_queue(&shared, 20));
    quick_exit(0);
}

static int a_handler_of_exit_shuts_down(const char *backend)
{
    open_shared(backend);
    EXPECT(atexit(haly_shutdown) == 0);
    EXPECT_OK(work_queue(&shared, 20));
    return 0;
}

/* ---- destructors ---- */

static bool has_static_destructor;

__attribute__((destructor)) static void at_the_end_of_the_program(void)
{
    if (!has_static_destructor)
        return;
    work_finish(&shared);
    work_close(&shared);
    work_do_it_all(backend_name);
}

static int a_static_destructor_calls_the_library(const char *backend)
{
    has_static_destructor = true;
    open_shared(backend);
    EXPECT_OK(work_queue(&shared, 20));
    return 0;
}

static void at_the_end_of_a_thread(void *user)
{
    struct work *work = user;
    work_finish(work);
    haly_stream_release(work->stream);
    work_do_it_all(backend_name);
    EXPECT(haly_stream_sync(NULL, 0) == HALY_ERR_INVALID); /* the detail is the thread's own */
}

static pthread_key_t key;

static void *end_with_destructor(void *user)
{
    EXPECT(pthread_setspecific(key, user) == 0);
    EXPECT_OK(work_queue(user, 5));
    return NULL;
}

static pthread_t main_thread;

__attribute__((noreturn)) static void *exit_behind_main(void *user)
{
    (void)user;
    EXPECT(pthread_join(main_thread, NULL) == 0);
    exit(0);
}

static int thread_local_destructors_call_the_library(const char *backend)
{
    pthread_t threads[THREADS];
    EXPECT(pthread_key_create(&key, at_the_end_of_a_thread) == 0);
    open_shared(backend);
    for (int i = 0; i < THREADS; i++) {
        work_share(&of_thread[i], shared.context);
        scenario_thread(end_with_destructor, &of_thread[i], false, &threads[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    end_with_destructor(&shared);
    main_thread = pthread_self();
    scenario_thread(exit_behind_main, NULL, true, NULL);
    pthread_exit(NULL); /* main's own destructor, too; libhalyard's threads would keep the process alive */
}

/* A library that is linked to libhalyard, so that its destructor runs before any of libhalyard's. */
static int a_librarys_destructor_calls_the_library(const char *backend)
{
    void *handle = dlopen(LATE_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    void (*begin)(const char *) = NULL;
    if (handle == NULL)
        fprintf(stderr, "%s\n", dlerror());
    EXPECT(handle != NULL);
    void *symbol = dlsym(handle, "late_library_begin");
    EXPECT(symbol != NULL);
    memcpy(&begin, &symbol, sizeof begin);
    begin(backend);
    return 0;
}

/* A library whose destructor runs after those of all others. */
static int the_last_destructor_of_all_calls_the_library(const char *backend)
{
    open_shared(backend);
    EXPECT_OK(work_queue(&shared, 20));
    early_library_at_end(finish_shared, begin_anew);
    return 0;
}

/* ---- threads that do not stop ---- */

static void *keep_queueing(void *user)
{
    struct work *work = user;
    for (;;) {
        if (work_queue(work, 4) == HALY_ERR_SHUTTING_DOWN)
            return NULL;
        const haly_status status = haly_stream_sync(work->stream, PATIENCE);
        if (status == HALY_ERR_SHUTTING_DOWN)
            return NULL;
        EXPECT(status == HALY_OK);
        atomic_fetch_add(&rounds_of_threads, 1);
    }
}

__attribute__((noreturn)) static void *keep_opening(void *user)
{
    (void)user;
    for (;;) {
        work_do_it_all(backend_name);
        atomic_fetch_add(&rounds_of_threads, 1);
    }
}

static void start_detached(void *(*run)(void *))
{
    for (int i = 0; i < THREADS; i++) {
        work_share(&of_thread[i], shared.context);
        scenario_thread(run, &of_thread[i], true, NULL);
    }
    while (atomic_load(&rounds_of_threads) < 2 * THREADS)
        scenario_sleep(MILLISECOND);
}

static int detached_threads_go_on_submitting(const char *backend)
{
    open_shared(backend);
    start_detached(keep_queueing);
    return 0;
}

static int detached_threads_go_on_opening(const char *backend)
{
    open_shared(backend);
    start_detached(keep_opening);
    return 0;
}

/* Large products, which the cpu backend hands to another library with destructors of its own. */
__attribute__((noreturn)) static void *keep_multiplying(void *user)
{
    enum { N = 192 };
    struct work *work = user;
    void *matrices = NULL;
    EXPECT_OK(haly_malloc(work->context, 3 * N * N * sizeof(float), NULL, &matrices));
    float *a = matrices, *b = a + (size_t)N * N, *y = b + (size_t)N * N;
    const uint32_t zero = 0;
    EXPECT_OK(haly_fill(work->stream, a, &zero, 4, 2 * N * N * sizeof(float)));
    for (;;) {
        for (int i = 0; i < 20; i++)
            EXPECT_OK(haly_op_matmul(work->stream, haly_f32_2d(y, N, N), haly_f32_2d(a, N, N), haly_f32_2d(b, N, N)));
        EXPECT_OK(haly_stream_sync(work->stream, PATIENCE));
        atomic_fetch_add(&rounds_of_threads, 1);
    }
}

static int detached_threads_go_on_multiplying(const char *backend)
{
    open_shared(backend);
    start_detached(keep_multiplying);
    return 0;
}

static int shutdown_among_threads_that_submit(const char *backend)
{
    pthread_t threads[THREADS];
    open_shared(backend);
    for (int i = 0; i < THREADS; i++) {
        work_share(&of_thread[i], shared.context);
        scenario_thread(keep_queueing, &of_thread[i], false, &threads[i]);
    }
    while (atomic_load(&rounds_of_threads) < THREADS)
        scenario_sleep(MILLISECOND);
    haly_shutdown();
    EXPECT(work_queue(&shared, 1) == HALY_ERR_SHUTTING_DOWN);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}

__attribute__((noreturn)) static void *exit_elsewhere(void *user)
{
    (void)user;
    scenario_sleep(2 * MILLISECOND);
    exit(0);
}

static int another_thread_exits_while_main_waits(const char *backend)
{
    open_shared(backend);
    scenario_thread(exit_elsewhere, NULL, true, NULL);
    for (;;) {
        EXPECT_OK(work_queue(&shared, 50));
        EXPECT_OK(haly_stream_sync(shared.stream, PATIENCE));
    }
}

/* ---- out of callbacks ---- */

static haly_status exit_in_call(void *user, haly_status status)
{
    (void)user, (void)status;
    exit(0);
}

static int a_host_call_exits(const char *backend)
{
    open_shared(backend);
    EXPECT_OK(work_queue(&shared, 5));
    EXPECT_OK(haly_host_call(shared.stream, exit_in_call, NULL));
    EXPECT_OK(work_queue(&shared, 5));
    (void)haly_stream_sync(shared.stream, PATIENCE);
    return 1; /* the host call came first */
}

static void exit_in_log(void *user, haly_log_level level, const char *text)
{
    (void)user, (void)level, (void)text;
    exit(0);
}

static int a_log_callback_exits(const char *backend)
{
    haly_instance *instance = NULL;
    open_shared(backend);
    EXPECT_OK(work_queue(&shared, 5));
    (void)work_instance(backend, exit_in_log, &instance);
    return 1;
}

const struct scenario exit_scenarios[] = {
    {"main_returns_with_work_in_the_queue", main_returns_with_work_in_the_queue, ON_BOTH},
    {"exit_at_once_with_work_in_the_queue", exit_at_once_with_work_in_the_queue, ON_BOTH},
    {"handlers_of_exit_call_the_library", handlers_of_exit_call_the_library, ON_BOTH},
    {"the_library_is_first_used_in_a_handler_of_exit", the_library_is_first_used_in_a_handler_of_exit, ON_BOTH},
    {"handlers_of_quick_exit_call_the_library", handlers_of_quick_exit_call_the_library, ON_BOTH},
    {"a_handler_of_exit_shuts_down", a_handler_of_exit_shuts_down, ON_BOTH},
    {"a_static_destructor_calls_the_library", a_static_destructor_calls_the_library, ON_BOTH},
    {"thread_local_destructors_call_the_library", thread_local_destructors_call_the_library,
     ON_BOTH | JOINS_THE_MAIN_THREAD},
    {"a_librarys_destructor_calls_the_library", a_librarys_destructor_calls_the_library, ON_BOTH},
    {"the_last_destructor_of_all_calls_the_library", the_last_destructor_of_all_calls_the_library, ON_BOTH},
    {"detached_threads_go_on_submitting", detached_threads_go_on_submitting, ON_BOTH},
    {"detached_threads_go_on_opening", detached_threads_go_on_opening, ON_BOTH},
    {"detached_threads_go_on_multiplying", detached_threads_go_on_multiplying, ON_CPU},
    {"shutdown_among_threads_that_submit", shutdown_among_threads_that_submit, ON_BOTH},
    {"another_thread_exits_while_main_waits", another_thread_exits_while_main_waits, ON_BOTH},
    {"a_host_call_exits", a_host_call_exits, ON_BOTH},
    {"a_log_callback_exits", a_log_callback_exits, ON_BOTH},
    {NULL, NULL, 0},
};
