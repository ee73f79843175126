/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared objects, before the dynamic linker sees them: modules of the cpu backend, and plug-ins. What the check lets
 * through is a whole shared object for this machine whose tables lie inside the image; what it stops is stopped for a
 * reason, loads neither from memory nor from a file, and leaves nothing behind. Images that pass are not loaded here:
 * they are code, and an invented one may do anything.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu_elf.h"
#include "cpu_image.h"
#include "elf_file.h"
#include "fuzz_cpu.h"

static int open_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    FUZZ_CHECK(folder != NULL, "/proc/self/fd cannot be read");
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static bool is_inside(uint64_t offset, uint64_t size, size_t bytes)
{
    const fuzz_wide end = (fuzz_wide)offset + size;
    return end <= bytes;
}

static void check_accepted(const uint8_t *image, size_t size)
{
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    bool has_dynamic = false;
    FUZZ_CHECK(size >= sizeof header && cpu_elf_is(image, size), "%zu bytes", size);
    memcpy(&header, image, sizeof header);
    FUZZ_CHECK(header.e_type == ET_DYN && header.e_ident[EI_CLASS] == ELFCLASS64, "type %u", header.e_type);
    FUZZ_CHECK(is_inside(header.e_phoff, (uint64_t)header.e_phnum * sizeof segment, size), "segments at %llu",
               (unsigned long long)header.e_phoff);
    FUZZ_CHECK(header.e_shoff == 0 || is_inside(header.e_shoff, (uint64_t)header.e_shnum * sizeof(Elf64_Shdr), size),
               "sections at %llu", (unsigned long long)header.e_shoff);
    for (unsigned i = 0; i < header.e_phnum; i++) {
        memcpy(&segment, image + header.e_phoff + i * sizeof segment, sizeof segment);
        FUZZ_CHECK(is_inside(segment.p_offset, segment.p_filesz, size), "segment %u", i);
        FUZZ_CHECK(segment.p_type != PT_LOAD || segment.p_filesz <= segment.p_memsz, "segment %u", i);
        has_dynamic = has_dynamic || segment.p_type == PT_DYNAMIC;
    }
    FUZZ_CHECK(has_dynamic, "no dynamic section");
}

/* As a module from a file with a name, which the backend resolves: one in memory has none. */
static haly_status open_file(const uint8_t *image, size_t size, void **out_handle)
{
    char path[] = "/tmp/halyard-fuzz-XXXXXX";
    const int file = mkostemp(path, O_CLOEXEC);
    FUZZ_CHECK(file >= 0 && write(file, image, size) == (ssize_t)size, "cannot write %s", path);
    const haly_status status = cpu_image_open_file(path, out_handle);
    FUZZ_CHECK(close(file) == 0 && unlink(path) == 0, "cannot remove %s", path);
    return status;
}

/* As a plug-in: the core looks at what the dynamic linker would choke on alone, so it refuses less than the backend. */
static void check_as_plug_in(const uint8_t *image, size_t size, haly_status as_module)
{
    char why[256] = "";
    const haly_status status = elf_file_check(fuzz_file(image, size), why, sizeof why);
    FUZZ_CHECK(status == HALY_OK || status == HALY_ERR_CORRUPT || status == HALY_ERR_UNAVAILABLE, "status %d",
               (int)status);
    FUZZ_CHECK(status == HALY_OK || as_module != HALY_OK, "a whole module is no whole plug-in: %s", why);
    if (status != HALY_OK)
        fuzz_check_message(why, "its file ");
}

static void check_refused(const uint8_t *image, size_t size, haly_status status)
{
    void *handle = NULL;
    int descriptor = -1;
    const int before = open_descriptors();
    FUZZ_CHECK(status == HALY_ERR_CORRUPT || status == HALY_ERR_UNSUPPORTED, "status %d", (int)status);
    FUZZ_CHECK(status == fuzz_failure.status, "status %d without a reason", (int)status);
    FUZZ_CHECK(cpu_elf_is(image, size) || status == HALY_ERR_UNSUPPORTED, "what is no ELF object is not corrupt");
    fuzz_check_message(fuzz_failure.message, size >= SELFMAG ? "object" : "module");
    FUZZ_CHECK(cpu_image_open_memory(image, size, &handle, &descriptor) == status, "%s", fuzz_failure.message);
    FUZZ_CHECK(handle == NULL && descriptor == -1, "outputs of an image that was refused");
    const haly_status from_file = open_file(image, size, &handle);
    FUZZ_CHECK(from_file == (size != 0 ? status : HALY_ERR_CORRUPT) && handle == NULL, "%s", fuzz_failure.message);
    fuzz_check_message(fuzz_failure.message, "");
    FUZZ_CHECK(open_descriptors() == before, "%d descriptors, then %d", before, open_descriptors());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *image = calloc(size != 0 ? size : 1, 1);
    FUZZ_CHECK(image != NULL, "out of memory");
    if (size != 0)
        memcpy(image, data, size);
    fuzz_failure.status = HALY_OK;
    const haly_status status = cpu_elf_check(image, size);
    check_as_plug_in(image, size, status);
    if (status == HALY_OK)
        check_accepted(image, size);
    else
        check_refused(image, size, status);
    free(image);
    return 0;
}
