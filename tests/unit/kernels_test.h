/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel tests share: running a kernel over its grid in any order of groups, arrays of every storage type seen
 * as doubles (with conversions that share nothing with the kernels'), random strided layouts, comparison.
 */
#ifndef KERNELS_TEST_H
#define KERNELS_TEST_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "kernels.h"

/* Numbers from a seed; the seed of a test is its name's business, so failures repeat. */
struct rng {
    uint64_t state;
};
uint64_t rng_next(struct rng *rng);
uint32_t rng_below(struct rng *rng, uint32_t limit);
double rng_real(struct rng *rng, double low, double high);

/* An array with guard elements on both sides; freed by array_free. */
struct array {
    uint32_t dtype;
    size_t count, size; /* elements; bytes of one */
    unsigned char *memory;
    unsigned char *data; /* of element 0 */
};
struct array array_new(uint32_t dtype, size_t count);
/* Fails the test when a guard was written. */
void array_free(struct array *array);
double array_get(const struct array *array, size_t index);
void array_set(struct array *array, size_t index, double value);
void array_random(struct array *array, struct rng *rng, double low, double high);
/* Overwrites everything with bytes that are no sensible value. */
void array_poison(struct array *array);

double dtype_round(uint32_t dtype, double value);
/* Distance between neighbours around `value`, for floating point types. */
double dtype_ulp(uint32_t dtype, double value);
const char *dtype_suffix(uint32_t dtype);

/* Runs the tests with each build of the kernels that this machine can execute. */
int kernels_test_main(const char *group, const struct CMUnitTest *tests, size_t count);

/* The kernel <base>_<suffix of dtype>, or <base> for HALY_KERNEL_NONE. */
const struct haly_kernel_meta *kernel_find(const char *base, uint32_t dtype);

/* Runs all groups, then `scramble` says how: 0 in order, 1 backwards, else shuffled by that seed. */
void kernel_run(const struct haly_kernel_meta *meta, uint32_t gx, uint32_t gy, uint32_t gz, const void *arguments,
                size_t size, uint64_t scramble);

/* Runs in order, then backwards and shuffled into the same poisoned output: the bytes must be the same each time. */
void kernel_run_orders(const struct haly_kernel_meta *meta, uint32_t gx, uint32_t gy, uint32_t gz,
                       const void *arguments, size_t size, struct array *output);

/* |got - want| <= error + one rounding to the array's type; NaN and infinities must agree. */
void assert_close(const struct array *array, size_t index, double want, double error);

/* A random layout of dims for one operand: permuted, padded, perhaps reversed, perhaps broadcast (inputs only). Returns
   elements needed; *out_first is where element 0 goes. */
size_t random_layout(struct rng *rng, uint32_t rank, const uint64_t *dims, int may_broadcast, int64_t *strides,
                     size_t *out_first);

/* Offset of the element with row-major number `index`. */
int64_t layout_offset(uint32_t rank, const uint64_t *dims, const int64_t *strides, uint64_t index);

static const uint32_t real_dtypes[3] = {HALY_KERNEL_F32, HALY_KERNEL_F16, HALY_KERNEL_BF16};

#endif
