/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies and fills of device memory beside plain loops of this processor.
 *   copies [--csv]
 * Figures are GB/s of payload on one thread (HALYARD_CPU_THREADS=1 unless set); sizes from 64 MiB on are beyond caches.
 */
#include <halyard/halyard.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pairs.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define MOST (UINT64_C(256) << 20)

static haly_stream *stream;
static void *device[2];
static unsigned char *host[2];
static uint64_t size;

/* Apart, so that the error's bytes are not cleared by each call that succeeds. */
static __attribute__((noinline)) void failed(void)
{
    haly_error error = {HALY_ERROR_INIT};
    haly_error_last(&error);
    fail("%s", error.message);
}

static inline void ok(haly_status status)
{
    if (status != HALY_OK)
        failed();
}

static uint64_t our_copy(void *state, uint64_t count)
{
    (void)state;
    const uint64_t begin = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        ok(haly_copy(stream, device[1], device[0], size));
        ok(haly_stream_sync(stream, HALY_FOREVER));
    }
    return now_ns() - begin;
}

static uint64_t our_fill(void *state, uint64_t count)
{
    static const uint8_t byte = 3;
    (void)state;
    const uint64_t begin = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        ok(haly_fill(stream, device[1], &byte, 1, size));
        ok(haly_stream_sync(stream, HALY_FOREVER));
    }
    return now_ns() - begin;
}

#define KEEP_MEMORY() __asm__ volatile("" : : "r"(host[1]) : "memory")

static uint64_t plain_memcpy(void *state, uint64_t count)
{
    (void)state;
    const uint64_t begin = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        memcpy(host[1], host[0], size);
        KEEP_MEMORY();
    }
    return now_ns() - begin;
}

static uint64_t plain_memset(void *state, uint64_t count)
{
    (void)state;
    const uint64_t begin = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        memset(host[1], 3, size);
        KEEP_MEMORY();
    }
    return now_ns() - begin;
}

#if defined(__x86_64__)
static uint64_t string_copy(void *state, uint64_t count)
{
    (void)state;
    const uint64_t begin = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        void *to = host[1];
        const void *from = host[0];
        uint64_t left = size;
        __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(left) : : "memory");
    }
    return now_ns() - begin;
}

static uint64_t streaming_copy(void *state, uint64_t count)
{
    (void)state;
    const uint64_t begin = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        for (uint64_t at = 0; at < size; at += 16)
            _mm_stream_si128((__m128i *)(void *)(host[1] + at),
                             _mm_load_si128((const __m128i *)(const void *)(host[0] + at)));
        _mm_sfence();
    }
    return now_ns() - begin;
}

static uint64_t streaming_fill(void *state, uint64_t count)
{
    const __m128i value = _mm_set1_epi8(3);
    (void)state;
    const uint64_t begin = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        for (uint64_t at = 0; at < size; at += 16)
            _mm_stream_si128((__m128i *)(void *)(host[1] + at), value);
        _mm_sfence();
    }
    return now_ns() - begin;
}
#endif

/* Rows of one size: the goal for large ones is 0.95 of the best loop's speed, for small ones memcpy's. */
static void run_copies(const char *what, double goal, double memcpy_goal)
{
    const struct pair pairs[] = {
        {what, {"", our_copy, NULL}, {"memcpy", plain_memcpy, NULL}, .goal = memcpy_goal, .bytes = size},
#if defined(__x86_64__)
        {what, {"", our_copy, NULL}, {"rep movsb", string_copy, NULL}, .goal = goal, .bytes = size},
        {what, {"", our_copy, NULL}, {"streaming stores", streaming_copy, NULL}, .goal = goal, .bytes = size},
#endif
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        pair_run(&pairs[i]);
}

static void run_fills(const char *what, double goal)
{
    const struct pair pairs[] = {
        {what, {"", our_fill, NULL}, {"memset", plain_memset, NULL}, .goal = goal, .bytes = size},
#if defined(__x86_64__)
        {what, {"", our_fill, NULL}, {"streaming stores", streaming_fill, NULL}, .goal = goal, .bytes = size},
#endif
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        pair_run(&pairs[i]);
}

static void open_all(void)
{
    haly_instance *instance = NULL;
    haly_context *context = NULL;
    const uint8_t byte = 1;
    setenv("HALYARD_BACKEND", "cpu", 0);
    setenv("HALYARD_CPU_THREADS", "1", 0);
    ok(haly_instance_create(NULL, &instance));
    ok(haly_context_open(instance, NULL, &context));
    ok(haly_stream_create(context, NULL, &stream));
    for (int i = 0; i < 2; i++) {
        void *memory = NULL;
        ok(haly_malloc(context, MOST, NULL, &device[i]));
        ok(haly_malloc(context, MOST, NULL, &memory)); /* the peers get memory of the same kind and pages */
        host[i] = memory;
        ok(haly_fill(stream, device[i], &byte, 1, MOST));
        ok(haly_fill(stream, memory, &byte, 1, MOST));
    }
    ok(haly_stream_sync(stream, HALY_FOREVER));
}

/* So that the backend has tried its ways before anything is measured. */
static void warm_up(void)
{
    our_copy(NULL, 16);
    our_fill(NULL, 16);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *copy, *fill;
        uint64_t size;
        double best, memcpy_goal;
    } rows[] = {
        {"copy 4 KiB", "fill 4 KiB", UINT64_C(4) << 10, 0, 0},
        {"copy 64 KiB", "fill 64 KiB", UINT64_C(64) << 10, 0, 0},
        {"copy 1 MiB", "fill 1 MiB", UINT64_C(1) << 20, 0, 1.03},
        {"copy 16 MiB", "fill 16 MiB", UINT64_C(16) << 20, 0, 1.03},
        {"copy 64 MiB", "fill 64 MiB", UINT64_C(64) << 20, 1 / 0.95, 1.0},
        {"copy 256 MiB", "fill 256 MiB", MOST, 1 / 0.95, 1.0},
    };
    const int csv = argc == 2 && strcmp(argv[1], "--csv") == 0;
    if (argc > 1 && !csv)
        fail("usage: copies [--csv]");
    start_sleeping_thread();
    open_all();
    pairs_begin("Copies and fills of device memory", csv);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size = rows[i].size;
        warm_up();
        run_copies(rows[i].copy, rows[i].best, rows[i].memcpy_goal);
        run_fills(rows[i].fill, rows[i].best);
    }
    return 0;
}
