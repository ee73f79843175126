/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operators that the library knows: one table row each. A row says what an operator takes, which aliasing is part
 * of its meaning, and which functions check a description and turn it into launches. Everything else asks the rows.
 */
#ifndef HAL_OPERATOR_H
#define HAL_OPERATOR_H

#include <halyard/plan.h>

#include "dtype.h"
#include "error.h"

#define OP_INPUTS 5
#define OP_OUTPUTS 2
#define OP_TENSORS (OP_INPUTS + OP_OUTPUTS)
#define OP_ATTRIBUTES 4

/* Outputs stand behind all possible inputs wherever tensors of both kinds share an index, called a slot. */
#define OP_OUTPUT(index) (OP_INPUTS + (index))

struct op_call;
struct lowering;

struct attribute_rule {
    const char *name; /* NULL ends the list */
    haly_attribute_kind kind;
};

struct op {
    const char *domain;
    const char *name;
    uint32_t since;   /* oldest version that has this meaning; newer ones up to `version` only added types */
    uint32_t version; /* the newest */
    uint32_t min_inputs, max_inputs, outputs;
    uint32_t in_place;                /* bits of the inputs that it updates */
    uint64_t dtypes;                  /* of the first input */
    const char *tensors[OP_TENSORS];  /* names as in the meaning, by slot */
    uint32_t exact_alias[OP_OUTPUTS]; /* for each output: bits of the inputs that it may be exactly */
    struct attribute_rule attributes[OP_ATTRIBUTES + 1];
    const char *kernel; /* stem of the portable kernel's name, for families that share a lowering */
    const char *meaning;
    haly_status (*check)(struct op_call *call);
    haly_status (*lower)(struct lowering *lowering);
};

/* The row, or NOT_FOUND with the nearest name. `version` 0 is the newest. */
haly_status op_find(const char *domain, const char *name, uint32_t version, const struct op **out_op);

/* Rows in order, NULL past the end. */
const struct op *op_row(uint32_t index);

#endif
