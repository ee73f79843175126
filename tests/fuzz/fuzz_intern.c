/* SPDX-License-Identifier: Apache-2.0 */
/* Interned texts that can be forgotten. */
#include "fuzz_intern.h"

#include <stdlib.h>
#include <string.h>

#include "intern.h"

struct text {
    struct text *next;
    char bytes[];
};

static struct text *kept, *forgettable;

static const char *find(const struct text *list, const char *text)
{
    while (list != NULL && strcmp(list->bytes, text) != 0)
        list = list->next;
    return list != NULL ? list->bytes : NULL;
}

static const char *add(struct text **list, const char *text)
{
    const size_t size = strlen(text) + 1;
    struct text *added = malloc(sizeof *added + size);
    if (added == NULL)
        return NULL;
    memcpy(added->bytes, text, size);
    added->next = *list;
    *list = added;
    return added->bytes;
}

const char *intern(const char *text)
{
    const char *known = find(kept, text);
    if (known == NULL)
        known = find(forgettable, text);
    return known != NULL ? known : add(&forgettable, text);
}

void fuzz_intern_keep(const char *text)
{
    (void)add(&kept, text);
}

void fuzz_intern_forget(void)
{
    while (forgettable != NULL) {
        struct text *text = forgettable;
        forgettable = text->next;
        free(text);
    }
}
