/* SPDX-License-Identifier: Apache-2.0 */
/* What a module's description comes to: one image, or those of a bundle, in the order in which to try them. */
#ifndef HAL_IMAGE_H
#define HAL_IMAGE_H

#include "bundle.h"
#include "context.h"
#include "kernel_table.h"

#include <halyard/backend.h>

/* One image, and what the device thinks of it. */
struct image {
    haly_backend_image told; /* what the backend gets */
    uint32_t number;         /* in its bundle */
    uint32_t rank;
    bool is_refused;
    char label[sizeof(((haly_module_desc *)0)->name) + 280];
    char why[256]; /* when refused */
};

struct image_set {
    char *bytes; /* a copy of the module with a 0 behind it, which all images point into; NULL for operator kernels */
    uint64_t size;
    char label[256];            /* the file, or "the module in memory" */
    struct kernel_table *table; /* NULL: the image itself says what its kernels are like */
    struct image *images;       /* the best first, the refused last */
    uint32_t count;
    struct bundle bundle; /* of no images when it is none */
};

/* Reads the module and settles its format; asks the device about a bundle's images. Checked description. */
haly_status image_set_open(haly_context *context, const haly_module_desc *desc, struct image_set *out_set);

/* Gives the backend one image after the other until it takes one. The failure of the best is told. */
haly_status image_set_load(haly_context *context, struct image_set *set, void *block);

/* What the images point into, no longer needed once one was loaded. The table stays: its user frees it. */
void image_set_close(struct image_set *set);

/* "host object", "source"; NULL for what is no format. */
const char *image_format_name(haly_module_format format);

#endif
