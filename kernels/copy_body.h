/* SPDX-License-Identifier: Apache-2.0 */
/* Strided copy of COPY_TYPE elements; see copy.haly.c. This file has no include guard. */
HALY_KERNEL_SIZED(COPY_NAME, HALY_GROUP_SIZE_SHARED_LINES(256, 1, 1), (IN, COPY_TYPE, x), (OUT, COPY_TYPE, y),
                  (VAL, struct haly_copy, a))
{
    struct run run = run_begin(&a.shape, a.count, HALY_GROUP(0));
    while (run_next(&run, &a.shape)) {
        HALY_GLOBAL const COPY_TYPE *from = x + run.offsets[0];
        HALY_GLOBAL COPY_TYPE *to = y + run.offsets[1];
        for (haly_u64 k = 0; k < run.n; k += HALY_ITEM_COUNT) {
            if (run.steps[0] == 1 && run.steps[1] == 1)
                HALY_ITEMS_BELOW_NB(t, run.n - k)
                {
                    to[k + t] = from[k + t];
                }
            else
                HALY_ITEMS_BELOW_NB(t, run.n - k)
                {
                    to[(haly_i64)(k + t) * run.steps[1]] =
                        from[(haly_i64)(k + t) * PLANTED_OR(copy_ignores_a_step_of_the_source, run.steps[0], 1)];
                }
        }
    }
}
#undef COPY_TYPE
#undef COPY_NAME
