/* SPDX-License-Identifier: Apache-2.0 */
/* `halyard doctor`, devices: each one has to bring back a right sum, in an ordinary and in a movable context. */
#include <string.h>

#include "tool.h"

enum { ELEMENTS = 4096 };

static void report_error(const char *subject, const char *what)
{
    haly_error error = {HALY_ERROR_INIT};
    if (haly_error_last(&error) != HALY_OK)
        snprintf(error.message, sizeof error.message, "no detail");
    report(VERDICT_FAIL, subject, "the message names what refused; HALYARD_LOG=debug shows the way to it",
           "%s: %s [%s]", what, error.message, haly_status_name(error.status));
}

/* x = 0, 1, 2 …; y = x + x; back to the host. */
static haly_status compute(haly_context *context, haly_stream *stream, float *host)
{
    void *x = NULL, *y = NULL;
    const uint64_t bytes = ELEMENTS * sizeof *host;
    for (int i = 0; i < ELEMENTS; i++)
        host[i] = (float)i;
    haly_status status = haly_malloc(context, bytes, NULL, &x);
    if (status == HALY_OK)
        status = haly_malloc(context, bytes, NULL, &y);
    if (status == HALY_OK)
        status = haly_copy(stream, x, host, bytes);
    if (status == HALY_OK)
        status = haly_op_add(stream, haly_f32_1d(y, ELEMENTS), haly_f32_1d(x, ELEMENTS), haly_f32_1d(x, ELEMENTS));
    if (status == HALY_OK)
        status = haly_copy(stream, host, y, bytes);
    if (status == HALY_OK)
        status = haly_stream_sync(stream, HALY_FOREVER);
    return status;
}

static bool sums_are_right(const float *host)
{
    for (int i = 0; i < ELEMENTS; i++)
        if (host[i] != (float)(i + i)) /* exact in binary32 */
            return false;
    return true;
}

static void try_context(haly_instance *instance, haly_device *device, const char *subject, uint32_t flags)
{
    static float host[ELEMENTS];
    const char *kind = (flags & HALY_CONTEXT_MOVABLE) != 0 ? "movable context" : "context";
    const haly_context_desc desc = {HALY_CONTEXT_DESC_INIT, .flags = flags, .device = device};
    haly_context *context = NULL;
    haly_stream *stream = NULL;
    if (haly_context_open(instance, &desc, &context) != HALY_OK) {
        report_error(subject, kind);
    } else if (haly_stream_create(context, NULL, &stream) != HALY_OK || compute(context, stream, host) != HALY_OK) {
        report_error(subject, kind);
        haly_context_sync(context, 1000000000); /* the copies name `host`; a failed stream answers at once */
    } else if (!sums_are_right(host)) {
        report(VERDICT_FAIL, subject, "run halyard cts on it and do not trust its results", "%s: wrong sums", kind);
    } else {
        report(VERDICT_OK, subject, NULL, "%s: allocates, copies and adds", kind);
    }
    haly_context_release(context);
}

static void try_opening(haly_instance *instance, haly_device *device, const char *subject)
{
    const haly_context_desc desc = {HALY_CONTEXT_DESC_INIT, .device = device};
    haly_context *context = NULL;
    if (haly_context_open(instance, &desc, &context) != HALY_OK)
        report_error(subject, "context");
    else
        report(VERDICT_NOTE, subject, NULL, "a context opens; it declares no operators, so none was tried");
    haly_context_release(context);
}

/* The cpu backend computes matrix products through oneDNN when its optional object and libdnnl are there. */
static void check_onednn(haly_instance *instance, haly_device *device, const char *subject)
{
    const haly_context_desc desc = {HALY_CONTEXT_DESC_INIT, .device = device};
    const haly_tensor a = haly_f32_2d(NULL, 256, 256);
    haly_op_desc op = {HALY_OP_DESC_INIT, .name = "MatMul", HALY_INPUTS(a, a), HALY_OUTPUTS(a)};
    haly_plan_info plan = {HALY_PLAN_INFO_INIT};
    haly_context *context = NULL;
    if (haly_context_open(instance, &desc, &context) != HALY_OK)
        return;
    if (haly_op_supported(context, &op, &plan) != HALY_OK)
        report_error(subject, "MatMul");
    else if (strstr(plan.path, "dnnl") == NULL && strstr(plan.path, "onednn") == NULL)
        report(VERDICT_NOTE, subject, "install libdnnl, and a cpu backend built with HALYARD_WITH_ONEDNN",
               "matrix products run without oneDNN (%s)", plan.path);
    else
        report(VERDICT_OK, subject, NULL, "matrix products: %s", plan.path);
    haly_context_release(context);
}

/* What a program gets that asks for nothing. */
static void check_default(haly_instance *instance)
{
    haly_device *device = NULL;
    if (haly_device_find(instance, NULL, &device) != HALY_OK)
        report_error("devices", "programs that name no device get none");
}

void doctor_devices(haly_instance *instance)
{
    uint32_t count = 0;
    if (haly_device_count(instance, &count) != HALY_OK) {
        report_error("devices", "cannot be listed");
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        haly_device *device = NULL;
        haly_device_spec spec = {HALY_DEVICE_SPEC_INIT};
        char subject[64];
        if (haly_device_get(instance, i, &device) != HALY_OK || haly_device_spec_get(device, &spec) != HALY_OK) {
            report_error("devices", "cannot be described");
            continue;
        }
        snprintf(subject, sizeof subject, "device %s:%u", spec.backend, spec.index);
        if ((spec.capabilities & (HALY_CAP_OPERATOR_KERNELS | HALY_CAP_PLANS | HALY_CAP_KERNELS)) == 0) {
            try_opening(instance, device, subject);
            continue;
        }
        try_context(instance, device, subject, 0);
        try_context(instance, device, subject, HALY_CONTEXT_MOVABLE);
        if (spec.kind == HALY_DEVICE_CPU)
            check_onednn(instance, device, subject);
    }
    check_default(instance);
}
