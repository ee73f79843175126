/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first step of tokenising: cutting text into words, which BPE merges never cross. These are the rules that a GGUF
 * file calls "smollm": every number character stands alone, and what lies between is cut as GPT-2 does,
 *     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 * written out by hand because the expression is fixed and libc has no Unicode classes.
 */
#ifndef CHAT_PRETOKENIZER_H
#define CHAT_PRETOKENIZER_H

#include <stddef.h>

/* Bytes in the first word of text[0..size); size is at least 1 and the text is UTF-8. */
size_t pretokenizer_word(const char *text, size_t size);

#endif
