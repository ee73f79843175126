/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file kernels.h
 * The interface of the operator kernels: for each its arguments, grid and accuracy. It is what the core's lowering
 * includes to build launches, so it is ordinary C as well as part of the dialect.
 *
 * Conventions
 *  - A kernel's arguments are its addresses in the order given, then ONE struct by value. The packed block is a C
 *    struct with those fields; haly_kernel_meta says the offsets. An address that the struct declares absent may be
 *    NULL.
 *  - {dt} in a name is f32, f16 or bf16: the type of the operator's floating point operands. All arithmetic is f32.
 *    Type codes are the numbers of haly_dtype (HALY_KERNEL_F32 ... below).
 *  - Strides and steps count elements, may be 0 in inputs (broadcast) or negative. Addresses are those of element 0.
 *  - Grids count groups; the group size is compiled in. With a 0 in the grid nothing is launched: no kernel is needed
 *    for empty outputs. Where a sum is empty (n, k or a length is 0) the kernel must be launched, to write zeros.
 *  - Groups are independent: any order, any number at once, the same bits. The order in which an output element is
 *    summed up depends on its own length (n, k, keys visible) only, not on the rest of the shape.
 *  - Allowed aliasing is written as "y may be x": same address, same strides. Otherwise outputs overlap nothing.
 *  - Grids are limited to 65535 in y and z, 2^31 - 1 in x.
 *
 * kernel                        addresses              struct                 grid (x, y, z)                     items
 * elementwise_unary_{dt}        x, y                   haly_elementwise       ceil(count / 4096), 1, 1           256
 * elementwise_binary_{dt}       a, b, y                haly_elementwise       ceil(count / 4096), 1, 1           256
 * cast                          x, y                   haly_cast              ceil(count / 4096), 1, 1           256
 * copy_1 copy_2 copy_4 copy_8   x, y                   haly_copy              ceil(count / 4096), 1, 1           256
 * softmax_{dt}                  x, y                   haly_rows              rows, 1, 1                         256
 * argmax_{dt}                   x, y                   haly_argmax            rows, 1, 1                         256
 * rms_norm_{dt}                 x, scale, y            haly_norm              rows, 1, 1                         256
 * add_rms_norm_{dt}             x, residual, scale, sum, y   haly_norm        rows, 1, 1                         256
 * rotary_{dt}                   x, positions, cos, sin, y    haly_rotary      sequence, batch, 1                 256
 * attention_{dt}                q, k, v, mask, lengths, y    haly_attention   q_length, q_heads, batch           128
 * kv_cache_write_{dt}           k, v, past, k_cache, v_cache haly_kv_write    length, heads, batch               64
 * embedding_{dt}, embedding_q4_0 _q4_1 _q8_0
 *                               table, indices, y      haly_embedding         indices, 1, 1                      256
 * matmul_{dt}                   a, b, bias, y          haly_matmul            ceil(n / 128), ceil(m / 32), batch 128
 * quantized_matmul_{q4_0,q4_1,q8_0}_{dt}
 *                               x, weight, bias, y     haly_quantized_matmul  ceil(n / 128), ceil(m / 32), 1     128
 * count = elements of the output; rows = product of the outer dimensions.
 */
#ifndef HALYARD_KERNELS_KERNELS_H
#define HALYARD_KERNELS_KERNELS_H

#include <halyard/kernel.h>

/** Type codes, as in haly_dtype. */
enum haly_kernel_dtype {
    HALY_KERNEL_NONE = 0,
    HALY_KERNEL_F32 = 1,
    HALY_KERNEL_F16 = 2,
    HALY_KERNEL_BF16 = 3,
    HALY_KERNEL_I32 = 7,
    HALY_KERNEL_I64 = 8,
    HALY_KERNEL_U8 = 9,
    HALY_KERNEL_BOOL = 13,
    HALY_KERNEL_Q4_0 = 16,
    HALY_KERNEL_Q4_1 = 17,
    HALY_KERNEL_Q8_0 = 18
};

#define HALY_KERNEL_MAX_RANK 8
#define HALY_ELEMENTWISE_CHUNK 4096U /* output elements per group */
#define HALY_MATMUL_ROWS 32U         /* output tile of a group */
#define HALY_MATMUL_COLUMNS 128U
#define HALY_ATTENTION_MAX_HEAD 512U /* largest head_size and value_size */
#define HALY_QUANT_BLOCK 32U         /* weights in one block of every quantised format */

/**
 * Up to four operands walked together in row-major order of dims. rank 0 is one element. haly_strided_compact() below
 * merges dimensions, and should be called first: kernels are fast when the last dimension is long and has stride 1.
 */
struct haly_strided {
    haly_u32 rank;
    haly_u32 reserved; /* 0 */
    haly_u64 dims[HALY_KERNEL_MAX_RANK];
    haly_i64 strides[4][HALY_KERNEL_MAX_RANK]; /* [operand][dimension] */
};

/**
 * elementwise_unary_{dt}: operands 0 = x, 1 = y. y may be x. One rounding of the f32 result to {dt}; before that, in
 * ulp of f32: neg abs relu identity exact; sqrt reciprocal 0.5; rsqrt 1.5; exp log tanh sigmoid erf sin cos as
 * kernel_math.h; swish 3.5 (alpha = 1); gelu absolute error 2e-7 * max(1, |x|), gelu_tanh 3e-7 * max(1, |x|).
 * elementwise_binary_{dt}: operands 0 = a, 1 = b, 2 = y. y may be a or b. add sub mul div correctly rounded in f32; max
 * min exact, NaN wins; swiglu = a * sigmoid(a) * b, 4 ulp.
 */
enum haly_unary_op {
    HALY_UNARY_IDENTITY = 0, /* keeps NaN payloads up to quieting; copy_* moves bits */
    HALY_UNARY_NEG = 1,
    HALY_UNARY_ABS = 2,
    HALY_UNARY_EXP = 3,
    HALY_UNARY_LOG = 4,
    HALY_UNARY_SQRT = 5,
    HALY_UNARY_RSQRT = 6,
    HALY_UNARY_RECIPROCAL = 7,
    HALY_UNARY_SIGMOID = 8,
    HALY_UNARY_TANH = 9,
    HALY_UNARY_RELU = 10,
    HALY_UNARY_GELU = 11,      /* with the error function */
    HALY_UNARY_GELU_TANH = 12, /* tanh approximation */
    HALY_UNARY_SWISH = 13,     /* x * sigmoid(alpha * x) */
    HALY_UNARY_ERF = 14,
    HALY_UNARY_SIN = 15,
    HALY_UNARY_COS = 16,
    HALY_UNARY_COUNT = 17
};

enum haly_binary_op {
    HALY_BINARY_ADD = 0,
    HALY_BINARY_SUB = 1,
    HALY_BINARY_MUL = 2,
    HALY_BINARY_DIV = 3,
    HALY_BINARY_MAX = 4,
    HALY_BINARY_MIN = 5,
    HALY_BINARY_SWIGLU = 6,
    HALY_BINARY_COUNT = 7
};

struct haly_elementwise {
    haly_u32 op;    /* haly_unary_op or haly_binary_op; an unknown number writes NaN */
    float alpha;    /* swish: usually 1 */
    haly_u64 count; /* product of shape.dims */
    struct haly_strided shape;
};

/**
 * cast: operands 0 = x, 1 = y. Between f32 f16 bf16 i32 i64 u8 bool. Float to float: round to nearest even, NaN kept.
 * Float to integer: truncated, then saturated, NaN gives 0. Integer to integer: wraps. Integer to float: round to
 * nearest even, once. To bool: 0 gives 0, all else (NaN too) gives 1; a bool byte counts as 1 when it is not 0. y may
 * be x when sizes are equal.
 */
struct haly_cast {
    haly_u32 from; /* type codes */
    haly_u32 to;
    haly_u64 count;
    struct haly_strided shape;
};

/** copy_{1,2,4,8}: operands 0 = x, 1 = y of elements of that many bytes. */
struct haly_copy {
    haly_u64 count;
    struct haly_strided shape;
};

/** One row per group: n elements `steps[operand]` apart, rows placed by `outer`. */
struct haly_rows {
    haly_u64 n;
    haly_i64 steps[4];
    struct haly_strided outer; /* dims: all but the reduced one */
};

/**
 * softmax_{dt}: operands 0 = x, 1 = y; y may be x. Relative error 4e-7 + 6e-8 * (largest - x), absolute n * 1e-38, then
 * one rounding to {dt}. A row with a NaN, with +infinity, or of -infinity alone gives NaN throughout.
 *
 * argmax_{dt}: operands 0 = x, 1 = y (i64). Exact: the first of the largest (the last with select_last); -0 equals 0;
 * NaN counts as the largest. n must not be 0.
 */
struct haly_argmax {
    haly_u32 select_last;
    haly_u32 reserved;
    struct haly_rows rows;
};

/**
 * rms_norm_{dt}:     operands 0 = x, 1 = y. y = x / sqrt(mean(x^2) + epsilon) * scale. y may be x.
 * add_rms_norm_{dt}: operands 0 = x, 1 = y, 2 = residual, 3 = sum. sum = x + residual (rounded to {dt}), y =
 * rms_norm(sum). sum may be x or residual, and y may be x; y and sum are different memory.
 * Error 6e-7 relative before the rounding to {dt}.
 */
struct haly_norm {
    float epsilon;
    haly_u32 scale_dtype; /* f32, f16 or bf16; HALY_KERNEL_NONE: scale 1 */
    haly_i64 scale_step;
    struct haly_rows rows;
};

/**
 * rotary_{dt}: turns pairs of elements of each head by an angle that grows with the position:
 *   y[p] = x[p] * cos - x[q] * sin, y[q] = x[q] * cos + x[p] * sin; elements from rotary_dim on are copied.
 *   Pairs are (2j, 2j + 1) when interleaved, else (j, j + rotary_dim / 2). y may be x.
 * The angle of pair j at position p is p * base^(-2j / rotary_dim). It is computed in 64-bit fixed point, in turns:
 *   frequency_first = 2^64 / (2 pi) rounded down (times a position scale <= 1 where one is used),
 *   frequency_ratio = base^(-2 / rotary_dim) * 2^64 rounded down; 0 means a ratio of 1 (base 1).
 * so it is right to 1e-6 radians for |position| up to 2^20 given double precision ratios. Or cos and sin are read from
 * caches (cache_dtype f32, f16, bf16), one row per position with rotary_dim / 2 columns; a position outside [0,
 * cache_rows) gives NaN. Error 4e-7 * (|x[p]| + |x[q]|) with exact angles, then one rounding to {dt}.
 */
struct haly_rotary {
    haly_u32 heads;
    haly_u32 head_size;
    haly_u32 rotary_dim; /* even, at most head_size */
    haly_u32 interleaved;
    haly_u32 position_dtype;      /* i32, i64; HALY_KERNEL_NONE: position_first + index in the sequence */
    haly_u32 cache_dtype;         /* HALY_KERNEL_NONE: angles are computed */
    haly_i64 position_first;      /* added to positions read as well */
    haly_i64 position_strides[2]; /* batch, sequence */
    haly_i64 x_strides[4];        /* batch, sequence, head, element */
    haly_i64 y_strides[4];
    haly_u64 frequency_first;
    haly_u64 frequency_ratio;
    haly_u64 cache_rows;
    haly_i64 cache_strides[2][2]; /* [cos, sin][row, column] */
};

/**
 * attention_{dt}: y = softmax(softcap(scale * q k^T) + mask) v for each query row, by the online softmax, so any length
 * works and nothing is stored. Query head h reads key/value head h / (q_heads / kv_heads).
 * Keys 0 .. L-1 are used, where L is kv_length, or min(lengths[batch], kv_length) when lengths are given
 * (length_dtype). causal: query i sees keys j <= i + offset; offset is causal_offset, or L - q_length when lengths are
 * given. A query that sees no key gives zeros. mask (mask_dtype {dt} in its code: added; bool: 0 excludes) is broadcast
 * by strides. Error 2e-6 * largest |v| (1e-6 of relative weight), then one rounding to {dt}.
 */
struct haly_attention {
    haly_u32 q_length;
    haly_u32 q_heads;
    haly_u32 kv_heads; /* divides q_heads */
    haly_u32 head_size;
    haly_u32 value_size;
    haly_u32 causal;
    haly_u32 mask_dtype;   /* HALY_KERNEL_NONE, {dt}'s code, or HALY_KERNEL_BOOL */
    haly_u32 length_dtype; /* HALY_KERNEL_NONE, i32, i64 */
    haly_u64 kv_length;
    haly_i64 causal_offset;
    haly_i64 length_stride; /* batch */
    float scale;
    float softcap;         /* 0: none; else c * tanh(s / c) */
    haly_i64 q_strides[4]; /* batch, head, sequence, element */
    haly_i64 k_strides[4];
    haly_i64 v_strides[4];
    haly_i64 y_strides[4];
    haly_i64 mask_strides[4]; /* batch, head, query, key */
};

/**
 * kv_cache_write_{dt}: k_cache[b, h, past + s] = k[b, h, s] and the same for v; exact. past is a value, or past[batch]
 * (past_dtype), to which past_first is added. Rows that would fall outside [0, capacity) are not written.
 */
struct haly_kv_write {
    haly_u32 head_size;
    haly_u32 value_size;
    haly_u32 past_dtype; /* HALY_KERNEL_NONE, i32, i64 */
    haly_u32 reserved;
    haly_i64 past_first;
    haly_i64 past_stride;
    haly_u64 capacity;
    haly_i64 k_strides[4]; /* batch, head, sequence, element */
    haly_i64 v_strides[4];
    haly_i64 k_cache_strides[4]; /* batch, head, row, element */
    haly_i64 v_cache_strides[4];
};

/**
 * embedding_*: y[i] = table[indices[i]], dequantised. `outer` walks indices (operand 0) and y's rows (operand 1). An
 * index outside [0, table_rows) writes a row of NaN, so that it cannot pass for a value; with wrap_negative,
 * -table_rows .. -1 count from the end. Exact before the rounding to y's type (q4_1: one rounding of d * q + m in f32).
 */
struct haly_embedding {
    haly_u32 index_dtype; /* i32, i64 */
    haly_u32 y_dtype;     /* f32, f16, bf16 */
    haly_u32 wrap_negative;
    haly_u32 reserved;
    haly_u64 n; /* elements of a row; a multiple of 32 for block types */
    haly_u64 table_rows;
    haly_i64 table_stride; /* between rows: elements; BYTES for block types */
    haly_i64 table_step;   /* between elements of a row; unused for block types */
    haly_i64 y_step;
    struct haly_strided outer;
};

/**
 * matmul_{dt}: y[m,n] = sum over k of a[m,k] * b[k,n] (+ bias), f32 accumulation in the order of k, one rounding to
 * {dt}. Error (k + 2) * 6e-8 * sum |a| |b| in f32. `batch` walks a, b, bias, y (operands 0 to 3). b may be of another
 * floating point type. bias is f32; its strides are 0 where it is broadcast.
 */
struct haly_matmul {
    haly_u64 m, n, k;
    haly_i64 a_strides[2];    /* m, k */
    haly_i64 b_strides[2];    /* k, n */
    haly_i64 bias_strides[2]; /* m, n */
    haly_i64 y_strides[2];    /* m, n */
    haly_u32 b_dtype;
    haly_u32 has_bias;
    struct haly_strided batch;
};

/**
 * quantized_matmul_{q}_{dt}: y[m,n] = sum over k of x[m,k] * weight[n,k] (+ bias[n], f32). Weights are blocks of 32
 * along k, w = d * q, d * (q - 8) or d * q + m rounded to f32; accumulation as in matmul. k is a multiple of 32. `rows`
 * walks the m rows of x (operand 0) and y (operand 1).
 */
struct haly_quantized_matmul {
    haly_u64 m, n, k;
    haly_i64 weight_stride; /* BYTES between rows of weights */
    haly_i64 x_step;        /* along k */
    haly_i64 y_step;        /* along n */
    haly_i64 bias_step;
    haly_u32 has_bias;
    haly_u32 reserved;
    struct haly_strided rows;
};

/** Bytes of one block of 32 weights. */
#define HALY_Q4_0_BYTES 18
#define HALY_Q4_1_BYTES 20
#define HALY_Q8_0_BYTES 34

/* Removes dimension d by merging it into its neighbour d + 1 (or dropping it when its size is 1). */
HALY_FN void haly_strided_remove(struct haly_strided *shape, haly_u32 d)
{
    for (haly_u32 i = d; i + 1 < shape->rank; i++) {
        shape->dims[i] = shape->dims[i + 1];
        for (haly_u32 o = 0; o < 4; o++)
            shape->strides[o][i] = shape->strides[o][i + 1];
    }
    shape->rank--;
}

HALY_FN haly_u32 haly_strided_mergeable(const struct haly_strided *shape, haly_u32 d)
{
    for (haly_u32 o = 0; o < 4; o++)
        if (shape->strides[o][d] != shape->strides[o][d + 1] * (haly_i64)shape->dims[d + 1])
            return 0;
    return 1;
}

/**
 * Drops dimensions of size 1 and merges neighbours that lie one behind the other for all operands (those not used have
 * strides 0), so that a contiguous tensor becomes one dimension and a scalar operand a stride of 0. Keeps the order.
 */
HALY_FN void haly_strided_compact(struct haly_strided *shape)
{
    for (haly_u32 d = shape->rank; d-- > 0;)
        if (shape->dims[d] == 1)
            haly_strided_remove(shape, d);
    for (haly_u32 d = shape->rank > 0 ? shape->rank - 1 : 0; d-- > 0;)
        if (haly_strided_mergeable(shape, d)) {
            shape->dims[d + 1] *= shape->dims[d];
            haly_strided_remove(shape, d);
        }
}

#endif
