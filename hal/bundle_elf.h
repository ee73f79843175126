/* SPDX-License-Identifier: Apache-2.0 */
/* The sections of a bundle, found by name with every bound checked. */
#ifndef HAL_BUNDLE_ELF_H
#define HAL_BUNDLE_ELF_H

#include "bundle.h"

struct bundle_section {
    const unsigned char *data; /* NULL: there is no such section */
    uint64_t size;
};

struct bundle_sections {
    struct bundle_section manifest;
    struct bundle_section images[BUNDLE_IMAGES_MAX]; /* image N at N - 1 */
};

/* HALY_ERR_CORRUPT names the section. */
haly_status bundle_sections_find(const char *label, const void *bytes, uint64_t size, struct bundle_sections *out);

/* Little-endian numbers at any address. */
uint16_t bundle_u16(const unsigned char *at);
uint32_t bundle_u32(const unsigned char *at);
uint64_t bundle_u64(const unsigned char *at);

#endif
