/* SPDX-License-Identifier: Apache-2.0 */
/* Text that grows, and the pieces of JSON that a trace is made of. */
#ifndef HAL_LAYERS_TRACE_TEXT_H
#define HAL_LAYERS_TRACE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <halyard/base.h>

/* Zero is empty. Out of memory, it is lost as a whole: never half of an event. */
struct trace_text {
    char *bytes; /* `size` of them, without an end mark */
    size_t size, capacity;
    bool is_lost;
};

void trace_text_add(struct trace_text *text, const char *bytes, size_t size);
void trace_text_format(struct trace_text *text, const char *format, ...) HALY_PRINTF_LIKE(2, 3);
/* "x", with what JSON does not allow inside escaped. */
void trace_text_quote(struct trace_text *text, const char *string);
/* Nanoseconds as microseconds with three decimals. */
void trace_text_microseconds(struct trace_text *text, uint64_t nanoseconds);
void trace_text_clear(struct trace_text *text);

#endif
