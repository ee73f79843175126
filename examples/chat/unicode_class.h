/* SPDX-License-Identifier: Apache-2.0 */
/* Unicode general categories, as coarse as byte-level BPE needs them: \p{L}, \p{N}, \s and the rest. */
#ifndef CHAT_UNICODE_CLASS_H
#define CHAT_UNICODE_CLASS_H

#include <stdint.h>

enum unicode_class {
    UNICODE_OTHER,
    UNICODE_LETTER, /* categories L* */
    UNICODE_NUMBER, /* categories N* */
    UNICODE_SPACE,  /* property White_Space */
};

enum unicode_class unicode_class_of(uint32_t code_point);

#endif
