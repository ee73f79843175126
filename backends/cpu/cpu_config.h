/* SPDX-License-Identifier: Apache-2.0 */
/* The parameters of the cpu backend, read and checked. */
#ifndef CPU_CONFIG_H
#define CPU_CONFIG_H

#include <stdbool.h>

#include "cpu_core.h"
#include "cpu_isa.h"

#define CPU_MAX_THREADS 1024U

enum cpu_choice { CPU_NO, CPU_YES, CPU_AUTO };

struct cpu_config {
    uint32_t threads; /* that compute, the waiting one included */
    bool is_strict;
    enum cpu_isa isa;
    enum cpu_choice onednn;
};

#define CPU_PARAM_COUNT 5U
extern const haly_backend_param cpu_params[CPU_PARAM_COUNT];

/* Reads the values in force. HALY_ERR_INVALID names the variable and its grammar; HALY_ERR_UNSUPPORTED: an instruction
 * set that this machine lacks. */
haly_status cpu_config_read(struct cpu_config *out_config);

#endif
