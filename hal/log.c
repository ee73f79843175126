/* SPDX-License-Identifier: Apache-2.0 */
/* Leveled logging. A read lock is held while sinks run, so that removing one waits for its callback to return. */
#define _GNU_SOURCE
#include "log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "process.h"
#include "text.h"

_Atomic uint32_t log_level_wanted;

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static struct log_sink *sinks;
void log_forked(void)
{
    pthread_rwlock_init(&lock, NULL);
    sinks = NULL;
    atomic_store(&log_level_wanted, 0);
}

static void update_level(void)
{
    uint32_t level = 0;
    for (const struct log_sink *sink = sinks; sink != NULL; sink = sink->next)
        if ((uint32_t)sink->level > level)
            level = (uint32_t)sink->level;
    atomic_store(&log_level_wanted, level);
}

void log_sink_add(struct log_sink *sink)
{
    pthread_rwlock_wrlock(&lock);
    sink->next = sinks;
    sinks = sink;
    update_level();
    pthread_rwlock_unlock(&lock);
}

void log_sink_remove(struct log_sink *sink)
{
    pthread_rwlock_wrlock(&lock);
    for (struct log_sink **at = &sinks; *at != NULL; at = &(*at)->next)
        if (*at == sink) {
            *at = sink->next;
            break;
        }
    update_level();
    pthread_rwlock_unlock(&lock);
}

static const char *const level_names[] = {"off", "error", "warn", "info", "debug"};
enum { LEVELS = sizeof level_names / sizeof level_names[0] };

bool log_level_parse(const char *text, haly_log_level *out_level)
{
    for (uint32_t i = 0; i < LEVELS; i++)
        if (text_matches(level_names[i], text)) {
            *out_level = (haly_log_level)i;
            return true;
        }
    return false;
}

void log_write(haly_log_level level, const char *format, ...)
{
    PUT_OFF_CANCELLATION();
    char raw[1024], line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(raw, sizeof raw, format, arguments);
    va_end(arguments);
    text_printable(line, sizeof line, raw, SIZE_MAX); /* one line, whatever a vendor's text holds */

    bool to_stderr = false;
    pthread_rwlock_rdlock(&lock);
    for (const struct log_sink *sink = sinks; sink != NULL; sink = sink->next) {
        if ((uint32_t)level > (uint32_t)sink->level ||
            (sink->prefix != NULL && strncmp(line, sink->prefix, strlen(sink->prefix)) != 0))
            continue;
        if (sink->fn != NULL)
            sink->fn(sink->user, level, line);
        else
            to_stderr = true;
    }
    pthread_rwlock_unlock(&lock);
    if (to_stderr)
        fprintf(stderr, "halyard: %s: %s\n", level_names[(uint32_t)level < LEVELS ? level : HALY_LOG_DEBUG], line);
}
