/* SPDX-License-Identifier: Apache-2.0 */
/* Layers: what they find and write on any backend, and that they change nothing else. */
#include <unistd.h>

#include "cts_tensor.h"

/* An instance with the layer, a context of the case's kind, and two streams. */
struct watched {
    haly_instance *instance;
    haly_context *context;
    haly_stream *one, *two;
};

/* The log is the process's: the runner's instance and that of the case hear every line. */
enum { LISTENERS = 2 };

static const uint8_t zero;

static struct watched watch(struct cts *t, const char *policy)
{
    struct watched w = {NULL, NULL, NULL, NULL};
    const haly_param params[] = {{"layers", "validate"}, {"validate", policy}};
    haly_context_desc desc = cts_context_desc(t);
    desc.device = NULL;
    w.instance = cts_instance(t, params, 2);
    CTS_OK(haly_context_open(w.instance, &desc, &w.context));
    CTS_OK(haly_stream_create(w.context, NULL, &w.one));
    CTS_OK(haly_stream_create(w.context, NULL, &w.two));
    t->findings_expected++;
    return w;
}

static void *memory_of(struct cts *t, const struct watched *w, uint64_t size)
{
    void *address = NULL;
    CTS_OK(haly_malloc(w->context, size, NULL, &address));
    return address;
}

static void unwatch(struct cts *t, const struct watched *w)
{
    CTS_OK(haly_context_sync(w->context, CTS_PATIENCE));
    haly_context_release(w->context);
}

CTS_CASE_HOST(layer, an_unknown_layer_names_the_nearest, "LAY-001 CFG-001")
{
    static const struct {
        const char *names, *part;
    } wrong[] = {{"validat", "did you mean \"validate\"?"},
                 {"validate,valdate", "unknown layer \"valdate\"; did you mean \"validate\"?"},
                 {"all", "unknown layer \"all\""},
                 {"validate,validate", "\"validate\" stands there twice"},
                 {"validate,", "unknown layer \"\""},
                 {",validate", "unknown layer \"\""}};
    haly_instance *instance = NULL;
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CTS_INVALID(cts_try_instance(t, &(haly_param){"layers", wrong[i].names}, 1, &instance));
        CTS_MESSAGE(wrong[i].part);
        CTS_MESSAGE("layers");
    }
    CTS_INVALID(cts_try_instance(t, &(haly_param){"validate", "fial"}, 1, &instance));
    CTS_MESSAGE("report or fail");
    CTS_OK(cts_try_instance(t, &(haly_param){"layers", " validate "}, 1, &instance));
    haly_instance_release(instance);
}

CTS_CASE(layer, calls_that_are_refused_are_no_findings, "LAY-002")
{
    struct watched w = watch(t, "report");
    char *a = memory_of(t, &w, 64);
    CTS_INVALID(haly_fill(w.one, a, &zero, 1, 65));
    CTS_MESSAGE("leaves its allocation of 64 bytes");
    CTS_INVALID(haly_stream_sync(NULL, 0));
    CTS_MESSAGE("the stream is NULL");
    CTS_INVALID(haly_stream_sync((haly_stream *)w.context, 0));
    CTS_MESSAGE("expected a stream, found a context");
    CTS_OK(haly_free(w.context, a));
    CTS_INVALID(haly_free(w.context, a));
    CTS_INVALID(haly_fill(w.one, a, &zero, 1, 64));
    CTS_MESSAGE("freed memory");
    CTS_EQUAL(0, t->findings);
    unwatch(t, &w);
}

CTS_CASE_OP(layer, results_are_the_same_with_the_layer, "LAY-002")
{
    enum { COUNT = 1000 };
    struct watched w = watch(t, "fail");
    float *host = cts_host(t, COUNT * sizeof *host), *result = cts_host(t, COUNT * sizeof *host);
    haly_event *event = NULL;
    if (!cts_dtype(t, HALY_F32))
        return;
    for (unsigned i = 0; i < COUNT; i++)
        host[i] = (float)cts_uniform(t, -2, 2);
    void *x = memory_of(t, &w, COUNT * sizeof *host), *y = memory_of(t, &w, COUNT * sizeof *host);
    CTS_OK(haly_event_create(w.context, NULL, &event));
    CTS_OK(haly_copy(w.one, x, host, COUNT * sizeof *host));
    CTS_OK(haly_op_add(w.one, haly_f32_1d(y, COUNT), haly_f32_1d(x, COUNT), haly_f32_1d(x, COUNT)));
    CTS_OK(haly_event_record(event, w.one));
    CTS_OK(haly_stream_wait(w.two, event));
    CTS_OK(haly_copy(w.two, result, y, COUNT * sizeof *host));
    CTS_OK(haly_stream_sync(w.two, CTS_PATIENCE));
    for (unsigned i = 0; i < COUNT; i++)
        CTS_CHECK(result[i] == host[i] + host[i], "element %u is %g", i, (double)result[i]);
    haly_event_release(event);
    CTS_EQUAL(0, t->findings);
    unwatch(t, &w);
}

CTS_CASE(layer, released_and_foreign_handles_are_refused_unseen, "LAY-003")
{
    struct watched w = watch(t, "report");
    haly_event *event = NULL;
    char *a = memory_of(t, &w, 64); /* the host may not be able to read it */
    CTS_OK(haly_event_create(w.context, &(haly_event_desc){HALY_EVENT_DESC_INIT, .name = "gone"}, &event));
    haly_event_release(event);
    CTS_INVALID(haly_event_query(event));
    CTS_MESSAGE("event ");
    CTS_MESSAGE("\"gone\" was released at");
    haly_event_release(event);
    CTS_EQUAL(2 * LISTENERS, t->findings);
    CTS_INVALID(haly_stream_sync((haly_stream *)(void *)a, 0));
    CTS_MESSAGE("is no handle of Halyard's");
    CTS_INVALID(haly_context_sync((haly_context *)(void *)&w, 0));
    CTS_EQUAL(4 * LISTENERS, t->findings);
    unwatch(t, &w);
    CTS_INVALID(haly_stream_query(w.one));
    CTS_MESSAGE("was released");
}

CTS_CASE(layer, streams_that_nothing_orders_race, "LAY-004")
{
    struct watched w = watch(t, "fail");
    unsigned char host[64];
    const uint8_t one = 1, two = 2;
    haly_event *event = NULL;
    char *a = memory_of(t, &w, 64);
    CTS_OK(haly_event_create(w.context, NULL, &event));
    CTS_OK(haly_fill(w.one, a, &one, 1, 64));
    CTS_INVALID(haly_fill(w.two, a + 63, &two, 1, 1));
    CTS_MESSAGE("race: fill (stream");
    CTS_MESSAGE("63 bytes into the allocation of 64 bytes");
    CTS_EQUAL(1 * LISTENERS, t->findings);
    CTS_OK(haly_event_record(event, w.one));
    CTS_OK(haly_stream_wait(w.two, event));
    CTS_OK(haly_copy(w.two, host, a, 64));
    CTS_OK(haly_stream_sync(w.two, CTS_PATIENCE)); /* so the host knows of both */
    CTS_EQUAL(one, host[63]);                      /* what was refused was not queued */
    CTS_OK(haly_fill(w.one, a, &two, 1, 32));
    CTS_OK(haly_fill(w.two, a + 32, &two, 1, 32)); /* other bytes */
    haly_event_release(event);
    CTS_EQUAL(1 * LISTENERS, t->findings);
    unwatch(t, &w);
}

CTS_CASE(layer, findings_are_only_reported_unless_told_to_fail, "LAY-004")
{
    struct watched w = watch(t, "report");
    char *a = memory_of(t, &w, 64);
    CTS_OK(haly_fill(w.one, a, &zero, 1, 64));
    CTS_OK(haly_fill(w.two, a, &zero, 1, 64));
    CTS_EQUAL(1 * LISTENERS, t->findings);
    unwatch(t, &w);
}

CTS_CASE(layer, memory_is_not_freed_under_commands, "LAY-005")
{
    struct watched w = watch(t, "fail");
    void *a = memory_of(t, &w, 64), *pinned = NULL;
    CTS_OK(haly_host_alloc(w.context, 64, &pinned));
    CTS_OK(haly_fill(w.two, a, &zero, 1, 64));
    CTS_INVALID(haly_free_async(w.one, a));
    CTS_MESSAGE("free: fill");
    CTS_OK(haly_copy(w.two, pinned, a, 64));
    CTS_INVALID(haly_host_free(w.context, pinned));
    CTS_MESSAGE("the host has not waited for it");
    CTS_OK(haly_free_async(w.two, a));
    CTS_OK(haly_stream_sync(w.two, CTS_PATIENCE));
    CTS_OK(haly_host_free(w.context, pinned));
    CTS_EQUAL(2 * LISTENERS, t->findings);
    unwatch(t, &w);
}

CTS_CASE(layer, a_replay_over_freed_memory_is_found, "LAY-006 GRA-002")
{
    struct watched w = watch(t, "fail");
    haly_graph *graph = NULL;
    void *a = memory_of(t, &w, 64);
    CTS_OK(haly_stream_capture_begin(w.one));
    CTS_OK(haly_fill(w.one, a, &zero, 1, 64));
    CTS_OK(haly_stream_capture_end(w.one, &graph));
    CTS_OK(haly_graph_launch(w.one, graph));
    CTS_OK(haly_stream_sync(w.one, CTS_PATIENCE));
    CTS_OK(haly_free(w.context, a));
    CTS_INVALID(haly_graph_launch(w.one, graph));
    CTS_MESSAGE("graph: fill");
    a = memory_of(t, &w, 64); /* perhaps at the same address: it is not what was captured */
    CTS_INVALID(haly_graph_launch(w.one, graph));
    CTS_MESSAGE("was freed since");
    CTS_EQUAL(2 * LISTENERS, t->findings);
    haly_graph_release(graph);
    unwatch(t, &w);
}

static haly_status call_back(void *user, haly_status status)
{
    (void)status;
    return haly_stream_query(user) == HALY_ERR_INVALID ? HALY_OK : HALY_ERR_INTERNAL;
}

CTS_CASE(layer, host_calls_must_not_call_halyard, "LAY-007 STR-007")
{
    struct watched w = watch(t, "fail");
    CTS_OK(haly_host_call(w.one, call_back, w.two));
    CTS_OK(haly_stream_sync(w.one, CTS_PATIENCE));
    CTS_EQUAL(1 * LISTENERS, t->findings);
    unwatch(t, &w);
}

CTS_CASE(layer, what_is_left_behind_is_listed, "LAY-008 CTX-001")
{
    struct watched w = watch(t, "fail");
    haly_stream_release(w.one);
    haly_stream_release(w.two);
    void *a = memory_of(t, &w, 64);
    CTS_OK(haly_memory_describe(w.context, a,
                                &(haly_memory_description){HALY_MEMORY_DESCRIPTION_INIT, .name = "kv cache"}));
    unwatch(t, &w);
    CTS_EQUAL(LISTENERS, t->hints);
    CTS_CHECK(strstr(t->hint, "leak: context") != NULL && strstr(t->hint, "64 bytes \"kv cache\", made at") != NULL,
              "\"%s\"", t->hint);
    CTS_EQUAL(0, t->findings);
}

/* ---- the trace layer ---- */

CTS_CASE(layer, a_trace_holds_commands_in_order_with_their_arguments, "LAY-009 LAY-010")
{
    enum { MOST = 1 << 20 };
    char path[64], *text = cts_host(t, MOST);
    unsigned char host[64];
    const uint8_t one = 1;
    haly_context_desc desc = cts_context_desc(t);
    haly_context *context = NULL;
    void *a = NULL;
    desc.device = NULL;
    (void)snprintf(path, sizeof path, "/tmp/halyard-cts-%ld.json", (long)getpid());
    const haly_param params[] = {{"layers", "trace"}, {"trace_file", path}};
    CTS_OK(haly_context_open(cts_instance(t, params, 2), &desc, &context));
    haly_stream *stream = cts_stream_of(t, context);
    CTS_OK(haly_malloc(context, 64, NULL, &a));
    CTS_OK(haly_stream_set_label(stream, "of a case"));
    CTS_OK(haly_fill(stream, a, &one, 1, 64));
    CTS_OK(haly_copy(stream, host, a, 64));
    CTS_OK(haly_stream_sync(stream, CTS_PATIENCE));
    FILE *file = fopen(path, "re"); /* in the middle of its life */
    CTS_CHECK(file != NULL, "%s is not there", path);
    const size_t size = fread(text, 1, MOST - 1, file);
    (void)fclose(file);
    (void)unlink(path);
    text[size] = '\0';
    CTS_CHECK(size > 4 && text[0] == '[' && strcmp(text + size - 3, "\n]\n") == 0, "the array is not whole");
    const char *fill = strstr(text, "\"name\":\"fill\""), *copy = strstr(text, "\"name\":\"copy\"");
    CTS_CHECK(fill != NULL && copy != NULL && fill < copy, "a command is missing, or not in its place");
    CTS_TRUE(strstr(text, "\"label\":\"of a case\"") != NULL && strstr(text, "\"pattern\":\"01\"") != NULL);
    CTS_TRUE(strstr(text, "\"name\":\"allocate\"") != NULL && strstr(text, "\"name\":\"memory\"") != NULL);
    CTS_EQUAL(one, host[63]);
}
