/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax for one storage type; see softmax.haly.c. This file has no include guard. */

/* With constant steps of 1 this compiles to vector code; the caller has one call with and one without. */
HALY_GROUP_INLINE void REAL_NAME(softmax_row)(HALY_GROUP_PARAM, HALY_LOCAL_MEMORY float *scratch, haly_u64 n,
                                              HALY_GLOBAL const REAL *x, haly_i64 x_step, HALY_GLOBAL REAL *y,
                                              haly_i64 y_step)
{
    const haly_u32 lanes = (haly_u32)haly_min_u64(n, HALY_ITEM_COUNT);
    float largest, sum;
    HALY_ITEMS_BELOW(t, lanes)
    {
        scratch[t] = -HALY_INFINITY;
    }
    for (haly_u64 k = 0; k < n; k += HALY_ITEM_COUNT)
        HALY_ITEMS_BELOW(t, n - k)
        {
            scratch[t] = haly_maxf(REAL_LOAD(x[(haly_i64)(k + t) * x_step]), scratch[t]);
        }
    HALY_GROUP_REDUCE_MAX(float, scratch, lanes, largest);
    PLANTED(softmax_without_its_largest, largest = 0.0f);
    HALY_ITEMS_BELOW(t, lanes)
    {
        scratch[t] = 0.0f;
    }
    for (haly_u64 k = 0; k < n; k += HALY_ITEM_COUNT)
        HALY_ITEMS_BELOW(t, n - k)
        {
            scratch[t] += haly_expf(REAL_LOAD(x[(haly_i64)(k + t) * x_step]) - largest);
        }
    HALY_GROUP_REDUCE_ADD(float, scratch, lanes, sum);
    const float inverse = 1.0f / sum;
    for (haly_u64 k = 0; k < n; k += HALY_ITEM_COUNT)
        HALY_ITEMS_BELOW_NB(t, n - k)
        {
            const float e = haly_expf(REAL_LOAD(x[(haly_i64)(k + t) * x_step]) - largest);
            y[(haly_i64)(k + t) * y_step] = REAL_STORE(e * inverse);
        }
}

HALY_KERNEL_SIZED(REAL_NAME(softmax), HALY_GROUP_SIZE_SHARED_LINES(256, 1, 1), (IN, REAL, x), (OUT, REAL, y),
                  (VAL, struct haly_rows, a))
{
    HALY_LOCAL(float, scratch, 256);
    HALY_GLOBAL const REAL *from = x + strided_offset(&a.outer, a.outer.rank, 0, HALY_GROUP(0));
    HALY_GLOBAL REAL *to = y + strided_offset(&a.outer, a.outer.rank, 1, HALY_GROUP(0));
    if (a.steps[0] == 1 && a.steps[1] == 1)
        REAL_NAME(softmax_row)(HALY_GROUP_ARG, scratch, a.n, from, 1, to, 1);
    else
        REAL_NAME(softmax_row)(HALY_GROUP_ARG, scratch, a.n, from, a.steps[0], to, a.steps[1]);
}
