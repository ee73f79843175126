/* SPDX-License-Identifier: Apache-2.0 */
/* How kernels reach elements: offsets of strided shapes, and loads and stores whose type is known only at run time. */
#ifndef HALYARD_KERNELS_ACCESS_H
#define HALYARD_KERNELS_ACCESS_H

#include "kernels.h"
#include "planted.h"

/** Offset of element number `index`, in row-major order of the first `rank` dimensions, in elements. */
HALY_INLINE haly_i64 strided_offset(const struct haly_strided *shape, haly_u32 rank, haly_u32 operand, haly_u64 index)
{
    haly_i64 offset = 0;
    for (haly_u32 d = rank; d-- > 0;) {
        const haly_u64 rest = index / shape->dims[d];
        offset += (haly_i64)(index - rest * shape->dims[d]) * shape->strides[operand][d];
        index = rest;
    }
    return offset;
}

/* A stretch of the last dimension inside the part of a tensor that a group does. */
struct run {
    haly_u64 next, end, n; /* element numbers; n: length of this stretch */
    haly_i64 offsets[4];   /* of its first element, per operand */
    haly_i64 steps[4];     /* between its elements */
};

/** The stretch before the first of the `index`-th chunk of HALY_ELEMENTWISE_CHUNK elements. */
HALY_INLINE struct run run_begin(const struct haly_strided *shape, haly_u64 count, haly_u32 index)
{
    struct run run;
    run.next = (haly_u64)index * HALY_ELEMENTWISE_CHUNK;
    run.end = haly_min_u64(count, run.next + HALY_ELEMENTWISE_CHUNK);
    run.n = 0;
    for (haly_u32 o = 0; o < 4; o++) {
        run.offsets[o] = 0;
        run.steps[o] = shape->rank > 0 ? shape->strides[o][shape->rank - 1] : 0;
    }
    return run;
}

/** Goes to the next stretch; 0 at the end. */
HALY_FN haly_u32 run_next(struct run *run, const struct haly_strided *shape)
{
    if (run->next >= run->end)
        return 0;
    const haly_u32 outer = shape->rank > 0 ? shape->rank - 1 : 0;
    const haly_u64 length = shape->rank > 0 ? shape->dims[outer] : 1;
    haly_u64 index = run->next / length;
    const haly_u64 column = run->next - index * length;
    run->n = haly_min_u64(length - column, run->end - run->next);
    for (haly_u32 o = 0; o < 4; o++)
        run->offsets[o] = (haly_i64)column * run->steps[o];
    for (haly_u32 d = outer; d-- > 0;) {
        const haly_u64 rest = index / shape->dims[d];
        for (haly_u32 o = 0; o < 4; o++)
            run->offsets[o] += (haly_i64)(index - rest * shape->dims[d]) * shape->strides[o][d];
        index = rest;
    }
    run->next += run->n;
    return 1;
}

/** Element `index` of a floating point array of type `dtype`; NaN for an unknown type. */
HALY_INLINE float load_real(HALY_GLOBAL const void *address, haly_u32 dtype, haly_i64 index)
{
    if (dtype == HALY_KERNEL_F32)
        return ((HALY_GLOBAL const float *)address)[index];
    if (dtype == HALY_KERNEL_F16)
        return haly_f16_to_f32(((HALY_GLOBAL const haly_f16 *)address)[index]);
    if (dtype == HALY_KERNEL_BF16)
        return haly_bf16_to_f32(((HALY_GLOBAL const haly_bf16 *)address)[index]);
    return HALY_NAN;
}

/** Stores to a floating point array of type `dtype`; nothing for an unknown type. */
HALY_INLINE void store_real(HALY_GLOBAL void *address, haly_u32 dtype, haly_i64 index, float value)
{
    if (dtype == HALY_KERNEL_F32)
        ((HALY_GLOBAL float *)address)[index] = value;
    else if (dtype == HALY_KERNEL_F16)
        ((HALY_GLOBAL haly_f16 *)address)[index] = haly_f32_to_f16(value);
    else if (dtype == HALY_KERNEL_BF16)
        ((HALY_GLOBAL haly_bf16 *)address)[index] = haly_f32_to_bf16(value);
}

/** Element `index` of an i32 or i64 array. */
HALY_INLINE haly_i64 load_index(HALY_GLOBAL const void *address, haly_u32 dtype, haly_i64 index)
{
    return dtype == HALY_KERNEL_I32 ? (haly_i64)((HALY_GLOBAL const haly_i32 *)address)[index]
                                    : ((HALY_GLOBAL const haly_i64 *)address)[index];
}

#endif
