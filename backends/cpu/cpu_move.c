/* SPDX-License-Identifier: Apache-2.0 */
/* The ways themselves. */
#include "cpu_move.h"

#include <stdbool.h>
#include <string.h>

#include "cpu_isa.h"
#include "planted.h"

static void fill_rest(unsigned char *dst, const unsigned char pattern[16], size_t bytes)
{
    for (size_t at = 0; at < PLANTED_OR(fill_loses_its_tail, bytes, 0); at += 16)
        memcpy(dst + at, pattern, bytes - at < 16 ? bytes - at : 16);
}

static void copy_plain(void *dst, const void *src, size_t bytes)
{
    memcpy(dst, src, bytes);
}

static void fill_plain(void *dst, const unsigned char pattern[16], size_t bytes)
{
    unsigned char *to = dst;
    size_t at = 0;
    if (memcmp(pattern, pattern + 1, 15) == 0) {
        memset(dst, pattern[0], PLANTED_OR(fill_loses_its_tail, bytes, bytes / 64 * 64));
        return;
    }
    for (; at + 64 <= bytes; at += 64)
        for (size_t i = at; i < at + 64; i += 16)
            memcpy(to + i, pattern, 16);
    fill_rest(to + at, pattern, bytes - at);
}

#if defined(__x86_64__)
#include <immintrin.h>

/* Bytes up to the next line of the caches. */
static size_t head_bytes(const void *dst, size_t bytes)
{
    const size_t head = (64U - ((uintptr_t)dst & 63U)) & 63U;
    return head < bytes ? head : bytes;
}

static void copy_streaming(void *dst, const void *src, size_t bytes)
{
    unsigned char *to = dst;
    const unsigned char *from = src;
    size_t at = head_bytes(dst, bytes);
    memcpy(to, from, at);
    for (; at + 64 <= bytes; at += 64)
        for (size_t i = at; i < at + 64; i += 16)
            _mm_stream_si128((__m128i *)(void *)(to + i), _mm_loadu_si128((const __m128i *)(const void *)(from + i)));
    _mm_sfence();
    memcpy(to + at, from + at, bytes - at);
}

__attribute__((target("avx512f"))) static void copy_streaming_lines(void *dst, const void *src, size_t bytes)
{
    unsigned char *to = dst;
    const unsigned char *from = src;
    size_t at = head_bytes(dst, bytes);
    memcpy(to, from, at);
    for (; at + 64 <= bytes; at += 64)
        _mm512_stream_si512((__m512i *)(void *)(to + at), _mm512_loadu_si512(from + at));
    _mm_sfence();
    memcpy(to + at, from + at, bytes - at);
}

/* Streaming stores need whole patterns at aligned addresses. */
static bool can_stream(const void *dst, size_t bytes)
{
    return ((uintptr_t)dst & 15U) == 0 && bytes >= 128;
}

static void fill_streaming(void *dst, const unsigned char pattern[16], size_t bytes)
{
    const __m128i value = _mm_loadu_si128((const __m128i *)(const void *)pattern);
    unsigned char *to = dst;
    size_t at = 0;
    if (can_stream(dst, bytes)) {
        for (; at + 64 <= bytes; at += 64)
            for (size_t i = at; i < at + 64; i += 16)
                _mm_stream_si128((__m128i *)(void *)(to + i), value);
        _mm_sfence();
    }
    fill_plain(to + at, pattern, bytes - at);
}

__attribute__((target("avx512f"))) static void fill_streaming_lines(void *dst, const unsigned char pattern[16],
                                                                    size_t bytes)
{
    const __m512i value = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)pattern));
    unsigned char *to = dst;
    size_t at = 0;
    if (can_stream(dst, bytes)) {
        at = head_bytes(dst, bytes);
        fill_plain(to, pattern, at);
        for (; at + 64 <= bytes; at += 64)
            _mm512_stream_si512((__m512i *)(void *)(to + at), value);
        _mm_sfence();
    }
    fill_plain(to + at, pattern, bytes - at);
}

static void copy_string(void *dst, const void *src, size_t bytes)
{
    __asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(bytes) : : "memory");
}

static void fill_string(void *dst, const unsigned char pattern[16], size_t bytes)
{
    uint64_t value;
    size_t words = bytes / 8;
    if (memcmp(pattern, pattern + 8, 8) != 0) {
        fill_plain(dst, pattern, bytes);
        return;
    }
    memcpy(&value, pattern, sizeof value);
    __asm__ volatile("rep stosq" : "+D"(dst), "+c"(words) : "a"(value) : "memory");
    fill_rest(dst, pattern, bytes % 8); /* dst has moved on to what is left */
}

const struct cpu_ways *cpu_ways(void)
{
    static const struct cpu_ways basic = {.names = {"plain", "streaming", "string"},
                                          .copy = {copy_plain, copy_streaming, copy_string},
                                          .fill = {fill_plain, fill_streaming, fill_string},
                                          .count = 3};
    static const struct cpu_ways wide = {.names = {"plain", "streaming lines", "string"},
                                         .copy = {copy_plain, copy_streaming_lines, copy_string},
                                         .fill = {fill_plain, fill_streaming_lines, fill_string},
                                         .count = 3};
    return cpu_isa_best() == CPU_ISA_AVX512 ? &wide : &basic;
}

#else

const struct cpu_ways *cpu_ways(void)
{
    static const struct cpu_ways plain = {.names = {"plain"}, .copy = {copy_plain}, .fill = {fill_plain}, .count = 1};
    return &plain;
}

#endif
