/* SPDX-License-Identifier: Apache-2.0 */
/* How the validation layer says what it found: one log line, and a failed call where HALYARD_VALIDATE=fail asks. */
#ifndef HAL_LAYERS_VALIDATE_REPORT_H
#define HAL_LAYERS_VALIDATE_REPORT_H

#include <stdbool.h>

#include "layers/place.h"
#include "log.h"

/* What every line begins with. */
#define VALIDATE_PREFIX "validate: "

#define FINDING_TEXT 1000

/* What is wrong with a call, collected under locks and told without: the first few. */
struct findings {
    uint32_t count;
    struct finding {
        haly_log_level level; /* HALY_LOG_ERROR: certain; HALY_LOG_INFO: possible */
        bool is_told;         /* in an earlier call */
        char text[FINDING_TEXT];
    } items[4];
};

/* Adds one; `key` tells those apart that are worth a line of their own, 0: always. */
void findings_add(struct findings *findings, haly_log_level level, uint64_t key, const char *format, ...)
    HALY_PRINTF_LIKE(4, 5);

/* Logs them. HALY_ERR_INVALID, with the first certain one as the detail, when there is one and `fails`. */
haly_status findings_tell(const struct findings *findings, const char *function, bool fails);

/* Forgets what was told. */
void findings_forget(void);

/* One line by itself. */
void validate_say(haly_log_level level, const char *format, ...) HALY_PRINTF_LIKE(2, 3);

#endif
