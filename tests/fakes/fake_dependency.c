/* SPDX-License-Identifier: Apache-2.0 */
/* A library that fakes need: one function, and for one variant an entry function that must not be taken for theirs. */
#include <halyard/backend.h>

HALY_BACKEND_EXPORT int fake_dependency_answer(void);

int fake_dependency_answer(void)
{
    return 42;
}

#ifdef FAKE_WITH_ENTRY
HALY_BACKEND_EXPORT haly_status halyard_backend_fake(const haly_core_table *core, const haly_backend_table **out_table);

haly_status halyard_backend_fake(const haly_core_table *core, const haly_backend_table **out_table)
{
    (void)core;
    (void)out_table;
    return HALY_ERR_INTERNAL;
}
#endif
