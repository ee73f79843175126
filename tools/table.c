/* SPDX-License-Identifier: Apache-2.0 */
/* Tables on a terminal: two spaces between columns, the last one as long as it likes. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "tool.h"

void table_start(struct table *table, size_t columns)
{
    *table = (struct table){.columns = columns < TABLE_COLUMNS_MAX ? columns : TABLE_COLUMNS_MAX};
}

static bool grow(struct table *table)
{
    const size_t capacity = table->capacity == 0 ? 16 : table->capacity * 2;
    char **cells = reallocarray(table->cells, capacity * table->columns, sizeof *cells);
    if (cells == NULL)
        return false;
    table->cells = cells;
    table->capacity = capacity;
    return true;
}

void table_row(struct table *table, const char *const *cells)
{
    if (table->out_of_memory || (table->rows == table->capacity && !grow(table))) {
        table->out_of_memory = true;
        return;
    }
    char **row = table->cells + table->rows * table->columns;
    for (size_t i = 0; i < table->columns; i++) {
        row[i] = strdup(cells[i]);
        table->out_of_memory = table->out_of_memory || row[i] == NULL;
    }
    table->rows++;
}

static size_t column_width(const struct table *table, size_t column)
{
    size_t width = 0;
    for (size_t row = 0; row < table->rows; row++) {
        const size_t length = strlen(table->cells[row * table->columns + column]);
        width = length > width ? length : width;
    }
    return width;
}

static void print(const struct table *table, FILE *file)
{
    size_t widths[TABLE_COLUMNS_MAX] = {0};
    for (size_t i = 0; i < table->columns; i++)
        widths[i] = column_width(table, i);
    for (size_t row = 0; row < table->rows; row++) {
        char **cells = table->cells + row * table->columns;
        size_t last = table->columns - 1;
        while (last > 0 && cells[last][0] == '\0') /* no blanks at the end of a line */
            last--;
        for (size_t i = 0; i < last; i++)
            fprintf(file, "%-*s  ", (int)widths[i], cells[i]);
        fprintf(file, "%s\n", cells[last]);
    }
}

bool table_finish(struct table *table, FILE *file)
{
    const bool complete = !table->out_of_memory;
    if (complete)
        print(table, file);
    else
        fprintf(stderr, "halyard: out of memory\n");
    for (size_t i = 0; i < table->rows * table->columns; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct table){.columns = table->columns};
    return complete;
}
