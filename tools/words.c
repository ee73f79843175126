/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and enumerators as people write them. */
#include <string.h>

#include "tool.h"

const char *text_bytes(uint64_t bytes, char out[TEXT_MAX])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    const size_t last = sizeof units / sizeof *units - 1;
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit < last) {
        value /= 1024;
        unit++;
    }
    snprintf(out, TEXT_MAX, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return out;
}

const char *text_dtypes(uint64_t bits, char out[TEXT_MAX])
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 1; i < 64; i++) {
        const char *name = haly_dtype_name((haly_dtype)i);
        if ((bits >> i & 1) == 0 || used + strlen(name) + 2 > TEXT_MAX)
            continue;
        used += (size_t)snprintf(out + used, TEXT_MAX - used, "%s%s", used == 0 ? "" : " ", name);
    }
    return out;
}

const char *text_device_kind(haly_device_kind kind)
{
    static const char *const names[] = {"cpu", "gpu", "npu", "other"};
    return (size_t)kind < sizeof names / sizeof *names ? names[kind] : "unknown";
}

const char *text_backend_state(haly_backend_state state)
{
    static const char *const names[] = {"ready", "unavailable", "refused", "filtered", "denied"};
    return (size_t)state < sizeof names / sizeof *names ? names[state] : "unknown";
}
