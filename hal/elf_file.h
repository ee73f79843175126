/* SPDX-License-Identifier: Apache-2.0 */
/* What the dynamic linker takes for granted of a file, or says badly. */
#ifndef HAL_ELF_FILE_H
#define HAL_ELF_FILE_H

#include <stddef.h>

#include <halyard/error.h>

/*
 * Looks at a shared object before the dynamic linker does. Of a file that was cut short (a full disk, a copy that was
 * interrupted) the linker maps pages that are not there, and the process dies of the first touch; of one made for
 * another machine it says that there is no such file. Whatever else may be wrong the linker says itself, so a file that
 * cannot be read, or is no ELF file of this class and byte order, passes here.
 * @return HALY_OK; HALY_ERR_CORRUPT (cut short); HALY_ERR_UNAVAILABLE (another machine); `why` is one sentence then.
 */
haly_status elf_file_check(const char *path, char *why, size_t why_size);

#endif
