/* SPDX-License-Identifier: Apache-2.0 */
/* What the libraries under test hold: heap blocks by the place that allocated them, bytes mapped, descriptors and
 * threads of the process. A leak shows without a leak checker, and by name. */
#ifndef TESTS_SWEEP_LEDGER_H
#define TESTS_SWEEP_LEDGER_H

#include <stddef.h>
#include <stdint.h>

/* Once, before threads start. */
void ledger_start(void);

/* A block was allocated at a site; returns it. NULL is fine. */
void *ledger_add(void *block, uint32_t site);
/* A block is about to be freed. Others' blocks are nobody's business. */
void ledger_remove(void *block);

void ledger_mapped(int64_t bytes);

/* Blocks of a site that nobody freed, in this process. */
int64_t ledger_live(uint32_t site);

struct holdings {
    int64_t mapped_bytes;
    uint32_t descriptors, threads;
};

struct holdings ledger_holdings(void);

#endif
