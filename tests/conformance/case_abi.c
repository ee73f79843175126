/* SPDX-License-Identifier: Apache-2.0 */
/* struct_size: what happens to structs that are shorter or longer than this library's. */
#include <stdlib.h>

#include "cts.h"

/* One call that takes an input struct; the struct is given as bytes so that it can be of any size. */
struct input_call {
    const char *name;
    uint32_t size; /* of the 1.0 struct */
    haly_status (*call)(struct cts *t, const void *desc);
    void (*fill)(struct cts *t, void *desc); /* fields that must be set */
};

static haly_status call_instance(struct cts *t, const void *desc)
{
    haly_instance *instance = NULL;
    (void)t;
    const haly_status status = haly_instance_create(desc, &instance);
    haly_instance_release(instance);
    return status;
}

static haly_status call_context(struct cts *t, const void *desc)
{
    haly_context *context = NULL;
    const haly_status status = haly_context_open(t->instance, desc, &context);
    haly_context_release(context);
    return status;
}

static void fill_context(struct cts *t, void *desc)
{
    const haly_context_desc plain = cts_context_desc(t);
    const uint32_t size = *(uint32_t *)desc;
    memcpy(desc, &plain, sizeof plain < size ? sizeof plain : size);
    *(uint32_t *)desc = size;
}

static haly_status call_memory(struct cts *t, const void *desc)
{
    void *address = NULL;
    const haly_status status = haly_malloc(t->context, 64, desc, &address);
    return status == HALY_OK ? haly_free(t->context, address) : status;
}

static haly_status call_description(struct cts *t, const void *desc)
{
    void *address = NULL;
    CTS_OK(haly_malloc(t->context, 64, NULL, &address));
    const haly_status status = haly_memory_describe(t->context, address, desc);
    CTS_OK(haly_free(t->context, address));
    return status;
}

static haly_status call_stream(struct cts *t, const void *desc)
{
    haly_stream *stream = NULL;
    const haly_status status = haly_stream_create(t->context, desc, &stream);
    haly_stream_release(stream);
    return status;
}

static haly_status call_event(struct cts *t, const void *desc)
{
    haly_event *event = NULL;
    const haly_status status = haly_event_create(t->context, desc, &event);
    haly_event_release(event);
    return status;
}

static haly_status call_copy_2d(struct cts *t, const void *desc)
{
    return haly_copy_2d(t->stream, desc);
}

static const struct input_call input_calls[] = {
    {"haly_instance_desc", HALY_SIZE_THROUGH(haly_instance_desc, ext), call_instance, NULL},
    {"haly_context_desc", HALY_SIZE_THROUGH(haly_context_desc, ext), call_context, fill_context},
    {"haly_memory_desc", HALY_SIZE_THROUGH(haly_memory_desc, ext), call_memory, NULL},
    {"haly_memory_description", HALY_SIZE_THROUGH(haly_memory_description, shape), call_description, NULL},
    {"haly_stream_desc", HALY_SIZE_THROUGH(haly_stream_desc, ext), call_stream, NULL},
    {"haly_event_desc", HALY_SIZE_THROUGH(haly_event_desc, ext), call_event, NULL},
    {"haly_copy_2d_desc", HALY_SIZE_THROUGH(haly_copy_2d_desc, height), call_copy_2d, NULL}};

/* Calls with a struct of `size` bytes whose last byte is `last`. */
static haly_status call_sized(struct cts *t, const struct input_call *row, uint32_t size, uint8_t last)
{
    void *desc = cts_host(t, size);
    memcpy(desc, &size, sizeof size);
    if (row->fill != NULL)
        row->fill(t, desc);
    if (last != 0)
        ((uint8_t *)desc)[size - 1] = last;
    return row->call(t, desc);
}

#define EACH_INPUT(row_)                                                                                               \
    for (const struct input_call *row_ = input_calls; row_ < input_calls + sizeof input_calls / sizeof input_calls[0]; \
         row_++)

CTS_CASE(error, an_input_struct_of_this_version_is_accepted, "ABI-001")
{
    EACH_INPUT(row)
    {
        const haly_status status = call_sized(t, row, row->size, 0);
        CTS_CHECK(status == HALY_OK, "%s: %s: %s", row->name, haly_status_name(status), cts_last_error(t).message);
    }
}

/* Fields in which nothing, or not every bit, has a meaning yet. */
static const struct {
    const char *name;
    uint32_t offset;
    uint32_t value;
} unknown_fields[] = {{"haly_context_desc", offsetof(haly_context_desc, flags), 1U << 30},
                      {"haly_memory_desc", offsetof(haly_memory_desc, flags), 1U << 30},
                      {"haly_stream_desc", offsetof(haly_stream_desc, flags), 1},
                      {"haly_stream_desc", offsetof(haly_stream_desc, reserved), 8},
                      {"haly_event_desc", offsetof(haly_event_desc, flags), 1U << 30},
                      {"haly_copy_2d_desc", offsetof(haly_copy_2d_desc, reserved), 7}};

/* The row of input_calls whose struct is named so, with one field set to what means nothing. */
static haly_status call_with_field(struct cts *t, const char *name, uint32_t offset, uint32_t value)
{
    const struct input_call *row = input_calls;
    while (strcmp(row->name, name) != 0)
        row++;
    char *desc = cts_host(t, row->size);
    memcpy(desc, &row->size, sizeof row->size);
    if (row->fill != NULL)
        row->fill(t, desc);
    memcpy(desc + offset, &value, sizeof value);
    return row->call(t, desc);
}

CTS_CASE(error, unknown_flags_and_reserved_fields_are_unsupported, "ABI-008")
{
    t->failures_expected++;
    for (size_t i = 0; i < sizeof unknown_fields / sizeof unknown_fields[0]; i++) {
        const haly_status status =
            call_with_field(t, unknown_fields[i].name, unknown_fields[i].offset, unknown_fields[i].value);
        CTS_CHECK(status == HALY_ERR_UNSUPPORTED, "%s with %u at byte %u: %s", unknown_fields[i].name,
                  unknown_fields[i].value, unknown_fields[i].offset, haly_status_name(status));
        CTS_MESSAGE(unknown_fields[i].name);
    }
}

CTS_CASE_OP(error, unknown_flags_and_reserved_fields_of_operators_are_unsupported, "ABI-008")
{
    const haly_tensor x = haly_f32_1d(cts_device(t, 64), 16);
    haly_tensor odd = x;
    haly_op_desc desc = {HALY_OP_DESC_INIT, .name = "Neg", HALY_INPUTS(x), HALY_OUTPUTS(x)};
    CTS_OK(haly_op_run(t->stream, &desc));
    desc.flags = 1U << 30;
    CTS_STATUS(HALY_ERR_UNSUPPORTED, haly_op_run(t->stream, &desc));
    desc.flags = 0;
    desc.reserved = 1;
    CTS_STATUS(HALY_ERR_UNSUPPORTED, haly_op_run(t->stream, &desc));
    odd.reserved = 1;
    desc = (haly_op_desc){HALY_OP_DESC_INIT, .name = "Neg", HALY_INPUTS(odd), HALY_OUTPUTS(x)};
    CTS_STATUS(HALY_ERR_UNSUPPORTED, haly_op_run(t->stream, &desc));
}

CTS_CASE(error, an_input_struct_shorter_than_1_0_is_invalid, "ABI-001")
{
    t->failures_expected++;
    EACH_INPUT(row)
    {
        const uint32_t sizes[3] = {4, row->size - 4, row->size - 1};
        for (unsigned i = 0; i < 3; i++) {
            const haly_status status = call_sized(t, row, sizes[i], 0);
            CTS_CHECK(status == HALY_ERR_INVALID, "%s with %u bytes: %s", row->name, sizes[i],
                      haly_status_name(status));
            CTS_MESSAGE("struct_size");
        }
    }
}

CTS_CASE(error, a_struct_size_of_zero_is_invalid, "ABI-001")
{
    t->failures_expected++;
    EACH_INPUT(row)
    {
        uint32_t *desc = cts_host(t, row->size);
        const haly_status status = row->call(t, desc);
        CTS_CHECK(status == HALY_ERR_INVALID, "%s: %s", row->name, haly_status_name(status));
    }
}

CTS_CASE(error, a_longer_input_struct_is_accepted_when_its_tail_is_zero, "ABI-001")
{
    EACH_INPUT(row)
    {
        for (uint32_t more = 8; more < 5000; more *= 12) {
            const haly_status status = call_sized(t, row, row->size + more, 0);
            CTS_CHECK(status == HALY_OK, "%s with %u more bytes: %s", row->name, more, haly_status_name(status));
        }
    }
}

CTS_CASE(error, a_longer_input_struct_with_a_set_tail_is_unsupported, "ABI-001")
{
    t->failures_expected++;
    EACH_INPUT(row)
    {
        for (uint32_t more = 8; more < 5000; more *= 12) {
            const haly_status status = call_sized(t, row, row->size + more, 1);
            CTS_CHECK(status == HALY_ERR_UNSUPPORTED, "%s with %u more bytes: %s", row->name, more,
                      haly_status_name(status));
        }
    }
}

/* One call that fills in an output struct. */
struct output_call {
    const char *name;
    uint32_t size;
    haly_status (*call)(struct cts *t, void *out);
};

static haly_status get_spec(struct cts *t, void *out)
{
    return haly_device_spec_get(t->device, out);
}
static haly_status get_sample(struct cts *t, void *out)
{
    return haly_device_sample_get(t->device, out);
}
static haly_status get_backend(struct cts *t, void *out)
{
    return haly_backend_info_get(t->instance, 0, out);
}
static haly_status get_param(struct cts *t, void *out)
{
    return haly_param_info_get(t->instance, 0, out);
}
static haly_status get_context(struct cts *t, void *out)
{
    return haly_context_info_get(t->context, out);
}
static haly_status get_memory(struct cts *t, void *out)
{
    return haly_memory_info_get(t, out);
}
static haly_status get_stats(struct cts *t, void *out)
{
    return haly_memory_stats_get(t->context, out);
}
static haly_status get_operator(struct cts *t, void *out)
{
    (void)t;
    return haly_operator_get(0, out);
}
static haly_status get_numerics(struct cts *t, void *out)
{
    (void)t;
    return haly_numerics_get("", "Add", HALY_F32, out);
}

static const struct output_call output_calls[] = {
    {"haly_device_spec", HALY_SIZE_THROUGH(haly_device_spec, reserved), get_spec},
    {"haly_device_sample", HALY_SIZE_THROUGH(haly_device_sample, time_ns), get_sample},
    {"haly_backend_info", HALY_SIZE_THROUGH(haly_backend_info, reserved), get_backend},
    {"haly_param_info", HALY_SIZE_THROUGH(haly_param_info, source), get_param},
    {"haly_context_info", HALY_SIZE_THROUGH(haly_context_info, window_bytes), get_context},
    {"haly_memory_info", HALY_SIZE_THROUGH(haly_memory_info, name), get_memory},
    {"haly_memory_stats", HALY_SIZE_THROUGH(haly_memory_stats, pinned_bytes), get_stats},
    {"haly_operator_info", HALY_SIZE_THROUGH(haly_operator_info, meaning), get_operator},
    {"haly_numerics", HALY_SIZE_THROUGH(haly_numerics, note), get_numerics}};

#define EACH_OUTPUT(row_)                                                                                              \
    for (const struct output_call *row_ = output_calls;                                                                \
         row_ < output_calls + sizeof output_calls / sizeof output_calls[0]; row_++)

/* Fills the struct in a buffer of 0xC3 with `declared` as its size; returns the buffer. */
static uint8_t *call_output(struct cts *t, const struct output_call *row, uint32_t declared, haly_status *out_status)
{
    uint8_t *out = cts_host(t, 8192);
    memset(out, 0xC3, 8192);
    memcpy(out, &declared, sizeof declared);
    *out_status = row->call(t, out);
    return out;
}

CTS_CASE(error, nothing_is_written_past_an_output_struct, "ABI-002")
{
    EACH_OUTPUT(row)
    {
        haly_status status = HALY_OK;
        const uint8_t *out = call_output(t, row, row->size, &status);
        CTS_CHECK(status == HALY_OK, "%s: %s", row->name, haly_status_name(status));
        CTS_EQUAL(row->size, *(const uint32_t *)(const void *)out);
        for (uint32_t i = row->size; i < 8192; i++)
            CTS_CHECK(out[i] == 0xC3, "%s: byte %u, behind its %u, was written", row->name, i, row->size);
    }
}

CTS_CASE(error, a_longer_output_struct_keeps_its_size_and_its_unknown_tail, "ABI-002")
{
    EACH_OUTPUT(row)
    {
        haly_status status = HALY_OK;
        const uint32_t declared = row->size + 512;
        const uint8_t *out = call_output(t, row, declared, &status);
        CTS_CHECK(status == HALY_OK, "%s: %s", row->name, haly_status_name(status));
        CTS_EQUAL(declared, *(const uint32_t *)(const void *)out);
        for (uint32_t i = declared; i < 8192; i++)
            CTS_CHECK(out[i] == 0xC3, "%s: byte %u, behind its %u, was written", row->name, i, declared);
    }
}

CTS_CASE(error, an_output_struct_shorter_than_1_0_is_invalid_and_untouched, "ABI-002 ABI-001 ABI-005")
{
    t->failures_expected++;
    EACH_OUTPUT(row)
    {
        const uint32_t sizes[3] = {0, 4, row->size - 4};
        for (unsigned i = 0; i < 3; i++) {
            haly_status status = HALY_OK;
            const uint8_t *out = call_output(t, row, sizes[i], &status);
            CTS_CHECK(status == HALY_ERR_INVALID, "%s with %u bytes: %s", row->name, sizes[i],
                      haly_status_name(status));
            for (uint32_t at = 4; at < 8192; at++)
                CTS_CHECK(out[at] == 0xC3, "%s: byte %u was written", row->name, at);
        }
    }
}

CTS_CASE(error, arrays_are_walked_by_the_size_of_one_element, "ABI-003")
{
    struct wide_param {
        haly_param param;
        uint64_t newer_field;
    } params[2] = {{{"log", "off"}, 0}, {{"mem_limit", "32MiB"}, 0}};
    haly_instance *instance = NULL;
    haly_instance_desc desc = {HALY_INSTANCE_DESC_INIT, .params = &params[0].param, .param_count = 2,
                               .param_size = sizeof params[0]};
    CTS_OK(haly_instance_create(&desc, &instance));
    uint32_t count = 0;
    int seen = 0;
    CTS_OK(haly_param_count(instance, &count));
    for (uint32_t i = 0; i < count; i++) {
        haly_param_info info = {HALY_PARAM_INFO_INIT};
        CTS_OK(haly_param_info_get(instance, i, &info));
        seen += strcmp(info.name, "mem_limit") == 0 && strcmp(info.source, "program") == 0;
    }
    CTS_EQUAL(1, seen);
    haly_instance_release(instance);
    desc.param_size = 4;
    instance = NULL;
    CTS_INVALID(haly_instance_create(&desc, &instance));
    desc.param_size = 0;
    CTS_INVALID(haly_instance_create(&desc, &instance));
    CTS_TRUE(instance == NULL);
}
