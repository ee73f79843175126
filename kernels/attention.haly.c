/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention with grouped heads over keys and values in any layout, a group a query row. Keys come in blocks of 128:
 * scores, their largest, exponentials, then the weighted values; what was summed up before is scaled down when a larger
 * score shows up.
 */
#define HALY_MAX_ITEMS 128
#include <halyard/kernel.h>
#include "access.h"

/* How many keys, from the first, query i of batch b may see. */
HALY_FN haly_u64 attention_visible(const struct haly_attention *a, HALY_GLOBAL const void *lengths, haly_i64 b,
                                   haly_i64 i)
{
    haly_i64 length = (haly_i64)a->kv_length;
    haly_i64 offset = a->causal_offset;
    if (a->length_dtype != HALY_KERNEL_NONE) {
        const haly_i64 given = load_index(lengths, a->length_dtype, b * a->length_stride);
        length = given < 0 ? 0 : given < length ? given : length;
        offset = length - (haly_i64)a->q_length;
    }
    if (a->causal != 0 && i + offset + 1 < length)
        length = i + offset + 1 < 0 ? 0 : i + offset + 1;
    return (haly_u64)length;
}

#define KERNEL_BODY "attention_body.h"
#include "for_each_real.h"
