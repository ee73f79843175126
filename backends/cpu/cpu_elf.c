/* SPDX-License-Identifier: Apache-2.0 */
/* Headers, segments and sections must lie inside the file; its class, byte order, machine and type must be ours. */
#include "cpu_elf.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "planted.h"

/* The header of the object that this code is in, which tells machine and byte order; the link editor defines it. */
extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));

static const char *machine_name(unsigned machine, char text[32])
{
    static const struct {
        unsigned machine;
        const char *name;
    } names[] = {{EM_X86_64, "x86_64"}, {EM_AARCH64, "aarch64"}, {EM_386, "i386"},   {EM_ARM, "arm"},
                 {EM_RISCV, "riscv"},   {EM_PPC64, "ppc64"},     {EM_S390, "s390x"}, {EM_CUDA, "cuda"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].machine == machine)
            return names[i].name;
    snprintf(text, 32, "machine %u", machine);
    return text;
}

bool cpu_elf_is(const void *image, size_t bytes)
{
    return bytes >= SELFMAG && memcmp(image, ELFMAG, SELFMAG) == 0;
}

static bool is_inside(uint64_t offset, uint64_t size, size_t bytes)
{
    return offset <= bytes && size <= bytes - offset;
}

static haly_status check_segments(const unsigned char *image, size_t bytes, const Elf64_Ehdr *header)
{
    bool has_dynamic = false;
    for (uint32_t i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr segment;
        memcpy(&segment, image + header->e_phoff + (uint64_t)i * sizeof segment, sizeof segment);
        if (!is_inside(segment.p_offset, segment.p_filesz, bytes))
            return FAIL(HALY_ERR_CORRUPT, "the shared object is cut short: segment %u ends at byte %llu of %zu", i,
                        (unsigned long long)(segment.p_offset + segment.p_filesz), bytes);
        if (segment.p_type == PT_LOAD && segment.p_memsz < segment.p_filesz)
            return FAIL(HALY_ERR_CORRUPT, "segment %u of the shared object is larger in the file than in memory", i);
        has_dynamic |= segment.p_type == PT_DYNAMIC && segment.p_filesz >= sizeof(Elf64_Dyn);
    }
    if (!has_dynamic)
        return FAIL(HALY_ERR_CORRUPT, "the shared object has no dynamic section");
    return HALY_OK;
}

static haly_status check_kind(const Elf64_Ehdr *header)
{
    char text[32], own_text[32];
    const char *own = machine_name(__ehdr_start.e_machine, own_text);
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != __ehdr_start.e_ident[EI_DATA])
        return FAIL(HALY_ERR_UNSUPPORTED, "the object is not a 64-bit %s-endian one, as this machine (%s) needs",
                    __ehdr_start.e_ident[EI_DATA] == ELFDATA2LSB ? "little" : "big", own);
    if (header->e_ident[EI_VERSION] != EV_CURRENT || header->e_ehsize != sizeof *header)
        return FAIL(HALY_ERR_CORRUPT, "the object's ELF header is of version %u with %u bytes; expected %u with %zu",
                    header->e_ident[EI_VERSION], header->e_ehsize, EV_CURRENT, sizeof *header);
    if (PLANTED_OR(elf_of_any_machine, header->e_machine != __ehdr_start.e_machine, false))
        return FAIL(HALY_ERR_UNSUPPORTED, "the object was made for %s; this machine is %s",
                    machine_name(header->e_machine, text), own);
    if (header->e_type != ET_DYN)
        return FAIL(HALY_ERR_UNSUPPORTED, "the object is of ELF type %u; expected a shared object (%u)", header->e_type,
                    ET_DYN);
    return HALY_OK;
}

haly_status cpu_elf_check(const void *image, size_t bytes)
{
    Elf64_Ehdr header;
    if (!cpu_elf_is(image, bytes))
        return FAIL(HALY_ERR_UNSUPPORTED, "the module is not an ELF object");
    if (bytes < sizeof header)
        return FAIL(HALY_ERR_CORRUPT, "the object is cut short: %zu bytes, its header alone has %zu", bytes,
                    sizeof header);
    memcpy(&header, image, sizeof header);
    TRY(check_kind(&header));
    if (header.e_phnum == 0 || header.e_phentsize != sizeof(Elf64_Phdr) ||
        !is_inside(header.e_phoff, (uint64_t)header.e_phnum * sizeof(Elf64_Phdr), bytes))
        return FAIL(HALY_ERR_CORRUPT, "the object's %u segment headers of %u bytes at %llu do not lie in its %zu bytes",
                    header.e_phnum, header.e_phentsize, (unsigned long long)header.e_phoff, bytes);
    if (header.e_shoff != 0 && (header.e_shentsize != sizeof(Elf64_Shdr) ||
                                !is_inside(header.e_shoff, (uint64_t)header.e_shnum * sizeof(Elf64_Shdr), bytes)))
        return FAIL(HALY_ERR_CORRUPT, "the object is cut short: %u section headers at %llu of %zu bytes",
                    header.e_shnum, (unsigned long long)header.e_shoff, bytes);
    return check_segments(image, bytes, &header);
}
