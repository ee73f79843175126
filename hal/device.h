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

/* Instances hand their parameters to other parts. */
struct params;
const struct params *instance_params(haly_instance *instance);

#endif
