/* SPDX-License-Identifier: Apache-2.0 */
/* A destructor that runs after every other, those of libhalyard and of what it loaded included: see CMakeLists.txt. */
#include "early_library.h"

#include <stddef.h>

static void (*at_end[2])(void);

void early_library_at_end(void (*first)(void), void (*second)(void))
{
    at_end[0] = first;
    at_end[1] = second;
}

__attribute__((destructor)) static void run_last(void)
{
    for (int i = 0; i < 2; i++)
        if (at_end[i] != NULL)
            at_end[i]();
}
