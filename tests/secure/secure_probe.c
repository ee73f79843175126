/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an instance is made of, a fact a line, for ci/steps/loader.sh to read: whether the program runs with elevated
 * privileges, where each parameter's value comes from, what became of each backend, and which files are mapped.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <halyard/halyard.h>

static void print_params(haly_instance *instance)
{
    uint32_t count = 0;
    haly_param_info info = {HALY_PARAM_INFO_INIT};
    if (haly_param_count(instance, &count) != HALY_OK)
        return;
    for (uint32_t i = 0; i < count; i++)
        if (haly_param_info_get(instance, i, &info) == HALY_OK)
            printf("param %s %s\n", info.variable, info.source);
}

static void print_backends(haly_instance *instance)
{
    static const char *const states[] = {"ready", "unavailable", "refused", "filtered", "denied"};
    uint32_t count = 0;
    haly_backend_info info = {HALY_BACKEND_INFO_INIT};
    if (haly_backend_count(instance, &count) != HALY_OK)
        return;
    for (uint32_t i = 0; i < count; i++)
        if (haly_backend_info_get(instance, i, &info) == HALY_OK)
            printf("backend %s %s %s %s\n", info.name, states[info.state], info.path, info.reason);
}

static void print_explanation(haly_instance *instance)
{
    char text[8192];
    if (haly_device_explain(instance, text, sizeof text, NULL) != HALY_OK)
        return;
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;)
        if (line[0] != '\0')
            printf("explain %s\n", line);
}

static int print_mapped_files(void)
{
    char line[4096];
    FILE *maps = fopen("/proc/self/maps", "re");
    if (maps == NULL)
        return 1;
    while (fgets(line, sizeof line, maps) != NULL)
        if (strchr(line, '/') != NULL)
            printf("mapped %s", strchr(line, '/'));
    fclose(maps);
    return 0;
}

int main(void)
{
    haly_instance *instance = NULL;
    haly_error error = {HALY_ERROR_INIT};
    printf("secure %lu\n", getauxval(AT_SECURE));
    printf("user %u of %u\n", (unsigned)geteuid(), (unsigned)getuid());
    const haly_status status = haly_instance_create(NULL, &instance);
    printf("create %s\n", haly_status_name(status));
    if (status != HALY_OK && haly_error_last(&error) == HALY_OK)
        printf("error %s\n", error.message);
    if (status == HALY_OK) {
        print_params(instance);
        print_backends(instance);
        print_explanation(instance);
    }
    haly_instance_release(instance);
    return print_mapped_files();
}
