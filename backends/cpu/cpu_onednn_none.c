/* SPDX-License-Identifier: Apache-2.0 */
/* In place of cpu_onednn_load.c where the backend is a part of the program: there is no folder beside the backend's own
 * file, and the program's is nobody's word for what may be loaded. */
#include "cpu_onednn_load.h"

haly_status cpu_onednn_load(const struct cpu_config *config, const struct cpu_onednn_table **out_table)
{
    (void)config;
    (void)out_table;
    return FAIL(HALY_ERR_UNAVAILABLE, "oneDNN: a cpu backend that is built in does without it");
}
