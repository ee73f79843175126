/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backends that are part of this library: names and entry functions, listed when it is built. It says where a backend
 * comes from and nothing more: selection, policy and negotiation treat it like one that comes from a file.
 */
#ifndef HAL_BUILTIN_H
#define HAL_BUILTIN_H

#include <halyard/backend.h>

#define BUILTIN_PATH "built in" /* stands for the path of a file; those are absolute */

struct builtin_backend {
    const char *name;
    haly_backend_entry entry;
};

/* In the order in which they were listed; a NULL name behind the last. */
extern const struct builtin_backend builtin_backends[];

#endif
