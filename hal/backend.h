/* SPDX-License-Identifier: Apache-2.0 */
/* A backend as the core holds it: its completed table and what became of it. */
#ifndef HAL_BACKEND_H
#define HAL_BACKEND_H

#include <halyard/backend.h>

struct backend {
    char name[33];
    char path[4096];
    char version[64];
    char reason[512];
    haly_backend_state state;
    haly_status status;
    uint32_t device_count;
    uint16_t abi_major, abi_minor;
    haly_backend_table table; /* completed with stubs: no entry is NULL once the backend was opened */
};

#endif
