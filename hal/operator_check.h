/* SPDX-License-Identifier: Apache-2.0 */
/* What the operators' meanings ask of shapes, types and attributes, by family. Each is the `check` of table rows. */
#ifndef HAL_OPERATOR_CHECK_H
#define HAL_OPERATOR_CHECK_H

#include "operator_call.h"

/* check_elementwise.c */
haly_status check_unary(struct op_call *call);
haly_status check_gelu(struct op_call *call);
haly_status check_binary(struct op_call *call);
haly_status check_cast(struct op_call *call);
haly_status check_swiglu(struct op_call *call);

/* check_movement.c */
haly_status check_transpose(struct op_call *call);
haly_status check_embedding(struct op_call *call);

/* check_reduction.c */
haly_status check_softmax(struct op_call *call);
haly_status check_argmax(struct op_call *call);
haly_status check_rms_norm(struct op_call *call);
haly_status check_add_rms_norm(struct op_call *call);

/* check_matmul.c */
haly_status check_matmul(struct op_call *call);
haly_status check_quantized_matmul(struct op_call *call);

/* check_attention.c */
haly_status check_rotary(struct op_call *call);
haly_status check_cached_attention(struct op_call *call);

/* The shape that two shapes broadcast to, from the last dimension backwards; false, with the dimension counted from the
 * end, when they do not fit. `out_shape` may be one of the inputs. */
bool shape_broadcast(uint32_t a_rank, const int64_t *a, uint32_t b_rank, const int64_t *b, uint32_t *out_rank,
                     int64_t *out_shape, uint32_t *out_misfit);

#endif
