/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/* Reading modules. A file is read whole: what is mapped could change or shrink between a check and its use. */
#include "image_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static haly_status fail_file(const char *label, const char *what)
{
    const int error = errno;
    return FAIL_ERRNO(error, "%s cannot be %s: %s", label, what, strerror(error));
}

static haly_status check_size(const char *label, uint64_t size)
{
    if (size < 4)
        return FAIL(HALY_ERR_CORRUPT, "%s has %llu bytes, too few for any format", label, (unsigned long long)size);
    if (size > MODULE_BYTES_MAX)
        return FAIL(HALY_ERR_CORRUPT, "%s has %llu bytes; expected at most %llu", label, (unsigned long long)size,
                    (unsigned long long)MODULE_BYTES_MAX);
    return HALY_OK;
}

static haly_status read_all(int file, const char *label, char *bytes, uint64_t size)
{
    for (uint64_t at = 0; at < size;) {
        const ssize_t count = read(file, bytes + at, (size_t)(size - at));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return fail_file(label, "read");
        if (count == 0)
            return FAIL(HALY_ERR_IO, "%s ended at byte %llu of %llu while it was read", label, (unsigned long long)at,
                        (unsigned long long)size);
        at += (uint64_t)count;
    }
    return HALY_OK;
}

static haly_status read_open(int file, const char *label, char **out_bytes, uint64_t *out_size)
{
    struct stat about;
    if (fstat(file, &about) != 0)
        return fail_file(label, "looked at");
    if (!S_ISREG(about.st_mode))
        return FAIL(HALY_ERR_IO, "%s is not a regular file", label);
    const uint64_t size = (uint64_t)about.st_size;
    TRY(check_size(label, size));
    char *bytes = malloc(size + 1);
    if (bytes == NULL)
        return fail_host_oom("a module's file", size + 1);
    const haly_status status = read_all(file, label, bytes, size);
    if (status != HALY_OK) {
        free(bytes);
        return status;
    }
    bytes[size] = '\0';
    *out_bytes = bytes;
    *out_size = size;
    return HALY_OK;
}

static haly_status copy_memory(const haly_module_desc *desc, const char *label, char **out_bytes)
{
    TRY(check_size(label, desc->size));
    char *bytes = malloc(desc->size + 1);
    if (bytes == NULL)
        return fail_host_oom("a copy of a module", desc->size + 1);
    memcpy(bytes, desc->data, desc->size);
    bytes[desc->size] = '\0';
    *out_bytes = bytes;
    return HALY_OK;
}

haly_status image_file_read(const haly_module_desc *desc, const char *label, char **out_bytes, uint64_t *out_size)
{
    if (desc->data != NULL) {
        TRY(copy_memory(desc, label, out_bytes));
        *out_size = desc->size;
        return HALY_OK;
    }
    const int file = open(desc->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return fail_file(label, "opened");
    const haly_status status = read_open(file, label, out_bytes, out_size);
    close(file);
    return status;
}

bool image_file_is_elf(haly_module_format format)
{
#define ROW(format_, name_, machine_) || ((machine_) != 0 && format == (format_))
    return format == HALY_MODULE_HOST_OBJECT || format == HALY_MODULE_BUNDLE HALY_MODULE_FORMATS(ROW);
#undef ROW
}

/* The kind of an ELF object by its machine, in the byte order that it is written in. */
static haly_module_format elf_format(const char *bytes, uint64_t size)
{
    const unsigned char *header = (const unsigned char *)bytes;
    if (size < 20)
        return HALY_MODULE_HOST_OBJECT; /* refused as one that is cut short */
    const bool is_big = header[EI_DATA] == ELFDATA2MSB;
    const unsigned machine = header[is_big ? 18 : 19] * 256U + header[is_big ? 19 : 18];
#define ROW(format_, name_, machine_)                                                                                  \
    if ((machine_) != 0 && machine == (machine_))                                                                      \
        return format_;
    HALY_MODULE_FORMATS(ROW)
#undef ROW
    return HALY_MODULE_HOST_OBJECT;
}

static bool contains(const char *bytes, uint64_t size, const char *text)
{
    return memmem(bytes, size, text, strlen(text)) != NULL;
}

haly_module_format image_file_format(const char *bytes, uint64_t size)
{
    static const char spirv_little[4] = {0x03, 0x02, 0x23, 0x07}, spirv_big[4] = {0x07, 0x23, 0x02, 0x03};
    if (size >= SELFMAG && memcmp(bytes, ELFMAG, SELFMAG) == 0)
        return contains(bytes, size, ".haly.manifest") ? HALY_MODULE_BUNDLE : elf_format(bytes, size);
    if (size >= 4 && (memcmp(bytes, spirv_little, 4) == 0 || memcmp(bytes, spirv_big, 4) == 0))
        return HALY_MODULE_SPIRV;
    if (memchr(bytes, '\0', size) != NULL)
        return HALY_MODULE_AUTO;
    return contains(bytes, size, "HALY_KERNEL") ? HALY_MODULE_SOURCE : HALY_MODULE_AUTO;
}
