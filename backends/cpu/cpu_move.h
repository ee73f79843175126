/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moving and filling one piece of memory. Past some size, streaming stores or `rep movsb` beat memcpy, because they do
 * not read what they overwrite; which of them, and from where on, differs between processors (and memcpy is right while
 * all fits in a cache). So the first large pieces of each size class are timed, and the quickest way is used from then
 * on.
 */
#ifndef CPU_MOVE_H
#define CPU_MOVE_H

#include <stddef.h>
#include <stdint.h>

/* Pieces of transfers below this are always moved plainly. */
#define CPU_LARGE_BYTES (4U << 20)

/* One piece of a transfer of `total` bytes. */
void cpu_move(void *dst, const void *src, size_t bytes, uint64_t total);

/* Fills with a pattern repeated to 16 bytes; dst begins where the pattern does. */
void cpu_fill(void *dst, const unsigned char pattern[16], size_t bytes, uint64_t total);

#endif
