/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns a stream of tokens into a stream of text that is UTF-8 at every moment: the beginning of a character waits for
 * its end, and bytes that form no character are shown as U+FFFD.
 */
#ifndef CHAT_TEXT_STREAM_H
#define CHAT_TEXT_STREAM_H

#include "tokenizer.h"

struct text_stream;

/* The tokenizer must outlive the stream. */
bool text_stream_create(const struct tokenizer *tokenizer, struct text_stream **out_stream, struct chat_error *error);
void text_stream_destroy(struct text_stream *stream); /* NULL is fine */

/* The text that is complete now, valid until the next call; often empty. Not NUL-terminated. */
struct gguf_string text_stream_add(struct text_stream *stream, int32_t token);

/* What is left when the answer ends (U+FFFD for a character that never ended, or nothing); the stream starts anew. */
struct gguf_string text_stream_finish(struct text_stream *stream);

#endif
