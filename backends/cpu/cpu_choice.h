/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choosing among ways that do the same, by what they took. Large transfers are tried in every way a few times, one way
 * after the other, because what a way takes depends on what the one before left in the caches; then the quickest is
 * used. All of them are tried again soon, since the first transfers of a program often go to fresh memory and measure
 * the system's page faults, and then ever more rarely, since machines get busy and quiet. Transfers are told apart by
 * their size. Figures are shared by all threads and not guarded: a lost one costs time, never a wrong byte.
 */
#ifndef CPU_CHOICE_H
#define CPU_CHOICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cpu_move.h"

/* Transfers below this are done plainly. */
#define CPU_LARGE_BYTES (4U << 20)

#define CPU_CHOICE_CLASSES 8U /* 4 MiB, 8 MiB, … 512 MiB and more */

struct cpu_figures {
    _Atomic uint32_t turn;                       /* transfers so far */
    _Atomic uint64_t picoseconds[CPU_WAYS_MOST]; /* of a byte, at best in the latest trials; 0: not known yet */
};

struct cpu_choice {
    struct cpu_figures classes[CPU_CHOICE_CLASSES];
};

struct cpu_chosen {
    uint32_t way;
    bool is_trial;               /* cpu_choice_note() is to be told what it took */
    bool is_first;               /* of a row of trials */
    struct cpu_figures *figures; /* NULL for a small transfer */
};

/* How a transfer of so many bytes is to be done, with `ways` to choose from. */
struct cpu_chosen cpu_choose(struct cpu_choice *choice, uint32_t ways, uint64_t bytes);

void cpu_choice_note(const struct cpu_chosen *chosen, uint64_t bytes, uint64_t nanoseconds);

#endif
