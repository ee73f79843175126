/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The caching, stream-ordered allocator: what is reused when, limits, running out, counters. Contexts with a limit that
 * holds one large block and not two make reuse visible: the second block can only be the first one.
 */
#include "cts.h"

#define MIB ((uint64_t)1 << 20)
#define LIMIT (64 * MIB)
#define BLOCK (40 * MIB)

CTS_CASE(memory, stats_count_what_is_live, "MEM-004")
{
    void *a = NULL, *b = NULL;
    haly_context *context = cts_context(t, NULL);
    const haly_memory_stats before = cts_stats(t, context);
    CTS_EQUAL(0, before.allocation_count);
    CTS_OK(haly_malloc(context, 1000, NULL, &a));
    CTS_OK(haly_malloc(context, 3 * MIB, NULL, &b));
    const haly_memory_stats during = cts_stats(t, context);
    CTS_EQUAL(2, during.allocation_count);
    CTS_EQUAL(before.malloc_calls + 2, during.malloc_calls);
    CTS_TRUE(during.allocated_bytes >= 1000 + 3 * MIB && during.allocated_bytes < 4 * MIB);
    CTS_TRUE(during.segment_bytes >= during.allocated_bytes && during.segment_count >= 1);
    CTS_OK(haly_free(context, a));
    CTS_OK(haly_free(context, b));
    const haly_memory_stats after = cts_stats(t, context);
    CTS_EQUAL(0, after.allocation_count);
    CTS_EQUAL(0, after.allocated_bytes);
    CTS_EQUAL(during.allocated_bytes, after.allocated_peak);
    CTS_TRUE(after.segment_peak >= during.segment_bytes);
}

CTS_CASE(memory, freed_memory_is_cached_and_handed_out_without_the_backend, "MEM-001")
{
    void *address = NULL;
    haly_context *context = cts_context(t, NULL);
    CTS_OK(haly_malloc(context, 5 * MIB, NULL, &address));
    CTS_OK(haly_free(context, address));
    CTS_OK(haly_context_sync(context, CTS_PATIENCE));
    const haly_memory_stats before = cts_stats(t, context);
    CTS_TRUE(before.cached_bytes >= 5 * MIB && before.largest_free_bytes >= 5 * MIB);
    CTS_OK(haly_malloc(context, 5 * MIB, NULL, &address));
    const haly_memory_stats after = cts_stats(t, context);
    CTS_EQUAL(before.cache_hits + 1, after.cache_hits);
    CTS_EQUAL(before.segment_bytes, after.segment_bytes);
    CTS_OK(haly_free(context, address));
}

CTS_CASE(memory, memory_freed_behind_queued_work_is_pending, "MEM-005")
{
    void *address = NULL;
    CTS_OK(haly_malloc(t->context, MIB, NULL, &address));
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(haly_free(t->context, address));
    CTS_TRUE(cts_stats(t, t->context).pending_bytes >= MIB);
    CTS_EQUAL(0, cts_stats(t, t->context).allocation_count);
    cts_open(t, gate);
    cts_sync(t, t->stream);
    CTS_OK(haly_malloc(t->context, 64, NULL, &address)); /* any call may notice that the work has finished */
    CTS_OK(haly_free(t->context, address));
    CTS_EQUAL(0, cts_stats(t, t->context).pending_bytes / MIB);
}

CTS_CASE(memory, a_block_freed_in_a_stream_is_reused_at_once_in_that_stream, "MEM-001 MEM-006 MEM-007")
{
    haly_context *context = cts_context_limited(t, LIMIT);
    haly_stream *stream = cts_stream_of(t, context);
    void *first = NULL, *second = NULL;
    CTS_OK(haly_malloc_async(stream, BLOCK, NULL, &first));
    cts_gate *gate = cts_hold(t, stream);
    CTS_OK(haly_free_async(stream, first));
    CTS_OK(haly_malloc_async(stream, BLOCK, NULL, &second));
    CTS_TRUE(first == second);
    CTS_STATUS(HALY_NOT_READY, haly_stream_query(stream));
    cts_open(t, gate);
    CTS_OK(haly_free_async(stream, second));
    cts_sync(t, stream);
}

CTS_CASE(memory, a_block_whose_free_is_queued_is_not_given_to_an_unordered_stream, "MEM-001 MEM-006")
{
    haly_context *context = cts_context_limited(t, LIMIT);
    haly_stream *stream = cts_stream_of(t, context), *other = cts_stream_of(t, context);
    void *first = NULL, *second = NULL;
    CTS_OK(haly_malloc_async(stream, BLOCK, NULL, &first));
    cts_gate *gate = cts_hold(t, stream);
    CTS_OK(haly_free_async(stream, first));
    CTS_STATUS(HALY_ERR_DEVICE_OOM, haly_malloc_async(other, BLOCK, NULL, &second));
    CTS_OK(haly_stream_query(other)); /* no dependency was added */
    cts_open(t, gate);
    cts_sync(t, stream);
    CTS_OK(haly_malloc_async(other, BLOCK, NULL, &second));
    CTS_OK(haly_free_async(other, second));
    cts_sync(t, other);
}

CTS_CASE(memory, a_stream_that_waited_past_the_free_reuses_the_block, "MEM-001 EVT-004")
{
    haly_context *context = cts_context_limited(t, LIMIT);
    haly_stream *stream = cts_stream_of(t, context), *other = cts_stream_of(t, context);
    haly_event *event = NULL;
    void *first = NULL, *second = NULL;
    CTS_OK(haly_event_create(context, NULL, &event));
    CTS_OK(haly_malloc_async(stream, BLOCK, NULL, &first));
    cts_gate *gate = cts_hold(t, stream);
    CTS_OK(haly_free_async(stream, first));
    CTS_OK(haly_event_record(event, stream));
    CTS_OK(haly_stream_wait(other, event));
    CTS_OK(haly_malloc_async(other, BLOCK, NULL, &second));
    CTS_STATUS(HALY_NOT_READY, haly_stream_query(other));
    cts_open(t, gate);
    CTS_OK(haly_free_async(other, second));
    cts_sync(t, other);
    haly_event_release(event);
}

/* Two blocks are freed in one stream; another has waited past the first free and not past the second. */
CTS_CASE(memory, a_stream_that_waited_before_the_free_does_not_get_the_block, "MEM-001 EVT-004")
{
    enum { HALF = 24 }; /* MiB; two such blocks fit under the limit, and not three */
    haly_context *context = cts_context_limited(t, LIMIT);
    haly_stream *stream = cts_stream_of(t, context), *other = cts_stream_of(t, context);
    haly_event *event = NULL;
    void *early = NULL, *late = NULL, *first = NULL, *second = NULL;
    CTS_OK(haly_event_create(context, NULL, &event));
    cts_own_event(t, event);
    CTS_OK(haly_malloc_async(stream, HALF * MIB, NULL, &early));
    CTS_OK(haly_malloc_async(stream, HALF * MIB, NULL, &late));
    cts_gate *gate = cts_hold(t, stream);
    CTS_OK(haly_free_async(stream, early));
    CTS_OK(haly_event_record(event, stream));
    CTS_OK(haly_stream_wait(other, event));
    cts_gate *last = cts_hold(t, stream); /* stands for work that uses the other block */
    CTS_OK(haly_free_async(stream, late));
    CTS_OK(haly_malloc_async(other, HALF * MIB, NULL, &first));
    CTS_CHECK(first == early, "got the block that the other stream still uses");
    CTS_STATUS(HALY_ERR_DEVICE_OOM, haly_malloc_async(other, HALF * MIB, NULL, &second));
    cts_open(t, gate);
    cts_open(t, last);
    cts_sync(t, stream);
    CTS_OK(haly_malloc_async(other, HALF * MIB, NULL, &second));
    CTS_OK(haly_free_async(other, first));
    CTS_OK(haly_free_async(other, second));
    cts_sync(t, other);
}

CTS_CASE(memory, a_block_reused_in_one_stream_and_freed_in_another_waits_for_both, "MEM-001 MEM-007")
{
    haly_context *context = cts_context_limited(t, LIMIT);
    haly_stream *stream = cts_stream_of(t, context), *other = cts_stream_of(t, context);
    void *first = NULL, *second = NULL, *third = NULL;
    CTS_OK(haly_malloc_async(stream, BLOCK, NULL, &first));
    cts_gate *gate = cts_hold(t, stream); /* stands for work that uses the block */
    CTS_OK(haly_free_async(stream, first));
    CTS_OK(haly_malloc_async(stream, BLOCK, NULL, &second));
    CTS_TRUE(first == second);
    CTS_OK(haly_free_async(other, second)); /* which did nothing with it */
    CTS_STATUS(HALY_ERR_DEVICE_OOM, haly_malloc_async(other, BLOCK, NULL, &third));
    CTS_STATUS(HALY_ERR_DEVICE_OOM, haly_malloc(context, BLOCK, NULL, &third));
    cts_open(t, gate);
    cts_sync(t, stream);
    CTS_OK(haly_malloc_async(other, BLOCK, NULL, &third));
    CTS_OK(haly_free_async(other, third));
    cts_sync(t, other);
}

CTS_CASE(memory, a_free_waits_for_every_stream, "MEM-005")
{
    enum { COUNT = 3 };
    haly_context *context = cts_context_limited(t, LIMIT);
    for (unsigned last = 0; last < COUNT; last++) {
        cts_gate *gates[COUNT];
        haly_stream *streams[COUNT];
        void *block = NULL, *again = NULL;
        CTS_OK(haly_malloc(context, BLOCK, NULL, &block));
        for (unsigned i = 0; i < COUNT; i++) {
            streams[i] = cts_stream_of(t, context);
            gates[i] = cts_hold(t, streams[i]);
        }
        CTS_OK(haly_free(context, block));
        for (unsigned i = 1; i <= COUNT; i++) {
            CTS_STATUS(HALY_ERR_DEVICE_OOM, haly_malloc(context, BLOCK, NULL, &again));
            cts_open(t, gates[(last + i) % COUNT]);
            cts_sync(t, streams[(last + i) % COUNT]);
        }
        CTS_OK(haly_malloc(context, BLOCK, NULL, &again));
        CTS_OK(haly_free(context, again));
    }
}

CTS_CASE(memory, data_survives_when_streams_free_and_allocate_at_random, "MEM-001 MEM-006 MEM-007")
{
    enum { STREAMS = 3, ROUNDS = 60, SIZE = 70000 };
    haly_stream *streams[STREAMS];
    uint8_t *results = cts_host(t, (uint64_t)ROUNDS * SIZE);
    for (unsigned i = 0; i < STREAMS; i++)
        streams[i] = cts_stream(t);
    for (unsigned round = 0; round < ROUNDS; round++) {
        haly_stream *stream = streams[cts_below(t, STREAMS)];
        const uint8_t byte = (uint8_t)(round + 1);
        void *address = NULL;
        CTS_OK(haly_malloc_async(stream, SIZE, NULL, &address));
        CTS_OK(haly_fill(stream, address, &byte, 1, SIZE));
        CTS_OK(haly_copy(stream, results + (uint64_t)round * SIZE, address, SIZE));
        CTS_OK(haly_free_async(stream, address));
    }
    CTS_OK(haly_context_sync(t->context, CTS_PATIENCE));
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned i = 0; i < SIZE; i++)
            CTS_CHECK(results[(uint64_t)round * SIZE + i] == round + 1, "round %u byte %u is %u", round, i,
                      results[(uint64_t)round * SIZE + i]);
}

CTS_CASE(memory, used_on_keeps_a_block_until_the_other_stream_is_done, "MEM-008")
{
    haly_context *context = cts_context_limited(t, LIMIT);
    haly_stream *owner = cts_stream_of(t, context), *user = cts_stream_of(t, context);
    void *first = NULL, *second = NULL;
    CTS_OK(haly_malloc_async(owner, BLOCK, NULL, &first));
    cts_sync(t, owner);
    cts_gate *gate = cts_hold(t, user);
    CTS_OK(haly_memory_used_on(user, first));
    CTS_OK(haly_free_async(owner, first));
    cts_sync(t, owner);
    CTS_STATUS(HALY_ERR_DEVICE_OOM, haly_malloc_async(owner, BLOCK, NULL, &second));
    cts_open(t, gate);
    cts_sync(t, user);
    CTS_OK(haly_malloc_async(owner, BLOCK, NULL, &second));
    CTS_OK(haly_free_async(owner, second));
    cts_sync(t, owner);
}

CTS_CASE(memory, used_on_wants_device_memory_of_the_context, "MEM-008")
{
    int host = 0;
    haly_context *other = cts_context(t, NULL);
    void *theirs = NULL;
    CTS_OK(haly_malloc(other, 64, NULL, &theirs));
    CTS_INVALID(haly_memory_used_on(t->stream, &host));
    CTS_INVALID(haly_memory_used_on(t->stream, theirs));
    CTS_OK(haly_free(other, theirs));
}

CTS_CASE(memory, another_stream_may_use_async_memory_behind_an_event, "MEM-006 EVT-003")
{
    enum { SIZE = 10000 };
    haly_stream *other = cts_stream(t);
    haly_event *event = cts_event(t);
    const uint8_t byte = 0x5E;
    uint8_t *result = cts_host(t, SIZE);
    void *address = NULL;
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(haly_malloc_async(t->stream, SIZE, NULL, &address));
    CTS_OK(haly_event_record(event, t->stream));
    CTS_OK(haly_stream_wait(other, event));
    CTS_OK(haly_fill(other, address, &byte, 1, SIZE));
    CTS_OK(haly_copy(other, result, address, SIZE));
    cts_open(t, gate);
    CTS_OK(haly_free_async(other, address));
    cts_sync(t, other);
    for (unsigned i = 0; i < SIZE; i++)
        CTS_EQUAL(byte, result[i]);
}

CTS_CASE(memory, the_limit_is_kept_and_named, "MEM-004 CTX-004")
{
    haly_context *context = cts_context_limited(t, LIMIT);
    void *first = NULL, *second = t;
    CTS_EQUAL(LIMIT, cts_stats(t, context).limit_bytes);
    CTS_OK(haly_malloc(context, BLOCK, NULL, &first));
    CTS_STATUS(HALY_ERR_DEVICE_OOM, haly_malloc(context, BLOCK, NULL, &second));
    CTS_TRUE(second == (void *)t);
    CTS_MESSAGE("41943040"); /* the size asked for */
    CTS_MESSAGE("67108864"); /* the limit */
    CTS_TRUE(cts_stats(t, context).segment_bytes <= LIMIT);
    CTS_OK(haly_free(context, first));
    CTS_OK(haly_malloc(context, BLOCK, NULL, &first));
    CTS_OK(haly_free(context, first));
}

CTS_CASE(memory, the_parameter_limits_every_context, "MEM-004 CFG-001")
{
    haly_instance *instance = cts_instance(t, &(haly_param){"mem_limit", "64MiB"}, 1);
    haly_context_desc desc = cts_context_desc(t);
    haly_context *context = NULL;
    void *address = NULL;
    desc.device = NULL;
    CTS_OK(haly_context_open(instance, &desc, &context));
    CTS_EQUAL(LIMIT, cts_stats(t, context).limit_bytes);
    CTS_STATUS(HALY_ERR_DEVICE_OOM, haly_malloc(context, LIMIT + 1, NULL, &address));
    haly_context_release(context);
}

CTS_CASE(memory, running_out_leaves_what_is_allocated_as_it_was, "MEM-004")
{
    enum { COUNT = 4 };
    haly_context *context = cts_context_limited(t, LIMIT);
    haly_stream *stream = cts_stream_of(t, context);
    void *blocks[COUNT], *more = NULL;
    uint8_t *bytes = cts_host(t, 10 * MIB);
    for (unsigned i = 0; i < COUNT; i++) {
        const uint8_t byte = (uint8_t)(0x40 + i);
        CTS_OK(haly_malloc(context, 10 * MIB, NULL, &blocks[i]));
        CTS_OK(haly_fill(stream, blocks[i], &byte, 1, 10 * MIB));
    }
    for (unsigned i = 0; i < 10; i++)
        CTS_STATUS(HALY_ERR_DEVICE_OOM, haly_malloc(context, BLOCK, NULL, &more));
    for (unsigned i = 0; i < COUNT; i++) {
        CTS_OK(haly_copy(stream, bytes, blocks[i], 10 * MIB));
        cts_sync(t, stream);
        for (uint64_t at = 0; at < 10 * MIB; at += 4093)
            CTS_EQUAL(0x40 + i, bytes[at]);
        CTS_OK(haly_free(context, blocks[i]));
    }
}

CTS_CASE(memory, cached_memory_is_returned_before_a_malloc_fails, "MEM-004")
{
    enum { COUNT = 7 };
    haly_context *context = cts_context_limited(t, LIMIT);
    void *blocks[COUNT], *large = NULL;
    for (unsigned i = 0; i < COUNT; i++)
        CTS_OK(haly_malloc(context, 8 * MIB, NULL, &blocks[i]));
    for (unsigned i = 0; i < COUNT; i++)
        CTS_OK(haly_free(context, blocks[i]));
    CTS_OK(haly_malloc(context, 60 * MIB, NULL, &large));
    CTS_OK(haly_free(context, large));
}

CTS_CASE(memory, malloc_waits_for_pending_frees_until_its_deadline, "MEM-004 ABI-006")
{
    haly_context *context = cts_context_limited(t, LIMIT);
    haly_stream *stream = cts_stream_of(t, context);
    void *first = NULL, *second = NULL;
    CTS_OK(haly_malloc(context, BLOCK, NULL, &first));
    cts_gate *gate = cts_hold(t, stream);
    CTS_OK(haly_free(context, first));
    const uint64_t start = cts_now_ns();
    CTS_STATUS(HALY_ERR_DEVICE_OOM, haly_malloc(context, BLOCK, NULL, &second)); /* deadline 0 never blocks */
    CTS_STATUS(HALY_ERR_DEVICE_OOM,
               haly_malloc(context, BLOCK, &(haly_memory_desc){HALY_MEMORY_DESC_INIT, .deadline = 20000000}, &second));
    const uint64_t waited = cts_now_ns() - start;
    CTS_CHECK(waited >= 20000000 && waited < CTS_SECONDS(10), "it waited %llu ns", (unsigned long long)waited);
    cts_open_later(t, gate, 30);
    CTS_OK(
        haly_malloc(context, BLOCK, &(haly_memory_desc){HALY_MEMORY_DESC_INIT, .deadline = CTS_SECONDS(20)}, &second));
    CTS_OK(haly_free(context, second));
    cts_sync(t, stream);
}

CTS_CASE(memory, malloc_async_never_waits, "MEM-006")
{
    haly_context *context = cts_context_limited(t, LIMIT);
    haly_stream *stream = cts_stream_of(t, context), *other = cts_stream_of(t, context);
    void *first = NULL, *second = NULL;
    CTS_OK(haly_malloc(context, BLOCK, NULL, &first));
    cts_gate *gate = cts_hold(t, stream);
    CTS_OK(haly_free(context, first));
    const uint64_t start = cts_now_ns();
    const haly_memory_desc patient = {HALY_MEMORY_DESC_INIT, .deadline = CTS_SECONDS(20)};
    CTS_STATUS(HALY_ERR_DEVICE_OOM, haly_malloc_async(other, BLOCK, &patient, &second));
    CTS_TRUE(cts_now_ns() - start < CTS_SECONDS(5));
    cts_open(t, gate);
    cts_sync(t, stream);
}

CTS_CASE(memory, trim_returns_idle_segments, "MEM-001")
{
    enum { SMALL = 5 };
    void *kept = NULL, *freed = NULL, *small[SMALL];
    haly_context *context = cts_context(t, NULL);
    CTS_OK(haly_malloc(context, 30 * MIB, NULL, &freed));
    for (unsigned i = 0; i < SMALL; i++) /* cut out of one segment, which must become whole again */
        CTS_OK(haly_malloc(context, 1000 * (i + 1), NULL, &small[i]));
    CTS_OK(haly_free(context, freed));
    for (unsigned i = 0; i < SMALL; i++)
        CTS_OK(haly_free(context, small[(i * 2 + 1) % SMALL]));
    CTS_OK(haly_context_sync(context, CTS_PATIENCE));
    CTS_TRUE(cts_stats(t, context).cached_bytes >= 30 * MIB);
    CTS_OK(haly_memory_trim(context, 0));
    CTS_EQUAL(0, cts_stats(t, context).segment_bytes);
    CTS_EQUAL(0, cts_stats(t, context).cached_bytes);
    CTS_OK(haly_malloc(context, MIB, NULL, &kept)); /* and it goes on working */
    CTS_OK(haly_memory_trim(context, 0));
    CTS_TRUE(cts_stats(t, context).segment_bytes >= MIB);
    CTS_OK(haly_free(context, kept));
}

/* The limit holds one such block, so the second is the first one again. */
CTS_CASE(memory, the_zero_flag_zeroes_a_block_that_is_used_again, "MEM-004 MEM-006")
{
    const haly_memory_desc zero = {HALY_MEMORY_DESC_INIT, .flags = HALY_MEMORY_ZERO};
    const uint64_t size = BLOCK + 7;
    const uint8_t byte = 0x77;
    haly_context *context = cts_context_limited(t, LIMIT);
    haly_stream *stream = cts_stream_of(t, context);
    for (unsigned is_async = 0; is_async < 2; is_async++) {
        char *address = NULL;
        CTS_OK(haly_malloc_async(stream, size, NULL, (void **)&address));
        CTS_OK(haly_fill(stream, address, &byte, 1, size));
        CTS_OK(haly_free_async(stream, address));
        if (is_async == 0)
            cts_sync(t, stream);
        CTS_OK(is_async == 0 ? haly_malloc(context, size, &zero, (void **)&address)
                             : haly_malloc_async(stream, size, &zero, (void **)&address));
        cts_sync(t, stream);
        cts_expect_filled(t, address, 0, 1000);
        cts_expect_filled(t, address + size / 2, 0, 1000);
        cts_expect_filled(t, address + size - 1000, 0, 1000);
        CTS_OK(haly_free_async(stream, address));
        cts_sync(t, stream);
    }
}

CTS_CASE(memory, trim_keeps_what_it_is_told_to_keep, "MEM-001")
{
    void *freed = NULL;
    haly_context *context = cts_context(t, NULL);
    CTS_OK(haly_malloc(context, 30 * MIB, NULL, &freed));
    CTS_OK(haly_free(context, freed));
    CTS_OK(haly_context_sync(context, CTS_PATIENCE));
    const uint64_t cached = cts_stats(t, context).cached_bytes;
    CTS_OK(haly_memory_trim(context, 1000 * MIB));
    CTS_EQUAL(cached, cts_stats(t, context).cached_bytes);
}

CTS_CASE(memory, contexts_count_and_limit_apart, "MEM-004 CTX-001")
{
    haly_context *small = cts_context_limited(t, LIMIT), *other = cts_context_limited(t, LIMIT);
    void *a = NULL, *b = NULL, *c = NULL;
    CTS_OK(haly_malloc(small, BLOCK, NULL, &a));
    CTS_OK(haly_malloc(other, BLOCK, NULL, &b));
    CTS_STATUS(HALY_ERR_DEVICE_OOM, haly_malloc(small, BLOCK, NULL, &c));
    CTS_EQUAL(1, cts_stats(t, small).allocation_count);
    CTS_EQUAL(1, cts_stats(t, other).allocation_count);
    CTS_OK(haly_free(small, a));
    CTS_OK(haly_free(other, b));
}
