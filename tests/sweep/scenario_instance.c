/* SPDX-License-Identifier: Apache-2.0 */
/* Instances, what they found, and devices. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "calls.h"
#include "scenario.h"

static void release_instance(void *instance)
{
    haly_instance_release(instance);
}

static void create_with(struct world *world, const haly_param *params, uint32_t count, haly_log_fn log)
{
    const haly_instance_desc desc = {
        HALY_INSTANCE_DESC_INIT,      .params = params, .param_count = count,
        .param_size = sizeof *params, .log = log,       .log_level = log != NULL ? HALY_LOG_DEBUG : HALY_LOG_OFF};
    STEP_OUT(world->instance, haly_instance_create, &desc, &world->instance);
    world_keep(world, world->instance, release_instance);
}

/* Backends and parameters, as `halyard info` shows them. */
static void list_backends(struct world *world)
{
    uint32_t count = 0;
    STEP(haly_backend_count, world->instance, &count);
    for (uint32_t i = 0; i < count; i++) {
        haly_backend_info info = {HALY_BACKEND_INFO_INIT};
        STEP(haly_backend_info_get, world->instance, i, &info);
        CHECK(info.name[0] != '\0' && (info.state == HALY_BACKEND_READY) == (info.status == HALY_OK));
        CHECK((info.reason[0] == '\0') == (info.state == HALY_BACKEND_READY));
    }
    STEP(haly_param_count, world->instance, &count);
    for (uint32_t i = 0; i < count; i++) {
        haly_param_info info = {HALY_PARAM_INFO_INIT};
        STEP(haly_param_info_get, world->instance, i, &info);
    }
}

static void list_devices(struct world *world)
{
    static char text[4096];
    uint64_t needed = 0;
    uint32_t count = 0;
    haly_device *device = NULL;
    STEP_OUT(device, haly_device_find, world->instance, NULL, &device);
    STEP(haly_device_count, world->instance, &count);
    CHECK(count > 0);
    for (uint32_t i = 0; i < count; i++) {
        haly_device_spec spec = {HALY_DEVICE_SPEC_INIT};
        haly_device_sample sample = {HALY_DEVICE_SAMPLE_INIT};
        STEP_OUT(device, haly_device_get, world->instance, i, &device);
        STEP(haly_device_spec_get, device, &spec);
        CHECK(spec.backend[0] != '\0' && spec.allocation_alignment != 0);
        STEP(haly_device_sample_get, device, &sample);
    }
    STEP(haly_device_explain, world->instance, text, sizeof text, &needed);
    CHECK(needed == strlen(text) + 1);
}

void run_instance(struct world *world)
{
    GO(world_open_instance(world));
    GO(list_backends(world));
    haly_instance_retain(world->instance);
    haly_instance_release(world->instance);
}

/* ---- the administrator's policy ---- */

static const char *write_policy(const char *text)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/policy.conf", world_sandbox());
    FILE *file = fopen(path, "we");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0 || chmod(path, 0644) != 0)
        abort();
    return path;
}

static void ignore_line(void *user, haly_log_level level, const char *text)
{
    (void)user;
    (void)level;
    (void)text;
}

void run_instance_with_policy(struct world *world)
{
    const haly_param params[] = {{"device", "kind=cpu,memory>=1MiB"}, {"mem_limit", "64MiB"}, {"cpu.threads", "2"}};
    calls_stand_in(HALY_POLICY_FILE, write_policy("# what may be used\n"
                                                  "deny backend nobody\n"
                                                  "deny device \"vendor=nobody,memory>=1TiB\"\n"
                                                  "allow device \"kind=cpu\"\n"
                                                  "deny vendor nobody\n"
                                                  "allow backend cpu\n"
                                                  "deny backend *\n"));
    GO(create_with(world, params, sizeof params / sizeof *params, ignore_line));
    GO(list_backends(world));
    GO(list_devices(world));
}

static void create_under_bad_policy(struct world *world)
{
    haly_instance *instance = NULL;
    EXPECT(HALY_ERR_INVALID, haly_instance_create, NULL, &instance);
    CHECK(instance == NULL);
}

void run_instance_with_bad_policy(struct world *world)
{
    calls_stand_in(HALY_POLICY_FILE, write_policy("deny device \"kind=cpu,index=9\"\nforbid everything\n"));
    create_under_bad_policy(world);
}

/* ---- several backends ---- */

/* The folders of fakes, with colons between them. */
static void fakes_path(char *path, size_t size, const char *const *variants)
{
    path[0] = '\0';
    for (; *variants != NULL; variants++) {
        char below[128];
        const size_t used = strlen(path);
        snprintf(below, sizeof below, "fakes/%s", *variants);
        snprintf(path + used, size - used, "%s%s", used != 0 ? ":" : "", world_path(below));
    }
}

void run_instance_with_several_backends(struct world *world)
{
    static const char *const variants[] = {"params", "other", "processor", NULL};
    char path[4096];
    haly_device *device = NULL;
    fakes_path(path, sizeof path, variants);
    const haly_param params[] = {{"backend_path", path}, {"fake.level", "high"}, {"backend", "^template"}};
    GO(create_with(world, params, sizeof params / sizeof *params, NULL));
    GO(list_backends(world));
    GO(list_devices(world));
    STEP_OUT(device, haly_device_find, world->instance, "other:0", &device);
    STEP_OUT(device, haly_device_find, world->instance, "kind=npu,memory<2GiB", &device);
    STEP_OUT(device, haly_device_find, world->instance, NULL, &device);
}

/* Each of them is refused or unusable, and says why; the others work all the same. */
void run_instance_with_bad_backends(struct world *world)
{
    static const char *const lists[][3] = {{"too_short", "other", NULL},           {"no_entry", "other", NULL},
                                           {"entry_in_dependency", "other", NULL}, {"failing_probe", "other", NULL},
                                           {"missing_dependency", "other", NULL},  {"failing_open", "other", NULL}};
    char path[4096];
    fakes_path(path, sizeof path, lists[world->seed++ % (sizeof lists / sizeof *lists)]);
    const haly_param params[] = {{"backend_path", path}, {"backend", "^template"}};
    GO(create_with(world, params, 2, NULL));
    GO(list_backends(world));
    GO(list_devices(world));
}

/* A backend is loaded once in a process: the second instance finds what the first left. */
void run_instances_twice(struct world *world)
{
    GO(world_open_instance(world));
    GO(list_devices(world));
    GO(world_open_instance(world));
    GO(list_devices(world));
}

void run_devices(struct world *world)
{
    haly_device *device = NULL;
    haly_device_sample sample = {HALY_DEVICE_SAMPLE_INIT};
    GO(world_open_instance(world));
    GO(list_devices(world));
    STEP_OUT(device, haly_device_find, world->instance, world->scenario->backend, &device);
    STEP_OUT(device, haly_device_find, world->instance, "memory>=1B", &device);
    STEP_OUT(device, haly_device_find, world->instance, "", &device);
    STEP(haly_device_sample_get, device, &sample);
    EXPECT(HALY_ERR_NOT_FOUND, haly_device_find, world->instance, "memory>=1000TiB", &device);
}
