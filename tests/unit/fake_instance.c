/* SPDX-License-Identifier: Apache-2.0 */
/* Instances over fake backends alone. */
#define _GNU_SOURCE
#include "unit/fake_instance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "unit/sandbox.h"

const char *fake_install(void **state, const char *variant, const char *backend, const char *folder)
{
    char from[1024], to[256];
    if (access(sandbox_path(state, folder), F_OK) != 0)
        sandbox_folder(state, folder, 0755);
    snprintf(from, sizeof from, FAKES_DIR "/%s/libhalyard_backend_%s.so", variant, backend);
    snprintf(to, sizeof to, "%s/libhalyard_backend_%s.so", folder, backend);
    sandbox_copy(state, from, to);
    snprintf(from, sizeof from, FAKES_DIR "/%s/libdependency_of_origin.so", variant);
    snprintf(to, sizeof to, "%s/libdependency_of_origin.so", folder);
    if (access(from, F_OK) == 0)
        sandbox_copy(state, from, to);
    snprintf(from, sizeof from, FAKES_DIR "/%s/libdependency_of_entry.so", variant);
    snprintf(to, sizeof to, "%s/libdependency_of_entry.so", folder);
    if (access(from, F_OK) == 0)
        sandbox_copy(state, from, to);
    return sandbox_path(state, folder);
}

haly_status fake_instance_create(void **state, const struct fake_setup *setup, haly_instance **out_instance)
{
    const struct instance_sources sources = {
        .policy_file = setup->policy != NULL ? sandbox_file(state, "policy.conf", setup->policy, 0644)
                                             : sandbox_path(state, "no-policy.conf"),
        .builtins = setup->builtins};
    haly_param params[4];
    uint32_t count = 0;
    if (setup->path != NULL)
        params[count++] = (haly_param){"backend_path", setup->path};
    if (setup->backend != NULL)
        params[count++] = (haly_param){"backend", setup->backend};
    if (setup->device != NULL)
        params[count++] = (haly_param){"device", setup->device};
    if (setup->extra.name != NULL)
        params[count++] = setup->extra;
    const haly_instance_desc desc = {HALY_INSTANCE_DESC_INIT,
                                     .params = params,
                                     .param_count = count,
                                     .param_size = sizeof(haly_param),
                                     .log = setup->log,
                                     .log_user = setup->log_user,
                                     .log_level = setup->log != NULL ? HALY_LOG_DEBUG : HALY_LOG_OFF};
    return instance_create(&desc, &sources, out_instance);
}

haly_backend_info fake_backend_info(haly_instance *instance, uint32_t index)
{
    haly_backend_info info = {HALY_BACKEND_INFO_INIT};
    assert_int_equal(haly_backend_info_get(instance, index, &info), HALY_OK);
    return info;
}

const char *last_message(void)
{
    return error_detail()->message;
}
