/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table of live blocks. Its lock is taken around fork(), so that a child can go on with its copy. */
#define _GNU_SOURCE
#include "ledger.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "inject.h"

#define SLOTS (1U << 17)

struct slot {
    void *block; /* NULL: free */
    uint32_t site;
};

static struct slot slots[SLOTS];
static uint32_t used;
static int64_t live[SITES_MOST]; /* by site */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int64_t mapped;

static void lock(void)
{
    pthread_mutex_lock(&mutex);
}

static void unlock(void)
{
    pthread_mutex_unlock(&mutex);
}

void ledger_start(void)
{
    pthread_atfork(lock, unlock, unlock);
}

static uint32_t home_of(const void *block)
{
    return (uint32_t)(((uint64_t)(uintptr_t)block * UINT64_C(0x9e3779b97f4a7c15)) >> 47) % SLOTS;
}

static uint32_t find(const void *block)
{
    uint32_t i = home_of(block);
    while (slots[i].block != NULL && slots[i].block != block)
        i = (i + 1) % SLOTS;
    return i;
}

/* Closes the gap that a removed entry would leave in its run. */
static void close_gap(uint32_t gap)
{
    for (uint32_t i = (gap + 1) % SLOTS; slots[i].block != NULL; i = (i + 1) % SLOTS) {
        const uint32_t distance = (i - home_of(slots[i].block)) % SLOTS;
        if (distance >= (i - gap) % SLOTS) {
            slots[gap] = slots[i];
            gap = i;
        }
    }
    slots[gap].block = NULL;
}

void *ledger_add(void *block, uint32_t site)
{
    if (block == NULL || site == SITE_NONE)
        return block;
    lock();
    if (used == SLOTS / 2) {
        fprintf(stderr, "halyard-sweep: more than %u live blocks\n", SLOTS / 2);
        abort();
    }
    const uint32_t i = find(block);
    const bool is_stale = slots[i].block != NULL; /* freed behind our back, by libc */
    if (is_stale)
        live[slots[i].site]--;
    slots[i] = (struct slot){block, site};
    used += is_stale ? 0 : 1;
    live[site]++;
    unlock();
    return block;
}

void ledger_remove(void *block)
{
    if (block == NULL)
        return;
    lock();
    const uint32_t i = find(block);
    if (slots[i].block != NULL) {
        live[slots[i].site]--;
        used--;
        close_gap(i);
    }
    unlock();
}

int64_t ledger_live(uint32_t site)
{
    lock();
    const int64_t blocks = live[site];
    unlock();
    return blocks;
}

void ledger_mapped(int64_t bytes)
{
    atomic_fetch_add(&mapped, bytes);
}

static uint32_t entries_of(const char *folder)
{
    uint32_t count = 0;
    DIR *entries = opendir(folder);
    while (entries != NULL && readdir(entries) != NULL)
        count++;
    if (entries != NULL)
        closedir(entries);
    return count;
}

struct holdings ledger_holdings(void)
{
    return (struct holdings){atomic_load(&mapped), entries_of("/proc/self/fd"), entries_of("/proc/self/task")};
}
