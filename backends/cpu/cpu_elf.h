/* SPDX-License-Identifier: Apache-2.0 */
/* A look at an ELF image before the dynamic linker gets it, which trusts what it reads. */
#ifndef CPU_ELF_H
#define CPU_ELF_H

#include <stdbool.h>
#include <stddef.h>

#include "cpu_core.h"

/* Whether the bytes begin like an ELF file. */
bool cpu_elf_is(const void *image, size_t bytes);

/* HALY_OK for a whole shared object for this machine; HALY_ERR_CORRUPT (truncated, contradicts itself);
 * HALY_ERR_UNSUPPORTED (names both machines, or the kind of file). */
haly_status cpu_elf_check(const void *image, size_t bytes);

#endif
