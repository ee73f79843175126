/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": the closest of some names, by edit distance, if any is close enough to be worth saying. */
#ifndef HAL_NEAREST_H
#define HAL_NEAREST_H

#include <stdint.h>

struct nearest {
    const char *wanted;
    const char *best; /* NULL: nothing is close. Of equals, the first offered. */
    uint32_t distance;
};

void nearest_start(struct nearest *nearest, const char *wanted);
void nearest_offer(struct nearest *nearest, const char *candidate);

/* Inserted, dropped, replaced and swapped neighbouring bytes each count one; ASCII case does not count. Texts longer
 * than NEAREST_MAX bytes are far from everything (UINT32_MAX). */
#define NEAREST_MAX 63
uint32_t nearest_distance(const char *a, const char *b);

#endif
