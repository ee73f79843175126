/* SPDX-License-Identifier: Apache-2.0 */
/* A context with two streams on the manual backend, and what tests on it share. */
#ifndef TESTS_UNIT_MANUAL_FIXTURE_H
#define TESTS_UNIT_MANUAL_FIXTURE_H

#include <halyard/halyard.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fakes/manual_backend.h"

#define CAPS_ALL "653"     /* native addresses, pageable copies, host calls, timing, deterministic */
#define CAPS_NO_HELP "641" /* without pageable copies and host calls: the core stages and defers */
#define CAPS_BARE "640"    /* nor native addresses: translated, staged and deferred */
#define MILLISECOND 1000000U
#define SECOND 1000000000U

struct fixture {
    haly_instance *instance;
    haly_context *context;
    haly_stream *stream, *other;
    struct manual_control *control, *other_control;
};

/* For fixtures: shows why. */
static inline void assert_ok(haly_status status)
{
    if (status != HALY_OK)
        haly_error_print(stderr);
    assert_int_equal(status, HALY_OK);
}

static inline struct manual_device *device_of(haly_context *context)
{
    haly_native native = {HALY_NATIVE_INIT};
    assert_ok(haly_native_get(context, &native));
    return native.handle;
}

/* A new stream; its native handle stays with the library, since a stream that gave it out is treated otherwise. */
static inline haly_stream *create_stream(haly_context *context, struct manual_control **out_control)
{
    haly_stream *stream = NULL;
    assert_ok(haly_stream_create(context, NULL, &stream));
    *out_control = device_of(context)->latest;
    return stream;
}

static inline haly_instance *open_instance_with(const char *caps, const char *devices)
{
    const haly_param params[] = {{"backend", "manual"},
                                 {"backend_path", MANUAL_BACKEND_DIR},
                                 {"manual.caps", caps},
                                 {"manual.devices", devices}};
    const haly_instance_desc desc = {HALY_INSTANCE_DESC_INIT, .params = params, .param_count = 4,
                                     .param_size = sizeof *params};
    haly_instance *instance = NULL;
    assert_ok(haly_instance_create(&desc, &instance));
    return instance;
}

static inline haly_instance *open_instance(const char *caps)
{
    return open_instance_with(caps, "1");
}

static inline void open_fixture(struct fixture *f, const char *caps)
{
    memset(f, 0, sizeof *f);
    f->instance = open_instance(caps);
    assert_ok(haly_context_open(f->instance, NULL, &f->context));
    f->stream = create_stream(f->context, &f->control);
    f->other = create_stream(f->context, &f->other_control);
}

static inline void close_fixture(struct fixture *f)
{
    haly_context_release(f->context);
    haly_instance_release(f->instance);
}

static inline void *device_memory(struct fixture *f, uint64_t size)
{
    void *address = NULL;
    assert_ok(haly_malloc(f->context, size, NULL, &address));
    return address;
}

static inline haly_error last_error(void)
{
    haly_error error = {HALY_ERROR_INIT};
    assert_int_equal(haly_error_last(&error), HALY_OK);
    return error;
}

static inline haly_status count_call(void *user, haly_status status)
{
    (void)status;
    atomic_fetch_add((_Atomic uint32_t *)user, 1);
    return HALY_OK;
}

#endif
