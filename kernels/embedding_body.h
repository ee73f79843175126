/* SPDX-License-Identifier: Apache-2.0 */
/* Embedding from a table of one floating point type; see embedding.haly.c. This file has no include guard. */
HALY_GROUP_INLINE void REAL_NAME(embedding_row)(HALY_GROUP_PARAM, HALY_GLOBAL const REAL *row, haly_i64 step,
                                                HALY_GLOBAL void *y, haly_u32 dtype, haly_i64 offset, haly_i64 y_step,
                                                haly_u64 n)
{
    for (haly_u64 k = 0; k < n; k += HALY_ITEM_COUNT)
        HALY_ITEMS_BELOW_NB(t, n - k)
        {
            const haly_i64 i = (haly_i64)(k + t);
            store_real(y, dtype, offset + i * y_step, REAL_LOAD(row[i * step]));
        }
}

HALY_KERNEL_SIZED(REAL_NAME(embedding), HALY_GROUP_SIZE_SHARED_LINES(256, 1, 1), (IN, REAL, table), (IN, void, indices),
                  (OUT, void, y), (VAL, struct haly_embedding, a))
{
    const haly_i64 to = strided_offset(&a.outer, a.outer.rank, 1, HALY_GROUP(0));
    const haly_i64 index = embedding_index(&a, indices, HALY_GROUP(0));
    HALY_GLOBAL const REAL *row = table + index * a.table_stride;
    if (index < 0)
        embedding_nan(HALY_GROUP_ARG, &a, y, to);
    else if (a.table_step == 1 && a.y_step == 1 && a.y_dtype == HALY_KERNEL_F32)
        REAL_NAME(embedding_row)(HALY_GROUP_ARG, row, 1, y, HALY_KERNEL_F32, to, 1, a.n);
    else if (a.table_step == 1 && a.y_step == 1 && a.y_dtype == REAL_CODE)
        REAL_NAME(embedding_row)(HALY_GROUP_ARG, row, 1, y, REAL_CODE, to, 1, a.n);
    else
        REAL_NAME(embedding_row)(HALY_GROUP_ARG, row, a.table_step, y, a.y_dtype, to, a.y_step, a.n);
}
