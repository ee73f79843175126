/* SPDX-License-Identifier: Apache-2.0 */
/* All cases, in the order of group and line, and the requirements they cite. */
#define _GNU_SOURCE
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cts_runner.h"

/* The linker gathers one pointer per case between these. */
extern const struct cts_case *const __start_cts_cases[];
extern const struct cts_case *const __stop_cts_cases[];

uint32_t cts_case_count(void)
{
    return (uint32_t)(__stop_cts_cases - __start_cts_cases);
}

static int compare_cases(const void *a, const void *b)
{
    const struct cts_case *x = *(const struct cts_case *const *)a, *y = *(const struct cts_case *const *)b;
    const int by_group = strcmp(x->group, y->group);
    const int by_file = by_group != 0 ? by_group : strcmp(x->file, y->file);
    return by_file != 0 ? by_file : x->line - y->line;
}

const struct cts_case *cts_case_at(uint32_t index)
{
    static const struct cts_case **sorted;
    if (sorted == NULL) {
        sorted = calloc(cts_case_count(), sizeof *sorted);
        if (sorted == NULL)
            return __start_cts_cases[index];
        memcpy(sorted, __start_cts_cases, cts_case_count() * sizeof *sorted);
        qsort(sorted, cts_case_count(), sizeof *sorted, compare_cases);
    }
    return sorted[index];
}

static void full_name(const struct cts_case *info, char *out, size_t size)
{
    (void)snprintf(out, size, "%s.%s", info->group, info->name);
}

const struct cts_case *cts_case_find(const char *name)
{
    char candidate[256];
    for (uint32_t i = 0; i < cts_case_count(); i++) {
        full_name(cts_case_at(i), candidate, sizeof candidate);
        if (strcmp(candidate, name) == 0)
            return cts_case_at(i);
    }
    return NULL;
}

bool cts_case_selected(const struct cts_options *options, const struct cts_case *info)
{
    char name[256];
    full_name(info, name, sizeof name);
    for (uint32_t i = 0; i < options->filter_count; i++)
        if (fnmatch(options->filters[i], name, 0) == 0)
            return true;
    return options->filter_count == 0;
}

const char *cts_verdict_name(enum cts_verdict verdict)
{
    static const char *const names[CTS_VERDICTS] = {"pass", "fail", "unsupported", "expected failure", "not run"};
    return names[verdict];
}

const char *cts_variant_name(enum cts_variant variant)
{
    static const char *const names[CTS_VARIANTS] = {"ordinary", "movable", "strict", "any"};
    return names[variant];
}

void cts_print_list(const struct cts_options *options)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < cts_case_count(); i++) {
        const struct cts_case *info = cts_case_at(i);
        if (!cts_case_selected(options, info))
            continue;
        (void)printf("%s.%s  [%s]\n", info->group, info->name, info->requirements);
        count++;
    }
    (void)printf("%u cases\n", count);
}

/* Whether a case cites an id: as a whole word, because ids may be prefixes of others. */
static bool cites(const struct cts_case *info, const char *id)
{
    const size_t length = strlen(id);
    for (const char *at = strstr(info->requirements, id); at != NULL; at = strstr(at + 1, id))
        if ((at[length] == '\0' || at[length] == ' ') && (at == info->requirements || at[-1] == ' '))
            return true;
    return false;
}

static bool is_known(const char *id, size_t length)
{
    for (uint32_t i = 0; i < cts_requirement_count; i++)
        if (strlen(cts_requirements[i].id) == length && strncmp(cts_requirements[i].id, id, length) == 0)
            return true;
    return false;
}

static uint32_t print_unknown(const struct cts_case *info)
{
    uint32_t problems = 0;
    if (info->requirements[0] == '\0') {
        (void)printf("%s.%s cites no requirement\n", info->group, info->name);
        problems++;
    }
    for (const char *at = info->requirements; *at != '\0';) {
        const size_t length = strcspn(at, " ");
        if (!is_known(at, length)) {
            (void)printf("%s.%s cites %.*s, which no header defines\n", info->group, info->name, (int)length, at);
            problems++;
        }
        at += length;
        at += strspn(at, " ");
    }
    return problems;
}

static uint32_t print_one_requirement(const struct cts_requirement *requirement, bool problems_only)
{
    uint32_t cases = 0;
    if (!problems_only)
        (void)printf("%s  (%s:%d)\n", requirement->id, requirement->header, requirement->line);
    for (uint32_t i = 0; i < cts_case_count(); i++) {
        const struct cts_case *info = cts_case_at(i);
        if (!cites(info, requirement->id))
            continue;
        cases++;
        if (!problems_only)
            (void)printf("    %s.%s\n", info->group, info->name);
    }
    if (cases == 0)
        (void)printf("%s (%s:%d) has no case\n", requirement->id, requirement->header, requirement->line);
    return cases == 0;
}

uint32_t cts_print_requirements(bool problems_only)
{
    uint32_t problems = 0;
    for (uint32_t i = 0; i < cts_requirement_count; i++)
        problems += print_one_requirement(&cts_requirements[i], problems_only);
    for (uint32_t i = 0; i < cts_case_count(); i++)
        problems += print_unknown(cts_case_at(i));
    (void)printf("%u requirements, %u cases, %u problems\n", cts_requirement_count, cts_case_count(), problems);
    return problems;
}
