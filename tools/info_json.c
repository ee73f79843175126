/* SPDX-License-Identifier: Apache-2.0 */
/* `halyard info --json`: what the tables show, for programs. Keys are only ever added. Bytes are numbers, types and
 * capabilities arrays of names. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static json_t *dtype_array(uint64_t bits)
{
    json_t *array = json_array();
    for (int i = 1; i < 64; i++)
        if ((bits >> i & 1) != 0)
            json_array_append_new(array, json_string(haly_dtype_name((haly_dtype)i)));
    return array;
}

static json_t *capability_array(uint64_t bits)
{
    json_t *array = json_array();
    for (int i = 0; i < 64; i++) {
        const char *name = haly_capability_name(bits & UINT64_C(1) << i);
        if (name != NULL)
            json_array_append_new(array, json_string(name));
    }
    return array;
}

/* A path, a variable or a vendor's text may hold any bytes: those that are no UTF-8 show as U+FFFD, so that the text
 * does not go missing for them. */
static json_t *repaired(const char *text)
{
    static const char unknown[] = "\xef\xbf\xbd";
    const size_t length = strlen(text);
    char *clean = malloc(length * strlen(unknown) + 1);
    size_t used = 0;
    if (clean == NULL)
        return NULL;
    for (size_t at = 0; at < length;) {
        json_t *character = NULL;
        size_t bytes = 0;
        while (character == NULL && bytes < 4 && at + bytes < length)
            character = json_stringn(text + at, ++bytes);
        if (character == NULL)
            bytes = 1;
        const char *shown = character != NULL ? text + at : unknown;
        const size_t shown_bytes = character != NULL ? bytes : strlen(unknown);
        memcpy(clean + used, shown, shown_bytes);
        used += shown_bytes;
        at += bytes;
        json_decref(character);
    }
    json_t *whole = json_stringn(clean, used);
    free(clean);
    return whole;
}

static void add_text(json_t *object, const char *key, const char *text)
{
    json_t *whole = json_string(text);
    json_object_set_new(object, key, whole != NULL ? whole : repaired(text));
}

/* JSON's readers, and this writer, keep 63 bits: what needs the 64th is a limit beyond all bounds. */
static json_t *number_of(uint64_t number)
{
    return json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number);
}

static void add_number(json_t *object, const char *key, uint64_t number)
{
    json_object_set_new(object, key, number_of(number));
}

static json_t *sample_object(haly_device *device)
{
    haly_device_sample sample = {HALY_DEVICE_SAMPLE_INIT};
    json_t *object = json_object();
    if (haly_device_sample_get(device, &sample) != HALY_OK)
        return object;
    if ((sample.valid & HALY_SAMPLE_MEMORY) != 0) {
        add_number(object, "memory_free_bytes", sample.memory_free_bytes);
        add_number(object, "memory_used_bytes", sample.memory_used_bytes);
    }
    if ((sample.valid & HALY_SAMPLE_UTILISATION) != 0)
        add_number(object, "utilisation_percent", sample.utilisation_percent);
    if ((sample.valid & HALY_SAMPLE_TEMPERATURE) != 0)
        add_number(object, "temperature_celsius", sample.temperature_celsius);
    if ((sample.valid & HALY_SAMPLE_POWER) != 0)
        add_number(object, "power_milliwatts", sample.power_milliwatts);
    if ((sample.valid & HALY_SAMPLE_CLOCK) != 0)
        add_number(object, "clock_mhz", sample.clock_mhz);
    add_number(object, "time_ns", sample.time_ns);
    return object;
}

static json_t *uuid_text(const uint8_t uuid[16])
{
    char text[33];
    bool known = false;
    for (size_t i = 0; i < 16; i++) {
        snprintf(text + 2 * i, 3, "%02x", uuid[i]);
        known = known || uuid[i] != 0;
    }
    return json_string(known ? text : "");
}

static void add_identity(json_t *object, const haly_device_spec *spec)
{
    add_text(object, "backend", spec->backend);
    add_number(object, "index", spec->index);
    add_text(object, "name", spec->name);
    add_text(object, "kind", text_device_kind(spec->kind));
    add_text(object, "vendor", spec->vendor);
    add_text(object, "architecture", spec->architecture);
    add_text(object, "driver", spec->driver);
    add_text(object, "pci", spec->pci);
    json_object_set_new(object, "uuid", uuid_text(spec->uuid));
    add_number(object, "package", spec->package_id);
    add_number(object, "die", spec->die_index);
    json_object_set_new(object, "numa_node", json_integer(spec->numa_node));
    add_number(object, "score", spec->score);
}

static void add_limits(json_t *object, const haly_device_spec *spec)
{
    json_t *group = json_array(), *grid = json_array();
    for (int i = 0; i < 3; i++) {
        json_array_append_new(group, json_integer(spec->max_group[i]));
        json_array_append_new(grid, number_of(spec->max_grid[i]));
    }
    add_number(object, "compute_units", spec->compute_units);
    add_number(object, "clock_mhz", spec->clock_mhz);
    add_number(object, "cache_bytes", spec->cache_bytes);
    add_number(object, "memory_bytes", spec->memory_bytes);
    add_number(object, "max_allocation_bytes", spec->max_allocation_bytes);
    add_number(object, "allocation_alignment", spec->allocation_alignment);
    add_number(object, "max_group_items", spec->max_group_items);
    json_object_set_new(object, "max_group", group);
    json_object_set_new(object, "max_grid", grid);
    add_number(object, "local_memory_bytes", spec->local_memory_bytes);
    add_number(object, "max_argument_bytes", spec->max_argument_bytes);
    add_number(object, "max_streams", spec->max_streams);
    json_object_set_new(object, "capabilities", capability_array(spec->capabilities));
    json_object_set_new(object, "storage_dtypes", dtype_array(spec->storage_dtypes));
    json_object_set_new(object, "compute_dtypes", dtype_array(spec->compute_dtypes));
    json_object_set_new(object, "matmul_dtypes", dtype_array(spec->matmul_dtypes));
}

static json_t *backend_array(haly_instance *instance)
{
    json_t *array = json_array();
    uint32_t count = 0;
    if (haly_backend_count(instance, &count) != HALY_OK)
        return array;
    for (uint32_t i = 0; i < count; i++) {
        haly_backend_info info = {HALY_BACKEND_INFO_INIT};
        json_t *object = json_object();
        if (haly_backend_info_get(instance, i, &info) == HALY_OK) {
            add_text(object, "name", info.name);
            add_text(object, "state", text_backend_state(info.state));
            add_text(object, "status", haly_status_name(info.status));
            add_text(object, "reason", info.reason);
            add_number(object, "device_count", info.device_count);
            add_text(object, "version", info.version);
            add_text(object, "path", info.path);
            add_number(object, "abi_major", info.abi_major);
            add_number(object, "abi_minor", info.abi_minor);
        }
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *device_array(haly_instance *instance)
{
    json_t *array = json_array();
    uint32_t count = 0;
    if (haly_device_count(instance, &count) != HALY_OK) {
        haly_error_print(stderr);
        return array;
    }
    for (uint32_t i = 0; i < count; i++) {
        haly_device *device = NULL;
        haly_device_spec spec = {HALY_DEVICE_SPEC_INIT};
        json_t *object = json_object();
        if (haly_device_get(instance, i, &device) == HALY_OK && haly_device_spec_get(device, &spec) == HALY_OK) {
            add_identity(object, &spec);
            add_limits(object, &spec);
            json_object_set_new(object, "sample", sample_object(device));
        }
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *param_array(haly_instance *instance)
{
    json_t *array = json_array();
    uint32_t count = 0;
    if (haly_param_count(instance, &count) != HALY_OK)
        return array;
    for (uint32_t i = 0; i < count; i++) {
        haly_param_info info = {HALY_PARAM_INFO_INIT};
        json_t *object = json_object();
        if (haly_param_info_get(instance, i, &info) == HALY_OK) {
            add_text(object, "name", info.name);
            add_text(object, "variable", info.variable);
            add_text(object, "value", info.value);
            add_text(object, "source", info.source);
            if (refused_value(info.variable) != NULL)
                add_text(object, "refused", refused_value(info.variable));
            add_text(object, "default", info.default_value);
            add_text(object, "grammar", info.type);
            add_text(object, "help", info.help);
        }
        json_array_append_new(array, object);
    }
    return array;
}

int info_json(haly_instance *instance, FILE *file)
{
    json_t *root = json_object();
    add_text(root, "version", haly_version_text());
    json_t *devices = device_array(instance); /* first: it shows what backends are worth */
    json_object_set_new(root, "backends", backend_array(instance));
    json_object_set_new(root, "devices", devices);
    json_object_set_new(root, "parameters", param_array(instance));
    const int failed = root == NULL || json_dumpf(root, file, JSON_INDENT(2)) != 0;
    json_decref(root);
    if (failed) {
        fprintf(stderr, "halyard: cannot write JSON\n");
        return TOOL_FAILED;
    }
    fputc('\n', file);
    return TOOL_OK;
}
