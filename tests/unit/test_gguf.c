/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The GGUF reader against files that lie. Hostile files are a good one with one field overwritten, from a table; they
 * are also parsed from heap memory of their exact size, where a sanitizer sees a read of one byte too many.
 */
#define _GNU_SOURCE
#include "gguf.h"
#include "gguf_parse.h"
#include "tiny_gguf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Where the good file's fields are, for overwriting them. */
enum mark {
    MAGIC,
    VERSION,
    TENSOR_COUNT,
    KEY_COUNT,
    U32_KEY,
    U32_TYPE,
    F32_KEY,
    STRING_SIZE,
    STRINGS_ELEMENT_TYPE,
    STRINGS_COUNT,
    STRINGS_FIRST_SIZE,
    I32S_COUNT,
    BOOL_VALUE,
    ALIGNMENT_TYPE,
    ALIGNMENT_VALUE,
    ONE_NAME,
    ONE_RANK,
    ONE_DIMS,
    ONE_TYPE,
    TWO_NAME,
    TWO_DIMS,
    TWO_OFFSET,
    THREE_TYPE,
    THREE_OFFSET,
    MARKS,
};

struct good_file {
    struct tiny_gguf bytes;
    size_t marks[MARKS];
};

static void put_keys(struct good_file *good)
{
    struct tiny_gguf *file = &good->bytes;
    good->marks[U32_KEY] = file->size;
    tiny_key_u32(file, "a.one", 7);
    good->marks[U32_TYPE] = good->marks[U32_KEY] + 8 + 5;
    good->marks[F32_KEY] = file->size;
    tiny_key_f32(file, "b.one", 1.5F);
    good->marks[STRING_SIZE] = file->size + 8 + 5 + 4;
    tiny_key_string(file, "c.str", "hello");
    good->marks[STRINGS_ELEMENT_TYPE] = file->size + 8 + 5 + 4;
    good->marks[STRINGS_COUNT] = good->marks[STRINGS_ELEMENT_TYPE] + 4;
    good->marks[STRINGS_FIRST_SIZE] = good->marks[STRINGS_COUNT] + 8;
    tiny_key_strings(file, "d.arr", (const char *[]){"x", "yy", "zzz"}, 3);
    good->marks[I32S_COUNT] = file->size + 8 + 5 + 4 + 4;
    tiny_key_i32s(file, "e.arr", (const int32_t[]){1, -2, 3}, 3);
    tiny_key_bool(file, "f.boo", true);
    good->marks[BOOL_VALUE] = file->size - 1;
    tiny_key_u32(file, "general.alignment", 32);
    good->marks[ALIGNMENT_VALUE] = file->size - 4;
    good->marks[ALIGNMENT_TYPE] = file->size - 8;
}

static void put_tensors(struct good_file *good)
{
    struct tiny_gguf *file = &good->bytes;
    good->marks[ONE_NAME] = file->size;
    good->marks[ONE_RANK] = file->size + 8 + 5;
    good->marks[ONE_DIMS] = good->marks[ONE_RANK] + 4;
    tiny_put_tensor(file, "1.ten", 2, (const uint64_t[]){4, 2}, TINY_F32, 0);
    good->marks[ONE_TYPE] = file->size - 12;
    good->marks[TWO_NAME] = file->size;
    good->marks[TWO_DIMS] = file->size + 8 + 5 + 4;
    tiny_put_tensor(file, "2.ten", 1, (const uint64_t[]){32}, TINY_Q4_0, 32);
    good->marks[TWO_OFFSET] = file->size - 8;
    tiny_put_tensor(file, "3.ten", 1, (const uint64_t[]){32}, TINY_Q8_0, 64);
    good->marks[THREE_TYPE] = file->size - 12;
    good->marks[THREE_OFFSET] = file->size - 8;
    tiny_align(file, 32);
    for (int i = 0; i < 64 + 34; i++)
        tiny_put(file, (const unsigned char[]){(unsigned char)(i + 1)}, 1);
}

static struct good_file make_good(void)
{
    struct good_file good = {.marks = {[MAGIC] = 0, [VERSION] = 4, [TENSOR_COUNT] = 8, [KEY_COUNT] = 16}};
    tiny_put_header(&good.bytes, 3, 3, 7);
    put_keys(&good);
    put_tensors(&good);
    return good;
}

/* ---- reading bytes in memory and as a file ---- */

/* Touches all that a caller could reach, so that a wrong pointer or size is noticed. */
static unsigned walk(const struct gguf *file)
{
    struct chat_error error;
    struct gguf_string string;
    struct gguf_string_array strings;
    unsigned sum = 0;
    for (uint64_t i = 0; i < gguf_tensor_count(file); i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(file, i);
        for (uint64_t at = 0; at < tensor->bytes; at++)
            sum += ((const unsigned char *)tensor->data)[at];
    }
    if (gguf_get_string(file, "c.str", &string, &error))
        for (size_t i = 0; i < string.size; i++)
            sum += (unsigned char)string.text[i];
    if (gguf_get_string_array(file, "d.arr", &strings, &error))
        while (gguf_string_array_next(&strings, &string))
            sum += (unsigned)string.size;
    return sum;
}

/* Parses a copy that ends where the heap block ends. */
static bool parse_exactly(const unsigned char *bytes, size_t size, struct chat_error *error)
{
    unsigned char *copy = malloc(size != 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    struct gguf file = {.map = copy, .size = size, .label = "memory"};
    memset(error->text, 0, sizeof error->text);
    bool parsed = gguf_parse(&file, error);
    if (parsed)
        walk(&file);
    free(file.entries);
    free(file.tensors);
    free(copy);
    return parsed;
}

struct folder {
    char path[64];
    char file[80];
};

static int make_folder(void **state)
{
    struct folder *folder = calloc(1, sizeof *folder);
    if (folder == NULL)
        return -1;
    snprintf(folder->path, sizeof folder->path, "/tmp/test_gguf_XXXXXX");
    *state = folder;
    if (mkdtemp(folder->path) == NULL)
        return -1;
    snprintf(folder->file, sizeof folder->file, "%s/file.gguf", folder->path);
    return 0;
}

static int remove_folder(void **state)
{
    struct folder *folder = *state;
    unlink(folder->file);
    rmdir(folder->path);
    free(folder);
    return 0;
}

static struct gguf *open_good(const struct folder *folder)
{
    struct good_file good = make_good();
    struct chat_error error;
    struct gguf *file = NULL;
    assert_true(tiny_write(&good.bytes, folder->file));
    tiny_free(&good.bytes);
    if (!gguf_open(folder->file, &file, &error))
        fail_msg("%s", error.text);
    return file;
}

static void assert_one_line(const char *text, const char *expected)
{
    if (strstr(text, expected) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", expected, text);
    assert_null(strchr(text, '\n'));
}

/* ---- hostile fields ---- */

struct hostile {
    const char *sentence;
    const char *expected;
    uint64_t value;
    enum mark mark;
    unsigned char at; /* bytes behind the mark */
    unsigned char size;
};

static const struct hostile hostile_cases[] = {
    {"wrong_magic_is_refused", "magic: expected \"GGUF\", found \"XGUF\"", 'X', MAGIC, 0, 1},
    {"version_one_is_refused", "version: expected 2 or 3", 1, VERSION, 0, 4},
    {"big_endian_file_is_refused", "version: expected 2 or 3", 0x03000000, VERSION, 0, 4},
    {"huge_tensor_count_is_refused", "tensor count: expected at most", UINT64_MAX, TENSOR_COUNT, 0, 8},
    {"large_tensor_count_is_refused", "tensor count: expected at most", 1U << 20, TENSOR_COUNT, 0, 8},
    {"one_tensor_too_many_is_refused", "tensor 4 of 4", 4, TENSOR_COUNT, 0, 8},
    {"huge_key_count_is_refused", "key count: expected at most", UINT64_MAX, KEY_COUNT, 0, 8},
    {"one_key_too_many_is_refused", "tensor 1 of 3 name: expected", 8, KEY_COUNT, 0, 8},
    {"empty_key_is_refused", "key 1 of 7 name: expected 1 to 65535 bytes, found 0", 0, U32_KEY, 0, 8},
    {"key_of_huge_length_is_refused", "key 1 of 7 name: expected 18446744073709551615 bytes", UINT64_MAX, U32_KEY, 0,
     8},
    {"key_in_bad_utf8_is_refused", "expected UTF-8, found the byte 0xff at offset 2", 0xff, U32_KEY, 10, 1},
    {"key_in_overlong_utf8_is_refused", "expected UTF-8, found the byte 0xc0 at offset 0", 0x80c0, U32_KEY, 8, 2},
    {"repeated_key_is_refused", "key \"a.one\": expected one value, found two", 'a', F32_KEY, 8, 1},
    {"unknown_value_type_is_refused", "key \"a.one\" type: expected 0 to 12, found 13", 13, U32_TYPE, 0, 4},
    {"string_of_huge_length_is_refused", "key \"c.str\": expected", UINT64_MAX - 7, STRING_SIZE, 0, 8},
    {"string_beyond_the_file_is_refused", "key \"c.str\": expected 100000 bytes", 100000, STRING_SIZE, 0, 8},
    {"string_in_bad_utf8_is_refused", "found the byte 0x80 at offset 4", 0x80, STRING_SIZE, 12, 1},
    {"string_that_ends_inside_a_character_is_refused", "found the byte 0xc3 at offset 4", 0xc3, STRING_SIZE, 12, 1},
    {"array_of_arrays_is_refused", "key \"d.arr\" element type: expected", 9, STRINGS_ELEMENT_TYPE, 0, 4},
    {"array_of_unknown_type_is_refused", "key \"d.arr\" element type: expected", 99, STRINGS_ELEMENT_TYPE, 0, 4},
    {"string_array_of_huge_count_is_refused", "key \"d.arr\": expected at most", 1ULL << 61, STRINGS_COUNT, 0, 8},
    {"string_array_of_lying_length_is_refused", "key \"d.arr\" element: expected", 1ULL << 40, STRINGS_FIRST_SIZE, 0,
     8},
    {"number_array_whose_size_would_wrap_is_refused", "key \"e.arr\": expected at most", 1ULL << 62, I32S_COUNT, 0, 8},
    {"number_array_beyond_the_file_is_refused", "key \"e.arr\": expected at most", 1000, I32S_COUNT, 0, 8},
    {"bool_of_two_is_refused", "key \"f.boo\": expected a bool of 0 or 1, found 2", 2, BOOL_VALUE, 0, 1},
    {"alignment_of_zero_is_refused", "key \"general.alignment\": expected a power of two", 0, ALIGNMENT_VALUE, 0, 4},
    {"alignment_of_four_is_refused", "key \"general.alignment\": expected a power of two", 4, ALIGNMENT_VALUE, 0, 4},
    {"alignment_of_48_is_refused", "key \"general.alignment\": expected a power of two", 48, ALIGNMENT_VALUE, 0, 4},
    {"alignment_that_is_no_u32_is_refused", "key \"general.alignment\": expected u32, found f32", 6, ALIGNMENT_TYPE, 0,
     4},
    {"alignment_that_offsets_ignore_is_refused", "offset: expected a multiple of 64, found 32", 64, ALIGNMENT_VALUE, 0,
     4},
    {"alignment_beyond_the_file_is_refused", "padding before the data: expected", 1U << 31, ALIGNMENT_VALUE, 0, 4},
    {"empty_tensor_name_is_refused", "tensor 1 of 3 name: expected 1 to 64 bytes, found 0", 0, ONE_NAME, 0, 8},
    {"long_tensor_name_is_refused", "tensor 1 of 3 name: expected", 65, ONE_NAME, 0, 8},
    {"tensor_name_in_bad_utf8_is_refused", "tensor 1 of 3 name: expected UTF-8", 0xfe, ONE_NAME, 8, 1},
    {"repeated_tensor_is_refused", "tensor \"1.ten\": expected one tensor of this name", '1', TWO_NAME, 8, 1},
    {"rank_zero_is_refused", "tensor \"1.ten\" rank: expected 1 to 4, found 0", 0, ONE_RANK, 0, 4},
    {"rank_five_is_refused", "tensor \"1.ten\" rank: expected 1 to 4, found 5", 5, ONE_RANK, 0, 4},
    {"dimension_of_zero_is_refused", "dimensions: expected at least 1 in each", 0, ONE_DIMS, 8, 8},
    {"dimensions_whose_product_wraps_are_refused", "dimensions: expected a product", 1ULL << 62, ONE_DIMS, 8, 8},
    {"huge_dimension_is_refused", "dimensions: expected a product", UINT64_MAX, ONE_DIMS, 0, 8},
    {"dimension_beyond_the_file_is_refused", "tensor \"1.ten\" data: expected 32000 bytes", 4000, ONE_DIMS, 0, 8},
    {"unknown_tensor_type_is_refused", "tensor \"1.ten\" type: expected 0 (f32)", 77, ONE_TYPE, 0, 4},
    {"tensor_type_of_a_removed_format_is_refused", "found 4", 4, ONE_TYPE, 0, 4},
    {"half_a_block_is_refused", "dimension 0: expected a multiple of 32 for q4_0, found 48", 48, TWO_DIMS, 0, 8},
    {"type_that_needs_more_bytes_is_refused", "tensor \"3.ten\" data: expected 128 bytes", TINY_F32, THREE_TYPE, 0, 4},
    {"offset_off_its_alignment_is_refused", "tensor \"2.ten\" offset: expected a multiple of 32, found 33", 33,
     TWO_OFFSET, 0, 8},
    {"overlapping_tensors_are_refused", "expected data of its own, found an overlap", 0, TWO_OFFSET, 0, 8},
    {"offset_behind_the_file_is_refused", "tensor \"3.ten\" data: expected", 1ULL << 40, THREE_OFFSET, 0, 8},
    {"offset_that_would_wrap_is_refused", "tensor \"3.ten\" data: expected", UINT64_MAX - 31, THREE_OFFSET, 0, 8},
    {"last_block_one_step_too_far_is_refused", "tensor \"3.ten\" data: expected", 96, THREE_OFFSET, 0, 8},
};

enum { HOSTILE_CASES = sizeof hostile_cases / sizeof hostile_cases[0] };

static void hostile_field_is_refused(void **state)
{
    const struct hostile *hostile = *state;
    struct good_file good = make_good();
    struct chat_error error;
    for (size_t i = 0; i < hostile->size; i++)
        good.bytes.bytes[good.marks[hostile->mark] + hostile->at + i] = (unsigned char)(hostile->value >> 8 * i);
    bool parsed = parse_exactly(good.bytes.bytes, good.bytes.size, &error);
    tiny_free(&good.bytes);
    assert_false(parsed);
    assert_one_line(error.text, hostile->expected);
    assert_one_line(error.text, "memory: ");
    assert_one_line(error.text, "found");
}

/* ---- every byte, every length ---- */

static void truncation_at_every_length_is_refused(void **state)
{
    (void)state;
    struct good_file good = make_good();
    struct chat_error error;
    size_t accepted = 0;
    for (size_t size = 0; size < good.bytes.size; size++)
        accepted += parse_exactly(good.bytes.bytes, size, &error) || error.text[0] == '\0';
    bool whole = parse_exactly(good.bytes.bytes, good.bytes.size, &error);
    tiny_free(&good.bytes);
    assert_int_equal(accepted, 0);
    assert_true(whole);
}

static void flipping_any_bits_of_a_byte_gives_an_error_or_a_file(void **state)
{
    (void)state;
    static const unsigned char flips[] = {1, 2, 4, 8, 16, 32, 64, 128, 255, 127};
    struct good_file good = make_good();
    struct chat_error error;
    size_t refused = 0;
    for (size_t at = 0; at < good.bytes.size; at++)
        for (size_t i = 0; i < sizeof flips; i++) {
            good.bytes.bytes[at] ^= flips[i];
            bool parsed = parse_exactly(good.bytes.bytes, good.bytes.size, &error);
            good.bytes.bytes[at] ^= flips[i];
            refused += !parsed;
            if (!parsed)
                assert_one_line(error.text, "memory: ");
        }
    tiny_free(&good.bytes);
    assert_true(refused > 1000);
}

static void flipping_bytes_of_a_whole_model_gives_an_error_or_a_file(void **state)
{
    (void)state;
    const struct tiny_model model = {.seed = 3,
                                     .layers = 1,
                                     .width = 32,
                                     .heads = 2,
                                     .kv_heads = 1,
                                     .feed_forward = 32,
                                     .vocabulary = 264,
                                     .context = 16,
                                     .weight_type = TINY_MIXED};
    struct tiny_gguf file = {0};
    struct chat_error error;
    tiny_model_build(&model, &file);
    bool whole = parse_exactly(file.bytes, file.size, &error);
    size_t refused = 0;
    for (size_t at = 0; at < 10000; at += 3) {
        file.bytes[at] ^= 0xff;
        refused += !parse_exactly(file.bytes, file.size, &error);
        file.bytes[at] ^= 0xff;
    }
    tiny_free(&file);
    assert_true(whole);
    assert_true(refused > 500);
}

/* ---- good files ---- */

static void values_come_back_by_key_and_type(void **state)
{
    struct gguf *file = open_good(*state);
    struct chat_error error;
    uint32_t number = 0;
    float real = 0.0F;
    bool truth = false;
    struct gguf_string string = {0};
    struct gguf_string_array strings;
    struct gguf_i32_array numbers;
    assert_true(gguf_get_u32(file, "a.one", &number, &error) && number == 7);
    assert_true(gguf_get_f32(file, "b.one", &real, &error) && real == 1.5F);
    assert_true(gguf_get_bool(file, "f.boo", &truth, &error) && truth);
    assert_true(gguf_get_string(file, "c.str", &string, &error));
    assert_int_equal(string.size, 5);
    assert_memory_equal(string.text, "hello", 5);
    assert_true(gguf_get_string_array(file, "d.arr", &strings, &error) && strings.count == 3);
    for (size_t i = 1; i <= 3; i++)
        assert_true(gguf_string_array_next(&strings, &string) && string.size == i);
    assert_false(gguf_string_array_next(&strings, &string));
    assert_true(gguf_get_i32_array(file, "e.arr", &numbers, &error) && numbers.count == 3);
    assert_int_equal(gguf_i32_array_at(&numbers, 1), -2);
    gguf_close(file);
}

static void wrong_type_and_absent_key_name_what_was_expected_and_found(void **state)
{
    struct gguf *file = open_good(*state);
    struct chat_error error;
    uint32_t number;
    struct gguf_i32_array numbers;
    assert_false(gguf_get_u32(file, "b.one", &number, &error));
    assert_one_line(error.text, "key \"b.one\": expected u32, found f32");
    assert_false(gguf_get_i32_array(file, "d.arr", &numbers, &error));
    assert_one_line(error.text, "key \"d.arr\": expected array of i32, found array of string");
    assert_false(gguf_get_u32(file, "e.arr", &number, &error));
    assert_one_line(error.text, "key \"e.arr\": expected u32, found array of i32");
    assert_false(gguf_get_u32(file, "z", &number, &error));
    assert_one_line(error.text, "key \"z\": expected u32, found no such key");
    assert_false(gguf_has_key(file, "z"));
    gguf_close(file);
}

static void tensors_come_back_with_their_shape_and_bytes(void **state)
{
    struct gguf *file = open_good(*state);
    struct chat_error error;
    struct gguf_tensor tensor;
    assert_true(gguf_get_tensor(file, "1.ten", &tensor, &error));
    assert_int_equal(tensor.rank, 2);
    assert_int_equal(tensor.dims[0], 4);
    assert_int_equal(tensor.dims[1], 2);
    assert_int_equal(tensor.dims[2], 1);
    assert_int_equal(tensor.bytes, 32);
    assert_true(gguf_get_tensor(file, "3.ten", &tensor, &error));
    assert_string_equal(gguf_type_name(tensor.type), "q8_0");
    assert_int_equal(tensor.bytes, 34);
    assert_int_equal(((const unsigned char *)tensor.data)[0], 65);
    assert_int_equal((uintptr_t)tensor.data % 32, 0);
    assert_false(gguf_get_tensor(file, "4.ten", &tensor, &error));
    assert_one_line(error.text, "tensor \"4.ten\": expected in the file");
    gguf_close(file);
}

static void file_without_tensors_opens(void **state)
{
    const struct folder *folder = *state;
    struct tiny_gguf bytes = {0};
    struct chat_error error;
    struct gguf *file = NULL;
    tiny_put_header(&bytes, 2, 0, 1);
    tiny_key_u32(&bytes, "k", 1);
    bool written = tiny_write(&bytes, folder->file);
    tiny_free(&bytes);
    assert_true(written);
    assert_true(gguf_open(folder->file, &file, &error));
    assert_int_equal(gguf_tensor_count(file), 0);
    gguf_close(file);
}

/* ---- paths ---- */

static void assert_open_fails(const char *path, const char *expected)
{
    struct chat_error error;
    struct gguf *file = NULL;
    assert_false(gguf_open(path, &file, &error));
    assert_null(file);
    assert_one_line(error.text, expected);
}

static void absent_file_is_named(void **state)
{
    const struct folder *folder = *state;
    assert_open_fails(folder->file, "file.gguf: cannot be opened: No such file");
}

static void empty_file_is_refused(void **state)
{
    const struct folder *folder = *state;
    const struct tiny_gguf nothing = {0};
    assert_true(tiny_write(&nothing, folder->file));
    assert_open_fails(folder->file, "magic: expected \"GGUF\", found an empty file");
}

static void folder_is_refused(void **state)
{
    const struct folder *folder = *state;
    assert_open_fails(folder->path, "expected a regular file");
}

static void pipe_is_refused_without_waiting_for_a_writer(void **state)
{
    const struct folder *folder = *state;
    assert_int_equal(mkfifo(folder->file, 0600), 0);
    assert_open_fails(folder->file, "expected a regular file");
}

static void newline_in_a_path_stays_out_of_the_message(void **state)
{
    (void)state;
    assert_open_fails("/nonexistent/a\nb.gguf", "a?b.gguf: cannot be opened");
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    static struct CMUnitTest hostile_tests[HOSTILE_CASES];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncation_at_every_length_is_refused),
        cmocka_unit_test(flipping_any_bits_of_a_byte_gives_an_error_or_a_file),
        cmocka_unit_test(flipping_bytes_of_a_whole_model_gives_an_error_or_a_file),
        IN_FOLDER(values_come_back_by_key_and_type),
        IN_FOLDER(wrong_type_and_absent_key_name_what_was_expected_and_found),
        IN_FOLDER(tensors_come_back_with_their_shape_and_bytes),
        IN_FOLDER(file_without_tensors_opens),
        IN_FOLDER(absent_file_is_named),
        IN_FOLDER(empty_file_is_refused),
        IN_FOLDER(folder_is_refused),
        IN_FOLDER(pipe_is_refused_without_waiting_for_a_writer),
        cmocka_unit_test(newline_in_a_path_stays_out_of_the_message),
    };
    for (size_t i = 0; i < HOSTILE_CASES; i++)
        hostile_tests[i] = (struct CMUnitTest){.name = hostile_cases[i].sentence,
                                               .test_func = hostile_field_is_refused,
                                               .initial_state = (void *)&hostile_cases[i]};
    int failed = cmocka_run_group_tests_name("gguf", tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("gguf, hostile fields", hostile_tests, NULL, NULL);
}
