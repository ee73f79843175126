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

static void rank_image(haly_context *context, struct image *image)
{
    const haly_status status = context->backend->image_rank(context->block, &image->told, &image->rank);
    image->is_refused = status != HALY_OK;
    if (image->is_refused)
        text_set(image->why, sizeof image->why, "%s", error_detail()->message);
}

/* The higher rank first, the refused last; equals stay as the bundle has them. */
static int compare_images(const void *a, const void *b)
{
    const struct image *left = a, *right = b;
    if (left->is_refused != right->is_refused)
        return left->is_refused ? 1 : -1;
    if (left->rank != right->rank && !left->is_refused)
        return left->rank < right->rank ? 1 : -1;
    return left->number < right->number ? -1 : 1;
}

static haly_status take_bundle(struct image_set *set, const haly_module_desc *desc)
{
    if (desc->kernels != NULL)
        return FAIL(HALY_ERR_INVALID, "%s is a bundle, which has a table of its own; expected kernels to be NULL",
                    set->label);
    TRY(bundle_open(set->label, set->bytes, set->size, &set->bundle));
    set->table = set->bundle.table;
    set->bundle.table = NULL;
    TRY(make_images(set, set->bundle.image_count));
    for (uint32_t i = 0; i < set->count; i++) {
        const struct bundle_image *from = &set->bundle.images[i];
        struct image *image = &set->images[i];
        image->number = from->number;
        text_set(image->label, sizeof image->label, "%s, image %u", set->label, from->number);
        image->told = (haly_backend_image){.format = from->format,
                                           .data = from->data,
                                           .size = from->size,
                                           .architecture = from->architecture,
                                           .minimum_version = from->minimum_version,
                                           .options = from->options,
                                           .ext = desc->ext};
    }
    return HALY_OK;
}

static haly_status open_images(haly_context *context, const haly_module_desc *desc, struct image_set *set)
{
    haly_module_format format = desc->format;
    if (format != HALY_MODULE_OPERATORS) {
        TRY(image_file_read(desc, set->label, &set->bytes, &set->size));
        TRY(settle_format(set, &format));
    }
    const bool is_bundle = format == HALY_MODULE_BUNDLE;
    TRY(is_bundle ? take_bundle(set, desc) : take_single(set, desc, format));
    finish_images(set);
    const haly_error before = *error_detail();
    for (uint32_t i = 0; is_bundle && i < set->count; i++)
        rank_image(context, &set->images[i]);
    *error_detail() = before; /* a refusal is an answer here */
    qsort(set->images, set->count, sizeof *set->images, compare_images);
    return HALY_OK;
}

/* Of a long path the end says more than the beginning. */
static void make_label(const haly_module_desc *desc, char *label, size_t size)
{
    char path[200];
    if (desc->data != NULL || desc->path == NULL) {
        text_set(label, size, "the module in memory");
        return;
    }
    const size_t length = strlen(desc->path), cut = length < sizeof path ? 0 : length - (sizeof path - 1);
    text_printable(path, sizeof path, desc->path + cut, SIZE_MAX);
    text_set(label, size, "the module \"%s%s\"", cut > 0 ? "..." : "", path);
}

haly_status image_set_open(haly_context *context, const haly_module_desc *desc, struct image_set *out_set)
{
    memset(out_set, 0, sizeof *out_set);
    make_label(desc, out_set->label, sizeof out_set->label);
    const haly_status status = open_images(context, desc, out_set);
    if (status != HALY_OK) {
        image_set_close(out_set);
        free(out_set->table);
    }
    return status;
}

/* Images of a bundle get the 0 behind them that backends may rely on. */
static haly_status load_image(haly_context *context, const struct image_set *set, const struct image *image,
                              void *block)
{
    haly_backend_image told = image->told;
    char *copy = NULL;
    if (set->bundle.images != NULL) {
        copy = malloc(told.size + 1);
        if (copy == NULL)
            return fail_host_oom("a copy of an image", told.size + 1);
        memcpy(copy, told.data, told.size);
        copy[told.size] = '\0';
        told.data = copy;
    }
    const uint64_t serial = error_serial();
    haly_status status = context->backend->module_load(context->block, block, &told);
    if (status != HALY_OK)
        status = context_failed(context, serial, status);
    free(copy);
    return status;
}

static haly_status load_best(haly_context *context, struct image_set *set, void *block)
{
    haly_status first = HALY_OK;
    haly_error why = {HALY_ERROR_INIT};
    for (uint32_t i = 0; i < set->count && !set->images[i].is_refused; i++) {
        const haly_status status = load_image(context, set, &set->images[i], block);
        if (status == HALY_OK)
            return HALY_OK;
        memset(block, 0, context->backend->module_size);
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
    bundle_close(&set->bundle);
    set->bytes = NULL;
    set->images = NULL;
    set->count = 0;
}
