/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a module, and what they are. */
#ifndef HAL_IMAGE_FILE_H
#define HAL_IMAGE_FILE_H

#include "error.h"

#include <halyard/module.h>

#define MODULE_BYTES_MAX ((uint64_t)1 << 30)

/* Copies the module from memory or file, with a 0 byte behind it; to free(). `label` names it in messages. */
haly_status image_file_read(const haly_module_desc *desc, const char *label, char **out_bytes, uint64_t *out_size);

/* Whether a format is an ELF file. */
bool image_file_is_elf(haly_module_format format);

/* What bytes are, told from how they begin; HALY_MODULE_AUTO when that says nothing. An ELF object that is not a bundle
 * is what its machine says. */
haly_module_format image_file_format(const char *bytes, uint64_t size);

#endif
