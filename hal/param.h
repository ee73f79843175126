/* SPDX-License-Identifier: Apache-2.0 */
/* Declared parameters: one list with type, default and help; values from program, environment, default, in that order.
 */
#ifndef HAL_PARAM_H
#define HAL_PARAM_H

#include <stdbool.h>

#include "error.h"

struct params; /* one set per instance */

/* Value in force as text ("" when it has none). The name must be declared. Stays valid as long as the instance. */
const char *param_text(const struct params *params, const char *name);
bool param_bool(const struct params *params, const char *name);
uint64_t param_size(const struct params *params, const char *name);   /* "4GiB" */
uint64_t param_number(const struct params *params, const char *name); /* "16" */

#endif
