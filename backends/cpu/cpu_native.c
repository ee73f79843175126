/* SPDX-License-Identifier: Apache-2.0 */
/* The only native handle there is: what dlopen() gave for a module. */
#include "cpu_native.h"

#include <stdio.h>

#include "cpu_module.h"
#include "planted.h"

haly_status cpu_native_get(haly_object_kind kind, void *block, haly_native *out_native)
{
    if (kind != HALY_OBJECT_MODULE || ((const struct cpu_module *)block)->handle == NULL)
        return FAIL(HALY_ERR_UNSUPPORTED, "the cpu backend has native handles of loaded modules only");
    const uint32_t size = out_native->struct_size;
    *out_native = (haly_native){.struct_size = size, .kind = HALY_OBJECT_MODULE, .backend = "cpu"};
    out_native->handle = PLANTED_OR(native_handle_is_null, ((const struct cpu_module *)block)->handle, NULL);
    return HALY_OK;
}
