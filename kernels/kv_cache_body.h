/* SPDX-License-Identifier: Apache-2.0 */
/* Key/value cache write for one storage type; see kv_cache.haly.c. This file has no include guard. */
HALY_KERNEL_SIZED(REAL_NAME(kv_cache_write), HALY_GROUP_SIZE_SHARED_LINES(64, 1, 1), (IN, REAL, k), (IN, REAL, v),
                  (IN, void, past), (OUT, REAL, k_cache), (OUT, REAL, v_cache), (VAL, struct haly_kv_write, a))
{
    const haly_i64 s = HALY_GROUP(0), h = HALY_GROUP(1), b = HALY_GROUP(2);
    const haly_i64 first = a.past_dtype == HALY_KERNEL_NONE ? 0 : load_index(past, a.past_dtype, b * a.past_stride);
    const haly_i64 row = first + a.past_first + s;
    if (row >= 0 && (haly_u64)row < a.capacity) {
        HALY_GLOBAL const REAL *k_from = k + b * a.k_strides[0] + h * a.k_strides[1] + s * a.k_strides[2];
        HALY_GLOBAL const REAL *v_from = v + b * a.v_strides[0] + h * a.v_strides[1] + s * a.v_strides[2];
        HALY_GLOBAL REAL *k_to =
            k_cache + b * a.k_cache_strides[0] + h * a.k_cache_strides[1] + row * a.k_cache_strides[2];
        HALY_GLOBAL REAL *v_to =
            v_cache + b * a.v_cache_strides[0] + h * a.v_cache_strides[1] + row * a.v_cache_strides[2];
        for (haly_u32 i = 0; i < a.head_size; i += HALY_ITEM_COUNT)
            HALY_ITEMS_BELOW_NB(t, a.head_size - i)
            {
                k_to[(haly_i64)(i + t) * a.k_cache_strides[3]] = k_from[(haly_i64)(i + t) * a.k_strides[3]];
            }
        for (haly_u32 i = 0; i < a.value_size; i += HALY_ITEM_COUNT)
            HALY_ITEMS_BELOW_NB(t, a.value_size - i - PLANTED_OR(cache_row_loses_its_end, 0, 1))
            {
                v_to[(haly_i64)(i + t) * a.v_cache_strides[3]] = v_from[(haly_i64)(i + t) * a.v_strides[3]];
            }
    }
}
