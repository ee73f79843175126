/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at a shared object's headers before the dynamic linker maps it. */
#define _GNU_SOURCE
#include "elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text.h"

/* The header of the object that this code is in; the link editor defines it. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

static bool read_at(int file, uint64_t offset, void *out, size_t size)
{
    ssize_t got;
    if (offset > INT64_MAX)
        return false;
    do {
        got = pread(file, out, size, (off_t)offset);
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)size;
}

/* Magic number, class, byte order and version are those of this process. */
static bool is_of_our_kind(const ElfW(Ehdr) * header)
{
    return memcmp(header->e_ident, __ehdr_start.e_ident, EI_VERSION + 1) == 0 &&
           header->e_phentsize == sizeof(ElfW(Phdr));
}

static haly_status check_segments(int file, const ElfW(Ehdr) * header, uint64_t size, char *why, size_t why_size)
{
    for (uint32_t i = 0; i < header->e_phnum; i++) {
        ElfW(Phdr) segment;
        if (!read_at(file, header->e_phoff + (uint64_t)i * sizeof segment, &segment, sizeof segment))
            return HALY_OK;
        if (segment.p_type != PT_LOAD || segment.p_filesz == 0 ||
            (segment.p_offset <= size && segment.p_filesz <= size - segment.p_offset))
            continue;
        text_set(why, why_size,
                 "its file is cut short: segment %u has %" PRIu64 " bytes from byte %" PRIu64
                 " on, and the file ends at %" PRIu64,
                 i, (uint64_t)segment.p_filesz, (uint64_t)segment.p_offset, size);
        return HALY_ERR_CORRUPT;
    }
    return HALY_OK;
}

static haly_status check(int file, char *why, size_t why_size)
{
    struct stat info;
    ElfW(Ehdr) header;
    if (fstat(file, &info) != 0 || !read_at(file, 0, &header, sizeof header) || !is_of_our_kind(&header))
        return HALY_OK;
    if (header.e_machine != __ehdr_start.e_machine) {
        text_set(why, why_size, "its file was made for another machine (ELF number %u; this one has %u)",
                 header.e_machine, __ehdr_start.e_machine);
        return HALY_ERR_UNAVAILABLE;
    }
    return check_segments(file, &header, (uint64_t)info.st_size, why, why_size);
}

haly_status elf_file_check(const char *path, char *why, size_t why_size)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return HALY_OK;
    const haly_status status = check(file, why, why_size);
    close(file);
    return status;
}
