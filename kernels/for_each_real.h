/* SPDX-License-Identifier: Apache-2.0 */
/* Includes KERNEL_BODY once for each floating point storage type. In the body REAL is the type, REAL_LOAD and
   REAL_STORE convert to and from f32, REAL_CODE is its number, and REAL_NAME(softmax) gives softmax_f16.
   This file has no include guard. */
#define REAL_NAME(base) HALY_CAT(HALY_CAT(base, _), REAL_SUFFIX)

#define REAL float
#define REAL_SUFFIX f32
#define REAL_CODE HALY_KERNEL_F32
#define REAL_LOAD haly_f32_to_f32
#define REAL_STORE haly_f32_to_f32
#include KERNEL_BODY
#undef REAL
#undef REAL_SUFFIX
#undef REAL_CODE
#undef REAL_LOAD
#undef REAL_STORE

#define REAL haly_f16
#define REAL_SUFFIX f16
#define REAL_CODE HALY_KERNEL_F16
#define REAL_LOAD haly_f16_to_f32
#define REAL_STORE haly_f32_to_f16
#include KERNEL_BODY
#undef REAL
#undef REAL_SUFFIX
#undef REAL_CODE
#undef REAL_LOAD
#undef REAL_STORE

#define REAL haly_bf16
#define REAL_SUFFIX bf16
#define REAL_CODE HALY_KERNEL_BF16
#define REAL_LOAD haly_bf16_to_f32
#define REAL_STORE haly_f32_to_bf16
#include KERNEL_BODY
#undef REAL
#undef REAL_SUFFIX
#undef REAL_CODE
#undef REAL_LOAD
#undef REAL_STORE
#undef REAL_NAME
