/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dense matrix products on oneDNN. The output is cut into tiles of fixed size, so at most four shapes occur (inside,
 * right edge, lower edge, corner); each has a primitive, and each tile runs whole on one thread.
 */
#include "cpu_plan_matmul.h"

#include <stdio.h>
#include <stdlib.h>

#include "cpu_matrix.h"
#include "cpu_onednn_load.h"
#include "planted.h"

#define TILE_ROWS 256
#define TILE_COLUMNS 256
/* Below so many multiply-adds for a row the portable kernel is done before oneDNN has looked at its arguments. The
 * number of rows has no say: a row's bits must not depend on how many others come with it. */
#define LEAST_PRODUCTS_OF_A_ROW (64 * 64)
#define PRODUCTS_PER_NANOSECOND 50U

struct matmul {
    const struct cpu_onednn_table *onednn;
    struct cpu_onednn_matmul shape; /* of the whole */
    void *primitives[2][2];         /* [is the last row of tiles][is the last column] */
    int64_t tiles_down, tiles_across;
    uint64_t batches;
    haly_tensor a, b, y; /* for the offsets of batches */
    uint32_t element_bytes;
};

struct matmul_call {
    const struct matmul *plan;
    const unsigned char *a, *b, *bias;
    unsigned char *y;
    _Atomic int status;
};

static void run_tile(void *argument, uint64_t tile)
{
    struct matmul_call *call = argument;
    const struct matmul *plan = call->plan;
    const uint64_t per_batch = (uint64_t)(plan->tiles_down * plan->tiles_across);
    const uint64_t batch = tile / per_batch;
    const int64_t down = (int64_t)(tile % per_batch) / plan->tiles_across;
    const int64_t across = (int64_t)(tile % per_batch) % plan->tiles_across;
    const int64_t row = down * TILE_ROWS, column = across * TILE_COLUMNS, bytes = plan->element_bytes;
    const int64_t a = cpu_matrix_offset(&plan->a, &plan->y, batch) + row * plan->shape.a_strides[0];
    const int64_t b = cpu_matrix_offset(&plan->b, &plan->y, batch) + column * plan->shape.b_strides[1];
    const int64_t y = cpu_matrix_offset(&plan->y, &plan->y, batch) + row * plan->shape.y_stride + column;
    void *primitive = plan->primitives[down == plan->tiles_down - 1][across == plan->tiles_across - 1];
    const int status = plan->onednn->matmul_run(
        primitive, call->a + a * bytes, call->b + b * bytes,
        call->bias != NULL ? call->bias + PLANTED_OR(bias_of_the_first_tile, column, 0) * 4 : NULL,
        call->y + y * bytes);
    if (status != 0)
        atomic_store_explicit(&call->status, status, memory_order_relaxed);
}

static haly_status run(const struct cpu_plan *plan, const struct cpu_work *work, const struct cpu_plan_call *call,
                       const char **out_text)
{
    const struct matmul *self = plan->state;
    const struct cpu_work unbounded = {work->queue, work->threads, CPU_NEVER};
    struct matmul_call own = {.plan = self, .a = call->addresses[0], .b = call->addresses[1]};
    own.bias = self->shape.has_bias ? call->addresses[2] : NULL;
    own.y = call->addresses[plan->address_count - 1];
    struct cpu_tiles tiles = {.run = run_tile, .argument = &own, .cost = plan->cost_guess};
    tiles.count = self->batches * (uint64_t)(self->tiles_down * self->tiles_across);
    cpu_pool_run(&unbounded, &tiles);
    const int status = atomic_load(&own.status);
    if (status == 0)
        return HALY_OK;
    *out_text = "oneDNN failed in a matrix product";
    return status == CPU_ONEDNN_NO_MEMORY ? HALY_ERR_HOST_OOM : HALY_ERR_BACKEND;
}

static void matmul_free(struct matmul *self)
{
    for (int i = 0; i < 4; i++)
        if (self->primitives[i / 2][i % 2] != NULL)
            self->onednn->matmul_destroy(self->primitives[i / 2][i % 2]);
    free(self);
}

static void destroy(struct cpu_plan *plan)
{
    matmul_free(plan->state);
}

/* Size of tile `index` of `count` along a dimension. */
static int64_t tile_size(int64_t size, int64_t tile, bool is_last)
{
    return is_last ? size - (size - 1) / tile * tile : tile;
}

static haly_status make_primitives(struct matmul *self)
{
    self->tiles_down = (self->shape.m + TILE_ROWS - 1) / TILE_ROWS;
    self->tiles_across = (self->shape.n + TILE_COLUMNS - 1) / TILE_COLUMNS;
    for (int i = 0; i < 4; i++) {
        const bool is_last_row = i / 2 == 1, is_last_column = i % 2 == 1;
        if ((!is_last_row && self->tiles_down == 1) || (!is_last_column && self->tiles_across == 1))
            continue; /* no such tile */
        struct cpu_onednn_matmul tile = self->shape;
        tile.m = tile_size(self->shape.m, TILE_ROWS, is_last_row);
        tile.n = tile_size(self->shape.n, TILE_COLUMNS, is_last_column);
        const int status = self->onednn->matmul_create(&tile, &self->primitives[i / 2][i % 2]);
        if (status == CPU_ONEDNN_NO_MEMORY)
            return FAIL(HALY_ERR_HOST_OOM, "%s has no memory for a matrix product", self->onednn->library);
        if (status != 0)
            return FAIL(HALY_ERR_UNSUPPORTED, "%s has no such matrix product on this processor", self->onednn->library);
    }
    return HALY_OK;
}

/* Strides of a matrix that oneDNN takes: rows or columns without gaps, nothing overlapping. Single dimensions have
 * none. */
static bool take_strides(const haly_tensor *tensor, int64_t strides[2])
{
    const uint32_t rank = tensor->rank;
    const int64_t rows = tensor->shape[rank - 2], columns = tensor->shape[rank - 1];
    strides[0] = tensor->strides[rank - 2];
    strides[1] = tensor->strides[rank - 1];
    if (columns == 1)
        strides[1] = 1;
    if (rows == 1)
        strides[0] = strides[1] == 1 ? columns : 1;
    return (strides[1] == 1 && strides[0] >= columns) || (strides[0] == 1 && strides[1] >= rows);
}

static haly_status check_type(haly_dtype dtype)
{
    if (dtype != HALY_F32 && dtype != HALY_F16 && dtype != HALY_BF16)
        return FAIL(HALY_ERR_UNSUPPORTED, "oneDNN products here are of f32, f16 or bf16");
    return HALY_OK;
}

static haly_status finish(const struct cpu_context *context, struct cpu_plan *plan, struct matmul *described,
                          haly_backend_plan *out_plan)
{
    const struct cpu_onednn_matmul *shape = &described->shape;
    const double products = (double)shape->m * (double)shape->n * (double)shape->k * (double)described->batches;
    if ((double)shape->n * (double)shape->k < LEAST_PRODUCTS_OF_A_ROW)
        return FAIL(HALY_ERR_UNSUPPORTED, "a product this small is quicker without oneDNN");
    const haly_status loaded = cpu_onednn_load(&context->device->config, &described->onednn);
    if (loaded == HALY_ERR_UNAVAILABLE && context->device->config.onednn == CPU_AUTO)
        return FAIL(HALY_ERR_UNSUPPORTED, "oneDNN's object is not installed or cannot be used");
    TRY(loaded);
    struct matmul *self = malloc(sizeof *self);
    if (self == NULL)
        return FAIL(HALY_ERR_HOST_OOM, "out of memory for a plan");
    *self = *described;
    const haly_status status = make_primitives(self);
    if (status != HALY_OK) {
        matmul_free(self);
        return status;
    }
    plan->run = run;
    plan->destroy = destroy;
    plan->state = self;
    plan->cost_guess = 1000 + (uint64_t)(products / PRODUCTS_PER_NANOSECOND);
    snprintf(out_plan->path, sizeof out_plan->path, "onednn matmul %s", cpu_isa_name(context->device->config.isa));
    return HALY_OK;
}

/* A batch of rows times one matrix is one product of more rows. */
static void merge_batches(struct matmul *self)
{
    uint64_t a_rows, y_rows;
    int64_t a_stride, y_stride;
    if (cpu_matrix_batches(&self->b, 2) != 1 || self->shape.a_strides[1] != 1 ||
        cpu_matrix_batches(&self->a, 2) != self->batches || !cpu_matrix_collapse(&self->a, 1, &a_rows, &a_stride) ||
        !cpu_matrix_collapse(&self->y, 1, &y_rows, &y_stride) || a_rows != y_rows || a_stride < self->shape.k ||
        y_stride < self->shape.n)
        return;
    self->batches = 1;
    self->shape.m = (int64_t)a_rows;
    self->shape.a_strides[0] = a_stride;
    self->shape.y_stride = y_stride;
    self->a.rank = self->b.rank = self->y.rank = 2;
}

haly_status cpu_plan_matmul_create(const struct cpu_context *context, struct cpu_plan *plan, const haly_op_desc *desc,
                                   haly_backend_plan *out_plan)
{
    struct matmul described = {.a = desc->inputs[0], .b = desc->inputs[1], .y = desc->outputs[0], .element_bytes = 2};
    const haly_tensor *a = &described.a, *b = &described.b, *y = &described.y;
    int64_t y_strides[2];
    TRY(check_type(a->dtype));
    if (a->rank < 2 || b->rank < 2 || b->dtype != a->dtype || y->dtype != a->dtype)
        return FAIL(HALY_ERR_UNSUPPORTED, "oneDNN products here are of two matrices of one type");
    described.shape = (struct cpu_onednn_matmul){.m = a->shape[a->rank - 2],
                                                 .n = b->shape[b->rank - 1],
                                                 .k = a->shape[a->rank - 1],
                                                 .dtype = (uint32_t)a->dtype};
    if (!take_strides(a, described.shape.a_strides) || !take_strides(b, described.shape.b_strides) ||
        !take_strides(y, y_strides) || y_strides[1] != 1)
        return FAIL(HALY_ERR_UNSUPPORTED, "oneDNN products here are of contiguous or transposed matrices");
    described.shape.y_stride = y_strides[0];
    described.batches = cpu_matrix_batches(y, 2);
    if (a->dtype == HALY_F32)
        described.element_bytes = 4;
    merge_batches(&described);
    return finish(context, plan, &described, out_plan);
}

/* y = x w^T + bias, with plain weights: the weights are read as their own transpose. */
haly_status cpu_plan_linear_create(const struct cpu_context *context, struct cpu_plan *plan, const haly_op_desc *desc,
                                   haly_backend_plan *out_plan)
{
    struct matmul described = {.a = desc->inputs[0], .b = desc->inputs[1], .y = desc->outputs[0], .batches = 1};
    const haly_tensor *x = &described.a, *weight = &described.b, *y = &described.y;
    const haly_tensor *bias =
        desc->input_count > 2 && desc->inputs[2].dtype != HALY_DTYPE_NONE ? &desc->inputs[2] : NULL;
    uint64_t x_rows, y_rows;
    int64_t x_stride, y_stride, strides[2];
    TRY(check_type(x->dtype));
    if (weight->dtype != x->dtype || y->dtype != x->dtype || x->rank < 1 ||
        (bias != NULL && (bias->dtype != HALY_F32 || bias->strides[0] != 1)))
        return FAIL(HALY_ERR_UNSUPPORTED, "oneDNN products here are of one type, with a plain f32 bias");
    const int64_t k = weight->shape[1], n = weight->shape[0];
    if (!take_strides(weight, strides) || !cpu_matrix_collapse(x, 1, &x_rows, &x_stride) ||
        !cpu_matrix_collapse(y, 1, &y_rows, &y_stride) || (k > 1 && x->strides[x->rank - 1] != 1) ||
        (n > 1 && y->strides[y->rank - 1] != 1) || (x_rows > 1 && (x_stride < k || y_stride < n)))
        return FAIL(HALY_ERR_UNSUPPORTED, "oneDNN products here are of contiguous or transposed matrices");
    described.shape = (struct cpu_onednn_matmul){.m = (int64_t)x_rows, .n = n, .k = k, .dtype = (uint32_t)x->dtype};
    described.shape.a_strides[0] = x_rows > 1 ? x_stride : k;
    described.shape.a_strides[1] = 1;
    described.shape.b_strides[0] = strides[1];
    described.shape.b_strides[1] = strides[0];
    described.shape.y_stride = x_rows > 1 ? y_stride : n;
    described.shape.has_bias = bias != NULL;
    described.element_bytes = x->dtype == HALY_F32 ? 4 : 2;
    described.a.rank = described.b.rank = described.y.rank = 2;
    return finish(context, plan, &described, out_plan);
}
