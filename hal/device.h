/* SPDX-License-Identifier: Apache-2.0 */
/* A device: the backend's private block and the spec it gave. */
#ifndef HAL_DEVICE_H
#define HAL_DEVICE_H

#include "backend.h"
#include "object.h"

struct haly_device {
    struct object object;
    haly_instance *instance;
    struct backend *backend;
    void *block;
    haly_device_spec spec;
};

/* The device a context is opened on when the program names none: what HALYARD_DEVICE says, or the best. */
haly_status device_default(haly_instance *instance, haly_device **out_device);

/* Enumerates on the first call; afterwards the instance's devices are fixed. The failure of a named backend stays. */
haly_status devices_enumerate(haly_instance *instance);

/* Closes and frees all of them. */
void devices_destroy(haly_instance *instance);

/* Whether what a backend says of a device can be used, with texts made fit for a line; writes why not. */
bool device_spec_is_sound(haly_device_spec *spec, const char *backend, char *why, size_t why_size);

/* Instances hand their parameters to other parts. */
struct params;
const struct params *instance_params(haly_instance *instance);

#endif
