/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles: what was written is read, and whatever was changed since is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <elf.h>

#include <cmocka.h>

#include "bundle.h"
#include "sha256.h"

static const haly_argument_info rows[] = {{0, 8, 1, 1}, {8, 8, 1, 0}, {16, 4, 0, 1}};
static const haly_kernel_info kernels[] = {
    {HALY_KERNEL_INFO_INIT, .argument_count = 3, .arguments = rows, .argument_size = sizeof rows[0],
     .argument_bytes = 24, .group = {64, 1, 1}, .flags = 1, .name = "scale"},
    {HALY_KERNEL_INFO_INIT, .argument_count = 0, .argument_bytes = 0, .local_memory_bytes = 512, .name = "nothing"}};
static const struct bundle_image images[] = {{.format = HALY_MODULE_SOURCE,
                                              .architecture = "",
                                              .minimum_version = "",
                                              .options = "-DA=1",
                                              .data = "HALY_KERNEL",
                                              .size = 11},
                                             {.format = HALY_MODULE_PTX,
                                              .architecture = "sm_90",
                                              .minimum_version = "12.0",
                                              .options = "",
                                              .data = ".version",
                                              .size = 8}};

struct file {
    unsigned char *bytes;
    uint64_t size;
};

static struct file write_example(void)
{
    struct file file;
    void *bytes = NULL;
    assert_int_equal(bundle_write("a.halb", kernels, 2, images, 2, &bytes, &file.size), HALY_OK);
    file.bytes = bytes;
    return file;
}

/* Opens a copy of exact size, so that a read past its end shows under a sanitizer. */
static haly_status open_copy(const void *bytes, uint64_t size)
{
    struct bundle bundle = {.table = NULL};
    unsigned char *copy = malloc(size + (size == 0));
    memcpy(copy, bytes, size);
    const haly_status status = bundle_open("a.halb", copy, size, &bundle);
    assert_true(status == HALY_OK || bundle.images == NULL);
    bundle_close(&bundle);
    free(copy);
    return status;
}

static void assert_refused(const struct file *file, haly_status wanted, const char *part)
{
    haly_error error = {HALY_ERROR_INIT};
    assert_int_equal(open_copy(file->bytes, file->size), wanted);
    assert_int_equal(haly_error_last(&error), HALY_OK);
    assert_non_null(strstr(error.message, "a.halb"));
    if (strstr(error.message, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, error.message);
}

static unsigned char *section_header(const struct file *file, const char *name)
{
    Elf64_Ehdr header;
    memcpy(&header, file->bytes, sizeof header);
    Elf64_Shdr names, section;
    memcpy(&names, file->bytes + header.e_shoff + (uint64_t)header.e_shstrndx * sizeof names, sizeof names);
    for (unsigned i = 0; i < header.e_shnum; i++) {
        unsigned char *at = file->bytes + header.e_shoff + (uint64_t)i * sizeof section;
        memcpy(&section, at, sizeof section);
        if (strcmp((const char *)file->bytes + names.sh_offset + section.sh_name, name) == 0)
            return at;
    }
    fail_msg("there is no section %s", name);
    return NULL;
}

static unsigned char *section_data(const struct file *file, const char *name)
{
    Elf64_Shdr section;
    memcpy(&section, section_header(file, name), sizeof section);
    return file->bytes + section.sh_offset;
}

static void set_field(unsigned char *header, size_t field, uint64_t value, size_t bytes)
{
    memcpy(header + field, &value, bytes); /* these tests run where ELF files are little-endian, too */
}
#define SET(header_, field_, value_)                                                                                   \
    set_field((header_), offsetof(Elf64_Shdr, field_), (value_), sizeof((Elf64_Shdr *)0)->field_)

static void what_was_written_is_read(void **state)
{
    struct bundle bundle = {.table = NULL};
    const struct file file = write_example();
    (void)state;
    assert_int_equal(bundle_open("a.halb", file.bytes, file.size, &bundle), HALY_OK);
    assert_int_equal(bundle.table->count, 2);
    const haly_kernel_info *scale = kernel_table_find(bundle.table, "scale");
    assert_int_equal(scale->argument_count, 3);
    assert_memory_equal(scale->arguments, rows, sizeof rows);
    assert_int_equal(scale->argument_bytes, 24);
    assert_int_equal(scale->group[0], 64);
    assert_int_equal(scale->flags, 1);
    assert_int_equal(kernel_table_find(bundle.table, "nothing")->local_memory_bytes, 512);
    assert_int_equal(bundle.image_count, 2);
    assert_int_equal(bundle.images[0].format, HALY_MODULE_SOURCE);
    assert_string_equal(bundle.images[0].options, "-DA=1");
    assert_int_equal(bundle.images[1].number, 2);
    assert_string_equal(bundle.images[1].architecture, "sm_90");
    assert_string_equal(bundle.images[1].minimum_version, "12.0");
    assert_int_equal(bundle.images[1].size, 8);
    assert_memory_equal(bundle.images[1].data, ".version", 8);
    bundle_close(&bundle);
    free(file.bytes);
}

static void the_same_input_gives_the_same_bytes(void **state)
{
    const struct file first = write_example(), second = write_example();
    (void)state;
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.bytes, second.bytes, first.size);
    free(first.bytes);
    free(second.bytes);
}

static void every_cut_is_refused(void **state)
{
    const struct file file = write_example();
    (void)state;
    for (uint64_t size = 0; size < file.size; size++)
        assert_int_not_equal(open_copy(file.bytes, size), HALY_OK);
    free(file.bytes);
}

/* What no check looks at changes nothing that is read: padding, and fields of ELF that mean nothing here. */
static void a_flipped_bit_is_refused_or_changes_nothing(void **state)
{
    const struct file file = write_example();
    unsigned refused = 0;
    (void)state;
    for (uint64_t at = 0; at < file.size; at++)
        for (unsigned bit = 0; bit < 8; bit += 3) {
            file.bytes[at] ^= (unsigned char)(1U << bit);
            refused += open_copy(file.bytes, file.size) != HALY_OK;
            file.bytes[at] ^= (unsigned char)(1U << bit);
        }
    assert_true(refused > 500);
    assert_int_equal(open_copy(file.bytes, file.size), HALY_OK);
    free(file.bytes);
}

static void sections_that_a_bundle_does_not_have_so_are_refused(void **state)
{
    struct file file = write_example();
    unsigned char kept[sizeof(Elf64_Shdr)], *image = section_header(&file, ".haly.image.2");
    (void)state;
    memcpy(kept, image, sizeof kept);
    SET(image, sh_flags, SHF_COMPRESSED);
    assert_refused(&file, HALY_ERR_CORRUPT, ".haly.image.2 is compressed");
    memcpy(image, kept, sizeof kept);
    SET(image, sh_type, SHT_NOBITS);
    assert_refused(&file, HALY_ERR_CORRUPT, ".haly.image.2 is of type 8");
    memcpy(image, kept, sizeof kept);
    SET(image, sh_offset, UINT64_MAX - 3);
    assert_refused(&file, HALY_ERR_CORRUPT, "leaves the file");
    memcpy(image, kept, sizeof kept);
    SET(image, sh_size, 7);
    assert_refused(&file, HALY_ERR_CORRUPT, ".haly.image.2 has 7 bytes; expected 8");
    memcpy(image, section_header(&file, ".haly.image.1"), sizeof kept);
    assert_refused(&file, HALY_ERR_CORRUPT, "two sections .haly.image.1");
    SET(image, sh_name, 0);
    assert_refused(&file, HALY_ERR_CORRUPT, "no section .haly.image.2");
    SET(image, sh_name, UINT32_MAX);
    assert_refused(&file, HALY_ERR_CORRUPT, "the name of section");
    free(file.bytes);
}

static void a_section_that_nobody_names_is_refused(void **state)
{
    void *bytes = NULL;
    struct file file;
    (void)state;
    assert_int_equal(bundle_write("a.halb", kernels, 2, images, 2, &bytes, &file.size), HALY_OK);
    file.bytes = bytes;
    char *name = NULL;
    for (uint64_t i = 0; i + 13 < file.size && name == NULL; i++)
        if (memcmp(file.bytes + i, ".haly.image.2", 14) == 0)
            name = (char *)file.bytes + i;
    assert_non_null(name);
    name[12] = '3';
    assert_refused(&file, HALY_ERR_CORRUPT, "image.2");
    name[12] = 'x';
    assert_refused(&file, HALY_ERR_CORRUPT, ".haly.image.x is not one that a bundle has");
    free(file.bytes);
}

static void a_content_that_was_exchanged_is_refused_by_its_hash(void **state)
{
    struct file file = write_example();
    (void)state;
    section_data(&file, ".haly.image.1")[3] ^= 1;
    assert_refused(&file, HALY_ERR_CORRUPT, "the content of section .haly.image.1");
    free(file.bytes);
}

static void later_versions_and_records_are_told_apart_from_damage(void **state)
{
    struct file file = write_example();
    unsigned char *manifest = section_data(&file, ".haly.manifest");
    (void)state;
    manifest[4] = 2;
    assert_refused(&file, HALY_ERR_VERSION, "version 2.0");
    manifest[4] = 1;
    manifest[6] = 9; /* a later minor version is read */
    assert_int_equal(open_copy(file.bytes, file.size), HALY_OK);
    manifest[8] = 77; /* the tag of the first record, a kernel */
    assert_refused(&file, HALY_ERR_UNSUPPORTED, "tag 77");
    manifest[10] = 1; /* optional: skipped */
    assert_int_equal(open_copy(file.bytes, file.size), HALY_OK);
    manifest[0] = 'h';
    assert_refused(&file, HALY_ERR_CORRUPT, "HALB");
    free(file.bytes);
}

static void tables_that_contradict_themselves_are_refused(void **state)
{
    struct file file = write_example();
    unsigned char *manifest = section_data(&file, ".haly.manifest");
    unsigned char *kernel = manifest + 8 + 8; /* behind magic and version, and the record's head */
    unsigned char *first = kernel + 2 + 5 + 4 * 7 + 2;
    (void)state;
    kernel[2] = '9';
    assert_refused(&file, HALY_ERR_CORRUPT, "named \"9cale\"");
    kernel[2] = '\n';
    assert_refused(&file, HALY_ERR_CORRUPT, "malformed");
    kernel[2] = 's';
    first[4] = 4; /* an address of four bytes */
    assert_refused(&file, HALY_ERR_CORRUPT, "kernel \"scale\": argument 0");
    first[4] = 8;
    first[8] = 2;
    assert_refused(&file, HALY_ERR_CORRUPT, "argument 0 of kernel \"scale\"");
    first[8] = 1;
    first[12] = 4; /* overlaps the one before */
    assert_refused(&file, HALY_ERR_CORRUPT, "kernel \"scale\": argument 1");
    first[12] = 8;
    assert_int_equal(open_copy(file.bytes, file.size), HALY_OK);
    kernel[7 + 4 * 7] = 200; /* arguments that are not there */
    assert_refused(&file, HALY_ERR_CORRUPT, "\"scale\" is malformed");
    free(file.bytes);
}

static void what_cannot_be_read_is_not_written(void **state)
{
    void *bytes = NULL;
    uint64_t size = 0;
    haly_kernel_info twice[2] = {kernels[0], kernels[0]};
    struct bundle_image odd = images[0];
    (void)state;
    assert_int_equal(bundle_write("a.halb", kernels, 2, images, 0, &bytes, &size), HALY_ERR_INVALID);
    assert_int_equal(bundle_write("a.halb", twice, 2, images, 1, &bytes, &size), HALY_ERR_CORRUPT);
    odd.architecture = "new\nline";
    assert_int_equal(bundle_write("a.halb", kernels, 2, &odd, 1, &bytes, &size), HALY_ERR_INVALID);
    assert_null(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(the_same_input_gives_the_same_bytes),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(a_flipped_bit_is_refused_or_changes_nothing),
        cmocka_unit_test(sections_that_a_bundle_does_not_have_so_are_refused),
        cmocka_unit_test(a_section_that_nobody_names_is_refused),
        cmocka_unit_test(a_content_that_was_exchanged_is_refused_by_its_hash),
        cmocka_unit_test(later_versions_and_records_are_told_apart_from_damage),
        cmocka_unit_test(tables_that_contradict_themselves_are_refused),
        cmocka_unit_test(what_cannot_be_read_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
