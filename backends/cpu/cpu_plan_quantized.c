/* SPDX-License-Identifier: Apache-2.0 */
/* halyard.QuantizedMatMul with block-quantised weights and f32 activations: the hand-tuned tiles, cut by shape. */
#include "cpu_plan_quantized.h"

#include <stdio.h>
#include <stdlib.h>

#include "cpu_matrix.h"
#include "cpu_quantized_matmul.h"
#include "planted.h"

/* With few rows the weights are read once and decide the time: a tile is some 64 Ki of them. With many, a tile is large
 * enough to pay for unpacking its weights. Multiples of what the tile functions work in. */
#define FEW_ROWS 4U
#define FEW_TILE_WEIGHTS 65536U
#define TILE_ROWS 192U
#define TILE_COLUMNS 64U
#define COLUMN_STEP 16U
#define WEIGHTS_PER_NANOSECOND 8U

struct quantized {
    struct cpu_qmm job; /* without addresses */
    void (*run)(const struct cpu_qmm *job);
    uint64_t rows, columns;
    uint64_t tile_rows, tile_columns;
    uint64_t tiles_across; /* tiles in one row of tiles */
    uint64_t tiles;
    bool has_bias;
};

struct quantized_call {
    const struct quantized *plan;
    struct cpu_qmm job;
};

static void run_tile(void *argument, uint64_t tile)
{
    const struct quantized_call *call = argument;
    const struct quantized *plan = call->plan;
    struct cpu_qmm job = call->job;
    job.m0 = tile / plan->tiles_across * plan->tile_rows;
    job.n0 = tile % plan->tiles_across * plan->tile_columns;
    job.m1 = plan->rows - job.m0 < plan->tile_rows ? plan->rows : job.m0 + plan->tile_rows;
    job.n1 = plan->columns - job.n0 < plan->tile_columns ? plan->columns : job.n0 + plan->tile_columns;
    plan->run(&job);
}

static haly_status run(const struct cpu_plan *plan, const struct cpu_work *work, const struct cpu_plan_call *call,
                       const char **out_text)
{
    (void)out_text;
    const struct quantized *self = plan->state;
    struct quantized_call own = {self, self->job};
    const struct cpu_work unbounded = {work->queue, work->threads, CPU_NEVER};
    own.job.x = call->addresses[0];
    own.job.weight = call->addresses[1];
    own.job.bias = self->has_bias ? call->addresses[2] : NULL;
    own.job.y = call->addresses[plan->address_count - 1];
    struct cpu_tiles tiles = {.run = run_tile, .argument = &own, .count = self->tiles, .cost = plan->cost_guess};
    cpu_pool_run(&unbounded, &tiles);
    return HALY_OK;
}

static void destroy(struct cpu_plan *plan)
{
    free(plan->state);
}

static void cut(struct quantized *self)
{
    const uint64_t weights = self->job.k != 0 ? self->job.k : 1;
    if (self->rows <= FEW_ROWS) {
        self->tile_rows = FEW_ROWS;
        self->tile_columns = (FEW_TILE_WEIGHTS / weights + COLUMN_STEP) / COLUMN_STEP * COLUMN_STEP;
    } else {
        self->tile_rows = TILE_ROWS;
        self->tile_columns = TILE_COLUMNS;
    }
    self->tiles_across =
        (self->columns + PLANTED_OR(last_tile_is_dropped, self->tile_columns - 1, 0)) / self->tile_columns;
    self->tiles = self->tiles_across * ((self->rows + self->tile_rows - 1) / self->tile_rows);
}

/* The function for an instruction set; bits of AVX2 and AVX-512 are the same. */
static void (*function_for(enum cpu_isa isa))(const struct cpu_qmm *)
{
#if defined(__x86_64__)
    if (isa == CPU_ISA_AVX512)
        return haly_cpu_quantized_matmul_avx512;
    if (isa == CPU_ISA_AVX2)
        return haly_cpu_quantized_matmul_avx2;
#endif
    (void)isa;
    return haly_cpu_quantized_matmul_baseline;
}

static bool is_plain_vector(const haly_tensor *tensor, haly_dtype dtype)
{
    return tensor->dtype == dtype && tensor->rank == 1 && (tensor->shape[0] <= 1 || tensor->strides[0] == 1);
}

static bool has_unit_rows(const haly_tensor *tensor)
{
    return tensor->rank >= 1 && (tensor->shape[tensor->rank - 1] <= 1 || tensor->strides[tensor->rank - 1] == 1);
}

/* Bytes of one block of the formats that the tiles know, else 0. */
static uint32_t format_bytes(haly_dtype dtype)
{
    return dtype == HALY_Q4_0 ? 18U : dtype == HALY_Q4_1 ? 20U : dtype == HALY_Q8_0 ? 34U : 0U;
}

static haly_status describe(const haly_op_desc *desc, struct quantized *self)
{
    const haly_tensor *x = &desc->inputs[0], *weight = &desc->inputs[1], *y = &desc->outputs[0];
    const haly_tensor *bias =
        desc->input_count > 2 && desc->inputs[2].dtype != HALY_DTYPE_NONE ? &desc->inputs[2] : NULL;
    uint64_t y_rows;
    if (format_bytes(weight->dtype) == 0 || x->dtype != HALY_F32 || y->dtype != HALY_F32)
        return FAIL(HALY_ERR_UNSUPPORTED, "the tuned quantised product takes f32 and block-quantised weights");
    if (!has_unit_rows(x) || !has_unit_rows(y) || !cpu_matrix_collapse(x, 1, &self->rows, &self->job.x_stride) ||
        !cpu_matrix_collapse(y, 1, &y_rows, &self->job.y_stride) || (bias != NULL && !is_plain_vector(bias, HALY_F32)))
        return FAIL(HALY_ERR_UNSUPPORTED,
                    "the tuned quantised product takes rows without gaps in them, at one distance");
    self->job.k = (uint64_t)weight->shape[1];
    self->job.format = (uint32_t)weight->dtype;
    self->job.weight_stride = weight->strides[0] / 32 * (int64_t)format_bytes(weight->dtype);
    self->columns = (uint64_t)weight->shape[0];
    self->has_bias = bias != NULL;
    return HALY_OK;
}

haly_status cpu_plan_quantized_create(const struct cpu_context *context, struct cpu_plan *plan,
                                      const haly_op_desc *desc, haly_backend_plan *out_plan)
{
    const enum cpu_isa isa = context->device->config.isa;
    struct quantized described = {.run = function_for(isa)};
    TRY(describe(desc, &described));
    cut(&described);
    struct quantized *self = malloc(sizeof *self);
    if (self == NULL)
        return FAIL(HALY_ERR_HOST_OOM, "out of memory for a plan");
    *self = described;
    plan->run = run;
    plan->destroy = destroy;
    plan->state = self;
    plan->cost_guess = 100 + (self->rows + 1) / 2 * self->columns * self->job.k / WEIGHTS_PER_NANOSECOND;
    snprintf(out_plan->path, sizeof out_plan->path, "quantized_matmul %s", cpu_isa_name(isa));
    return HALY_OK;
}
