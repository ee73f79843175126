/* SPDX-License-Identifier: Apache-2.0 */
/* Telling findings, each kind of them once: what happens in a loop would otherwise fill every log. */
#include "layers/validate_report.h"

#include <stdarg.h>
#include <stdio.h>

#include "error.h"

/* Keys of what was told; those that fall on one slot replace each other, so that a later one is told again. */
#define TOLD_SLOTS 1024U

static _Atomic uint64_t told[TOLD_SLOTS];

static bool is_news(uint64_t key)
{
    return key == 0 || atomic_exchange_explicit(&told[key % TOLD_SLOTS], key, memory_order_relaxed) != key;
}

void findings_add(struct findings *findings, haly_log_level level, uint64_t key, const char *format, ...)
{
    /* A certain finding counts even when it is old: it must fail the call again. Then it has no text to log. */
    const bool is_told = !is_news(key);
    if (findings->count == sizeof findings->items / sizeof *findings->items || (is_told && level != HALY_LOG_ERROR))
        return;
    struct finding *finding = &findings->items[findings->count++];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(finding->text, sizeof finding->text, format, arguments);
    va_end(arguments);
    finding->level = level;
    finding->is_told = is_told;
}

void findings_forget(void)
{
    for (uint32_t i = 0; i < TOLD_SLOTS; i++)
        atomic_store_explicit(&told[i], 0, memory_order_relaxed);
}

haly_status findings_tell(const struct findings *findings, const char *function, bool fails)
{
    const struct finding *certain = NULL;
    for (uint32_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];
        if (!finding->is_told)
            LOG(finding->level, VALIDATE_PREFIX "%s", finding->text);
        if (certain == NULL && finding->level == HALY_LOG_ERROR)
            certain = finding;
    }
    if (certain == NULL || !fails)
        return HALY_OK;
    return error_status(
        error_set(function, HALY_ERR_INVALID, HALY_SCOPE_CALL, HALY_RECOVER_NONE, 0, NULL, "%s", certain->text),
        HALY_ERR_INVALID);
}

void validate_say(haly_log_level level, const char *format, ...)
{
    char text[FINDING_TEXT];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    LOG(level, VALIDATE_PREFIX "%s", text);
}
