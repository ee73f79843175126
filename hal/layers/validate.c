/* SPDX-License-Identifier: Apache-2.0 */
/* The validation layer: its hooks, and what they share. */
#include "layers/validate.h"

#include <stdlib.h>
#include <string.h>

#include "layers/validate_handle.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t users; /* instances with the layer; under the lock */
static _Atomic bool latest_fails;

bool validate_fails(void)
{
    return latest_fails;
}

void validate_lock(void)
{
    pthread_mutex_lock(&lock);
}

void validate_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

static haly_status open_layer(haly_instance *instance, void **out_state)
{
    struct validate *validate = calloc(1, sizeof *validate);
    if (validate == NULL)
        return fail_host_oom("the validation layer", sizeof *validate);
    validate->fails = strcmp(param_text(instance->params, "validate"), "fail") == 0;
    latest_fails = validate->fails;
    handles_start(instance_is_alone());
    handles_add(&instance->object);
    validate_lock();
    users++;
    validate_unlock();
    *out_state = validate;
    return HALY_OK;
}

static void close_layer(void *state)
{
    struct validate *validate = state;
    validate_lock();
    if (--users == 0) {
        streams_clear();
        memory_clear();
        findings_forget();
    }
    validate_unlock();
    free(validate->contexts);
    free(validate);
}

static void forked(void)
{
    handles_forked();
    pthread_mutex_init(&lock, NULL);
    streams_forked();
    memory_forked();
    users = 0;
}

static void host_call_begins(void *state, struct layer_host_call *call)
{
    (void)state;
    validate_lock();
    const struct tracked_stream *stream = stream_of_timeline(call->timeline);
    if (stream != NULL)
        order_host_saw(stream, call->moment); /* the program may tell any thread what the call has seen */
    validate_unlock();
    validate_host_call_enter();
}

static void host_call_ends(void *state, struct layer_host_call *call)
{
    (void)state;
    (void)call;
    validate_host_call_leave();
}

static void stream_waited(void *state, haly_stream *stream, struct event_record *record)
{
    (void)state;
    validate_lock();
    struct tracked_stream *tracked = stream_track(stream);
    if (tracked != NULL)
        order_wait(tracked, record);
    validate_unlock();
}

static void host_saw(void *state, struct timeline *timeline)
{
    (void)state;
    validate_lock();
    const struct tracked_stream *stream = stream_of_timeline(timeline);
    if (stream != NULL)
        order_host_saw(stream, stream_now(stream).moment);
    validate_unlock();
}

static void host_saw_record(void *state, struct event_record *record)
{
    (void)state;
    validate_lock();
    order_host_saw_record(record);
    validate_unlock();
}

static void went_native(void *state, struct object *object)
{
    (void)state;
    validate_lock();
    if (object->kind == HALY_OBJECT_STREAM) {
        haly_stream *stream = (haly_stream *)object;
        if (stream_track(stream) != NULL)
            order_went_native(object->context, stream->timeline);
    } else if (object->kind == HALY_OBJECT_CONTEXT || object->kind == HALY_OBJECT_EVENT) {
        order_went_native(object->context, NULL);
    }
    validate_unlock();
}

static void context_opened(void *state, haly_context *context)
{
    struct validate *validate = state;
    validate_lock();
    if (validate->context_count == validate->context_capacity) {
        const uint32_t capacity = 2 * validate->context_capacity + 4;
        haly_context **grown = realloc(validate->contexts, capacity * sizeof(haly_context *));
        if (grown != NULL) {
            validate->contexts = grown;
            validate->context_capacity = capacity;
        }
    }
    if (validate->context_count < validate->context_capacity)
        validate->contexts[validate->context_count++] = context;
    validate_unlock();
}

void validate_context_forget(struct validate *validate, const haly_context *context)
{
    validate_lock();
    for (uint32_t i = 0; i < validate->context_count; i++)
        if (validate->contexts[i] == context)
            validate->contexts[i--] = validate->contexts[--validate->context_count];
    validate_unlock();
}

static void context_closed(void *state, haly_context *context)
{
    (void)state;
    validate_lock();
    order_context_closed(context);
    memory_context_closed(context);
    validate_unlock();
}

static void stream_ended(void *state, haly_stream *stream)
{
    (void)state;
    validate_lock();
    stream_untrack(stream->timeline);
    validate_unlock();
}

static void record_ended(void *state, struct event_record *record)
{
    (void)state;
    validate_lock();
    order_record_ended(record);
    validate_unlock();
}

static void memory_taken(void *state, const struct layer_memory *memory)
{
    (void)state;
    validate_lock();
    memory_track(memory, memory->stream != NULL ? stream_track(memory->stream) : NULL);
    validate_unlock();
}

static haly_status memory_given(void *state, haly_context *context, void *address, enum layers_give how,
                                haly_stream *stream)
{
    static const char *const functions[] = {[LAYERS_GIVE_BEHIND_ALL] = "haly_free",
                                            [LAYERS_GIVE_IN_STREAM] = "haly_free_async",
                                            [LAYERS_GIVE_AT_ONCE] = "haly_host_free"};
    const struct validate *validate = state;
    struct findings findings = {0};
    (void)context;
    validate_lock();
    memory_give(address, how, stream != NULL ? stream_track(stream) : NULL, validate->fails, &findings);
    validate_unlock();
    return findings_tell(&findings, functions[how], validate->fails);
}

static void memory_is_used(void *state, haly_stream *stream, const void *address)
{
    (void)state;
    validate_lock();
    const struct tracked_stream *tracked = stream_track(stream);
    if (tracked != NULL)
        memory_used(tracked, address);
    validate_unlock();
}

const struct layer layer_validate = {
    .name = "validate",
    .open = open_layer,
    .close = close_layer,
    .forked = forked,
    .submit = validate_submit,
    .host_call_begins = host_call_begins,
    .host_call_ends = host_call_ends,
    .stream_waited = stream_waited,
    .host_saw = host_saw,
    .host_saw_record = host_saw_record,
    .went_native = went_native,
    .context_opened = context_opened,
    .context_released = validate_context_released,
    .context_closed = context_closed,
    .instance_released = validate_instance_released,
    .stream_ended = stream_ended,
    .record_ended = record_ended,
    .memory_taken = memory_taken,
    .memory_given = memory_given,
    .memory_used = memory_is_used,
};
