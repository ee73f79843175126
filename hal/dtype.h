/* SPDX-License-Identifier: Apache-2.0 */
/* Facts about data types that the checks and lowerings ask for. */
#ifndef HAL_DTYPE_H
#define HAL_DTYPE_H

#include <stdbool.h>

#include <halyard/dtype.h>

/* The bit of a type in the masks of halyard/device.h. */
#define DTYPE_BIT(dtype) (UINT64_C(1) << (unsigned)(dtype))

/* Types that the operators of the ONNX domain compute in, the block types, and everything that is not a block. */
#define DTYPES_FLOAT (DTYPE_BIT(HALY_F32) | DTYPE_BIT(HALY_F16) | DTYPE_BIT(HALY_BF16))
#define DTYPES_BLOCK (DTYPE_BIT(HALY_Q4_0) | DTYPE_BIT(HALY_Q4_1) | DTYPE_BIT(HALY_Q8_0))
#define DTYPES_PLAIN ((DTYPE_BIT(HALY_F8_E5M2) << 1) - DTYPE_BIT(HALY_F32))
#define DTYPES_INDEX (DTYPE_BIT(HALY_I32) | DTYPE_BIT(HALY_I64))

/* The highest type number this library knows. */
#define DTYPE_LAST HALY_Q8_0

/* False for HALY_DTYPE_NONE and for numbers that this library does not know. */
bool dtype_is_known(haly_dtype dtype);

static inline bool dtype_in(haly_dtype dtype, uint64_t mask)
{
    return dtype_is_known(dtype) && (mask & DTYPE_BIT(dtype)) != 0;
}

/* What an address of a tensor of this type must be a multiple of. A block starts with an f16, and nothing in it is
 * wider: 2 for block types, whose sizes are not powers of two. */
uint32_t dtype_alignment(haly_dtype dtype);

/* Writes "f32, f16 or bf16" for a mask; cut at the buffer's size. */
void dtype_list(uint64_t mask, char *text, uint32_t size);

#endif
