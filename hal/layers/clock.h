/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vector clocks: for each slot (a stream, or several after each other) the last moment that is known to lie before. A
 * moment is the number of a command in its slot; 0 lies before everything. Zero is an empty clock.
 */
#ifndef HAL_LAYERS_CLOCK_H
#define HAL_LAYERS_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct clock {
    uint64_t *moments;
    uint32_t count;
};

static inline uint64_t clock_at(const struct clock *clock, uint32_t slot)
{
    return slot < clock->count ? clock->moments[slot] : 0;
}

/* Moves a slot up to a moment; true when that is news. Out of memory, the clock stays behind and `has_gaps` is set. */
bool clock_raise(struct clock *clock, uint32_t slot, uint64_t moment, bool *has_gaps);

/* Everything that lies before `other` lies before `clock` too. True when that is news. Memory as above. */
bool clock_join(struct clock *clock, const struct clock *other, bool *has_gaps);

void clock_free(struct clock *clock);

#endif
