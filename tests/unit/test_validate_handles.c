/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every public function that takes a handle, with handles that must not be followed; and what the core refuses by
 * itself, which the validation layer must leave as it is.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>

#include "layer_fixture.h"

/* Sound things of a fixture. */
struct sound {
    struct layer_fixture *f;
    haly_module *module;
    haly_event *event;
    haly_kernel *kernel;
    haly_plan *plan;
    haly_graph *graph;
    char *memory, *pinned;
    char host[4096];
};

#define ADD(s_)                                                                                                        \
    (&(haly_op_desc){HALY_OP_DESC_INIT, .name = "Add",                                                                 \
                     HALY_INPUTS(haly_f32_1d((s_)->memory, 16), haly_f32_1d((s_)->memory, 16)),                        \
                     HALY_OUTPUTS(haly_f32_1d((s_)->memory + 64, 16))})
#define ADDRESSES(s_) ((void *[]){(s_)->memory, (s_)->memory, (s_)->memory + 64})

static haly_status never_called(void *user, haly_status status)
{
    (void)user, (void)status;
    abort();
}

#define ROW(name_, kind_, call_)                                                                                       \
    static haly_status name_##_with_##kind_(const struct sound *s, void *h)                                            \
    {                                                                                                                  \
        (void)s;                                                                                                       \
        return call_;                                                                                                  \
    }
#include "unit/validate_rows.def"
#undef ROW

static const struct row {
    const char *name;
    haly_object_kind kind;
    haly_status (*call)(const struct sound *s, void *handle);
} rows[] = {
#define ROW(name_, kind_, call_) {#name_, HALY_OBJECT_##kind_, name_##_with_##kind_},
#include "unit/validate_rows.def"
#undef ROW
};
enum { ROWS = sizeof rows / sizeof *rows };

/* Functions that count references, which give no status. */
#define COUNTING(type_)                                                                                                \
    static void type_##_retain(void *handle)                                                                           \
    {                                                                                                                  \
        haly_##type_##_retain(handle);                                                                                 \
    }                                                                                                                  \
    static void type_##_release(void *handle)                                                                          \
    {                                                                                                                  \
        haly_##type_##_release(handle);                                                                                \
    }
COUNTING(instance)
COUNTING(context)
COUNTING(stream)
COUNTING(event)
COUNTING(module)
COUNTING(kernel)
COUNTING(plan)
COUNTING(graph)
#undef COUNTING

static const struct {
    const char *retain_name, *release_name;
    haly_object_kind kind;
    void (*retain)(void *handle);
    void (*release)(void *handle);
} counting[] = {
#define COUNTING(type_, kind_)                                                                                         \
    {                                                                                                                  \
        "haly_" #type_ "_retain", "haly_" #type_ "_release", HALY_OBJECT_##kind_, type_##_retain, type_##_release      \
    }
    COUNTING(instance, INSTANCE), COUNTING(context, CONTEXT), COUNTING(stream, STREAM), COUNTING(event, EVENT),
    COUNTING(module, MODULE),     COUNTING(kernel, KERNEL),   COUNTING(plan, PLAN),     COUNTING(graph, GRAPH),
#undef COUNTING
};
enum { COUNTINGS = sizeof counting / sizeof *counting };

static void open_sound(struct sound *s, struct layer_fixture *f, const char *layers)
{
    layer_open(f, layers, "report", 0);
    *s = (struct sound){.f = f};
    s->memory = layer_memory(f, 4096);
    OK(haly_host_alloc(f->context, 4096, (void **)&s->pinned));
    OK(haly_event_create(f->context, NULL, &s->event));
    OK(haly_module_load_file(f->context, TEST_KERNELS, &s->module));
    OK(haly_kernel_get(s->module, "scale", &s->kernel));
    OK(haly_plan_create(f->context, ADD(s), &s->plan));
    OK(haly_stream_capture_begin(f->one));
    OK(haly_fill(f->one, s->memory, "", 1, 64));
    OK(haly_stream_capture_end(f->one, &s->graph));
}

static void close_sound(struct sound *s)
{
    haly_event_release(s->event);
    haly_kernel_release(s->kernel);
    haly_module_release(s->module);
    haly_plan_release(s->plan);
    haly_graph_release(s->graph);
    layer_close(s->f);
}

static void *sound_object(const struct sound *s, haly_object_kind kind)
{
    switch ((uint32_t)kind) {
    case HALY_OBJECT_INSTANCE:
        return s->f->instance;
    case HALY_OBJECT_CONTEXT:
        return s->f->context;
    case HALY_OBJECT_STREAM:
        return s->f->one;
    case HALY_OBJECT_EVENT:
        return s->event;
    case HALY_OBJECT_MODULE:
        return s->module;
    case HALY_OBJECT_KERNEL:
        return s->kernel;
    case HALY_OBJECT_PLAN:
        return s->plan;
    case HALY_OBJECT_GRAPH:
        return s->graph;
    default:
        return NULL;
    }
}

/* An object of the kind that has been released; NULL for devices, which live as long as their instance. */
static void *released_object(const struct sound *s, haly_object_kind kind)
{
    static struct layer_fixture gone;
    static struct sound gone_too;
    if (kind == HALY_OBJECT_DEVICE)
        return NULL;
    if (kind == HALY_OBJECT_INSTANCE || kind == HALY_OBJECT_CONTEXT) {
        open_sound(&gone_too, &gone, "validate");
        close_sound(&gone_too);
        return sound_object(&gone_too, kind);
    }
    haly_stream *stream = NULL;
    haly_event *event = NULL;
    haly_module *module = NULL;
    haly_kernel *kernel = NULL;
    haly_plan *plan = NULL;
    haly_graph *graph = NULL;
    OK(haly_stream_create(s->f->context, NULL, &stream));
    OK(haly_event_create(s->f->context, NULL, &event));
    OK(haly_module_load_file(s->f->context, TEST_KERNELS, &module));
    OK(haly_kernel_get(module, "scale", &kernel));
    OK(haly_plan_create(s->f->context, ADD(s), &plan));
    OK(haly_stream_capture_begin(stream));
    OK(haly_stream_capture_end(stream, &graph));
    haly_graph_release(graph);
    haly_plan_release(plan);
    haly_kernel_release(kernel);
    haly_module_release(module);
    haly_event_release(event);
    haly_stream_release(stream);
    void *const objects[] = {stream, event, module, kernel, plan, graph};
    return objects[kind - HALY_OBJECT_STREAM];
}

static void call_row(const struct sound *s, const struct row *row, void *handle, const char *wanted)
{
    haly_error error = {HALY_ERROR_INIT};
    const uint32_t before = s->f->log.errors;
    haly_error_clear();
    const haly_status status = row->call(s, handle);
    if (status != HALY_ERR_INVALID || haly_error_last(&error) != HALY_OK || strstr(error.message, wanted) == NULL ||
        strncmp(error.message, "handle: ", 8) != 0 || strstr(error.message, row->name) == NULL ||
        s->f->log.errors != before + 1)
        fail_msg("%s: %s, %u lines, \"%s\"", row->name, haly_status_name(status), s->f->log.errors - before,
                 error.message);
    s->f->log.errors = s->f->log.infos = 0; /* or the log would be full */
}

static void every_function_refuses_what_is_no_handle(void **state)
{
    static struct layer_fixture f;
    static struct sound s;
    (void)state;
    open_sound(&s, &f, "validate");
    void *unreadable = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *const foreign[] = {unreadable, s.host, (char *)f.one + 8, s.memory, (void *)(uintptr_t)8};
    for (uint32_t i = 0; i < ROWS; i++)
        for (uint32_t j = 0; j < sizeof foreign / sizeof *foreign; j++)
            call_row(&s, &rows[i], foreign[j], "is no handle of Halyard's");
    for (uint32_t i = 0; i < COUNTINGS; i++) {
        counting[i].retain(unreadable);
        layer_line_has(&f, "handle: ", counting[i].retain_name, "is no handle of Halyard's", NULL);
        counting[i].release(unreadable);
        layer_line_has(&f, "handle: ", counting[i].release_name, "is no handle of Halyard's", NULL);
    }
    assert_int_equal(haly_object_id(unreadable), 0);
    assert_int_equal(f.log.errors, 2 * COUNTINGS);
    munmap(unreadable, 4096);
    close_sound(&s);
}

static void every_function_refuses_a_released_handle(void **state)
{
    static struct layer_fixture f;
    static struct sound s;
    (void)state;
    open_sound(&s, &f, "validate");
    for (uint32_t i = 0; i < ROWS; i++) {
        void *released = released_object(&s, rows[i].kind);
        if (released != NULL)
            call_row(&s, &rows[i], released, "was released at");
    }
    for (uint32_t i = 0; i < COUNTINGS; i++) {
        void *released = released_object(&s, counting[i].kind);
        f.log.errors = f.log.infos = 0;
        counting[i].retain(released);
        layer_line_has(&f, "handle: ", counting[i].retain_name, "was released at", "it was made at", NULL);
        counting[i].release(released);
        layer_line_has(&f, "handle: ", counting[i].release_name, "was released at", NULL);
    }
    assert_int_equal(haly_object_id(released_object(&s, HALY_OBJECT_EVENT)), 0);
    close_sound(&s);
}

/* Its context was released while work is queued: the child is still there, and must not be used. */
static void every_function_refuses_children_of_a_released_context(void **state)
{
    static struct layer_fixture f, gone;
    static struct sound s, child;
    (void)state;
    open_sound(&s, &f, "validate");
    for (uint32_t i = 0; i < ROWS; i++) {
        open_sound(&child, &gone, "validate");
        void *object = sound_object(&child, rows[i].kind);
        haly_context_release(gone.context);
        if (object != NULL && object != gone.instance) {
            haly_error error = {HALY_ERROR_INIT};
            assert_int_equal(rows[i].call(&s, object), HALY_ERR_INVALID);
            OK(haly_error_last(&error));
            assert_non_null(strstr(error.message, "was released"));
        }
        while (gone.instance->open_contexts != 0)
            usleep(100);
        haly_instance_release(gone.instance);
    }
    f.log.errors = f.log.infos = 0;
    close_sound(&s);
}

/* Released handles stay known when their number goes on and on, the latest of them; memory does not grow. */
static void the_latest_released_are_known(void **state)
{
    enum { MANY = 5000 };
    static struct layer_fixture f;
    static haly_event *events[MANY];
    uint32_t known = 0;
    (void)state;
    layer_open(&f, "validate", "report", 0);
    for (int i = 0; i < MANY; i++) {
        OK(haly_event_create(f.context, NULL, &events[i]));
        haly_event_release(events[i]);
    }
    for (int i = MANY - 1; i >= MANY - 900; i--) {
        assert_int_equal(haly_event_query(events[i]), HALY_ERR_INVALID);
        known += f.log.errors == 1 && strstr(f.log.lines[0], "was released at") != NULL;
        f.log.errors = 0;
    }
    assert_int_equal(known, 900);
    assert_int_equal(haly_event_query(events[0]), HALY_ERR_INVALID); /* long gone, and still not followed */
    layer_close(&f);
}

/* ---- what the core refuses by itself ---- */

struct refusal {
    haly_status status;
    char message[512];
};

typedef haly_status (*misuse_fn)(const struct sound *s, const struct sound *other, char *freed);

#define MISUSE(name_, call_)                                                                                           \
    static haly_status misuse_##name_(const struct sound *s, const struct sound *other, char *freed)                   \
    {                                                                                                                  \
        (void)s, (void)other, (void)freed;                                                                             \
        return call_;                                                                                                  \
    }
#include "unit/validate_misuses.def"
#undef MISUSE

static const struct {
    const char *name;
    misuse_fn call;
} misuses[] = {
#define MISUSE(name_, call_) {#name_, misuse_##name_},
#include "unit/validate_misuses.def"
#undef MISUSE
};
enum { MISUSES = sizeof misuses / sizeof *misuses };

/* Addresses and ids differ from run to run: digits are left out. */
static void keep_refusal(struct refusal *refusal, haly_status status)
{
    haly_error error = {HALY_ERROR_INIT};
    uint32_t used = 0;
    *refusal = (struct refusal){.status = status};
    if (haly_error_last(&error) != HALY_OK)
        return;
    for (const char *at = error.message; *at != '\0'; at++)
        if (strchr("0123456789abcdefx", *at) == NULL)
            refusal->message[used++] = *at;
}

static void collect_refusals(const char *layers, struct refusal *refusals)
{
    static struct layer_fixture f, g;
    static struct sound s, other;
    open_sound(&s, &f, layers);
    open_sound(&other, &g, layers);
    char *freed = layer_memory(&f, 4096);
    OK(haly_context_sync(f.context, 20 * SECOND));
    OK(haly_free(f.context, freed));
    for (uint32_t i = 0; i < MISUSES; i++) {
        haly_error_clear();
        keep_refusal(&refusals[i], misuses[i].call(&s, &other, freed));
        OK(haly_context_sync(f.context, 20 * SECOND));
    }
    if (f.log.errors + g.log.errors != 0)
        fail_msg("%s", f.log.errors != 0 ? f.log.lines[0] : g.log.lines[0]);
    close_sound(&s);
    close_sound(&other);
}

static void what_the_core_refuses_it_refuses_the_same_with_the_layer(void **state)
{
    static struct refusal plain[MISUSES], layered[MISUSES];
    (void)state;
    collect_refusals("", plain);
    collect_refusals("validate", layered);
    for (uint32_t i = 0; i < MISUSES; i++) {
        if (plain[i].status != HALY_ERR_INVALID || layered[i].status != plain[i].status ||
            plain[i].message[0] == '\0' || strcmp(plain[i].message, layered[i].message) != 0)
            fail_msg("%s: %s \"%s\", with the layer %s \"%s\"", misuses[i].name, haly_status_name(plain[i].status),
                     plain[i].message, haly_status_name(layered[i].status), layered[i].message);
    }
}

/* ---- the tables themselves ---- */

static bool is_covered(const char *name)
{
    /* Those that take no handle, and the communicators', of which none can exist. */
    static const char *const others[] = {
        "haly_capability_name",   "haly_comm_release",         "haly_comm_retain",
        "haly_dtype_block_bytes", "haly_dtype_block_elements", "haly_dtype_name",
        "haly_error_clear",       "haly_error_last",           "haly_error_print",
        "haly_instance_create",   "haly_memory_info_get",      "haly_numerics_get",
        "haly_object_id",         "haly_operator_count",       "haly_operator_get",
        "haly_shutdown",          "haly_status_name",          "haly_version",
        "haly_version_text",
    };
    bool is_found = false;
    for (uint32_t i = 0; i < ROWS; i++)
        is_found = is_found || strcmp(rows[i].name, name) == 0;
    for (uint32_t i = 0; i < COUNTINGS; i++)
        is_found =
            is_found || strcmp(counting[i].retain_name, name) == 0 || strcmp(counting[i].release_name, name) == 0;
    for (uint32_t i = 0; i < sizeof others / sizeof *others; i++)
        is_found = is_found || strcmp(others[i], name) == 0;
    return is_found;
}

/* Before any other test: with no handle listed yet. */
static void every_exported_function_has_its_row(void **state)
{
    char line[256];
    uint32_t count = 0;
    (void)state;
    FILE *map = fopen(VERSION_SCRIPT, "re");
    assert_non_null(map);
    while (fgets(line, sizeof line, map) != NULL) {
        char *name = strstr(line, "haly_"), *end = name != NULL ? strchr(name, ';') : NULL;
        if (end == NULL)
            continue;
        *end = '\0';
        count++;
        if (!is_covered(name))
            fail_msg("%s is exported, and has no row in validate_rows.def", name);
    }
    fclose(map);
    assert_true(count > 90);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_exported_function_has_its_row),
        cmocka_unit_test(what_the_core_refuses_it_refuses_the_same_with_the_layer),
        cmocka_unit_test(every_function_refuses_what_is_no_handle),
        cmocka_unit_test(every_function_refuses_a_released_handle),
        cmocka_unit_test(every_function_refuses_children_of_a_released_context),
        cmocka_unit_test(the_latest_released_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
