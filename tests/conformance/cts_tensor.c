/* SPDX-License-Identifier: Apache-2.0 */
/* Making tensors in every layout, and reading them back with a check that nothing beside the elements changed. */
#include <math.h>
#include <string.h>

#include "cts_tensor.h"

#define SENTINEL 0xA5

int64_t cts_count(const int64_t *shape, uint32_t rank)
{
    int64_t count = 1;
    for (uint32_t i = 0; i < rank; i++)
        count *= shape[i];
    return count;
}

double *cts_doubles(struct cts *t, int64_t count)
{
    return cts_host(t, (uint64_t)count * sizeof(double));
}

/* Strides of a layout; returns elements of storage, and the origin. */
static int64_t lay_out(enum cts_layout layout, cts_tensor *tensor)
{
    haly_tensor *view = &tensor->view;
    int64_t stride = layout == CTS_STEPPED ? 2 : 1;
    tensor->origin = 0;
    for (uint32_t step = 0; step < view->rank; step++) {
        const uint32_t i = layout == CTS_SWAPPED ? step : view->rank - 1 - step;
        view->strides[i] = stride;
        stride *= view->shape[i] > 0 ? view->shape[i] : 1;
        if (layout == CTS_PADDED && step == 0)
            stride += 5;
    }
    if (layout == CTS_REVERSED) {
        for (uint32_t i = 0; i < view->rank; i++) {
            tensor->origin += view->shape[i] > 0 ? (view->shape[i] - 1) * view->strides[i] : 0;
            view->strides[i] = -view->strides[i];
        }
    }
    return stride;
}

static cts_tensor make(struct cts *t, haly_dtype dtype, enum cts_layout layout, const int64_t *shape, uint32_t rank)
{
    cts_tensor tensor;
    memset(&tensor, 0, sizeof tensor);
    tensor.view.dtype = dtype;
    tensor.view.rank = rank;
    if (rank > 0)
        memcpy(tensor.view.shape, shape, rank * sizeof *shape);
    tensor.count = cts_count(shape, rank);
    tensor.values = cts_doubles(t, tensor.count);
    const int64_t elements = lay_out(layout, &tensor);
    const uint32_t element = haly_dtype_block_bytes(dtype);
    tensor.bytes = (uint64_t)elements * element;
    tensor.image = cts_host(t, tensor.bytes);
    memset(tensor.image, SENTINEL, tensor.bytes);
    tensor.storage = cts_device(t, tensor.bytes);
    tensor.view.data = (char *)tensor.storage + tensor.origin * (int64_t)element;
    return tensor;
}

/* Position in the storage, in elements, of element `flat` in row-major order. */
static int64_t position(const cts_tensor *tensor, int64_t flat)
{
    int64_t at = tensor->origin;
    for (uint32_t i = tensor->view.rank; i-- > 0;) {
        at += flat % tensor->view.shape[i] * tensor->view.strides[i];
        flat /= tensor->view.shape[i];
    }
    return at;
}

static void store(struct cts *t, cts_tensor *tensor)
{
    const uint32_t element = haly_dtype_block_bytes(tensor->view.dtype);
    for (int64_t i = 0; i < tensor->count; i++) {
        uint8_t *bytes = tensor->image + position(tensor, i) * (int64_t)element;
        cts_encode(tensor->view.dtype, tensor->values[i], bytes);
        tensor->values[i] = cts_decode(tensor->view.dtype, bytes);
    }
    cts_upload(t, tensor->storage, tensor->image, tensor->bytes);
}

cts_tensor cts_input(struct cts *t, haly_dtype dtype, enum cts_layout layout, const int64_t *shape, uint32_t rank,
                     double low, double high)
{
    cts_tensor tensor = make(t, dtype, layout, shape, rank);
    for (int64_t i = 0; i < tensor.count; i++)
        tensor.values[i] = cts_uniform(t, low, high);
    store(t, &tensor);
    return tensor;
}

cts_tensor cts_input_list(struct cts *t, haly_dtype dtype, enum cts_layout layout, const int64_t *shape, uint32_t rank,
                          const double *list, uint32_t list_count)
{
    cts_tensor tensor = make(t, dtype, layout, shape, rank);
    for (int64_t i = 0; i < tensor.count; i++)
        tensor.values[i] = list[(uint64_t)i % list_count];
    store(t, &tensor);
    return tensor;
}

cts_tensor cts_input_values(struct cts *t, haly_dtype dtype, enum cts_layout layout, const int64_t *shape,
                            uint32_t rank, const double *values)
{
    cts_tensor tensor = make(t, dtype, layout, shape, rank);
    if (tensor.count > 0)
        memcpy(tensor.values, values, (uint64_t)tensor.count * sizeof *values);
    store(t, &tensor);
    return tensor;
}

cts_tensor cts_output(struct cts *t, haly_dtype dtype, enum cts_layout layout, const int64_t *shape, uint32_t rank)
{
    return make(t, dtype, layout, shape, rank); /* the helper that allocates has filled it with the sentinel */
}

/* Scales that keep sums of a few hundred products in the range of f16. */
static void random_block(struct cts *t, haly_dtype dtype, uint8_t *block)
{
    cts_random_bytes(t, block, haly_dtype_block_bytes(dtype));
    cts_encode_scale(cts_uniform(t, -1, 1) / (dtype == HALY_Q8_0 ? 127 : 8), block);
    if (dtype == HALY_Q4_1)
        cts_encode_scale(cts_uniform(t, -1, 1), block + 2);
}

cts_tensor cts_blocks(struct cts *t, haly_dtype dtype, int64_t rows, int64_t columns, int64_t gap_blocks)
{
    const int64_t row_blocks = columns / 32 + gap_blocks;
    const uint32_t block_bytes = haly_dtype_block_bytes(dtype);
    cts_tensor tensor;
    memset(&tensor, 0, sizeof tensor);
    tensor.bytes = (uint64_t)(rows * row_blocks) * block_bytes;
    tensor.image = cts_host(t, tensor.bytes);
    tensor.count = rows * columns;
    tensor.values = cts_doubles(t, tensor.count);
    for (int64_t row = 0; row < rows; row++) {
        for (int64_t i = 0; i < row_blocks; i++) {
            uint8_t *block = tensor.image + (row * row_blocks + i) * (int64_t)block_bytes;
            random_block(t, dtype, block);
            if (i < columns / 32)
                cts_decode_block(dtype, block, tensor.values + row * columns + i * 32);
        }
    }
    tensor.storage = cts_device_from(t, tensor.image, tensor.bytes);
    tensor.view = haly_tensor_2d(dtype, tensor.storage, rows, columns);
    tensor.view.strides[0] = row_blocks * 32;
    return tensor;
}

cts_tensor cts_weight(struct cts *t, haly_dtype dtype, int64_t rows, int64_t columns)
{
    if (haly_dtype_block_elements(dtype) > 1)
        return cts_blocks(t, dtype, rows, columns, 0);
    return cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(rows, columns), -1, 1);
}

void cts_fetch(struct cts *t, cts_tensor *tensor)
{
    const uint32_t element = haly_dtype_block_bytes(tensor->view.dtype);
    uint8_t *now = cts_host(t, tensor->bytes), *beside = cts_host(t, tensor->bytes);
    if (tensor->bytes > 0)
        cts_download(t, now, tensor->storage, tensor->bytes);
    for (int64_t i = 0; i < tensor->count; i++) {
        const int64_t at = position(tensor, i) * (int64_t)element;
        tensor->values[i] = cts_decode(tensor->view.dtype, now + at);
        memset(beside + at, 1, element);
    }
    for (uint64_t i = 0; i < tensor->bytes; i++)
        CTS_CHECK(beside[i] || now[i] == tensor->image[i],
                  "an operator wrote between the elements of its output: byte %llu of its storage",
                  (unsigned long long)i);
    tensor->image = now;
}

void cts_expect_untouched(struct cts *t, cts_tensor *tensor)
{
    if (tensor->bytes > 0)
        cts_expect_bytes(t, tensor->storage, tensor->image, tensor->bytes);
}

int64_t cts_broadcast_index(const cts_tensor *x, const int64_t *shape, uint32_t rank, int64_t flat)
{
    int64_t index = 0, step = 1;
    for (uint32_t i = 0; i < rank; i++) {
        const int64_t at = flat % shape[rank - 1 - i];
        flat /= shape[rank - 1 - i];
        if (i >= x->view.rank)
            continue;
        const int64_t dimension = x->view.shape[x->view.rank - 1 - i];
        index += dimension == 1 ? 0 : at * step;
        step *= dimension;
    }
    return index;
}
