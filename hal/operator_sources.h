/* SPDX-License-Identifier: Apache-2.0 */
/* The operator kernels as source, one self-contained text per file of kernels/: for devices that can launch and whose
 * backend brings no kernels of its own. Written while the library is built (tools/embed_kernels.c). */
#ifndef HAL_OPERATOR_SOURCES_H
#define HAL_OPERATOR_SOURCES_H

#include <stdint.h>

struct operator_source {
    const char *name; /* "matmul", of kernels/matmul.haly.c */
    const char *text; /* with a 0 behind it */
    uint64_t size;
};

#define OPERATOR_SOURCES_MAX 32
extern const struct operator_source operator_sources[];
extern const uint32_t operator_source_count;

#endif
