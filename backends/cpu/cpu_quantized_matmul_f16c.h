/* SPDX-License-Identifier: Apache-2.0 */
/* Scales of quantised blocks, converted ahead with F16C: afterwards they are broadcast straight from memory by loads.
 */
#ifndef CPU_QUANTIZED_MATMUL_F16C_H
#define CPU_QUANTIZED_MATMUL_F16C_H

#include <halyard/dtype.h>
#include "cpu_vector.h"

/* scales[b] = {d, m} of `count` blocks; m is meaningless where the format has none. Four bytes fit into any block. */
INLINE void scales_decode(const uint8_t *row, uint32_t format, uint32_t count, float (*scales)[2])
{
    const uint32_t bytes = format == HALY_Q8_0 ? 34U : format == HALY_Q4_0 ? 18U : 20U;
    for (uint32_t b = 0; b < count; b++) {
        int32_t halves;
        memcpy(&halves, row + (size_t)b * bytes, sizeof halves);
        _mm_storel_pi((__m64 *)(void *)scales[b], _mm_cvtph_ps(_mm_cvtsi32_si128(halves)));
    }
}

#endif
