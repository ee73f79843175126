/* SPDX-License-Identifier: Apache-2.0 */
/* A list that only grows at its head. Two threads that race may keep a text twice, which harms nobody. */
#include "intern.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct interned {
    struct interned *next;
    char text[];
};

static struct interned *_Atomic head;

const char *intern(const char *text)
{
    for (const struct interned *at = atomic_load(&head); at != NULL; at = at->next)
        if (strcmp(at->text, text) == 0)
            return at->text;
    const size_t bytes = strlen(text) + 1;
    struct interned *added = malloc(sizeof *added + bytes);
    if (added == NULL)
        return NULL;
    memcpy(added->text, text, bytes);
    added->next = atomic_load(&head);
    while (!atomic_compare_exchange_weak(&head, &added->next, added))
        ;
    return added->text;
}
