/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed stubs, generated from the one list. A stub does not know whose it is: backend_failed() adds the backend's name
 * to the detail, as for every failing entry.
 */
#include "stubs.h"

#include <string.h>

#include "error.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#define ENTRY_STATUS(name_, parameters_)                                                                               \
    static haly_status stub_##name_ parameters_                                                                        \
    {                                                                                                                  \
        return error_set("", HALY_ERR_UNSUPPORTED, HALY_SCOPE_CALL, HALY_RECOVER_NONE, 0, NULL,                        \
                         "the backend does not implement " #name_);                                                    \
    }
#define ENTRY_VOID(name_, parameters_)                                                                                 \
    static void stub_##name_ parameters_                                                                               \
    {                                                                                                                  \
    }
#define ENTRY_CLASS(name_, parameters_)                                                                                \
    static haly_memory_class stub_##name_ parameters_                                                                  \
    {                                                                                                                  \
        return HALY_MEMORY_UNKNOWN;                                                                                    \
    }
#include "backend_entries.def"
#undef ENTRY_STATUS
#undef ENTRY_VOID
#undef ENTRY_CLASS
#pragma GCC diagnostic pop

/* An entry of the table that the list lacks would stay NULL: this counts both. */
enum {
    ENTRIES_IN_LIST = 0
#define ENTRY_STATUS(name_, parameters_) +1
#define ENTRY_VOID ENTRY_STATUS
#define ENTRY_CLASS ENTRY_STATUS
#include "backend_entries.def"
#undef ENTRY_STATUS
#undef ENTRY_VOID
#undef ENTRY_CLASS
    ,
    FIRST_ENTRY = offsetof(haly_backend_table, probe)
};
_Static_assert(FIRST_ENTRY + ENTRIES_IN_LIST * sizeof(void (*)(void)) == sizeof(haly_backend_table),
               "backend_entries.def lists every function of haly_backend_table");

void stubs_complete(const haly_backend_table *table, haly_backend_table *out_table)
{
    uint32_t size = table->struct_size < sizeof *out_table ? table->struct_size : (uint32_t)sizeof *out_table;
    if (size > FIRST_ENTRY) /* half a pointer is none */
        size -= (size - FIRST_ENTRY) % sizeof(void (*)(void));
    memset(out_table, 0, sizeof *out_table);
    memcpy(out_table, table, size);
#define ENTRY_STATUS(name_, parameters_)                                                                               \
    if (out_table->name_ == NULL)                                                                                      \
        out_table->name_ = stub_##name_;
#define ENTRY_VOID ENTRY_STATUS
#define ENTRY_CLASS ENTRY_STATUS
#include "backend_entries.def"
#undef ENTRY_STATUS
#undef ENTRY_VOID
#undef ENTRY_CLASS
}
