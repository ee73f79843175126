/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ELF side of bundles, read byte by byte: a bundle is little-endian whatever the machine. Only sections whose names
 * begin with ".haly." are looked at closely; what else an ELF file holds is not ours to judge.
 */
#include "bundle_elf.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define SECTIONS_MAX 4096U

/* The file, and where its section headers and their names stand. */
struct container {
    const char *label;
    const unsigned char *bytes;
    uint64_t size, headers, names, names_size;
    uint32_t count;
};

/* One section header. */
struct section {
    const char *name;
    uint32_t type;
    uint64_t flags, offset, size;
};

uint16_t bundle_u16(const unsigned char *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

uint32_t bundle_u32(const unsigned char *at)
{
    return bundle_u16(at) | (uint32_t)bundle_u16(at + 2) << 16;
}

uint64_t bundle_u64(const unsigned char *at)
{
    return bundle_u32(at) | (uint64_t)bundle_u32(at + 4) << 32;
}

static bool is_inside(const struct container *file, uint64_t offset, uint64_t size)
{
    return offset <= file->size && size <= file->size - offset;
}

static haly_status check_header(struct container *file)
{
    const unsigned char *header = file->bytes;
    if (file->size < sizeof(Elf64_Ehdr) || memcmp(header, ELFMAG, SELFMAG) != 0)
        return FAIL(HALY_ERR_CORRUPT, "%s is no ELF file of %zu bytes or more", file->label, sizeof(Elf64_Ehdr));
    if (header[EI_CLASS] != ELFCLASS64 || header[EI_DATA] != ELFDATA2LSB || header[EI_VERSION] != EV_CURRENT)
        return FAIL(HALY_ERR_CORRUPT, "%s is ELF of class %u, byte order %u, version %u; a bundle has %u, %u, %u",
                    file->label, header[EI_CLASS], header[EI_DATA], header[EI_VERSION], ELFCLASS64, ELFDATA2LSB,
                    EV_CURRENT);
    file->headers = bundle_u64(header + offsetof(Elf64_Ehdr, e_shoff));
    file->count = bundle_u16(header + offsetof(Elf64_Ehdr, e_shnum));
    const unsigned entry = bundle_u16(header + offsetof(Elf64_Ehdr, e_shentsize));
    if (file->count == 0 || file->count > SECTIONS_MAX || entry != sizeof(Elf64_Shdr) ||
        !is_inside(file, file->headers, (uint64_t)file->count * sizeof(Elf64_Shdr)))
        return FAIL(HALY_ERR_CORRUPT, "%s: %u section headers of %u bytes at %llu do not lie in its %llu bytes",
                    file->label, file->count, entry, (unsigned long long)file->headers, (unsigned long long)file->size);
    return HALY_OK;
}

static struct section read_section(const struct container *file, uint32_t index)
{
    const unsigned char *at = file->bytes + file->headers + (uint64_t)index * sizeof(Elf64_Shdr);
    return (struct section){.type = bundle_u32(at + offsetof(Elf64_Shdr, sh_type)),
                            .flags = bundle_u64(at + offsetof(Elf64_Shdr, sh_flags)),
                            .offset = bundle_u64(at + offsetof(Elf64_Shdr, sh_offset)),
                            .size = bundle_u64(at + offsetof(Elf64_Shdr, sh_size))};
}

static haly_status find_names(struct container *file)
{
    const uint32_t index = bundle_u16(file->bytes + offsetof(Elf64_Ehdr, e_shstrndx));
    if (index >= file->count)
        return FAIL(HALY_ERR_CORRUPT, "%s: section %u, which should hold the names, is not among its %u", file->label,
                    index, file->count);
    const struct section names = read_section(file, index);
    if (names.type != SHT_STRTAB || !is_inside(file, names.offset, names.size) || names.size == 0 ||
        file->bytes[names.offset + names.size - 1] != '\0')
        return FAIL(HALY_ERR_CORRUPT, "%s: the section of names (%u) is no table of texts inside the file", file->label,
                    index);
    file->names = names.offset;
    file->names_size = names.size;
    return HALY_OK;
}

static haly_status name_section(const struct container *file, uint32_t index, struct section *section)
{
    const uint64_t at = bundle_u32(file->bytes + file->headers + (uint64_t)index * sizeof(Elf64_Shdr));
    if (at >= file->names_size)
        return FAIL(HALY_ERR_CORRUPT, "%s: the name of section %u stands at %llu of %llu bytes", file->label, index,
                    (unsigned long long)at, (unsigned long long)file->names_size);
    section->name = (const char *)file->bytes + file->names + at; /* the table ends with a 0 */
    return HALY_OK;
}

static haly_status check_section(const struct container *file, const struct section *section)
{
    const char *name = PRINTABLE(section->name);
    if ((section->flags & SHF_COMPRESSED) != 0)
        return FAIL(HALY_ERR_CORRUPT, "%s: section %s is compressed; sections of bundles are not", file->label, name);
    if (section->type != SHT_PROGBITS)
        return FAIL(HALY_ERR_CORRUPT, "%s: section %s is of type %u; expected content (%u)", file->label, name,
                    section->type, SHT_PROGBITS);
    if (!is_inside(file, section->offset, section->size))
        return FAIL(HALY_ERR_CORRUPT, "%s: section %s of %llu bytes at %llu leaves the file, which has %llu",
                    file->label, name, (unsigned long long)section->size, (unsigned long long)section->offset,
                    (unsigned long long)file->size);
    return HALY_OK;
}

/* Where a section of ours belongs; NULL for names that the format does not know. */
static struct bundle_section *place_of(const char *name, struct bundle_sections *out)
{
    uint64_t number;
    const size_t prefix = strlen(BUNDLE_IMAGE_SECTION);
    if (strcmp(name, BUNDLE_MANIFEST_SECTION) == 0)
        return &out->manifest;
    if (strncmp(name, BUNDLE_IMAGE_SECTION, prefix) == 0 && name[prefix] != '0' &&
        text_parse_number(name + prefix, strlen(name + prefix), &number) && number >= 1 && number <= BUNDLE_IMAGES_MAX)
        return &out->images[number - 1];
    return NULL;
}

static haly_status take_section(const struct container *file, const struct section *section,
                                struct bundle_sections *out)
{
    struct bundle_section *place = place_of(section->name, out);
    if (place == NULL)
        return FAIL(HALY_ERR_CORRUPT, "%s: section %s is not one that a bundle has", file->label,
                    PRINTABLE(section->name));
    TRY(check_section(file, section));
    if (place->data != NULL)
        return FAIL(HALY_ERR_CORRUPT, "%s: there are two sections %s", file->label, PRINTABLE(section->name));
    place->data = file->bytes + section->offset;
    place->size = section->size;
    return HALY_OK;
}

haly_status bundle_sections_find(const char *label, const void *bytes, uint64_t size, struct bundle_sections *out)
{
    struct container file = {.label = label, .bytes = bytes, .size = size};
    memset(out, 0, sizeof *out);
    TRY(check_header(&file));
    TRY(find_names(&file));
    for (uint32_t i = 0; i < file.count; i++) {
        struct section section = read_section(&file, i);
        TRY(name_section(&file, i, &section));
        if (strncmp(section.name, ".haly.", 6) == 0)
            TRY(take_section(&file, &section, out));
    }
    if (out->manifest.data == NULL)
        return FAIL(HALY_ERR_CORRUPT, "%s has no section " BUNDLE_MANIFEST_SECTION, label);
    if (out->manifest.size > BUNDLE_MANIFEST_MAX)
        return FAIL(HALY_ERR_CORRUPT, "%s: " BUNDLE_MANIFEST_SECTION " has %llu bytes; expected at most %llu", label,
                    (unsigned long long)out->manifest.size, (unsigned long long)BUNDLE_MANIFEST_MAX);
    return HALY_OK;
}
