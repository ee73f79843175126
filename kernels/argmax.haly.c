/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Index of the largest element of rows, a group a row. Floats are compared as integers in the same order, which puts
 * NaN where it belongs and vectorises; an item remembers the block its best stood in, and the whole index is made once
 * at the end.
 */
#define HALY_MAX_ITEMS 256
#include <halyard/kernel.h>
#include "access.h"

/* Integers in the order of the floats; -0 equals 0 and every NaN is the largest. */
HALY_FN haly_i32 argmax_key(float value)
{
    const haly_u32 bits = haly_f32_bits(value == 0.0f ? 0.0f : value);
    const haly_u32 ordered = (bits & 0x80000000U) != 0 ? bits ^ 0x7fffffffU : bits;
    return (bits & 0x7fffffffU) > 0x7f800000U ? PLANTED_OR(argmax_ignores_nan, 0x7fffffff, -0x7fffffff)
                                              : (haly_i32)ordered;
}

#define KERNEL_BODY "argmax_body.h"
#include "for_each_real.h"
