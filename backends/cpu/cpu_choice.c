/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of trials, and what they showed. */
#include "cpu_choice.h"

#define TRIALS 3U     /* in a row; the first of them finds the caches as another way left them and does not count */
#define FIRST_GAP 16U /* transfers from the first round of trials to the second; each gap is twice the one before … */
#define LAST_GAP 1024U /* … up to this */

static struct cpu_figures *figures_of(struct cpu_choice *choice, uint64_t bytes)
{
    const uint32_t log = 63U - (uint32_t)__builtin_clzll(bytes / CPU_LARGE_BYTES);
    return &choice->classes[log < CPU_CHOICE_CLASSES ? log : CPU_CHOICE_CLASSES - 1];
}

static uint64_t figure(struct cpu_figures *figures, uint32_t way)
{
    return atomic_load_explicit(&figures->picoseconds[way], memory_order_relaxed);
}

static uint32_t quickest(struct cpu_figures *figures, uint32_t ways)
{
    uint32_t best = 0;
    for (uint32_t way = 1; way < ways; way++)
        if (figure(figures, way) != 0 && (figure(figures, best) == 0 || figure(figures, way) < figure(figures, best)))
            best = way;
    return best;
}

/* Where in a round of so many trials this turn stands; from `round` on: between two of them. */
static uint32_t place_in_round(uint32_t turn, uint32_t round)
{
    uint32_t gap = FIRST_GAP;
    for (; gap < LAST_GAP && turn >= round + gap; gap *= 2)
        turn -= round + gap;
    return turn % (round + gap);
}

struct cpu_chosen cpu_choose(struct cpu_choice *choice, uint32_t ways, uint64_t bytes)
{
    struct cpu_chosen chosen = {0};
    if (ways == 1 || bytes < CPU_LARGE_BYTES)
        return chosen;
    chosen.figures = figures_of(choice, bytes);
    const uint32_t turn = atomic_fetch_add_explicit(&chosen.figures->turn, 1, memory_order_relaxed);
    const uint32_t place = place_in_round(turn, ways * TRIALS);
    chosen.is_trial = place < ways * TRIALS;
    chosen.is_first = chosen.is_trial && place % TRIALS == 0;
    chosen.way = chosen.is_trial ? place / TRIALS : quickest(chosen.figures, ways);
    return chosen;
}

void cpu_choice_note(const struct cpu_chosen *chosen, uint64_t bytes, uint64_t nanoseconds)
{
    _Atomic uint64_t *best = &chosen->figures->picoseconds[chosen->way];
    const uint64_t before = atomic_load_explicit(best, memory_order_relaxed), now = nanoseconds * 1000 / bytes + 1;
    if (chosen->is_first)
        atomic_store_explicit(best, 0, memory_order_relaxed);
    else if (before == 0 || now < before)
        atomic_store_explicit(best, now, memory_order_relaxed);
}
