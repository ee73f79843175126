/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the optional oneDNN object beside the backend. */
#ifndef CPU_ONEDNN_LOAD_H
#define CPU_ONEDNN_LOAD_H

#include "cpu_config.h"
#include "cpu_onednn.h"

/* The object's table, loaded on first need. HALY_ERR_UNAVAILABLE and why; HALY_ERR_UNSUPPORTED when it is switched off.
 */
haly_status cpu_onednn_load(const struct cpu_config *config, const struct cpu_onednn_table **out_table);

#endif
