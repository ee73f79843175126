/* SPDX-License-Identifier: Apache-2.0 */
/* What a program sees of devices: the list, selection, spec and sample. */
#include "device.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "instance.h"
#include "process.h"
#include "selector.h"

haly_status haly_device_count(haly_instance *instance, uint32_t *out_count)
{
    PUT_OFF_CANCELLATION();
    ENTRY(instance, HALY_OBJECT_INSTANCE);
    REQUIRE(out_count);
    TRY(devices_enumerate(instance));
    *out_count = instance->device_count;
    return HALY_OK;
}

haly_status haly_device_get(haly_instance *instance, uint32_t index, haly_device **out_device)
{
    PUT_OFF_CANCELLATION();
    ENTRY(instance, HALY_OBJECT_INSTANCE);
    REQUIRE(out_device);
    TRY(devices_enumerate(instance));
    if (index >= instance->device_count)
        return FAIL(HALY_ERR_INVALID, "index is %u, and there are %u devices", index, instance->device_count);
    *out_device = instance->devices[index];
    return HALY_OK;
}

/* Nothing to choose from: says what became of each backend. */
static haly_status fail_no_device(haly_instance *instance, const char *wanted)
{
    char reasons[384] = "";
    for (uint32_t i = 0; i < instance->backend_count; i++)
        text_append(reasons, sizeof reasons, "%s%s: %s", i != 0 ? "; " : "", instance->backends[i].name,
                    backend_reason(&instance->backends[i]));
    if (instance->left_out[0] != '\0')
        text_append(reasons, sizeof reasons, "; %s", instance->left_out);
    if (instance->backend_count == 0)
        return FAIL(HALY_ERR_NOT_FOUND, "no device for %s: no backend was found in %.256s", wanted,
                    instance->folders[0] != '\0' ? instance->folders : "any folder");
    return FAIL(HALY_ERR_UNAVAILABLE, "no device for %s: %s", wanted, reasons);
}

/* A selector that names a backend which has no device fails for the backend's reason. */
static haly_status check_named_backend(haly_instance *instance, const struct selector *selector, const char *wanted)
{
    char what[160];
    const char *name = selector_backend(selector);
    if (name == NULL)
        return HALY_OK;
    const struct backend *backend = instance_backend(instance, name);
    text_set(what, sizeof what, "no device for %s: ", wanted);
    if (backend == NULL)
        return fail_no_backend(instance, what, PRINTABLE(name));
    if (backend->state == HALY_BACKEND_READY)
        return HALY_OK;
    return fail_unusable(backend, what);
}

/* What scores nothing is no choice that anybody wants made for him. The device matches the selector. */
static bool may_be_chosen(const haly_device *device, const struct selector *selector, char *why, size_t why_size)
{
    if (device->spec.score != 0 || device->backend->is_named || selector_backend(selector) != NULL)
        return true;
    text_set(why, why_size, "it scores 0, so it is used only when its backend is named");
    return false;
}

static haly_status find_device(haly_instance *instance, const struct selector *selector, const char *wanted,
                               haly_device **out_device)
{
    char why[256], reasons[384] = "";
    TRY(devices_enumerate(instance));
    for (uint32_t i = 0; i < instance->device_count; i++) {
        haly_device *device = instance->devices[i];
        if (selector_matches(selector, &device->spec, why, sizeof why) &&
            may_be_chosen(device, selector, why, sizeof why)) {
            *out_device = device;
            return HALY_OK;
        }
        text_append(reasons, sizeof reasons, "%s%s:%u: %s", i != 0 ? "; " : "", device->spec.backend,
                    device->spec.index, why);
    }
    TRY(check_named_backend(instance, selector, wanted));
    if (instance->device_count == 0)
        return fail_no_device(instance, wanted);
    if (instance->left_out[0] != '\0')
        text_append(reasons, sizeof reasons, "; %s", instance->left_out);
    return FAIL(HALY_ERR_NOT_FOUND, "no device for %s: %s", wanted, reasons);
}

haly_status device_default(haly_instance *instance, haly_device **out_device)
{
    char why[256], wanted[128];
    struct selector selector;
    const char *text = param_text(instance->params, "device");
    if (!selector_parse(text, &selector, why, sizeof why))
        return FAIL(HALY_ERR_INTERNAL, "a checked selector does not parse: %s", why);
    text_set(wanted, sizeof wanted, "%s=%s", param_origin(instance->params, "device"), PRINTABLE(text));
    return find_device(instance, &selector, wanted, out_device);
}

haly_status haly_device_find(haly_instance *instance, const char *selector, haly_device **out_device)
{
    PUT_OFF_CANCELLATION();
    char why[256], wanted[128];
    struct selector parsed;
    ENTRY(instance, HALY_OBJECT_INSTANCE);
    REQUIRE(out_device);
    if (selector == NULL || selector[0] == '\0') {
        TRY(device_default(instance, out_device));
        return HALY_OK;
    }
    if (!selector_parse(selector, &parsed, why, sizeof why))
        return FAIL(HALY_ERR_INVALID, "selector \"%s\": %s; expected " SELECTOR_GRAMMAR, PRINTABLE(selector), why);
    text_set(wanted, sizeof wanted, "\"%s\"", PRINTABLE(selector));
    TRY(find_device(instance, &parsed, wanted, out_device));
    return HALY_OK;
}

static void explain_left_out(const haly_instance *instance, char *text, uint64_t size, uint64_t *needed)
{
    for (const char *at = instance->left_out; *at != '\0';) {
        const char *end = strstr(at, "; ");
        const size_t length = end != NULL ? (size_t)(end - at) : strlen(at);
        text_line(text, size, needed, "device %.*s", (int)length, at);
        at += length + (end != NULL ? 2 : 0);
    }
}

haly_status haly_device_explain(haly_instance *instance, char *text, uint64_t size, uint64_t *out_needed)
{
    PUT_OFF_CANCELLATION();
    uint64_t needed = 0;
    ENTRY(instance, HALY_OBJECT_INSTANCE);
    if (size > 0)
        REQUIRE(text);
    TRY(devices_enumerate(instance));
    if (size > 0)
        text[0] = '\0';
    for (uint32_t i = 0; i < instance->backend_count; i++)
        text_line(text, size, &needed, "backend %s: %s", instance->backends[i].name,
                  instance->backends[i].state == HALY_BACKEND_READY ? "ready" : backend_reason(&instance->backends[i]));
    for (uint32_t i = 0; i < instance->device_count; i++)
        text_line(text, size, &needed, "device %s:%u: usable, score %u", instance->devices[i]->spec.backend,
                  instance->devices[i]->spec.index, instance->devices[i]->spec.score);
    explain_left_out(instance, text, size, &needed);
    if (out_needed != NULL)
        *out_needed = needed + 1;
    return HALY_OK;
}

const char *haly_capability_name(uint64_t capability)
{
    switch (capability) {
    case HALY_CAP_NATIVE_ADDRESSES:
        return "native_addresses";
    case HALY_CAP_PLACEMENT:
        return "placement";
    case HALY_CAP_PAGEABLE_COPY:
        return "pageable_copy";
    case HALY_CAP_HOST_CALL:
        return "host_call";
    case HALY_CAP_KERNELS:
        return "kernels";
    case HALY_CAP_OPERATOR_KERNELS:
        return "operator_kernels";
    case HALY_CAP_PLANS:
        return "plans";
    case HALY_CAP_TIMING:
        return "timing";
    case HALY_CAP_WRAP_STREAM:
        return "wrap_stream";
    case HALY_CAP_DETERMINISTIC:
        return "deterministic";
    case HALY_CAP_HOST_REGISTER:
        return "host_register";
    default:
        return NULL;
    }
}

haly_status haly_device_spec_get(haly_device *device, haly_device_spec *out_spec)
{
    ENTRY(device, HALY_OBJECT_DEVICE);
    TRY(CHECK_OUTPUT(out_spec, haly_device_spec, reserved, &device->spec));
    return HALY_OK;
}

haly_status haly_device_sample_get(haly_device *device, haly_device_sample *out_sample)
{
    PUT_OFF_CANCELLATION();
    ENTRY(device, HALY_OBJECT_DEVICE);
    haly_device_sample sample = {HALY_DEVICE_SAMPLE_INIT};
    TRY_BACKEND(device->backend->name, device->backend->table.device_sample(device->block, &sample));
    TRY(CHECK_OUTPUT(out_sample, haly_device_sample, time_ns, &sample));
    return HALY_OK;
}
