/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file comm.h
 * Collectives between devices. The entries exist so that programs can be written against them; in this version no
 * communicator can be made: that is HALY_ERR_UNSUPPORTED with a sentence that says so, and the others, which check
 * their handles first, have nothing valid to be given. [COM-001]
 */
#ifndef HALYARD_COMM_H
#define HALYARD_COMM_H

#include <halyard/stream.h>
#include <halyard/tensor.h>

HALY_BEGIN_DECLS

typedef enum haly_reduction {
    HALY_REDUCE_SUM = 0,
    HALY_REDUCE_PROD = 1,
    HALY_REDUCE_MAX = 2,
    HALY_REDUCE_MIN = 3,
    HALY_REDUCE_AVG = 4,
    HALY_REDUCTION_MAX_ENUM = 0x7fffffff
} haly_reduction;

/** Made on one rank, carried to the others by the program; large enough for every vendor's. */
typedef struct haly_comm_id {
    uint8_t bytes[8192];
} haly_comm_id;

typedef struct haly_comm_desc {
    uint32_t struct_size; /**< HALY_COMM_DESC_INIT */
    uint32_t flags;       /**< 0 */
    uint32_t rank_count;
    uint32_t rank;
    const haly_comm_id *id;
    uint64_t deadline; /**< for all ranks to arrive */
    const haly_ext *ext;
} haly_comm_desc;
#define HALY_COMM_DESC_INIT HALY_INIT(haly_comm_desc, ext)

HALY_API haly_status haly_comm_id_create(haly_context *context, haly_comm_id *out_id);
HALY_API haly_status haly_comm_create(haly_context *context, const haly_comm_desc *desc, haly_comm **out_comm);
HALY_API void haly_comm_retain(haly_comm *comm);
HALY_API void haly_comm_release(haly_comm *comm);
HALY_API haly_status haly_all_reduce(haly_stream *stream, haly_comm *comm, void *dst, const void *src, uint64_t count,
                                     haly_dtype dtype, haly_reduction reduction);
HALY_API haly_status haly_all_gather(haly_stream *stream, haly_comm *comm, void *dst, const void *src, uint64_t count,
                                     haly_dtype dtype);
HALY_API haly_status haly_reduce_scatter(haly_stream *stream, haly_comm *comm, void *dst, const void *src,
                                         uint64_t count, haly_dtype dtype, haly_reduction reduction);
HALY_API haly_status haly_broadcast(haly_stream *stream, haly_comm *comm, void *dst, const void *src, uint64_t count,
                                    haly_dtype dtype, uint32_t root);
HALY_API haly_status haly_send(haly_stream *stream, haly_comm *comm, const void *src, uint64_t count, haly_dtype dtype,
                               uint32_t peer);
HALY_API haly_status haly_recv(haly_stream *stream, haly_comm *comm, void *dst, uint64_t count, haly_dtype dtype,
                               uint32_t peer);

HALY_END_DECLS

#endif
