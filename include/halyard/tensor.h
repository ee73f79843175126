/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tensor.h
 * How a tensor in device memory is described: type, shape, strides, address.
 */
#ifndef HALYARD_TENSOR_H
#define HALYARD_TENSOR_H

#include <halyard/dtype.h>

HALY_BEGIN_DECLS

/**
 * A view of memory. Passed by value; its layout is fixed for good.
 * Strides count elements, may be 0 (broadcast, inputs only) or negative; `data` is the address of element 0. Dimensions
 * may be 0: the tensor then has no elements and data may be NULL. Block types: the last dimension is a multiple of 32
 * with stride 1, the other strides are multiples of 32.                                                       [TEN-001]
 */
typedef struct haly_tensor {
    void *data;
    haly_dtype dtype;
    uint32_t rank; /**< 0 is a scalar; at most HALY_MAX_RANK */
    int64_t shape[HALY_MAX_RANK];
    int64_t strides[HALY_MAX_RANK];
    uint64_t reserved; /**< 0 */
} haly_tensor;

/** A row-major tensor without gaps. Since 1.0. */
static inline haly_tensor haly_tensor_make(haly_dtype dtype, uint32_t rank, const int64_t *shape, void *data)
{
    haly_tensor tensor = {data, dtype, rank, {0}, {0}, 0};
    int64_t stride = 1;
    for (uint32_t i = rank; i-- > 0;) {
        tensor.shape[i] = shape[i];
        tensor.strides[i] = stride;
        stride = (int64_t)((uint64_t)stride * (uint64_t)shape[i]); /* hostile shapes wrap, and are refused later */
    }
    return tensor;
}

/** The same with the dimensions as arguments. */
static inline haly_tensor haly_tensor_1d(haly_dtype dtype, void *data, int64_t n)
{
    return haly_tensor_make(dtype, 1, &n, data);
}
static inline haly_tensor haly_tensor_2d(haly_dtype dtype, void *data, int64_t rows, int64_t columns)
{
    const int64_t shape[2] = {rows, columns};
    return haly_tensor_make(dtype, 2, shape, data);
}
static inline haly_tensor haly_tensor_3d(haly_dtype dtype, void *data, int64_t a, int64_t b, int64_t c)
{
    const int64_t shape[3] = {a, b, c};
    return haly_tensor_make(dtype, 3, shape, data);
}
static inline haly_tensor haly_tensor_4d(haly_dtype dtype, void *data, int64_t a, int64_t b, int64_t c, int64_t d)
{
    const int64_t shape[4] = {a, b, c, d};
    return haly_tensor_make(dtype, 4, shape, data);
}

/** 32-bit float shorthands. */
static inline haly_tensor haly_f32_1d(void *data, int64_t n)
{
    return haly_tensor_1d(HALY_F32, data, n);
}
static inline haly_tensor haly_f32_2d(void *data, int64_t rows, int64_t columns)
{
    return haly_tensor_2d(HALY_F32, data, rows, columns);
}

/** An optional tensor that is not given. */
static inline haly_tensor haly_tensor_none(void)
{
    return haly_tensor_make(HALY_DTYPE_NONE, 0, NULL, NULL);
}

/** Swaps two dimensions of a view; no data moves. */
static inline haly_tensor haly_tensor_swap(haly_tensor tensor, uint32_t a, uint32_t b)
{
    const int64_t shape = tensor.shape[a], stride = tensor.strides[a];
    tensor.shape[a] = tensor.shape[b];
    tensor.strides[a] = tensor.strides[b];
    tensor.shape[b] = shape;
    tensor.strides[b] = stride;
    return tensor;
}

HALY_END_DECLS

#endif
