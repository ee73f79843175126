/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts: what they tell, names and ids, lifetime, giving up, several at once. */
#include <pthread.h>
#include <stdatomic.h>

#include "cts.h"

CTS_CASE(context, info_tells_what_was_opened, "CTX-004 CTX-003")
{
    haly_context_desc desc = cts_context_desc(t);
    haly_context_info info = {HALY_CONTEXT_INFO_INIT};
    desc.name = "training";
    haly_context *context = cts_context(t, &desc);
    CTS_OK(haly_context_info_get(context, &info));
    CTS_EQUAL(desc.flags, info.flags);
    CTS_TRUE(info.device == t->device);
    CTS_TRUE(strcmp(info.name, "training") == 0);
    CTS_EQUAL(haly_object_id(context), info.id);
    CTS_EQUAL(HALY_OK, info.status);
    if (t->variant == CTS_MOVABLE)
        CTS_TRUE(info.window_base != 0 && info.window_bytes >= 1U << 20);
    if (t->variant == CTS_ORDINARY && cts_has(t, HALY_CAP_NATIVE_ADDRESSES))
        CTS_EQUAL(1, info.addresses_are_native);
}

CTS_CASE_HOST(context, without_a_description_the_best_device_is_opened, "CTX-004 SEL-002")
{
    haly_context *context = NULL;
    haly_context_info info = {HALY_CONTEXT_INFO_INIT};
    CTS_OK(haly_context_open(t->instance, NULL, &context));
    CTS_OK(haly_context_info_get(context, &info));
    CTS_TRUE(info.device == t->device);
    CTS_EQUAL(0, info.flags);
    CTS_TRUE(info.name != NULL && info.name[0] == '\0');
    haly_context_release(context);
}

CTS_CASE(context, names_are_unique_among_the_contexts_of_an_instance, "CTX-002 CTX-004")
{
    haly_context_desc desc = cts_context_desc(t);
    haly_context *first = NULL, *second = NULL;
    desc.name = "only one";
    CTS_OK(haly_context_open(t->instance, &desc, &first));
    CTS_INVALID(haly_context_open(t->instance, &desc, &second));
    CTS_TRUE(second == NULL);
    haly_context_release(first);
    CTS_OK(haly_context_open(t->instance, &desc, &second));
    haly_context_release(second);
}

CTS_CASE(context, every_object_has_an_id_of_its_own, "CTX-002")
{
    uint64_t ids[6] = {haly_object_id(t->instance), haly_object_id(t->device),     haly_object_id(t->context),
                       haly_object_id(t->stream),   haly_object_id(cts_stream(t)), haly_object_id(cts_event(t))};
    for (unsigned i = 0; i < 6; i++) {
        CTS_TRUE(ids[i] != 0);
        for (unsigned j = 0; j < i; j++)
            CTS_TRUE(ids[i] != ids[j]);
    }
    CTS_EQUAL(ids[3], haly_object_id(t->stream));
    CTS_EQUAL(0, haly_object_id(NULL));
}

CTS_CASE(context, objects_are_found_by_id_and_by_name, "CTX-008 CTX-002 STR-005")
{
    haly_stream *stream = NULL;
    haly_event *event = NULL;
    void *found = NULL;
    CTS_OK(haly_stream_create(t->context, &(haly_stream_desc){HALY_STREAM_DESC_INIT, .name = "copies"}, &stream));
    CTS_OK(haly_event_create(t->context, &(haly_event_desc){HALY_EVENT_DESC_INIT, .name = "copies"}, &event));
    CTS_OK(haly_context_find(t->context, HALY_OBJECT_STREAM, "copies", 0, &found));
    CTS_TRUE(found == stream);
    CTS_OK(haly_context_find(t->context, HALY_OBJECT_EVENT, "copies", 0, &found)); /* unique among its kind */
    CTS_TRUE(found == event);
    CTS_OK(haly_context_find(t->context, HALY_OBJECT_STREAM, NULL, haly_object_id(stream), &found));
    CTS_TRUE(found == stream);
    haly_event_release(event);
    haly_stream_release(stream);
}

CTS_CASE(context, what_is_not_there_is_not_found, "CTX-008 ABI-005")
{
    void *found = t;
    haly_stream *stream = NULL;
    haly_context *other = cts_context(t, NULL);
    CTS_STATUS(HALY_ERR_NOT_FOUND, haly_context_find(t->context, HALY_OBJECT_STREAM, "nobody", 0, &found));
    CTS_STATUS(HALY_ERR_NOT_FOUND, haly_context_find(t->context, HALY_OBJECT_STREAM, NULL, UINT64_MAX, &found));
    CTS_STATUS(HALY_ERR_NOT_FOUND,
               haly_context_find(t->context, HALY_OBJECT_EVENT, NULL, haly_object_id(t->stream), &found));
    CTS_STATUS(HALY_ERR_NOT_FOUND,
               haly_context_find(other, HALY_OBJECT_STREAM, NULL, haly_object_id(t->stream), &found));
    CTS_INVALID(haly_context_find(t->context, HALY_OBJECT_STREAM, "", 0, &found)); /* not one without a name */
    CTS_INVALID(haly_context_find(t->context, HALY_OBJECT_DEVICE, "x", 0, &found));
    CTS_INVALID(haly_context_find(t->context, (haly_object_kind)99, "x", 0, &found));
    CTS_OK(haly_stream_create(t->context, &(haly_stream_desc){HALY_STREAM_DESC_INIT, .name = "short-lived"}, &stream));
    haly_stream_release(stream);
    CTS_STATUS(HALY_ERR_NOT_FOUND, haly_context_find(t->context, HALY_OBJECT_STREAM, "short-lived", 0, &found));
    CTS_TRUE(found == (void *)t);
}

CTS_CASE(context, a_name_can_be_given_changed_and_taken_away, "CTX-002 CTX-008")
{
    void *found = NULL;
    CTS_OK(haly_object_name_set(t->stream, "one"));
    CTS_OK(haly_object_name_set(t->stream, "zwei \xC3\xA4"));
    CTS_STATUS(HALY_ERR_NOT_FOUND, haly_context_find(t->context, HALY_OBJECT_STREAM, "one", 0, &found));
    CTS_OK(haly_context_find(t->context, HALY_OBJECT_STREAM, "zwei \xC3\xA4", 0, &found));
    CTS_TRUE(found == t->stream);
    CTS_OK(haly_object_name_set(t->stream, NULL));
    CTS_STATUS(HALY_ERR_NOT_FOUND, haly_context_find(t->context, HALY_OBJECT_STREAM, "zwei \xC3\xA4", 0, &found));
    CTS_OK(haly_object_name_set(t->stream, ""));
}

CTS_CASE(context, a_name_that_is_too_long_taken_or_not_utf8_is_invalid, "CTX-002")
{
    char name[65];
    haly_stream *other = cts_stream(t);
    memset(name, 'n', sizeof name);
    name[63] = '\0';
    CTS_OK(haly_object_name_set(t->stream, name));
    CTS_INVALID(haly_object_name_set(other, name));
    name[63] = 'n';
    name[64] = '\0';
    CTS_INVALID(haly_object_name_set(t->stream, name));
    CTS_INVALID(haly_object_name_set(other, "bad \xC3("));
    CTS_INVALID(haly_object_name_set(other, "bad \xFF"));
    CTS_OK(haly_object_name_set(t->stream, NULL));
}

CTS_CASE(context, the_last_release_takes_everything_with_it, "CTX-001 CTX-005")
{
    haly_context_desc desc = cts_context_desc(t);
    for (unsigned round = 0; round < 20; round++) {
        haly_context *context = NULL;
        haly_stream *stream = NULL;
        haly_event *event = NULL;
        void *address = NULL;
        const uint8_t byte = 1;
        CTS_OK(haly_context_open(t->instance, &desc, &context));
        CTS_OK(haly_stream_create(context, NULL, &stream));
        CTS_OK(haly_event_create(context, NULL, &event));
        CTS_OK(haly_malloc(context, 3000000, NULL, &address));
        CTS_OK(haly_fill(stream, address, &byte, 1, 3000000));
        CTS_OK(haly_event_record(event, stream));
        haly_context_retain(context);
        haly_context_release(context);
        CTS_OK(haly_stream_sync(stream, CTS_PATIENCE));
        haly_context_release(context);
        haly_memory_info info = {HALY_MEMORY_INFO_INIT};
        CTS_OK(haly_memory_info_get(address, &info));
        CTS_TRUE(info.memory_class != HALY_MEMORY_DEVICE);
    }
    haly_context_retain(NULL);
    haly_context_release(NULL);
}

CTS_CASE(context, release_never_waits_and_queued_work_is_finished, "CTX-005")
{
    haly_context_desc desc = cts_context_desc(t);
    haly_context *context = NULL;
    haly_stream *stream = NULL;
    uint8_t *target = cts_host(t, 100000);
    cts_recorder *recorder = cts_recorder_new(t);
    const uint8_t byte = 0x66;
    void *address = NULL;
    CTS_OK(haly_context_open(t->instance, &desc, &context));
    CTS_OK(haly_stream_create(context, NULL, &stream));
    CTS_OK(haly_malloc(context, 100000, NULL, &address));
    cts_gate *gate = cts_hold(t, stream);
    CTS_OK(haly_fill(stream, address, &byte, 1, 100000));
    CTS_OK(haly_copy(stream, target, address, 100000));
    CTS_OK(cts_note(t, stream, recorder, 1));
    haly_context_release(context);
    CTS_EQUAL(0, recorder->count);
    cts_open(t, gate);
    for (unsigned tries = 0; atomic_load(&recorder->count) == 0; tries++) {
        CTS_CHECK(tries < 15000, "the work of a released context did not finish within 15 s");
        cts_sleep_ms(1);
    }
    for (unsigned i = 0; i < 100000; i++)
        CTS_EQUAL(byte, target[i]);
    cts_sleep_ms(100); /* the rest of the context goes behind its last command, on a thread of the library's */
}

CTS_CASE(context, sync_waits_for_all_streams_and_keeps_its_deadline, "CTX-007 ABI-006")
{
    haly_stream *other = cts_stream(t);
    cts_recorder *recorder = cts_recorder_new(t);
    CTS_OK(haly_context_sync(t->context, 0));
    cts_gate *gate = cts_hold(t, other);
    CTS_OK(cts_note(t, other, recorder, 1));
    CTS_OK(cts_note(t, t->stream, recorder, 2));
    CTS_STATUS(HALY_TIMEOUT, haly_context_sync(t->context, 20000000));
    CTS_STATUS(HALY_TIMEOUT, haly_context_sync(t->context, 0));
    cts_open(t, gate);
    CTS_OK(haly_context_sync(t->context, HALY_FOREVER));
    CTS_EQUAL(2, recorder->count);
}

static void *wait_in_thread(void *user)
{
    return (void *)(uintptr_t)haly_stream_sync(user, HALY_FOREVER);
}

CTS_CASE(context, abandon_wakes_waiters_and_latches, "CTX-006")
{
    haly_context *context = cts_context(t, NULL);
    haly_stream *stream = cts_stream_of(t, context);
    haly_context_info info = {HALY_CONTEXT_INFO_INIT};
    pthread_t thread;
    void *result = NULL, *address = NULL;
    cts_gate *gate = cts_hold(t, stream);
    cts_wait_held(t, gate);
    CTS_EQUAL(0, pthread_create(&thread, NULL, wait_in_thread, stream));
    cts_sleep_ms(30);
    CTS_OK(haly_context_abandon(context));
    t->is_broken = 1;
    (void)pthread_join(thread, &result);
    CTS_EQUAL(HALY_ERR_ABANDONED, (uintptr_t)result);
    t->failures_expected++;
    CTS_STATUS(HALY_ERR_ABANDONED, haly_malloc(context, 64, NULL, &address));
    CTS_STATUS(HALY_ERR_ABANDONED, haly_stream_sync(stream, CTS_PATIENCE));
    CTS_STATUS(HALY_ERR_ABANDONED, haly_context_sync(context, CTS_PATIENCE));
    CTS_OK(haly_context_info_get(context, &info));
    CTS_EQUAL(HALY_ERR_ABANDONED, info.status);
}

CTS_CASE(context, abandon_wakes_the_waiters_of_every_stream, "CTX-006")
{
    enum { COUNT = 4 };
    haly_stream *streams[COUNT];
    pthread_t threads[COUNT];
    haly_context *context = cts_context(t, NULL);
    haly_event *event = NULL;
    cts_gate *gate = NULL;
    CTS_OK(haly_event_create(context, NULL, &event));
    cts_own_event(t, event);
    for (unsigned i = 0; i < COUNT; i++) { /* all but the first wait for the first */
        streams[i] = cts_stream_of(t, context);
        if (i == 0) {
            gate = cts_hold(t, streams[0]);
            CTS_OK(haly_event_record(event, streams[0]));
        } else {
            CTS_OK(haly_stream_wait(streams[i], event));
        }
        CTS_EQUAL(0, pthread_create(&threads[i], NULL, wait_in_thread, streams[i]));
    }
    cts_sleep_ms(20);
    const uint64_t start = cts_now_ns();
    t->is_broken = 1;
    CTS_OK(haly_context_abandon(context));
    t->failures_expected++;
    for (unsigned i = 0; i < COUNT; i++) {
        void *result = NULL;
        (void)pthread_join(threads[i], &result);
        CTS_EQUAL(HALY_ERR_ABANDONED, (uintptr_t)result);
    }
    CTS_CHECK(cts_now_ns() - start < CTS_SECONDS(10), "waiters were not woken before the work they waited for");
    cts_open(t, gate);
}

CTS_CASE(context, other_contexts_live_on_when_one_is_abandoned, "CTX-006 CTX-001")
{
    haly_context *context = cts_context(t, NULL);
    const uint8_t byte = 0x71;
    void *device = cts_device(t, 1000);
    t->failures_expected++;
    CTS_OK(haly_context_abandon(context));
    CTS_OK(haly_fill(t->stream, device, &byte, 1, 1000));
    cts_sync(t, t->stream);
    cts_expect_filled(t, device, byte, 1000);
}

CTS_CASE(context, an_extension_that_is_not_known_must_be_optional, "ABI-007")
{
    haly_ext required = {.type = 0x7f7f7f7f, .size = sizeof(haly_ext)};
    haly_ext optional = {.type = 0x7e7e7e7e, .size = sizeof(haly_ext), .optional = 1, .next = NULL};
    haly_context_desc desc = cts_context_desc(t);
    haly_context *context = NULL;
    haly_stream *stream = NULL;
    desc.ext = &required;
    CTS_STATUS(HALY_ERR_UNSUPPORTED, haly_context_open(t->instance, &desc, &context));
    CTS_TRUE(context == NULL);
    CTS_STATUS(HALY_ERR_UNSUPPORTED,
               haly_stream_create(t->context, &(haly_stream_desc){HALY_STREAM_DESC_INIT, .ext = &required}, &stream));
    optional.next = &required;
    CTS_STATUS(HALY_ERR_UNSUPPORTED,
               haly_stream_create(t->context, &(haly_stream_desc){HALY_STREAM_DESC_INIT, .ext = &optional}, &stream));
    optional.next = NULL;
    desc.ext = &optional;
    (void)cts_context(t, &desc);
    CTS_OK(haly_stream_create(t->context, &(haly_stream_desc){HALY_STREAM_DESC_INIT, .ext = &optional}, &stream));
    haly_stream_release(stream);
}

/* Refused by every function that takes a chain, whether the core or the backend reads it. */
static void expect_chain(struct cts *t, haly_status want, const haly_ext *ext)
{
    haly_context_desc context_desc = cts_context_desc(t);
    haly_context *context = NULL;
    haly_stream *stream = NULL;
    haly_event *event = NULL;
    void *address = NULL;
    context_desc.ext = ext;
    CTS_STATUS(want, haly_context_open(t->instance, &context_desc, &context));
    CTS_STATUS(want, haly_stream_create(t->context, &(haly_stream_desc){HALY_STREAM_DESC_INIT, .ext = ext}, &stream));
    CTS_STATUS(want, haly_event_create(t->context, &(haly_event_desc){HALY_EVENT_DESC_INIT, .ext = ext}, &event));
    CTS_STATUS(want, haly_malloc(t->context, 64, &(haly_memory_desc){HALY_MEMORY_DESC_INIT, .ext = ext}, &address));
}

CTS_CASE(context, a_chain_that_no_one_could_walk_is_refused, "ABI-007 ABI-008")
{
    static haly_ext links[HALY_EXT_MAX + 1];
    const haly_ext good = {.type = 0x7e7e7e7e, .size = sizeof(haly_ext), .optional = 1};
    haly_ext bad = good;
    bad.next = &bad;
    expect_chain(t, HALY_ERR_INVALID, &bad);
    bad = good;
    bad.size = sizeof(haly_ext) - 1;
    expect_chain(t, HALY_ERR_INVALID, &bad);
    bad = good;
    bad.reserved = 5;
    expect_chain(t, HALY_ERR_UNSUPPORTED, &bad);
    bad = good;
    bad.optional = 2;
    expect_chain(t, HALY_ERR_UNSUPPORTED, &bad);
    for (int i = 0; i <= HALY_EXT_MAX; i++) {
        links[i] = good;
        links[i].next = i < HALY_EXT_MAX ? &links[i + 1] : NULL;
    }
    expect_chain(t, HALY_ERR_INVALID, links);
    haly_event *event = NULL;
    CTS_OK(haly_event_create(t->context, &(haly_event_desc){HALY_EVENT_DESC_INIT, .ext = &links[1]}, &event));
    haly_event_release(event);
}

CTS_CASE_WITH(context, windows_of_two_movable_contexts_do_not_overlap, "CTX-003", 0, CTS_ONLY_MOVABLE)
{
    haly_context_desc desc = cts_context_desc(t);
    haly_context_info a = {HALY_CONTEXT_INFO_INIT}, b = {HALY_CONTEXT_INFO_INIT};
    desc.window_bytes = 1ULL << 30;
    CTS_OK(haly_context_info_get(cts_context(t, &desc), &a));
    CTS_OK(haly_context_info_get(cts_context(t, &desc), &b));
    CTS_TRUE(a.window_bytes >= 1U << 30 && b.window_bytes >= 1U << 30);
    CTS_TRUE(a.window_base + a.window_bytes <= b.window_base || b.window_base + b.window_bytes <= a.window_base);
}

CTS_CASE_WITH(context, a_window_that_no_address_space_holds_is_refused, "CTX-004", 0, CTS_ONLY_MOVABLE)
{
    haly_context_desc desc = cts_context_desc(t);
    haly_context *context = NULL;
    desc.window_bytes = 127ULL << 40; /* this program stands in the middle of what an x86-64 or aarch64 host has */
    CTS_STATUS(HALY_ERR_RESOURCE_EXHAUSTED, haly_context_open(t->instance, &desc, &context));
    desc.window_bytes = 1ULL << 60;
    const haly_status status = haly_context_open(t->instance, &desc, &context);
    CTS_CHECK(status == HALY_ERR_RESOURCE_EXHAUSTED || status == HALY_ERR_INVALID, "got %s", haly_status_name(status));
    CTS_TRUE(context == NULL);
}

CTS_CASE(context, instances_are_independent, "INST-001 CTX-001")
{
    haly_instance *other = cts_instance(t, NULL, 0);
    haly_context_desc desc = cts_context_desc(t);
    haly_context *foreign = NULL;
    desc.name = "same name";
    (void)cts_context(t, &desc);
    desc.device = NULL;
    CTS_OK(haly_context_open(other, &desc, &foreign)); /* names are unique within an instance only */
    desc.device = t->device;
    desc.name = NULL;
    haly_context *wrong = NULL;
    CTS_INVALID(haly_context_open(other, &desc, &wrong)); /* a device of the first instance */
    haly_context_release(foreign);
}
