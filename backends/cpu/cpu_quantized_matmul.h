/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products with block-quantised weights, tuned for x86-64: what decides how fast a quantised model answers. One
 * function per instruction set, all with the same arithmetic, described in cpu_quantized_matmul_tile.h.
 */
#ifndef CPU_QUANTIZED_MATMUL_H
#define CPU_QUANTIZED_MATMUL_H

#include <stdint.h>

/*
 * One tile of y[m][n] = sum over k of x[m][k] * w[n][k] (+ bias[n]): rows m0 <= m < m1, columns n0 <= n < n1.
 * The bits of an element of y depend on its row of x, its row of weights and k only: not on the tile, nor on how many
 * rows are done at once. The AVX2 and the AVX-512 function give the same bits; the baseline one may differ in the last
 * places, because it has no fused multiply-add.
 */
struct cpu_qmm {
    const float *x;
    int64_t x_stride; /* floats between rows; elements of a row are adjacent */
    const uint8_t *weight;
    int64_t weight_stride; /* bytes between rows */
    const float *bias;     /* n values, or NULL */
    float *y;
    int64_t y_stride; /* floats between rows; elements of a row are adjacent */
    uint64_t k;       /* a multiple of 32 */
    uint64_t m0, m1, n0, n1;
    uint32_t format; /* HALY_Q4_0, HALY_Q4_1 or HALY_Q8_0 */
};

/* Re-entrant; uses up to 128 KiB of stack. */
void haly_cpu_quantized_matmul_baseline(const struct cpu_qmm *job);
#if defined(__x86_64__)
void haly_cpu_quantized_matmul_avx2(const struct cpu_qmm *job);   /* needs AVX2, FMA, F16C */
void haly_cpu_quantized_matmul_avx512(const struct cpu_qmm *job); /* needs AVX-512 F, BW, DQ, VL besides */
#endif

#endif
