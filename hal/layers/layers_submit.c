/* SPDX-License-Identifier: Apache-2.0 */
/* The way of records through the layers: noted when they are captured, else down the chain and to the backend. */
#include <stdlib.h>
#include <string.h>

#include "graph.h"
#include "layers/layers_object.h"
#include "layers/note.h"

/* ---- host calls ---- */

/* What the stream calls in place of the program's function; exactly once, as promised for that. */
static haly_status run_host_call(void *user, haly_status status)
{
    struct layer_host_call *call = user;
    LAYERS_TELL(call->layers, host_call_begins, call);
    const haly_status result = call->fn(call->user, status);
    LAYERS_TELL(call->layers, host_call_ends, call);
    timeline_release(call->timeline);
    free(call);
    return result;
}

static haly_status wrap_host_call(haly_stream *stream, haly_command_host_call *record)
{
    struct layer_host_call *call = malloc(sizeof *call);
    if (call == NULL)
        return fail_host_oom("a host call", sizeof *call);
    *call = (struct layer_host_call){
        .fn = record->fn, .user = record->user, .layers = stream->object.context->layers, .timeline = stream->timeline};
    timeline_retain(call->timeline);
    record->fn = run_host_call;
    record->user = call;
    return HALY_OK;
}

/* Wraps the batch's host calls; on failure those of it that are wrapped stay so, for host_calls_drop(). */
static haly_status host_calls_wrap(struct layer_batch *batch)
{
    const char *end = batch->records + batch->bytes;
    for (const haly_command *record = (const void *)batch->records; (const char *)record < end;
         record = command_next(record))
        if (record->kind == HALY_COMMAND_HOST_CALL)
            TRY(wrap_host_call(batch->stream, (haly_command_host_call *)record));
    return HALY_OK;
}

/* Frees the wrappers of host calls that were not queued: those behind the first `queued` commands. */
static void host_calls_drop(const void *records, uint64_t bytes, uint64_t queued)
{
    const char *end = (const char *)records + bytes;
    uint64_t index = 0;
    for (const haly_command *record = records; (const char *)record < end; record = command_next(record)) {
        if (is_note(record) || index++ < queued || record->kind != HALY_COMMAND_HOST_CALL)
            continue;
        const haly_command_host_call *call = (const haly_command_host_call *)record;
        if (call->fn != run_host_call)
            continue;
        timeline_release(((struct layer_host_call *)call->user)->timeline);
        free(call->user);
    }
}

/* ---- down the chain ---- */

static haly_status forward(struct layer_batch *batch)
{
    const uint64_t before = layer_submitted(batch->stream), bytes = notes_remove(batch->records, batch->bytes);
    const haly_status status = stream_submit_plain(batch->stream, batch->records, bytes, batch->count);
    if (status != HALY_OK)
        host_calls_drop(batch->records, bytes, layer_submitted(batch->stream) - before);
    return status;
}

haly_status layer_pass(const struct layer_chain *chain, struct layer_batch *batch)
{
    const struct layers *layers = chain->layers;
    for (uint32_t i = chain->next; i < layers->count; i++) {
        const struct layer_chain rest = {chain->layers, i + 1, chain->is_forwarded};
        if (layers->active[i].layer->submit != NULL)
            return layers->active[i].layer->submit(layers->active[i].state, batch, &rest);
    }
    *chain->is_forwarded = true;
    return forward(batch);
}

static uint32_t count_commands(const void *records, uint64_t bytes)
{
    const char *end = (const char *)records + bytes;
    uint32_t count = 0;
    for (const haly_command *record = records; (const char *)record < end; record = command_next(record))
        count += !is_note(record);
    return count;
}

static haly_status submit_noted(haly_stream *stream, void *records, uint64_t bytes)
{
    bool is_forwarded = false;
    struct layer_batch batch = {stream, records, bytes, count_commands(records, bytes)};
    const struct layer_chain all = {stream->object.context->layers, 0, &is_forwarded};
    haly_status status = host_calls_wrap(&batch);
    if (status == HALY_OK)
        status = layer_pass(&all, &batch);
    if (status != HALY_OK && !is_forwarded)
        host_calls_drop(records, bytes, 0);
    return status;
}

/* What is replayed later must be told from what was recorded, so every captured call has a note with its moment. */
haly_status layers_submit(haly_stream *stream, void *records, uint64_t bytes)
{
    const bool is_captured = stream_is_capturing(stream);
    if (!is_captured && stream->running == NULL)
        return submit_noted(stream, records, bytes);
    char *noted = malloc(bytes + sizeof(struct note));
    if (noted == NULL)
        return fail_host_oom("the note of a command", bytes + sizeof(struct note));
    memcpy(noted, records, bytes);
    struct note note;
    const uint32_t size = note_write(&note, stream->running, is_captured ? layers_memory_moment() : 0);
    memcpy(noted + bytes, &note, size);
    const haly_status status = is_captured ? capture_append(stream, noted, bytes + size, count_commands(records, bytes))
                                           : submit_noted(stream, noted, bytes + size);
    free(noted);
    return status;
}
