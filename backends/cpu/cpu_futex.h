/* SPDX-License-Identifier: Apache-2.0 */
/* Sleeping on a 32-bit word until somebody changes it and says so. */
#ifndef CPU_FUTEX_H
#define CPU_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>

/* Sleeps while *word is `value`, until cpu_futex_wake() or `moment` (cpu_clock.h). May return early for no reason. */
void cpu_futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t moment);

/* Wakes up to `count` sleepers. The word was changed before. */
void cpu_futex_wake(_Atomic uint32_t *word, int count);

#endif
