/* SPDX-License-Identifier: Apache-2.0 */
/* The table of data types. Its rows are in the order of enum haly_dtype, whose numbers are ABI. */
#include "dtype.h"

#include <stdio.h>

static const struct {
    const char *name;
    uint16_t block_elements;
    uint16_t block_bytes;
} dtypes[] = {
    [HALY_DTYPE_NONE] = {"none", 0, 0}, [HALY_F32] = {"f32", 1, 4},     [HALY_F16] = {"f16", 1, 2},
    [HALY_BF16] = {"bf16", 1, 2},       [HALY_F64] = {"f64", 1, 8},     [HALY_I8] = {"i8", 1, 1},
    [HALY_I16] = {"i16", 1, 2},         [HALY_I32] = {"i32", 1, 4},     [HALY_I64] = {"i64", 1, 8},
    [HALY_U8] = {"u8", 1, 1},           [HALY_U16] = {"u16", 1, 2},     [HALY_U32] = {"u32", 1, 4},
    [HALY_U64] = {"u64", 1, 8},         [HALY_BOOL] = {"bool", 1, 1},   [HALY_F8_E4M3] = {"f8_e4m3", 1, 1},
    [HALY_F8_E5M2] = {"f8_e5m2", 1, 1}, [HALY_Q4_0] = {"q4_0", 32, 18}, [HALY_Q4_1] = {"q4_1", 32, 20},
    [HALY_Q8_0] = {"q8_0", 32, 34},
};

_Static_assert(sizeof dtypes / sizeof *dtypes == DTYPE_LAST + 1, "a type without a row");

static bool has_row(haly_dtype dtype)
{
    return (uint32_t)dtype <= (uint32_t)DTYPE_LAST;
}

uint32_t haly_dtype_block_elements(haly_dtype dtype)
{
    return has_row(dtype) ? dtypes[dtype].block_elements : 0;
}

uint32_t haly_dtype_block_bytes(haly_dtype dtype)
{
    return has_row(dtype) ? dtypes[dtype].block_bytes : 0;
}

const char *haly_dtype_name(haly_dtype dtype)
{
    return has_row(dtype) ? dtypes[dtype].name : "unknown";
}

bool dtype_is_known(haly_dtype dtype)
{
    return dtype != HALY_DTYPE_NONE && has_row(dtype);
}

uint32_t dtype_alignment(haly_dtype dtype)
{
    return haly_dtype_block_elements(dtype) == 1 ? haly_dtype_block_bytes(dtype) : 2;
}

void dtype_list(uint64_t mask, char *text, uint32_t size)
{
    uint32_t used = 0;
    text[0] = '\0';
    for (uint32_t i = HALY_F32; i <= (uint32_t)DTYPE_LAST && used < size; i++) {
        if ((mask & DTYPE_BIT(i)) == 0)
            continue;
        mask &= ~DTYPE_BIT(i);
        const char *separator = used == 0 ? "" : mask == 0 ? " or " : ", ";
        const int wrote = snprintf(text + used, size - used, "%s%s", separator, haly_dtype_name((haly_dtype)i));
        used += wrote > 0 ? (uint32_t)wrote : 0;
    }
}
