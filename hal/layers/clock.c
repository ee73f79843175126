/* SPDX-License-Identifier: Apache-2.0 */
/* Vector clocks. */
#include "layers/clock.h"

#include <stdlib.h>

static bool reserve(struct clock *clock, uint32_t count)
{
    if (count <= clock->count)
        return true;
    uint64_t *grown = realloc(clock->moments, count * sizeof *grown);
    if (grown == NULL)
        return false;
    for (uint32_t i = clock->count; i < count; i++)
        grown[i] = 0;
    clock->moments = grown;
    clock->count = count;
    return true;
}

bool clock_raise(struct clock *clock, uint32_t slot, uint64_t moment, bool *has_gaps)
{
    if (moment <= clock_at(clock, slot))
        return false;
    if (!reserve(clock, slot + 1)) {
        *has_gaps = true;
        return false;
    }
    clock->moments[slot] = moment;
    return true;
}

bool clock_join(struct clock *clock, const struct clock *other, bool *has_gaps)
{
    bool is_news = false;
    for (uint32_t slot = 0; slot < other->count; slot++)
        is_news = clock_raise(clock, slot, other->moments[slot], has_gaps) || is_news;
    return is_news;
}

void clock_free(struct clock *clock)
{
    free(clock->moments);
    *clock = (struct clock){0};
}
