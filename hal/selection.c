/* SPDX-License-Identifier: Apache-2.0 */
/* What HALYARD_BACKEND says. */
#include "selection.h"

#include <string.h>

static uint32_t index_of(const struct selection *selection, const char *backend)
{
    uint32_t i = 0;
    while (i < selection->count && strcmp(selection->names[i], backend) != 0)
        i++;
    return i;
}

static bool add_name(struct selection *selection, const char *text, size_t length, char *why, size_t why_size)
{
    char found[TEXT_QUOTED_BYTES], name[TEXT_QUOTED_BYTES];
    text_trim(&text, &length);
    text_printable(found, sizeof found, text, length);
    text_lower(name, sizeof name, found);
    if (!text_is_backend_name(name, length)) {
        text_set(why, why_size, "\"%s\" is not a backend name", found);
        return false;
    }
    if (selection->count == SELECTION_NAMES) {
        text_set(why, why_size, "more than %d names", SELECTION_NAMES);
        return false;
    }
    if (index_of(selection, name) < selection->count) {
        text_set(why, why_size, "\"%s\" stands there twice", found);
        return false;
    }
    memcpy(selection->names[selection->count++], name, length + 1);
    return true;
}

bool selection_parse(const char *text, struct selection *out_selection, char *why, size_t why_size)
{
    size_t length = strlen(text);
    text_trim(&text, &length);
    *out_selection = (struct selection){.excludes = length > 0 && *text == '^'};
    if (length == 0)
        return true;
    if (out_selection->excludes) {
        text++;
        length--;
    }
    for (;;) {
        const char *comma = memchr(text, ',', length);
        const size_t name_length = comma != NULL ? (size_t)(comma - text) : length;
        if (!add_name(out_selection, text, name_length, why, why_size))
            return false;
        if (comma == NULL)
            return true;
        text += name_length + 1;
        length -= name_length + 1;
    }
}

bool selection_takes(const struct selection *selection, const char *backend)
{
    const bool listed = index_of(selection, backend) < selection->count;
    return selection->count == 0 || listed != selection->excludes;
}

uint32_t selection_preference(const struct selection *selection, const char *backend)
{
    return selection->excludes ? 0 : index_of(selection, backend);
}

bool selection_names(const struct selection *selection, const char *backend)
{
    return !selection->excludes && index_of(selection, backend) < selection->count;
}
