/* SPDX-License-Identifier: Apache-2.0 */
/* Writing bundles: the manifest, the images, the names, and the headers of their sections, in that order. */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundle.h"
#include "sha256.h"
#include "text.h"

#define ALIGNMENT 64U /* of images in the file */

/* Bytes that grow; a failure to grow shows once, at the end. */
struct output {
    unsigned char *bytes;
    uint64_t size, room;
    bool is_exhausted;
};

static void put(struct output *out, const void *data, uint64_t size)
{
    if (!out->is_exhausted && out->size + size > out->room) {
        const uint64_t room = 2 * (out->size + size);
        unsigned char *grown = realloc(out->bytes, room);
        out->is_exhausted = grown == NULL;
        out->bytes = grown != NULL ? grown : out->bytes;
        out->room = grown != NULL ? room : out->room;
    }
    if (out->is_exhausted || size == 0)
        return;
    memcpy(out->bytes + out->size, data, size);
    out->size += size;
}

static void put_number(struct output *out, uint64_t value, unsigned bytes)
{
    unsigned char little[8];
    for (unsigned i = 0; i < bytes; i++)
        little[i] = (unsigned char)(value >> (8 * i));
    put(out, little, bytes);
}

static void put_text(struct output *out, const char *text)
{
    put_number(out, strlen(text), 2);
    put(out, text, strlen(text));
}

static void put_padding(struct output *out)
{
    static const unsigned char zeros[ALIGNMENT];
    put(out, zeros, (ALIGNMENT - out->size % ALIGNMENT) % ALIGNMENT);
}

/* A record, whose bytes were put into `payload`. */
static void put_record(struct output *out, unsigned tag, struct output *payload)
{
    put_number(out, tag, 2);
    put_number(out, 0, 2);
    put_number(out, payload->size, 4);
    put(out, payload->bytes, payload->size);
    out->is_exhausted |= payload->is_exhausted;
    free(payload->bytes);
}

static void put_kernel(struct output *out, const haly_kernel_info *kernel)
{
    struct output payload = {.bytes = NULL};
    put_text(&payload, kernel->name);
    put_number(&payload, kernel->argument_bytes, 4);
    for (unsigned d = 0; d < 3; d++)
        put_number(&payload, kernel->group[d], 4);
    put_number(&payload, kernel->max_group_items, 4);
    put_number(&payload, kernel->local_memory_bytes, 4);
    put_number(&payload, kernel->flags, 4);
    put_number(&payload, kernel->argument_count, 2);
    for (uint32_t i = 0; i < kernel->argument_count; i++) {
        put_number(&payload, kernel->arguments[i].offset, 4);
        put_number(&payload, kernel->arguments[i].size, 4);
        put_number(&payload, kernel->arguments[i].is_address != 0, 1);
        put_number(&payload, kernel->arguments[i].is_const != 0, 1);
        put_number(&payload, 0, 2);
    }
    put_record(out, BUNDLE_RECORD_KERNEL, &payload);
}

static void put_image(struct output *out, const struct bundle_image *image, uint32_t number)
{
    struct output payload = {.bytes = NULL};
    unsigned char hash[SHA256_BYTES];
    sha256_of(image->data, (size_t)image->size, hash);
    put_number(&payload, (uint32_t)image->format, 4);
    put_number(&payload, number, 4);
    put_number(&payload, image->size, 8);
    put(&payload, hash, sizeof hash);
    put_text(&payload, image->architecture);
    put_text(&payload, image->minimum_version);
    put_text(&payload, image->options);
    put_record(out, BUNDLE_RECORD_IMAGE, &payload);
}

/* What a section header is made of. */
struct placed {
    uint64_t name, offset, size;
    uint32_t type;
};

static void put_section(struct output *out, const struct placed *section)
{
    put_number(out, section->name, 4);
    put_number(out, section->type, 4);
    put_number(out, 0, 8); /* flags: not loaded */
    put_number(out, 0, 8); /* address */
    put_number(out, section->offset, 8);
    put_number(out, section->size, 8);
    put_number(out, 0, 8); /* link and info */
    put_number(out, section->type != SHT_NULL, 8);
    put_number(out, 0, 8); /* bytes of an entry */
}

static void put_header(struct output *out, uint64_t sections, uint32_t count)
{
    static const unsigned char ident[EI_NIDENT] = {0x7F, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT};
    put(out, ident, sizeof ident);
    put_number(out, ET_REL, 2);
    put_number(out, EM_NONE, 2); /* of no machine: images have theirs */
    put_number(out, EV_CURRENT, 4);
    put_number(out, 0, 8); /* entry */
    put_number(out, 0, 8); /* segments */
    put_number(out, sections, 8);
    put_number(out, 0, 4); /* flags */
    put_number(out, sizeof(Elf64_Ehdr), 2);
    put_number(out, 0, 4); /* segments: their bytes and count */
    put_number(out, sizeof(Elf64_Shdr), 2);
    put_number(out, count, 2);
    put_number(out, count - 1, 2); /* the names come last */
}

static haly_status check_texts(const char *label, const struct bundle_image *image, uint32_t number)
{
    const char *const texts[] = {image->architecture, image->minimum_version, image->options};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (const char *at = texts[i]; *at != '\0'; at++)
            if (*at < ' ' || *at > '~' || at - texts[i] >= (ptrdiff_t)BUNDLE_TEXT_MAX)
                return FAIL(HALY_ERR_INVALID, "%s: \"%s\" of image %u is not up to %u printable ASCII bytes", label,
                            PRINTABLE(texts[i]), number, BUNDLE_TEXT_MAX);
    return HALY_OK;
}

static haly_status check_input(const char *label, const haly_kernel_info *kernels, uint32_t kernel_count,
                               const struct bundle_image *images, uint32_t image_count)
{
    struct kernel_table *table = NULL;
    if (image_count == 0 || image_count > BUNDLE_IMAGES_MAX)
        return FAIL(HALY_ERR_INVALID, "%s would have %u images; expected 1 to %u", label, image_count,
                    BUNDLE_IMAGES_MAX);
    for (uint32_t i = 0; i < image_count; i++)
        TRY(check_texts(label, &images[i], i + 1));
    TRY(kernel_table_copy(label, kernels, kernel_count, sizeof *kernels, &table));
    free(table);
    return HALY_OK;
}

/* All but the header, which names where the sections' headers begin. */
static uint64_t put_all(struct output *out, const haly_kernel_info *kernels, uint32_t kernel_count,
                        const struct bundle_image *images, uint32_t image_count)
{
    struct placed placed[BUNDLE_IMAGES_MAX + 3] = {{0}};
    struct output names = {.bytes = NULL};
    char name[32];
    put(&names, "", 1);
    placed[1] = (struct placed){names.size, out->size, 0, SHT_PROGBITS};
    put(&names, BUNDLE_MANIFEST_SECTION, sizeof BUNDLE_MANIFEST_SECTION);
    put(out, "HALB", 4);
    put_number(out, BUNDLE_MAJOR, 2);
    put_number(out, BUNDLE_MINOR, 2);
    for (uint32_t i = 0; i < kernel_count; i++)
        put_kernel(out, &kernels[i]);
    for (uint32_t i = 0; i < image_count; i++)
        put_image(out, &images[i], i + 1);
    placed[1].size = out->size - placed[1].offset;
    for (uint32_t i = 0; i < image_count; i++) {
        put_padding(out);
        placed[i + 2] = (struct placed){names.size, out->size, images[i].size, SHT_PROGBITS};
        text_set(name, sizeof name, BUNDLE_IMAGE_SECTION "%u", i + 1);
        put(&names, name, strlen(name) + 1);
        put(out, images[i].data, images[i].size);
    }
    placed[image_count + 2] = (struct placed){names.size, out->size, 0, SHT_STRTAB};
    put(&names, ".shstrtab", sizeof ".shstrtab");
    placed[image_count + 2].size = names.size;
    put(out, names.bytes, names.size);
    out->is_exhausted |= names.is_exhausted;
    free(names.bytes);
    put_padding(out);
    const uint64_t sections = out->size;
    for (uint32_t i = 0; i < image_count + 3; i++)
        put_section(out, &placed[i]);
    return sections;
}

haly_status bundle_write(const char *label, const haly_kernel_info *kernels, uint32_t kernel_count,
                         const struct bundle_image *images, uint32_t image_count, void **out_bytes, uint64_t *out_size)
{
    static const unsigned char no_header[sizeof(Elf64_Ehdr)];
    struct output out = {.bytes = NULL}, header = {.bytes = NULL};
    TRY(check_input(label, kernels, kernel_count, images, image_count));
    put(&out, no_header, sizeof no_header);
    put_header(&header, put_all(&out, kernels, kernel_count, images, image_count), image_count + 3);
    if (out.is_exhausted || header.is_exhausted) {
        free(out.bytes);
        free(header.bytes);
        return fail_host_oom("a bundle", out.size);
    }
    memcpy(out.bytes, header.bytes, sizeof no_header);
    free(header.bytes);
    *out_bytes = out.bytes;
    *out_size = out.size;
    return HALY_OK;
}
