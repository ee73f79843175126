/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on shapes and strides. */
#include "cpu_matrix.h"
#include "planted.h"

bool cpu_matrix_collapse(const haly_tensor *tensor, uint32_t kept, uint64_t *out_rows, int64_t *out_stride)
{
    uint64_t rows = 1;
    int64_t stride = 0, next = 0; /* what the next outer dimension must have */
    for (uint32_t i = tensor->rank - kept; i-- > 0;) {
        const int64_t size = tensor->shape[i];
        if (size == 1)
            continue;
        if (rows == 1)
            stride = tensor->strides[i];
        else if (PLANTED_OR(rows_with_gaps_are_joined, tensor->strides[i] != next, false))
            return false;
        rows *= (uint64_t)size;
        next = tensor->strides[i] * size;
        if (size == 0)
            break;
    }
    *out_rows = rows;
    *out_stride = stride;
    return true;
}

uint64_t cpu_matrix_batches(const haly_tensor *tensor, uint32_t kept)
{
    uint64_t batches = 1;
    for (uint32_t i = 0; i + kept < tensor->rank; i++)
        batches *= (uint64_t)tensor->shape[i];
    return batches;
}

int64_t cpu_matrix_offset(const haly_tensor *tensor, const haly_tensor *shape, uint64_t index)
{
    int64_t offset = 0;
    for (uint32_t back = 3; back <= shape->rank; back++) {
        const uint64_t size = (uint64_t)shape->shape[shape->rank - back];
        const int64_t at = (int64_t)(index % size);
        index /= size;
        if (back <= tensor->rank && tensor->shape[tensor->rank - back] != 1)
            offset += at * tensor->strides[tensor->rank - back];
    }
    return offset;
}
