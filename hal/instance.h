/* SPDX-License-Identifier: Apache-2.0 */
/* The instance: configuration, the backends that were found, and their devices. */
#ifndef HAL_INSTANCE_H
#define HAL_INSTANCE_H

#include <pthread.h>

#include "builtin.h"
#include "device.h"
#include "log.h"
#include "param.h"
#include "policy.h"
#include "selection.h"

enum device_stage { DEVICES_UNKNOWN, DEVICES_BEING_ENUMERATED, DEVICES_KNOWN };

struct haly_instance {
    struct object object;
    struct log_sink program_sink, stderr_sink; /* in use when their level is not off */
    struct params *params;
    struct policy *policy;
    struct selection selection;
    struct layers *layers;          /* NULL: none */
    _Atomic uint32_t open_contexts; /* not freed yet; each holds a reference */

    char folders[1024];       /* where backends were looked for, for messages */
    struct backend *backends; /* in search order; fixed once created */
    uint32_t backend_count;

    pthread_mutex_t lock; /* the stage, and what enumeration changes in `backends`; never held across a backend call */
    pthread_cond_t changed;
    enum device_stage stage;
    haly_error device_failure; /* of a named backend; status HALY_OK: none */
    haly_device **devices;     /* best first; fixed once known */
    uint32_t device_count;
    char left_out[2048]; /* devices that were refused or denied, and why */
};

/* Where configuration and backends come from: fixed when Halyard is built, moved by tests. */
struct instance_sources {
    const char *policy_file;
    const struct builtin_backend *builtins;
    const char *backend_folder; /* the trusted one; NULL: none */
    bool search_beside;         /* `halyard/` beside libhalyard too */
};

/* Whether there is no other instance in the process, nor was in the one that it was forked from. */
bool instance_is_alone(void);

/* A context's reference. */
void instance_join(haly_instance *instance);
void instance_leave(haly_instance *instance);

haly_status instance_create(const haly_instance_desc *desc, const struct instance_sources *sources,
                            haly_instance **out_instance);

/* Searches, opens what selection and policy leave, probes it, and insists on what was named. */
haly_status discover_backends(haly_instance *instance, const struct instance_sources *sources);

/* The backend of that name that won the search, or NULL. ASCII case does not count. */
struct backend *instance_backend(haly_instance *instance, const char *name);

/* Why a backend, or some of its devices, cannot be used; or "". Under the lock, or once devices are known. */
const char *backend_reason(const struct backend *backend);

/* Fails for a backend that cannot be used, with what is behind it; `what` begins the message. */
haly_status fail_unusable(const struct backend *backend, const char *what);

/* HALY_ERR_NOT_FOUND: no file of that name; `what` begins the message. Says where it was looked for and what is near.
 */
haly_status fail_no_backend(haly_instance *instance, const char *what, const char *name);

#endif
