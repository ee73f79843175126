/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tensors of operator cases, and what they are compared with. A tensor has a layout in device memory (dense, or with
 * gaps, steps, reversed or permuted dimensions) and its values as a dense row-major array of doubles: oracles work on
 * those alone and know nothing of layouts or types.
 */
#ifndef CTS_TENSOR_H
#define CTS_TENSOR_H

#include "cts.h"

enum cts_layout {
    CTS_DENSE = 0,
    CTS_PADDED = 1,   /* rows of the last dimension stand apart */
    CTS_STEPPED = 2,  /* every second element */
    CTS_REVERSED = 3, /* negative strides */
    CTS_SWAPPED = 4,  /* first dimension runs fastest */
    CTS_LAYOUTS = 5
};

typedef struct cts_tensor {
    haly_tensor view;
    double *values; /* as stored; of outputs after cts_fetch() */
    int64_t count;
    void *storage;  /* device address of the storage */
    uint8_t *image; /* the storage as it was uploaded */
    uint64_t bytes; /* of the storage */
    int64_t origin; /* element of the storage that index 0 … 0 is */
} cts_tensor;

/* `shape` arguments: CTS_SHAPE(2, 3) */
#define CTS_SHAPE(...)                                                                                                 \
    (const int64_t[]){__VA_ARGS__}, (uint32_t)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))
#define CTS_SCALAR NULL, 0U
/* `list` arguments: CTS_LIST(1.0, 2.0) */
#define CTS_LIST(...) (const double[]){__VA_ARGS__}, (uint32_t)(sizeof((const double[]){__VA_ARGS__}) / sizeof(double))

/* ---- numbers ---- */
/** The nearest value of the type (ties to even; integers: truncated and saturated). */
double cts_round(haly_dtype dtype, double value);
void cts_encode(haly_dtype dtype, double value, void *out_bytes);
double cts_decode(haly_dtype dtype, const void *bytes);
/** One quantised block of 32 values. */
void cts_decode_block(haly_dtype dtype, const uint8_t *block, double out_values[32]);
/** The scale or minimum of a block: f16, its low byte first on every machine. */
void cts_encode_scale(double value, uint8_t out[2]);

/* ---- making tensors ---- */
/** Uniform random values. */
cts_tensor cts_input(struct cts *t, haly_dtype dtype, enum cts_layout layout, const int64_t *shape, uint32_t rank,
                     double low, double high);
/** Values from a list, repeated. */
cts_tensor cts_input_list(struct cts *t, haly_dtype dtype, enum cts_layout layout, const int64_t *shape, uint32_t rank,
                          const double *list, uint32_t list_count);
/** Values from an array with one for each element. */
cts_tensor cts_input_values(struct cts *t, haly_dtype dtype, enum cts_layout layout, const int64_t *shape,
                            uint32_t rank, const double *values);
/** Random blocks of a quantised type; rows of `columns` elements (a multiple of 32), `gap_blocks` between rows. */
cts_tensor cts_blocks(struct cts *t, haly_dtype dtype, int64_t rows, int64_t columns, int64_t gap_blocks);
/** Weights of any type, quantised or not: [rows, columns]. */
cts_tensor cts_weight(struct cts *t, haly_dtype dtype, int64_t rows, int64_t columns);
/** Filled with sentinels. */
cts_tensor cts_output(struct cts *t, haly_dtype dtype, enum cts_layout layout, const int64_t *shape, uint32_t rank);

/** Brings the values back; everything that is not an element of the view must be as it was. */
void cts_fetch(struct cts *t, cts_tensor *tensor);
/** The tensor is what it was when it was made: an input that an operator must not touch. */
void cts_expect_untouched(struct cts *t, cts_tensor *tensor);

/* ---- running and comparing ---- */
/**
 * Runs an operator and waits for it. 0 when the device does not declare it (counted): the caller goes on with the next
 * part of its sweep. A refusal that the declaration does not allow fails.
 */
int cts_op(struct cts *t, const haly_op_desc *desc);
/** Whether tensors of this type are declared; counts a part that is not. */
int cts_dtype(struct cts *t, haly_dtype dtype);
/** The refusal that the contract asks for: HALY_ERR_INVALID from description or run, and nothing written to `y`. */
void cts_expect_refused(struct cts *t, haly_status want, const haly_op_desc *desc, cts_tensor *y);

/**
 * Fetches y and compares it with `want` (double precision, not yet rounded) within the contract's row for the operator
 * and y's type. `magnitude` is the scale for sums (NULL: |want|).
 */
void cts_compare(struct cts *t, cts_tensor *y, const double *want, const double *magnitude, const char *domain,
                 const char *name);
/** Bit for bit what `values` round to. */
void cts_compare_exact(struct cts *t, cts_tensor *y, const double *values);
/** Two outputs hold the same bits. */
void cts_compare_bits(struct cts *t, const cts_tensor *a, const cts_tensor *b);

/** Array of doubles, freed after the case. */
double *cts_doubles(struct cts *t, int64_t count);
/** Index of element `flat` (row-major) of `shape` in a tensor broadcast to it. */
int64_t cts_broadcast_index(const cts_tensor *x, const int64_t *shape, uint32_t rank, int64_t flat);
int64_t cts_count(const int64_t *shape, uint32_t rank);

/* f32, f16, bf16: the types every floating point operator has */
extern const haly_dtype cts_float_types[3];
#define CTS_EACH_FLOAT(dtype_)                                                                                         \
    for (uint32_t dtype_##_i = 0; dtype_##_i < 3; dtype_##_i++)                                                        \
        for (haly_dtype dtype_ = cts_float_types[dtype_##_i], dtype_##_once = 1; dtype_##_once != 0;                   \
             dtype_##_once = 0)                                                                                        \
            if (cts_dtype(t, dtype_))
#define CTS_EACH_LAYOUT(layout_)                                                                                       \
    for (enum cts_layout layout_ = CTS_DENSE; layout_ < CTS_LAYOUTS; layout_ = (enum cts_layout)(layout_ + 1))

#endif
