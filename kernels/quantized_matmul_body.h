/* SPDX-License-Identifier: Apache-2.0 */
/* Product with quantised weights for one type of x and y and one block format; see quantized_matmul.haly.c.
   This file has no include guard. */
HALY_KERNEL_SIZED(REAL_NAME(QUANT_NAME), HALY_GROUP_SIZE_SHARED_LINES(128, 1, 1), (IN, REAL, x), (IN, haly_u8, weight),
                  (IN, float, bias), (OUT, REAL, y), (VAL, struct haly_quantized_matmul, e))
{
    HALY_LOCAL(float, a_tile, TILE_ROWS *TILE_DEPTH);
    HALY_LOCAL(float, b_tile, TILE_COLUMNS *TILE_DEPTH);
    HALY_PRIVATE_ARRAY(float, acc, TILE_ROWS);
    const haly_u64 column = (haly_u64)HALY_GROUP(0) * TILE_COLUMNS;
    const haly_u64 row = (haly_u64)HALY_GROUP(1) * TILE_ROWS;
    const haly_u32 rows = (haly_u32)haly_min_u64(e.m - row, TILE_ROWS);
    const haly_u32 columns = (haly_u32)haly_min_u64(e.n - column, TILE_COLUMNS);
    HALY_GLOBAL const haly_u8 *block = weight + (haly_i64)column * e.weight_stride;
    TILE_CLEAR(rows)
    for (haly_u64 k0 = 0; k0 < e.k; k0 += TILE_DEPTH) {
        for (haly_u32 r = 0; r < rows; r++) {
            HALY_GLOBAL const REAL *x_row =
                x + strided_offset(&e.rows, e.rows.rank, 0, row + r) + (haly_i64)k0 * e.x_step;
            if (e.x_step == 1)
                HALY_ITEMS_BELOW_NB(t, TILE_DEPTH)
                {
                    a_tile[r * TILE_DEPTH + t] = REAL_LOAD(x_row[t]);
                }
            else
                HALY_ITEMS_BELOW_NB(t, TILE_DEPTH)
                {
                    a_tile[r * TILE_DEPTH + t] = REAL_LOAD(x_row[(haly_i64)t * e.x_step]);
                }
        }
        load_quantised(HALY_GROUP_ARG, b_tile, block, QUANT_FORMAT, e.weight_stride, columns);
        block += quant_block_bytes(QUANT_FORMAT);
        TILE_MULTIPLY(rows)
        HALY_BARRIER; /* the tiles are written again */
    }
    for (haly_u32 r = 0; r < rows; r++) {
        HALY_GLOBAL REAL *y_row = y + strided_offset(&e.rows, e.rows.rank, 1, row + r) + (haly_i64)column * e.y_step;
        HALY_ITEMS_BELOW_NB(t, columns)
        {
            const float sum =
                e.has_bias != 0
                    ? HALY_PA(acc, r, t) +
                          bias[(haly_i64)(PLANTED_OR(bias_of_the_first_columns, column, 0) + t) * e.bias_step]
                    : HALY_PA(acc, r, t);
            y_row[(haly_i64)t * e.y_step] = REAL_STORE(sum);
        }
    }
}
