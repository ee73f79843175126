/* SPDX-License-Identifier: Apache-2.0 */
/* Collectives: the entries check their handles and say that this version has none. */
#include <halyard/comm.h>

#include "stream.h"

static haly_status unsupported(const char *function)
{
    return error_set(function, HALY_ERR_UNSUPPORTED, HALY_SCOPE_CALL, HALY_RECOVER_NONE, 0, NULL,
                     "this version of Halyard has no collectives");
}

haly_status haly_comm_id_create(haly_context *context, haly_comm_id *out_id)
{
    ENTRY_LIVE(context, HALY_OBJECT_CONTEXT, context);
    REQUIRE(out_id);
    return unsupported(__func__);
}

haly_status haly_comm_create(haly_context *context, const haly_comm_desc *desc, haly_comm **out_comm)
{
    ENTRY_LIVE(context, HALY_OBJECT_CONTEXT, context);
    REQUIRE(desc);
    REQUIRE(out_comm);
    return unsupported(__func__);
}

/* No communicator can exist, so there is nothing to count. */
void haly_comm_retain(haly_comm *comm)
{
    (void)comm;
}

void haly_comm_release(haly_comm *comm)
{
    (void)comm;
}

haly_status haly_all_reduce(haly_stream *stream, haly_comm *comm, void *dst, const void *src, uint64_t count,
                            haly_dtype dtype, haly_reduction reduction)
{
    (void)dst, (void)src, (void)count, (void)dtype, (void)reduction;
    ENTRY_STREAM(stream);
    ENTRY(comm, HALY_OBJECT_COMM);
    return unsupported(__func__);
}

haly_status haly_all_gather(haly_stream *stream, haly_comm *comm, void *dst, const void *src, uint64_t count,
                            haly_dtype dtype)
{
    (void)dst, (void)src, (void)count, (void)dtype;
    ENTRY_STREAM(stream);
    ENTRY(comm, HALY_OBJECT_COMM);
    return unsupported(__func__);
}

haly_status haly_reduce_scatter(haly_stream *stream, haly_comm *comm, void *dst, const void *src, uint64_t count,
                                haly_dtype dtype, haly_reduction reduction)
{
    (void)dst, (void)src, (void)count, (void)dtype, (void)reduction;
    ENTRY_STREAM(stream);
    ENTRY(comm, HALY_OBJECT_COMM);
    return unsupported(__func__);
}

haly_status haly_broadcast(haly_stream *stream, haly_comm *comm, void *dst, const void *src, uint64_t count,
                           haly_dtype dtype, uint32_t root)
{
    (void)dst, (void)src, (void)count, (void)dtype, (void)root;
    ENTRY_STREAM(stream);
    ENTRY(comm, HALY_OBJECT_COMM);
    return unsupported(__func__);
}

haly_status haly_send(haly_stream *stream, haly_comm *comm, const void *src, uint64_t count, haly_dtype dtype,
                      uint32_t peer)
{
    (void)src, (void)count, (void)dtype, (void)peer;
    ENTRY_STREAM(stream);
    ENTRY(comm, HALY_OBJECT_COMM);
    return unsupported(__func__);
}

haly_status haly_recv(haly_stream *stream, haly_comm *comm, void *dst, uint64_t count, haly_dtype dtype, uint32_t peer)
{
    (void)dst, (void)count, (void)dtype, (void)peer;
    ENTRY_STREAM(stream);
    ENTRY(comm, HALY_OBJECT_COMM);
    return unsupported(__func__);
}
