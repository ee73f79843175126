/* SPDX-License-Identifier: Apache-2.0 */
/* The table of built-in backends. The build says which: HALY_BUILTIN_BACKENDS is BACKEND(name) for each, or nothing. */
#include "builtin.h"

#include <stddef.h>

#define BACKEND(name_)                                                                                                 \
    haly_status halyard_backend_##name_(const haly_core_table *core, const haly_backend_table **out_table);
HALY_BUILTIN_BACKENDS
#undef BACKEND

#define BACKEND(name_) {#name_, halyard_backend_##name_},
const struct builtin_backend builtin_backends[] = {
    HALY_BUILTIN_BACKENDS /* each with a comma behind it */
    {NULL, NULL},
};
#undef BACKEND
