/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/*
 * Worker threads. The list of queues that want to be run is short-lived and touched only when a queue goes from idle to
 * busy, so one mutex serves it; it is never held while anything of the queue runs. A worker counts as `searching` while
 * it is awake and looks for work: who publishes work wakes a parked one only when nobody searches.
 */
#include "cpu_pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "cpu_execute.h"
#include "cpu_float.h"
#include "cpu_futex.h"
#include "cpu_job.h"
#include "cpu_queue.h"
#include "planted.h"

#define SPIN_NANOSECONDS 50000U
#define DOZE_NANOSECONDS 50000U
#define DOZE_UNTIL_NANOSECONDS 2000000U
#define STOP_NANOSECONDS 1000000000U

/* Offering tiles costs some 200 ns when a worker is awake, and waking one 5 us here and 25 us until it comes. */
#define PARALLEL_NANOSECONDS 3000U
#define WAKE_NANOSECONDS 60000U

#define STACK_BYTES (8U << 20) /* kernels keep local memory and private values of a whole group on it */
#define MAX_WORKERS 1024U

struct worker {
    pthread_t thread;
    uint32_t index;
    _Atomic bool is_running;
};

static struct {
    pthread_mutex_t lock;
    _Atomic pid_t process; /* whose threads these are; 0: nobody's yet */
    _Atomic uint32_t wanted;
    _Atomic uint32_t count; /* threads started */
    _Atomic bool is_stopping;
    struct worker workers[MAX_WORKERS];

    pthread_mutex_t ready_lock;
    struct cpu_queue *ready_first, **ready_last;
    _Alignas(128) _Atomic uint32_t ready; /* queues on the list */
    _Alignas(128) _Atomic uint32_t searching;
    _Atomic uint32_t parked;
    _Atomic uint32_t signal; /* parked workers sleep on it */
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .ready_lock = PTHREAD_MUTEX_INITIALIZER, .ready_last = &pool.ready_first};

/* ---- the list ---- */

static void wake_one(void)
{
    atomic_fetch_add(&pool.signal, 1);
    cpu_futex_wake(&pool.signal, 1);
}

static void wake_if_nobody_searches(void)
{
    if (atomic_load(&pool.searching) == 0 && atomic_load(&pool.parked) != 0)
        wake_one();
}

void cpu_pool_schedule(struct cpu_queue *queue)
{
    if (atomic_exchange(&queue->listed, 1) != 0)
        return;
    cpu_queue_retain(queue);
    pthread_mutex_lock(&pool.ready_lock);
    queue->ready_next = NULL;
    *pool.ready_last = queue;
    pool.ready_last = &queue->ready_next;
    atomic_fetch_add(&pool.ready, 1);
    pthread_mutex_unlock(&pool.ready_lock);
    wake_if_nobody_searches();
}

/* The oldest queue of the list, with the list's reference, or NULL. */
static struct cpu_queue *take_ready(void)
{
    if (atomic_load(&pool.ready) == 0)
        return NULL;
    pthread_mutex_lock(&pool.ready_lock);
    struct cpu_queue *queue = pool.ready_first;
    if (queue != NULL) {
        pool.ready_first = queue->ready_next;
        if (pool.ready_first == NULL)
            pool.ready_last = &pool.ready_first;
        atomic_fetch_sub(&pool.ready, 1);
    }
    pthread_mutex_unlock(&pool.ready_lock);
    if (queue != NULL)
        atomic_store(&queue->listed, 0); /* from here on it is listed again when more comes */
    return queue;
}

/* ---- a worker ---- */

static void search_ends(void)
{
    /* The last one to stop searching calls for another, in case more than what it found is waiting. */
    if (atomic_fetch_sub(&pool.searching, 1) == 1 && atomic_load(&pool.ready) != 0)
        wake_if_nobody_searches();
}

static bool run_ready(void)
{
    struct cpu_queue *queue = take_ready();
    if (queue == NULL)
        return false;
    search_ends();
    cpu_queue_run(queue);
    cpu_queue_release(queue);
    atomic_fetch_add(&pool.searching, 1);
    return true;
}

static bool help(void)
{
    if (!cpu_jobs_are_open())
        return false;
    search_ends();
    const bool is_done = cpu_jobs_help(UINT64_MAX);
    atomic_fetch_add(&pool.searching, 1);
    if (!is_done)
        for (int i = 0; i < 8; i++)
            cpu_relax(); /* all tiles were taken: keep off their owner's cache lines */
    return is_done;
}

static bool is_something_to_do(void)
{
    return atomic_load(&pool.ready) != 0 || cpu_jobs_are_open() || atomic_load(&pool.is_stopping);
}

static void park(void)
{
    const uint32_t signal = atomic_load(&pool.signal);
    atomic_fetch_add(&pool.parked, 1);
    atomic_fetch_sub(&pool.searching, 1);
    if (!is_something_to_do())
        cpu_futex_wait(&pool.signal, signal, CPU_NEVER);
    atomic_fetch_add(&pool.searching, 1);
    atomic_fetch_sub(&pool.parked, 1);
}

/* Nothing was found for a while: spins, dozes or parks by how long that has been. */
static void rest(uint64_t since)
{
    const uint64_t idle = cpu_now() - since;
    if (idle < SPIN_NANOSECONDS) {
        for (int i = 0; i < 16 && !is_something_to_do(); i++)
            cpu_relax();
    } else if (idle < DOZE_UNTIL_NANOSECONDS) {
        nanosleep(&(struct timespec){.tv_nsec = DOZE_NANOSECONDS}, NULL);
    } else {
        park();
    }
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    char name[16];
    snprintf(name, sizeof name, "haly-cpu-%u", worker->index);
    pthread_setname_np(pthread_self(), name);
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); /* the default would double a doze */
    /* A thread begins with the mode of the one that started it. */
    PLANTED_OR(worker_has_its_parents_float_mode, (void)cpu_float_enter(), (void)0);
    uint64_t since = cpu_now();
    atomic_fetch_add(&pool.searching, 1);
    while (!atomic_load_explicit(&pool.is_stopping, memory_order_relaxed)) {
        if (run_ready() || help())
            since = cpu_now();
        else
            rest(since);
    }
    atomic_fetch_sub(&pool.searching, 1);
    atomic_store(&worker->is_running, false);
    return NULL;
}

/* ---- life ---- */

/* Blocks what a program's handlers are for, but not what a fault raises: that is its thread's own, and a handler for it
 * is not called where it is blocked. */
static void block_signals(sigset_t *before)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
    sigset_t blocked;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&blocked, faults[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, before);
}

static bool start_worker(uint32_t index)
{
    struct worker *worker = &pool.workers[index];
    pthread_attr_t attributes;
    sigset_t before;
    worker->index = index;
    atomic_store(&worker->is_running, true);
    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    block_signals(&before);
    const bool is_started = pthread_create(&worker->thread, &attributes, work, worker) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return is_started;
}

bool cpu_pool_start(void)
{
    uint32_t count = atomic_load_explicit(&pool.count, memory_order_relaxed);
    if (LIKELY(count != 0 && count >= atomic_load_explicit(&pool.wanted, memory_order_relaxed)))
        return true;
    pthread_mutex_lock(&pool.lock);
    count = atomic_load(&pool.count);
    while (count < atomic_load(&pool.wanted) && !atomic_load(&pool.is_stopping) && start_worker(count))
        atomic_store(&pool.count, ++count);
    pthread_mutex_unlock(&pool.lock);
    return count > 0;
}

void cpu_pool_keep_spare(void)
{
    if (LIKELY(atomic_load(&pool.searching) != 0 || atomic_load(&pool.parked) != 0))
        return;
    pthread_mutex_lock(&pool.lock);
    const uint32_t count = atomic_load(&pool.count);
    if (count < MAX_WORKERS && !atomic_load(&pool.is_stopping) && start_worker(count)) {
        atomic_store(&pool.count, count + 1);
        if (atomic_load(&pool.wanted) < count + 1)
            atomic_store(&pool.wanted, count + 1);
    }
    pthread_mutex_unlock(&pool.lock);
}

void cpu_pool_relieve(void)
{
    if (atomic_load(&pool.ready) != 0)
        cpu_pool_keep_spare();
}

/* After a fork the child has none of the parent's threads, and its locks may stand as they did at that moment. */
static void forget_parent(void)
{
    pthread_mutex_init(&pool.lock, NULL);
    pthread_mutex_init(&pool.ready_lock, NULL);
    atomic_store(&pool.wanted, 0);
    pool.ready_first = NULL;
    pool.ready_last = &pool.ready_first;
    atomic_store(&pool.count, 0);
    atomic_store(&pool.ready, 0);
    atomic_store(&pool.searching, 0);
    atomic_store(&pool.parked, 0);
    atomic_store(&pool.is_stopping, false);
    cpu_jobs_reset();
}

/* Once per process, however many threads of a child come here first: the number is negative while one of them is at it.
 */
static void take_over(pid_t process)
{
    pid_t seen = atomic_load(&pool.process);
    while (seen != process) {
        if (seen != -process && atomic_compare_exchange_strong(&pool.process, &seen, -process)) {
            if (seen != 0)
                forget_parent();
            atomic_store(&pool.process, process);
            return;
        }
        sched_yield();
        seen = atomic_load(&pool.process);
    }
}

void cpu_pool_reserve(uint32_t threads)
{
    take_over(getpid());
    pthread_mutex_lock(&pool.lock);
    if (atomic_load(&pool.wanted) < threads)
        atomic_store(&pool.wanted, threads < MAX_WORKERS ? threads : MAX_WORKERS);
    pthread_mutex_unlock(&pool.lock);
}

static bool has_stopped(const struct worker *worker)
{
    const uint64_t limit = cpu_now() + STOP_NANOSECONDS;
    while (atomic_load(&worker->is_running)) {
        if (cpu_now() > limit)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = DOZE_NANOSECONDS}, NULL);
    }
    return true;
}

void cpu_pool_stop(void)
{
    bool have_all_stopped = true;
    if (atomic_load(&pool.process) != getpid())
        return;
    pthread_mutex_lock(&pool.lock);
    atomic_store(&pool.is_stopping, true);
    atomic_fetch_add(&pool.signal, 1);
    cpu_futex_wake(&pool.signal, (int)MAX_WORKERS);
    const uint32_t count = atomic_exchange(&pool.count, 0);
    atomic_store(&pool.wanted, 0);
    for (uint32_t i = 0; i < count; i++) {
        if (has_stopped(&pool.workers[i])) {
            pthread_join(pool.workers[i].thread, NULL);
        } else {
            pthread_detach(pool.workers[i].thread);
            have_all_stopped = false;
        }
    }
    if (have_all_stopped)
        atomic_store(&pool.is_stopping, false); /* else those that are left must still see it */
    pthread_mutex_unlock(&pool.lock);
}

/* ---- tiles ---- */

bool cpu_pool_is_awake(void)
{
    return atomic_load_explicit(&pool.searching, memory_order_relaxed) != 0;
}

bool cpu_pool_help(void)
{
    return cpu_jobs_are_open() && cpu_jobs_help(1);
}

/* Calls for threads that sleep, when there is enough to do for them to come in time. */
static void wake_for_tiles(const struct cpu_work *work, const struct cpu_tiles *tiles)
{
    if (tiles->cost < WAKE_NANOSECONDS)
        return;
    if (atomic_load_explicit(&work->queue->awaited, memory_order_relaxed) != UINT64_MAX)
        cpu_queue_rouse(work->queue);
    uint32_t missing = work->threads - 1;
    const uint32_t awake = atomic_load(&pool.searching);
    uint32_t parked = atomic_load(&pool.parked);
    for (missing -= missing < awake ? missing : awake; missing > 0 && parked > 0; missing--, parked--)
        wake_one();
}

uint64_t cpu_pool_run(const struct cpu_work *work, struct cpu_tiles *tiles)
{
    const bool is_short = tiles->cost < PARALLEL_NANOSECONDS && tiles->cost != 0;
    const struct cpu_work unbounded = {work->queue, work->threads, CPU_NEVER};
    if (is_short)
        return cpu_job_run_alone(&unbounded, tiles); /* the clock would cost more than it saves */
    if (work->threads < 2 || tiles->count - tiles->from < 2 || !cpu_pool_start())
        return cpu_job_run_alone(work, tiles);
    return cpu_job_run(work, tiles, wake_for_tiles);
}
