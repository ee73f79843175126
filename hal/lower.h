/* SPDX-License-Identifier: Apache-2.0 */
/* Turning operators into launches of the portable kernels, by family. Each is the `lower` of table rows. */
#ifndef HAL_LOWER_H
#define HAL_LOWER_H

#include "operator_call.h"

/* lower_elementwise.c */
haly_status lower_unary(struct lowering *lowering);
haly_status lower_binary(struct lowering *lowering);
haly_status lower_cast(struct lowering *lowering);
haly_status lower_swiglu(struct lowering *lowering);

/* lower_movement.c */
haly_status lower_identity(struct lowering *lowering);
haly_status lower_transpose(struct lowering *lowering);
haly_status lower_embedding(struct lowering *lowering);

/* lower_reduction.c */
haly_status lower_softmax(struct lowering *lowering);
haly_status lower_argmax(struct lowering *lowering);
haly_status lower_rms_norm(struct lowering *lowering);
haly_status lower_add_rms_norm(struct lowering *lowering);

/* lower_matmul.c */
haly_status lower_matmul(struct lowering *lowering);
haly_status lower_quantized_matmul(struct lowering *lowering);

/* lower_attention.c */
haly_status lower_rotary(struct lowering *lowering);
haly_status lower_cached_attention(struct lowering *lowering);

#endif
