/* SPDX-License-Identifier: Apache-2.0 */
/* Attention for one storage type; see attention.haly.c. This file has no include guard. */

/* q . k in 16 partial sums, which vectorise; then a tree. The order depends on n alone. */
HALY_INLINE float REAL_NAME(attention_dot)(HALY_LOCAL_MEMORY const float *q, HALY_GLOBAL const REAL *k, haly_i64 step,
                                           haly_u32 n)
{
    float sums[16];
    haly_u32 i = 0;
    HALY_UNROLL
    for (haly_u32 l = 0; l < 16; l++)
        sums[l] = 0.0f;
    for (; i + 16 <= n; i += 16) {
        HALY_UNROLL
        for (haly_u32 l = 0; l < 16; l++)
            sums[l] = haly_mad(q[i + l], REAL_LOAD(k[(haly_i64)(i + l) * step]), sums[l]);
    }
    for (haly_u32 l = 0; i + l < n; l++)
        sums[l] = haly_mad(q[i + l], REAL_LOAD(k[(haly_i64)(i + l) * step]), sums[l]);
    for (haly_u32 h = 8; h > 0; h /= 2)
        for (haly_u32 l = 0; l < h; l++)
            sums[l] += sums[l + h];
    return sums[0];
}

/* What stands between a dot product and the softmax. */
HALY_INLINE float REAL_NAME(attention_score)(const struct haly_attention *a, float dot, HALY_GLOBAL const void *mask,
                                             haly_i64 index)
{
    const float scaled = dot * a->scale;
    const float score = a->softcap > 0.0f ? a->softcap * haly_tanhf(scaled / a->softcap) : scaled;
    if (a->mask_dtype == HALY_KERNEL_NONE)
        return score;
    if (a->mask_dtype == HALY_KERNEL_BOOL)
        return ((HALY_GLOBAL const haly_u8 *)mask)[index] != 0 ? score : -HALY_INFINITY;
    return score + REAL_LOAD(((HALY_GLOBAL const REAL *)mask)[index]);
}

/* acc[d] += p[j] * v[j][d] for n keys and the elements of one slice of the head, in the order of j. */
HALY_GROUP_INLINE void REAL_NAME(attention_values)(HALY_GROUP_PARAM, HALY_LOCAL_MEMORY float *acc,
                                                   HALY_LOCAL_MEMORY const float *p, HALY_GLOBAL const REAL *v,
                                                   haly_i64 row, haly_i64 step, haly_u32 keys, haly_u32 n)
{
    haly_u32 j = 0;
    for (; j + 4 <= keys; j += 4)
        HALY_ITEMS_BELOW_NB(t, n)
        {
            HALY_GLOBAL const REAL *at = v + (haly_i64)j * row + (haly_i64)t * step;
            float sum = haly_mad(p[j], REAL_LOAD(at[0]), acc[t]);
            sum = haly_mad(p[j + 1], REAL_LOAD(at[row]), sum);
            sum = haly_mad(p[j + 2], REAL_LOAD(at[2 * row]), sum);
            acc[t] = haly_mad(p[j + 3], REAL_LOAD(at[3 * row]), sum);
        }
    for (; j < keys; j++)
        HALY_ITEMS_BELOW_NB(t, n)
        {
            acc[t] = haly_mad(p[j], REAL_LOAD(v[(haly_i64)j * row + (haly_i64)t * step]), acc[t]);
        }
}

/* Scores of `keys` keys from number `first`, into scores. */
HALY_GROUP_INLINE void REAL_NAME(attention_scores)(HALY_GROUP_PARAM, const struct haly_attention *a,
                                                   HALY_LOCAL_MEMORY const float *q, HALY_GLOBAL const REAL *k,
                                                   HALY_GLOBAL const void *mask, haly_i64 mask_first, haly_u32 keys,
                                                   HALY_LOCAL_MEMORY float *scores)
{
    HALY_ITEMS_BELOW(t, keys)
    {
        HALY_GLOBAL const REAL *key = k + (haly_i64)t * a->k_strides[2];
        const float dot = a->k_strides[3] == 1 ? REAL_NAME(attention_dot)(q, key, 1, a->head_size)
                                               : REAL_NAME(attention_dot)(q, key, a->k_strides[3], a->head_size);
        scores[t] = REAL_NAME(attention_score)(a, dot, mask, mask_first + (haly_i64)t * a->mask_strides[3]);
    }
}

/* Shrinks what is summed up so far and adds the values of `keys` keys, weighted by their scores. */
HALY_GROUP_INLINE void REAL_NAME(attention_add)(HALY_GROUP_PARAM, const struct haly_attention *a,
                                                HALY_LOCAL_MEMORY float *acc, HALY_LOCAL_MEMORY const float *scores,
                                                HALY_GLOBAL const REAL *v, float shrink, haly_u32 keys)
{
    for (haly_u32 d = 0; d < a->value_size; d += HALY_ITEM_COUNT) {
        const haly_u32 n = (haly_u32)haly_min_u64(a->value_size - d, HALY_ITEM_COUNT);
        HALY_GLOBAL const REAL *values = v + (haly_i64)d * a->v_strides[3];
        HALY_ITEMS_BELOW_NB(t, n)
        {
            acc[d + t] *= PLANTED_OR(attention_forgets_to_shrink, shrink, 1.0f);
        }
        if (a->v_strides[3] == 1)
            REAL_NAME(attention_values)(HALY_GROUP_ARG, acc + d, scores, values, a->v_strides[2], 1, keys, n);
        else
            REAL_NAME(attention_values)
        (HALY_GROUP_ARG, acc + d, scores, values, a->v_strides[2], a->v_strides[3], keys, n);
    }
}

HALY_KERNEL_SIZED(REAL_NAME(attention), HALY_GROUP_SIZE_SHARED_LINES(128, 1, 1), (IN, REAL, q), (IN, REAL, k),
                  (IN, REAL, v), (IN, void, mask), (IN, void, lengths), (OUT, REAL, y), (VAL, struct haly_attention, a))
{
    HALY_LOCAL(float, query, HALY_ATTENTION_MAX_HEAD);
    HALY_LOCAL(float, acc, HALY_ATTENTION_MAX_HEAD);
    HALY_LOCAL(float, scores, 128);
    HALY_LOCAL(float, scratch, 128);
    const haly_i64 i = HALY_GROUP(0), h = HALY_GROUP(1), b = HALY_GROUP(2);
    const haly_i64 g = h / (haly_i64)(a.q_heads / a.kv_heads);
    HALY_GLOBAL const REAL *q_row = q + b * a.q_strides[0] + h * a.q_strides[1] + i * a.q_strides[2];
    HALY_GLOBAL const REAL *k_head = k + b * a.k_strides[0] + g * a.k_strides[1];
    HALY_GLOBAL const REAL *v_head = v + b * a.v_strides[0] + g * a.v_strides[1];
    HALY_GLOBAL REAL *y_row = y + b * a.y_strides[0] + h * a.y_strides[1] + i * a.y_strides[2];
    const haly_i64 mask_row = b * a.mask_strides[0] + h * a.mask_strides[1] + i * a.mask_strides[2];
    const haly_u64 visible = attention_visible(&a, lengths, b, i);
    float largest = -HALY_INFINITY, total = 0.0f;
    for (haly_u32 d = 0; d < a.head_size; d += HALY_ITEM_COUNT)
        HALY_ITEMS_BELOW(t, a.head_size - d)
        {
            query[d + t] = REAL_LOAD(q_row[(haly_i64)(d + t) * a.q_strides[3]]);
        }
    for (haly_u32 d = 0; d < a.value_size; d += HALY_ITEM_COUNT)
        HALY_ITEMS_BELOW_NB(t, a.value_size - d)
        {
            acc[d + t] = 0.0f;
        }
    for (haly_u64 j = 0; j < visible; j += HALY_ITEM_COUNT) {
        const haly_u32 keys = (haly_u32)haly_min_u64(visible - j, HALY_ITEM_COUNT);
        float block_largest, block_total;
        REAL_NAME(attention_scores)
        (HALY_GROUP_ARG, &a, query, k_head + (haly_i64)j * a.k_strides[2], mask,
         mask_row + (haly_i64)j * a.mask_strides[3], keys, scores);
        HALY_ITEMS_BELOW(t, keys)
        {
            scratch[t] = scores[t];
        }
        HALY_GROUP_REDUCE_MAX(float, scratch, keys, block_largest);
        const float next = haly_maxf(block_largest, largest);
        if (next == -HALY_INFINITY)
            continue; /* every key so far is masked: exp(-inf + inf) would be NaN */
        const float shrink = haly_expf(largest - next);
        largest = next;
        HALY_ITEMS_BELOW(t, keys)
        {
            scores[t] = haly_expf(scores[t] - next);
            scratch[t] = scores[t];
        }
        HALY_GROUP_REDUCE_ADD(float, scratch, keys, block_total);
        total = haly_mad(total, shrink, block_total);
        REAL_NAME(attention_add)
        (HALY_GROUP_ARG, &a, acc, scores, v_head + (haly_i64)j * a.v_strides[2], shrink, keys);
        HALY_BARRIER; /* scores are written again */
    }
    const float inverse = total != 0.0f ? 1.0f / total : 0.0f; /* no key seen: zeros */
    for (haly_u32 d = 0; d < a.value_size; d += HALY_ITEM_COUNT)
        HALY_ITEMS_BELOW_NB(t, a.value_size - d)
        {
            y_row[(haly_i64)(d + t) * a.y_strides[3]] = REAL_STORE(acc[d + t] * inverse);
        }
}
