/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choosing among images. A single image goes to the backend as it is; of a bundle the backend ranks each by what is
 * said of it, and the core tries them from the highest rank down.
 */
#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image_file.h"
#include "instance.h"
#include "param.h"
#include "text.h"

const char *image_format_name(haly_module_format format)
{
#define ROW(format_, name_, machine_)                                                                                  \
    case format_:                                                                                                      \
        return name_;
    switch (format) {
        HALY_MODULE_FORMATS(ROW)
    case HALY_MODULE_OPERATORS:
        return "operator kernels";
    default:
        return NULL;
    }
#undef ROW
}

/* Settles what the bytes are. A format that was named must not contradict what they say by themselves. */
static haly_status settle_format(const struct image_set *set, haly_module_format *format)
{
    const unsigned char *start = (const unsigned char *)set->bytes;
    const haly_module_format seen = image_file_format(set->bytes, set->size);
    const bool is_known = seen != HALY_MODULE_AUTO, wants_elf = image_file_is_elf(*format);
    if (*format == HALY_MODULE_AUTO && is_known) {
        *format = seen;
        return HALY_OK;
    }
    if (*format == HALY_MODULE_AUTO)
        return FAIL(HALY_ERR_UNSUPPORTED,
                    "%s begins with %02x %02x %02x %02x, which is no format that tells itself; this version loads ELF "
                    "(7f 45 4c 46), SPIR-V and sources",
                    set->label, start[0], start[1], start[2], start[3]);
    if (wants_elf && memcmp(start, "\177ELF", 4) != 0)
        return FAIL(HALY_ERR_CORRUPT, "%s begins with %02x %02x %02x %02x; a %s is ELF (7f 45 4c 46)", set->label,
                    start[0], start[1], start[2], start[3], image_format_name(*format));
    if (*format == HALY_MODULE_BUNDLE && seen != HALY_MODULE_BUNDLE)
        return FAIL(HALY_ERR_CORRUPT, "%s has no section .haly.manifest, as a bundle does", set->label);
    return HALY_OK;
}

static haly_status make_images(struct image_set *set, uint32_t count)
{
    set->images = calloc(count, sizeof *set->images);
    if (set->images == NULL)
        return fail_host_oom("a module's images", count * sizeof *set->images);
    set->count = count;
    return HALY_OK;
}

static haly_status take_single(struct image_set *set, const haly_module_desc *desc, haly_module_format format)
{
    TRY(make_images(set, 1));
    if (desc->kernel_count > 0)
        TRY(kernel_table_copy(set->label, desc->kernels, desc->kernel_count,
                              desc->kernel_size != 0 ? desc->kernel_size : (uint32_t)sizeof *desc->kernels,
                              &set->table));
    text_set(set->images->label, sizeof set->images->label, "%s", set->label);
    set->images->told = (haly_backend_image){.format = format,
                                             .data = set->bytes,
                                             .size = set->size,
                                             .path = desc->data == NULL ? desc->path : NULL,
                                             .architecture = "",
                                             .minimum_version = "",
                                             .options = "",
                                             .ext = desc->ext};
    return HALY_OK;
}

/* What all images share. */
static void finish_images(struct image_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        haly_backend_image *told = &set->images[i].told;
        told->struct_size = sizeof *told;
        told->label = set->images[i].label;
        told->kernel_size = sizeof *told->kernels;
        if (set->table != NULL) {
            told->kernels = set->table->kernels;
            told->kernel_count = set->table->count;
        }
    }
}

static haly_status open_images(haly_context *context, const haly_module_desc *desc, struct image_set *set)
{
    haly_module_format format = desc->format;
    (void)context;
    if (format != HALY_MODULE_OPERATORS) {
        TRY(image_file_read(desc, set->label, &set->bytes, &set->size));
        TRY(settle_format(set, &format));
    }
    if (format == HALY_MODULE_BUNDLE)
        return FAIL(HALY_ERR_UNSUPPORTED, "%s is a bundle", set->label);
    TRY(take_single(set, desc, format));
    finish_images(set);
    return HALY_OK;
}

haly_status image_set_open(haly_context *context, const haly_module_desc *desc, struct image_set *out_set)
{
    memset(out_set, 0, sizeof *out_set);
    if (desc->data == NULL && desc->path != NULL)
        text_set(out_set->label, sizeof out_set->label, "the module \"%s\"", PRINTABLE(desc->path));
    else
        text_set(out_set->label, sizeof out_set->label, "the module in memory");
    const haly_status status = open_images(context, desc, out_set);
    if (status != HALY_OK) {
        image_set_close(out_set);
        free(out_set->table);
    }
    return status;
}

static haly_status load_best(haly_context *context, struct image_set *set, void *block)
{
    haly_status first = HALY_OK;
    haly_error why = {HALY_ERROR_INIT};
    for (uint32_t i = 0; i < set->count && !set->images[i].is_refused; i++) {
        const uint64_t serial = error_serial();
        const haly_status status = context->backend->module_load(context->block, block, &set->images[i].told);
        set->loaded = i;
        if (status == HALY_OK)
            return HALY_OK;
        context_failed(context, serial, status);
        if (first == HALY_OK) {
            first = status;
            why = *error_detail();
        }
    }
    return first != HALY_OK ? error_restore(&why)
                            : FAIL(HALY_ERR_UNSUPPORTED, "%s has no image for device %s:%u (%s)", set->label,
                                   context->device->spec.backend, context->device->spec.index,
                                   set->count > 0 ? set->images[0].why : "it has none at all");
}

haly_status image_set_load(haly_context *context, struct image_set *set, void *block)
{
    const struct params *before = param_scope(instance_params(context->instance)); /* where results are kept */
    const haly_status status = load_best(context, set, block);
    param_scope(before);
    return status;
}

void image_set_close(struct image_set *set)
{
    free(set->bytes);
    free(set->images);
    set->bytes = NULL;
    set->images = NULL;
    set->count = 0;
}
