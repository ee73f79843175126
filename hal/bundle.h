/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel bundles: one table of kernels, and images of them for several targets, in an ELF file that holds nothing but
 * sections of ours, or in any other ELF64 file to which they were added (readelf and objcopy work on both).
 *
 * All numbers are little-endian, as is the ELF file. A text is u16 length and that many printable ASCII bytes.
 *
 * Section .haly.manifest: "HALB", u16 major (1), u16 minor, then records to its end, each
 *     u16 tag, u16 flags (1: a reader that does not know the tag skips it), u32 bytes, and the bytes:
 *   tag 1, a kernel: text name; u32 argument bytes; u32 group size [3] (0: any); u32 largest number of items (0: not
 *     known); u32 bytes of local memory; u32 flags (enum haly_kernel_flags); u16 arguments; for each argument
 *     u32 offset, u32 size, u8 is an address, u8 is only read, u16 0
 *   tag 2, an image: u32 format (haly_module_format); u32 number N; u64 size; SHA-256 of its content; texts:
 *     architecture, minimum version of driver, runtime or language, options for the compiler
 * Section .haly.image.N: the content of image N. Sections are SHT_PROGBITS, not compressed, not loaded.
 *
 * A later minor version may append to a record's bytes; a later major version is refused.
 */
#ifndef HAL_BUNDLE_H
#define HAL_BUNDLE_H

#include "kernel_table.h"

#define BUNDLE_MAJOR 1U
#define BUNDLE_MINOR 0U
#define BUNDLE_RECORD_KERNEL 1U /* tags */
#define BUNDLE_RECORD_IMAGE 2U
#define BUNDLE_IMAGES_MAX 256U
#define BUNDLE_TEXT_MAX 255U
#define BUNDLE_MANIFEST_MAX ((uint64_t)16 << 20)
#define BUNDLE_MANIFEST_SECTION ".haly.manifest"
#define BUNDLE_IMAGE_SECTION ".haly.image." /* and the number */

/* One image; texts are never NULL. */
struct bundle_image {
    haly_module_format format;
    uint32_t number;
    const char *architecture, *minimum_version, *options;
    const char *data; /* in the bundle's bytes, with no 0 behind it */
    uint64_t size;
};

struct bundle {
    struct kernel_table *table; /* NULL: no kernels */
    struct bundle_image *images;
    uint32_t image_count;
    char *texts; /* that images point at */
};

/*
 * Reads a bundle whose bytes stay as they are while it is open. All is checked first: a bundle that opens has whole
 * sections, sound tables and contents with the hashes that its manifest names. `label` is the file's name in messages.
 * HALY_ERR_CORRUPT names section, kernel or argument and what was expected; HALY_ERR_VERSION: written by a later major
 * version; HALY_ERR_UNSUPPORTED: it needs a record or image format of a later version; HALY_ERR_HOST_OOM.
 */
haly_status bundle_open(const char *label, const void *bytes, uint64_t size, struct bundle *out_bundle);
void bundle_close(struct bundle *bundle);

/*
 * Writes a bundle: the same input gives the same bytes. Kernels are checked as for reading; images need format, data,
 * size and texts, their numbers are given from 1. The result is to free().
 */
haly_status bundle_write(const char *label, const haly_kernel_info *kernels, uint32_t kernel_count,
                         const struct bundle_image *images, uint32_t image_count, void **out_bytes, uint64_t *out_size);

#endif
