/* SPDX-License-Identifier: Apache-2.0 */
/* Binary search in the generated table of ranges. */
#include "unicode_class.h"

#include <stddef.h>

struct class_range {
    uint32_t first;
    uint32_t last;
    enum unicode_class kind;
};

#define RANGE(first, last, kind) {first, last, UNICODE_##kind},
static const struct class_range ranges[] = {
#include "unicode_classes.inc"
};

enum unicode_class unicode_class_of(uint32_t code_point)
{
    size_t low = 0;
    size_t high = sizeof ranges / sizeof ranges[0];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (code_point > ranges[middle].last)
            low = middle + 1;
        else if (code_point < ranges[middle].first)
            high = middle;
        else
            return ranges[middle].kind;
    }
    return UNICODE_OTHER;
}
