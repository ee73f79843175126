/* SPDX-License-Identifier: Apache-2.0 */
/* The struct_size rules, once for every struct of the ABI. */
#include "check.h"

#include <stdbool.h>
#include <string.h>

static bool is_zero(const unsigned char *bytes, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

haly_status check_input(const void *input, uint32_t baseline, uint32_t known_size, const char *name, void *copy)
{
    memset(copy, 0, known_size);
    if (input == NULL) {
        memcpy(copy, &known_size, sizeof known_size);
        return HALY_OK;
    }
    uint32_t size;
    memcpy(&size, input, sizeof size);
    if (size < baseline)
        return FAIL(HALY_ERR_INVALID, "%s.struct_size is %u, expected at least %u (use its _INIT macro)", name, size,
                    baseline);
    if (size > known_size && !is_zero((const unsigned char *)input + known_size, size - known_size))
        return FAIL(HALY_ERR_UNSUPPORTED, "%s has %u bytes, and this library knows %u: a newer field is set", name,
                    size, known_size);
    memcpy(copy, input, size < known_size ? size : known_size);
    memcpy(copy, &known_size, sizeof known_size); /* of the copy: a backend that knows more must not read past it */
    return HALY_OK;
}

haly_status check_output(void *output, uint32_t baseline, uint32_t known_size, const char *name, const void *value)
{
    if (output == NULL)
        return FAIL(HALY_ERR_INVALID, "the %s to fill in is NULL", name);
    uint32_t size;
    memcpy(&size, output, sizeof size);
    if (size < baseline)
        return FAIL(HALY_ERR_INVALID, "%s.struct_size is %u, expected at least %u (use its _INIT macro)", name, size,
                    baseline);
    const uint32_t shared = size < known_size ? size : known_size;
    memcpy((char *)output + sizeof size, (const char *)value + sizeof size, shared - sizeof size);
    return HALY_OK;
}

haly_status fail_unknown(uint32_t flags, uint32_t known_flags, uint32_t reserved, const char *name)
{
    if ((flags & ~known_flags) != 0)
        return FAIL(HALY_ERR_UNSUPPORTED, "%s.flags is 0x%x: this library does not know 0x%x", name, flags,
                    flags & ~known_flags);
    return FAIL(HALY_ERR_UNSUPPORTED, "%s.reserved is %u, expected 0", name, reserved);
}

haly_status check_ext(const haly_ext *ext, const char *name)
{
    for (uint32_t i = 0; ext != NULL; ext = ext->next, i++) {
        if (i == HALY_EXT_MAX)
            return FAIL(HALY_ERR_INVALID, "%s.ext has more than %d links, or leads back into itself", name,
                        HALY_EXT_MAX);
        if (ext->size < sizeof *ext)
            return FAIL(HALY_ERR_INVALID, "%s.ext: link %u of type %u has size %u, expected at least its header's %zu",
                        name, i, ext->type, ext->size, sizeof *ext);
        if (ext->optional > 1 || ext->reserved != 0)
            return FAIL(HALY_ERR_UNSUPPORTED,
                        "%s.ext: link %u of type %u has optional %u and reserved %u, expected 0 or 1, and 0", name, i,
                        ext->type, ext->optional, ext->reserved);
    }
    return HALY_OK;
}

haly_status check_no_ext(const haly_ext *ext, const char *name)
{
    TRY(check_ext(ext, name));
    for (; ext != NULL; ext = ext->next)
        if (ext->optional == 0)
            return FAIL(HALY_ERR_UNSUPPORTED, "%s.ext: extension type %u is not known here and not marked optional",
                        name, ext->type);
    return HALY_OK;
}

/* Length of the UTF-8 sequence at `text`, 0 when it is not one (overlong forms and surrogates included). */
static unsigned utf8_length(const unsigned char *text)
{
    if (text[0] < 0x80)
        return 1;
    const unsigned length = text[0] >= 0xF0 ? 4 : text[0] >= 0xE0 ? 3 : text[0] >= 0xC2 ? 2 : 0;
    if (length == 0 || text[0] > 0xF4)
        return 0;
    for (unsigned i = 1; i < length; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    const bool is_bad = (text[0] == 0xE0 && text[1] < 0xA0) || (text[0] == 0xED && text[1] >= 0xA0) ||
                        (text[0] == 0xF0 && text[1] < 0x90) || (text[0] == 0xF4 && text[1] >= 0x90);
    return is_bad ? 0 : length;
}

static haly_status check_text(const char *text, const char *what)
{
    if (text == NULL)
        return HALY_OK;
    if (memchr(text, '\0', 64) == NULL)
        return FAIL(HALY_ERR_INVALID, "the %s \"%.32s…\" is longer than 63 bytes", what, text);
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0';) {
        const unsigned length = utf8_length(at);
        if (length == 0 || *at < 0x20 || *at == 0x7F)
            return FAIL(HALY_ERR_INVALID, "the %s has a byte 0x%02x at %u that is not printable UTF-8", what, *at,
                        (unsigned)(at - (const unsigned char *)text));
        at += length;
    }
    return HALY_OK;
}

haly_status check_name(const char *name)
{
    return check_text(name, "name");
}

haly_status check_label(const char *label)
{
    return check_text(label, "label");
}
