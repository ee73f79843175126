/* SPDX-License-Identifier: Apache-2.0 */
/* Instances over fake backends alone: nothing installed on the machine, and no policy but the test's, can interfere. */
#ifndef TESTS_FAKE_INSTANCE_H
#define TESTS_FAKE_INSTANCE_H

#include "instance.h"

/* Copies what was built for a variant (its backend and, where it has one, its dependency) into `folder` of the
 * sandbox, which is made when it is not there. Returns the folder's path. */
const char *fake_install(void **state, const char *variant, const char *backend, const char *folder);

struct fake_setup {
    const char *path;    /* backend_path; NULL: none */
    const char *backend; /* HALYARD_BACKEND's parameter; NULL: unset */
    const char *device;
    const char *policy;                     /* text of the policy file; NULL: no file */
    const struct builtin_backend *builtins; /* NULL: none */
    haly_param extra;                       /* one more parameter */
    haly_log_fn log;
    void *log_user;
};

haly_status fake_instance_create(void **state, const struct fake_setup *setup, haly_instance **out_instance);

/* The index-th backend of an instance. */
haly_backend_info fake_backend_info(haly_instance *instance, uint32_t index);

/* This thread's last message. */
const char *last_message(void);

#endif
