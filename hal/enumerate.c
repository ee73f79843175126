/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enumeration: on first need each ready backend is asked for its devices, what it says is checked and held against the
 * policy, and the rest is put in order. Each device left out keeps its reason.
 */
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "instance.h"
#include "loader.h"

#define DEVICES_PER_BACKEND 4096U

static bool ends(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

bool device_spec_is_sound(haly_device_spec *spec, const char *backend, char *why, size_t why_size)
{
    struct {
        const char *member;
        char *text;
        size_t size;
    } texts[] = {{"backend", spec->backend, sizeof spec->backend},
                 {"name", spec->name, sizeof spec->name},
                 {"vendor", spec->vendor, sizeof spec->vendor},
                 {"architecture", spec->architecture, sizeof spec->architecture},
                 {"driver", spec->driver, sizeof spec->driver},
                 {"pci", spec->pci, sizeof spec->pci}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (!ends(texts[i].text, texts[i].size)) {
            text_set(why, why_size, "its spec's %s has no end", texts[i].member);
            return false;
        }
        text_printable(texts[i].text, texts[i].size, texts[i].text, SIZE_MAX);
    }
    if (strcmp(spec->backend, backend) != 0)
        text_set(why, why_size, "its spec names backend \"%s\"", spec->backend);
    else if (spec->allocation_alignment == 0 || (spec->allocation_alignment & (spec->allocation_alignment - 1)) != 0)
        text_set(why, why_size, "its spec's allocation_alignment is %u, not a power of two",
                 spec->allocation_alignment);
    else if ((uint32_t)spec->kind > HALY_DEVICE_OTHER)
        text_set(why, why_size, "its spec's kind is %u", (unsigned)spec->kind);
    else
        return true;
    return false;
}

static void leave_out(haly_instance *instance, struct backend *backend, uint32_t index, const char *why)
{
    LOG(HALY_LOG_INFO, "device %s:%u left out: %s", backend->name, index, why);
    text_append(instance->left_out, sizeof instance->left_out, "%s%s:%u: %s", instance->left_out[0] != '\0' ? "; " : "",
                backend->name, index, why);
    if (!backend->has_late_reason)
        text_append(backend->late_reason, sizeof backend->late_reason, "%sdevice %s:%u: %s",
                    backend->late_reason[0] != '\0' ? "; " : "", backend->name, index, why);
}

/* Why a backend gave no device; the first reason counts. */
static void note_failure(haly_error *failure, const haly_error *cause, const char *backend, uint32_t index)
{
    if (failure->status != HALY_OK)
        return;
    *failure = *cause;
    text_set(failure->backend, sizeof failure->backend, "%s", backend);
    text_set(failure->message, sizeof failure->message, "device %s:%u: %s", backend, index, cause->message);
}

/* A device that was opened: whether it may be used. */
static bool is_welcome(haly_instance *instance, haly_device *device, haly_error *failure)
{
    struct backend *backend = device->backend;
    haly_error cause = {HALY_ERROR_INIT};
    const bool is_sound = device_spec_is_sound(&device->spec, backend->name, cause.message, sizeof cause.message);
    const uint32_t line = is_sound ? policy_denies_device(instance->policy, &device->spec) : 0;
    if (is_sound && line == 0)
        return true;
    cause.status = is_sound ? HALY_ERR_POLICY : HALY_ERR_BACKEND;
    if (is_sound)
        text_set(cause.message, sizeof cause.message, "denied by %s, line %u", policy_path(instance->policy), line);
    note_failure(failure, &cause, backend->name, device->spec.index);
    leave_out(instance, backend, device->spec.index, cause.message);
    return false;
}

static void device_destroy(haly_device *device)
{
    device->backend->table.device_close(device->block);
    object_end(&device->object);
    block_destroy(device->block);
    object_free(&device->object);
}

static haly_device *device_allocate(haly_instance *instance, struct backend *backend, uint32_t index)
{
    haly_device *device = calloc(1, sizeof *device);
    void *block = block_create(backend->table.device_size);
    if (device == NULL || block == NULL) {
        free(device);
        block_destroy(block);
        return NULL;
    }
    object_init(&device->object, HALY_OBJECT_DEVICE, NULL);
    device->instance = instance;
    device->backend = backend;
    device->block = block;
    device->spec = (haly_device_spec){HALY_DEVICE_SPEC_INIT, .index = index, .numa_node = -1};
    return device;
}

/* Adds one device, or notes why not. Fails only for host memory of ours. */
static haly_status add_device(haly_instance *instance, struct backend *backend, uint32_t index, haly_error *failure)
{
    haly_device **grown = realloc(instance->devices, (instance->device_count + 1) * sizeof(haly_device *));
    if (grown != NULL)
        instance->devices = grown;
    haly_device *device = grown != NULL ? device_allocate(instance, backend, index) : NULL;
    if (device == NULL)
        return fail_host_oom("a device", sizeof *device + backend->table.device_size);
    const uint64_t serial = error_serial();
    const haly_status status = backend->table.device_open(index, device->block, &device->spec);
    if (status != HALY_OK) {
        const haly_error cause = loader_take_failure(status, serial);
        note_failure(failure, &cause, backend->name, index);
        leave_out(instance, backend, index, cause.message);
        block_destroy(device->block);
        object_free(&device->object);
        return HALY_OK;
    }
    device->spec.struct_size = sizeof device->spec;
    device->spec.index = index;
    if (is_welcome(instance, device, failure))
        instance->devices[instance->device_count++] = device;
    else
        device_destroy(device);
    return HALY_OK;
}

static uint32_t count_devices(struct backend *backend, haly_error *failure)
{
    uint32_t count = 0;
    const uint64_t serial = error_serial();
    const haly_status status = backend->table.device_count(&count);
    if (status == HALY_OK && count > 0 && count <= DEVICES_PER_BACKEND)
        return count;
    *failure = (haly_error){HALY_ERROR_INIT, .status = HALY_ERR_UNAVAILABLE, .message = "it found no device"};
    if (status != HALY_OK) {
        *failure = loader_take_failure(status, serial);
    } else if (count > 0) {
        failure->status = HALY_ERR_BACKEND;
        text_set(failure->message, sizeof failure->message, "it speaks of %u devices", count);
    }
    text_set(failure->backend, sizeof failure->backend, "%s", backend->name);
    return 0;
}

static void fail_backend(haly_instance *instance, struct backend *backend, const haly_error *failure)
{
    pthread_mutex_lock(&instance->lock);
    backend->state = failure->status == HALY_ERR_POLICY ? HALY_BACKEND_DENIED : HALY_BACKEND_UNAVAILABLE;
    backend->status = failure->status;
    backend->failure = *failure;
    backend->device_count = 0;
    backend->has_late_reason = true;
    text_set(backend->late_reason, sizeof backend->late_reason, "%s", failure->message);
    pthread_mutex_unlock(&instance->lock);
    LOG(HALY_LOG_INFO, "backend \"%s\" cannot be used: %s", backend->name, backend->late_reason);
    if (!backend->is_named || instance->device_failure.status != HALY_OK)
        return;
    instance->device_failure = *failure;
    text_set(instance->device_failure.message, sizeof instance->device_failure.message,
             "backend \"%s\" cannot be used: %s", backend->name, backend->late_reason);
}

static haly_status enumerate_backend(haly_instance *instance, struct backend *backend)
{
    haly_error failure = {HALY_ERROR_INIT};
    const uint32_t before = instance->device_count;
    const uint32_t count = count_devices(backend, &failure);
    if (!backend->has_late_reason)
        backend->late_reason[0] = '\0'; /* of a try that ran out of host memory */
    for (uint32_t i = 0; i < count; i++)
        TRY(add_device(instance, backend, i, &failure));
    if (instance->device_count == before) {
        fail_backend(instance, backend, &failure);
        return HALY_OK;
    }
    pthread_mutex_lock(&instance->lock);
    backend->device_count = instance->device_count - before;
    backend->has_late_reason = backend->late_reason[0] != '\0';
    pthread_mutex_unlock(&instance->lock);
    return HALY_OK;
}

/* 0 is the best. What scores nothing (the template backend's device) is listed behind processors. */
static int rank_of(const haly_device *device)
{
    return device->spec.score == 0 ? 2 : device->spec.kind == HALY_DEVICE_CPU ? 1 : 0;
}

/* What was preferred first; then processors last, better scores first, and the order of the search. */
static int compare_devices(const void *a, const void *b)
{
    const haly_device *left = *(haly_device *const *)a, *right = *(haly_device *const *)b;
    if (left->backend->preference != right->backend->preference)
        return left->backend->preference < right->backend->preference ? -1 : 1;
    if (rank_of(left) != rank_of(right))
        return rank_of(left) < rank_of(right) ? -1 : 1;
    if (left->spec.score != right->spec.score)
        return left->spec.score > right->spec.score ? -1 : 1;
    if (left->backend != right->backend)
        return left->backend < right->backend ? -1 : 1;
    return left->spec.index < right->spec.index ? -1 : left->spec.index > right->spec.index;
}

static haly_status enumerate_all(haly_instance *instance)
{
    const haly_error before = *error_detail(); /* what is wrong with a backend is no failure of this call */
    const struct params *scope = param_scope(instance->params);
    haly_status status = HALY_OK;
    for (uint32_t i = 0; i < instance->backend_count && status == HALY_OK; i++)
        if (instance->backends[i].state == HALY_BACKEND_READY)
            status = enumerate_backend(instance, &instance->backends[i]);
    param_scope(scope);
    if (status != HALY_OK)
        return status;
    *error_detail() = before;
    if (instance->device_count > 1)
        qsort(instance->devices, instance->device_count, sizeof(haly_device *), compare_devices);
    return HALY_OK;
}

haly_status devices_enumerate(haly_instance *instance)
{
    pthread_mutex_lock(&instance->lock);
    while (instance->stage == DEVICES_BEING_ENUMERATED)
        pthread_cond_wait(&instance->changed, &instance->lock);
    const bool is_ours = instance->stage == DEVICES_UNKNOWN;
    if (is_ours)
        instance->stage = DEVICES_BEING_ENUMERATED;
    pthread_mutex_unlock(&instance->lock);
    haly_status status = HALY_OK;
    if (is_ours) {
        status = enumerate_all(instance);
        if (status != HALY_OK) /* host memory ran out: everything can be tried again */
            devices_destroy(instance);
        pthread_mutex_lock(&instance->lock);
        instance->stage = status == HALY_OK ? DEVICES_KNOWN : DEVICES_UNKNOWN;
        pthread_cond_broadcast(&instance->changed);
        pthread_mutex_unlock(&instance->lock);
    }
    if (status == HALY_OK && instance->device_failure.status != HALY_OK)
        return error_restore(&instance->device_failure);
    return status;
}

void devices_destroy(haly_instance *instance)
{
    while (instance->device_count > 0)
        device_destroy(instance->devices[--instance->device_count]);
    free(instance->devices);
    instance->devices = NULL;
    instance->left_out[0] = '\0';
}
