/* SPDX-License-Identifier: Apache-2.0 */
/* Seeing tensors as matrices and batches of them. */
#ifndef CPU_MATRIX_H
#define CPU_MATRIX_H

#include <stdbool.h>

#include <halyard/tensor.h>

/* All dimensions but the last `kept` as one of `rows` with one stride; false when the strides do not allow it. */
bool cpu_matrix_collapse(const haly_tensor *tensor, uint32_t kept, uint64_t *out_rows, int64_t *out_stride);

/* Elements of all dimensions but the last `kept`. */
uint64_t cpu_matrix_batches(const haly_tensor *tensor, uint32_t kept);

/* Offset in elements of batch `index` of `shape` (a tensor of the broadcast batch dimensions) in `tensor`, whose
 * missing or single dimensions repeat. */
int64_t cpu_matrix_offset(const haly_tensor *tensor, const haly_tensor *shape, uint64_t index);

#endif
