/* SPDX-License-Identifier: Apache-2.0 */
/* Running a scenario in a child, and what must hold behind it. */
#define _GNU_SOURCE
#include "child.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "calls.h"

/* How long what was released may take to be gone, since releasing never waits: before blocks and descriptors count as
 * leaked, and before mapped storage and threads count as more than before. */
#define LEAK_MILLISECONDS 3000
#define SETTLE_MILLISECONDS 20
#define NORMAL_MILLISECONDS 100 /* before what is held is taken for what is normal */

/* Mapped storage that is kept for later may grow a few times, since it depends on timing; a leak grows each time. */
#define GROWTHS 6

static const struct scenario computation = {"computation", run_computation, "cpu", {{"cpu.threads", "2"}}, 0, false,
                                            false};

static uint32_t runs;

static void run_once(const struct run *run, struct outcome *outcome, uint64_t seed)
{
    struct world world = {
        .scenario = run->scenario, .outcome = outcome, .is_faulty = run->is_faulty, .seed = seed, .run = runs++};
    memset(outcome, 0, sizeof *outcome);
    outcome->context_status = -1;
    char nowhere[256];
    snprintf(nowhere, sizeof nowhere, "%s/nothing", world_sandbox());
    calls_stand_in(HALY_POLICY_FILE, nowhere);
    haly_error_clear();
    run->scenario->run(&world);
    if (outcome->function[0] == '\0')
        world_note_context(&world);
    world_close(&world);
    calls_stand_in(NULL, NULL);
}

static void run_with_failure(const struct run *run, struct outcome *outcome)
{
    inject_arm(run->fault, run->nth, run->persists);
    run_once(run, outcome, run->nth);
    inject_disarm();
}

/* ---- what is held ---- */

/* A site of which more blocks are held than normally; SITE_NONE when there is none. */
static uint32_t leaking_site(void)
{
    for (uint32_t i = 0; i < shared->injection.site_count; i++)
        if (ledger_live(i) > normal.live[i])
            return i;
    return SITE_NONE;
}

static bool leaks(void)
{
    return leaking_site() != SITE_NONE || ledger_holdings().descriptors > normal.holdings.descriptors;
}

static bool holds_more(struct holdings limit)
{
    const struct holdings now = ledger_holdings();
    return now.mapped_bytes > limit.mapped_bytes || now.threads > limit.threads;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void settle(struct holdings limit)
{
    for (unsigned i = 0; i < LEAK_MILLISECONDS && leaks(); i++)
        nap();
    for (unsigned i = 0; i < SETTLE_MILLISECONDS && holds_more(limit); i++)
        nap();
}

static void say_what_leaks(struct outcome *outcome)
{
    const uint32_t i = leaking_site();
    const struct site *site = &shared->injection.sites[i != SITE_NONE ? i : 0];
    if (i != SITE_NONE)
        snprintf(outcome->problem, sizeof outcome->problem, "leak: %lld blocks of %s at %.200s+0x%llx, normally %lld",
                 (long long)ledger_live(i), site->call, site->object, (unsigned long long)site->offset,
                 (long long)normal.live[i]);
    else
        snprintf(outcome->problem, sizeof outcome->problem, "leak: %u descriptors, normally %u",
                 ledger_holdings().descriptors, normal.holdings.descriptors);
}

/* Mapped storage and threads are kept for later, and more of them behind some failures: the same failure over and over
 * must not go on taking more. What the runner reads of the first time stays. */
static void expect_bounded(const struct run *run)
{
    const uint32_t injected = atomic_load(&injection->injected), site = atomic_load(&injection->first_site);
    struct holdings before = ledger_holdings();
    bool grows = true;
    for (unsigned i = 0; i < GROWTHS && grows; i++) {
        struct outcome ignored;
        const struct holdings limit = before;
        run_with_failure(run, &ignored);
        run_once(run, &ignored, 2000);
        settle(limit);
        grows = holds_more(limit);
        before = ledger_holdings();
    }
    atomic_store(&injection->injected, injected);
    atomic_store(&injection->first_site, site);
    if (leaks())
        say_what_leaks(&shared->outcome);
    else if (grows)
        snprintf(shared->outcome.problem, sizeof shared->outcome.problem,
                 "leak: %lld bytes mapped and %u threads after %d times, normally %lld and %u",
                 (long long)before.mapped_bytes, before.threads, GROWTHS + 1, (long long)normal.holdings.mapped_bytes,
                 normal.holdings.threads);
}

/* Not where nothing can run again, where more is kept on purpose, and where the system refuses to take storage back:
 * the next one then lies elsewhere, with tables of its own. */
static bool is_bounded(const struct run *run)
{
    return !run->scenario->is_final && !run->scenario->keeps && run->fault->group != GROUP_UNMAP;
}

static void expect_nothing_leaked(const struct run *run)
{
    settle(normal.holdings);
    if (shared->outcome.problem[0] != '\0')
        return;
    if (leaks())
        say_what_leaks(&shared->outcome);
    else if (holds_more(normal.holdings) && is_bounded(run))
        expect_bounded(run);
}

/* ---- the whole ---- */

static void run_afterwards(const struct run *run)
{
    const struct run unharmed = {.scenario = &computation};
    run_once(run, &shared->again, 1000);
    run_once(&unharmed, &shared->computed, 1000);
}

static void tell_what_is_normal(void)
{
    nanosleep(&(struct timespec){.tv_nsec = NORMAL_MILLISECONDS * 1000000L}, NULL);
    shared->holdings = ledger_holdings();
    for (uint32_t i = 0; i < shared->injection.site_count; i++)
        shared->live[i] = ledger_live(i);
}

void child_run(const struct run *run)
{
    run_with_failure(run, &shared->outcome);
    if (!run->scenario->is_final)
        run_afterwards(run);
    if (run->fault != NULL)
        expect_nothing_leaked(run);
    else
        tell_what_is_normal();
}
