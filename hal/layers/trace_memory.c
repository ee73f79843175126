/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations and frees as moments of the thread that made them, and what each context holds as a curve. */
#include <stdlib.h>

#include "layers/trace.h"
#include "process.h"

struct trace_memory {
    const haly_context *context;
    uint64_t size;
    bool is_pinned;
};

static uint64_t key_of(const void *address)
{
    return (uint64_t)(uintptr_t)address;
}

static void emit_moment(struct trace *trace, const char *name, const void *address, const struct trace_memory *memory,
                        const haly_context *context, const haly_stream *stream)
{
    struct trace_text text = {0};
    trace_text_format(&text, "{\"ph\":\"i\",\"s\":\"t\",\"cat\":\"memory\",\"name\":\"%s\",\"ts\":", name);
    trace_text_microseconds(&text, process_now());
    trace_text_format(&text, ",\"args\":{\"address\":\"%p\",\"bytes\":%llu,\"context\":%llu", address,
                      (unsigned long long)memory->size, (unsigned long long)context->object.id);
    if (stream != NULL)
        trace_text_format(&text, ",\"stream\":%llu", (unsigned long long)stream->object.id);
    trace_text_format(&text, "}");
    trace_emit_here(trace, &text);
}

static void emit_curve(struct trace *trace, const struct trace_context *held)
{
    struct trace_text text = {0};
    trace_text_format(&text, "{\"ph\":\"C\",\"name\":\"memory\",\"pid\":%llu,\"ts\":",
                      (unsigned long long)(TRACE_CONTEXTS + held->id));
    trace_text_microseconds(&text, process_now());
    trace_text_format(&text, ",\"args\":{\"device bytes\":%llu,\"pinned bytes\":%llu}}",
                      (unsigned long long)held->device_bytes, (unsigned long long)held->pinned_bytes);
    trace_emit(trace, &text);
}

/* Counts bytes in or out; a copy of the context's facts, taken under the lock. */
static bool count(struct trace *trace, const struct trace_memory *memory, bool is_taken, struct trace_context *out_held)
{
    pthread_mutex_lock(&trace->lock);
    struct trace_context *context = map_get(&trace->contexts, key_of(memory->context));
    if (context != NULL) {
        uint64_t *bytes = memory->is_pinned ? &context->pinned_bytes : &context->device_bytes;
        *bytes = is_taken ? *bytes + memory->size : *bytes - memory->size;
        *out_held = *context;
    }
    pthread_mutex_unlock(&trace->lock);
    return context != NULL;
}

void trace_memory_taken(void *state, const struct layer_memory *facts)
{
    struct trace *trace = state;
    struct trace_context held;
    haly_memory_info info = {HALY_MEMORY_INFO_INIT};
    struct trace_memory *memory = malloc(sizeof *memory);
    if (memory == NULL)
        return;
    const bool is_pinned =
        haly_memory_info_get(facts->address, &info) == HALY_OK && info.memory_class == HALY_MEMORY_PINNED;
    *memory = (struct trace_memory){facts->context, facts->size, is_pinned};
    pthread_mutex_lock(&trace->lock);
    free(map_take(&trace->memories, key_of(facts->address)));
    const bool is_kept = map_put(&trace->memories, key_of(facts->address), memory);
    const struct trace_memory taken = *memory;
    if (!is_kept)
        free(memory);
    pthread_mutex_unlock(&trace->lock);
    emit_moment(trace, facts->is_of_graph ? "allocate for a graph" : "allocate", facts->address, &taken, facts->context,
                facts->stream);
    if (is_kept && count(trace, &taken, true, &held))
        emit_curve(trace, &held);
}

haly_status trace_memory_given(void *state, haly_context *context, void *address, enum layers_give how,
                               haly_stream *stream)
{
    struct trace *trace = state;
    struct trace_context held;
    (void)how;
    pthread_mutex_lock(&trace->lock);
    struct trace_memory *memory = map_take(&trace->memories, key_of(address));
    pthread_mutex_unlock(&trace->lock);
    if (memory == NULL)
        return HALY_OK;
    emit_moment(trace, "free", address, memory, context, stream);
    if (count(trace, memory, false, &held))
        emit_curve(trace, &held);
    free(memory);
    return HALY_OK;
}

/* One allocation that the context holds still; its address, or 0. Under the lock. */
static uint64_t first_of(const struct trace *trace, const haly_context *context)
{
    for (uint32_t i = 0; i < trace->memories.capacity; i++) {
        const struct trace_memory *memory = trace->memories.entries[i].value;
        if (memory != NULL && memory->context == context)
            return trace->memories.entries[i].key;
    }
    return 0;
}

void trace_memory_context_closed(struct trace *trace, haly_context *context)
{
    for (;;) {
        pthread_mutex_lock(&trace->lock);
        const uint64_t address = first_of(trace, context);
        pthread_mutex_unlock(&trace->lock);
        if (address == 0)
            return;
        trace_memory_given(trace, context, (void *)(uintptr_t)address, LAYERS_GIVE_BEHIND_ALL, NULL);
    }
}
