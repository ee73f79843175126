/* SPDX-License-Identifier: Apache-2.0 */
/* The cpu backend's attention against plain loops in double precision, and against itself under every cut of the
 * queries. */
#include "kernels_test.h"
#include "cpu_attention.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void (*attention)(const struct cpu_attention *);

static size_t functions(attention *out)
{
    size_t count = 0;
    out[count++] = haly_cpu_attention_baseline;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        out[count++] = haly_cpu_attention_avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        out[count++] = haly_cpu_attention_avx512;
#endif
    return count;
}

/* Floats with gaps between rows that hold NaN: reading or counting them shows. */
static float *random_rows(struct rng *rng, size_t rows, size_t width, size_t stride)
{
    float *values = malloc((rows * stride + 1) * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < rows * stride + 1; i++)
        values[i] = i < rows * stride && i % stride < width ? (float)rng_real(rng, -2, 2) : NAN;
    return values;
}

static uint64_t visible_keys(const struct cpu_attention *job, uint64_t i)
{
    const int64_t seen = (int64_t)i + job->causal_offset + 1;
    return !job->is_causal || seen > (int64_t)job->kv_length ? job->kv_length : seen < 0 ? 0 : (uint64_t)seen;
}

static void check_row(const struct cpu_attention *job, uint64_t i, uint32_t h)
{
    const uint64_t visible = visible_keys(job, i);
    const float *q = job->q + (int64_t)i * job->q_row + h * job->q_head;
    const float *y = job->y + (int64_t)i * job->y_row + h * job->y_head;
    double *weights = malloc((visible + 1) * sizeof *weights), largest = -INFINITY, total = 0;
    assert_non_null(weights);
    for (uint64_t j = 0; j < visible; j++) {
        weights[j] = 0;
        for (uint32_t d = 0; d < job->head_size; d++)
            weights[j] += (double)q[d] * (double)job->k[(int64_t)j * job->k_row + d] * (double)job->scale;
        largest = fmax(largest, weights[j]);
    }
    for (uint64_t j = 0; j < visible; j++)
        total += weights[j] = exp(weights[j] - largest);
    for (uint32_t d = 0; d < job->value_size; d++) {
        double want = 0;
        for (uint64_t j = 0; j < visible; j++)
            want += weights[j] / total * (double)job->v[(int64_t)j * job->v_row + d];
        if (!(fabs((double)y[d] - want) <= 4e-6))
            fail_msg("query %d head %u element %u is %.9g, expected %.9g", (int)i, h, d, (double)y[d], want);
    }
    free(weights);
}

/* Whole, then in random ranges: the same bits. */
static void run_and_cut(struct rng *rng, attention run, struct cpu_attention job, size_t y_size)
{
    const uint64_t end = job.i1;
    float *whole = malloc(y_size);
    assert_non_null(whole);
    memset(job.y, 0xa5, y_size);
    run(&job);
    memcpy(whole, job.y, y_size);
    for (uint64_t i = 0; i < end; i++)
        for (uint32_t h = 0; h < job.heads; h++)
            check_row(&job, i, h);
    memset(job.y, 0xa5, y_size);
    for (job.i0 = 0; job.i0 < end; job.i0 = job.i1) {
        job.i1 = job.i0 + 1 + rng_below(rng, 5);
        job.i1 = job.i1 < end ? job.i1 : end;
        run(&job);
    }
    assert_memory_equal(whole, job.y, y_size);
    free(whole);
}

static void run_case(struct rng *rng, int number)
{
    static const uint32_t sizes[5] = {16, 64, 80, 128, 512};
    const uint32_t heads = 1 + rng_below(rng, 5), head = sizes[rng_below(rng, 5)], value = sizes[rng_below(rng, 5)];
    const uint64_t queries = number % 3 == 0 ? 1 : 1 + rng_below(rng, 40), keys = rng_below(rng, number % 2 ? 300 : 70);
    float *q = random_rows(rng, queries * heads, head, head + 3), *k = random_rows(rng, keys, head, head + 5);
    float *v = random_rows(rng, keys, value, value + 1);
    const size_t y_size = queries * heads * (value + 2) * sizeof(float);
    float *y = malloc(2 * y_size + 1), *previous = y + queries * heads * (value + 2);
    assert_non_null(y);
    const struct cpu_attention job = {.q = q,
                                      .k = k,
                                      .v = v,
                                      .y = y,
                                      .q_row = (int64_t)heads * (head + 3),
                                      .q_head = head + 3,
                                      .k_row = head + 5,
                                      .v_row = value + 1,
                                      .y_row = (int64_t)heads * (value + 2),
                                      .y_head = value + 2,
                                      .heads = heads,
                                      .head_size = head,
                                      .value_size = value,
                                      .is_causal = number % 4 != 0,
                                      .kv_length = keys,
                                      .causal_offset = (int64_t)keys - (int64_t)queries,
                                      .i1 = queries,
                                      .scale = 0.125f};
    attention all[3];
    const size_t count = functions(all);
    for (size_t f = 0; f < count; f++) {
        run_and_cut(rng, all[f], job, y_size);
        if (f == 2)
            assert_memory_equal(previous, y, y_size);
        memcpy(previous, y, y_size);
    }
    free(q);
    free(k);
    free(v);
    free(y);
}

static void attention_matches_and_ignores_how_queries_are_cut(void **state)
{
    (void)state;
    struct rng rng = {501};
    for (int number = 0; number < 80; number++)
        run_case(&rng, number);
}

/* What a query must not see may be anything: rows of the cache that nobody wrote. */
static void unseen_keys_and_values_are_never_counted(void **state)
{
    (void)state;
    enum { QUERIES = 6, SIZE = 32 };
    struct rng rng = {502};
    float *q = random_rows(&rng, QUERIES, SIZE, SIZE), *k = random_rows(&rng, 100, SIZE, SIZE),
          *v = random_rows(&rng, 100, SIZE, SIZE);
    float y[2][QUERIES * SIZE];
    struct cpu_attention job = {.q = q,
                                .k = k,
                                .v = v,
                                .q_row = SIZE,
                                .k_row = SIZE,
                                .v_row = SIZE,
                                .y_row = SIZE,
                                .heads = 1,
                                .head_size = SIZE,
                                .value_size = SIZE,
                                .is_causal = 1,
                                .kv_length = 100,
                                .causal_offset = 62,
                                .i1 = QUERIES,
                                .scale = 0.2f};
    attention all[3];
    const size_t count = functions(all);
    for (size_t f = 0; f < count; f++) {
        job.y = y[0];
        all[f](&job);
        for (int i = 66 * SIZE; i < 100 * SIZE; i++)
            k[i] = v[i] = NAN;
        job.y = y[1];
        all[f](&job);
        assert_memory_equal(y[0], y[1], 4 * SIZE * sizeof(float)); /* queries 0 to 3 see keys 0 to 65 at most */
        assert_true(isnan(y[1][5 * SIZE]));
        for (int i = 66 * SIZE; i < 100 * SIZE; i++)
            k[i] = v[i] = (float)rng_real(&rng, -2, 2);
    }
    free(q);
    free(k);
    free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_matches_and_ignores_how_queries_are_cut),
        cmocka_unit_test(unseen_keys_and_values_are_never_counted),
    };
    return cmocka_run_group_tests_name("cpu_attention", tests, NULL, NULL);
}
