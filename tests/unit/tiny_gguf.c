/* SPDX-License-Identifier: Apache-2.0 */
/* The pieces of a GGUF file, written byte by byte so that the result does not depend on the machine. */
#include "tiny_gguf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory)
{
    if (memory == NULL) {
        fputs("tiny_gguf: out of memory\n", stderr);
        abort();
    }
    return memory;
}

void tiny_free(struct tiny_gguf *file)
{
    free(file->bytes);
    *file = (struct tiny_gguf){0};
}

bool tiny_write(const struct tiny_gguf *file, const char *path)
{
    FILE *stream = fopen(path, "wb");
    if (stream == NULL)
        return false;
    bool written = file->size == 0 || fwrite(file->bytes, file->size, 1, stream) == 1;
    return fclose(stream) == 0 && written;
}

void tiny_put(struct tiny_gguf *file, const void *bytes, size_t size)
{
    if (size == 0)
        return;
    if (file->size + size > file->capacity) {
        file->capacity = 2 * (file->size + size);
        file->bytes = checked(realloc(file->bytes, file->capacity));
    }
    memcpy(file->bytes + file->size, bytes, size);
    file->size += size;
}

void tiny_put_u32(struct tiny_gguf *file, uint32_t value)
{
    unsigned char bytes[4];
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
    tiny_put(file, bytes, sizeof bytes);
}

void tiny_put_u64(struct tiny_gguf *file, uint64_t value)
{
    tiny_put_u32(file, (uint32_t)value);
    tiny_put_u32(file, (uint32_t)(value >> 32));
}

void tiny_put_f32(struct tiny_gguf *file, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    tiny_put_u32(file, bits);
}

void tiny_put_string(struct tiny_gguf *file, const char *text)
{
    tiny_put_u64(file, strlen(text));
    tiny_put(file, text, strlen(text));
}

void tiny_put_header(struct tiny_gguf *file, uint32_t version, uint64_t tensors, uint64_t keys)
{
    tiny_put(file, "GGUF", 4);
    tiny_put_u32(file, version);
    tiny_put_u64(file, tensors);
    tiny_put_u64(file, keys);
}

void tiny_put_tensor(struct tiny_gguf *file, const char *name, uint32_t rank, const uint64_t *dims, uint32_t type,
                     uint64_t offset)
{
    tiny_put_string(file, name);
    tiny_put_u32(file, rank);
    for (uint32_t i = 0; i < rank; i++)
        tiny_put_u64(file, dims[i]);
    tiny_put_u32(file, type);
    tiny_put_u64(file, offset);
}

void tiny_align(struct tiny_gguf *file, size_t alignment)
{
    while (file->size % alignment != 0)
        tiny_put(file, "", 1);
}

static void put_key(struct tiny_gguf *file, const char *key, uint32_t type)
{
    tiny_put_string(file, key);
    tiny_put_u32(file, type);
}

void tiny_key_u32(struct tiny_gguf *file, const char *key, uint32_t value)
{
    put_key(file, key, 4);
    tiny_put_u32(file, value);
}

void tiny_key_f32(struct tiny_gguf *file, const char *key, float value)
{
    put_key(file, key, 6);
    tiny_put_f32(file, value);
}

void tiny_key_bool(struct tiny_gguf *file, const char *key, bool value)
{
    put_key(file, key, 7);
    tiny_put(file, value ? "\1" : "\0", 1);
}

void tiny_key_string(struct tiny_gguf *file, const char *key, const char *value)
{
    put_key(file, key, 8);
    tiny_put_string(file, value);
}

static void put_array(struct tiny_gguf *file, const char *key, uint32_t element_type, size_t count)
{
    put_key(file, key, 9);
    tiny_put_u32(file, element_type);
    tiny_put_u64(file, count);
}

void tiny_key_strings(struct tiny_gguf *file, const char *key, const char *const *values, size_t count)
{
    put_array(file, key, 8, count);
    for (size_t i = 0; i < count; i++)
        tiny_put_string(file, values[i]);
}

void tiny_key_i32s(struct tiny_gguf *file, const char *key, const int32_t *values, size_t count)
{
    put_array(file, key, 5, count);
    for (size_t i = 0; i < count; i++)
        tiny_put_u32(file, (uint32_t)values[i]);
}

/* Byte-level BPE's letter for a byte: itself where it is printable Latin-1, else the next one from U+0100 on. */
static void put_letter(struct tiny_gguf *file, unsigned byte, unsigned *next_substitute)
{
    bool printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte != 0xad);
    unsigned letter = printable ? byte : (*next_substitute)++;
    char text[3] = {(char)letter, '\0', '\0'};
    if (letter >= 0x80) {
        text[0] = (char)(0xc0 | letter >> 6);
        text[1] = (char)(0x80 | (letter & 0x3f));
    }
    tiny_put_string(file, text);
}

void tiny_put_tokenizer(struct tiny_gguf *file, const char *const *merges, size_t merge_count)
{
    static const char *const control[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
    size_t count = TINY_FIRST_MERGE_TOKEN + merge_count;
    unsigned substitute = 0x100;
    tiny_key_string(file, "tokenizer.ggml.model", "gpt2");
    tiny_key_string(file, "tokenizer.ggml.pre", "smollm");
    tiny_key_u32(file, "tokenizer.ggml.bos_token_id", TINY_TOKEN_TURN_START);
    tiny_key_u32(file, "tokenizer.ggml.eos_token_id", TINY_TOKEN_TURN_END);

    put_array(file, "tokenizer.ggml.tokens", 8, count);
    for (size_t i = 0; i < TINY_FIRST_BYTE_TOKEN; i++)
        tiny_put_string(file, control[i]);
    for (unsigned byte = 0; byte < 256; byte++)
        put_letter(file, byte, &substitute);
    for (size_t i = 0; i < merge_count; i++) {
        const char *space = strchr(merges[i], ' ');
        size_t head = (size_t)(space - merges[i]);
        tiny_put_u64(file, strlen(merges[i]) - 1);
        tiny_put(file, merges[i], head);
        tiny_put(file, space + 1, strlen(space + 1));
    }
    put_array(file, "tokenizer.ggml.token_type", 5, count);
    for (size_t i = 0; i < count; i++)
        tiny_put_u32(file, i < TINY_FIRST_BYTE_TOKEN ? 3 : 1);
    tiny_key_strings(file, "tokenizer.ggml.merges", merges, merge_count);
}
