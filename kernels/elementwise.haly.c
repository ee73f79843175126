/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Element-wise operators over any strides. A group does 4096 consecutive output elements, cut into runs of the last
 * dimension. A run is loaded into local memory as f32, 256 elements at a time, the operation is applied there in a loop
 * of its own, and the result is stored: so each operation is compiled once, and every loop is plain and vectorises.
 * Contiguous f32 runs, where that detour would show, are done in one loop.
 */
#define HALY_MAX_ITEMS 256
#include <halyard/kernel.h>
#include "access.h"

HALY_FN float gelu(float x)
{
    return 0.5f * x * (1.0f + haly_erff(x * 0.70710678f));
}

HALY_FN float gelu_tanh(float x)
{
    return 0.5f * x * (1.0f + haly_tanhf(0.79788456f * (x + 0.044715f * x * x * x)));
}

#define UNARY_CASE(op, expression)                                                                                     \
    case op:                                                                                                           \
        for (haly_u64 k = 0; k < n; k += HALY_ITEM_COUNT)                                                              \
            HALY_ITEMS_BELOW_NB(t, n - k)                                                                              \
            {                                                                                                          \
                const float v = x[k + t];                                                                              \
                y[k + t] = (expression);                                                                               \
            }                                                                                                          \
        break;

/* y[i] = op(x[i]) for n elements in memory of one kind; y may be x. */
#define UNARY_FUNCTION(name, SPACE)                                                                                    \
    HALY_GROUP_FN void name(HALY_GROUP_PARAM, haly_u32 op, float alpha, SPACE const float *x, SPACE float *y,          \
                            haly_u64 n)                                                                                \
    {                                                                                                                  \
        switch (op) {                                                                                                  \
            UNARY_CASE(HALY_UNARY_IDENTITY, v)                                                                         \
            UNARY_CASE(HALY_UNARY_NEG, -v)                                                                             \
            UNARY_CASE(HALY_UNARY_ABS, haly_absf(v))                                                                   \
            UNARY_CASE(HALY_UNARY_EXP, haly_expf(v))                                                                   \
            UNARY_CASE(HALY_UNARY_LOG, haly_logf(v))                                                                   \
            UNARY_CASE(HALY_UNARY_SQRT, haly_sqrtf(v))                                                                 \
            UNARY_CASE(HALY_UNARY_RSQRT, haly_rsqrtf(v))                                                               \
            UNARY_CASE(HALY_UNARY_RECIPROCAL, 1.0f / v)                                                                \
            UNARY_CASE(HALY_UNARY_SIGMOID, haly_sigmoidf(v))                                                           \
            UNARY_CASE(HALY_UNARY_TANH, haly_tanhf(v))                                                                 \
            UNARY_CASE(HALY_UNARY_RELU, PLANTED_OR(relu_drops_nan, v < 0.0f, !(v > 0.0f)) ? 0.0f : v)                  \
            UNARY_CASE(HALY_UNARY_GELU, gelu(v))                                                                       \
            UNARY_CASE(HALY_UNARY_GELU_TANH, gelu_tanh(v))                                                             \
            UNARY_CASE(HALY_UNARY_SWISH, v *haly_sigmoidf(alpha *v))                                                   \
            UNARY_CASE(HALY_UNARY_ERF, haly_erff(v))                                                                   \
            UNARY_CASE(HALY_UNARY_SIN, haly_sinf(v))                                                                   \
            UNARY_CASE(HALY_UNARY_COS, haly_cosf(v))                                                                   \
        default:                                                                                                       \
            UNARY_CASE(HALY_UNARY_COUNT, v *HALY_NAN)                                                                  \
        }                                                                                                              \
    }

#define BINARY_CASE(op, expression)                                                                                    \
    case op:                                                                                                           \
        for (haly_u64 k = 0; k < n; k += HALY_ITEM_COUNT)                                                              \
            HALY_ITEMS_BELOW_NB(t, n - k)                                                                              \
            {                                                                                                          \
                const float u = a[k + t];                                                                              \
                const float v = b[k + t];                                                                              \
                y[k + t] = (expression);                                                                               \
            }                                                                                                          \
        break;

#define BINARY_FUNCTION(name, SPACE)                                                                                   \
    HALY_GROUP_FN void name(HALY_GROUP_PARAM, haly_u32 op, SPACE const float *a, SPACE const float *b, SPACE float *y, \
                            haly_u64 n)                                                                                \
    {                                                                                                                  \
        switch (op) {                                                                                                  \
            BINARY_CASE(HALY_BINARY_ADD, u + v)                                                                        \
            BINARY_CASE(HALY_BINARY_SUB, u - v)                                                                        \
            BINARY_CASE(HALY_BINARY_MUL, u *v)                                                                         \
            BINARY_CASE(HALY_BINARY_DIV, u / v)                                                                        \
            BINARY_CASE(HALY_BINARY_MAX, haly_max_nanf(u, v))                                                          \
            BINARY_CASE(HALY_BINARY_MIN, haly_min_nanf(u, v))                                                          \
            BINARY_CASE(HALY_BINARY_SWIGLU, u *haly_sigmoidf(u) * v)                                                   \
        default:                                                                                                       \
            BINARY_CASE(HALY_BINARY_COUNT, u *v *HALY_NAN)                                                             \
        }                                                                                                              \
    }

UNARY_FUNCTION(unary_global, HALY_GLOBAL)
UNARY_FUNCTION(unary_local, HALY_LOCAL_MEMORY)
BINARY_FUNCTION(binary_global, HALY_GLOBAL)
BINARY_FUNCTION(binary_local, HALY_LOCAL_MEMORY)

#define KERNEL_BODY "elementwise_body.h"
#include "for_each_real.h"
