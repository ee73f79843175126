/* SPDX-License-Identifier: Apache-2.0 */
/* What param.c and param_backend.c share: the list itself. */
#ifndef HAL_PARAM_LIST_H
#define HAL_PARAM_LIST_H

#include "param.h"

/* Says what is wrong with a value, or returns true. */
typedef bool (*param_check)(const char *value, char *why, size_t why_size);

struct param {
    const char *name, *variable, *type, *help, *default_value, *value, *source; /* interned or static */
    param_check check;                                                          /* NULL: the backend checks */
};

struct params {
    struct param *items;
    uint32_t count;
    haly_param *program; /* what the program set, interned */
    uint32_t program_count;
};

extern const char param_from_default[], param_from_environment[], param_from_program[];

struct param *params_find(const struct params *params, const char *name);

/* Program, then environment, then default. An empty value is an unset one. */
haly_status params_read_value(const struct params *params, struct param *param);

/* HALY_ERR_INVALID with the nearest declared name. */
haly_status params_fail_unknown(const struct params *params, const char *name);

#endif
