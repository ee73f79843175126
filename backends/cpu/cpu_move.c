/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to move memory, and choosing among them by what they took. All give the same bytes, so lost updates of the
 * figures (relaxed, shared by all threads) only cost time. */
#include "cpu_move.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "cpu_clock.h"

#if defined(__x86_64__)
#include <emmintrin.h>

#include "planted.h"
#endif

#define CLASSES 8U /* 4 MiB, 8 MiB, … 512 MiB and more */
#define WAYS 3U
#define TRIALS 4U /* of each way, before the quickest is used */

struct figures {
    _Atomic uint32_t trials[WAYS];
    _Atomic uint64_t best[WAYS]; /* picoseconds a byte */
};

static struct figures copy_figures[CLASSES], fill_figures[CLASSES];

static struct figures *figures_of(struct figures *classes, uint64_t total)
{
    const uint32_t log = 63U - (uint32_t)__builtin_clzll(total / CPU_LARGE_BYTES);
    return &classes[log < CLASSES ? log : CLASSES - 1];
}

/* A way that was not tried enough yet, or the quickest. */
static uint32_t choose(struct figures *figures, uint32_t ways, bool *out_is_trial)
{
    uint32_t quickest = 0;
    for (uint32_t way = 0; way < ways; way++) {
        if (atomic_load_explicit(&figures->trials[way], memory_order_relaxed) < TRIALS) {
            *out_is_trial = true;
            return way;
        }
        if (atomic_load_explicit(&figures->best[way], memory_order_relaxed) <
            atomic_load_explicit(&figures->best[quickest], memory_order_relaxed))
            quickest = way;
    }
    *out_is_trial = false;
    return quickest;
}

static void note(struct figures *figures, uint32_t way, size_t bytes, uint64_t nanoseconds)
{
    const uint32_t trials = atomic_fetch_add_explicit(&figures->trials[way], 1, memory_order_relaxed);
    const uint64_t now = nanoseconds * 1000 / bytes + 1;
    const uint64_t best = atomic_load_explicit(&figures->best[way], memory_order_relaxed);
    /* The first trial pays for page faults; the rest keep the best, since a disturbed one says nothing. */
    if (trials <= 1 || now < best)
        atomic_store_explicit(&figures->best[way], now, memory_order_relaxed);
}

#if defined(__x86_64__)

#define COPY_WAYS 3U
#define FILL_WAYS 2U

static void copy_string(unsigned char *dst, const unsigned char *src, size_t bytes)
{
    __asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(bytes) : : "memory");
}

static void copy_streaming(unsigned char *dst, const unsigned char *src, size_t bytes)
{
    const size_t head = (64U - ((uintptr_t)dst & 63U)) & 63U;
    memcpy(dst, src, head);
    size_t at = head;
    for (; at + 256 <= bytes; at += 256) {
        _mm_prefetch((const char *)src + at + 2048, _MM_HINT_T0);
        _mm_prefetch((const char *)src + at + 2112, _MM_HINT_T0);
        _mm_prefetch((const char *)src + at + 2176, _MM_HINT_T0);
        _mm_prefetch((const char *)src + at + 2240, _MM_HINT_T0);
        for (size_t i = at; i < at + 256; i += 16)
            _mm_stream_si128((__m128i *)(void *)(dst + i), _mm_loadu_si128((const __m128i *)(const void *)(src + i)));
    }
    _mm_sfence();
    memcpy(dst + at, src + at, bytes - at);
}

static void copy_way(uint32_t way, void *dst, const void *src, size_t bytes)
{
    if (way == 1 && bytes >= 512)
        copy_streaming(dst, src, bytes);
    else if (way == 2)
        copy_string(dst, src, bytes);
    else
        memcpy(dst, src, bytes);
}

static void fill_way(uint32_t way, unsigned char *dst, const unsigned char pattern[16], size_t bytes)
{
    const __m128i value = _mm_loadu_si128((const __m128i *)(const void *)pattern);
    const bool is_aligned = ((uintptr_t)dst & 15U) == 0;
    size_t at = 0;
    if (way == 1 && is_aligned) {
        for (; at + 64 <= bytes; at += 64)
            for (size_t i = at; i < at + 64; i += 16)
                _mm_stream_si128((__m128i *)(void *)(dst + i), value);
        _mm_sfence();
    }
    for (; at + 64 <= bytes; at += 64)
        for (size_t i = at; i < at + 64; i += 16)
            _mm_storeu_si128((__m128i *)(void *)(dst + i), value);
    for (; at < PLANTED_OR(fill_loses_its_tail, bytes, 0); at += 16)
        memcpy(dst + at, pattern, bytes - at < 16 ? bytes - at : 16);
}

#else

#define COPY_WAYS 1U
#define FILL_WAYS 1U

static void copy_way(uint32_t way, void *dst, const void *src, size_t bytes)
{
    (void)way;
    memcpy(dst, src, bytes);
}

static void fill_way(uint32_t way, unsigned char *dst, const unsigned char pattern[16], size_t bytes)
{
    (void)way;
    size_t at = 0;
    for (; at + 16 <= bytes; at += 16)
        memcpy(dst + at, pattern, 16);
    memcpy(dst + at, pattern, bytes - at);
}

#endif

void cpu_move(void *dst, const void *src, size_t bytes, uint64_t total)
{
    bool is_trial;
    if (total < CPU_LARGE_BYTES) {
        memcpy(dst, src, bytes);
        return;
    }
    struct figures *figures = figures_of(copy_figures, total);
    const uint32_t way = choose(figures, COPY_WAYS, &is_trial);
    const uint64_t begin = is_trial ? cpu_now() : 0;
    copy_way(way, dst, src, bytes);
    if (is_trial && bytes != 0)
        note(figures, way, bytes, cpu_now() - begin);
}

static bool is_one_byte(const unsigned char pattern[16])
{
    return memcmp(pattern, pattern + 1, 15) == 0;
}

void cpu_fill(void *dst, const unsigned char pattern[16], size_t bytes, uint64_t total)
{
    bool is_trial;
    if (total < CPU_LARGE_BYTES) {
        if (is_one_byte(pattern))
            memset(dst, pattern[0], bytes);
        else
            fill_way(0, dst, pattern, bytes);
        return;
    }
    struct figures *figures = figures_of(fill_figures, total);
    const uint32_t way = choose(figures, FILL_WAYS, &is_trial);
    const uint64_t begin = is_trial ? cpu_now() : 0;
    fill_way(way, dst, pattern, bytes);
    if (is_trial && bytes != 0)
        note(figures, way, bytes, cpu_now() - begin);
}
