/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backend in front of another: each entry that can fail fails when the sweep says so, and else is the other's. Built
 * once for each backend that stands behind one, FAULTY_NAME, under its name. Commands that were taken fail through
 * core->stream_failed(), as a device's would.
 */
#define _GNU_SOURCE
#include <halyard/backend.h>

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "inject.h"
#include "interpose.h"

#define STRING(text_) STRING_OF(text_)
#define STRING_OF(text_) #text_
#define JOIN(a_, b_) JOIN_OF(a_, b_)
#define JOIN_OF(a_, b_) a_##b_
#define ENTRY JOIN(halyard_backend_, FAULTY_NAME)

/* What a failure carries, so that the sweep sees it arrive. */
#define NATIVE_CODE 4711
#define NATIVE_TEXT "planted"

static const haly_core_table *core;
static haly_backend_table real, table;

static haly_status fail(const struct fault *fault, const char *entry)
{
    return core->fail((haly_status)fault->code, fault->scope, fault->recovery, NATIVE_CODE, NATIVE_TEXT,
                      "a failure was planted in %s", entry);
}

#define TRY_ENTRY(name_)                                                                                               \
    do {                                                                                                               \
        const struct fault *fault_ = inject_entry(GROUP_ENTRY, #name_);                                                \
        if (fault_ != NULL)                                                                                            \
            return fail(fault_, #name_);                                                                               \
    } while (0)

/* ROW(name, parameters, arguments): all that are nothing but passed on. */
#define ENTRIES(ROW)                                                                                                   \
    ROW(probe, (haly_backend_probe * probe), (probe))                                                                  \
    ROW(device_count, (uint32_t * count), (count))                                                                     \
    ROW(device_open, (uint32_t index, void *device, haly_device_spec *spec), (index, device, spec))                    \
    ROW(device_sample, (void *device, haly_device_sample *sample), (device, sample))                                   \
    ROW(context_open, (void *device, void *context, const haly_backend_context_desc *desc), (device, context, desc))   \
    ROW(segment_alloc, (void *context, void *segment, const haly_segment_desc *desc, void **address),                  \
        (context, segment, desc, address))                                                                             \
    ROW(host_alloc, (void *context, uint64_t size, void **address), (context, size, address))                          \
    ROW(host_register, (void *context, void *address, uint64_t size), (context, address, size))                        \
    ROW(stream_query, (void *stream, uint64_t *completed), (stream, completed))                                        \
    ROW(stream_wait, (void *stream, uint64_t sequence, uint64_t deadline), (stream, sequence, deadline))               \
    ROW(event_create, (void *context, void *event, uint32_t flags), (context, event, flags))                           \
    ROW(event_query, (void *event), (event))                                                                           \
    ROW(event_wait, (void *event, uint64_t deadline), (event, deadline))                                               \
    ROW(event_elapsed, (void *start, void *end, int64_t *nanoseconds), (start, end, nanoseconds))                      \
    ROW(module_load, (void *context, void *module, const haly_backend_image *image), (context, module, image))         \
    ROW(kernel_get, (void *module, void *kernel, const char *name, haly_kernel_info *info),                            \
        (module, kernel, name, info))                                                                                  \
    ROW(plan_create, (void *context, void *plan, const haly_op_desc *desc, haly_backend_plan *out),                    \
        (context, plan, desc, out))                                                                                    \
    ROW(image_rank, (void *context, const haly_backend_image *image, uint32_t *rank), (context, image, rank))          \
    ROW(native_get, (haly_object_kind kind, void *block, haly_native *native), (kind, block, native))

#define DEFINE(name_, parameters_, arguments_)                                                                         \
    static haly_status name_ parameters_                                                                               \
    {                                                                                                                  \
        TRY_ENTRY(name_);                                                                                              \
        return real.name_ arguments_;                                                                                  \
    }
ENTRIES(DEFINE)

/* The core's token for a stream stands behind the real backend's private block. */
static void **token_of(void *stream)
{
    return (void **)(void *)((char *)stream + (real.stream_size + 15U) / 16U * 16U);
}

static haly_status stream_create(void *context, void *stream, const haly_stream_desc *desc, void *token)
{
    TRY_ENTRY(stream_create);
    *token_of(stream) = token;
    return real.stream_create(context, stream, desc, token);
}

static haly_status stream_wrap(void *context, void *stream, const haly_native *native, void *token)
{
    TRY_ENTRY(stream_wrap);
    *token_of(stream) = token;
    return real.stream_wrap(context, stream, native, token);
}

/* Commands of a submit that was taken, each counted. */
static void fail_commands(void *stream, uint64_t first_sequence, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        const struct fault *fault = inject_entry(GROUP_COMMAND, "command");
        if (fault != NULL)
            core->stream_failed(*token_of(stream), first_sequence + i, (haly_status)fault->code, fault->scope,
                                fault->recovery, NATIVE_CODE, "a failure was planted in a command");
    }
}

static haly_status submit(void *stream, const void *records, uint64_t bytes, uint64_t first_sequence,
                          uint64_t *out_accepted)
{
    TRY_ENTRY(submit);
    const haly_status status = real.submit(stream, records, bytes, first_sequence, out_accepted);
    fail_commands(stream, first_sequence, *out_accepted);
    return status;
}

static void complete_table(void)
{
    table = real;
    table.stream_size = (real.stream_size + 15U) / 16U * 16U + (uint32_t)sizeof(void *);
#define SET(name_, parameters_, arguments_)                                                                            \
    if (real.name_ != NULL)                                                                                            \
        table.name_ = name_;
    ENTRIES(SET)
    SET(stream_create, , )
    SET(stream_wrap, , )
    SET(submit, , )
#undef SET
}

HALY_BACKEND_EXPORT haly_status ENTRY(const haly_core_table *core_table, const haly_backend_table **out_table);

haly_status ENTRY(const haly_core_table *core_table, const haly_backend_table **out_table)
{
    const haly_backend_table *found = NULL;
    haly_backend_entry entry = NULL;
    core = core_table;
    void *handle = dlopen(FAULTY_REAL, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    void *symbol = handle != NULL ? dlsym(handle, "halyard_backend_" STRING(FAULTY_NAME)) : NULL;
    if (symbol == NULL)
        return core->fail(HALY_ERR_UNAVAILABLE, HALY_SCOPE_CALL, HALY_RECOVER_NONE, 0, dlerror(), "cannot open %s",
                          FAULTY_REAL);
    interpose_loaded();
    memcpy(&entry, &symbol, sizeof entry);
    const haly_status status = entry(core_table, &found);
    if (status != HALY_OK)
        return status;
    memcpy(&real, found, found->struct_size < sizeof real ? found->struct_size : sizeof real);
    complete_table();
    *out_table = &table;
    return HALY_OK;
}
