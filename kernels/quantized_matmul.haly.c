/* SPDX-License-Identifier: Apache-2.0 */
/*
 * y = x * transpose(weight) with weights in blocks of 32 along k. A tile of k is one block: an item dequantises the
 * block of its own row of weights into local memory, and the rest is the matrix product of matmul_tile.h.
 */
#define HALY_MAX_ITEMS 128
#include <halyard/kernel.h>
#include "matmul_tile.h"
#include "quant.h"

HALY_GROUP_INLINE void load_quantised(HALY_GROUP_PARAM, HALY_LOCAL_MEMORY float *b_tile,
                                      HALY_GLOBAL const haly_u8 *blocks, haly_u32 format, haly_i64 stride,
                                      haly_u32 columns)
{
    HALY_ITEMS(t)
    {
        HALY_GLOBAL const haly_u8 *block = blocks + (haly_i64)(t < columns ? t : 0) * stride; /* unused columns: any */
        float d, m;
        quant_scale(block, format, &d, &m);
        for (haly_u32 j = 0; j < 16; j++) {
            float low, high;
            quant_pair(block, format, d, m, j, &low, &high);
            b_tile[j * TILE_COLUMNS + t] = low;
            b_tile[(j + 16) * TILE_COLUMNS + t] = high;
        }
    }
}

#define KERNEL_BODY "quantized_matmul_body.h"
#define QUANT_NAME quantized_matmul_q4_0
#define QUANT_FORMAT HALY_KERNEL_Q4_0
#include "for_each_real.h"
#undef QUANT_NAME
#undef QUANT_FORMAT
#define QUANT_NAME quantized_matmul_q4_1
#define QUANT_FORMAT HALY_KERNEL_Q4_1
#include "for_each_real.h"
#undef QUANT_NAME
#undef QUANT_FORMAT
#define QUANT_NAME quantized_matmul_q8_0
#define QUANT_FORMAT HALY_KERNEL_Q8_0
#include "for_each_real.h"
