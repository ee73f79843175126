/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention by the online softmax in blocks of 64 keys, compiled once per instruction set. A few rows of queries share
 * each key and each value that is read. Per row the order of all sums is fixed: a dot product in 16 lanes and their
 * tree, keys in order, blocks in order; so rows can be grouped in any way. Blocks start at multiples of 64 for the same
 * reason.
 */
#include <halyard/kernel.h>
#include "cpu_attention.h"
#include "cpu_vector.h"
#include "planted.h"

#define KEYS 64U
/* Rows at a time: their sums for four keys, and for 64 elements of a value, fill the registers. */
#if defined(__AVX512F__)
#define ROWS 4U
#else
#define ROWS 1U
#endif

struct row {
    const float *q;
    float *y;
    uint64_t visible; /* keys, from the first */
    float largest, total;
    float shrink;   /* of what was summed up before the current block */
    uint32_t count; /* keys of the current block that it sees */
};

struct state {
    struct row rows[ROWS];
    float scores[ROWS][KEYS] __attribute__((aligned(64)));
    float sums[ROWS][CPU_ATTENTION_MAX_SIZE] __attribute__((aligned(64)));
};

/* Dot products of `rows` queries with `keys` (1 or 4) keys from number `at` of the block. */
INLINE void dot_keys(struct state *state, const struct cpu_attention *job, const float *k, uint32_t at, uint32_t rows,
                     uint32_t keys)
{
    vec sums[ROWS][4];
    UNROLLED
    for (uint32_t r = 0; r < rows; r++) {
        UNROLLED
        for (uint32_t j = 0; j < keys; j++)
            sums[r][j] = vec_set(0.0f);
    }
    for (uint32_t d = 0; d < job->head_size; d += 16) {
        vec key[4];
        UNROLLED
        for (uint32_t j = 0; j < keys; j++)
            key[j] = vec_load(k + (int64_t)(at + j) * job->k_row + d);
        UNROLLED
        for (uint32_t r = 0; r < rows; r++) {
            const vec query = vec_load(state->rows[r].q + d);
            UNROLLED
            for (uint32_t j = 0; j < keys; j++)
                sums[r][j] = vec_fma(query, key[j], sums[r][j]);
        }
    }
    UNROLLED
    for (uint32_t r = 0; r < rows; r++) {
        if (keys == 4)
            vec_sum_4(sums[r][0], sums[r][1], sums[r][2], sums[r][3], &state->scores[r][at]);
        else
            state->scores[r][at] = vec_sum(sums[r][0]);
    }
}

INLINE void dot_block(struct state *state, const struct cpu_attention *job, const float *k, uint32_t count,
                      uint32_t rows)
{
    uint32_t at = 0;
    for (; at + 4 <= count; at += 4)
        dot_keys(state, job, k, at, rows, 4);
    for (; at < count; at++)
        dot_keys(state, job, k, at, rows, 1);
}

/* Scores to weights, relative to the largest score so far; `total` takes them up. */
static void weigh_block(struct row *row, float *scores, float scale)
{
    float lanes[16];
    if (row->count == 0) {
        row->shrink = 1.0f;
        return;
    }
    for (uint32_t t = 0; t < KEYS; t++)
        scores[t] = t < row->count ? scores[t] * scale : -HALY_INFINITY;
    for (uint32_t l = 0; l < 16; l++)
        lanes[l] = scores[l];
    for (uint32_t t = 16; t < KEYS; t += 16)
        for (uint32_t l = 0; l < 16; l++)
            lanes[l] = haly_maxf(scores[t + l], lanes[l]);
    for (uint32_t half = 8; half > 0; half /= 2)
        for (uint32_t l = 0; l < half; l++)
            lanes[l] = haly_maxf(lanes[l], lanes[l + half]);
    const float next = haly_maxf(lanes[0], row->largest);
    if (next == -HALY_INFINITY) { /* scores of -infinity alone count for nothing */
        row->shrink = 1.0f;
        memset(scores, 0, KEYS * sizeof *scores);
        return;
    }
    for (uint32_t t = 0; t < KEYS; t++)
        scores[t] = haly_expf(scores[t] - next);
    const vec sum = vec_add(vec_add(vec_load(scores), vec_load(scores + 16)),
                            vec_add(vec_load(scores + 32), vec_load(scores + 48)));
    row->shrink = haly_expf(row->largest - next);
    row->largest = next;
    row->total = haly_mad(row->total, row->shrink, vec_sum(sum));
}

/* sums[r][d ..] = sums * shrink + weights * values, for keys [first, last) and `parts` vectors of elements. */
INLINE void add_values(struct state *state, const struct cpu_attention *job, const float *v, uint32_t first,
                       uint32_t last, uint32_t d, uint32_t r0, uint32_t rows, uint32_t parts)
{
    vec sums[ROWS][4];
    UNROLLED
    for (uint32_t r = 0; r < rows; r++) {
        UNROLLED
        for (uint32_t p = 0; p < parts; p++)
            sums[r][p] = vec_mul(vec_load(&state->sums[r0 + r][d + p * 16]), vec_set(state->rows[r0 + r].shrink));
    }
    for (uint32_t j = first; j < last; j++) {
        vec value[4];
        UNROLLED
        for (uint32_t p = 0; p < parts; p++)
            value[p] = vec_load(v + (int64_t)j * job->v_row + d + (int64_t)p * 16);
        UNROLLED
        for (uint32_t r = 0; r < rows; r++) {
            const vec weight = vec_set(state->scores[r0 + r][j]);
            UNROLLED
            for (uint32_t p = 0; p < parts; p++)
                sums[r][p] = vec_fma(weight, value[p], sums[r][p]);
        }
    }
    UNROLLED
    for (uint32_t r = 0; r < rows; r++) {
        UNROLLED
        for (uint32_t p = 0; p < parts; p++)
            vec_store(&state->sums[r0 + r][d + p * 16], sums[r][p]);
    }
}

INLINE void add_block(struct state *state, const struct cpu_attention *job, const float *v, uint32_t first,
                      uint32_t last, uint32_t r0, uint32_t rows)
{
    uint32_t d = 0;
    for (; d + 64 <= job->value_size; d += 64)
        add_values(state, job, v, first, last, d, r0, rows, 4);
    for (; d < job->value_size; d += 16)
        add_values(state, job, v, first, last, d, r0, rows, 1);
}

/* One block of keys for all rows. Keys that just some rows see are left to those: others must not touch their values,
   which might be no numbers. */
INLINE void run_block(struct state *state, const struct cpu_attention *job, uint64_t j, uint32_t rows)
{
    uint32_t common = KEYS, most = 0;
    for (uint32_t r = 0; r < rows; r++) {
        struct row *row = &state->rows[r];
        row->count = row->visible <= j ? 0 : row->visible - j < KEYS ? (uint32_t)(row->visible - j) : KEYS;
        common = row->count < common ? row->count : common;
        most = row->count > most ? row->count : most;
    }
    dot_block(state, job, job->k + (int64_t)j * job->k_row, most, rows);
    for (uint32_t r = 0; r < rows; r++)
        weigh_block(&state->rows[r], state->scores[r], job->scale);
    const float *v = job->v + (int64_t)j * job->v_row;
    add_block(state, job, v, 0, common, 0, rows);
    for (uint32_t r = 0; r < rows; r++) {
        state->rows[r].shrink = 1.0f;
        if (state->rows[r].count > common)
            add_block(state, job, v, common, state->rows[r].count, r, 1);
    }
}

/* Rows number `first` and so on, counted through the heads of each query. */
INLINE void run_rows(struct state *state, const struct cpu_attention *job, uint64_t first, uint32_t rows)
{
    uint64_t most = 0;
    for (uint32_t r = 0; r < rows; r++) {
        const uint64_t i = job->i0 + (first + r) / job->heads, h = (first + r) % job->heads;
        const int64_t seen = (int64_t)i + job->causal_offset + PLANTED_OR(attention_looks_ahead, 1, 2);
        uint64_t visible = job->kv_length;
        if (job->is_causal != 0 && seen < (int64_t)visible)
            visible = seen < 0 ? 0 : (uint64_t)seen;
        state->rows[r] = (struct row){.q = job->q + (int64_t)i * job->q_row + (int64_t)h * job->q_head,
                                      .y = job->y + (int64_t)i * job->y_row + (int64_t)h * job->y_head,
                                      .visible = visible,
                                      .largest = -HALY_INFINITY};
        most = visible > most ? visible : most;
        memset(state->sums[r], 0, job->value_size * sizeof(float));
    }
    for (uint64_t j = 0; j < most; j += KEYS)
        run_block(state, job, j, rows);
    for (uint32_t r = 0; r < rows; r++) {
        const struct row *row = &state->rows[r];
        const float inverse = row->total != 0.0f ? 1.0f / row->total : 0.0f;
        for (uint32_t d = 0; d < job->value_size; d++)
            row->y[d] = state->sums[r][d] * inverse;
    }
}

void HALY_CAT(haly_cpu_attention, HALY_KERNEL_SUFFIX)(const struct cpu_attention *job)
{
    struct state state;
    const uint64_t count = (job->i1 - job->i0) * job->heads;
    uint64_t first = 0;
    for (; first + ROWS <= count; first += ROWS)
        run_rows(&state, job, first, ROWS);
#if defined(__AVX512F__)
    if (count - first == 3)
        run_rows(&state, job, first, 3);
    else if (count - first == 2)
        run_rows(&state, job, first, 2);
    else if (count - first == 1)
        run_rows(&state, job, first, 1);
#endif
}
