/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix product for one storage type of a and y; see matmul.haly.c. This file has no include guard. */
HALY_KERNEL_SIZED(REAL_NAME(matmul), HALY_GROUP_SIZE_SHARED_LINES(128, 1, 1), (IN, REAL, a), (IN, void, b),
                  (IN, float, bias), (OUT, REAL, y), (VAL, struct haly_matmul, e))
{
    HALY_LOCAL(float, a_tile, TILE_ROWS *TILE_DEPTH);
    HALY_LOCAL(float, b_tile, TILE_COLUMNS *TILE_DEPTH);
    HALY_PRIVATE_ARRAY(float, acc, TILE_ROWS);
    const haly_u64 column = (haly_u64)HALY_GROUP(0) * TILE_COLUMNS;
    const haly_u64 row = (haly_u64)HALY_GROUP(1) * TILE_ROWS;
    const haly_u32 rows = (haly_u32)haly_min_u64(e.m - row, TILE_ROWS);
    const haly_u32 columns = (haly_u32)haly_min_u64(e.n - column, TILE_COLUMNS);
    const haly_u32 rank = e.batch.rank;
    HALY_GLOBAL const REAL *a_row =
        a + strided_offset(&e.batch, rank, 0, HALY_GROUP(2)) + (haly_i64)row * e.a_strides[0];
    const haly_i64 b_first = strided_offset(&e.batch, rank, 1, HALY_GROUP(2)) + (haly_i64)column * e.b_strides[1];
    const haly_i64 bias_first = strided_offset(&e.batch, rank, 2, HALY_GROUP(2)) + (haly_i64)row * e.bias_strides[0] +
                                (haly_i64)column * e.bias_strides[1];
    HALY_GLOBAL REAL *y_tile = y + strided_offset(&e.batch, rank, 3, HALY_GROUP(2)) + (haly_i64)row * e.y_strides[0] +
                               (haly_i64)column * e.y_strides[1];
    TILE_CLEAR(rows)
    for (haly_u64 k0 = 0; k0 < e.k; k0 += TILE_DEPTH) {
        const haly_u32 depth = (haly_u32)haly_min_u64(e.k - k0, TILE_DEPTH);
        for (haly_u32 r = 0; r < rows; r++)
            HALY_ITEMS_BELOW_NB(t, TILE_DEPTH)
            {
                const haly_i64 at = (haly_i64)r * e.a_strides[0] + (haly_i64)(k0 + t) * e.a_strides[1];
                a_tile[r * TILE_DEPTH + t] = t < depth ? REAL_LOAD(a_row[at]) : 0.0f;
            }
        matmul_load_b(HALY_GROUP_ARG, b_tile, b, e.b_dtype, b_first + (haly_i64)k0 * e.b_strides[0], e.b_strides, depth,
                      columns);
        TILE_MULTIPLY(rows)
        PLANTED(matmul_sums_in_the_narrow_type, TILE_ROUND(rows));
        HALY_BARRIER; /* the tiles are written again */
    }
    for (haly_u32 r = 0; r < rows; r++)
        HALY_ITEMS_BELOW_NB(t, columns)
        {
            const haly_i64 at = bias_first + (haly_i64)r * e.bias_strides[0] + (haly_i64)t * e.bias_strides[1];
            const float sum = e.has_bias != 0 ? HALY_PA(acc, r, t) + bias[at] : HALY_PA(acc, r, t);
            y_tile[(haly_i64)r * e.y_strides[0] + (haly_i64)t * e.y_strides[1]] = REAL_STORE(sum);
        }
}
