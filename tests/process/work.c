/* SPDX-License-Identifier: Apache-2.0 */
/* Work for a device that can be checked. */
#define _GNU_SOURCE
#include "work.h"

#include <stdlib.h>
#include <string.h>

haly_status work_instance(const char *backend, haly_log_fn log, haly_instance **out_instance)
{
    const bool is_manual = strcmp(backend, "manual") == 0;
    const haly_param params[] = {{"backend", backend},
                                 {is_manual ? "manual.caps" : "cpu.threads", is_manual ? "641" : "4"},
                                 {"backend_path", MANUAL_BACKEND_DIR}};
    const haly_instance_desc desc = {
        HALY_INSTANCE_DESC_INIT,      .params = params, .param_count = is_manual ? 3 : 2,
        .param_size = sizeof *params, .log = log,       .log_level = log != NULL ? HALY_LOG_DEBUG : HALY_LOG_OFF};
    return haly_instance_create(&desc, out_instance);
}

void work_share(struct work *work, haly_context *context)
{
    work->context = context;
    EXPECT_OK(haly_stream_create(context, NULL, &work->stream));
    EXPECT_OK(haly_malloc(context, WORK_BYTES, NULL, &work->memory));
}

void work_open(struct work *work, const char *backend)
{
    haly_context *context = NULL;
    EXPECT_OK(work_instance(backend, NULL, &work->instance));
    EXPECT_OK(haly_context_open(work->instance, NULL, &context));
    work_share(work, context);
}

static haly_status count(void *user, haly_status status)
{
    (void)status;
    atomic_fetch_add((_Atomic uint32_t *)user, 1);
    return HALY_OK;
}

haly_status work_queue(struct work *work, uint32_t rounds)
{
    haly_status status = HALY_OK;
    for (uint32_t i = 0; i < rounds && status == HALY_OK; i++) {
        const uint8_t byte = (uint8_t)++work->queued;
        status = haly_fill(work->stream, work->memory, &byte, 1, WORK_BYTES);
        if (status == HALY_OK)
            status = haly_copy(work->stream, work->host, work->memory, WORK_BYTES);
        if (status == HALY_OK)
            status = haly_host_call(work->stream, count, &work->calls);
    }
    return status;
}

haly_status work_queue_on_device(struct work *work, uint32_t rounds)
{
    haly_status status = haly_stream_sync(work->stream, PATIENCE);
    for (uint32_t i = 0; i < rounds && status == HALY_OK; i++) {
        const uint8_t byte = (uint8_t)i;
        status = haly_fill(work->stream, work->memory, &byte, 1, WORK_BYTES);
    }
    return status;
}

void work_finish(struct work *work)
{
    EXPECT_OK(haly_stream_sync(work->stream, PATIENCE));
    EXPECT(work->calls == work->queued);
    EXPECT(work->host[0] == (uint8_t)work->queued && work->host[WORK_BYTES - 1] == (uint8_t)work->queued);
}

void work_close(struct work *work)
{
    haly_context_release(work->context);
    haly_instance_release(work->instance);
    work->context = NULL;
    work->instance = NULL;
}

void work_do_it_all(const char *backend)
{
    struct work *work = calloc(1, sizeof *work);
    EXPECT(work != NULL);
    work_open(work, backend);
    EXPECT_OK(work_queue(work, 3));
    work_finish(work);
    work_close(work);
    free(work);
}
