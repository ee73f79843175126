/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold of the tokens of a text, for the two targets that make tokens. */
#ifndef TESTS_FUZZ_TOKENS_H
#define TESTS_FUZZ_TOKENS_H

#include "text_stream.h"
#include "tokenizer.h"

/*
 * Encodes the text. What is refused leaves the list as it was and says why; what is accepted consists of ordinary
 * tokens whose bytes, in order, are the text, and streams as the text. Returns whether it was accepted.
 */
bool fuzz_check_tokens(const struct tokenizer *tokenizer, const char *text, size_t size);

#endif
