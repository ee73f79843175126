/* SPDX-License-Identifier: Apache-2.0 */
/* Element-wise kernels for one storage type; see elementwise.haly.c. This file has no include guard. */

HALY_GROUP_INLINE void REAL_NAME(stage_load)(HALY_GROUP_PARAM, HALY_LOCAL_MEMORY float *u, HALY_GLOBAL const REAL *x,
                                             haly_i64 step, haly_u64 n)
{
    if (step == 1)
        HALY_ITEMS_BELOW_NB(t, n)
        {
            u[t] = REAL_LOAD(x[t]);
        }
    else
        HALY_ITEMS_BELOW_NB(t, n)
        {
            u[t] = REAL_LOAD(x[(haly_i64)t * step]);
        }
}

HALY_GROUP_INLINE void REAL_NAME(stage_store)(HALY_GROUP_PARAM, HALY_GLOBAL REAL *y, haly_i64 step,
                                              HALY_LOCAL_MEMORY const float *u, haly_u64 n)
{
    if (step == 1)
        HALY_ITEMS_BELOW_NB(t, n)
        {
            y[t] = REAL_STORE(u[t]);
        }
    else
        HALY_ITEMS_BELOW_NB(t, n)
        {
            y[(haly_i64)t * step] = REAL_STORE(u[t]);
        }
}

HALY_KERNEL_SIZED(REAL_NAME(elementwise_unary), HALY_GROUP_SIZE_SHARED_LINES(256, 1, 1), (IN, REAL, x), (OUT, REAL, y),
                  (VAL, struct haly_elementwise, a))
{
    HALY_LOCAL(float, u, 256);
    struct run run = run_begin(&a.shape, a.count, HALY_GROUP(0));
    while (run_next(&run, &a.shape)) {
        HALY_GLOBAL const REAL *from = x + run.offsets[0];
        HALY_GLOBAL REAL *to = y + run.offsets[1];
        const haly_i64 x_step = run.steps[0], y_step = run.steps[1];
        if (REAL_CODE == HALY_KERNEL_F32 && x_step == 1 && y_step == 1) {
            unary_global(HALY_GROUP_ARG, a.op, a.alpha, (HALY_GLOBAL const float *)(HALY_GLOBAL const void *)from,
                         (HALY_GLOBAL float *)(HALY_GLOBAL void *)to, run.n);
            continue;
        }
        for (haly_u64 k = 0; k < run.n; k += HALY_ITEM_COUNT) {
            const haly_u64 n = haly_min_u64(run.n - k, HALY_ITEM_COUNT);
            REAL_NAME(stage_load)(HALY_GROUP_ARG, u, from + (haly_i64)k * x_step, x_step, n);
            unary_local(HALY_GROUP_ARG, a.op, a.alpha, u, u, n);
            REAL_NAME(stage_store)(HALY_GROUP_ARG, to + (haly_i64)k * y_step, y_step, u, n);
        }
    }
}

HALY_KERNEL_SIZED(REAL_NAME(elementwise_binary), HALY_GROUP_SIZE_SHARED_LINES(256, 1, 1), (IN, REAL, a), (IN, REAL, b),
                  (OUT, REAL, y), (VAL, struct haly_elementwise, e))
{
    HALY_LOCAL(float, u, 256);
    HALY_LOCAL(float, v, 256);
    struct run run = run_begin(&e.shape, e.count, HALY_GROUP(0));
    while (run_next(&run, &e.shape)) {
        HALY_GLOBAL const REAL *left = a + run.offsets[0];
        HALY_GLOBAL const REAL *right = b + run.offsets[1];
        HALY_GLOBAL REAL *to = y + run.offsets[2];
        const haly_i64 a_step = run.steps[0], b_step = run.steps[1], y_step = run.steps[2];
        if (REAL_CODE == HALY_KERNEL_F32 && a_step == 1 && b_step == 1 && y_step == 1) {
            binary_global(HALY_GROUP_ARG, e.op, (HALY_GLOBAL const float *)(HALY_GLOBAL const void *)left,
                          (HALY_GLOBAL const float *)(HALY_GLOBAL const void *)right,
                          (HALY_GLOBAL float *)(HALY_GLOBAL void *)to, run.n);
            continue;
        }
        for (haly_u64 k = 0; k < run.n; k += HALY_ITEM_COUNT) {
            const haly_u64 n = haly_min_u64(run.n - k, HALY_ITEM_COUNT);
            REAL_NAME(stage_load)(HALY_GROUP_ARG, u, left + (haly_i64)k * a_step, a_step, n);
            REAL_NAME(stage_load)(HALY_GROUP_ARG, v, right + (haly_i64)k * b_step, b_step, n);
            binary_local(HALY_GROUP_ARG, e.op, u, v, u, n);
            REAL_NAME(stage_store)(HALY_GROUP_ARG, to + (haly_i64)k * y_step, y_step, u, n);
        }
    }
}
