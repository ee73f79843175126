/* SPDX-License-Identifier: Apache-2.0 */
/* Creating, waiting for and ending streams. */
#include "stream.h"

#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "check.h"
#include "graph.h"
#include "layers/layers.h"
#include "memory.h"
#include "process.h"
#include "retire.h"
#include "service.h"

static haly_status stream_allocate(haly_context *context, haly_stream **out_stream)
{
    haly_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return fail_host_oom("a stream", sizeof *stream);
    object_init(&stream->object, HALY_OBJECT_STREAM, context);
    stream->block = block_create(context->backend->stream_size);
    if (stream->block != NULL)
        stream->timeline = timeline_create(context, stream->block, stream->object.id);
    if (stream->timeline == NULL) {
        block_destroy(stream->block);
        object_free(&stream->object);
        return fail_host_oom("a stream", sizeof(struct timeline) + context->backend->stream_size);
    }
    if (context->layers != NULL)
        stream->gate = STREAM_LAYERED;
    *out_stream = stream;
    return HALY_OK;
}

/* Ends an idle stream; `is_made`: the backend made its part. First the timeline lets go of it: another thread may still
 * be inside a query or a wait. */
static void stream_free(haly_stream *stream, bool is_made)
{
    if (stream_is_layered(stream))
        layers_stream_ended(stream);
    timeline_end(stream->timeline);
    if (is_made)
        stream->object.context->backend->stream_destroy(stream->block);
    memory_timeline_ended(stream->object.context, stream->timeline);
    timeline_release(stream->timeline);
    block_destroy(stream->block);
    object_free(&stream->object);
}

/* What creating and wrapping share: the backend's part was made; now it becomes visible. */
static haly_status stream_finish(haly_stream *stream, const char *name, haly_stream **out_stream)
{
    const haly_status status = object_publish(&stream->object, name);
    if (status != HALY_OK) {
        stream_free(stream, true);
        return status;
    }
    *out_stream = stream;
    return HALY_OK;
}

haly_status haly_stream_create(haly_context *context, const haly_stream_desc *desc, haly_stream **out_stream)
{
    PUT_OFF_CANCELLATION();
    haly_stream_desc checked;
    haly_stream *stream = NULL;
    ENTRY_LIVE(context, HALY_OBJECT_CONTEXT, context);
    REQUIRE(out_stream);
    TRY(CHECK_INPUT(desc, haly_stream_desc, ext, &checked));
    TRY(check_name(checked.name));
    TRY(check_unknown(checked.flags, 0, checked.reserved, "haly_stream_desc"));
    TRY(check_ext(checked.ext, "haly_stream_desc"));
    TRY(stream_allocate(context, &stream));
    const uint64_t serial = error_serial();
    const haly_status status =
        context->backend->stream_create(context->block, stream->block, &checked, stream->timeline);
    if (status != HALY_OK) {
        stream_free(stream, false);
        return HAND_ON(context_failed(context, serial, status));
    }
    TRY(stream_finish(stream, checked.name, out_stream));
    return HALY_OK;
}

haly_status haly_stream_wrap(haly_context *context, const haly_native *native, haly_stream **out_stream)
{
    PUT_OFF_CANCELLATION();
    haly_native checked;
    haly_stream *stream = NULL;
    ENTRY_LIVE(context, HALY_OBJECT_CONTEXT, context);
    REQUIRE(native);
    REQUIRE(out_stream);
    TRY(CHECK_INPUT(native, haly_native, value, &checked));
    const char *backend = context->device->backend->name;
    if (strncmp(checked.backend, backend, sizeof checked.backend) != 0)
        return FAIL(HALY_ERR_INVALID, "the native stream is of backend \"%.31s\", the context of \"%s\"",
                    checked.backend, backend);
    if ((context->flags & HALY_CONTEXT_MOVABLE) != 0)
        return FAIL(HALY_ERR_UNSUPPORTED, "a movable context cannot hold a native stream: it would pin it to %s",
                    backend);
    if ((context->device->spec.capabilities & HALY_CAP_WRAP_STREAM) == 0)
        return FAIL(HALY_ERR_UNSUPPORTED, "backend \"%s\" does not wrap native streams", backend);
    TRY(stream_allocate(context, &stream));
    const uint64_t serial = error_serial();
    const haly_status status = context->backend->stream_wrap(context->block, stream->block, &checked, stream->timeline);
    if (status != HALY_OK) {
        stream_free(stream, false);
        return HAND_ON(context_failed(context, serial, status));
    }
    stream->gate |= STREAM_WRAPPED;
    if (context->layers != NULL)
        layers_went_native(&stream->object);
    TRY(stream_finish(stream, NULL, out_stream));
    return HALY_OK;
}

void haly_stream_retain(haly_stream *stream)
{
    object_retain(stream, HALY_OBJECT_STREAM);
}

void stream_destroy(struct object *object)
{
    haly_stream *stream = (haly_stream *)object;
    capture_discard(stream);
    service_detach(stream);
    stream_free(stream, true);
}

static void stream_retire(struct object *object)
{
    object_unpublish(object);
    retire(object, stream_destroy);
}

haly_status stream_give_out(haly_stream *stream)
{
    TRY(stream_refuse_in_capture(stream, "giving out the native stream"));
    if ((atomic_load(&stream->gate) & STREAM_DEFERRED) != 0) {
        if (!timeline_has_finished(stream->timeline, timeline_submitted(stream->timeline)))
            return FAIL(HALY_ERR_BUSY, "commands still wait in the core that the native stream does not have; wait for "
                                       "the stream first");
        service_detach(stream);
    }
    atomic_fetch_or(&stream->gate, STREAM_GIVEN);
    return HALY_OK;
}

void haly_stream_release(haly_stream *stream)
{
    PUT_OFF_CANCELLATION();
    object_release(stream, HALY_OBJECT_STREAM, stream_retire);
}

haly_status haly_stream_set_label(haly_stream *stream, const char *label)
{
    ENTRY_STREAM(stream);
    TRY(check_label(label));
    timeline_label(stream->timeline, label);
    return HALY_OK;
}

haly_status check_same_context(const void *object, const haly_stream *stream)
{
    const struct object *other = object;
    if (LIKELY(other->context == stream->object.context))
        return HALY_OK;
    return FAIL(HALY_ERR_INVALID, "the %s belongs to context %llu, the stream to context %llu",
                object_kind_name(other->kind), (unsigned long long)other->context->object.id,
                (unsigned long long)stream->object.context->object.id);
}

haly_status stream_refuse_in_capture(haly_stream *stream, const char *what)
{
    if (LIKELY(!stream_is_capturing(stream)))
        return HALY_OK;
    return FAIL(HALY_ERR_CAPTURING, "%s is not possible while the stream is captured; the capture stays valid", what);
}

/* Usable, idle and healthy, as far as known without asking anybody. */
static inline bool is_at_rest(haly_stream *stream)
{
    if (UNLIKELY(!IS_LIVE(stream, HALY_OBJECT_STREAM, stream->object.context)))
        return false;
    struct timeline *timeline = stream->timeline;
    return !stream_is_watched(stream) && timeline_is_known_finished(timeline, timeline_submitted(timeline)) &&
           atomic_load_explicit(&timeline->failed, memory_order_acquire) == 0;
}

/* The timeline is kept: another thread may release the stream meanwhile. */
static haly_status wait_until_idle(haly_stream *stream, uint64_t deadline)
{
    TRY(stream_refuse_in_capture(stream, "waiting for the stream"));
    struct timeline *timeline = stream->timeline;
    const bool is_layered = stream_is_layered(stream);
    timeline_retain(timeline);
    haly_status status = timeline_wait(timeline, timeline_submitted(timeline), deadline);
    if (status == HALY_OK) {
        if (is_layered)
            layers_host_saw(timeline);
        status = timeline_status(timeline, UINT64_MAX);
    }
    timeline_release(timeline);
    return status;
}

APART static haly_status sync_busy(const char *function, haly_stream *stream, uint64_t deadline)
{
    ENTRY_LIVE_AS(function, stream, HALY_OBJECT_STREAM, stream->object.context);
    LAYERS_WATCH_AS(stream->object.context, function);
    const haly_status status = wait_until_idle(stream, deadline);
    if (status == HALY_TIMEOUT)
        return FAIL_AS(function, HALY_TIMEOUT, "the stream was not idle within %llu ns", (unsigned long long)deadline);
    return status == HALY_OK ? HALY_OK : error_hand_on(function, status);
}

haly_status haly_stream_sync(haly_stream *stream, uint64_t deadline)
{
    return LIKELY(is_at_rest(stream)) ? HALY_OK : sync_busy(__func__, stream, deadline);
}

static haly_status ask_whether_idle(haly_stream *stream)
{
    TRY(stream_refuse_in_capture(stream, "querying the stream"));
    const uint64_t sequence = timeline_submitted(stream->timeline);
    const bool has_finished = timeline_has_finished(stream->timeline, sequence);
    if (has_finished && stream_is_layered(stream))
        layers_host_saw(stream->timeline);
    TRY(timeline_status(stream->timeline, UINT64_MAX));
    if (has_finished)
        return HALY_OK;
    TRY(context_check(stream->object.context)); /* asking may have shown a fault */
    return HALY_NOT_READY;
}

APART static haly_status query_busy(const char *function, haly_stream *stream)
{
    ENTRY_LIVE_AS(function, stream, HALY_OBJECT_STREAM, stream->object.context);
    const haly_status status = ask_whether_idle(stream);
    return status == HALY_OK ? HALY_OK : error_hand_on(function, status);
}

haly_status haly_stream_query(haly_stream *stream)
{
    return LIKELY(is_at_rest(stream)) ? HALY_OK : query_busy(__func__, stream);
}
