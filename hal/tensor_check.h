/* SPDX-License-Identifier: Apache-2.0 */
/* Is a tensor's description sound by itself, which bytes does it touch, and do two of them touch the same? */
#ifndef HAL_TENSOR_CHECK_H
#define HAL_TENSOR_CHECK_H

#include <stdbool.h>

#include <halyard/tensor.h>

#include "error.h"

/* Bytes that a tensor touches, relative to its address: [low, high). low is at most 0; both are 0 without elements. */
struct tensor_extent {
    int64_t low, high;
};

/*
 * Type known, rank, shape and strides sane, block type rules, extents that fit into 63 bits; for written tensors also
 * that no two elements share bytes. `name` ("Add: input 1 (B)") begins the message.
 */
haly_status tensor_check(const haly_tensor *tensor, bool is_written, const char *name,
                         struct tensor_extent *out_extent);

/* Number of elements. Only for tensors that passed. */
int64_t tensor_elements(const haly_tensor *tensor);

bool tensor_same_shape(const haly_tensor *a, const haly_tensor *b);
/* Same shape, strides (where they matter) and element size: exactly the same bytes when the addresses are equal. */
bool tensor_same_layout(const haly_tensor *a, const haly_tensor *b);

/*
 * Whether two tensors of overlapping extents are known to share no byte nevertheless, like two column ranges of one
 * matrix. A false answer may be wrong only for layouts that no common row pitch explains.
 */
bool tensor_is_disjoint(const haly_tensor *a, uintptr_t a_address, const haly_tensor *b, uintptr_t b_address);

#define TENSOR_SHAPE_TEXT 128
/* "[2, 3]", cut when it is longer. */
void tensor_shape_text(uint32_t rank, const int64_t *shape, char text[TENSOR_SHAPE_TEXT]);

#endif
