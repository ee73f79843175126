/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the backend and its optional oneDNN object say to each other. The object is a file of its own, opened when a
 * plan first wants it, because it brings libgomp with it, which a program that does without it should not carry.
 *
 * oneDNN runs with one thread here, on tiles that the backend cut by shape: its own threads would change bits with
 * their number, and fight with the backend's.
 */
#ifndef CPU_ONEDNN_H
#define CPU_ONEDNN_H

#include <stdint.h>

#define CPU_ONEDNN_FILE "libhalyard_cpu_onednn.so"
#define CPU_ONEDNN_SYMBOL "halyard_cpu_onednn"
#define CPU_ONEDNN_VERSION 2U
#define CPU_ONEDNN_NO_MEMORY 1 /* of the statuses: dnnl_out_of_memory */

/* y[m][n] = a[m][k] b[k][n] (+ bias[n], f32). Strides in elements, by row and column; rows of y have no gaps. */
struct cpu_onednn_matmul {
    int64_t m, n, k;
    int64_t a_strides[2], b_strides[2], y_stride;
    uint32_t dtype; /* of a, b and y: HALY_F32, HALY_BF16, HALY_F16 */
    uint32_t has_bias;
};

struct cpu_onednn_table {
    uint32_t version;
    uint32_t isa;     /* that it was set up for */
    char library[32]; /* "oneDNN 2.6.3" */

    /* Makes the primitive of one tile; 0, or oneDNN's status: it may have none for it on this processor. */
    int (*matmul_create)(const struct cpu_onednn_matmul *matmul, void **out_matmul);
    void (*matmul_destroy)(void *matmul);
    /* Runs it on this thread; 0, or oneDNN's status. Re-entrant. */
    int (*matmul_run)(void *matmul, const void *a, const void *b, const void *bias, void *y);
};

/* The object's one symbol. `isa` is enum cpu_isa's number, the best that may be used; it counts on the first call that
 * succeeds. 0, or oneDNN's status: then it may be called again. One call at a time. */
typedef int cpu_onednn_entry(uint32_t isa, const struct cpu_onednn_table **out_table);

#endif
