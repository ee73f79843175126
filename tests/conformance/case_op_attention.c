/* SPDX-License-Identifier: Apache-2.0 */
/* Rotary embedding, and attention over a cache that is written in place. */
#include <math.h>
#include <stdlib.h>

#include "cts_tensor.h"

#define CITED "PLAN-001 PLAN-002 NUM-001 TEN-001"

struct rotary {
    double base;
    int interleaved;
    int64_t dim; /* 0: the attribute is left out */
};

static void rotary_of(const cts_tensor *x, const cts_tensor *positions, const struct rotary *r, double *want,
                      double *magnitude)
{
    const int64_t d = x->view.shape[3], heads = x->view.shape[2], dim = r->dim == 0 ? d : r->dim;
    for (int64_t row = 0; row < x->count / d; row++) {
        const double *in = x->values + row * d;
        double *out = want + row * d, *scale = magnitude + row * d;
        for (int64_t i = 0; i < d; i++) {
            out[i] = in[i];
            scale[i] = fabs(in[i]);
        }
        for (int64_t i = 0; i < dim / 2; i++) {
            const double angle = positions->values[row / heads] * pow(r->base, -2.0 * (double)i / (double)dim);
            const int64_t a = r->interleaved ? 2 * i : i, b = r->interleaved ? 2 * i + 1 : i + dim / 2;
            out[a] = in[a] * cos(angle) - in[b] * sin(angle);
            out[b] = in[b] * cos(angle) + in[a] * sin(angle);
            scale[a] = scale[b] = fabs(in[a]) + fabs(in[b]);
        }
    }
}

static void check_rotary(struct cts *t, cts_tensor x, cts_tensor positions, cts_tensor y, const struct rotary *r)
{
    const haly_attribute attributes[3] = {haly_attribute_float("base", r->base),
                                          haly_attribute_int("interleaved", r->interleaved),
                                          haly_attribute_int("rotary_dim", r->dim)};
    const haly_op_desc desc = {HALY_OP_DESC_INIT,
                               .domain = "halyard",
                               .name = "Rotary",
                               HALY_INPUTS(x.view, positions.view),
                               HALY_OUTPUTS(y.view),
                               .attributes = attributes,
                               .attribute_count = r->dim == 0 ? 2 : 3};
    double *want = cts_doubles(t, y.count), *magnitude = cts_doubles(t, y.count);
    rotary_of(&x, &positions, r, want, magnitude);
    if (cts_op(t, &desc))
        cts_compare(t, &y, want, magnitude, "halyard", "Rotary");
}

static void check_rotary_types(struct cts *t, const struct rotary *r, double largest_position)
{
    static const haly_dtype index_types[2] = {HALY_I32, HALY_I64};
    CTS_EACH_FLOAT(dtype)
    {
        for (unsigned i = 0; i < 2; i++)
            if (cts_dtype(t, index_types[i]))
                check_rotary(t, cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(2, 5, 3, 64), -2, 2),
                             cts_input(t, index_types[i], CTS_DENSE, CTS_SHAPE(2, 5), 0, largest_position),
                             cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(2, 5, 3, 64)), r);
    }
}

CTS_CASE_OP(operator, rotary_turns_interleaved_pairs, CITED)
{
    check_rotary_types(t, &(struct rotary){10000, 1, 0}, 2048);
}
CTS_CASE_OP(operator, rotary_turns_half_and_half_pairs, CITED)
{
    check_rotary_types(t, &(struct rotary){10000, 0, 0}, 2048);
}
CTS_CASE_OP(operator, rotary_copies_what_is_behind_its_dimension, CITED)
{
    check_rotary_types(t, &(struct rotary){10000, 1, 20}, 500);
    check_rotary_types(t, &(struct rotary){10000, 0, 20}, 500);
}
CTS_CASE_OP(operator, rotary_is_right_at_large_positions_and_bases, CITED)
{
    check_rotary_types(t, &(struct rotary){500000, 1, 0}, 131072);
    check_rotary_types(t, &(struct rotary){100, 0, 0}, 1048576);
}

CTS_CASE_OP(operator, rotary_at_position_zero_changes_nothing, CITED)
{
    CTS_EACH_FLOAT(dtype)
    {
        cts_tensor x = cts_input(t, dtype, CTS_DENSE, CTS_SHAPE(1, 2, 2, 16), -2, 2);
        cts_tensor positions = cts_input_list(t, HALY_I32, CTS_DENSE, CTS_SHAPE(1, 2), CTS_LIST(0));
        check_rotary(t, x, positions, cts_output(t, dtype, CTS_DENSE, CTS_SHAPE(1, 2, 2, 16)),
                     &(struct rotary){10000, 1, 0});
    }
}

CTS_CASE_OP(operator, rotary_takes_any_layout, CITED)
{
    CTS_EACH_FLOAT(dtype)
    {
        CTS_EACH_LAYOUT(layout)
        {
            check_rotary(t, cts_input(t, dtype, layout, CTS_SHAPE(2, 3, 2, 10), -2, 2),
                         cts_input(t, HALY_I32, layout, CTS_SHAPE(2, 3), 0, 100),
                         cts_output(t, dtype, (enum cts_layout)((layout + 1) % CTS_LAYOUTS), CTS_SHAPE(2, 3, 2, 10)),
                         &(struct rotary){10000, layout % 2, 0});
        }
    }
}

/* ---- attention ---- */
struct attention {
    int64_t b, s, hq, hkv, d, c;
    enum cts_layout layout; /* of q, k, v and y; the caches swap it for their own */
    enum cts_layout cache_layout;
    double scale;
    int causal;
    const int64_t *past;
    uint32_t past_count;
};

struct attention_tensors {
    cts_tensor q, k, v, k_cache, v_cache, y;
    double *k_want, *v_want; /* the caches afterwards */
};

static struct attention_tensors make_attention(struct cts *t, const struct attention *a, haly_dtype dtype)
{
    struct attention_tensors x;
    x.q = cts_input(t, dtype, a->layout, CTS_SHAPE(a->b, a->s, a->hq, a->d), -2, 2);
    x.k = cts_input(t, dtype, a->layout, CTS_SHAPE(a->b, a->s, a->hkv, a->d), -2, 2);
    x.v = cts_input(t, dtype, a->layout, CTS_SHAPE(a->b, a->s, a->hkv, a->d), -2, 2);
    x.k_cache = cts_input(t, dtype, a->cache_layout, CTS_SHAPE(a->b, a->hkv, a->c, a->d), -2, 2);
    x.v_cache = cts_input(t, dtype, a->cache_layout, CTS_SHAPE(a->b, a->hkv, a->c, a->d), -2, 2);
    x.y = cts_output(t, dtype, a->layout, CTS_SHAPE(a->b, a->s, a->hq, a->d));
    x.k_want = cts_doubles(t, x.k_cache.count);
    x.v_want = cts_doubles(t, x.v_cache.count);
    return x;
}

static int64_t past_of(const struct attention *a, int64_t batch)
{
    return a->past[a->past_count == 1 ? 0 : batch];
}

static void update_caches(const struct attention *a, struct attention_tensors *x)
{
    for (int64_t i = 0; i < x->k_cache.count; i++) {
        x->k_want[i] = x->k_cache.values[i];
        x->v_want[i] = x->v_cache.values[i];
    }
    for (int64_t i = 0; i < x->k.count; i++) {
        const int64_t d = i % a->d, head = i / a->d % a->hkv, s = i / a->d / a->hkv % a->s,
                      b = i / a->d / a->hkv / a->s;
        const int64_t at = ((b * a->hkv + head) * a->c + past_of(a, b) + s) * a->d + d;
        x->k_want[at] = x->k.values[i];
        x->v_want[at] = x->v.values[i];
    }
}

/* One query against the rows it may see. */
static void attend(const struct attention *a, const double *q, const double *keys, const double *values, int64_t rows,
                   double *want, double *magnitude)
{
    const double scale = a->scale == 0 ? 1 / sqrt((double)a->d) : a->scale;
    double *weights = malloc(sizeof *weights * (size_t)(rows + 1)), largest = -(double)INFINITY, sum = 0;
    for (int64_t row = 0; row < rows; row++) {
        weights[row] = 0;
        for (int64_t d = 0; d < a->d; d++)
            weights[row] += q[d] * keys[row * a->d + d];
        weights[row] *= scale;
        largest = fmax(largest, weights[row]);
    }
    for (int64_t row = 0; row < rows; row++)
        sum += weights[row] = exp(weights[row] - largest);
    for (int64_t d = 0; d < a->d; d++) {
        want[d] = magnitude[d] = 0;
        for (int64_t row = 0; row < rows; row++) {
            want[d] += weights[row] / sum * values[row * a->d + d];
            magnitude[d] += weights[row] / sum * fabs(values[row * a->d + d]);
        }
    }
    free(weights);
}

static void attention_of(const struct attention *a, const struct attention_tensors *x, double *want, double *magnitude)
{
    for (int64_t row = 0; row < x->q.count / a->d; row++) {
        const int64_t head = row % a->hq, s = row / a->hq % a->s, b = row / a->hq / a->s;
        const int64_t cache = (b * a->hkv + head / (a->hq / a->hkv)) * a->c * a->d;
        const int64_t rows = past_of(a, b) + (a->causal ? s + 1 : a->s);
        attend(a, x->q.values + row * a->d, x->k_want + cache, x->v_want + cache, rows, want + row * a->d,
               magnitude + row * a->d);
    }
}

static int run_attention(struct cts *t, const struct attention *a, struct attention_tensors *x)
{
    const haly_attribute attributes[2] = {haly_attribute_float("scale", a->scale),
                                          haly_attribute_int("causal", a->causal)};
    const haly_op_desc desc = {
        HALY_OP_DESC_INIT,           .domain = "halyard",
        .name = "CachedAttention",   HALY_INPUTS(x->q.view, x->k.view, x->v.view, x->k_cache.view, x->v_cache.view),
        HALY_OUTPUTS(x->y.view),     .attributes = attributes,
        .attribute_count = 2,        .host_values = a->past,
        .value_count = a->past_count};
    return cts_op(t, &desc);
}

static void check_attention(struct cts *t, const struct attention *a)
{
    CTS_EACH_FLOAT(dtype)
    {
        struct attention_tensors x = make_attention(t, a, dtype);
        double *want = cts_doubles(t, x.y.count), *magnitude = cts_doubles(t, x.y.count);
        update_caches(a, &x);
        attention_of(a, &x, want, magnitude);
        if (!run_attention(t, a, &x))
            continue;
        cts_compare(t, &x.y, want, magnitude, "halyard", "CachedAttention");
        cts_compare_exact(t, &x.k_cache, x.k_want);
        cts_compare_exact(t, &x.v_cache, x.v_want);
        cts_expect_untouched(t, &x.q);
        cts_expect_untouched(t, &x.k);
    }
}

CTS_CASE_OP(operator, attention_prefills_an_empty_cache, CITED)
{
    const int64_t past = 0;
    check_attention(t, &(struct attention){1, 13, 4, 4, 32, 20, CTS_DENSE, CTS_DENSE, 0, 1, &past, 1});
    check_attention(t, &(struct attention){1, 70, 2, 2, 64, 70, CTS_DENSE, CTS_DENSE, 0, 1, &past, 1});
}

CTS_CASE_OP(operator, attention_decodes_one_token_at_any_offset, CITED)
{
    static const int64_t offsets[] = {0, 1, 7, 31, 32, 63};
    for (unsigned i = 0; i < 6; i++)
        check_attention(t, &(struct attention){1, 1, 4, 4, 32, 64, CTS_DENSE, CTS_DENSE, 0, 1, &offsets[i], 1});
}

CTS_CASE_OP(operator, attention_sees_hundreds_of_keys, CITED)
{
    static const int64_t pasts[2] = {0, 700};
    check_attention(t, &(struct attention){1, 300, 2, 1, 16, 300, CTS_DENSE, CTS_DENSE, 0, 1, &pasts[0], 1});
    check_attention(t, &(struct attention){2, 3, 4, 2, 32, 703, CTS_DENSE, CTS_PADDED, 0, 1, &pasts[1], 1});
    check_attention(t, &(struct attention){1, 2, 2, 2, 12, 702, CTS_STEPPED, CTS_STEPPED, 0, 1, &pasts[1], 1});
}

CTS_CASE_OP(operator, attention_appends_several_tokens_behind_earlier_ones, CITED)
{
    const int64_t past = 9;
    check_attention(t, &(struct attention){1, 5, 3, 3, 16, 30, CTS_DENSE, CTS_DENSE, 0, 1, &past, 1});
}

CTS_CASE_OP(operator, attention_shares_key_heads_among_groups_of_query_heads, CITED)
{
    const int64_t past = 4;
    check_attention(t, &(struct attention){1, 3, 9, 3, 64, 16, CTS_DENSE, CTS_DENSE, 0, 1, &past, 1});
    check_attention(t, &(struct attention){2, 2, 8, 1, 24, 16, CTS_DENSE, CTS_DENSE, 0, 1, &past, 1});
}

CTS_CASE_OP(operator, attention_takes_an_offset_for_each_sequence, CITED)
{
    static const int64_t past[3] = {0, 11, 5};
    check_attention(t, &(struct attention){3, 4, 4, 2, 16, 20, CTS_DENSE, CTS_DENSE, 0, 1, past, 3});
    check_attention(t, &(struct attention){3, 1, 4, 2, 16, 20, CTS_DENSE, CTS_DENSE, 0, 1, past, 3});
}

CTS_CASE_OP(operator, attention_without_a_mask_sees_all_new_tokens, CITED)
{
    const int64_t past = 3;
    check_attention(t, &(struct attention){1, 6, 2, 2, 16, 12, CTS_DENSE, CTS_DENSE, 0, 0, &past, 1});
}

CTS_CASE_OP(operator, attention_takes_a_scale, CITED)
{
    const int64_t past = 3;
    check_attention(t, &(struct attention){1, 4, 2, 2, 16, 12, CTS_DENSE, CTS_DENSE, 0.04, 1, &past, 1});
    check_attention(t, &(struct attention){1, 4, 2, 2, 16, 12, CTS_DENSE, CTS_DENSE, 1.5, 1, &past, 1});
}

CTS_CASE_OP(operator, attention_takes_any_layout_of_tokens_and_caches, CITED)
{
    const int64_t past = 3;
    CTS_EACH_LAYOUT(layout)
    {
        check_attention(t, &(struct attention){2, 3, 4, 2, 12, 9, layout, CTS_DENSE, 0, 1, &past, 1});
        check_attention(t, &(struct attention){2, 3, 4, 2, 12, 9, CTS_DENSE, layout, 0, 1, &past, 1});
    }
}

CTS_CASE_OP(operator, attention_survives_large_scores, CITED)
{
    const int64_t past = 0;
    check_attention(t, &(struct attention){1, 6, 1, 1, 64, 8, CTS_DENSE, CTS_DENSE, 1.2, 1, &past, 1});
}

CTS_CASE_OP(operator, attention_in_pieces_agrees_with_attention_at_once, CITED)
{
    static const int64_t pasts[3] = {0, 4, 5};
    static const int64_t lengths[3] = {4, 1, 7};
    const struct attention whole = {1, 12, 4, 2, 32, 12, CTS_DENSE, CTS_DENSE, 0, 1, pasts, 1};
    CTS_EACH_FLOAT(dtype)
    {
        struct attention_tensors x = make_attention(t, &whole, dtype);
        double *want = cts_doubles(t, x.y.count), *magnitude = cts_doubles(t, x.y.count);
        update_caches(&whole, &x);
        attention_of(&whole, &x, want, magnitude);
        for (unsigned i = 0; i < 3; i++) {
            struct attention piece = whole;
            struct attention_tensors part = x;
            cts_tensor *const tokens[4] = {&part.q, &part.k, &part.v, &part.y};
            piece.s = lengths[i];
            piece.past = &pasts[i];
            for (unsigned at = 0; at < 4; at++) {
                haly_tensor *view = &tokens[at]->view;
                view->data = (char *)view->data + pasts[i] * view->strides[1] * (int64_t)haly_dtype_block_bytes(dtype);
                view->shape[1] = lengths[i];
            }
            if (!run_attention(t, &piece, &part))
                return;
        }
        cts_compare(t, &x.y, want, magnitude, "halyard", "CachedAttention");
        cts_compare_exact(t, &x.k_cache, x.k_want);
    }
}

CTS_CASE_OP(operator, attention_that_does_not_fit_its_cache_is_invalid, "PLAN-003 PLAN-004 ABI-005")
{
    static const int64_t wrong[] = {8, 100, -1, INT64_MAX};
    for (unsigned i = 0; i < 4 && cts_dtype(t, HALY_F32); i++) {
        const struct attention a = {1, 3, 2, 2, 8, 10, CTS_DENSE, CTS_DENSE, 0, 1, &wrong[i], 1};
        const int64_t zero = 0;
        struct attention fits = a;
        fits.past = &zero;
        struct attention_tensors x = make_attention(t, &fits, HALY_F32);
        const haly_op_desc desc = {
            HALY_OP_DESC_INIT,         .domain = "halyard",
            .name = "CachedAttention", HALY_INPUTS(x.q.view, x.k.view, x.v.view, x.k_cache.view, x.v_cache.view),
            HALY_OUTPUTS(x.y.view),    .host_values = &wrong[i],
            .value_count = 1};
        cts_expect_refused(t, HALY_ERR_INVALID, &desc, &x.y);
        cts_expect_untouched(t, &x.k_cache);
    }
}
