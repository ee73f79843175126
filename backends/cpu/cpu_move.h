/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ways to copy and to fill memory. All give the same bytes; which is the quickest depends on the processor and on how
 * much is moved in all: what fits in a cache is best stored plainly or by `rep stos`, what does not is better written
 * around the caches (streaming stores) or by `rep movs`, which do not read what they overwrite.
 */
#ifndef CPU_MOVE_H
#define CPU_MOVE_H

#include <stddef.h>
#include <stdint.h>

typedef void (*cpu_copy_way)(void *dst, const void *src, size_t bytes);

/* Fills with a pattern repeated to 16 bytes; dst begins where the pattern does. */
typedef void (*cpu_fill_way)(void *dst, const unsigned char pattern[16], size_t bytes);

#define CPU_WAYS_MOST 3U

/* What this machine has; the first way of each kind is the plain one. */
struct cpu_ways {
    const char *names[CPU_WAYS_MOST];
    cpu_copy_way copy[CPU_WAYS_MOST];
    cpu_fill_way fill[CPU_WAYS_MOST];
    uint32_t count;
};

const struct cpu_ways *cpu_ways(void);

#endif
