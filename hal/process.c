/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fork token is a page that the kernel wipes in a child (MADV_WIPEONFORK): handles carry the generation they were
 * made in, and one comparison against the page finds those from before a fork or from before haly_shutdown(). No
 * pthread_atfork handler, so plain fork(), vfork() and posix_spawn() cost nothing.
 */
#define _GNU_SOURCE
#include "process.h"

#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "loader.h"
#include "log.h"
#include "object.h"
#include "retire.h"
#include "service.h"
#include "short_lock.h"
#include "timeline.h"

static _Atomic uint32_t no_generation; /* until the first instance: matches no handle */
_Atomic uint32_t *process_generation = &no_generation;

static struct short_lock enter_lock = SHORT_LOCK_INIT;
static _Atomic uint32_t *token;  /* the wiped page; NULL before the first instance */
static uint32_t last_generation; /* survives a fork, so that a child's generation is a new number */
static _Atomic bool shutting_down;

static haly_status token_map(void)
{
    const long page = sysconf(_SC_PAGESIZE);
    void *mapped = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED)
        return fail_host_oom("the fork token", (uint64_t)page);
    if (madvise(mapped, (size_t)page, MADV_WIPEONFORK) != 0) {
        munmap(mapped, (size_t)page);
        return FAIL(HALY_ERR_UNSUPPORTED, "this kernel lacks MADV_WIPEONFORK (Linux 4.14), which fork safety needs");
    }
    token = mapped;
    return HALY_OK;
}

/* Threads of ours and backends, which are never unloaded, run code of this library: a program may close the plug-in
 * that brought it, but the code stays. */
static void stay_mapped(void)
{
    Dl_info info;
    struct link_map *own = NULL;
    if (dladdr1(&shutting_down, &info, (void **)&own, RTLD_DL_LINKMAP) != 0 && own->l_name[0] != '\0')
        (void)dlopen(own->l_name, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE); /* "": part of the program itself */
}

/* In a child of fork: what threads that only the parent has may have left half done. */
static void begin_generation(void)
{
    log_forked();
    loader_forked();
    retire_forked();
    services_forked();
    dependencies_forked();
    *token = ++last_generation;
    process_generation = token;
}

haly_status process_enter(void)
{
    haly_status status = HALY_OK;
    if (atomic_load(&shutting_down))
        return FAIL(HALY_ERR_SHUTTING_DOWN, "haly_shutdown() was called in this process");
    /* By the process's number: a child does not wait for a thread of its parent's. */
    short_lock_acquire_as(&enter_lock, (uint32_t)getpid());
    if (token == NULL) {
        stay_mapped();
        status = token_map();
    }
    if (status == HALY_OK && *token == 0)
        begin_generation();
    short_lock_release(&enter_lock);
    return status;
}

bool process_is_shutting_down(void)
{
    return atomic_load(&shutting_down);
}

void haly_shutdown(void)
{
    PUT_OFF_CANCELLATION();
    if (atomic_exchange(&shutting_down, true))
        return;
    if (token == NULL || atomic_exchange(token, 0) == 0)
        return; /* nothing was started in this process */
    services_stop();
    retire_stop();
    loader_shutdown_backends();
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

haly_status process_thread_start(pthread_t *out_thread, const char *name, void *(*run)(void *), void *argument)
{
    sigset_t all, before;
    if (atomic_load(&shutting_down))
        return FAIL(HALY_ERR_SHUTTING_DOWN, "haly_shutdown() was called: no thread is started any more");
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
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
