/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of expected failures. One a line: backend, glob of group.name, context ("*" for any), and the reason. It is
 * for defects that are known and will be mended; what a device cannot do is declared by the device instead.
 */
#define _GNU_SOURCE
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cts_runner.h"

static bool add_row(struct cts_expectations *list, const struct cts_expectation *row)
{
    struct cts_expectation *rows = realloc(list->rows, (list->count + 1) * sizeof *rows);
    if (rows == NULL)
        return false;
    list->rows = rows;
    list->rows[list->count++] = *row;
    return true;
}

bool cts_expected_load(const char *path, struct cts_expectations *out_list)
{
    memset(out_list, 0, sizeof *out_list);
    if (path == NULL)
        return true;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        (void)fprintf(stderr, "halyard-cts: cannot read the list of expected failures %s\n", path);
        return false;
    }
    char line[1024];
    bool is_good = true;
    for (int number = 1; is_good && fgets(line, sizeof line, file) != NULL; number++) {
        struct cts_expectation row;
        memset(&row, 0, sizeof row);
        const size_t start = strspn(line, " \t\r\n");
        if (line[start] == '\0' || line[start] == '#')
            continue;
        if (sscanf(line, "%63s %191s %15s %511[^\n]", row.backend, row.pattern, row.variant, row.reason) != 4) {
            (void)fprintf(stderr, "halyard-cts: %s:%d: expected \"backend group.name context reason\"\n", path, number);
            is_good = false;
        } else {
            is_good = add_row(out_list, &row);
        }
    }
    (void)fclose(file);
    return is_good;
}

const char *cts_expected_reason(const struct cts_expectations *list, const char *backend, const struct cts_case *info,
                                enum cts_variant variant)
{
    char name[256];
    (void)snprintf(name, sizeof name, "%s.%s", info->group, info->name);
    for (uint32_t i = 0; i < list->count; i++) {
        const struct cts_expectation *row = &list->rows[i];
        if (fnmatch(row->backend, backend, 0) == 0 && fnmatch(row->pattern, name, 0) == 0 &&
            fnmatch(row->variant, cts_variant_name(variant), 0) == 0)
            return row->reason;
    }
    return NULL;
}
