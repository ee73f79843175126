/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file dtype.h
 * Data types of tensor elements, block-quantised ones included.
 */
#ifndef HALYARD_DTYPE_H
#define HALYARD_DTYPE_H

#include <halyard/base.h>

HALY_BEGIN_DECLS

/**
 * Block types hold 32 consecutive elements of the last dimension in one block, laid out as in GGUF, bytes of f16 in its
 * order (the low one first) on every machine:
 *   Q4_0: f16 d, 16 bytes of nibbles (low nibbles first half, high nibbles second half); w = d * (q - 8); 18 bytes
 *   Q4_1: f16 d, f16 m, 16 bytes of nibbles as above;                                     w = d * q + m;  20 bytes
 *   Q8_0: f16 d, 32 signed bytes;                                                         w = d * q;      34 bytes
 */
typedef enum haly_dtype {
    HALY_DTYPE_NONE = 0, /**< an absent optional tensor */
    HALY_F32 = 1,
    HALY_F16 = 2,
    HALY_BF16 = 3,
    HALY_F64 = 4,
    HALY_I8 = 5,
    HALY_I16 = 6,
    HALY_I32 = 7,
    HALY_I64 = 8,
    HALY_U8 = 9,
    HALY_U16 = 10,
    HALY_U32 = 11,
    HALY_U64 = 12,
    HALY_BOOL = 13, /**< one byte, 0 or 1 */
    HALY_F8_E4M3 = 14,
    HALY_F8_E5M2 = 15,
    HALY_Q4_0 = 16,
    HALY_Q4_1 = 17,
    HALY_Q8_0 = 18,
    HALY_DTYPE_MAX_ENUM = 0x7fffffff
} haly_dtype;

/** Elements in one block: 32 for block types, 1 for the others, 0 for an unknown number. Since 1.0. */
HALY_API uint32_t haly_dtype_block_elements(haly_dtype dtype);

/** Bytes of one block (of one element for plain types), 0 for an unknown number. Since 1.0. */
HALY_API uint32_t haly_dtype_block_bytes(haly_dtype dtype);

/** "f32", "q4_1", … or "unknown". Static storage. Since 1.0. */
HALY_API const char *haly_dtype_name(haly_dtype dtype);

HALY_END_DECLS

#endif
