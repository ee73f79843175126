/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A slot goes free -> filling -> open -> filling -> free. A helper first counts itself in, then looks whether the slot
 * is open, and counts itself out at the end; the owner closes the slot and waits until nobody is counted. So the fields
 * of a slot change only while no helper reads them, and when the owner returns no helper is inside its tiles any more.
 */
#include "cpu_job.h"

#include <sched.h>
#include <stdatomic.h>

#include "planted.h"

enum { SLOT_FREE, SLOT_FILLING, SLOT_OPEN };

#define SLOTS 32U
#define LINE 128 /* two cache lines: processors fetch them in pairs */

struct slot {
    _Alignas(LINE) _Atomic uint64_t next; /* tile to be done next */
    _Alignas(LINE) _Atomic uint32_t state;
    _Atomic uint32_t joined;
    uint32_t helpers; /* that may join */
    _Atomic uint64_t count;
    void (*run)(void *argument, uint64_t tile);
    void *argument;
};

static struct slot slots[SLOTS];
static _Alignas(LINE) _Atomic uint32_t open_slots; /* one bit each */

bool cpu_jobs_are_open(void)
{
    return atomic_load_explicit(&open_slots, memory_order_relaxed) != 0;
}

void cpu_jobs_reset(void)
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        atomic_store(&slots[i].joined, 0);
        atomic_store(&slots[i].state, SLOT_FREE);
    }
    atomic_store(&open_slots, 0);
}

static uint64_t do_tiles(struct slot *slot, uint64_t most, uint64_t moment)
{
    const uint64_t count = atomic_load_explicit(&slot->count, memory_order_relaxed);
    uint64_t done = 0;
    while (done < most) {
        const uint64_t tile = atomic_fetch_add_explicit(&slot->next, 1, memory_order_relaxed);
        if (tile >= count)
            break;
        slot->run(slot->argument, tile);
        PLANTED(tile_is_done_twice, slot->run(slot->argument, tile));
        done++;
        if (moment != CPU_NEVER && cpu_now() >= moment)
            break;
    }
    return done;
}

static bool help_slot(struct slot *slot, uint64_t most)
{
    bool is_done = false;
    if (atomic_load_explicit(&slot->next, memory_order_relaxed) >=
        atomic_load_explicit(&slot->count, memory_order_relaxed))
        return false; /* a glance that does not take the line from those who work */
    const uint32_t before = atomic_fetch_add(&slot->joined, 1);
    if (atomic_load(&slot->state) == SLOT_OPEN && before < slot->helpers)
        is_done = do_tiles(slot, most, CPU_NEVER) > 0;
    atomic_fetch_sub(&slot->joined, 1);
    return is_done;
}

bool cpu_jobs_help(uint64_t most)
{
    uint32_t bits = atomic_load_explicit(&open_slots, memory_order_acquire);
    for (; bits != 0; bits &= bits - 1)
        if (help_slot(&slots[__builtin_ctz(bits)], most))
            return true;
    return false;
}

uint64_t cpu_job_run_alone(const struct cpu_work *work, struct cpu_tiles *tiles)
{
    uint64_t tile = tiles->from;
    while (tile < tiles->count) {
        tiles->run(tiles->argument, tile++);
        if (work->moment != CPU_NEVER && tile < tiles->count && cpu_now() >= work->moment)
            break;
    }
    tiles->own = tile - tiles->from;
    return tile;
}

static struct slot *take_slot(void)
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        uint32_t expected = SLOT_FREE;
        if (atomic_load_explicit(&slots[i].state, memory_order_relaxed) == SLOT_FREE &&
            atomic_compare_exchange_strong(&slots[i].state, &expected, SLOT_FILLING))
            return &slots[i];
    }
    return NULL;
}

/* Nobody joins after this; returns when those inside have left. */
static void close_slot(struct slot *slot, uint32_t bit)
{
    atomic_store(&slot->state, SLOT_FILLING);
    atomic_fetch_and(&open_slots, ~bit);
    for (uint32_t spins = 0; atomic_load(&slot->joined) != 0; spins++) {
        if (spins > 2000)
            sched_yield(); /* a helper in its tile may wait for this very core */
        else
            cpu_relax();
    }
}

uint64_t cpu_job_run(const struct cpu_work *work, struct cpu_tiles *tiles,
                     void (*wake)(const struct cpu_work *work, const struct cpu_tiles *tiles))
{
    struct slot *slot = take_slot();
    if (slot == NULL)
        return cpu_job_run_alone(work, tiles);
    const uint32_t bit = 1U << (slot - slots);
    slot->helpers = work->threads - 1;
    atomic_store_explicit(&slot->count, tiles->count, memory_order_relaxed);
    slot->run = tiles->run;
    slot->argument = tiles->argument;
    atomic_store_explicit(&slot->next, tiles->from, memory_order_relaxed);
    atomic_store(&slot->state, SLOT_OPEN);
    atomic_fetch_or(&open_slots, bit);
    wake(work, tiles);
    tiles->own = do_tiles(slot, UINT64_MAX, work->moment);
    /* Taking the counter to the end keeps helpers from beginning more; what it stood at is the first tile not begun. */
    const uint64_t next = atomic_exchange(&slot->next, tiles->count);
    close_slot(slot, bit);
    atomic_store(&slot->state, SLOT_FREE);
    return next < tiles->count ? next : tiles->count;
}
