/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the `halyard` command share. Each command is one function that gets the words behind its name and
 * returns an exit code; all it knows about Halyard comes through the public interface. */
#ifndef TOOL_H
#define TOOL_H

#include <stdbool.h>
#include <stdio.h>

#include <halyard/halyard.h>

enum {
    TOOL_OK = 0,
    TOOL_FAILED = 1, /* it was done and the answer is bad, or could not be done */
    TOOL_USAGE = 2   /* the command line is wrong */
};

int command_info(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_cts(int argc, char **argv);

/* ---- options.c ---- */

/* One option of a command: a switch. */
struct option {
    const char *name; /* "--json" */
    bool *value;
    const char *help;
};

/* A command as its help shows it. */
struct command_help {
    const char *usage;
    const char *purpose;
    const char *notes; /* or NULL */
    const struct option *options;
    size_t option_count;
};

/* Reads switches. Returns true when the command should go on; else *out_exit is its exit code: help was asked for and
 * printed, or a word was not understood and that was said. */
bool options_read(const struct command_help *help, int argc, char **argv, int *out_exit);

/* The candidate nearest to `word`, or NULL when none is near enough to be meant. */
const char *nearest_word(const char *word, const char *const *candidates, size_t count);

/* ---- table.c ---- */

enum { TABLE_COLUMNS_MAX = 8 };

/* Rows of text, printed in columns as wide as their widest cell. */
struct table {
    size_t columns, rows, capacity;
    char **cells;
    bool out_of_memory;
};

void table_start(struct table *table, size_t columns);
/* Adds a row of table->columns texts, copied. */
void table_row(struct table *table, const char *const *cells);
/* Prints and frees. False when memory ran out. */
bool table_finish(struct table *table, FILE *file);

/* ---- words.c: numbers and enumerators as people write them ---- */

enum { TEXT_MAX = 256 };

/* "1.5 GiB" */
const char *text_bytes(uint64_t bytes, char out[TEXT_MAX]);
/* "f32 f16 bf16" from bits 1 << haly_dtype */
const char *text_dtypes(uint64_t bits, char out[TEXT_MAX]);
const char *text_device_kind(haly_device_kind kind);
const char *text_backend_state(haly_backend_state state);

/* ---- the parts of `halyard info` ---- */

int info_json(haly_instance *instance, FILE *file);
int info_env(haly_instance *instance);
int info_ops(haly_instance *instance);

/* Opens an instance that shows as much as can be shown. Every failure on the way (a wrong variable, a named backend
 * that cannot be used) is handed to `complain`, the variable it names is taken out of this process's environment, and
 * it is tried again. Returns NULL when even that does not help. */
typedef void complain_fn(void *user, const char *variable, const haly_error *error);
haly_instance *instance_open_anyway(complain_fn *complain, void *user);

/* The value of a variable that was taken out so; NULL: it was not. */
const char *refused_value(const char *variable);

/* ---- the parts of `halyard doctor` ---- */

enum verdict { VERDICT_OK, VERDICT_NOTE, VERDICT_WARN, VERDICT_FAIL };

/* One line of the report, and in a second one how to mend it (NULL: nothing to mend). */
void report(enum verdict verdict, const char *subject, const char *mend, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

void doctor_machine(void);
void doctor_environment(haly_instance *instance);
void doctor_policy(void);
void doctor_backends(haly_instance *instance);
void doctor_devices(haly_instance *instance);

#endif
