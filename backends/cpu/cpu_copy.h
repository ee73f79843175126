/* SPDX-License-Identifier: Apache-2.0 */
/* Copies and fills. Large ones are cut into fixed pieces that several threads do; each piece is moved the way that has
 * shown itself quickest for its size on this machine. */
#ifndef CPU_COPY_H
#define CPU_COPY_H

#include <halyard/command.h>

#include "cpu_pool.h"

/* Nanoseconds of a copy or fill of so many bytes, roughly. */
uint64_t cpu_copy_cost(uint64_t bytes);

/* Each returns as cpu_record_run(). */
uint64_t cpu_copy_run(const struct cpu_work *work, const haly_command_copy *record, uint64_t from);
uint64_t cpu_copy_2d_run(const struct cpu_work *work, const haly_command_copy_2d *record, uint64_t from);
uint64_t cpu_fill_run(const struct cpu_work *work, const haly_command_fill *record, uint64_t from);

#endif
