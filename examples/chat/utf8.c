/* SPDX-License-Identifier: Apache-2.0 */
/* Strict UTF-8 reading and writing (Unicode standard, table 3-7: well-formed byte sequences). */
#include "utf8.h"

/* The second byte carries all the special cases: it rules out overlong forms, surrogates and the top of plane 16. */
static void second_byte_range(unsigned char lead, unsigned char *out_low, unsigned char *out_high)
{
    *out_low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    *out_high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
}

int utf8_read(const char *text, size_t size, uint32_t *out_code_point)
{
    if (size == 0)
        return UTF8_INCOMPLETE;
    const unsigned char *bytes = (const unsigned char *)text;
    unsigned char lead = bytes[0];
    if (lead < 0x80) {
        *out_code_point = lead;
        return 1;
    }
    if (lead < 0xc2 || lead > 0xf4)
        return UTF8_INVALID;

    int length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    uint32_t code_point = lead & (0x7fU >> length);
    unsigned char low, high;
    second_byte_range(lead, &low, &high);
    for (int i = 1; i < length; i++, low = 0x80, high = 0xbf) {
        if ((size_t)i >= size)
            return UTF8_INCOMPLETE;
        if (bytes[i] < low || bytes[i] > high)
            return UTF8_INVALID;
        code_point = code_point << 6 | (bytes[i] & 0x3fU);
    }
    *out_code_point = code_point;
    return length;
}

int utf8_write(uint32_t code_point, char out_text[UTF8_LONGEST])
{
    if (code_point < 0x80) {
        out_text[0] = (char)code_point;
        return 1;
    }
    int length = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (int i = length - 1; i > 0; i--, code_point >>= 6)
        out_text[i] = (char)(0x80 | (code_point & 0x3f));
    out_text[0] = (char)((0xf00U >> length & 0xf0) | code_point);
    return length;
}

bool utf8_check(const char *text, size_t size, size_t *out_offset)
{
    for (size_t at = 0; at < size;) {
        uint32_t code_point;
        int length = utf8_read(text + at, size - at, &code_point);
        if (length <= 0) {
            *out_offset = at;
            return false;
        }
        at += (size_t)length;
    }
    return true;
}
