/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `halyard info --json` on an instance whose texts are any bytes. What comes out is JSON to a reader that is not the
 * writer's, numbers are never negative, and odd bytes make nothing go missing: there is as much of everything as with
 * letters in their place.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_markup.h"
#include "tool.h"

enum { MOST = 4, TEXTS = 7 };

/* One thing that the instance lists: a backend, a device or a parameter. */
struct thing {
    char *texts[TEXTS];
    uint64_t numbers[4];
};

static struct thing things[3][MOST];
static uint32_t counts[3];
enum { BACKENDS, DEVICES, PARAMS };

/* ---- the library, as far as the command asks it ---- */

static void copy_text(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text);
}

haly_status haly_backend_count(haly_instance *instance, uint32_t *out_count)
{
    (void)instance;
    *out_count = counts[BACKENDS];
    return HALY_OK;
}

haly_status haly_backend_info_get(haly_instance *instance, uint32_t index, haly_backend_info *out_info)
{
    (void)instance;
    const struct thing *thing = &things[BACKENDS][index];
    *out_info = (haly_backend_info){HALY_BACKEND_INFO_INIT,
                                    .state = (haly_backend_state)(thing->numbers[0] & 7),
                                    .status = (haly_status)(thing->numbers[1] & 0xfff),
                                    .device_count = (uint32_t)thing->numbers[2],
                                    .name = thing->texts[0],
                                    .version = thing->texts[1],
                                    .path = thing->texts[2],
                                    .reason = thing->texts[3],
                                    .abi_major = (uint16_t)thing->numbers[3]};
    return HALY_OK;
}

haly_status haly_device_count(haly_instance *instance, uint32_t *out_count)
{
    (void)instance;
    *out_count = counts[DEVICES];
    return HALY_OK;
}

haly_status haly_device_get(haly_instance *instance, uint32_t index, haly_device **out_device)
{
    (void)instance;
    *out_device = (haly_device *)&things[DEVICES][index];
    return HALY_OK;
}

haly_status haly_device_spec_get(haly_device *device, haly_device_spec *out_spec)
{
    const struct thing *thing = (const struct thing *)device;
    haly_device_spec spec = {HALY_DEVICE_SPEC_INIT,
                             .kind = (haly_device_kind)(thing->numbers[0] & 7),
                             .index = (uint32_t)thing->numbers[1],
                             .capabilities = thing->numbers[2],
                             .memory_bytes = thing->numbers[3],
                             .max_allocation_bytes = thing->numbers[0],
                             .max_grid = {thing->numbers[0], thing->numbers[1], thing->numbers[3]},
                             .storage_dtypes = thing->numbers[1],
                             .compute_dtypes = thing->numbers[2],
                             .matmul_dtypes = thing->numbers[3]};
    copy_text(spec.backend, sizeof spec.backend, thing->texts[0]);
    copy_text(spec.name, sizeof spec.name, thing->texts[1]);
    copy_text(spec.vendor, sizeof spec.vendor, thing->texts[2]);
    copy_text(spec.architecture, sizeof spec.architecture, thing->texts[3]);
    copy_text(spec.driver, sizeof spec.driver, thing->texts[4]);
    copy_text(spec.pci, sizeof spec.pci, thing->texts[5]);
    memcpy(spec.uuid, thing->numbers, sizeof spec.uuid);
    *out_spec = spec;
    return HALY_OK;
}

haly_status haly_device_sample_get(haly_device *device, haly_device_sample *out_sample)
{
    const struct thing *thing = (const struct thing *)device;
    *out_sample = (haly_device_sample){HALY_DEVICE_SAMPLE_INIT, .valid = (uint32_t)thing->numbers[0],
                                       .memory_free_bytes = thing->numbers[1], .memory_used_bytes = thing->numbers[2],
                                       .utilisation_percent = (uint32_t)thing->numbers[3]};
    return (thing->numbers[0] & 1) != 0 ? HALY_OK : HALY_ERR_UNSUPPORTED;
}

haly_status haly_param_count(haly_instance *instance, uint32_t *out_count)
{
    (void)instance;
    *out_count = counts[PARAMS];
    return HALY_OK;
}

haly_status haly_param_info_get(haly_instance *instance, uint32_t index, haly_param_info *out_info)
{
    (void)instance;
    char *const *texts = things[PARAMS][index].texts;
    *out_info =
        (haly_param_info){HALY_PARAM_INFO_INIT, .name = texts[0],          .variable = texts[1], .type = texts[2],
                          .help = texts[3],     .default_value = texts[4], .value = texts[5],    .source = texts[6]};
    return HALY_OK;
}

const char *haly_version_text(void)
{
    return "1.0.0";
}

const char *haly_status_name(haly_status status)
{
    return status == HALY_OK ? "HALY_OK" : "HALY_ERR";
}

/* The command's own: some variables were refused. */
const char *refused_value(const char *variable)
{
    return strlen(variable) % 2 != 0 ? variable : NULL;
}

const char *haly_capability_name(uint64_t capability)
{
    return capability != 0 && capability < 1000 ? "kernels" : NULL;
}

const char *haly_dtype_name(haly_dtype dtype)
{
    return dtype < 20 ? "f32" : "unknown";
}

void haly_error_print(FILE *file)
{
    (void)file;
    FUZZ_CHECK(false, "nothing fails here");
}

/* ---- an instance out of lines ---- */

static void free_things(void)
{
    for (int kind = BACKENDS; kind <= PARAMS; kind++)
        for (uint32_t i = 0; i < MOST; i++)
            for (int text = 0; text < TEXTS; text++)
                free(things[kind][i].texts[text]);
    memset(things, 0, sizeof things);
}

/* The first line says how many of each there are; each text is a line of its own, and each number eight of its bytes.
 */
static void make_things(const uint8_t *data, size_t size)
{
    memset(counts, 0, sizeof counts);
    for (int kind = BACKENDS; kind <= PARAMS && size > 0; kind++, data++, size--)
        counts[kind] = *data % (MOST + 1);
    for (int kind = BACKENDS; kind <= PARAMS; kind++)
        for (uint32_t i = 0; i < counts[kind]; i++)
            for (int text = 0; text < TEXTS; text++) {
                struct thing *thing = &things[kind][i];
                char *line = fuzz_line(&data, &size);
                thing->texts[text] = line != NULL ? line : fuzz_text("", 0);
                if (text < 4)
                    memcpy(&thing->numbers[text], thing->texts[text],
                           strlen(thing->texts[text]) < 8 ? strlen(thing->texts[text]) : 8);
            }
}

static void replace_odd_bytes(void)
{
    for (int kind = BACKENDS; kind <= PARAMS; kind++)
        for (uint32_t i = 0; i < counts[kind]; i++)
            for (int text = 0; text < TEXTS; text++)
                for (char *at = things[kind][i].texts[text]; *at != '\0'; at++)
                    *at = (unsigned char)*at >= 0x80 || (unsigned char)*at < 0x20 ? 'x' : *at;
}

static struct fuzz_markup write_and_read(void)
{
    char *text = NULL;
    size_t size = 0;
    struct fuzz_markup found;
    FILE *file = open_memstream(&text, &size);
    FUZZ_CHECK(file != NULL, "out of memory");
    FUZZ_CHECK(info_json(NULL, file) == TOOL_OK && fclose(file) == 0, "nothing was written");
    FUZZ_CHECK(fuzz_read_json(text, size, &found), "no JSON: %s", text);
    FUZZ_CHECK(found.negatives == 0, "a negative number: %s", text);
    free(text);
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    make_things(data, size);
    const struct fuzz_markup odd = write_and_read();
    replace_odd_bytes();
    const struct fuzz_markup plain = write_and_read();
    FUZZ_CHECK(odd.members == plain.members && odd.elements == plain.elements, "%zu members, without odd bytes %zu",
               odd.members, plain.members);
    free_things();
    return 0;
}
