/* SPDX-License-Identifier: Apache-2.0 */
/* The tokeniser, the text stream and the chat template on a vocabulary whose merges are known. */
#define _GNU_SOURCE
#include "chat_template.h"
#include "pretokenizer.h"
#include "text_stream.h"
#include "tiny_gguf.h"
#include "tokenizer.h"
#include "unicode_class.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Rank is the place in this list; the tokens are 259 and on. "\xc4\xa0" is the letter for a space. */
static const char *const merges[] = {"b c", "a b", "a bc", "1 2", "' s", "\xc4\xa0 x", "x y", "\xc4\x8a \xc4\x8a"};

enum {
    BC = TINY_FIRST_MERGE_TOKEN,
    AB,
    ABC,
    TWELVE,
    APOSTROPHE_S,
    SPACE_X,
    XY,
    TWO_NEWLINES,
    VOCABULARY,
    MERGES = sizeof merges / sizeof merges[0],
};

#define BYTE(value) (TINY_FIRST_BYTE_TOKEN + (value))

struct fixture {
    char path[64];
    struct gguf *file;
    struct tokenizer *tokenizer;
    struct text_stream *stream;
    struct token_list list;
    struct chat_error error;
};

static struct tiny_gguf make_file(void)
{
    struct tiny_gguf bytes = {0};
    tiny_put_header(&bytes, 3, 0, TINY_TOKENIZER_KEYS);
    tiny_put_tokenizer(&bytes, merges, MERGES);
    return bytes;
}

static int create(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (fixture == NULL)
        return -1;
    *state = fixture;
    snprintf(fixture->path, sizeof fixture->path, "/tmp/test_tokenizer_XXXXXX");
    int descriptor = mkstemp(fixture->path);
    if (descriptor < 0)
        return -1;
    close(descriptor);
    struct tiny_gguf bytes = make_file();
    bool written = tiny_write(&bytes, fixture->path);
    tiny_free(&bytes);
    if (written && gguf_open(fixture->path, &fixture->file, &fixture->error) &&
        tokenizer_create(fixture->file, &fixture->tokenizer, &fixture->error) &&
        text_stream_create(fixture->tokenizer, &fixture->stream, &fixture->error))
        return 0;
    print_error("%s\n", fixture->error.text);
    return -1;
}

static int destroy(void **state)
{
    struct fixture *fixture = *state;
    text_stream_destroy(fixture->stream);
    tokenizer_destroy(fixture->tokenizer);
    gguf_close(fixture->file);
    token_list_free(&fixture->list);
    unlink(fixture->path);
    free(fixture);
    return 0;
}

static void assert_error(const struct fixture *fixture, const char *expected)
{
    if (strstr(fixture->error.text, expected) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", expected, fixture->error.text);
    assert_null(strchr(fixture->error.text, '\n'));
}

static void assert_tokens(struct fixture *fixture, const char *text, const int32_t *expected, size_t count)
{
    fixture->list.count = 0;
    if (!tokenizer_encode(fixture->tokenizer, text, strlen(text), &fixture->list, &fixture->error))
        fail_msg("%s", fixture->error.text);
    assert_int_equal(fixture->list.count, count);
    assert_memory_equal(fixture->list.tokens, expected, count * sizeof expected[0]);
}

#define ASSERT_TOKENS(fixture, text, ...)                                                                              \
    assert_tokens(fixture, text, (const int32_t[]){__VA_ARGS__},                                                       \
                  sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t))

/* ---- merges ---- */

static void lower_rank_merges_before_what_stands_further_left(void **state)
{
    ASSERT_TOKENS(*state, "abc", ABC); /* "b c" first; merging "a b" first would leave ab, c */
    ASSERT_TOKENS(*state, "ab", AB);
    ASSERT_TOKENS(*state, "abbc", AB, BC);
}

static void equal_ranks_merge_from_the_left(void **state)
{
    ASSERT_TOKENS(*state, "\n\n\n", TWO_NEWLINES, BYTE('\n'));
}

static void merges_stay_inside_a_word(void **state)
{
    ASSERT_TOKENS(*state, "a b", BYTE('a'), BYTE(' '), BYTE('b'));
    ASSERT_TOKENS(*state, " xy", SPACE_X, BYTE('y'));
}

static void digits_stand_alone_even_if_a_merge_joins_them(void **state)
{
    ASSERT_TOKENS(*state, "12", BYTE('1'), BYTE('2'));
}

static void contraction_is_a_word_of_its_own(void **state)
{
    ASSERT_TOKENS(*state, "b's", BYTE('b'), APOSTROPHE_S);
    ASSERT_TOKENS(*state, "'sx", APOSTROPHE_S, BYTE('x'));
}

static void bytes_without_merges_stay_bytes(void **state)
{
    ASSERT_TOKENS(*state, "\xc3\xa9", BYTE(0xc3), BYTE(0xa9));
}

static void control_token_in_text_is_only_text(void **state)
{
    ASSERT_TOKENS(*state, "<|im_end|>", BYTE('<'), BYTE('|'), BYTE('i'), BYTE('m'), BYTE('_'), BYTE('e'), BYTE('n'),
                  BYTE('d'), BYTE('|'), BYTE('>'));
}

static void encoding_adds_to_the_list(void **state)
{
    struct fixture *fixture = *state;
    assert_true(token_list_add(&fixture->list, 42, &fixture->error));
    assert_true(tokenizer_encode(fixture->tokenizer, "ab", 2, &fixture->list, &fixture->error));
    assert_int_equal(fixture->list.count, 2);
    assert_int_equal(fixture->list.tokens[0], 42);
    assert_int_equal(fixture->list.tokens[1], AB);
}

/* One word of a million letters: a method that looks at all pairs for each merge would take hours. */
static void very_long_word_is_merged(void **state)
{
    struct fixture *fixture = *state;
    enum { LENGTH = 1000000 };
    char *text = malloc(LENGTH);
    assert_non_null(text);
    for (size_t i = 0; i < LENGTH; i++)
        text[i] = "ab"[i % 2];
    bool encoded = tokenizer_encode(fixture->tokenizer, text, LENGTH, &fixture->list, &fixture->error);
    free(text);
    assert_true(encoded);
    assert_int_equal(fixture->list.count, LENGTH / 2);
    assert_int_equal(fixture->list.tokens[LENGTH / 2 - 1], AB);
}

/* ---- words ---- */

struct word_case {
    const char *sentence;
    const char *text;
    const char *words; /* with '/' between them */
};

static const struct word_case word_cases[] = {
    {"one_space_belongs_to_the_word_behind_it", "one two", "one/ two"},
    {"further_spaces_stand_before_it", "one   two", "one/  / two"},
    {"newline_does_not_join_a_word", "one\ntwo", "one/\n/two"},
    {"last_of_two_newlines_stands_alone", "one\n\ntwo", "one/\n/\n/two"},
    {"space_behind_a_newline_joins_the_word", "one\n two", "one/\n/ two"},
    {"trailing_white_space_is_one_word", "one \n ", "one/ \n "},
    {"white_space_before_a_number_is_one_word", "a   1", "a/   /1"},
    {"numbers_are_cut_into_characters", "a123 4", "a/1/2/3/ /4"},
    {"foreign_digits_are_numbers", "x\u0663\u00bdy", "x/\u0663/\u00bd/y"},
    {"contractions_are_cut_off", "it's we'll I'd", "it/'s/ we/'ll/ I/'d"},
    {"capital_contraction_is_punctuation", "IT'S", "IT/'/S"},
    {"space_before_an_apostrophe_hides_the_contraction", "a 's", "a/ '/s"},
    {"lone_apostrophe_is_punctuation", "a'", "a/'"},
    {"punctuation_runs_together", "a?! ...b", "a/?!/ .../b"},
    {"letters_of_all_scripts_run_together", "na\u00efve\u65e5\u672c \u03bb", "na\u00efve\u65e5\u672c/ \u03bb"},
    {"combining_mark_is_no_letter", "e\u0301x", "e/\u0301/x"},
    {"emoji_is_no_letter", "a\U0001f600b", "a/\U0001f600/b"},
    {"no_break_space_is_white_space", "a\u00a0b", "a/\u00a0/b"},
    {"ideographic_spaces_are_white_space", "a\u3000\u3000b", "a/\u3000/\u3000/b"},
};

enum { WORD_CASES = sizeof word_cases / sizeof word_cases[0] };

static void text_is_cut_into_words(void **state)
{
    const struct word_case *word_case = *state;
    const char *text = word_case->text;
    size_t left = strlen(text);
    char words[128] = "";
    size_t used = 0;
    while (left > 0) {
        size_t length = pretokenizer_word(text, left);
        assert_in_range(length, 1, left);
        used += (size_t)snprintf(words + used, sizeof words - used, "%s%.*s", used != 0 ? "/" : "", (int)length, text);
        text += length;
        left -= length;
    }
    assert_string_equal(words, word_case->words);
}

static void classes_follow_unicode(void **state)
{
    (void)state;
    assert_int_equal(unicode_class_of('a'), UNICODE_LETTER);
    assert_int_equal(unicode_class_of(0x00aa), UNICODE_LETTER);
    assert_int_equal(unicode_class_of(0x10ffff), UNICODE_OTHER);
    assert_int_equal(unicode_class_of(0x2160), UNICODE_NUMBER);
    assert_int_equal(unicode_class_of(0x200b), UNICODE_OTHER); /* zero-width space is a format character */
    assert_int_equal(unicode_class_of(0x0085), UNICODE_SPACE);
    assert_int_equal(unicode_class_of(0x001f), UNICODE_OTHER);
    assert_int_equal(unicode_class_of(0), UNICODE_OTHER);
}

/* ---- bad text ---- */

static void bad_utf8_names_its_offset(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"abc\xff", "found the byte 0xff at offset 3"},      {"\x80", "found the byte 0x80 at offset 0"},
        {"ab\xc3", "found the byte 0xc3 at offset 2"},       {"\xed\xa0\x80", "found the byte 0xed at offset 0"},
        {"a\xc0\xaf", "found the byte 0xc0 at offset 1"},    {"\xf4\x90\x80\x80", "found the byte 0xf4 at offset 0"},
        {"\xe0\x80\xaf", "found the byte 0xe0 at offset 0"}, {"a\xf0\x80\x80\x80", "found the byte 0xf0 at offset 1"},
        {"\xe2\x82 x", "found the byte 0xe2 at offset 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size = strlen(cases[i].text);
        assert_false(tokenizer_encode(fixture->tokenizer, cases[i].text, size, &fixture->list, &fixture->error));
        assert_error(fixture, cases[i].expected);
        assert_int_equal(fixture->list.count, 0);
    }
}

static void empty_text_is_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_false(tokenizer_encode(fixture->tokenizer, "", 0, &fixture->list, &fixture->error));
    assert_error(fixture, "expected some text, found none");
}

/* ---- decoding ---- */

static void assert_streamed(struct fixture *fixture, int32_t token, const char *expected)
{
    struct gguf_string text = text_stream_add(fixture->stream, token);
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.text, expected, text.size);
}

static void every_byte_survives_encoding_and_decoding(void **state)
{
    struct fixture *fixture = *state;
    for (int byte = 0; byte < 256; byte++) {
        char bytes[64];
        assert_true(tokenizer_longest_token(fixture->tokenizer) <= sizeof bytes);
        assert_int_equal(tokenizer_token_bytes(fixture->tokenizer, BYTE(byte), bytes), 1);
        assert_int_equal((unsigned char)bytes[0], byte);
    }
}

static void merged_token_decodes_to_its_bytes(void **state)
{
    struct fixture *fixture = *state;
    assert_streamed(fixture, SPACE_X, " x");
    assert_streamed(fixture, TWO_NEWLINES, "\n\n");
}

static void control_token_decodes_to_nothing(void **state)
{
    assert_streamed(*state, TINY_TOKEN_TURN_END, "");
}

static void character_over_several_tokens_waits_until_it_is_whole(void **state)
{
    struct fixture *fixture = *state;
    assert_streamed(fixture, BYTE(0xf0), "");
    assert_streamed(fixture, BYTE(0x9f), "");
    assert_streamed(fixture, BYTE(0x98), "");
    assert_streamed(fixture, BYTE(0x80), "\U0001f600");
    assert_int_equal(text_stream_finish(fixture->stream).size, 0);
}

static void bytes_that_form_no_character_become_replacement_characters(void **state)
{
    struct fixture *fixture = *state;
    assert_streamed(fixture, BYTE(0xff), "\ufffd");
    assert_streamed(fixture, BYTE(0xc3), "");
    assert_streamed(fixture, BYTE('a'),
                    "\ufffd"
                    "a");
}

static void character_cut_by_the_end_becomes_a_replacement_character(void **state)
{
    struct fixture *fixture = *state;
    assert_streamed(fixture, BYTE(0xe2), "");
    struct gguf_string rest = text_stream_finish(fixture->stream);
    assert_int_equal(rest.size, 3);
    assert_memory_equal(rest.text, "\ufffd", 3);
    assert_streamed(fixture, BYTE('a'), "a"); /* a new answer starts clean */
}

/* ---- hostile vocabularies ---- */

struct hostile {
    const char *sentence;
    const char *from; /* the first occurrence in the good file is overwritten */
    const char *to;   /* by as many bytes */
    size_t size;
    const char *expected;
};

static const struct hostile hostile_cases[] = {
    {"another_tokenizer_model_is_refused", "gpt2", "bert", 4,
     "tokenizer.ggml.model\": expected \"gpt2\", found \"bert\""},
    {"another_pretokenizer_is_refused", "smollm", "llama9", 6,
     "tokenizer.ggml.pre\": expected \"smollm\", found \"llama9\""},
    {"absent_merges_are_refused", "ggml.merges", "ggml.xerges", 11, "expected array of string, found no such key"},
    {"absent_token_types_are_refused", "token_type", "token_typo", 10, "expected array of i32, found no such key"},
    {"absent_end_token_is_refused", "eos_token", "eox_token", 9, "eos_token_id\": expected u32, found no such key"},
    {"end_token_outside_the_vocabulary_is_refused", "eos_token_id\4\0\0\0\2\0", "eos_token_id\4\0\0\0\2\7", 18,
     "eos_token_id\": expected a token below 267, found 1794"},
    {"repeated_token_is_refused", "\1\0\0\0\0\0\0\0b", "\1\0\0\0\0\0\0\0a", 9,
     "token 101: expected a new text, found \"a\" again"},
    {"token_type_zero_is_refused", "token_type\x09\0\0\0\5\0\0\0\x0b\1\0\0\0\0\0\0\3",
     "token_type\x09\0\0\0\5\0\0\0\x0b\1\0\0\0\0\0\0\0", 27, "token_type: token 0: expected 1 to 6, found 0"},
    {"merge_without_a_space_is_refused", "b c", "b-c", 3, "merge 0: expected two texts, found \"b-c\""},
    {"merge_without_a_right_part_is_refused", "b c", "bc ", 3, "merge 0: expected two texts, found \"bc \""},
    {"merge_without_a_left_part_is_refused", "b c", " bc", 3, "merge 0: expected two texts, found \" bc\""},
    {"merge_of_unknown_tokens_is_refused", "b c", "q c", 3, "merge 0: expected both parts and their union"},
};

enum { HOSTILE_CASES = sizeof hostile_cases / sizeof hostile_cases[0] };

/* Creating a tokeniser from the bytes fails with the message; an error before that fails the test. */
static void assert_refused(const struct tiny_gguf *bytes, const char *expected)
{
    char path[] = "/tmp/test_tokenizer_XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    struct fixture fixture = {0};
    bool opened = tiny_write(bytes, path) && gguf_open(path, &fixture.file, &fixture.error);
    unlink(path);
    assert_true(opened);
    bool created = tokenizer_create(fixture.file, &fixture.tokenizer, &fixture.error);
    gguf_close(fixture.file);
    assert_false(created);
    assert_error(&fixture, expected);
    assert_error(&fixture, path);
}

static void overwrite(struct tiny_gguf *bytes, const char *from, const char *to, size_t size)
{
    char *at = memmem(bytes->bytes, bytes->size, from, size);
    assert_non_null(at);
    memcpy(at, to, size);
}

static void hostile_vocabulary_is_refused(void **state)
{
    const struct hostile *hostile = *state;
    struct tiny_gguf bytes = make_file();
    overwrite(&bytes, hostile->from, hostile->to, hostile->size);
    assert_refused(&bytes, hostile->expected);
    tiny_free(&bytes);
}

static void put_small_vocabulary(struct tiny_gguf *bytes, const char *second, size_t types)
{
    tiny_put_header(bytes, 3, 0, 5);
    tiny_key_string(bytes, "tokenizer.ggml.model", "gpt2");
    tiny_key_string(bytes, "tokenizer.ggml.pre", "smollm");
    tiny_key_strings(bytes, "tokenizer.ggml.tokens", (const char *[]){"a", second}, 2);
    tiny_key_i32s(bytes, "tokenizer.ggml.token_type", (const int32_t[]){1, 1, 1}, types);
    tiny_key_strings(bytes, "tokenizer.ggml.merges", NULL, 0);
}

static void empty_token_is_refused(void **state)
{
    (void)state;
    struct tiny_gguf bytes = {0};
    put_small_vocabulary(&bytes, "", 2);
    assert_refused(&bytes, "token 1: expected a text, found none");
    tiny_free(&bytes);
}

static void token_types_of_another_count_are_refused(void **state)
{
    (void)state;
    struct tiny_gguf bytes = {0};
    put_small_vocabulary(&bytes, "b", 3);
    assert_refused(&bytes, "expected one for each of 2 tokens, found 3");
    tiny_free(&bytes);
}

static void byte_without_a_token_is_refused_in_text(void **state)
{
    struct fixture *fixture = *state;
    struct tiny_gguf bytes = make_file();
    struct gguf *file = NULL;
    struct tokenizer *tokenizer = NULL;
    overwrite(&bytes, "\xc4\x84", "\xc5\xb4", 2); /* the letter of byte 4 becomes one that stands for no byte */
    bool written = tiny_write(&bytes, fixture->path);
    tiny_free(&bytes);
    assert_true(written && gguf_open(fixture->path, &file, &fixture->error));
    assert_true(tokenizer_create(file, &tokenizer, &fixture->error));
    bool encoded = tokenizer_encode(tokenizer, "ab\4", 3, &fixture->list, &fixture->error);
    tokenizer_destroy(tokenizer);
    gguf_close(file);
    assert_false(encoded);
    assert_error(fixture, "vocabulary has tokens for, found 0x04 at offset 2");
}

/* ---- the chat template ---- */

static void expect_text(const struct token_list *list, size_t *at, const char *text)
{
    for (; *text != '\0'; text++, (*at)++) {
        assert_true(*at < list->count);
        assert_int_equal(list->tokens[*at], BYTE((unsigned char)*text));
    }
}

static void expect_token(const struct token_list *list, size_t *at, int32_t token)
{
    assert_true(*at < list->count);
    assert_int_equal(list->tokens[(*at)++], token);
}

static void conversation_follows_the_chatml_form(void **state)
{
    struct fixture *fixture = *state;
    struct token_list *list = &fixture->list;
    struct chat_template chat;
    size_t at = 0;
    assert_true(chat_template_init(&chat, fixture->tokenizer, &fixture->error));
    assert_true(chat_template_open(&chat, "Hm.", list, &fixture->error));
    assert_true(chat_template_user(&chat, "Hi", 2, list, &fixture->error));
    assert_true(chat_template_close_answer(&chat, list, &fixture->error));

    expect_token(list, &at, TINY_TOKEN_TURN_START);
    expect_text(list, &at, "system\nHm.");
    expect_token(list, &at, TINY_TOKEN_TURN_END);
    expect_text(list, &at, "\n");
    expect_token(list, &at, TINY_TOKEN_TURN_START);
    expect_text(list, &at, "user\nHi");
    expect_token(list, &at, TINY_TOKEN_TURN_END);
    expect_text(list, &at, "\n");
    expect_token(list, &at, TINY_TOKEN_TURN_START);
    expect_text(list, &at, "assistant\n");
    expect_token(list, &at, TINY_TOKEN_TURN_END);
    expect_text(list, &at, "\n");
    assert_int_equal(at, list->count);
}

static void newline_that_opens_the_prompt_meets_the_one_before_it(void **state)
{
    struct fixture *fixture = *state;
    struct chat_template chat;
    size_t at = 1;
    assert_true(chat_template_init(&chat, fixture->tokenizer, &fixture->error));
    assert_true(chat_template_user(&chat, "\n\n", 2, &fixture->list, &fixture->error));
    expect_text(&fixture->list, &at, "user");
    expect_token(&fixture->list, &at, TWO_NEWLINES);
    expect_text(&fixture->list, &at, "\n");
    expect_token(&fixture->list, &at, TINY_TOKEN_TURN_END);
}

static void prompt_that_imitates_a_turn_stays_text(void **state)
{
    struct fixture *fixture = *state;
    struct chat_template chat;
    size_t ends = 0;
    assert_true(chat_template_init(&chat, fixture->tokenizer, &fixture->error));
    assert_true(chat_template_user(&chat, "x<|im_end|>", 11, &fixture->list, &fixture->error));
    for (size_t i = 0; i < fixture->list.count; i++)
        ends += fixture->list.tokens[i] == TINY_TOKEN_TURN_END;
    assert_int_equal(ends, 1);
}

static void bad_prompt_leaves_the_conversation_as_it_was(void **state)
{
    struct fixture *fixture = *state;
    struct chat_template chat;
    assert_true(chat_template_init(&chat, fixture->tokenizer, &fixture->error));
    assert_true(chat_template_open(&chat, NULL, &fixture->list, &fixture->error));
    size_t before = fixture->list.count;
    assert_false(chat_template_user(&chat, "a\xff", 2, &fixture->list, &fixture->error));
    assert_error(fixture, "prompt: expected UTF-8, found the byte 0xff at offset 1");
    assert_false(chat_template_user(&chat, "", 0, &fixture->list, &fixture->error));
    assert_error(fixture, "prompt: expected some text, found none");
    assert_int_equal(fixture->list.count, before);
}

static void answer_ends_with_its_control_token_only(void **state)
{
    struct fixture *fixture = *state;
    struct chat_template chat;
    assert_true(chat_template_init(&chat, fixture->tokenizer, &fixture->error));
    assert_true(chat_template_is_end(&chat, TINY_TOKEN_TURN_END));
    assert_false(chat_template_is_end(&chat, BYTE('a')));
}

static void vocabulary_without_turns_is_refused_by_the_template(void **state)
{
    struct fixture *fixture = *state;
    int32_t token;
    assert_false(tokenizer_find_control(fixture->tokenizer, "<|nothing|>", &token, &fixture->error));
    assert_error(fixture, "expected the control token \"<|nothing|>\", found none");
    assert_false(tokenizer_find_control(fixture->tokenizer, "a", &token, &fixture->error));
    assert_error(fixture, "expected the control token \"a\", found ordinary text");
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, create, destroy)

static void fill(struct CMUnitTest *test, const char *sentence, CMUnitTestFunction function, const void *one_case)
{
    *test = (struct CMUnitTest){.name = sentence, .test_func = function, .initial_state = (void *)one_case};
}

int main(void)
{
    static struct CMUnitTest word_tests[WORD_CASES], hostile_tests[HOSTILE_CASES];
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(lower_rank_merges_before_what_stands_further_left),
        WITH_FIXTURE(equal_ranks_merge_from_the_left),
        WITH_FIXTURE(merges_stay_inside_a_word),
        WITH_FIXTURE(digits_stand_alone_even_if_a_merge_joins_them),
        WITH_FIXTURE(contraction_is_a_word_of_its_own),
        WITH_FIXTURE(bytes_without_merges_stay_bytes),
        WITH_FIXTURE(control_token_in_text_is_only_text),
        WITH_FIXTURE(encoding_adds_to_the_list),
        WITH_FIXTURE(very_long_word_is_merged),
        cmocka_unit_test(classes_follow_unicode),
        WITH_FIXTURE(bad_utf8_names_its_offset),
        WITH_FIXTURE(empty_text_is_refused),
        WITH_FIXTURE(every_byte_survives_encoding_and_decoding),
        WITH_FIXTURE(merged_token_decodes_to_its_bytes),
        WITH_FIXTURE(control_token_decodes_to_nothing),
        WITH_FIXTURE(character_over_several_tokens_waits_until_it_is_whole),
        WITH_FIXTURE(bytes_that_form_no_character_become_replacement_characters),
        WITH_FIXTURE(character_cut_by_the_end_becomes_a_replacement_character),
        cmocka_unit_test(empty_token_is_refused),
        cmocka_unit_test(token_types_of_another_count_are_refused),
        WITH_FIXTURE(byte_without_a_token_is_refused_in_text),
        WITH_FIXTURE(conversation_follows_the_chatml_form),
        WITH_FIXTURE(newline_that_opens_the_prompt_meets_the_one_before_it),
        WITH_FIXTURE(prompt_that_imitates_a_turn_stays_text),
        WITH_FIXTURE(bad_prompt_leaves_the_conversation_as_it_was),
        WITH_FIXTURE(answer_ends_with_its_control_token_only),
        WITH_FIXTURE(vocabulary_without_turns_is_refused_by_the_template),
    };
    for (size_t i = 0; i < WORD_CASES; i++)
        fill(&word_tests[i], word_cases[i].sentence, text_is_cut_into_words, &word_cases[i]);
    for (size_t i = 0; i < HOSTILE_CASES; i++)
        fill(&hostile_tests[i], hostile_cases[i].sentence, hostile_vocabulary_is_refused, &hostile_cases[i]);
    int failed = cmocka_run_group_tests_name("tokenizer", tests, NULL, NULL);
    failed += cmocka_run_group_tests_name("tokenizer, words", word_tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("tokenizer, hostile vocabularies", hostile_tests, NULL, NULL);
}
