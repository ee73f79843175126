/* SPDX-License-Identifier: Apache-2.0 */
/* Running a program to its end. */
#ifndef CPU_SPAWN_H
#define CPU_SPAWN_H

#include "cpu_core.h"

/*
 * Runs `path` with the words of `arguments` (NULL ends them), `input` as its standard input, `output` for what it says,
 * no other descriptor, all signals at their defaults. *out_exit is its exit status; -1 when another part of the process
 * took it, or a signal ended the program.
 */
haly_status cpu_spawn(const char *path, char *const *arguments, int input, int output, int *out_exit);

#endif
