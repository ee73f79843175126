/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel sources become shared objects of this machine: from the cache, or through the system's C compiler. */
#ifndef CPU_COMPILE_H
#define CPU_COMPILE_H

#include <stdbool.h>

#include "cpu_core.h"
#include "cpu_isa.h"

/* Whether there is a compiler to run; `path` receives it, or why there is none. */
bool cpu_compiler_find(char *path, size_t path_size);

/*
 * Compiles a source image. The object comes from malloc(). HALY_ERR_UNAVAILABLE: no compiler; HALY_ERR_INVALID: it
 * refused the source, with its words. Blocks as long as the compiler runs.
 */
haly_status cpu_compile(const haly_backend_image *image, enum cpu_isa isa, void **out_object, uint64_t *out_size);

#endif
