/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file ops.h
 * The operators, and typed shorthands that run them eagerly.
 *
 * Domain "" (meaning: the ONNX operator specification; floating point types f32, f16, bf16 unless said otherwise;
 * inputs and output of one type; arithmetic and statistics in f32, rounded once to the output's type):
 *   Add Sub Mul Div Max Min              two inputs, multidirectional broadcasting; Max and Min are NaN when either is
 *   Neg Abs Exp Log Sqrt Reciprocal Sigmoid Tanh Relu
 *   Identity    any plain (not block) type
 *   Gelu        attribute approximate = "none" | "tanh"
 *   Swish       attribute alpha (1.0)
 *   Cast        between f32 f16 bf16 i32 i64 u8 bool; the target is the output's type. Floating point to integers:
 *               truncated, then saturated, NaN gives 0. Between integers: wraps. To bool: 0 gives 0, all else 1
 *   Transpose   any plain type; attribute perm (reversed dimensions)
 *   Softmax     attribute axis (-1)
 *   ArgMax      attributes axis (0), keepdims (1), select_last_index (only 0); output i64; the first of equals wins,
 *               NaN counts as largest
 *   MatMul      numpy matmul, batch dimensions broadcast
 *   RMSNormalization  X, scale (f32 or X's type) of the last dimension's length -> Y of X's type; attributes axis (-1,
 *               only the last), epsilon (1e-5), stash_type (only 1, f32)
 *
 * Domain "halyard" (version 1), each defined by its decomposition; all sums in f32:
 *   Embedding        table[V,D] (f32 f16 bf16 q4_0 q4_1 q8_0), indices[...] (i32 i64) -> y[...,D]
 *                    = table rows, dequantised; an index outside [0,V) gives a row of NaN. y has the table's type, or
 *                    f32, f16 or bf16 when that is a block type
 *   QuantizedMatMul  x[...,K], weight[N,K] (q4_0 q4_1 q8_0 f32 f16 bf16), bias[N] (optional, f32) -> y[...,N]
 *                    = MatMul(x, Transpose(dequantise(weight))) + bias; x and y of one type, x not quantised on the way
 *   SwiGLU           gate, up (same shape) -> y = Swish(gate) * up
 *   AddRMSNorm       x, residual, scale; attribute epsilon (1e-5) -> y, sum
 *                    sum = x + residual, y = RMSNormalization(sum as stored, scale)
 *   Rotary           x[B,S,H,D], positions[B,S] (i32 i64); attributes base (10000, at least 1), interleaved (1),
 *                    rotary_dim (0 = D; even) -> y[B,S,H,D]
 *                    pair i of the first rotary_dim elements is turned by position * base^(-2i/rotary_dim); pairs are
 *                    (2i, 2i+1) when interleaved, else (i, i + rotary_dim/2); the rest is copied
 *   CachedAttention  q[B,S,Hq,D], k[B,S,Hkv,D], v[B,S,Hkv,D], k_cache[B,Hkv,C,D], v_cache[B,Hkv,C,D];
 *                    attributes scale (0 = 1/sqrt(D)), causal (1); host values past[B] or one for all -> y[B,S,Hq,D]
 *                    The caches are updated in place: rows past .. past+S-1 become k and v. Query s then attends to
 *                    rows 0 .. past+s (causal) or 0 .. past+S-1; query head h uses key head h / (Hq/Hkv). past + S must
 *                    not exceed C. The caches are of one floating point type; where only the portable kernels run it
 *                    must be that of q.
 *
 * Versions: 0 is the newest. Any version of an operator in which it has this meaning is accepted; haly_operator_get()
 * tells the newest.
 * Addresses are multiples of the element's size, of 2 for block types.
 * Aliasing: an output may be exactly an input (same address, shape and strides, same element size) for the element-wise
 * operators, Cast and Identity included, SwiGLU, Softmax, RMSNormalization (X), AddRMSNorm (sum with x or residual, y
 * with x) and Rotary; any other overlap of an output, or of a cache, with anything is INVALID. Interleaved views (two
 * column ranges of one matrix) do not overlap.                                                            [OPS-001]
 * Zero-size tensors are fine everywhere; a sum over nothing is 0. An output without elements queues nothing. [OPS-002]
 *
 * The shorthands below only fill in a haly_op_desc; new operators never change the ABI.
 */
#ifndef HALYARD_OPS_H
#define HALYARD_OPS_H

#include <halyard/plan.h>

HALY_BEGIN_DECLS

/** Runs an operator with up to 8 inputs and one output. The other shorthands go through here. */
static inline haly_status haly_op_call(haly_stream *stream, const char *domain, const char *name,
                                       const haly_tensor *inputs, uint32_t input_count, haly_tensor output,
                                       const haly_attribute *attributes, uint32_t attribute_count)
{
    haly_op_desc desc = HALY_ZERO;
    desc.struct_size = HALY_SIZE_THROUGH(haly_op_desc, ext);
    desc.domain = domain;
    desc.name = name;
    desc.inputs = inputs;
    desc.input_count = input_count;
    desc.outputs = &output;
    desc.output_count = 1;
    desc.attributes = attributes;
    desc.attribute_count = attribute_count;
    return haly_op_run(stream, &desc);
}

/** y = name(x): "Neg", "Abs", "Exp", "Log", "Sqrt", "Reciprocal", "Sigmoid", "Tanh", "Relu", "Identity", "Swish",
 * "Gelu". */
static inline haly_status haly_op_unary(haly_stream *stream, const char *name, haly_tensor y, haly_tensor x)
{
    return haly_op_call(stream, "", name, &x, 1, y, NULL, 0);
}

/** y = name(a, b): "Add", "Sub", "Mul", "Div", "Max", "Min". */
static inline haly_status haly_op_binary(haly_stream *stream, const char *name, haly_tensor y, haly_tensor a,
                                         haly_tensor b)
{
    const haly_tensor inputs[2] = {a, b};
    return haly_op_call(stream, "", name, inputs, 2, y, NULL, 0);
}
static inline haly_status haly_op_add(haly_stream *stream, haly_tensor y, haly_tensor a, haly_tensor b)
{
    return haly_op_binary(stream, "Add", y, a, b);
}
static inline haly_status haly_op_sub(haly_stream *stream, haly_tensor y, haly_tensor a, haly_tensor b)
{
    return haly_op_binary(stream, "Sub", y, a, b);
}
static inline haly_status haly_op_mul(haly_stream *stream, haly_tensor y, haly_tensor a, haly_tensor b)
{
    return haly_op_binary(stream, "Mul", y, a, b);
}
static inline haly_status haly_op_div(haly_stream *stream, haly_tensor y, haly_tensor a, haly_tensor b)
{
    return haly_op_binary(stream, "Div", y, a, b);
}

/** y = x converted to y's type. */
static inline haly_status haly_op_cast(haly_stream *stream, haly_tensor y, haly_tensor x)
{
    return haly_op_call(stream, "", "Cast", &x, 1, y, NULL, 0);
}

/** y = x with dimensions reordered: y.shape[i] = x.shape[perm[i]]. */
static inline haly_status haly_op_transpose(haly_stream *stream, haly_tensor y, haly_tensor x, const int64_t *perm)
{
    const haly_attribute attribute = haly_attribute_ints("perm", perm, x.rank);
    return haly_op_call(stream, "", "Transpose", &x, 1, y, &attribute, 1);
}

static inline haly_status haly_op_softmax(haly_stream *stream, haly_tensor y, haly_tensor x, int64_t axis)
{
    const haly_attribute attribute = haly_attribute_int("axis", axis);
    return haly_op_call(stream, "", "Softmax", &x, 1, y, &attribute, 1);
}

/** y (i64) without the axis (keepdims = 0). */
static inline haly_status haly_op_argmax(haly_stream *stream, haly_tensor y, haly_tensor x, int64_t axis)
{
    const haly_attribute attributes[2] = {haly_attribute_int("axis", axis), haly_attribute_int("keepdims", 0)};
    return haly_op_call(stream, "", "ArgMax", &x, 1, y, attributes, 2);
}

static inline haly_status haly_op_matmul(haly_stream *stream, haly_tensor y, haly_tensor a, haly_tensor b)
{
    const haly_tensor inputs[2] = {a, b};
    return haly_op_call(stream, "", "MatMul", inputs, 2, y, NULL, 0);
}

static inline haly_status haly_op_rms_norm(haly_stream *stream, haly_tensor y, haly_tensor x, haly_tensor scale,
                                           double epsilon)
{
    const haly_tensor inputs[2] = {x, scale};
    const haly_attribute attribute = haly_attribute_float("epsilon", epsilon);
    return haly_op_call(stream, "", "RMSNormalization", inputs, 2, y, &attribute, 1);
}

static inline haly_status haly_op_embedding(haly_stream *stream, haly_tensor y, haly_tensor table, haly_tensor indices)
{
    const haly_tensor inputs[2] = {table, indices};
    return haly_op_call(stream, "halyard", "Embedding", inputs, 2, y, NULL, 0);
}

/** `bias` may be haly_tensor_none(). */
static inline haly_status haly_op_quantized_matmul(haly_stream *stream, haly_tensor y, haly_tensor x,
                                                   haly_tensor weight, haly_tensor bias)
{
    const haly_tensor inputs[3] = {x, weight, bias};
    return haly_op_call(stream, "halyard", "QuantizedMatMul", inputs, bias.dtype == HALY_DTYPE_NONE ? 2U : 3U, y, NULL,
                        0);
}

static inline haly_status haly_op_swiglu(haly_stream *stream, haly_tensor y, haly_tensor gate, haly_tensor up)
{
    const haly_tensor inputs[2] = {gate, up};
    return haly_op_call(stream, "halyard", "SwiGLU", inputs, 2, y, NULL, 0);
}

static inline haly_status haly_op_rotary(haly_stream *stream, haly_tensor y, haly_tensor x, haly_tensor positions,
                                         double base, int interleaved)
{
    const haly_tensor inputs[2] = {x, positions};
    const haly_attribute attributes[2] = {haly_attribute_float("base", base),
                                          haly_attribute_int("interleaved", interleaved)};
    return haly_op_call(stream, "halyard", "Rotary", inputs, 2, y, attributes, 2);
}

HALY_END_DECLS

#endif
