/* SPDX-License-Identifier: Apache-2.0 */
/* Optimal string alignment distance over three rows; names here are short, so nothing cleverer is needed. */
#include "nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static bool same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

uint32_t nearest_distance(const char *a, const char *b)
{
    const size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > NEAREST_MAX || b_length > NEAREST_MAX)
        return UINT32_MAX;
    uint32_t rows[3][NEAREST_MAX + 1];
    for (uint32_t j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (uint32_t i = 1; i <= a_length; i++) {
        uint32_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (uint32_t j = 1; j <= b_length; j++) {
            const uint32_t replaced = above[j - 1] + !same(a[i - 1], b[j - 1]);
            row[j] = least(replaced, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
                row[j] = least(row[j], above2[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

void nearest_start(struct nearest *nearest, const char *wanted)
{
    /* One slip per three bytes, at least one: "cdua" finds "cuda", "foo" does not find "cpu". */
    const size_t length = strlen(wanted);
    const uint32_t allowed = length < 6 ? 1 : (uint32_t)(length < NEAREST_MAX ? length : NEAREST_MAX) / 3;
    *nearest = (struct nearest){.wanted = wanted, .best = NULL, .distance = allowed + 1};
}

void nearest_offer(struct nearest *nearest, const char *candidate)
{
    const uint32_t distance = nearest_distance(nearest->wanted, candidate);
    if (distance < nearest->distance) {
        nearest->distance = distance;
        nearest->best = candidate;
    }
}
