/* SPDX-License-Identifier: Apache-2.0 */
/* `halyard info`: every backend with its state and the reason for it, then every usable device with its spec and a live
 * sample. */
#include <string.h>

#include "tool.h"

static bool as_json, show_env, show_ops;

static const struct option options[] = {
    {"--json", &as_json, "everything as one JSON object"},
    {"--env", &show_env, "environment variables: value in force, where it comes from, what it means"},
    {"--ops", &show_ops, "operators of the selected device and the path each takes there"},
};
static const struct command_help help = {
    "halyard info [--json | --env | --ops]",
    "Shows the backends found, whether each can be used and why not, and the devices they bring.",
    "states: ready; unavailable (cannot be used here); refused (file not to be trusted, or ABI that does not fit);\n"
    "        filtered (left out by HALYARD_BACKEND); denied (left out by the administrator's policy)\n"
    "exit status: 0 shown; 1 a variable or a named backend is wrong (the rest is shown all the same, but for\n"
    "        operators); 2 usage",
    options,
    sizeof options / sizeof *options,
};

static void complain(void *user, const char *variable, const haly_error *error)
{
    (void)variable;
    *(bool *)user = true;
    fprintf(stderr, "halyard: %s [%s]\n", error->message, haly_status_name(error->status));
}

enum { WHY_MAX = 1024 };

/* A device on one line: its name and what else is known of it. */
static void describe(const haly_device_spec *spec, char out[WHY_MAX])
{
    int used = snprintf(out, WHY_MAX, "%s", spec->name);
    if (spec->compute_units != 0)
        used += snprintf(out + used, WHY_MAX - (size_t)used, ", %u %s", spec->compute_units,
                         spec->kind == HALY_DEVICE_CPU ? "threads" : "units");
    if (spec->architecture[0] != '\0')
        snprintf(out + used, WHY_MAX - (size_t)used, ", %s", spec->architecture);
}

/* For a ready backend what its first device is, and why others are left out; for another why it is not ready. */
static const char *backend_why(haly_instance *instance, const haly_backend_info *backend, char out[WHY_MAX])
{
    uint32_t count = 0;
    out[0] = '\0';
    if (backend->state != HALY_BACKEND_READY || haly_device_count(instance, &count) != HALY_OK)
        return backend->reason;
    for (uint32_t i = 0; i < count && out[0] == '\0'; i++) {
        haly_device *device = NULL;
        haly_device_spec spec = {HALY_DEVICE_SPEC_INIT};
        if (haly_device_get(instance, i, &device) == HALY_OK && haly_device_spec_get(device, &spec) == HALY_OK &&
            strcmp(spec.backend, backend->name) == 0)
            describe(&spec, out);
    }
    if (backend->path[0] != '/') /* no file, but built in */
        snprintf(out + strlen(out), WHY_MAX - strlen(out), "; %s", backend->path);
    if (backend->reason[0] != '\0')
        snprintf(out + strlen(out), WHY_MAX - strlen(out), "; left out: %s", backend->reason);
    return out;
}

static int print_backends(haly_instance *instance)
{
    uint32_t count = 0;
    struct table table;
    haly_device_count(instance, &count); /* what devices show of their backends; a failure is told with the devices */
    if (haly_backend_count(instance, &count) != HALY_OK || count == 0) {
        fprintf(stderr, "halyard: no backend was found; halyard doctor says more\n");
        return TOOL_FAILED;
    }
    table_start(&table, 4);
    table_row(&table, (const char *const[]){"backend", "state", "devices", "why"});
    for (uint32_t i = 0; i < count; i++) {
        haly_backend_info info = {HALY_BACKEND_INFO_INIT};
        char devices[16], why[WHY_MAX];
        if (haly_backend_info_get(instance, i, &info) != HALY_OK)
            continue;
        snprintf(devices, sizeof devices, "%u", info.device_count);
        table_row(&table, (const char *const[]){info.name, text_backend_state(info.state), devices,
                                                backend_why(instance, &info, why)});
    }
    return table_finish(&table, stdout) ? TOOL_OK : TOOL_FAILED;
}

static void print_sample(haly_device *device)
{
    haly_device_sample sample = {HALY_DEVICE_SAMPLE_INIT};
    char memory[TEXT_MAX];
    if (haly_device_sample_get(device, &sample) != HALY_OK || sample.valid == 0)
        return;
    const char *separator = "  now            ";
    if ((sample.valid & HALY_SAMPLE_MEMORY) != 0) {
        printf("%s%s free", separator, text_bytes(sample.memory_free_bytes, memory));
        separator = ", ";
    }
    if ((sample.valid & HALY_SAMPLE_UTILISATION) != 0) {
        printf("%s%u %% busy", separator, sample.utilisation_percent);
        separator = ", ";
    }
    if ((sample.valid & HALY_SAMPLE_TEMPERATURE) != 0) {
        printf("%s%u degrees Celsius", separator, sample.temperature_celsius);
        separator = ", ";
    }
    if ((sample.valid & HALY_SAMPLE_POWER) != 0) {
        printf("%s%.1f W", separator, sample.power_milliwatts / 1000.0);
        separator = ", ";
    }
    if ((sample.valid & HALY_SAMPLE_CLOCK) != 0)
        printf("%s%u MHz", separator, sample.clock_mhz);
    printf("\n");
}

static void print_limits(const haly_device_spec *spec)
{
    char text[TEXT_MAX];
    printf("  memory         %s", text_bytes(spec->memory_bytes, text));
    if (spec->max_allocation_bytes != 0)
        printf(", largest allocation %s", text_bytes(spec->max_allocation_bytes, text));
    printf("\n");
    if (spec->cache_bytes != 0)
        printf("  cache          %s\n", text_bytes(spec->cache_bytes, text));
    if (spec->max_group_items != 0) {
        printf("  kernel group   %u items, %s local memory", spec->max_group_items,
               text_bytes(spec->local_memory_bytes, text));
        printf(", %u bytes of arguments\n", spec->max_argument_bytes);
    }
    if (spec->max_streams != 0)
        printf("  streams        %u at most\n", spec->max_streams);
    printf("  stores         %s\n", text_dtypes(spec->storage_dtypes, text));
    printf("  computes       %s\n", text_dtypes(spec->compute_dtypes, text));
    printf("  matrix types   %s\n", text_dtypes(spec->matmul_dtypes, text));
}

static void print_device(haly_device *device, const haly_device_spec *spec)
{
    printf("\n%s:%u  %s\n", spec->backend, spec->index, spec->name);
    printf("  kind           %s, vendor %s, architecture %s\n", text_device_kind(spec->kind),
           spec->vendor[0] != '\0' ? spec->vendor : "unknown",
           spec->architecture[0] != '\0' ? spec->architecture : "unknown");
    printf("  units          %u", spec->compute_units);
    if (spec->clock_mhz != 0)
        printf(" at %u MHz", spec->clock_mhz);
    printf("\n");
    if (spec->driver[0] != '\0')
        printf("  driver         %s\n", spec->driver);
    if (spec->pci[0] != '\0')
        printf("  pci            %s\n", spec->pci);
    print_limits(spec);
    printf("  capabilities  ");
    for (int i = 0; i < 64; i++) {
        const char *name = haly_capability_name(spec->capabilities & UINT64_C(1) << i);
        if (name != NULL)
            printf(" %s", name);
    }
    printf("\n");
    print_sample(device);
}

static int print_devices(haly_instance *instance)
{
    uint32_t count = 0;
    if (haly_device_count(instance, &count) != HALY_OK) {
        haly_error_print(stderr);
        return TOOL_FAILED;
    }
    for (uint32_t i = 0; i < count; i++) {
        haly_device *device = NULL;
        haly_device_spec spec = {HALY_DEVICE_SPEC_INIT};
        if (haly_device_get(instance, i, &device) != HALY_OK || haly_device_spec_get(device, &spec) != HALY_OK) {
            haly_error_print(stderr);
            return TOOL_FAILED;
        }
        print_device(device, &spec);
    }
    return TOOL_OK;
}

static int print_all(haly_instance *instance)
{
    const int devices_known = print_backends(instance);
    const int result = print_devices(instance);
    return devices_known != TOOL_OK ? devices_known : result;
}

int command_info(int argc, char **argv)
{
    int result = TOOL_OK;
    bool complained = false;
    if (!options_read(&help, argc, argv, &result))
        return result;
    if (as_json + show_env + show_ops > 1) {
        fprintf(stderr, "halyard: --json, --env and --ops exclude each other\nusage: %s\n", help.usage);
        return TOOL_USAGE;
    }
    haly_instance *instance = instance_open_anyway(complain, &complained);
    if (instance == NULL)
        return TOOL_FAILED;
    if (as_json)
        result = info_json(instance, stdout);
    else if (show_env)
        result = info_env(instance);
    else if (show_ops && !complained) /* operators of another device than the one that was asked for would mislead */
        result = info_ops(instance);
    else if (show_ops)
        result = TOOL_FAILED;
    else
        result = print_all(instance);
    haly_instance_release(instance);
    return complained ? TOOL_FAILED : result;
}
