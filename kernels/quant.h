/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The block-quantised formats: 32 weights in a block, as in GGUF. Blocks lie at any address, so scales are read as
 * bytes.
 *   q4_0: f16 d, 16 bytes of nibbles (low nibbles are weights 0-15, high ones 16-31)          w = d * (q - 8)
 *   q4_1: f16 d, f16 m, nibbles as above                                                     w = d * q + m
 *   q8_0: f16 d, 32 signed bytes                                                             w = d * q
 */
#ifndef HALYARD_KERNELS_QUANT_H
#define HALYARD_KERNELS_QUANT_H

#include "kernels.h"
#include "planted.h"

HALY_INLINE float quant_half(HALY_GLOBAL const haly_u8 *bytes)
{
    return haly_f16_to_f32(haly_f16_from_bits((haly_u16)(bytes[0] | (haly_u32)bytes[1] << 8)));
}

/** Dequantises weights j and j + 16 of a block, j < 16. `format` should be a constant. */
HALY_INLINE void quant_pair(HALY_GLOBAL const haly_u8 *block, haly_u32 format, float d, float m, haly_u32 j, float *low,
                            float *high)
{
    if (format == HALY_KERNEL_Q8_0) {
        *low = d * (float)(haly_i8)block[2 + j];
        *high = d * (float)PLANTED_OR(q8_weights_are_unsigned, (haly_i8)block[18 + j], block[18 + j]);
    } else if (format == HALY_KERNEL_Q4_0) {
        *low = d * (float)((haly_i32)(block[2 + j] & 15U) - 8);
        *high = d * (float)((haly_i32)(block[2 + j] >> 4) - 8);
    } else {
        *low = haly_mad(d, (float)(block[4 + j] & 15U), m);
        *high = haly_mad(d, (float)(block[4 + j] >> 4), m);
    }
}

/** The block's scale, and its minimum where it has one. */
HALY_INLINE void quant_scale(HALY_GLOBAL const haly_u8 *block, haly_u32 format, float *d, float *m)
{
    *d = quant_half(block);
    *m = format == HALY_KERNEL_Q4_1 ? quant_half(block + 2) : 0.0f;
}

HALY_INLINE haly_u32 quant_block_bytes(haly_u32 format)
{
    return format == HALY_KERNEL_Q8_0   ? HALY_Q8_0_BYTES
           : format == HALY_KERNEL_Q4_0 ? HALY_Q4_0_BYTES
                                        : HALY_Q4_1_BYTES;
}

#endif
