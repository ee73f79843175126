/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a table picked by indices, a group an index; tables of floating point numbers or of quantised blocks. */
#define HALY_MAX_ITEMS 256
#include <halyard/kernel.h>
#include "access.h"
#include "quant.h"

/* The row to read, or -1 when the index is out of range. */
HALY_FN haly_i64 embedding_index(const struct haly_embedding *a, HALY_GLOBAL const void *indices, haly_u32 number)
{
    haly_i64 index = load_index(indices, a->index_dtype, strided_offset(&a->outer, a->outer.rank, 0, number));
    if (index < 0 && a->wrap_negative != 0)
        index += (haly_i64)a->table_rows;
    return index < 0 || (haly_u64)index >= a->table_rows + PLANTED_OR(embedding_index_one_too_large, 0, 1) ? -1 : index;
}

HALY_GROUP_FN void embedding_nan(HALY_GROUP_PARAM, const struct haly_embedding *a, HALY_GLOBAL void *y, haly_i64 offset)
{
    for (haly_u64 k = 0; k < a->n; k += HALY_ITEM_COUNT)
        HALY_ITEMS_BELOW_NB(t, a->n - k)
        {
            store_real(y, a->y_dtype, offset + (haly_i64)(k + t) * a->y_step, HALY_NAN);
        }
}

/* An item dequantises one byte of a block: two weights. */
HALY_GROUP_INLINE void embedding_quantised(HALY_GROUP_PARAM, const struct haly_embedding *a, haly_u32 format,
                                           HALY_GLOBAL const haly_u8 *table, HALY_GLOBAL const void *indices,
                                           HALY_GLOBAL void *y)
{
    const haly_i64 to = strided_offset(&a->outer, a->outer.rank, 1, HALY_GROUP(0));
    const haly_i64 index = embedding_index(a, indices, HALY_GROUP(0));
    if (index < 0) {
        embedding_nan(HALY_GROUP_ARG, a, y, to);
    } else {
        HALY_GLOBAL const haly_u8 *row = table + index * a->table_stride;
        for (haly_u64 k = 0; k < a->n / 2; k += HALY_ITEM_COUNT)
            HALY_ITEMS_BELOW_NB(t, a->n / 2 - k)
            {
                const haly_u64 number = (k + t) / 16;
                const haly_u32 j = (haly_u32)(k + t) % 16;
                HALY_GLOBAL const haly_u8 *block = row + number * quant_block_bytes(format);
                float d, m, low, high;
                quant_scale(block, format, &d, &m);
                quant_pair(block, format, d, m, j, &low, &high);
                store_real(y, a->y_dtype, to + (haly_i64)(number * 32 + j) * a->y_step, low);
                store_real(y, a->y_dtype, to + (haly_i64)(number * 32 + j + 16) * a->y_step, high);
            }
    }
}

#define EMBEDDING_QUANTISED(name, format)                                                                              \
    HALY_KERNEL_SIZED(name, HALY_GROUP_SIZE_SHARED_LINES(256, 1, 1), (IN, haly_u8, table), (IN, void, indices),        \
                      (OUT, void, y), (VAL, struct haly_embedding, a))                                                 \
    {                                                                                                                  \
        embedding_quantised(HALY_GROUP_ARG, &a, format, table, indices, y);                                            \
    }

EMBEDDING_QUANTISED(embedding_q4_0, HALY_KERNEL_Q4_0)
EMBEDDING_QUANTISED(embedding_q4_1, HALY_KERNEL_Q4_1)
EMBEDDING_QUANTISED(embedding_q8_0, HALY_KERNEL_Q8_0)

#define KERNEL_BODY "embedding_body.h"
#include "for_each_real.h"
