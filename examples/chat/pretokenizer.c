/* SPDX-License-Identifier: Apache-2.0 */
/* The "smollm" word rules; pretokenizer.h has the expression that this spells out, alternative by alternative. */
#include "pretokenizer.h"

#include "unicode_class.h"
#include "utf8.h"

#include <string.h>

/* What stands at text[at]; length 0 at the end. A number ends a segment, so the rules see the end there, too. */
struct step {
    size_t length;
    uint32_t code_point;
    enum unicode_class kind;
};

static struct step step_at(const char *text, size_t size, size_t at)
{
    struct step step = {0, 0, UNICODE_OTHER};
    int length = utf8_read(text + at, size - at, &step.code_point);
    if (length > 0) {
        step.length = (size_t)length;
        step.kind = unicode_class_of(step.code_point);
    }
    return step;
}

static size_t contraction(const char *text, size_t size)
{
    static const char *const endings[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t length = strlen(endings[i]);
        if (size >= length && memcmp(text, endings[i], length) == 0)
            return length;
    }
    return 0;
}

static size_t run_of(const char *text, size_t size, size_t at, enum unicode_class kind)
{
    for (;;) {
        struct step step = step_at(text, size, at);
        if (step.length == 0 || step.kind != kind)
            return at;
        at += step.length;
    }
}

/* A run of white space leaves its last character to the word behind it, unless it is all there is. */
static size_t space_run(const char *text, size_t size)
{
    size_t at = 0;
    size_t last = 0;
    struct step step = step_at(text, size, 0);
    for (; step.length != 0 && step.kind == UNICODE_SPACE; step = step_at(text, size, at)) {
        last = at;
        at += step.length;
    }
    bool at_segment_end = step.length == 0 || step.kind == UNICODE_NUMBER;
    return at_segment_end || last == 0 ? at : last;
}

size_t pretokenizer_word(const char *text, size_t size)
{
    struct step first = step_at(text, size, 0);
    if (first.kind == UNICODE_NUMBER)
        return first.length;
    if (first.code_point == '\'') {
        size_t length = contraction(text, size);
        if (length != 0)
            return length;
    }
    size_t start = first.code_point == ' ' ? 1 : 0;
    struct step body = start != 0 ? step_at(text, size, start) : first;
    if (body.length != 0 && (body.kind == UNICODE_LETTER || body.kind == UNICODE_OTHER))
        return run_of(text, size, start, body.kind);
    return space_run(text, size);
}
