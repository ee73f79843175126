/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines: switches, help, and the nearest known word for one that is not known. */
#include <string.h>

#include "tool.h"

enum { WORD_MAX = 64 };

static size_t smallest(size_t a, size_t b, size_t c)
{
    const size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein distance; long words count as far from everything. */
static size_t edit_distance(const char *a, const char *b)
{
    const size_t a_length = strlen(a), b_length = strlen(b);
    size_t row[WORD_MAX + 1];
    if (a_length > WORD_MAX || b_length > WORD_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            const size_t above = row[j];
            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
            diagonal = above;
        }
    }
    return row[b_length];
}

const char *nearest_word(const char *word, const char *const *candidates, size_t count)
{
    /* A third of the letters may differ, and two always may: enough for slips, too little for other words. */
    size_t best = strlen(word) / 3 > 2 ? strlen(word) / 3 : 2;
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        const size_t distance = edit_distance(word, candidates[i]);
        if (distance <= best && distance < strlen(candidates[i])) {
            best = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}

static void print_help(const struct command_help *help)
{
    printf("usage: %s\n\n%s\n\noptions:\n", help->usage, help->purpose);
    for (size_t i = 0; i < help->option_count; i++)
        printf("  %-10s %s\n", help->options[i].name, help->options[i].help);
    printf("  %-10s %s\n", "--help", "this text");
    if (help->notes != NULL)
        printf("\n%s\n", help->notes);
}

static void complain_of_word(const struct command_help *help, const char *word)
{
    const char *names[WORD_MAX] = {"--help"};
    size_t count = 1;
    for (size_t i = 0; i < help->option_count && count < WORD_MAX; i++)
        names[count++] = help->options[i].name;
    const char *nearest = nearest_word(word, names, count);
    fprintf(stderr, "halyard: unknown %s \"%s\"", word[0] == '-' ? "option" : "argument", word);
    if (nearest != NULL)
        fprintf(stderr, "; did you mean %s?", nearest);
    fprintf(stderr, "\nusage: %s\n", help->usage);
}

bool options_read(const struct command_help *help, int argc, char **argv, int *out_exit)
{
    for (int i = 0; i < argc; i++) {
        size_t at = 0;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(help);
            *out_exit = TOOL_OK;
            return false;
        }
        while (at < help->option_count && strcmp(argv[i], help->options[at].name) != 0)
            at++;
        if (at == help->option_count) {
            complain_of_word(help, argv[i]);
            *out_exit = TOOL_USAGE;
            return false;
        }
        *help->options[at].value = true;
    }
    return true;
}
