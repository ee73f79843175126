/* SPDX-License-Identifier: Apache-2.0 */
/* Rotary embedding, the key/value cache write and attention, against plain loops in double precision. */
#include "kernels_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct rotary_arguments {
    const void *x, *positions, *cos, *sin;
    void *y;
    struct haly_rotary r;
};

struct kv_write_arguments {
    const void *k, *v, *past;
    void *k_cache, *v_cache;
    struct haly_kv_write w;
};

struct attention_arguments {
    const void *q, *k, *v, *mask, *lengths;
    void *y;
    struct haly_attention a;
};

/* Row-major strides of four dimensions. */
static void strides4(int64_t *strides, uint64_t b, uint64_t c, uint64_t d)
{
    strides[0] = (int64_t)(b * c * d);
    strides[1] = (int64_t)(c * d);
    strides[2] = (int64_t)d;
    strides[3] = 1;
}

static uint64_t fixed_point(double value)
{
    return (uint64_t)ldexp(value, 64);
}

/* ---- rotary ---- */
enum { BATCH = 2, SEQUENCE = 3, HEADS = 2, HEAD = 20 };

static void rotary_frequencies(struct haly_rotary *rotary, double base)
{
    rotary->frequency_first = fixed_point(1 / (2 * acos(-1.0)));
    rotary->frequency_ratio = fixed_point(pow(base, -2.0 / rotary->rotary_dim));
}

static void check_rotary(const struct array *x, const struct array *y, const struct haly_rotary *r, size_t head,
                         double position, double base)
{
    const uint32_t pairs = r->rotary_dim / 2;
    for (uint32_t j = 0; j < pairs; j++) {
        const size_t p = head + (r->interleaved ? 2 * j : j), q = p + (r->interleaved ? 1 : pairs);
        const double angle = position * pow(base, -2.0 * j / r->rotary_dim);
        const double u = array_get(x, p), v = array_get(x, q), error = (4e-7 + 1e-6) * (fabs(u) + fabs(v));
        assert_close(y, p, u * cos(angle) - v * sin(angle), error);
        assert_close(y, q, v * cos(angle) + u * sin(angle), error);
    }
    for (uint32_t i = r->rotary_dim; i < HEAD; i++)
        assert_true(array_get(x, head + i) == array_get(y, head + i));
}

static void rotary_turns_pairs_by_position(void **state)
{
    (void)state;
    struct rng rng = {301};
    for (int i = 0; i < 72; i++) {
        const double base = i % 2 ? 10000 : 500000;
        struct array x = array_new(real_dtypes[i % 3], BATCH * SEQUENCE * HEADS * HEAD),
                     y = array_new(x.dtype, x.count);
        struct array positions = array_new(i / 3 % 2 ? HALY_KERNEL_I32 : HALY_KERNEL_I64, BATCH * SEQUENCE);
        struct haly_rotary rotary = {.heads = HEADS,
                                     .head_size = HEAD,
                                     .rotary_dim = i / 6 % 2 ? 20 : 8,
                                     .interleaved = i / 12 % 2 != 0,
                                     .position_strides = {SEQUENCE, 1},
                                     .position_first = i / 24 == 2 ? 1000000 : 0};
        const int has_positions = i / 24 != 1;
        rotary.position_dtype = has_positions ? positions.dtype : HALY_KERNEL_NONE;
        rotary_frequencies(&rotary, base);
        strides4(rotary.x_strides, SEQUENCE, HEADS, HEAD);
        strides4(rotary.y_strides, SEQUENCE, HEADS, HEAD);
        array_random(&x, &rng, -2, 2);
        for (size_t j = 0; j < positions.count; j++)
            array_set(&positions, j, (double)rng_below(&rng, 40000));
        const struct rotary_arguments arguments = {x.data, has_positions ? positions.data : NULL, NULL, NULL, y.data,
                                                   rotary};
        kernel_run_orders(kernel_find("rotary", x.dtype), SEQUENCE, BATCH, 1, &arguments, sizeof arguments, &y);
        for (size_t row = 0; row < BATCH * SEQUENCE; row++)
            for (size_t h = 0; h < HEADS; h++) {
                const double position = has_positions ? array_get(&positions, row) : (double)(row % SEQUENCE);
                check_rotary(&x, &y, &rotary, (row * HEADS + h) * HEAD, position + (double)rotary.position_first, base);
            }
        array_free(&x);
        array_free(&y);
        array_free(&positions);
    }
}

static void rotary_reads_caches_and_marks_positions_outside(void **state)
{
    (void)state;
    struct rng rng = {302};
    struct array x = array_new(HALY_KERNEL_F32, 4 * HEAD), y = array_new(HALY_KERNEL_F32, 4 * HEAD);
    struct array cosines = array_new(HALY_KERNEL_F16, 8 * HEAD / 2), sines = array_new(HALY_KERNEL_F16, 8 * HEAD / 2);
    const int64_t positions[4] = {7, 0, 8, -1};
    array_random(&x, &rng, -2, 2);
    array_random(&cosines, &rng, -1, 1);
    array_random(&sines, &rng, -1, 1);
    const struct rotary_arguments arguments = {x.data,
                                               positions,
                                               cosines.data,
                                               sines.data,
                                               y.data,
                                               {.heads = 1,
                                                .head_size = HEAD,
                                                .rotary_dim = HEAD,
                                                .position_dtype = HALY_KERNEL_I64,
                                                .cache_dtype = HALY_KERNEL_F16,
                                                .position_strides = {0, 1},
                                                .x_strides = {0, HEAD, 0, 1},
                                                .y_strides = {0, HEAD, 0, 1},
                                                .cache_rows = 8,
                                                .cache_strides = {{HEAD / 2, 1}, {HEAD / 2, 1}}}};
    kernel_run_orders(kernel_find("rotary", HALY_KERNEL_F32), 4, 1, 1, &arguments, sizeof arguments, &y);
    for (size_t s = 0; s < 4; s++)
        for (size_t j = 0; j < HEAD / 2; j++) {
            const double u = array_get(&x, s * HEAD + j), v = array_get(&x, s * HEAD + j + HEAD / 2);
            const size_t cell = (size_t)(positions[s] & 7) * HEAD / 2 + j;
            const double c = s < 2 ? array_get(&cosines, cell) : (double)NAN, d = array_get(&sines, cell);
            assert_close(&y, s * HEAD + j, u * c - v * d, 4e-7 * (fabs(u) + fabs(v)));
        }
    array_free(&x);
    array_free(&y);
    array_free(&cosines);
    array_free(&sines);
}

/* ---- key/value cache ---- */
static void cache_write_places_rows_and_drops_those_outside(void **state)
{
    (void)state;
    struct rng rng = {303};
    for (int i = 0; i < 12; i++) {
        const uint32_t dtype = real_dtypes[i % 3];
        const int64_t device_past[2] = {1, 5}; /* capacity 7, length 3: batch 1 loses a row */
        struct array k = array_new(dtype, 2 * 3 * 2 * 70), v = array_new(dtype, 2 * 3 * 2 * 10);
        struct array k_cache = array_new(dtype, 2 * 2 * 7 * 70), v_cache = array_new(dtype, 2 * 2 * 7 * 10);
        struct haly_kv_write write = {.head_size = 70,
                                      .value_size = 10,
                                      .capacity = 7,
                                      .past_stride = 1,
                                      .past_dtype = i / 6 ? HALY_KERNEL_I64 : HALY_KERNEL_NONE,
                                      .past_first = i / 6 ? 0 : 5,
                                      .k_strides = {3 * 2 * 70, 70, 2 * 70, 1},
                                      .v_strides = {3 * 2 * 10, 10, 2 * 10, 1}};
        strides4(write.k_cache_strides, 2, 7, 70);
        strides4(write.v_cache_strides, 2, 7, 10);
        array_random(&k, &rng, -2, 2);
        array_random(&v, &rng, -2, 2);
        const struct kv_write_arguments arguments = {k.data,       v.data,       i / 6 ? device_past : NULL,
                                                     k_cache.data, v_cache.data, write};
        array_poison(&v_cache);
        const double untouched = array_get(&v_cache, 0);
        kernel_run_orders(kernel_find("kv_cache_write", dtype), 3, 2, 2, &arguments, sizeof arguments, &k_cache);
        for (size_t cell = 0; cell < v_cache.count; cell++) {
            const size_t b = cell / 140, h = cell / 70 % 2, row = cell / 10 % 7, d = cell % 10;
            const size_t past = i / 6 ? (size_t)device_past[b] : 5;
            const int is_new = row >= past && row < past + 3;
            const double want = is_new ? array_get(&v, ((b * 3 + row - past) * 2 + h) * 10 + d) : untouched;
            assert_true(array_get(&v_cache, cell) == want);
            if (is_new)
                assert_true(array_get(&k_cache, ((b * 2 + h) * 7 + row) * 70 + d * 7) ==
                            array_get(&k, ((b * 3 + row - past) * 2 + h) * 70 + d * 7));
        }
        array_free(&k);
        array_free(&v);
        array_free(&k_cache);
        array_free(&v_cache);
    }
}

/* ---- attention ---- */
struct attention_case {
    uint32_t dtype, batch, q_heads, kv_heads, q_length, head, value;
    uint64_t kv_length, capacity;
    int causal, mask; /* mask: 0 none, 1 added, 2 bool */
    int64_t offset;
    double softcap;
    const int32_t *lengths;
    int is_strided; /* elements of k and v two apart */
};

static double exact_score(const struct attention_case *c, const struct attention_arguments *arguments,
                          const struct array *q, const struct array *k, const struct array *mask, uint32_t b,
                          uint32_t h, uint32_t i, uint64_t j)
{
    const struct haly_attention *a = &arguments->a;
    const uint32_t g = h / (c->q_heads / c->kv_heads);
    double dot = 0;
    for (uint32_t d = 0; d < c->head; d++)
        dot += array_get(
                   q, (size_t)(b * a->q_strides[0] + h * a->q_strides[1] + i * a->q_strides[2] + d * a->q_strides[3])) *
               array_get(k, (size_t)(b * a->k_strides[0] + g * a->k_strides[1] + (int64_t)j * a->k_strides[2] +
                                     d * a->k_strides[3]));
    double score = dot * (double)a->scale;
    if (c->softcap > 0)
        score = c->softcap * tanh(score / c->softcap);
    if (c->mask != 0) {
        const double m = array_get(mask, (size_t)(i * a->mask_strides[2] + (int64_t)j * a->mask_strides[3]));
        score = c->mask == 1 ? score + m : m != 0 ? score : -(double)INFINITY;
    }
    return score;
}

static uint64_t exact_visible(const struct attention_case *c, uint32_t b, uint32_t i)
{
    int64_t length = (int64_t)c->kv_length, offset = c->offset;
    if (c->lengths != NULL) {
        length = c->lengths[b] < length ? c->lengths[b] : length;
        offset = length - c->q_length;
    }
    if (c->causal && i + offset + 1 < length)
        length = i + offset + 1;
    return length < 0 ? 0 : (uint64_t)length;
}

static void check_attention_row(const struct attention_case *c, const struct attention_arguments *arguments,
                                const struct array *const *arrays, uint32_t b, uint32_t h, uint32_t i)
{
    const struct haly_attention *a = &arguments->a;
    const uint32_t g = h / (c->q_heads / c->kv_heads);
    const uint64_t visible = exact_visible(c, b, i);
    double *scores = malloc((visible + 1) * sizeof *scores), largest = -INFINITY, total = 0;
    assert_non_null(scores);
    for (uint64_t j = 0; j < visible; j++) {
        scores[j] = exact_score(c, arguments, arrays[0], arrays[1], arrays[3], b, h, i, j);
        largest = fmax(largest, scores[j]);
    }
    for (uint64_t j = 0; j < visible; j++)
        total += scores[j] = isinf(largest) ? 0 : exp(scores[j] - largest);
    for (uint32_t d = 0; d < c->value; d++) {
        double sum = 0;
        for (uint64_t j = 0; j < visible; j++)
            sum += scores[j] * array_get(arrays[2], (size_t)(b * a->v_strides[0] + g * a->v_strides[1] +
                                                             (int64_t)j * a->v_strides[2] + d * a->v_strides[3]));
        assert_close(arrays[4], (size_t)(b * a->y_strides[0] + h * a->y_strides[1] + i * a->y_strides[2] + d),
                     total > 0 ? sum / total : 0, 2e-6 * 2);
    }
    free(scores);
}

static struct attention_arguments attention_arguments_of(const struct attention_case *c)
{
    const int64_t step = c->is_strided ? 2 : 1;
    struct attention_arguments arguments = {
        .lengths = c->lengths,
        .a = {.q_length = c->q_length,
              .q_heads = c->q_heads,
              .kv_heads = c->kv_heads,
              .head_size = c->head,
              .value_size = c->value,
              .causal = (uint32_t)c->causal,
              .kv_length = c->kv_length,
              .causal_offset = c->offset,
              .length_stride = 1,
              .scale = 0.25f,
              .softcap = (float)c->softcap,
              .mask_dtype = c->mask == 0   ? HALY_KERNEL_NONE
                            : c->mask == 1 ? c->dtype
                                           : HALY_KERNEL_BOOL,
              .length_dtype = c->lengths != NULL ? HALY_KERNEL_I32 : HALY_KERNEL_NONE,
              .q_strides = {(int64_t)c->q_length * c->q_heads * c->head, c->head, (int64_t)c->q_heads * c->head, 1},
              .y_strides = {(int64_t)c->q_length * c->q_heads * c->value, c->value, (int64_t)c->q_heads * c->value, 1},
              .mask_strides = {0, 0, (int64_t)c->kv_length, 1}}};
    strides4(arguments.a.k_strides, c->kv_heads, c->capacity, c->head);
    strides4(arguments.a.v_strides, c->kv_heads, c->capacity, c->value);
    for (int i = 0; i < 4; i++) {
        arguments.a.k_strides[i] *= step;
        arguments.a.v_strides[i] *= step;
    }
    return arguments;
}

static void run_attention(struct rng *rng, const struct attention_case *c)
{
    struct attention_arguments arguments = attention_arguments_of(c);
    const size_t step = c->is_strided ? 2 : 1, kv = (size_t)(c->batch * c->kv_heads * c->capacity) * step;
    struct array q = array_new(c->dtype, (size_t)c->batch * c->q_length * c->q_heads * c->head);
    struct array k = array_new(c->dtype, kv * c->head), v = array_new(c->dtype, kv * c->value);
    struct array mask = array_new(c->mask == 2 ? HALY_KERNEL_BOOL : c->dtype, (size_t)(c->q_length * c->kv_length) + 1);
    struct array y = array_new(c->dtype, (size_t)c->batch * c->q_length * c->q_heads * c->value);
    array_random(&q, rng, -2, 2);
    array_random(&k, rng, -2, 2);
    array_random(&v, rng, -2, 2);
    for (size_t i = 0; i < mask.count; i++)
        array_set(&mask, i,
                  c->mask == 2        ? rng_below(rng, 3) != 0
                  : rng_below(rng, 8) ? rng_real(rng, -2, 2)
                                      : -(double)INFINITY);
    arguments.q = q.data;
    arguments.k = k.data;
    arguments.v = v.data;
    arguments.mask = c->mask ? mask.data : NULL;
    arguments.y = y.data;
    kernel_run_orders(kernel_find("attention", c->dtype), c->q_length, c->q_heads, c->batch, &arguments,
                      sizeof arguments, &y);
    const struct array *const arrays[5] = {&q, &k, &v, &mask, &y};
    for (uint32_t b = 0; b < c->batch; b++)
        for (uint32_t h = 0; h < c->q_heads; h++)
            for (uint32_t i = 0; i < c->q_length; i++)
                check_attention_row(c, &arguments, arrays, b, h, i);
    array_free(&q);
    array_free(&k);
    array_free(&v);
    array_free(&mask);
    array_free(&y);
}

static const int32_t lengths_given[2] = {9, 500};
static const struct attention_case plain_cases[] = {
    {.batch = 2,
     .q_heads = 4,
     .kv_heads = 2,
     .q_length = 3,
     .head = 64,
     .value = 64,
     .kv_length = 300,
     .capacity = 310},
    {.batch = 1,
     .q_heads = 9,
     .kv_heads = 3,
     .q_length = 1,
     .head = 64,
     .value = 64,
     .kv_length = 129,
     .capacity = 129,
     .causal = 1,
     .offset = 128},
    {.batch = 1,
     .q_heads = 3,
     .kv_heads = 3,
     .q_length = 40,
     .head = 20,
     .value = 33,
     .kv_length = 40,
     .capacity = 64,
     .causal = 1},
    {.batch = 1,
     .q_heads = 2,
     .kv_heads = 1,
     .q_length = 5,
     .head = 7,
     .value = 300,
     .kv_length = 20,
     .capacity = 20,
     .causal = 1,
     .offset = -2},
    {.batch = 2,
     .q_heads = 2,
     .kv_heads = 1,
     .q_length = 4,
     .head = 16,
     .value = 16,
     .kv_length = 260,
     .capacity = 260,
     .causal = 1,
     .lengths = lengths_given},
    {.batch = 2,
     .q_heads = 2,
     .kv_heads = 2,
     .q_length = 4,
     .head = 16,
     .value = 8,
     .kv_length = 150,
     .capacity = 150,
     .mask = 1,
     .softcap = 3},
    {.batch = 1,
     .q_heads = 2,
     .kv_heads = 2,
     .q_length = 4,
     .head = 16,
     .value = 8,
     .kv_length = 150,
     .capacity = 150,
     .mask = 2,
     .is_strided = 1},
    {.batch = 1, .q_heads = 1, .kv_heads = 1, .q_length = 2, .head = 8, .value = 8, .kv_length = 0, .capacity = 4},
};

static void attention_matches_plain_softmax(void **state)
{
    (void)state;
    struct rng rng = {304};
    for (size_t i = 0; i < sizeof plain_cases / sizeof *plain_cases; i++)
        for (int type = 0; type < 3; type++) {
            struct attention_case c = plain_cases[i];
            c.dtype = real_dtypes[type];
            run_attention(&rng, &c);
        }
}

/* One query's bits are the same alone (decode) as among others (prefill). */
static void attention_of_a_row_does_not_depend_on_the_others(void **state)
{
    (void)state;
    struct rng rng = {305};
    struct attention_case c = {.dtype = HALY_KERNEL_F32,
                               .batch = 1,
                               .q_heads = 3,
                               .kv_heads = 1,
                               .q_length = 200,
                               .head = 64,
                               .value = 64,
                               .kv_length = 200,
                               .capacity = 200,
                               .causal = 1};
    struct array q = array_new(c.dtype, 200 * 3 * 64), k = array_new(c.dtype, 200 * 64),
                 v = array_new(c.dtype, 200 * 64);
    struct array all = array_new(c.dtype, q.count), one = array_new(c.dtype, 3 * 64);
    array_random(&q, &rng, -2, 2);
    array_random(&k, &rng, -2, 2);
    array_random(&v, &rng, -2, 2);
    struct attention_arguments arguments = attention_arguments_of(&c);
    arguments.q = q.data;
    arguments.k = k.data;
    arguments.v = v.data;
    arguments.y = all.data;
    kernel_run(kernel_find("attention", c.dtype), 200, 3, 1, &arguments, sizeof arguments, 0);
    for (uint32_t row = 0; row < 200; row += 37) {
        c.q_length = 1;
        c.offset = row;
        c.kv_length = row + 1;
        arguments = attention_arguments_of(&c);
        arguments.q = q.data + row * 3 * 64 * 4;
        arguments.k = k.data;
        arguments.v = v.data;
        arguments.y = one.data;
        kernel_run(kernel_find("attention", c.dtype), 1, 3, 1, &arguments, sizeof arguments, 0);
        assert_memory_equal(one.data, all.data + row * 3 * 64 * 4, 3 * 64 * 4);
    }
    array_free(&q);
    array_free(&k);
    array_free(&v);
    array_free(&all);
    array_free(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rotary_turns_pairs_by_position),
        cmocka_unit_test(rotary_reads_caches_and_marks_positions_outside),
        cmocka_unit_test(cache_write_places_rows_and_drops_those_outside),
        cmocka_unit_test(attention_matches_plain_softmax),
        cmocka_unit_test(attention_of_a_row_does_not_depend_on_the_others),
    };
    return kernels_test_main("kernels_attention", tests, sizeof tests / sizeof *tests);
}
