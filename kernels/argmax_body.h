/* SPDX-License-Identifier: Apache-2.0 */
/* ArgMax for one storage type; see argmax.haly.c. This file has no include guard. */
HALY_KERNEL_SIZED(REAL_NAME(argmax), HALY_GROUP_SIZE_SHARED_LINES(256, 1, 1), (IN, REAL, x), (OUT, haly_i64, y),
                  (VAL, struct haly_argmax, a))
{
    HALY_LOCAL(haly_i32, keys, 256);
    HALY_LOCAL(haly_u64, indices, 256);
    HALY_PRIVATE(haly_u32, block);
    const haly_u64 n = a.rows.n;
    const haly_i64 step = a.rows.steps[0];
    const haly_i32 is_last = a.select_last != 0;
    const haly_u32 lanes = (haly_u32)haly_min_u64(n, HALY_ITEM_COUNT);
    HALY_GLOBAL const REAL *from = x + strided_offset(&a.rows.outer, a.rows.outer.rank, 0, HALY_GROUP(0));
    HALY_ITEMS_BELOW_NB(t, lanes)
    {
        keys[t] = argmax_key(REAL_LOAD(from[(haly_i64)t * step]));
        HALY_P(block, t) = 0;
    }
    for (haly_u64 k = HALY_ITEM_COUNT; k < n; k += HALY_ITEM_COUNT) {
        const haly_u32 number = (haly_u32)(k / HALY_ITEM_COUNT);
        HALY_ITEMS_BELOW_NB(t, n - k)
        {
            const haly_i32 key = argmax_key(REAL_LOAD(from[(haly_i64)(k + t) * step]));
            const haly_u32 is_better =
                PLANTED_OR(argmax_takes_a_later_one, key > keys[t], key >= keys[t]) || (is_last && key == keys[t]);
            keys[t] = is_better ? key : keys[t];
            HALY_P(block, t) = is_better ? number : HALY_P(block, t);
        }
    }
    HALY_ITEMS_BELOW(t, lanes)
    {
        indices[t] = (haly_u64)HALY_P(block, t) * HALY_ITEM_COUNT + t;
    }
    for (haly_u32 count = lanes; count > 1;) {
        const haly_u32 upper = (count + 1) / 2;
        HALY_ITEMS_BELOW(t, count - upper)
        {
            const haly_u32 is_first = (indices[t + upper] < indices[t]) != (haly_u32)is_last;
            if (keys[t + upper] > keys[t] || (keys[t + upper] == keys[t] && is_first)) {
                keys[t] = keys[t + upper];
                indices[t] = indices[t + upper];
            }
        }
        count = upper;
    }
    HALY_ITEMS_BELOW(t, 1)
    {
        y[strided_offset(&a.rows.outer, a.rows.outer.rank, 1, HALY_GROUP(0))] = (haly_i64)indices[0];
    }
}
