/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts, streams and events. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

void run_context(struct world *world)
{
    haly_context_info info = {HALY_CONTEXT_INFO_INIT};
    haly_context *second = NULL;
    void *found = NULL;
    GO(world_open(world));
    STEP(haly_context_info_get, world->context, &info);
    CHECK(info.id == haly_object_id(world->context) && info.flags == world->scenario->context_flags);
    STEP(haly_object_name_set, world->context, "first");
    STEP(haly_object_name_set, world->stream, "main");
    STEP_OUT(found, haly_context_find, world->context, HALY_OBJECT_STREAM, "main", 0, &found);
    CHECK(found == world->stream);
    GO(world_context(world, world->scenario->context_flags, &second));
    STEP(haly_context_sync, second, HALY_FOREVER);
    STEP(haly_context_sync, world->context, HALY_FOREVER);
}

void run_streams(struct world *world)
{
    static const uint8_t pattern[4] = {1, 2, 3, 4};
    haly_stream *streams[6] = {NULL};
    void *memory = NULL;
    GO(world_open(world));
    GO(world_memory(world, 4096 * 6, &memory));
    for (unsigned i = 0; i < 6; i++) {
        GO(world_stream(world, &streams[i]));
        STEP(haly_stream_set_label, streams[i], "filling");
        STEP(haly_fill, streams[i], (char *)memory + 4096 * (uint64_t)i, pattern, sizeof pattern, 4096);
    }
    for (unsigned i = 0; i < 6; i++) {
        GO(world_sync(world, streams[i]));
        STEP(haly_stream_query, streams[i]);
    }
    world_release_now(world, streams[2]);
    STEP(haly_context_sync, world->context, HALY_FOREVER);
}

/* Work that goes from stream to stream, each behind the other's event. */
static void pass_on(struct world *world, haly_stream *other, haly_event *event, haly_event *timed,
                    void *const memory[2])
{
    static const uint8_t pattern[2] = {0xab, 0xcd};
    static unsigned char wanted[512], buffers[WORLD_RUNS][512];
    unsigned char *seen = buffers[world->run % WORLD_RUNS];
    for (unsigned i = 0; i < sizeof wanted; i++)
        wanted[i] = pattern[i % 2];
    STEP(haly_fill, world->stream, memory[0], pattern, sizeof pattern, sizeof wanted);
    STEP(haly_event_record, event, world->stream);
    STEP(haly_stream_wait, other, event);
    STEP(haly_copy, other, memory[1], memory[0], sizeof wanted);
    STEP(haly_event_record, event, other); /* once more: moves */
    STEP(haly_stream_wait, world->stream, event);
    STEP(haly_copy, world->stream, seen, memory[1], sizeof wanted);
    STEP(haly_event_record, timed, world->stream);
    STEP(haly_event_sync, timed, HALY_FOREVER);
    STEP(haly_event_query, timed);
    STEP(haly_event_query, event);
    GO(world_sync(world, other));
    CHECK(memcmp(seen, wanted, sizeof wanted) == 0);
}

void run_events(struct world *world)
{
    haly_stream *other = NULL;
    haly_event *event = NULL, *start = NULL, *end = NULL;
    void *memory[2] = {NULL, NULL};
    int64_t elapsed = -1;
    GO(world_open(world));
    GO(world_stream(world, &other));
    GO(world_event(world, 0, &event));
    GO(world_event(world, HALY_EVENT_TIMED, &start));
    GO(world_event(world, HALY_EVENT_TIMED, &end));
    GO(world_memory(world, 512, &memory[0]));
    GO(world_memory(world, 512, &memory[1]));
    STEP(haly_stream_wait, other, event); /* never recorded: nothing to wait for */
    STEP(haly_event_record, start, world->stream);
    GO(pass_on(world, other, event, end, memory));
    STEP(haly_event_elapsed, start, end, &elapsed);
    CHECK(elapsed >= 0);
}

/* The service thread waits, where no backend can. */
void run_events_across_contexts(struct world *world)
{
    static const uint8_t pattern = 0x5a;
    haly_context *first = NULL, *second = NULL;
    haly_stream *near = NULL, *far = NULL;
    haly_event *event = NULL;
    void *memory = NULL;
    GO(world_open(world));
    first = world->context;
    near = world->stream;
    GO(world_event(world, 0, &event));
    GO(world_context(world, world->scenario->context_flags, &second));
    world->context = second;
    GO(world_stream(world, &far));
    GO(world_memory(world, 4096, &memory));
    world->context = first;
    STEP(haly_event_record, event, near);
    world->context = second;
    STEP(haly_stream_wait, far, event);
    STEP(haly_fill, far, memory, &pattern, 1, 4096);
    GO(world_sync(world, far));
}
