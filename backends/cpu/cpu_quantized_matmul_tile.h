/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The quantised matrix product over the vectors of cpu_vector.h. The including file defines scales_decode,
 * block_decode, and TILE_MR x TILE_NR, how many sums the registers hold.
 *
 * Arithmetic, the same in every path: a weight is dequantised to f32 with one rounding; lane l of a sum takes k = l, l
 * + 16, l + 32 ... in order; vec_sum adds the lanes as a tree by halves (l with l + 8, then + 4, + 2, + 1); then the
 * bias.
 *
 * Up to four rows of x: each block is dequantised in registers and used at once, four rows of weights side by side.
 * More rows: a panel of weights is dequantised into the cache and multiplied from there; the lanes of all sums of the
 * panel rest in memory between slices of k, so that slicing changes no order.
 */
#ifndef CPU_QUANTIZED_MATMUL_TILE_H
#define CPU_QUANTIZED_MATMUL_TILE_H

#include <halyard/dtype.h>
#include "cpu_quantized_matmul.h"
#include "planted.h"

#define BLOCK 32U
#define FEW_ROWS 4U      /* rows of x done straight from the quantised blocks */
#define SCALE_BLOCKS 32U /* blocks whose scales are converted ahead */
#define PREFETCH_BYTES                                                                                                 \
    4096 /* ahead of each row of weights; measured best of 2, 4 and 8 KiB, 1.7 times as fast as none */
#define PANEL_COLUMNS 16U
#define PANEL_DEPTH 384U /* with 16 columns 24 KiB: stays in the first level cache beside six rows of x */
#define PANEL_ROWS 64U

INLINE uint32_t block_bytes(uint32_t format)
{
    return format == HALY_Q8_0 ? 34U : format == HALY_Q4_0 ? 18U : 20U;
}

INLINE uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* `rows` rows of x times `columns` rows of weights from row n; both small constants, so everything stays in registers.
 */
INLINE void few_rows_tile(const struct cpu_qmm *job, uint32_t format, uint64_t m, uint64_t n, uint32_t rows,
                          uint32_t columns)
{
    float scales[4][SCALE_BLOCKS][2];
    vec sums[FEW_ROWS][4];
    UNROLLED
    for (uint32_t i = 0; i < rows; i++) {
        UNROLLED
        for (uint32_t j = 0; j < columns; j++)
            sums[i][j] = vec_set(0.0f);
    }
    const uint64_t blocks = job->k / BLOCK;
    const uint8_t *weight = job->weight + (int64_t)n * job->weight_stride;
    const float *x = job->x + (int64_t)m * job->x_stride;
    for (uint64_t first = 0; first < blocks; first += SCALE_BLOCKS) {
        const uint32_t count = (uint32_t)least(blocks - first, SCALE_BLOCKS);
        for (uint32_t j = 0; j < columns; j++)
            scales_decode(weight + (int64_t)j * job->weight_stride + first * block_bytes(format), format, count,
                          scales[j]);
        for (uint32_t b = 0; b < count; b++) {
            const uint8_t *block = weight + (first + b) * block_bytes(format);
            const float *at = x + (first + b) * BLOCK;
            UNROLLED
            for (uint32_t j = 0; j < columns; j++) {
                vec low, high;
                __builtin_prefetch(block + (int64_t)j * job->weight_stride + PREFETCH_BYTES);
                block_decode(block + (int64_t)j * job->weight_stride, format, scales[j][b], &low, &high);
                UNROLLED
                for (uint32_t i = 0; i < rows; i++) {
                    const float *row = at + (int64_t)i * job->x_stride;
                    sums[i][j] = vec_fma(high, vec_load(row + 16), vec_fma(low, vec_load(row), sums[i][j]));
                }
            }
        }
    }
    for (uint32_t i = 0; i < rows; i++)
        for (uint32_t j = 0; j < columns; j++)
            job->y[(int64_t)(m + i) * job->y_stride + (int64_t)(n + j)] =
                vec_sum(sums[i][j]) + (job->bias != NULL ? job->bias[n + j] : 0.0f);
}

INLINE void few_rows(const struct cpu_qmm *job, uint32_t format, uint32_t rows)
{
    uint64_t n = job->n0;
    for (; n + 4 <= job->n1; n += 4)
        few_rows_tile(job, format, job->m0, n, rows, 4);
    for (; n < job->n1; n++)
        few_rows_tile(job, format, job->m0, n, rows, 1);
}

struct panel {
    float weights[PANEL_COLUMNS][PANEL_DEPTH] __attribute__((aligned(64)));
    float sums[PANEL_ROWS][PANEL_COLUMNS][16] __attribute__((aligned(64)));
};

/* Dequantises `blocks` blocks of `columns` rows of weights, starting with block `first` of row n. */
INLINE void panel_fill(const struct cpu_qmm *job, uint32_t format, uint64_t n, uint32_t columns, uint64_t first,
                       uint32_t blocks, struct panel *panel)
{
    float scales[SCALE_BLOCKS][2];
    for (uint32_t j = 0; j < columns; j++) {
        const uint8_t *row = job->weight + (int64_t)(n + j) * job->weight_stride + first * block_bytes(format);
        scales_decode(row, format, blocks, scales);
        for (uint32_t b = 0; b < blocks; b++) {
            vec low, high;
            block_decode(row + (uint64_t)b * block_bytes(format), format, scales[b], &low, &high);
            vec_store(&panel->weights[j][(uint64_t)b * BLOCK], low);
            vec_store(&panel->weights[j][(uint64_t)b * BLOCK + 16], high);
        }
    }
}

/* Adds one slice of k to the sums of `rows` x `columns` elements of y. */
INLINE void panel_tile(const float *x, int64_t x_stride, uint32_t depth, struct panel *panel, uint32_t i, uint32_t j,
                       uint32_t rows, uint32_t columns)
{
    vec sums[TILE_MR][TILE_NR], weights[TILE_NR];
    UNROLLED
    for (uint32_t r = 0; r < rows; r++) {
        UNROLLED
        for (uint32_t c = 0; c < columns; c++)
            sums[r][c] = vec_load(panel->sums[i + r][j + c]);
    }
    for (uint32_t k = 0; k < depth; k += 16) {
        UNROLLED
        for (uint32_t c = 0; c < columns; c++)
            weights[c] = vec_load(&panel->weights[j + c][k]);
        UNROLLED
        for (uint32_t r = 0; r < rows; r++) {
            const vec at = vec_load(x + (int64_t)r * x_stride + k);
            UNROLLED
            for (uint32_t c = 0; c < columns; c++)
                sums[r][c] = vec_fma(weights[c], at, sums[r][c]);
        }
    }
    UNROLLED
    for (uint32_t r = 0; r < rows; r++) {
        UNROLLED
        for (uint32_t c = 0; c < columns; c++)
            vec_store(panel->sums[i + r][j + c], sums[r][c]);
    }
}

INLINE void panel_rows(const float *x, int64_t x_stride, uint32_t depth, struct panel *panel, uint32_t i, uint32_t rows,
                       uint32_t columns)
{
    uint32_t j = 0;
    for (; j + TILE_NR <= columns; j += TILE_NR)
        panel_tile(x, x_stride, depth, panel, i, j, rows, TILE_NR);
    for (; j < columns; j++)
        panel_tile(x, x_stride, depth, panel, i, j, rows, 1);
}

/* One slice of k for `rows` rows: as many as the registers hold at a time, then what is left in one go. */
static __attribute__((noinline)) void panel_slice(const float *x, int64_t x_stride, uint32_t depth, struct panel *panel,
                                                  uint32_t rows, uint32_t columns)
{
    uint32_t i = 0;
    for (; i + TILE_MR <= rows; i += TILE_MR)
        panel_rows(x + (int64_t)i * x_stride, x_stride, depth, panel, i, TILE_MR, columns);
#if TILE_MR > 1
    x += (int64_t)i * x_stride;
    switch (rows - i) {
    case 1:
        panel_rows(x, x_stride, depth, panel, i, 1, columns);
        break;
#if TILE_MR > 2
    case 2:
        panel_rows(x, x_stride, depth, panel, i, 2, columns);
        break;
    case 3:
        panel_rows(x, x_stride, depth, panel, i, 3, columns);
        break;
    case 4:
        panel_rows(x, x_stride, depth, panel, i, 4, columns);
        break;
    case 5:
        panel_rows(x, x_stride, depth, panel, i, 5, columns);
        break;
#endif
    default:
        break;
    }
#endif
}

static __attribute__((noinline)) void panel_finish(const struct cpu_qmm *job, uint64_t m, uint32_t rows, uint64_t n,
                                                   uint32_t columns, const struct panel *panel)
{
    static const float no_bias[PANEL_COLUMNS] = {0};
    const float *bias = job->bias != NULL ? job->bias + n : no_bias; /* x + 0 is x, but for the sign of a zero */
    for (uint32_t i = 0; i < rows; i++) {
        float *y = job->y + (int64_t)(m + i) * job->y_stride + (int64_t)n;
        uint32_t j = 0;
        for (; j + 4 <= columns; j += 4)
            vec_sum_4(vec_load(panel->sums[i][j]), vec_load(panel->sums[i][j + 1]), vec_load(panel->sums[i][j + 2]),
                      vec_load(panel->sums[i][j + 3]), y + j);
        for (; j < columns; j++)
            y[j] = vec_sum(vec_load(panel->sums[i][j]));
        for (j = 0; j < columns; j++)
            y[j] += bias[j];
    }
}

/* A panel's columns n .. n + columns - 1 for rows m .. m + rows - 1. */
INLINE void panel_run(const struct cpu_qmm *job, uint32_t format, uint64_t m, uint32_t rows, uint64_t n,
                      uint32_t columns, struct panel *panel)
{
    for (uint32_t i = 0; i < rows; i++)
        for (uint32_t j = 0; j < columns; j++)
            vec_store(panel->sums[i][j], vec_set(0.0f));
    for (uint64_t k = 0; k < job->k; k += PANEL_DEPTH) {
        const uint32_t depth = (uint32_t)least(job->k - k, PANEL_DEPTH);
        const float *x = job->x + (int64_t)m * job->x_stride + k;
        panel_fill(job, format, n, columns, k / BLOCK, depth / BLOCK, panel);
        PLANTED(sums_start_anew_in_each_slice, memset(panel->sums, 0, sizeof panel->sums));
        panel_slice(x, job->x_stride, depth, panel, rows, columns);
    }
    panel_finish(job, m, rows, n, columns, panel);
}

INLINE void many_rows(const struct cpu_qmm *job, uint32_t format)
{
    struct panel panel;
    for (uint64_t n = job->n0; n < job->n1; n += PANEL_COLUMNS)
        for (uint64_t m = job->m0; m < job->m1; m += PANEL_ROWS)
            panel_run(job, format, m, (uint32_t)least(job->m1 - m, PANEL_ROWS), n,
                      (uint32_t)least(job->n1 - n, PANEL_COLUMNS), &panel);
}

/* One format, so that the code above is compiled with it as a constant; out of line to keep stacks apart. */
#define QUANTIZED_MATMUL_FORMAT(name, format)                                                                          \
    static __attribute__((noinline)) void name##_many(const struct cpu_qmm *job)                                       \
    {                                                                                                                  \
        many_rows(job, format);                                                                                        \
    }                                                                                                                  \
    static void name(const struct cpu_qmm *job)                                                                        \
    {                                                                                                                  \
        switch (job->m1 - job->m0) {                                                                                   \
        case 0:                                                                                                        \
            break;                                                                                                     \
        case 1:                                                                                                        \
            few_rows(job, format, 1);                                                                                  \
            break;                                                                                                     \
        case 2:                                                                                                        \
            few_rows(job, format, 2);                                                                                  \
            break;                                                                                                     \
        case 3:                                                                                                        \
            few_rows(job, format, 3);                                                                                  \
            break;                                                                                                     \
        case FEW_ROWS:                                                                                                 \
            few_rows(job, format, FEW_ROWS);                                                                           \
            break;                                                                                                     \
        default:                                                                                                       \
            name##_many(job);                                                                                          \
        }                                                                                                              \
    }

#define QUANTIZED_MATMUL(name)                                                                                         \
    QUANTIZED_MATMUL_FORMAT(q4_0, HALY_Q4_0)                                                                           \
    QUANTIZED_MATMUL_FORMAT(q4_1, HALY_Q4_1)                                                                           \
    QUANTIZED_MATMUL_FORMAT(q8_0, HALY_Q8_0)                                                                           \
    void name(const struct cpu_qmm *job)                                                                               \
    {                                                                                                                  \
        if (job->format == HALY_Q4_0)                                                                                  \
            q4_0(job);                                                                                                 \
        else if (job->format == HALY_Q4_1)                                                                             \
            q4_1(job);                                                                                                 \
        else                                                                                                           \
            q8_0(job);                                                                                                 \
    }

#endif
