/* SPDX-License-Identifier: Apache-2.0 */
/* RMS normalisation for one storage type; see norm.haly.c. This file has no include guard. */

/* 1 / sqrt(mean(x^2) + epsilon) of a row. */
HALY_GROUP_INLINE float REAL_NAME(inverse_rms)(HALY_GROUP_PARAM, HALY_LOCAL_MEMORY float *scratch, haly_u64 n,
                                               float epsilon, HALY_GLOBAL const REAL *x, haly_i64 step)
{
    const haly_u32 lanes = (haly_u32)haly_min_u64(n, HALY_ITEM_COUNT);
    float sum = 0.0f;
    HALY_ITEMS_BELOW(t, lanes)
    {
        scratch[t] = 0.0f;
    }
    for (haly_u64 k = 0; k < n; k += HALY_ITEM_COUNT)
        HALY_ITEMS_BELOW(t, n - k)
        {
            const float v = REAL_LOAD(x[(haly_i64)(k + t) * step]);
            scratch[t] = haly_mad(v, v, scratch[t]);
        }
    if (lanes > 0)
        HALY_GROUP_REDUCE_ADD(float, scratch, lanes, sum);
    return haly_rsqrtf(sum / (float)n + PLANTED_OR(norm_forgets_epsilon, epsilon, 0.0f));
}

HALY_GROUP_INLINE void REAL_NAME(norm_scale)(HALY_GROUP_PARAM, haly_u64 n, float factor, HALY_GLOBAL const REAL *x,
                                             haly_i64 x_step, HALY_GLOBAL const void *scale, haly_u32 scale_dtype,
                                             haly_i64 scale_step, HALY_GLOBAL REAL *y, haly_i64 y_step)
{
    for (haly_u64 k = 0; k < n; k += HALY_ITEM_COUNT)
        HALY_ITEMS_BELOW_NB(t, n - k)
        {
            const haly_i64 i = (haly_i64)(k + t);
            const float s = scale_dtype == HALY_KERNEL_NONE ? 1.0f : load_real(scale, scale_dtype, i * scale_step);
            y[i * y_step] = REAL_STORE(REAL_LOAD(x[i * x_step]) * factor * s);
        }
}

/* The usual layouts get loops of their own, with constant steps and types. */
HALY_GROUP_FN void REAL_NAME(norm_row)(HALY_GROUP_PARAM, HALY_LOCAL_MEMORY float *scratch, const struct haly_norm *a,
                                       HALY_GLOBAL const REAL *x, haly_i64 x_step, HALY_GLOBAL const void *scale,
                                       HALY_GLOBAL REAL *y)
{
    const haly_u64 n = a->rows.n;
    const haly_i64 y_step = a->rows.steps[1];
    const float factor = x_step == 1 ? REAL_NAME(inverse_rms)(HALY_GROUP_ARG, scratch, n, a->epsilon, x, 1)
                                     : REAL_NAME(inverse_rms)(HALY_GROUP_ARG, scratch, n, a->epsilon, x, x_step);
    const haly_u32 is_plain = x_step == 1 && y_step == 1 && a->scale_step == 1;
    if (is_plain && a->scale_dtype == HALY_KERNEL_F32)
        REAL_NAME(norm_scale)(HALY_GROUP_ARG, n, factor, x, 1, scale, HALY_KERNEL_F32, 1, y, 1);
    else if (is_plain && a->scale_dtype == REAL_CODE)
        REAL_NAME(norm_scale)(HALY_GROUP_ARG, n, factor, x, 1, scale, REAL_CODE, 1, y, 1);
    else
        REAL_NAME(norm_scale)
    (HALY_GROUP_ARG, n, factor, x, x_step, scale, a->scale_dtype, a->scale_step, y, y_step);
}

HALY_KERNEL_SIZED(REAL_NAME(rms_norm), HALY_GROUP_SIZE_SHARED_LINES(256, 1, 1), (IN, REAL, x), (IN, void, scale),
                  (OUT, REAL, y), (VAL, struct haly_norm, a))
{
    HALY_LOCAL(float, scratch, 256);
    const struct haly_strided *outer = &a.rows.outer;
    REAL_NAME(norm_row)
    (HALY_GROUP_ARG, scratch, &a, x + strided_offset(outer, outer->rank, 0, HALY_GROUP(0)), a.rows.steps[0], scale,
     y + strided_offset(outer, outer->rank, 1, HALY_GROUP(0)));
}

HALY_KERNEL_SIZED(REAL_NAME(add_rms_norm), HALY_GROUP_SIZE_SHARED_LINES(256, 1, 1), (IN, REAL, x), (IN, REAL, residual),
                  (IN, void, scale), (OUT, REAL, sum), (OUT, REAL, y), (VAL, struct haly_norm, a))
{
    HALY_LOCAL(float, scratch, 256);
    const struct haly_strided *outer = &a.rows.outer;
    HALY_GLOBAL const REAL *left = x + strided_offset(outer, outer->rank, 0, HALY_GROUP(0));
    HALY_GLOBAL const REAL *right = residual + strided_offset(outer, outer->rank, 2, HALY_GROUP(0));
    HALY_GLOBAL REAL *added = sum + strided_offset(outer, outer->rank, 3, HALY_GROUP(0));
    const haly_i64 x_step = a.rows.steps[0], residual_step = a.rows.steps[2], sum_step = a.rows.steps[3];
    const haly_u32 is_plain = x_step == 1 && residual_step == 1 && sum_step == 1;
    for (haly_u64 k = 0; k < a.rows.n; k += HALY_ITEM_COUNT) {
        if (is_plain)
            HALY_ITEMS_BELOW(t, a.rows.n - k)
            {
                added[k + t] = REAL_STORE(REAL_LOAD(left[k + t]) + REAL_LOAD(right[k + t]));
            }
        else
            HALY_ITEMS_BELOW(t, a.rows.n - k)
            {
                const haly_i64 i = (haly_i64)(k + t);
                added[i * sum_step] = REAL_STORE(REAL_LOAD(left[i * x_step]) + REAL_LOAD(right[i * residual_step]));
            }
    }
    REAL_NAME(norm_row)
    (HALY_GROUP_ARG, scratch, &a, added, sum_step, scale, y + strided_offset(outer, outer->rank, 1, HALY_GROUP(0)));
}
