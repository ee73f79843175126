/* SPDX-License-Identifier: Apache-2.0 */
/* A backend as the core holds it: its completed table and what became of it. One per file found and instance. */
#ifndef HAL_BACKEND_H
#define HAL_BACKEND_H

#include <stdbool.h>

#include <halyard/backend.h>

#define BACKEND_REASON_BYTES 512

struct backend {
    char name[33];
    char path[4096]; /* as found; what is opened is its real path */
    char version[64];
    char reason[BACKEND_REASON_BYTES];      /* one sentence, "" while nothing is wrong */
    char late_reason[BACKEND_REASON_BYTES]; /* in force once enumeration gave one: `reason` may be in use by then */
    bool has_late_reason;
    bool is_named;       /* HALYARD_BACKEND names it: it must be usable */
    uint32_t preference; /* 0 first */
    haly_backend_state state;
    haly_status status;
    haly_error failure; /* what is behind the status, when a call into the backend is: its numbers and words */
    uint32_t device_count;
    uint16_t abi_major, abi_minor;
    haly_backend_table table; /* completed with stubs: no entry is NULL once the backend was opened */
};

#endif
