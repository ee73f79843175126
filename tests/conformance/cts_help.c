/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers of cases: random numbers, copies, gates, recorders, forks, files of the suite. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cts_gate.h"
#include "cts_runner.h"

/* splitmix64 */
uint64_t cts_random(struct cts *t)
{
    uint64_t z = t->random += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

uint64_t cts_below(struct cts *t, uint64_t limit)
{
    return cts_random(t) % limit;
}

double cts_uniform(struct cts *t, double low, double high)
{
    return low + (high - low) * (double)(cts_random(t) >> 11) / 9007199254740992.0;
}

void cts_random_bytes(struct cts *t, void *bytes, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)(cts_random(t) >> 32);
}

uint64_t cts_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void cts_sleep_ms(uint32_t milliseconds)
{
    struct timespec left = {(time_t)(milliseconds / 1000), (long)(milliseconds % 1000) * 1000000L};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

void cts_sync(struct cts *t, haly_stream *stream)
{
    CTS_OK(haly_stream_sync(stream, CTS_PATIENCE));
}

void cts_upload(struct cts *t, void *dst, const void *src, uint64_t size)
{
    CTS_OK(haly_copy(t->aux, dst, src, size));
    cts_sync(t, t->aux);
}

void cts_download(struct cts *t, void *dst, const void *src, uint64_t size)
{
    CTS_OK(haly_copy(t->aux, dst, src, size));
    cts_sync(t, t->aux);
}

haly_memory_stats cts_stats(struct cts *t, haly_context *context)
{
    haly_memory_stats stats = {HALY_MEMORY_STATS_INIT};
    CTS_OK(haly_memory_stats_get(context, &stats));
    return stats;
}

/* ---- gates ---- */
struct cts_gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int is_open;
    int is_reached;
    int was_forced; /* nobody opened it in time */
    pthread_t opener;
    int has_opener;
    uint32_t opener_delay_ms;
};

static void deadline_in(struct timespec *deadline, uint32_t seconds)
{
    (void)clock_gettime(CLOCK_REALTIME, deadline);
    deadline->tv_sec += (time_t)seconds;
}

static haly_status gate_body(void *user, haly_status status)
{
    struct cts_gate *gate = user;
    struct timespec deadline;
    (void)status;
    deadline_in(&deadline, 40);
    (void)pthread_mutex_lock(&gate->lock);
    gate->is_reached = 1;
    (void)pthread_cond_broadcast(&gate->changed);
    while (!gate->is_open && !gate->was_forced)
        gate->was_forced = pthread_cond_timedwait(&gate->changed, &gate->lock, &deadline) == ETIMEDOUT;
    (void)pthread_mutex_unlock(&gate->lock);
    return HALY_OK;
}

cts_gate *cts_hold(struct cts *t, haly_stream *stream)
{
    struct cts_gate *gate = calloc(1, sizeof *gate);
    CTS_CHECK(gate != NULL, "the suite itself ran out of memory");
    (void)pthread_mutex_init(&gate->lock, NULL);
    (void)pthread_cond_init(&gate->changed, NULL);
    cts_own_gate(t, gate);
    CTS_OK(haly_host_call(stream, gate_body, gate));
    return gate;
}

/* Opens it; 1 when time had opened it before. */
static int gate_set_open(struct cts_gate *gate)
{
    (void)pthread_mutex_lock(&gate->lock);
    const int was_forced = gate->was_forced;
    gate->is_open = 1;
    (void)pthread_cond_broadcast(&gate->changed);
    (void)pthread_mutex_unlock(&gate->lock);
    return was_forced;
}

void cts_open(struct cts *t, cts_gate *gate)
{
    CTS_CHECK(!gate_set_open(gate), "a stream was held up for 40 s because the suite could not go on");
}

static void *opener_body(void *user)
{
    struct cts_gate *gate = user;
    cts_sleep_ms(gate->opener_delay_ms);
    (void)gate_set_open(gate);
    return NULL;
}

void cts_open_later(struct cts *t, cts_gate *gate, uint32_t milliseconds)
{
    gate->opener_delay_ms = milliseconds;
    gate->has_opener = pthread_create(&gate->opener, NULL, opener_body, gate) == 0;
    CTS_CHECK(gate->has_opener, "the suite could not start a thread");
}

void cts_wait_held(struct cts *t, cts_gate *gate)
{
    struct timespec deadline;
    int reached = 0;
    deadline_in(&deadline, 20);
    (void)pthread_mutex_lock(&gate->lock);
    while (!gate->is_reached && pthread_cond_timedwait(&gate->changed, &gate->lock, &deadline) != ETIMEDOUT) {
    }
    reached = gate->is_reached;
    (void)pthread_mutex_unlock(&gate->lock);
    CTS_CHECK(reached, "a host call on an idle stream did not start within 20 s without a further call");
}

void cts_gate_free(cts_gate *gate)
{
    if (gate->has_opener)
        (void)pthread_join(gate->opener, NULL);
    (void)pthread_cond_destroy(&gate->changed);
    (void)pthread_mutex_destroy(&gate->lock);
    free(gate);
}

/* ---- recorders ---- */
struct note {
    cts_recorder *recorder;
    uint32_t value;
    haly_status result;
};

cts_recorder *cts_recorder_new(struct cts *t)
{
    return cts_host(t, sizeof(cts_recorder));
}

static haly_status note_body(void *user, haly_status status)
{
    const struct note *note = user;
    const uint32_t at = atomic_fetch_add(&note->recorder->count, 1);
    if (at < CTS_RECORDS) {
        note->recorder->values[at] = note->value;
        note->recorder->statuses[at] = status;
    }
    return HALY_OK;
}

haly_status cts_note(struct cts *t, haly_stream *stream, cts_recorder *recorder, uint32_t value)
{
    struct note *note = cts_host(t, sizeof *note);
    *note = (struct note){recorder, value, HALY_OK};
    return haly_host_call(stream, note_body, note);
}

static haly_status break_body(void *user, haly_status status)
{
    (void)status;
    return ((const struct note *)user)->result;
}

haly_status cts_break(struct cts *t, haly_stream *stream, haly_status number)
{
    struct note *note = cts_host(t, sizeof *note);
    note->result = number;
    t->failures_expected++;
    return haly_host_call(stream, break_body, note);
}

/* ---- processes and files ---- */
struct fork_request {
    int (*body)(struct cts *t, void *user);
    void *user;
};

static int default_signals_body(struct cts *t, void *user)
{
    const struct fork_request *request = user;
    (void)signal(SIGSEGV, SIG_DFL);
    (void)signal(SIGBUS, SIG_DFL);
    return request->body(t, request->user);
}

int cts_fork_default(struct cts *t, int (*body)(struct cts *t, void *user), void *user)
{
    return cts_fork(t, default_signals_body, &(struct fork_request){body, user});
}

int cts_fork(struct cts *t, int (*body)(struct cts *t, void *user), void *user)
{
    (void)fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        (void)close(t->options->result_fd);
        _exit(body(t, user));
    }
    CTS_CHECK(child > 0, "the suite could not fork");
    int status = 0;
    for (uint32_t tries = 0; waitpid(child, &status, WNOHANG) == 0; tries++) {
        CTS_CHECK(tries < 20000, "a forked child did not end within 20 s");
        cts_sleep_ms(1);
    }
    return WIFSIGNALED(status) ? 64 + WTERMSIG(status) : WEXITSTATUS(status);
}

const char *cts_data_file(struct cts *t, const char *name)
{
    char *path = cts_host(t, 4400);
    CTS_CHECK(t->options->data_path != NULL, "the suite's data folder was not found: give --data");
    (void)snprintf(path, 4400, "%s/%s", t->options->data_path, name);
    CTS_CHECK(access(path, R_OK) == 0, "%s is missing: give --data", path);
    return path;
}

haly_kernel *cts_kernel(struct cts *t, const char *file, const char *name)
{
    haly_module *module = NULL;
    haly_kernel *kernel = NULL;
    CTS_OK(haly_module_load_file(t->context, cts_data_file(t, file), &module));
    cts_own_module(t, module);
    CTS_OK(haly_kernel_get(module, name, &kernel));
    cts_own_kernel(t, kernel);
    return kernel;
}
