/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the manifest. It is walked twice: once to count, so that tables are allocated by what stands there and never
 * by what it claims, and once to fill them in.
 */
#include "bundle.h"

#include <stdlib.h>
#include <string.h>

#include "bundle_elf.h"
#include "image.h"
#include "sha256.h"

#define RECORD_IS_OPTIONAL 1U
#define ARGUMENT_BYTES 12U

/* Bytes still to be read of a record. */
struct cursor {
    const unsigned char *at;
    uint64_t left;
    bool is_short; /* something did not fit: all reads since give zeros */
};

struct record {
    uint32_t tag, flags;
    struct cursor payload;
};

struct reader {
    const char *label;
    struct bundle_sections *sections;
    haly_kernel_info *kernels;
    uint32_t kernel_count, image_count, argument_count; /* counted by the first walk */
    haly_argument_info *rows;                           /* room for all arguments */
    char *texts;                                        /* the next free byte of the bundle's */
    struct bundle *bundle;
};

static const unsigned char *take(struct cursor *cursor, uint64_t bytes)
{
    static const unsigned char zeros[SHA256_BYTES];
    if (cursor->is_short || cursor->left < bytes) {
        cursor->is_short = true;
        return zeros;
    }
    const unsigned char *at = cursor->at;
    cursor->at += bytes;
    cursor->left -= bytes;
    return at;
}

static uint32_t take_u16(struct cursor *cursor)
{
    return bundle_u16(take(cursor, 2));
}

static uint32_t take_u32(struct cursor *cursor)
{
    return bundle_u32(take(cursor, 4));
}

/* Copies a text, which then ends with a 0: its length took two bytes, so the manifest's size is room enough. */
static const char *take_text(struct reader *reader, struct cursor *cursor)
{
    const uint32_t length = take_u16(cursor);
    if (length > BUNDLE_TEXT_MAX || cursor->left < length) {
        cursor->is_short = true;
        return "";
    }
    const unsigned char *from = take(cursor, length);
    char *text = reader->texts;
    for (uint32_t i = 0; i < length; i++) {
        if (from[i] < ' ' || from[i] > '~')
            cursor->is_short = true;
        text[i] = (char)from[i];
    }
    text[length] = '\0';
    reader->texts += length + 1;
    return text;
}

/* The next record of the manifest. */
static haly_status take_record(const struct reader *reader, struct cursor *manifest, uint32_t index,
                               struct record *out_record)
{
    out_record->tag = take_u16(manifest);
    out_record->flags = take_u16(manifest);
    const uint32_t bytes = take_u32(manifest);
    out_record->payload = (struct cursor){.at = take(manifest, bytes), .left = bytes};
    if (manifest->is_short)
        return FAIL(HALY_ERR_CORRUPT, "%s: record %u of " BUNDLE_MANIFEST_SECTION " is cut short", reader->label,
                    index);
    if (out_record->tag != BUNDLE_RECORD_KERNEL && out_record->tag != BUNDLE_RECORD_IMAGE &&
        (out_record->flags & RECORD_IS_OPTIONAL) == 0)
        return FAIL(HALY_ERR_UNSUPPORTED,
                    "%s: record %u of " BUNDLE_MANIFEST_SECTION " has tag %u, which this version does not know",
                    reader->label, index, out_record->tag);
    return HALY_OK;
}

static haly_status open_manifest(const struct reader *reader, struct cursor *out_cursor)
{
    const struct bundle_section *section = &reader->sections->manifest;
    struct cursor cursor = {.at = section->data, .left = section->size};
    const unsigned char *magic = take(&cursor, 4);
    const uint32_t major = take_u16(&cursor), minor = take_u16(&cursor);
    if (cursor.is_short || memcmp(magic, "HALB", 4) != 0)
        return FAIL(HALY_ERR_CORRUPT, "%s: " BUNDLE_MANIFEST_SECTION " does not begin with HALB and a version",
                    reader->label);
    if (major != BUNDLE_MAJOR)
        return FAIL(HALY_ERR_VERSION, "%s is a bundle of version %u.%u; this library reads %u", reader->label, major,
                    minor, BUNDLE_MAJOR);
    *out_cursor = cursor;
    return HALY_OK;
}

/* ---- the first walk ---- */

static haly_status count_records(struct reader *reader)
{
    struct cursor manifest;
    struct record record;
    TRY(open_manifest(reader, &manifest));
    for (uint32_t index = 0; manifest.left > 0; index++) {
        TRY(take_record(reader, &manifest, index, &record));
        reader->kernel_count += record.tag == BUNDLE_RECORD_KERNEL;
        reader->image_count += record.tag == BUNDLE_RECORD_IMAGE;
        /* No argument takes less than its own bytes, so this is never less than there are. */
        if (record.tag == BUNDLE_RECORD_KERNEL)
            reader->argument_count += (uint32_t)(record.payload.left / ARGUMENT_BYTES);
    }
    if (reader->image_count == 0 || reader->image_count > BUNDLE_IMAGES_MAX)
        return FAIL(HALY_ERR_CORRUPT, "%s has %u images; expected 1 to %u", reader->label, reader->image_count,
                    BUNDLE_IMAGES_MAX);
    if (reader->kernel_count > KERNEL_TABLE_MAX)
        return FAIL(HALY_ERR_CORRUPT, "%s has %u kernels; expected at most %u", reader->label, reader->kernel_count,
                    KERNEL_TABLE_MAX);
    return HALY_OK;
}

static haly_status make_room(struct reader *reader)
{
    const uint64_t texts = reader->sections->manifest.size + 1;
    reader->kernels = calloc((size_t)reader->kernel_count + 1, sizeof *reader->kernels);
    reader->rows = calloc((size_t)reader->argument_count + 1, sizeof *reader->rows);
    reader->bundle->images = calloc(reader->image_count, sizeof *reader->bundle->images);
    reader->bundle->texts = reader->texts = malloc(texts);
    if (reader->kernels == NULL || reader->rows == NULL || reader->bundle->images == NULL || reader->texts == NULL)
        return fail_host_oom("a bundle's tables", texts);
    return HALY_OK;
}

/* ---- the second walk ---- */

static haly_status take_kernel(struct reader *reader, struct cursor *payload, haly_kernel_info *kernel)
{
    haly_argument_info *rows = reader->rows;
    kernel->name = take_text(reader, payload);
    kernel->argument_bytes = take_u32(payload);
    for (unsigned d = 0; d < 3; d++)
        kernel->group[d] = take_u32(payload);
    kernel->max_group_items = take_u32(payload);
    kernel->local_memory_bytes = take_u32(payload);
    kernel->flags = take_u32(payload);
    kernel->argument_count = take_u16(payload);
    if (payload->is_short || payload->left < (uint64_t)kernel->argument_count * ARGUMENT_BYTES)
        return FAIL(HALY_ERR_CORRUPT, "%s: the record of kernel \"%s\" is malformed", reader->label, kernel->name);
    for (uint32_t i = 0; i < kernel->argument_count; i++, reader->rows++) {
        reader->rows->offset = take_u32(payload);
        reader->rows->size = take_u32(payload);
        reader->rows->is_address = *take(payload, 1);
        reader->rows->is_const = *take(payload, 1);
        if (take_u16(payload) != 0 || reader->rows->is_address > 1 || reader->rows->is_const > 1)
            return FAIL(HALY_ERR_CORRUPT, "%s: argument %u of kernel \"%s\" is neither an address nor a value",
                        reader->label, i, kernel->name);
    }
    kernel->arguments = rows;
    kernel->argument_size = sizeof *rows;
    return HALY_OK;
}

static bool is_image_format(haly_module_format format)
{
    return format != HALY_MODULE_OPERATORS && format != HALY_MODULE_BUNDLE && image_format_name(format) != NULL;
}

static haly_status check_content(const struct reader *reader, const struct bundle_image *image,
                                 const unsigned char *hash)
{
    unsigned char digest[SHA256_BYTES];
    sha256_of(image->data, (size_t)image->size, digest);
    if (memcmp(digest, hash, sizeof digest) != 0)
        return FAIL(HALY_ERR_CORRUPT,
                    "%s: the content of section " BUNDLE_IMAGE_SECTION "%u is not the one that " BUNDLE_MANIFEST_SECTION
                    " has the hash of",
                    reader->label, image->number);
    return HALY_OK;
}

/* Takes the section that the image names; each can be named once. */
static haly_status claim_section(const struct reader *reader, struct bundle_image *image, uint64_t size)
{
    struct bundle_section *section =
        image->number >= 1 && image->number <= BUNDLE_IMAGES_MAX ? &reader->sections->images[image->number - 1] : NULL;
    if (section == NULL || section->data == NULL)
        return FAIL(HALY_ERR_CORRUPT, "%s: there is no section " BUNDLE_IMAGE_SECTION "%u, or two images are in it",
                    reader->label, image->number);
    if (section->size != size)
        return FAIL(HALY_ERR_CORRUPT, "%s: section " BUNDLE_IMAGE_SECTION "%u has %llu bytes; expected %llu",
                    reader->label, image->number, (unsigned long long)section->size, (unsigned long long)size);
    image->data = (const char *)section->data;
    image->size = size;
    section->data = NULL;
    return HALY_OK;
}

static haly_status take_image(struct reader *reader, struct cursor *payload, struct bundle_image *image)
{
    image->format = (haly_module_format)take_u32(payload);
    image->number = take_u32(payload);
    const uint64_t size = bundle_u64(take(payload, 8));
    const unsigned char *hash = take(payload, SHA256_BYTES);
    image->architecture = take_text(reader, payload);
    image->minimum_version = take_text(reader, payload);
    image->options = take_text(reader, payload);
    if (payload->is_short)
        return FAIL(HALY_ERR_CORRUPT, "%s: the record of image %u is malformed", reader->label, image->number);
    if (!is_image_format(image->format))
        return FAIL(HALY_ERR_UNSUPPORTED, "%s: image %u is of format %d, which this version does not know",
                    reader->label, image->number, (int)image->format);
    TRY(claim_section(reader, image, size));
    return check_content(reader, image, hash);
}

static haly_status take_records(struct reader *reader)
{
    struct cursor manifest;
    struct record record;
    uint32_t kernels = 0;
    TRY(open_manifest(reader, &manifest));
    for (uint32_t index = 0; manifest.left > 0; index++) {
        TRY(take_record(reader, &manifest, index, &record));
        if (record.tag == BUNDLE_RECORD_KERNEL)
            TRY(take_kernel(reader, &record.payload, &reader->kernels[kernels++]));
        else if (record.tag == BUNDLE_RECORD_IMAGE)
            TRY(take_image(reader, &record.payload, &reader->bundle->images[reader->bundle->image_count++]));
    }
    for (uint32_t i = 0; i < BUNDLE_IMAGES_MAX; i++)
        if (reader->sections->images[i].data != NULL)
            return FAIL(HALY_ERR_CORRUPT, "%s: section " BUNDLE_IMAGE_SECTION "%u is not in the manifest",
                        reader->label, i + 1);
    return HALY_OK;
}

static haly_status read_bundle(struct reader *reader)
{
    TRY(count_records(reader));
    TRY(make_room(reader));
    haly_argument_info *rows = reader->rows;
    haly_status status = take_records(reader);
    if (status == HALY_OK && reader->kernel_count > 0)
        status = kernel_table_copy(reader->label, reader->kernels, reader->kernel_count, sizeof *reader->kernels,
                                   &reader->bundle->table);
    reader->rows = rows;
    return status;
}

haly_status bundle_open(const char *label, const void *bytes, uint64_t size, struct bundle *out_bundle)
{
    struct bundle bundle = {.table = NULL};
    struct bundle_sections *sections = malloc(sizeof *sections);
    struct reader reader = {.label = label, .sections = sections, .bundle = &bundle};
    if (sections == NULL)
        return fail_host_oom("a bundle's sections", sizeof *sections);
    haly_status status = bundle_sections_find(label, bytes, size, sections);
    if (status == HALY_OK)
        status = read_bundle(&reader);
    free(reader.kernels);
    free(reader.rows);
    free(sections);
    if (status != HALY_OK) {
        bundle_close(&bundle);
        return status;
    }
    *out_bundle = bundle;
    return HALY_OK;
}

void bundle_close(struct bundle *bundle)
{
    free(bundle->table);
    free(bundle->images);
    free(bundle->texts);
    memset(bundle, 0, sizeof *bundle);
}
