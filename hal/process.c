/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One page is wiped by the kernel in a child of fork (MADV_WIPEONFORK). Handles carry the generation they were made in,
 * and one comparison against the page finds those from before a fork or from before haly_shutdown(). No pthread_atfork
 * handler, so plain fork(), vfork() and posix_spawn() cost nothing.
 */
#define _GNU_SOURCE
#include "process.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "context.h"
#include "layers/layers.h"
#include "loader.h"
#include "log.h"
#include "object.h"
#include "retire.h"
#include "service.h"
#include "short_lock.h"
#include "timeline.h"

/* Microseconds between looks whether another thread has come to the end of haly_shutdown(). */
#define SHUTDOWN_POLL 1000U

static _Atomic uint32_t no_generation; /* until the first instance: matches no handle */
_Atomic uint32_t *process_generation = &no_generation;

struct process_page *_Atomic process_page;

/* Both survive a fork, so that a child's are new. */
static uint32_t last_generation;
static _Atomic uint32_t last_number = 1;

static struct short_lock enter_lock = SHORT_LOCK_INIT;
static _Atomic bool shutting_down;
static _Atomic uint32_t stopping_process; /* number of the one in the middle of haly_shutdown(); 0: none */

/* Threads may need it first at the same time: one of their pages stays. */
static haly_status page_map(void)
{
    const size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    struct process_page *none = NULL, *page;
    page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return fail_host_oom("what tells forked processes apart", bytes);
    if (madvise(page, bytes, MADV_WIPEONFORK) != 0) {
        const int error = errno;
        munmap(page, bytes);
        if (error == ENOMEM)
            return fail_host_oom("what tells forked processes apart", bytes);
        return FAIL(HALY_ERR_UNSUPPORTED, "this kernel lacks MADV_WIPEONFORK (Linux 4.14), which fork safety needs");
    }
    atomic_store(&page->number, atomic_load(&last_number)); /* as without a page */
    if (!atomic_compare_exchange_strong(&process_page, &none, page))
        munmap(page, bytes);
    return HALY_OK;
}

uint32_t process_number_begin(void)
{
    const haly_error before = *error_detail();
    uint32_t number = 0;
    if (process_page == NULL && page_map() != HALY_OK) {
        *error_detail() = before;
        return atomic_load(&last_number);
    }
    struct process_page *page = process_page;
    if (page->number == 0) { /* wiped: threads of this process may come here together */
        const uint32_t fresh = atomic_fetch_add(&last_number, 1) + 1;
        atomic_compare_exchange_strong(&page->number, &number, fresh);
    }
    return page->number;
}

/* In a child of fork: what threads that only the parent has may have left half done. */
static void begin_generation(void)
{
    log_forked();
    contexts_forked();
    loader_forked();
    retire_forked();
    services_forked();
    dependencies_forked();
    layers_forked();
    process_page->generation = ++last_generation;
    process_generation = &process_page->generation;
}

haly_status process_enter(void)
{
    if (process_page == NULL)
        TRY(page_map());
    short_lock_acquire_process(&enter_lock);
    const bool is_late = shutting_down;
    if (!is_late && process_page->generation == 0)
        begin_generation();
    short_lock_release(&enter_lock);
    return is_late ? FAIL(HALY_ERR_SHUTTING_DOWN, "haly_shutdown() was called in this process") : HALY_OK;
}

bool process_is_shutting_down(void)
{
    return atomic_load(&shutting_down);
}

void haly_shutdown(void)
{
    PUT_OFF_CANCELLATION();
    short_lock_acquire_process(&enter_lock);
    const bool is_first = !atomic_exchange(&shutting_down, true);
    const bool is_needed = is_first && process_page != NULL && atomic_exchange(&process_page->generation, 0) != 0;
    if (is_needed)
        stopping_process = process_number();
    short_lock_release(&enter_lock);
    if (is_needed) {   /* else nothing was started in this process, or another thread is at it */
        retire_stop(); /* first: ending a context stops its service */
        services_stop();
        loader_shutdown_backends();
        atomic_store(&stopping_process, 0);
    }
    while (atomic_load(&stopping_process) == process_number())
        usleep(SHUTDOWN_POLL);
}

int process_put_off_cancellation(void)
{
    int before = PTHREAD_CANCEL_ENABLE;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

void process_allow_cancellation(const int *before)
{
    pthread_setcancelstate(*before, NULL);
}

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

haly_status process_thread_start(pthread_t *out_thread, const char *name, void *(*run)(void *), void *argument)
{
    sigset_t before;
    if (atomic_load(&shutting_down))
        return FAIL(HALY_ERR_SHUTTING_DOWN, "haly_shutdown() was called: no thread is started any more");
    block_signals(&before);
    const int error = pthread_create(out_thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return error_set("", HALY_ERR_RESOURCE_EXHAUSTED, HALY_SCOPE_CALL, HALY_RECOVER_RETRY, error, NULL,
                         "the system refused a thread (%s)", name);
    pthread_setname_np(*out_thread, name);
    return HALY_OK;
}

bool process_timed_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, uint64_t nanoseconds)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    const uint64_t sum = (uint64_t)until.tv_nsec + nanoseconds % 1000000000U;
    until.tv_sec += (time_t)(nanoseconds / 1000000000U + sum / 1000000000U);
    until.tv_nsec = (long)(sum % 1000000000U);
    return pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, &until) == 0;
}

uint64_t process_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

uint64_t process_deadline(uint64_t nanoseconds)
{
    const uint64_t now = nanoseconds == HALY_FOREVER ? 0 : process_now();
    return nanoseconds > UINT64_MAX - now ? UINT64_MAX : now + nanoseconds;
}

uint64_t process_remaining(uint64_t moment)
{
    if (moment == UINT64_MAX)
        return HALY_FOREVER;
    const uint64_t now = process_now();
    return moment > now ? moment - now : 0;
}
