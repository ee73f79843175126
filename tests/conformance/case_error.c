/* SPDX-License-Identifier: Apache-2.0 */
/* Error detail, status names, versions, and handles that are wrong. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "cts.h"

CTS_CASE_HOST(error, success_leaves_the_last_detail_in_place, "ERR-001 ERR-002")
{
    haly_error before = {HALY_ERROR_INIT}, after = {HALY_ERROR_INIT};
    uint32_t count = 0;
    CTS_INVALID(haly_device_get(t->instance, UINT32_MAX, &t->device));
    CTS_OK(haly_error_last(&before));
    CTS_OK(haly_backend_count(t->instance, &count));
    CTS_OK(haly_param_count(t->instance, &count));
    CTS_OK(haly_error_last(&after));
    CTS_EQUAL(0, memcmp(&before, &after, sizeof before));
    CTS_EQUAL(HALY_ERR_INVALID, after.status);
}

CTS_CASE_HOST(error, the_detail_says_what_where_and_how_far, "ERR-001 ERR-002")
{
    uint32_t count = 0;
    CTS_INVALID(haly_param_info_get(t->instance, 100000, &(haly_param_info){HALY_PARAM_INFO_INIT}));
    (void)count;
    const haly_error error = cts_last_error(t);
    CTS_EQUAL(HALY_ERR_INVALID, error.status);
    CTS_EQUAL(HALY_SCOPE_CALL, error.scope);
    CTS_EQUAL(HALY_RECOVER_NONE, error.recovery);
    CTS_TRUE(error.function[0] != '\0' && error.message[0] != '\0');
    CTS_EQUAL(0, error.stream_id | error.first_sequence | error.last_sequence);
    CTS_MESSAGE("100000");
}

/* Whatever helper of the library decides it, the detail names what the program called. */
#define NAMES(call_, function_)                                                                                        \
    do {                                                                                                               \
        CTS_CHECK((call_) != HALY_OK, "%s did not fail", #call_);                                                      \
        t->failures_expected++;                                                                                        \
        CTS_CHECK(strcmp(cts_last_error(t).function, function_) == 0, "%s: the detail names \"%s\"", #call_,           \
                  cts_last_error(t).function);                                                                         \
    } while (0)

CTS_CASE(error, the_detail_names_the_function_that_was_called, "ERR-002")
{
    const haly_memory_desc odd = {HALY_MEMORY_DESC_INIT, .alignment = 3};
    const haly_context_desc flagged = {HALY_CONTEXT_DESC_INIT, .flags = 1U << 30};
    haly_device *device = NULL;
    haly_context *context = NULL;
    haly_stream *stream = NULL;
    haly_module *module = NULL;
    haly_plan *plan = NULL;
    void *address = cts_device(t, 64);
    NAMES(haly_device_find(t->instance, "colour=red", &device), "haly_device_find");
    NAMES(haly_device_find(t->instance, "nobody:0", &device), "haly_device_find");
    NAMES(haly_device_spec_get(t->device, &(haly_device_spec){0}), "haly_device_spec_get");
    NAMES(haly_context_open(t->instance, &flagged, &context), "haly_context_open");
    NAMES(haly_stream_create(t->context, NULL, NULL), "haly_stream_create");
    NAMES(haly_stream_create((haly_context *)(void *)t->stream, NULL, &stream), "haly_stream_create");
    NAMES(haly_malloc(t->context, 64, &odd, &address), "haly_malloc");
    NAMES(haly_free(t->context, (char *)address + 1), "haly_free");
    NAMES(haly_copy(t->stream, address, (char *)address + 32, UINT64_C(1) << 40), "haly_copy");
    NAMES(haly_copy(t->stream, NULL, address, 4), "haly_copy");
    NAMES(haly_host_free(t->context, address), "haly_host_free");
    NAMES(haly_module_load_file(t->context, "/nothing/there", &module), "haly_module_load_file");
    NAMES(haly_plan_create(t->context, &(haly_op_desc){HALY_OP_DESC_INIT, .name = "Nothing"}, &plan),
          "haly_plan_create");
    NAMES(haly_op_run(t->stream, &(haly_op_desc){HALY_OP_DESC_INIT, .name = "Nothing"}), "haly_op_run");
    NAMES(haly_object_name_set(t->device, "mine"), "haly_object_name_set");
}

/* The same where the failure comes from deeper, behind clean-up of the function's own. */
CTS_CASE(error, the_detail_names_the_function_that_cleaned_up, "ERR-002")
{
    const haly_event_desc named = {HALY_EVENT_DESC_INIT, .name = "taken"};
    haly_event *event = NULL, *second = NULL;
    haly_graph *graph = NULL;
    int64_t nanoseconds = 0;
    void *outside = cts_device(t, 64);
    CTS_OK(haly_event_create(t->context, &named, &event));
    NAMES(haly_event_create(t->context, &named, &second), "haly_event_create");
    NAMES(haly_event_elapsed(event, event, &nanoseconds), "haly_event_elapsed");
    haly_event_release(event);
    CTS_OK(haly_stream_capture_begin(t->stream));
    NAMES(haly_free_async(t->stream, outside), "haly_free_async");
    CTS_OK(haly_stream_capture_end(t->stream, &graph));
    haly_graph_release(graph);
}

CTS_CASE(error, a_failed_stream_names_who_asked_for_it, "ERR-002 STR-004")
{
    CTS_OK(cts_break(t, t->stream, (haly_status)77));
    t->is_broken = 1;
    NAMES(haly_stream_sync(t->stream, CTS_PATIENCE), "haly_stream_sync");
    NAMES(haly_stream_query(t->stream), "haly_stream_query");
}

static void *look_from_another_thread(void *user)
{
    haly_error error = {HALY_ERROR_INIT};
    (void)user;
    return (void *)(uintptr_t)haly_error_last(&error);
}

CTS_CASE_HOST(error, each_thread_has_its_own_detail, "ERR-001 ERR-002")
{
    pthread_t thread;
    void *seen = NULL;
    CTS_INVALID(haly_device_get(t->instance, UINT32_MAX, &t->device));
    CTS_EQUAL(0, pthread_create(&thread, NULL, look_from_another_thread, NULL));
    (void)pthread_join(thread, &seen);
    CTS_EQUAL(HALY_ERR_NOT_FOUND, (uintptr_t)seen);
}

CTS_CASE_HOST(error, a_cleared_detail_is_gone, "ERR-002")
{
    haly_error error = {HALY_ERROR_INIT};
    CTS_INVALID(haly_device_get(t->instance, UINT32_MAX, &t->device));
    haly_error_clear();
    CTS_EQUAL(HALY_ERR_NOT_FOUND, haly_error_last(&error));
    haly_error_clear();
    CTS_EQUAL(HALY_ERR_NOT_FOUND, haly_error_last(&error));
}

CTS_CASE_HOST(error, asking_wrongly_for_the_detail_does_not_replace_it, "ERR-002 ABI-001")
{
    haly_error error = {HALY_ERROR_INIT};
    CTS_INVALID(haly_device_get(t->instance, UINT32_MAX, &t->device));
    const haly_error before = cts_last_error(t);
    error.struct_size = 8;
    CTS_EQUAL(HALY_ERR_INVALID, haly_error_last(&error));
    CTS_EQUAL(HALY_ERR_INVALID, haly_error_last(NULL));
    const haly_error after = cts_last_error(t);
    CTS_EQUAL(0, memcmp(&before, &after, sizeof before));
}

CTS_CASE_HOST(error, print_writes_one_line_or_nothing, "ERR-001")
{
    char text[2048] = "";
    size_t size = 0;
    char *buffer = NULL;
    FILE *file = open_memstream(&buffer, &size);
    CTS_TRUE(file != NULL);
    haly_error_clear();
    haly_error_print(file);
    (void)fflush(file);
    CTS_EQUAL(0, size);
    CTS_INVALID(haly_device_get(t->instance, UINT32_MAX, &t->device));
    haly_error_print(file);
    (void)fclose(file);
    (void)snprintf(text, sizeof text, "%s", buffer);
    free(buffer);
    CTS_TRUE(strncmp(text, "halyard: haly_device_get: ", 26) == 0);
    CTS_TRUE(strstr(text, "HALY_ERR_INVALID") != NULL && strstr(text, cts_last_error(t).message) != NULL);
    CTS_TRUE(strchr(text, '\n') == text + strlen(text) - 1);
}

CTS_CASE_WITH(error, every_status_has_its_name, "ERR-001 ABI-004", 0, CTS_NO_INSTANCE)
{
    static const struct {
        haly_status status;
        const char *name;
    } rows[] = {{HALY_OK, "HALY_OK"},
                {HALY_NOT_READY, "HALY_NOT_READY"},
                {HALY_TIMEOUT, "HALY_TIMEOUT"},
                {HALY_ERR_INVALID, "HALY_ERR_INVALID"},
                {HALY_ERR_DEVICE_OOM, "HALY_ERR_DEVICE_OOM"},
                {HALY_ERR_HOST_CALL, "HALY_ERR_HOST_CALL"},
                {HALY_ERR_INTERNAL, "HALY_ERR_INTERNAL"},
                {(haly_status)3, "HALY_STATUS_UNKNOWN"},
                {(haly_status)9999, "HALY_STATUS_UNKNOWN"}};
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CTS_CHECK(strcmp(haly_status_name(rows[i].status), rows[i].name) == 0, "%d is called %s", (int)rows[i].status,
                  haly_status_name(rows[i].status));
    for (int status = HALY_ERR_INVALID; status <= HALY_ERR_INTERNAL; status++)
        CTS_TRUE(strncmp(haly_status_name((haly_status)status), "HALY_ERR_", 9) == 0);
}

CTS_CASE_WITH(error, version_and_text_agree, "ABI-004", 0, CTS_NO_INSTANCE)
{
    char text[64];
    const uint32_t version = haly_version();
    (void)snprintf(text, sizeof text, "%u.%u.%u", version / 1000000, version / 1000 % 1000, version % 1000);
    CTS_TRUE(strcmp(text, haly_version_text()) == 0);
    CTS_EQUAL(HALY_VERSION_MAJOR, version / 1000000);
    CTS_TRUE(version >= HALY_VERSION_MAJOR * 1000000 + HALY_VERSION_MINOR * 1000);
}

CTS_CASE_WITH(error, enums_are_32_bits_wide_and_types_have_their_sizes, "ABI-004", 0, CTS_NO_INSTANCE)
{
    static const struct {
        haly_dtype dtype;
        uint32_t elements, bytes;
        const char *name;
    } rows[] = {{HALY_F32, 1, 4, "f32"},     {HALY_F16, 1, 2, "f16"},    {HALY_BF16, 1, 2, "bf16"},
                {HALY_F64, 1, 8, "f64"},     {HALY_I8, 1, 1, "i8"},      {HALY_I64, 1, 8, "i64"},
                {HALY_U16, 1, 2, "u16"},     {HALY_BOOL, 1, 1, "bool"},  {HALY_Q4_0, 32, 18, "q4_0"},
                {HALY_Q4_1, 32, 20, "q4_1"}, {HALY_Q8_0, 32, 34, "q8_0"}};
    CTS_EQUAL(4, sizeof(haly_status));
    CTS_EQUAL(4, sizeof(haly_dtype));
    CTS_EQUAL(4, sizeof(haly_memory_class));
    CTS_EQUAL(4, sizeof(haly_device_kind));
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CTS_EQUAL(rows[i].elements, haly_dtype_block_elements(rows[i].dtype));
        CTS_EQUAL(rows[i].bytes, haly_dtype_block_bytes(rows[i].dtype));
        CTS_TRUE(strcmp(rows[i].name, haly_dtype_name(rows[i].dtype)) == 0);
    }
    CTS_EQUAL(0, haly_dtype_block_bytes((haly_dtype)77));
    CTS_EQUAL(0, haly_dtype_block_elements((haly_dtype)77));
    CTS_TRUE(strcmp(haly_dtype_name((haly_dtype)77), "unknown") == 0);
}

/* Every function that takes a stream, with something that is none. */
static void refuse_stream(struct cts *t, haly_stream *bad, haly_event *event)
{
    char bytes[32] = {0};
    void *address = NULL;
    haly_graph *graph = NULL;
    const haly_op_desc op = {HALY_OP_DESC_INIT, .name = "Add"};
    const haly_copy_2d_desc copy = {HALY_COPY_2D_DESC_INIT, .dst = bytes, .dst_pitch = 4, .src = bytes + 16,
                                    .src_pitch = 4,         .width = 4,   .height = 1};
    CTS_INVALID(haly_copy(bad, bytes, bytes + 16, 8));
    CTS_INVALID(haly_copy_2d(bad, &copy));
    CTS_INVALID(haly_fill(bad, bytes, bytes, 1, 8));
    CTS_INVALID(cts_note(t, bad, cts_recorder_new(t), 1));
    CTS_INVALID(haly_stream_set_label(bad, "x"));
    CTS_INVALID(haly_stream_sync(bad, 0));
    CTS_INVALID(haly_stream_query(bad));
    CTS_INVALID(haly_stream_wait(bad, event));
    CTS_INVALID(haly_event_record(event, bad));
    CTS_INVALID(haly_malloc_async(bad, 64, NULL, &address));
    CTS_INVALID(haly_free_async(bad, bytes));
    CTS_INVALID(haly_memory_used_on(bad, bytes));
    CTS_INVALID(haly_op_run(bad, &op));
    CTS_INVALID(haly_stream_capture_begin(bad));
    CTS_INVALID(haly_stream_capture_end(bad, &graph));
    CTS_TRUE(address == NULL && graph == NULL);
}

static void refuse_context(struct cts *t, haly_context *bad)
{
    void *out = NULL;
    char byte = 0;
    const haly_op_desc op = {HALY_OP_DESC_INIT, .name = "Add"};
    const haly_module_desc module = {HALY_MODULE_DESC_INIT, .format = HALY_MODULE_OPERATORS};
    const haly_memory_description description = {HALY_MEMORY_DESCRIPTION_INIT};
    CTS_INVALID(haly_stream_create(bad, NULL, (haly_stream **)&out));
    CTS_INVALID(haly_event_create(bad, NULL, (haly_event **)&out));
    CTS_INVALID(haly_malloc(bad, 64, NULL, &out));
    CTS_INVALID(haly_free(bad, &byte));
    CTS_INVALID(haly_host_alloc(bad, 64, &out));
    CTS_INVALID(haly_host_free(bad, &byte));
    CTS_INVALID(haly_host_register(bad, &byte, 1));
    CTS_INVALID(haly_host_unregister(bad, &byte));
    CTS_INVALID(haly_memory_describe(bad, &byte, &description));
    CTS_INVALID(haly_memory_stats_get(bad, &(haly_memory_stats){HALY_MEMORY_STATS_INIT}));
    CTS_INVALID(haly_memory_trim(bad, 0));
    CTS_INVALID(haly_context_sync(bad, 0));
    CTS_INVALID(haly_context_abandon(bad));
    CTS_INVALID(haly_context_info_get(bad, &(haly_context_info){HALY_CONTEXT_INFO_INIT}));
    CTS_INVALID(haly_context_find(bad, HALY_OBJECT_STREAM, "x", 0, &out));
    CTS_INVALID(haly_module_load(bad, &module, (haly_module **)&out));
    CTS_INVALID(haly_module_load_file(bad, "/dev/null", (haly_module **)&out));
    CTS_INVALID(haly_plan_create(bad, &op, (haly_plan **)&out));
    CTS_INVALID(haly_op_supported(bad, &op, NULL));
    CTS_TRUE(out == NULL);
}

static void refuse_others(struct cts *t, void *bad)
{
    void *out = NULL;
    uint32_t count = 77;
    CTS_INVALID(haly_event_sync(bad, 0));
    CTS_INVALID(haly_event_query(bad));
    CTS_INVALID(haly_event_record(bad, t->stream));
    CTS_INVALID(haly_stream_wait(t->stream, bad));
    CTS_INVALID(haly_kernel_get(bad, "x", (haly_kernel **)&out));
    CTS_INVALID(haly_kernel_info_get(bad, &(haly_kernel_info){HALY_KERNEL_INFO_INIT}));
    CTS_INVALID(haly_launch(t->stream, bad, &(haly_launch_desc){HALY_LAUNCH_DESC_INIT, .grid = {1}}));
    CTS_INVALID(haly_launch_1d(t->stream, bad, 1, 0, NULL, 0, 0));
    CTS_INVALID(haly_plan_info_get(bad, &(haly_plan_info){HALY_PLAN_INFO_INIT}));
    CTS_INVALID(haly_plan_run(t->stream, bad, NULL, 0, NULL, 0));
    CTS_INVALID(haly_graph_instantiate(bad));
    CTS_INVALID(haly_graph_launch(t->stream, bad));
    CTS_INVALID(haly_graph_info_get(bad, &(haly_graph_info){HALY_GRAPH_INFO_INIT}));
    CTS_INVALID(haly_device_spec_get(bad, &(haly_device_spec){HALY_DEVICE_SPEC_INIT}));
    CTS_INVALID(haly_device_sample_get(bad, &(haly_device_sample){HALY_DEVICE_SAMPLE_INIT}));
    CTS_INVALID(haly_device_count(bad, &count));
    CTS_INVALID(haly_device_get(bad, 0, (haly_device **)&out));
    CTS_INVALID(haly_device_find(bad, NULL, (haly_device **)&out));
    CTS_INVALID(haly_backend_count(bad, &count));
    CTS_INVALID(haly_param_count(bad, &count));
    CTS_INVALID(haly_context_open(bad, NULL, (haly_context **)&out));
    CTS_TRUE(out == NULL && count == 77);
}

CTS_CASE(error, null_handles_are_invalid_everywhere, "ABI-005 STR-009 CTX-007 EVT-005")
{
    refuse_stream(t, NULL, cts_event(t));
    refuse_context(t, NULL);
    refuse_others(t, NULL);
    CTS_INVALID(haly_object_name_set(NULL, "x"));
    CTS_INVALID(haly_native_get(NULL, &(haly_native){HALY_NATIVE_INIT}));
}

CTS_CASE(error, handles_of_another_kind_are_invalid_everywhere, "ABI-005 STR-009 CTX-007")
{
    haly_event *event = cts_event(t);
    refuse_stream(t, (haly_stream *)event, event);
    refuse_stream(t, (haly_stream *)t->context, event);
    refuse_context(t, (haly_context *)t->stream);
    refuse_context(t, (haly_context *)t->instance);
    refuse_others(t, t->stream);
    refuse_others(t, t->context);
    cts_sync(t, t->stream);
}

CTS_CASE(error, a_missing_output_is_invalid, "ABI-005")
{
    uint32_t before = 0;
    CTS_OK(haly_backend_count(t->instance, &before));
    CTS_INVALID(haly_instance_create(NULL, NULL));
    CTS_INVALID(haly_backend_count(t->instance, NULL));
    CTS_INVALID(haly_param_count(t->instance, NULL));
    CTS_INVALID(haly_device_count(t->instance, NULL));
    CTS_INVALID(haly_device_get(t->instance, 0, NULL));
    CTS_INVALID(haly_device_find(t->instance, NULL, NULL));
    CTS_INVALID(haly_context_open(t->instance, NULL, NULL));
    CTS_INVALID(haly_context_find(t->context, HALY_OBJECT_STREAM, "x", 0, NULL));
    CTS_INVALID(haly_stream_create(t->context, NULL, NULL));
    CTS_INVALID(haly_event_create(t->context, NULL, NULL));
    CTS_INVALID(haly_malloc(t->context, 64, NULL, NULL));
    CTS_INVALID(haly_malloc_async(t->stream, 64, NULL, NULL));
    CTS_INVALID(haly_host_alloc(t->context, 64, NULL));
    CTS_INVALID(haly_memory_info_get(t, NULL));
    CTS_INVALID(haly_memory_stats_get(t->context, NULL));
    CTS_INVALID(haly_context_info_get(t->context, NULL));
    CTS_INVALID(haly_device_spec_get(t->device, NULL));
    CTS_INVALID(haly_device_sample_get(t->device, NULL));
    CTS_INVALID(haly_module_load_file(t->context, "/dev/null", NULL));
    CTS_INVALID(haly_plan_create(t->context, &(haly_op_desc){HALY_OP_DESC_INIT, .name = "Add"}, NULL));
    CTS_INVALID(haly_operator_get(0, NULL));
    CTS_INVALID(haly_numerics_get("", "Add", HALY_F32, NULL));
    CTS_INVALID(haly_stream_capture_end(t->stream, NULL));
}

static int use_old_handles(struct cts *t, void *user)
{
    void *address = NULL;
    haly_instance *fresh = NULL;
    (void)user;
    if (haly_malloc(t->context, 64, NULL, &address) != HALY_ERR_FORKED)
        return 1;
    if (haly_stream_sync(t->stream, 0) != HALY_ERR_FORKED || haly_stream_query(t->stream) != HALY_ERR_FORKED)
        return 2;
    if (haly_context_open(t->instance, NULL, (haly_context **)&address) != HALY_ERR_FORKED)
        return 3;
    haly_stream_release(t->stream); /* harmless: the objects are the parent's */
    haly_context_release(t->context);
    if (cts_try_instance(t, NULL, 0, &fresh) != HALY_OK)
        return 4;
    haly_instance_release(fresh);
    return 42;
}

CTS_CASE(error, handles_from_before_a_fork_are_of_no_use_in_the_child, "ABI-005 INST-001")
{
    const int result = cts_fork(t, use_old_handles, NULL);
    CTS_CHECK(result == 42, "the child ended with %d", result);
    cts_sync(t, t->stream);
}

static int use_new_context(struct cts *t, void *user)
{
    haly_instance *instance = NULL;
    haly_context *context = NULL;
    haly_stream *stream = NULL;
    void *address = NULL;
    const uint8_t byte = 0x5A;
    uint8_t bytes[100] = {0};
    (void)user;
    if (cts_try_instance(t, NULL, 0, &instance) != HALY_OK || haly_context_open(instance, NULL, &context) != HALY_OK)
        return 1;
    if (haly_stream_create(context, NULL, &stream) != HALY_OK || haly_malloc(context, 100, NULL, &address) != HALY_OK)
        return 2;
    if (haly_fill(stream, address, &byte, 1, 100) != HALY_OK || haly_copy(stream, bytes, address, 100) != HALY_OK ||
        haly_stream_sync(stream, CTS_PATIENCE) != HALY_OK)
        return 3;
    return bytes[0] == byte && bytes[99] == byte ? 42 : 4;
}

CTS_CASE(error, a_new_instance_in_a_forked_child_works, "INST-001")
{
    const int result = cts_fork(t, use_new_context, NULL);
    CTS_CHECK(result == 42, "the child ended with %d", result);
}

CTS_CASE(error, after_shutdown_everything_says_so, "INST-003")
{
    void *address = NULL;
    haly_instance *instance = NULL;
    haly_shutdown();
    haly_shutdown();
    t->is_broken = 1;
    CTS_STATUS(HALY_ERR_SHUTTING_DOWN, haly_malloc(t->context, 64, NULL, &address));
    CTS_STATUS(HALY_ERR_SHUTTING_DOWN, haly_stream_create(t->context, NULL, (haly_stream **)&address));
    CTS_STATUS(HALY_ERR_SHUTTING_DOWN, cts_try_instance(t, NULL, 0, &instance));
    CTS_TRUE(address == NULL && instance == NULL);
}
