/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs scenarios in children of its own, one for each planted failure, and says what became of each, a line of fields
 * with tabs between them. What is right is not decided here: sweep.py holds it against expected.txt.
 *   S scenario call object offset hits            a place that was reached
 *   R scenario fault mode nth injected call object offset verdict function status context-status scope recovery
 *     native backend message problem milliseconds again computed
 *                                                 a run; verdict is done, hang, signal N or exit N; again and computed
 * are what went wrong afterwards, "" for nothing E scenario text                               what a run that was not
 * done wrote to stderr
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "interpose.h"

#define MISSES 2 /* runs in a row that a failure did not reach: then none is left */

static struct options {
    const char *scenarios[64], *faults[64];
    uint32_t scenario_count, fault_count;
    uint64_t from, to;
    uint32_t each;     /* calls of one place under one step that fail; the others of them pass */
    uint32_t patience; /* seconds */
    bool lists;
} options = {.from = 1, .to = UINT64_MAX, .each = UINT32_MAX, .patience = 30};

struct shared *shared;
struct normal normal;

static char sandbox[] = "/tmp/halyard-sweep-XXXXXX";
static int child_stderr;

const char *world_sandbox(void)
{
    return sandbox;
}

/* Waits for the child; what its end was. */
static void reap(pid_t pid, char *verdict, size_t size)
{
    const struct timespec limit = {.tv_sec = options.patience};
    sigset_t ended;
    int status = 0;
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    const time_t start = time(NULL);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (sigtimedwait(&ended, NULL, &limit) >= 0 || (errno == EINTR && time(NULL) - start < limit.tv_sec))
            continue;
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        snprintf(verdict, size, "hang");
        return;
    }
    if (WIFSIGNALED(status))
        snprintf(verdict, size, "signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        snprintf(verdict, size, "exit %d", WEXITSTATUS(status));
    else
        snprintf(verdict, size, "done");
}

static long now_milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What a child has traced. */
static void remove_traces(void)
{
    DIR *folder = opendir(sandbox);
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;)
        if (fnmatch("*.json", entry->d_name, 0) == 0)
            unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder != NULL)
        closedir(folder);
}

/* Runs a child; what its end was stands in `verdict`. Returns the milliseconds it took. */
static long run_child(const struct run *run, char *verdict, size_t size)
{
    const long start = now_milliseconds();
    memset(&shared->outcome, 0, sizeof shared->outcome);
    memset(&shared->again, 0, sizeof shared->again);
    memset(&shared->computed, 0, sizeof shared->computed);
    atomic_flag_clear(&shared->injection.lock); /* a thread of the last child may have ended with it */
    if (ftruncate(child_stderr, 0) != 0)
        abort();
    fflush(stdout);
    const pid_t pid = fork();
    if (pid < 0) {
        perror("halyard-sweep: fork");
        exit(2);
    }
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        dup2(child_stderr, STDERR_FILENO);
        child_run(run);
        exit(0);
    }
    reap(pid, verdict, size);
    remove_traces();
    return now_milliseconds() - start;
}

static void print_field(const char *text)
{
    putchar('\t');
    for (; *text != '\0'; text++)
        putchar((unsigned char)*text < 0x20 ? ' ' : *text);
}

/* What went wrong in a run without a failure. */
static void print_afterwards(const struct outcome *outcome)
{
    char text[1024] = "";
    if (outcome->function[0] != '\0')
        snprintf(text, sizeof text, "%s is %s: %s", outcome->function, haly_status_name(outcome->status),
                 outcome->error.message);
    else if (outcome->problem[0] != '\0')
        snprintf(text, sizeof text, "%s", outcome->problem);
    print_field(text);
}

static void print_run(const struct run *run, const char *verdict, long milliseconds)
{
    const struct outcome *outcome = &shared->outcome;
    const uint32_t index = atomic_load(&shared->injection.first_site);
    const struct site nowhere = {.call = "?"};
    const struct site *site = index != SITE_NONE ? &shared->injection.sites[index] : &nowhere;
    const bool is_done = strcmp(verdict, "done") == 0;
    printf("R\t%s\t%s\t%s\t%llu\t%u\t%s\t%s\t%llx\t%s\t%s\t%s\t%d\t%d\t%d\t%lld", run->scenario->name,
           run->fault != NULL ? run->fault->name : "none", run->persists ? "from" : "once",
           (unsigned long long)run->nth, atomic_load(&shared->injection.injected), site->call, site->object,
           (unsigned long long)site->offset, verdict, is_done ? outcome->function : outcome->step,
           outcome->status == HALY_STATUS_MAX_ENUM ? "TOLD" : haly_status_name(outcome->status),
           outcome->context_status, outcome->error.scope, outcome->error.recovery,
           (long long)outcome->error.native_code);
    print_field(outcome->error.backend);
    print_field(outcome->error.message);
    print_field(outcome->problem);
    printf("\t%ld", milliseconds);
    print_afterwards(&shared->again);
    print_afterwards(&shared->computed);
    printf("\t%s\n",
           world_is_other_backend(run->scenario, run->is_faulty, shared->injection.first_backend) ? "other" : "");
}

static void print_stderr(const struct scenario *scenario)
{
    char line[1024];
    FILE *file = fdopen(dup(child_stderr), "r");
    if (file == NULL)
        return;
    rewind(file);
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        printf("E\t%s", scenario->name);
        print_field(line);
        putchar('\n');
    }
    fclose(file);
}

/* The longest run of a group counts. */
static void learn_calls(int group)
{
    if (shared->injection.hits[group] <= normal.hits[group])
        return;
    normal.hits[group] = shared->injection.hits[group];
    memcpy(normal.traces[group], shared->injection.traces[group], sizeof normal.traces[group]);
}

/* Whether enough calls of that place, under that step, come before the nth. */
static bool is_repetition(enum group group, uint64_t nth)
{
    uint32_t before = 0;
    if (nth > TRACE_MOST || nth > normal.hits[group])
        return false;
    const struct trace *trace = normal.traces[group], *at = &trace[nth - 1];
    for (uint64_t i = 0; i + 1 < nth; i++)
        if (trace[i].site == at->site && trace[i].step == at->step)
            before++;
    return before >= options.each;
}

static void learn_holdings(void)
{
    const struct holdings *now = &shared->holdings;
    struct holdings *most = &normal.holdings;
    for (uint32_t i = 0; i < shared->injection.site_count; i++)
        normal.live[i] = shared->live[i] > normal.live[i] ? shared->live[i] : normal.live[i];
    most->mapped_bytes = now->mapped_bytes > most->mapped_bytes ? now->mapped_bytes : most->mapped_bytes;
    most->descriptors = now->descriptors > most->descriptors ? now->descriptors : most->descriptors;
    most->threads = now->threads > most->threads ? now->threads : most->threads;
}

static bool is_clean(const struct outcome *outcome)
{
    return outcome->function[0] == '\0' && outcome->problem[0] == '\0';
}

/* Learns what is normal; false when the scenario does not even work without a failure. */
static bool learn(const struct scenario *scenario)
{
    char verdict[32];
    memset(&normal, 0, sizeof normal);
    shared->injection.site_count = 0;
    for (uint64_t nth = 1; nth <= 4; nth++) {
        const struct run run = {scenario, NULL, nth, false, nth % 2 == 0};
        const long milliseconds = run_child(&run, verdict, sizeof verdict);
        if (strcmp(verdict, "done") != 0 || !is_clean(&shared->outcome) || !is_clean(&shared->again) ||
            !is_clean(&shared->computed)) {
            print_run(&run, verdict, milliseconds);
            print_stderr(scenario);
            return false;
        }
        learn_holdings();
        for (int group = 0; group < GROUPS; group++)
            learn_calls(group);
    }
    return true;
}

static void sweep_fault(const struct scenario *scenario, const struct fault *fault, bool persists)
{
    char verdict[32];
    unsigned misses = 0;
    if (normal.hits[fault->group] == 0)
        return;
    for (uint64_t nth = options.from; nth <= options.to && misses < MISSES; nth++) {
        const struct run run = {scenario, fault, nth, persists, fault->group >= GROUP_ENTRY};
        if (is_repetition(fault->group, nth))
            continue;
        const long milliseconds = run_child(&run, verdict, sizeof verdict);
        const bool is_done = strcmp(verdict, "done") == 0;
        misses = atomic_load(&shared->injection.injected) != 0 || !is_done ? 0 : misses + 1;
        if (misses == 0 || shared->outcome.problem[0] != '\0')
            print_run(&run, verdict, milliseconds);
        if (!is_done)
            print_stderr(scenario);
    }
}

static bool is_chosen(const char *name, const char *const *chosen, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(name, chosen[i]) == 0)
            return true;
    return count == 0;
}

/* Exhaustion lasts: from the Nth on, everything of the kind fails, releasing included. */
static bool may_persist(const struct fault *fault)
{
    return fault->group == GROUP_MEMORY || fault->group == GROUP_MAP || fault->group == GROUP_THREAD ||
           fault->group == GROUP_ADVISE || (fault->group == GROUP_OPEN && fault->code == EMFILE);
}

static bool sweep_scenario(const struct scenario *scenario)
{
    if (!learn(scenario))
        return false;
    for (uint32_t i = 0; i < fault_count; i++) {
        if (!is_chosen(faults[i].name, options.faults, options.fault_count))
            continue;
        sweep_fault(scenario, &faults[i], false);
        if (may_persist(&faults[i]))
            sweep_fault(scenario, &faults[i], true);
    }
    for (uint32_t i = 0; i < shared->injection.site_count; i++) {
        const struct site *site = &shared->injection.sites[i];
        printf("S\t%s\t%s\t%s\t%llx\t%llu\n", scenario->name, site->call, site->object,
               (unsigned long long)site->offset, (unsigned long long)site->hits);
    }
    return true;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static bool read_number(const char *text, uint64_t *out)
{
    char *end = NULL;
    *out = strtoull(text, &end, 10);
    return end != text && *end == '\0' && *out > 0;
}

static bool parse(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        uint64_t number = 0;
        if (strcmp(name, "--list") == 0) {
            options.lists = true;
            continue;
        }
        i++;
        if (value == NULL)
            return false;
        if (strcmp(name, "--scenario") == 0 && options.scenario_count < 64)
            options.scenarios[options.scenario_count++] = value;
        else if (strcmp(name, "--fault") == 0 && options.fault_count < 64 && fault_find(value) != NULL)
            options.faults[options.fault_count++] = value;
        else if (strcmp(name, "--only") == 0 && read_number(value, &number))
            options.from = options.to = number;
        else if (strcmp(name, "--each") == 0 && read_number(value, &number))
            options.each = (uint32_t)number;
        else if (strcmp(name, "--patience") == 0 && read_number(value, &number))
            options.patience = (uint32_t)number;
        else
            return false;
    }
    return true;
}

static void prepare(void)
{
    sigset_t ended;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    child_stderr = memfd_create("halyard-sweep stderr", MFD_CLOEXEC);
    if (shared == MAP_FAILED || child_stderr < 0 || mkdtemp(sandbox) == NULL) {
        perror("halyard-sweep");
        exit(2);
    }
    injection = &shared->injection;
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    sigprocmask(SIG_BLOCK, &ended, NULL);
    ledger_start();
    interpose_loaded();
}

int main(int argc, char **argv)
{
    bool is_good = true;
    if (!parse(argc, argv)) {
        fprintf(stderr, "usage: halyard-sweep [--list] [--scenario NAME]… [--fault NAME]… [--only N] [--each N] "
                        "[--patience SECONDS]\n");
        return 2;
    }
    for (uint32_t i = 0; options.lists && i < scenario_count; i++)
        puts(scenarios[i].name);
    if (options.lists)
        return 0;
    prepare();
    for (uint32_t i = 0; i < scenario_count; i++)
        if (is_chosen(scenarios[i].name, options.scenarios, options.scenario_count))
            is_good = sweep_scenario(&scenarios[i]) && is_good;
    nftw(sandbox, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return is_good ? 0 : 1;
}
