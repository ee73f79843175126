/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 against the examples that NIST publishes for FIPS 180-4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sha256.h"

static void assert_digest(const unsigned char digest[SHA256_BYTES], const char *expected)
{
    char text[2 * SHA256_BYTES + 1];
    for (unsigned i = 0; i < SHA256_BYTES; i++)
        snprintf(text + 2 * (size_t)i, 3, "%02x", digest[i]);
    assert_string_equal(text, expected);
}

static void the_published_examples_come_out(void **state)
{
    static const struct {
        const char *text, *digest;
    } examples[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    unsigned char digest[SHA256_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        sha256_of(examples[i].text, strlen(examples[i].text), digest);
        assert_digest(digest, examples[i].digest);
    }
}

static void a_million_times_a_comes_out_whatever_the_pieces(void **state)
{
    static const size_t pieces[] = {1, 55, 56, 63, 64, 65, 1000};
    unsigned char letters[1000], digest[SHA256_BYTES];
    (void)state;
    memset(letters, 'a', sizeof letters);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct sha256 hash;
        sha256_start(&hash);
        for (size_t left = 1000000, piece; left > 0; left -= piece) {
            piece = left < pieces[i] ? left : pieces[i];
            sha256_add(&hash, letters, piece);
        }
        sha256_end(&hash, digest);
        assert_digest(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }
}

static void every_length_around_a_block_is_padded_as_in_one_piece(void **state)
{
    unsigned char data[130], whole[SHA256_BYTES], parts[SHA256_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 7);
    for (size_t length = 0; length <= sizeof data; length++) {
        struct sha256 hash;
        sha256_of(data, length, whole);
        sha256_start(&hash);
        sha256_add(&hash, data, length / 3);
        sha256_add(&hash, data + length / 3, length - length / 3);
        sha256_end(&hash, parts);
        assert_memory_equal(whole, parts, sizeof whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_examples_come_out),
        cmocka_unit_test(a_million_times_a_comes_out_whatever_the_pieces),
        cmocka_unit_test(every_length_around_a_block_is_padded_as_in_one_piece),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
