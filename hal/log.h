/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leveled logging. Live instances bring sinks: standard error when HALYARD_LOG asks for it, and the program's callback.
 * With no sink that wants a level, LOG() is one load and a comparison.
 */
#ifndef HAL_LOG_H
#define HAL_LOG_H

#include <stdatomic.h>
#include <stdbool.h>

#include <halyard/instance.h>

struct log_sink {
    haly_log_fn fn; /* NULL: standard error; however many sinks say so, a line appears there once */
    void *user;
    haly_log_level level;
    const char *prefix; /* only lines that begin so; NULL: all */
    struct log_sink *next;
};

/* Most detailed level that any sink wants. */
extern _Atomic uint32_t log_level_wanted;

#define LOG(level_, ...)                                                                                               \
    do {                                                                                                               \
        if ((uint32_t)(level_) <= atomic_load_explicit(&log_level_wanted, memory_order_relaxed))                       \
            log_write((level_), __VA_ARGS__);                                                                          \
    } while (0)

void log_write(haly_log_level level, const char *format, ...) HALY_PRINTF_LIKE(2, 3);

/* The caller keeps the sink. After log_sink_remove() returns its callback is not running and never runs again. */
void log_sink_add(struct log_sink *sink);
void log_sink_remove(struct log_sink *sink);

/* off, error, warn, info, debug; ASCII case does not count. */
bool log_level_parse(const char *text, haly_log_level *out_level);

/* In a child of fork: the sinks are the parent's, and a thread of its may hold the lock. */
void log_forked(void);

#endif
