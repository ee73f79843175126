/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every fuzz target shares. A target is one file fuzz_<name>.c that defines LLVMFuzzerTestOneInput and checks
 * properties, not only that nothing crashes. It is built twice: with libFuzzer, which invents inputs, and with
 * replay.c, which runs those that are kept under corpus/<name>.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For sums and products that must not wrap. */
__extension__ typedef unsigned __int128 fuzz_wide;

/* Always 0: the input may be kept. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that must hold whatever the input; the text says what was seen. Ends the program. */
#define FUZZ_CHECK(condition, ...)                                                                                     \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fuzz_fail(__FILE__, __LINE__, #condition, __VA_ARGS__);                                                    \
    } while (0)
_Noreturn void fuzz_fail(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A message for people: one line of text that holds `word`. */
void fuzz_check_message(const char *message, const char *word);

/* The input as a C string of exactly its size, so that a sanitizer sees a read past its end; free() it. */
char *fuzz_text(const void *data, size_t size);

/* Takes the bytes before the next newline off the input, as fuzz_text() gives them; NULL when nothing is left. */
char *fuzz_line(const uint8_t **data, size_t *size);

/* A file in memory that holds the input, and the path by which this process can open it. The same one every time. */
const char *fuzz_file(const void *data, size_t size);

/* Whether the bytes are UTF-8 (RFC 3629), told in another way than any parser of ours tells it. */
bool fuzz_is_utf8(const void *bytes, size_t size);

/* Digits, then perhaps a unit that begins with K, M, G or T; false when the number needs more than 64 bits. */
bool fuzz_number(const char *text, uint64_t *out_number);

/* Whether an extended POSIX regular expression matches. Expressions are kept compiled, by address. */
bool fuzz_matches(const char *expression, const char *text);

#endif
