/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of a trace: a JSON array of events. Each write ends with the bracket that closes the array, and the next one
 * begins on top of it, so that the file is whole JSON at any moment, however the process ends. Its user locks.
 */
#ifndef HAL_LAYERS_TRACE_FILE_H
#define HAL_LAYERS_TRACE_FILE_H

#include "error.h"
#include "layers/trace_text.h"

#define TRACE_FILE_GRAMMAR "a path; %p is the process's id, %i counts the process's traces"

struct trace_file {
    int descriptor;
    uint64_t end;             /* where the closing bracket stands */
    bool is_begun, is_broken; /* it has events; a write failed, and no more are tried */
    struct trace_text buffer; /* events not written yet */
};

/* Whether a pattern follows the grammar. */
bool trace_file_check(const char *pattern, char *why, size_t why_size);

/* Makes the file, or empties it. An error names it: no folder, no permission, or somebody else's trace goes there. */
haly_status trace_file_open(struct trace_file *file, const char *pattern);

/* Takes over one event, a JSON object, and writes when much has come together. */
void trace_file_add(struct trace_file *file, const struct trace_text *event);
/* Everything added so far stands in the file afterwards. */
void trace_file_flush(struct trace_file *file);
void trace_file_close(struct trace_file *file);

#endif
