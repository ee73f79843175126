/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention tuned for f32: the query heads that share a key/value head go through its keys together. One function per
 * instruction set, all from cpu_attention.c.
 */
#ifndef CPU_ATTENTION_H
#define CPU_ATTENTION_H

#include <stdint.h>

#define CPU_ATTENTION_MAX_SIZE 512U /* of head_size and value_size, which are multiples of 16 */

/*
 * The query heads of one batch entry that share one key/value head, for queries i0 <= i < i1:
 * y = softmax(scale * q k^T) v over keys 0 .. kv_length - 1 and, when causal, <= i + causal_offset. A query that sees
 * no key gives zeros. Strides count floats; elements of a head are adjacent. The bits of a row of y depend on that row
 * of q, the keys and values that it sees and nothing else: not on the range of queries, nor on the other heads. AVX2
 * and AVX-512 give the same bits.
 */
struct cpu_attention {
    const float *q; /* of the first of the heads */
    const float *k;
    const float *v;
    float *y;
    int64_t q_row, q_head; /* between queries, between heads */
    int64_t k_row, v_row;
    int64_t y_row, y_head;
    uint32_t heads;
    uint32_t head_size, value_size;
    uint32_t is_causal;
    int64_t causal_offset;
    uint64_t kv_length;
    uint64_t i0, i1;
    float scale;
};

/* Re-entrant; uses up to 16 KiB of stack. */
void haly_cpu_attention_baseline(const struct cpu_attention *job);
#if defined(__x86_64__)
void haly_cpu_attention_avx2(const struct cpu_attention *job);   /* needs AVX2, FMA */
void haly_cpu_attention_avx512(const struct cpu_attention *job); /* needs AVX-512 F, DQ, VL besides */
#endif

#endif
