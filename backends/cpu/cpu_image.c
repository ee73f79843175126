/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/*
 * An image in memory becomes an anonymous file and is opened through /proc/self/fd. The dynamic linker takes a name
 * that it has seen for the object it loaded under it, so a descriptor number that comes up again (while an earlier
 * object cannot be unloaded) would silently give the old one: each name is therefore spelled differently.
 */
#include "cpu_image.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpu_elf.h"
#include "planted.h"

#define NAME_BYTES 128

/* "/proc/self/fd/N", with the digits of a counter spelled as "//" and "/./" between its parts. */
static void make_name(char name[NAME_BYTES], int descriptor)
{
    static _Atomic uint32_t counter;
    char spelling[80] = "";
    size_t at = 0;
    for (uint32_t bits = atomic_fetch_add(&counter, 1); bits != 0; bits >>= 1) {
        const char *digit = (bits & 1) != 0 ? "/." : "/";
        memcpy(spelling + at, digit, strlen(digit) + 1);
        at += strlen(digit);
    }
    snprintf(name, NAME_BYTES, "/proc/self/fd%s/%d", spelling, descriptor);
}

static haly_status open_object(const char *name, const char *label, void **out_handle)
{
    void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        const char *told = dlerror(), *text = told != NULL ? told : "no reason given";
        const haly_status status = cpu_linker_status(text, HALY_ERR_CORRUPT);
        return cpu_core->fail(status, HALY_SCOPE_CALL, cpu_recovery_of(status), 0, text,
                              "the dynamic linker refuses %s: %s", label, text);
    }
    *out_handle = handle;
    return HALY_OK;
}

static haly_status write_all(int descriptor, const unsigned char *data, uint64_t bytes)
{
    while (bytes > 0) {
        const ssize_t written = write(descriptor, data, bytes < (1U << 30) ? (size_t)bytes : (size_t)1 << 30);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return cpu_fail_errno(errno, "writing a module's image");
        data += written;
        bytes -= (uint64_t)written;
    }
    return HALY_OK;
}

haly_status cpu_image_open_memory(const void *data, uint64_t bytes, void **out_handle, int *out_descriptor)
{
    char name[NAME_BYTES];
    TRY(cpu_elf_check(data, (size_t)bytes));
    const int descriptor = memfd_create("halyard-module", MFD_CLOEXEC);
    if (descriptor < 0)
        return cpu_fail_errno(errno, "memfd_create for a module");
    haly_status status = write_all(descriptor, data, bytes);
    if (status == HALY_OK) {
        make_name(name, descriptor);
        status = open_object(name, "the module's image", out_handle);
    }
    if (status != HALY_OK)
        close(descriptor);
    else
        *out_descriptor = PLANTED_OR(image_file_stays_open, descriptor, -1);
    return status;
}

static haly_status check_file(int file, const char *path)
{
    struct stat about;
    if (fstat(file, &about) != 0)
        return cpu_fail_errno(errno, path);
    if (!S_ISREG(about.st_mode))
        return FAIL(HALY_ERR_IO, "%s is not a regular file", path);
    if (about.st_size == 0)
        return FAIL(HALY_ERR_CORRUPT, "%s is empty", path);
    void *image = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (image == MAP_FAILED)
        return cpu_fail_errno(errno, path);
    const haly_status status = cpu_elf_check(image, (size_t)about.st_size);
    munmap(image, (size_t)about.st_size);
    return status;
}

haly_status cpu_image_open_file(const char *path, void **out_handle)
{
    char *real = realpath(path, NULL); /* a name with a slash: the linker's search path is none of our business */
    if (real == NULL)
        return cpu_fail_errno(errno, path);
    haly_status status;
    const int file = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) {
        status = cpu_fail_errno(errno, real);
    } else {
        status = check_file(file, real);
        close(file);
    }
    if (status == HALY_OK)
        status = open_object(real, real, out_handle);
    free(real);
    return status;
}
