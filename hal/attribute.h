/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of an operator, checked against its rules once and then read by name with a default. */
#ifndef HAL_ATTRIBUTE_H
#define HAL_ATTRIBUTE_H

#include "operator_call.h"

/* Every attribute is one of the operator's, of the right kind, finite, and given once. */
haly_status attribute_check(const struct op_call *call);

int64_t attribute_int(const struct op_call *call, const char *name, int64_t otherwise);
double attribute_float(const struct op_call *call, const char *name, double otherwise);
const char *attribute_text(const struct op_call *call, const char *name, const char *otherwise);
/* NULL when it was not given. */
const haly_attribute *attribute_find(const struct op_call *call, const char *name);

/* Reads an axis in -rank .. rank-1, made positive. */
haly_status attribute_axis(const struct op_call *call, int64_t otherwise, uint32_t rank, uint32_t *out_axis);
/* Reads a 0 or 1. */
haly_status attribute_bool(const struct op_call *call, const char *name, bool otherwise, bool *out_value);

#endif
