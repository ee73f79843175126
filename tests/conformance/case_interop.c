/* SPDX-License-Identifier: Apache-2.0 */
/* Native handles, wrapped streams, and collectives, which this version refuses in words. */
#include <stdio.h>

#include "cts.h"

static void check_native(struct cts *t, void *object)
{
    haly_native native = {HALY_NATIVE_INIT};
    const haly_status status = haly_native_get(object, &native);
    if (t->variant == CTS_MOVABLE) {
        CTS_CHECK(status == HALY_ERR_UNSUPPORTED, "a movable context handed out a native handle: %s",
                  haly_status_name(status));
        t->failures_expected++;
        return;
    }
    if (status == HALY_ERR_UNSUPPORTED) { /* the backend may have none of this kind */
        t->failures_expected++;
        CTS_TRUE(cts_last_error(t).message[0] != '\0');
        return;
    }
    CTS_EQUAL(HALY_OK, status);
    CTS_CHECK(strcmp(native.backend, t->spec.backend) == 0, "the handle is said to be of \"%s\"", native.backend);
    CTS_TRUE(native.handle != NULL || native.value != 0);
}

CTS_CASE(interop, native_handles_are_given_or_refused_with_a_reason, "NAT-001 CTX-003")
{
    check_native(t, t->context);
    check_native(t, t->stream);
    haly_event *event = cts_event(t);
    CTS_OK(haly_event_record(event, t->stream));
    cts_sync(t, t->stream);
    check_native(t, event);
    if (cts_has(t, HALY_CAP_KERNELS)) {
        haly_module *module = NULL;
        haly_kernel *kernel = NULL;
        CTS_OK(haly_module_load_file(t->context, cts_data_file(t, "cts_basic.so"), &module));
        cts_own_module(t, module);
        CTS_OK(haly_kernel_get(module, "is_null", &kernel));
        cts_own_kernel(t, kernel);
        check_native(t, module);
        check_native(t, kernel);
    }
}

CTS_CASE(interop, only_objects_with_native_handles_are_asked_for_them, "NAT-001 ABI-005")
{
    haly_native native = {HALY_NATIVE_INIT};
    CTS_INVALID(haly_native_get(NULL, &native));
    CTS_INVALID(haly_native_get(t->instance, &native));
    CTS_INVALID(haly_native_get(t->stream, NULL));
}

CTS_CASE(interop, a_foreign_stream_is_wrapped_only_where_that_is_declared, "NAT-002")
{
    haly_stream *stream = NULL;
    haly_native native = {HALY_NATIVE_INIT, .handle = t};
    (void)snprintf(native.backend, sizeof native.backend, "%s", t->spec.backend);
    if (cts_has(t, HALY_CAP_WRAP_STREAM) && t->variant != CTS_MOVABLE) {
        (void)snprintf(native.backend, sizeof native.backend, "no_such_backend");
        CTS_INVALID(haly_stream_wrap(t->context, &native, &stream));
    } else {
        CTS_STATUS(HALY_ERR_UNSUPPORTED, haly_stream_wrap(t->context, &native, &stream));
    }
    CTS_TRUE(stream == NULL);
}

/* Whether the backend has native streams or not: what is submitted afterwards runs, or is refused. */
CTS_CASE(interop, a_stream_goes_on_after_its_native_one_was_asked_for, "NAT-003")
{
    haly_native native = {HALY_NATIVE_INIT};
    unsigned char sent[64], got[64] = {0};
    void *device = cts_device(t, sizeof sent);
    memset(sent, 0x5A, sizeof sent);
    const haly_status given = haly_native_get(t->stream, &native);
    t->failures_expected += given != HALY_OK;
    haly_status status = haly_copy(t->stream, device, sent, sizeof sent);
    if (given == HALY_OK && status == HALY_ERR_UNSUPPORTED) {
        t->failures_expected++;
        return;
    }
    CTS_EQUAL(HALY_OK, status);
    CTS_OK(haly_copy(t->stream, got, device, sizeof got));
    cts_sync(t, t->stream);
    CTS_TRUE(memcmp(got, sent, sizeof got) == 0);
}

CTS_CASE(interop, collectives_say_that_they_are_not_there_yet, "COM-001")
{
    haly_comm_id *id = cts_host(t, sizeof *id);
    haly_comm *comm = NULL;
    CTS_STATUS(HALY_ERR_UNSUPPORTED, haly_comm_id_create(t->context, id));
    CTS_STATUS(HALY_ERR_UNSUPPORTED,
               haly_comm_create(t->context, &(haly_comm_desc){HALY_COMM_DESC_INIT, .rank_count = 1, .id = id}, &comm));
    CTS_TRUE(comm == NULL);
    haly_comm_retain(NULL);
    haly_comm_release(NULL);
}

CTS_CASE(interop, collectives_check_their_handles_first, "COM-001 ABI-005")
{
    void *device = cts_device(t, 64);
    haly_comm_id *id = cts_host(t, sizeof *id);
    CTS_INVALID(haly_comm_id_create(NULL, id));
    CTS_INVALID(
        haly_comm_create((haly_context *)t->stream, &(haly_comm_desc){HALY_COMM_DESC_INIT}, &(haly_comm *){NULL}));
    haly_stream *const wrong[2] = {NULL, (haly_stream *)t->context};
    for (unsigned i = 0; i < 2; i++) {
        CTS_INVALID(haly_all_reduce(wrong[i], NULL, device, device, 4, HALY_F32, HALY_REDUCE_SUM));
        CTS_INVALID(haly_all_gather(wrong[i], NULL, device, device, 4, HALY_F32));
        CTS_INVALID(haly_reduce_scatter(wrong[i], NULL, device, device, 4, HALY_F32, HALY_REDUCE_SUM));
        CTS_INVALID(haly_broadcast(wrong[i], NULL, device, device, 4, HALY_F32, 0));
        CTS_INVALID(haly_send(wrong[i], NULL, device, 4, HALY_F32, 0));
        CTS_INVALID(haly_recv(wrong[i], NULL, device, 4, HALY_F32, 0));
    }
    CTS_OK(haly_stream_query(t->stream));
}
