/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of operators need to compute the right answer themselves: shares no code with the library or its kernels.
 */
#ifndef TESTS_UNIT_ORACLE_H
#define TESTS_UNIT_ORACLE_H

#include <stdbool.h>

#include <halyard/halyard.h>

/* 0: all contiguous; else tensors take turns with gaps, reversed dimensions and negative strides. */
#define LAYOUTS 4
extern uint32_t layout;

/* Runs a test for each floating point type and layout, in a context of its own on the inline backend. */
void for_each(void (*test)(haly_dtype dtype));

uint32_t random_bits(void);

/* Tensors in the layout under test; those not filled hold a pattern. */
haly_tensor make(haly_dtype dtype, uint32_t rank, int64_t a, int64_t b, int64_t c, int64_t d);
haly_tensor fill(haly_tensor t);
/* A matrix of block type, with a gap between rows unless the layout is contiguous. */
haly_tensor make_blocks(haly_dtype dtype, int64_t rows, int64_t columns);

/* To the nearest of a floating point type, in double. */
double rounded(haly_dtype dtype, double value);

int64_t count_of(const haly_tensor *t);
/* Where the index-th element in row-major order stands, and that element; one of a tensor of rank 4; one of a matrix.
 */
int64_t place(const haly_tensor *t, int64_t index);
double at(const haly_tensor *t, int64_t index);
double at4(const haly_tensor *t, int64_t a, int64_t b, int64_t c, int64_t d);
double weight_at(const haly_tensor *t, int64_t row, int64_t column);
double element(const haly_tensor *t, int64_t offset);
void element_set(const haly_tensor *t, int64_t offset, double value);

struct run {
    haly_op_desc desc;
    haly_tensor inputs[5], outputs[2];
    haly_attribute attributes[3];
};

struct run begin(const char *domain, const char *name);
void attribute(struct run *run, haly_attribute value);
/* Runs it, and fails when a byte outside the outputs' elements has changed. */
void execute(struct run *run, uint32_t inputs);
void check_surroundings(const haly_tensor *t);

/* Fails unless the element is within the numerics contract. */
void compare(const struct run *run, uint32_t output, int64_t index, double want, double magnitude);

#endif
