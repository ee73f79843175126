/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building the launches of a lowered operator. A launch set is finished launch records with zeros for addresses and
 * host values, and lists of where those go: a run copies the records, fills the lists in and submits, and nothing else.
 */
#ifndef HAL_LOWERING_H
#define HAL_LOWERING_H

#include <kernels.h>

#include "context.h"
#include "operator_call.h"

#define LAUNCH_ADDRESSES 6
#define LAUNCH_VALUES 3
#define NO_SLOT UINT8_MAX

struct address_patch {
    uint32_t offset;  /* of the 8 bytes in the set's records */
    uint32_t address; /* index among the plan's: inputs, then outputs */
    int64_t bytes;    /* added to it */
};

struct value_patch {
    uint32_t offset;
    uint32_t value; /* index of the host value */
    int64_t addend;
};

struct launch_set {
    unsigned char *records;
    uint64_t bytes;
    uint32_t count;
    uint32_t address_count, value_count;
    struct address_patch *addresses;
    struct value_patch *values;
};

struct lowering {
    const struct op_call *call;
    haly_context *context;
    struct launch_set *set;
    bool value_for_each; /* host values differ: a launch may use only the value of its own sequence */
    char *path;          /* of haly_plan_info; the first launch with a name writes it */
};

/* One launch of a kernel of kernels/kernels.h: its addresses in order, then one struct by value. */
struct launch {
    char kernel[48];
    uint64_t grid[3];
    uint32_t address_count;
    uint8_t slots[LAUNCH_ADDRESSES];    /* tensor of each address, NO_SLOT: NULL */
    int64_t elements[LAUNCH_ADDRESSES]; /* to its element 0 from the tensor's */
    const void *argument;               /* the struct */
    uint32_t argument_bytes;
    uint32_t value_count;
    struct value_patch values[LAUNCH_VALUES]; /* offset in the struct, of 8-byte fields */
};

/* Adds a launch to the set; one with an empty grid is left out. */
haly_status lowering_add(struct lowering *lowering, const struct launch *launch);

void launch_set_free(struct launch_set *set);

/* Groups of `size` that cover `count`. */
static inline uint64_t groups_of(uint64_t count, uint64_t size)
{
    return count / size + (count % size != 0);
}

/* Stride of a dimension, 0 where it is of no consequence, so that compaction sees through it. */
int64_t lowering_stride(const haly_tensor *tensor, uint32_t dimension);

/* Starts a shape with the dimensions of `shaped`, and adds operands to it; these are aligned at the last dimension and
 * broadcast where they have 1. */
void strided_start(struct haly_strided *strided, const haly_tensor *shaped);
void strided_operand(struct haly_strided *strided, uint32_t operand, const haly_tensor *tensor);

/* Puts dimensions in the order of an operand's strides, largest first, then merges what can be: for operators that do
 * not care about the order of elements. */
void strided_order(struct haly_strided *strided, uint32_t by_operand);

/* Product of the dimensions. */
uint64_t strided_count(const struct haly_strided *strided);

/* Rows along `axis` of the first tensor, for up to four operands of that rank. */
void rows_make(struct haly_rows *rows, uint32_t axis, uint32_t operand_count, const haly_tensor *const *operands);

#endif
