/* SPDX-License-Identifier: Apache-2.0 */
/* Giving a shared object to the dynamic linker, from memory or from a file. */
#ifndef CPU_IMAGE_H
#define CPU_IMAGE_H

#include "cpu_core.h"

/* Loads from memory. *out_descriptor must stay open until the handle is closed. */
haly_status cpu_image_open_memory(const void *data, uint64_t bytes, void **out_handle, int *out_descriptor);

/* Loads from a file; `path` may be relative or a link. */
haly_status cpu_image_open_file(const char *path, void **out_handle);

#endif
