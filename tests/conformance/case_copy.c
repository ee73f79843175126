/* SPDX-License-Identifier: Apache-2.0 */
/* Copies and fills: every direction, every refusal, and that pageable ones are asynchronous. */
#include "cts.h"

CTS_CASE(stream, copies_work_between_any_two_addresses_of_any_size, "COPY-001 COPY-002")
{
    for (uint64_t size = 1; size < 12000000; size = size * 11 + 7) { /* beyond any ring of staging chunks */
        uint8_t *source = cts_host(t, size), *target = cts_host(t, size);
        void *a = cts_device(t, size), *b = cts_device(t, size);
        cts_random_bytes(t, source, size);
        CTS_OK(haly_copy(t->stream, a, source, size));
        CTS_OK(haly_copy(t->stream, b, a, size));
        CTS_OK(haly_copy(t->stream, target, b, size));
        cts_sync(t, t->stream);
        CTS_CHECK(memcmp(source, target, size) == 0, "%llu bytes came back changed", (unsigned long long)size);
    }
}

CTS_CASE(stream, host_memory_is_copied_to_host_memory_in_stream_order, "COPY-001 STR-001")
{
    uint8_t source[5000], target[5000] = {0};
    cts_random_bytes(t, source, sizeof source);
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(haly_copy(t->stream, target, source, sizeof source));
    CTS_EQUAL(0, target[0] | target[4999]);
    cts_open(t, gate);
    cts_sync(t, t->stream);
    CTS_EQUAL(0, memcmp(source, target, sizeof source));
}

CTS_CASE(stream, copies_take_any_alignment_and_length, "COPY-001")
{
    uint8_t source[700], want[700], target[700];
    char *device = cts_device(t, 700);
    cts_random_bytes(t, source, sizeof source);
    for (unsigned round = 0; round < 80; round++) {
        const uint64_t from = cts_below(t, 200), to = cts_below(t, 200), size = 1 + cts_below(t, 500);
        memset(want, 0xEE, sizeof want);
        cts_upload(t, device, want, sizeof want);
        CTS_OK(haly_copy(t->stream, device + to, source + from, size));
        memcpy(want + to, source + from, size);
        CTS_OK(haly_copy(t->stream, target, device, sizeof target));
        cts_sync(t, t->stream);
        CTS_CHECK(memcmp(want, target, sizeof want) == 0, "from %llu to %llu, %llu bytes", (unsigned long long)from,
                  (unsigned long long)to, (unsigned long long)size);
    }
}

CTS_CASE(stream, a_pageable_upload_does_not_wait_for_the_stream, "COPY-002 STR-002")
{
    enum { SIZE = 9000000 };
    uint8_t *source = cts_host(t, SIZE);
    void *device = cts_device(t, SIZE);
    cts_random_bytes(t, source, SIZE);
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(haly_copy(t->stream, device, source, SIZE)); /* returns while the stream is held up */
    CTS_STATUS(HALY_NOT_READY, haly_stream_query(t->stream));
    cts_open(t, gate);
    cts_sync(t, t->stream);
    cts_expect_bytes(t, device, source, SIZE);
}

CTS_CASE(stream, a_pageable_download_does_not_wait_for_the_stream, "COPY-002 STR-002")
{
    enum { SIZE = 9000000 };
    uint8_t *target = cts_host(t, SIZE);
    const uint8_t byte = 0x6B;
    void *device = cts_device(t, SIZE);
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(haly_fill(t->stream, device, &byte, 1, SIZE));
    CTS_OK(haly_copy(t->stream, target, device, SIZE));
    CTS_EQUAL(0, target[0] | target[SIZE - 1]); /* nothing has been written yet */
    cts_open(t, gate);
    cts_sync(t, t->stream);
    for (unsigned i = 0; i < SIZE; i++)
        CTS_EQUAL(byte, target[i]);
}

CTS_CASE(stream, a_copy_of_nothing_is_fine_and_queues_nothing, "COPY-001")
{
    void *device = cts_device(t, 16);
    CTS_OK(haly_copy(t->stream, device, t, 0));
    CTS_OK(haly_copy(t->stream, NULL, NULL, 0));
    CTS_OK(haly_stream_query(t->stream));
}

CTS_CASE(stream, a_null_address_is_invalid, "COPY-001")
{
    void *device = cts_device(t, 16);
    CTS_INVALID(haly_copy(t->stream, device, NULL, 16));
    CTS_INVALID(haly_copy(t->stream, NULL, device, 16));
    cts_expect_filled(t, device, 0xA5, 16);
}

CTS_CASE(stream, a_range_that_leaves_its_allocation_is_invalid_and_nothing_is_queued, "COPY-003")
{
    uint8_t host[4096] = {0};
    char *exact = NULL;
    CTS_OK(haly_malloc(t->context, 1000, NULL, (void **)&exact));
    CTS_INVALID(haly_copy(t->stream, exact, host, 1001));
    CTS_INVALID(haly_copy(t->stream, host, exact + 999, 2));
    CTS_INVALID(haly_copy(t->stream, exact + 500, host, 4000));
    CTS_OK(haly_stream_query(t->stream));
    CTS_OK(haly_copy(t->stream, exact + 999, host, 1));
    cts_sync(t, t->stream);
    CTS_OK(haly_free(t->context, exact));
}

CTS_CASE(stream, a_size_that_wraps_around_is_invalid, "COPY-003")
{
    uint8_t host[64] = {0};
    char *device = cts_device(t, 64);
    CTS_INVALID(haly_copy(t->stream, device, host, UINT64_MAX));
    CTS_INVALID(haly_copy(t->stream, device, host, UINT64_MAX - (uintptr_t)device + 1));
    CTS_INVALID(haly_copy(t->stream, device + 32, device, UINT64_MAX - 31));
    CTS_INVALID(haly_fill(t->stream, device, host, 1, UINT64_MAX));
    CTS_OK(haly_stream_query(t->stream));
    cts_expect_filled(t, device, 0xA5, 64);
}

CTS_CASE(stream, overlapping_ranges_are_invalid, "COPY-003")
{
    uint8_t host[64] = {0};
    char *device = cts_device(t, 1000);
    CTS_INVALID(haly_copy(t->stream, device + 10, device, 11));
    CTS_INVALID(haly_copy(t->stream, device, device + 99, 100));
    CTS_INVALID(haly_copy(t->stream, device, device, 5));
    CTS_INVALID(haly_copy(t->stream, host, host + 8, 9));
    CTS_OK(haly_copy(t->stream, device + 10, device, 10)); /* neighbours are fine */
    cts_sync(t, t->stream);
}

CTS_CASE(stream, freed_memory_is_refused, "COPY-003 MEM-005")
{
    uint8_t host[64] = {0};
    void *address = NULL;
    CTS_OK(haly_malloc(t->context, 64, NULL, &address));
    CTS_OK(haly_free(t->context, address));
    cts_sync(t, t->stream);
    CTS_INVALID(haly_copy(t->stream, address, host, 64));
    CTS_INVALID(haly_copy(t->stream, host, address, 64));
    CTS_INVALID(haly_fill(t->stream, address, host, 1, 64));
}

CTS_CASE(stream, copies_work_between_contexts, "COPY-001")
{
    enum { SIZE = 500000 };
    haly_context *other = cts_context(t, NULL);
    uint8_t *bytes = cts_host(t, SIZE);
    void *here = cts_device(t, SIZE), *there = cts_device_in(t, other, SIZE), *back = cts_device(t, SIZE);
    cts_random_bytes(t, bytes, SIZE);
    cts_upload(t, here, bytes, SIZE);
    CTS_OK(haly_copy(t->stream, there, here, SIZE));
    CTS_OK(haly_copy(t->stream, back, there, SIZE));
    cts_sync(t, t->stream);
    cts_expect_bytes(t, back, bytes, SIZE);
}

/* A rectangle of `width` x 17 bytes cut out of one pitch and put into another. */
static void check_2d(struct cts *t, void *dst, const void *src, uint64_t dst_pitch, uint64_t src_pitch, uint64_t width)
{
    enum { ROWS = 17 };
    uint8_t *source = cts_host(t, src_pitch * ROWS), *want = cts_host(t, dst_pitch * ROWS);
    uint8_t *target = cts_host(t, dst_pitch * ROWS);
    cts_random_bytes(t, source, src_pitch * ROWS);
    cts_random_bytes(t, want, dst_pitch * ROWS);
    cts_upload(t, (void *)(uintptr_t)src, source, src_pitch * ROWS);
    cts_upload(t, dst, want, dst_pitch * ROWS);
    for (uint64_t row = 0; row < ROWS; row++)
        memcpy(want + row * dst_pitch, source + row * src_pitch, width);
    CTS_OK(haly_copy_2d(t->stream,
                        &(haly_copy_2d_desc){HALY_COPY_2D_DESC_INIT, .dst = dst, .dst_pitch = dst_pitch, .src = src,
                                             .src_pitch = src_pitch, .width = width, .height = ROWS}));
    cts_sync(t, t->stream);
    cts_download(t, target, dst, dst_pitch * ROWS);
    CTS_CHECK(memcmp(target, want, dst_pitch * ROWS) == 0, "pitches %llu and %llu, width %llu",
              (unsigned long long)dst_pitch, (unsigned long long)src_pitch, (unsigned long long)width);
}

CTS_CASE(stream, rectangles_are_copied_and_the_gaps_stay, "COPY-004 COPY-001")
{
    static const uint64_t shapes[][3] = {{64, 64, 64}, {100, 70, 33}, {33, 5000, 33}, {4097, 4099, 1}};
    for (unsigned i = 0; i < 4; i++) {
        void *a = cts_device(t, shapes[i][0] * 17), *b = cts_device(t, shapes[i][1] * 17);
        check_2d(t, a, b, shapes[i][0], shapes[i][1], shapes[i][2]);
        check_2d(t, cts_host(t, shapes[i][0] * 17), b, shapes[i][0], shapes[i][1], shapes[i][2]);
        check_2d(t, a, cts_host(t, shapes[i][1] * 17), shapes[i][0], shapes[i][1], shapes[i][2]);
    }
}

CTS_CASE(stream, a_rectangle_that_contradicts_itself_is_invalid, "COPY-004 COPY-003")
{
    char *a = cts_device(t, 1000), *b = cts_device(t, 1000);
    haly_copy_2d_desc good = {HALY_COPY_2D_DESC_INIT, .dst = a,    .dst_pitch = 100, .src = b,
                              .src_pitch = 100,       .width = 50, .height = 10},
                      bad = good;
    bad.dst_pitch = 49; /* rows overlap */
    CTS_INVALID(haly_copy_2d(t->stream, &bad));
    bad = good;
    bad.src_pitch = 49;
    CTS_INVALID(haly_copy_2d(t->stream, &bad));
    bad = good;
    bad.height = 1000; /* leaves the allocation: 1000 rows of 100 */
    CTS_INVALID(haly_copy_2d(t->stream, &bad));
    bad = good;
    bad.dst_pitch = 1ULL << 62; /* overflows */
    CTS_INVALID(haly_copy_2d(t->stream, &bad));
    bad = good;
    bad.src = a + 20; /* overlaps the target */
    CTS_INVALID(haly_copy_2d(t->stream, &bad));
    CTS_OK(haly_stream_query(t->stream));
    CTS_OK(haly_copy_2d(t->stream, &good));
    cts_sync(t, t->stream);
}

CTS_CASE(stream, columns_are_copied_beside_themselves, "COPY-004")
{
    enum { PITCH = 100, ROWS = 20 };
    uint8_t want[PITCH * ROWS];
    cts_random_bytes(t, want, sizeof want);
    char *matrix = cts_device_from(t, want, sizeof want);
    haly_copy_2d_desc desc = {HALY_COPY_2D_DESC_INIT, .dst = matrix + 50, .dst_pitch = PITCH, .src = matrix + 10,
                              .src_pitch = PITCH,     .width = 40,        .height = ROWS};
    CTS_OK(haly_copy_2d(t->stream, &desc));
    desc.dst = matrix;
    desc.src = matrix + 90;
    desc.width = 10;
    CTS_OK(haly_copy_2d(t->stream, &desc));
    cts_sync(t, t->stream);
    for (unsigned row = 0; row < ROWS; row++) {
        memcpy(want + row * PITCH + 50, want + row * PITCH + 10, 40);
        memcpy(want + row * PITCH, want + row * PITCH + 90, 10);
    }
    cts_expect_bytes(t, matrix, want, sizeof want);
    desc.dst = matrix + 49;
    desc.src = matrix + 10;
    desc.width = 40; /* one column is in both */
    CTS_INVALID(haly_copy_2d(t->stream, &desc));
    desc.dst = matrix + 10;
    desc.src = matrix + 49;
    CTS_INVALID(haly_copy_2d(t->stream, &desc));
}

CTS_CASE(stream, a_rectangle_without_area_is_fine, "COPY-004")
{
    char *a = cts_device(t, 100), *b = cts_device(t, 100);
    haly_copy_2d_desc desc = {HALY_COPY_2D_DESC_INIT, .dst = a, .dst_pitch = 10, .src = b, .src_pitch = 10};
    desc.height = 5;
    CTS_OK(haly_copy_2d(t->stream, &desc));
    desc.width = 5;
    desc.height = 0;
    CTS_OK(haly_copy_2d(t->stream, &desc));
    cts_sync(t, t->stream);
    cts_expect_filled(t, a, 0xA5, 100);
}

CTS_CASE(stream, fills_repeat_patterns_of_every_size, "COPY-005")
{
    static const uint32_t sizes[] = {1, 2, 4, 8, 16};
    uint8_t pattern[16], want[16 * 300];
    for (unsigned i = 0; i < 5; i++) {
        for (uint64_t count = 1; count <= 300; count = count * 3 + 1) {
            char *device = cts_device(t, sizeof want);
            cts_random_bytes(t, pattern, sizeof pattern);
            memset(want, 0xA5, sizeof want);
            for (uint64_t at = 0; at < count && (at + 2) * sizes[i] <= sizeof want; at++)
                memcpy(want + (at + 1) * sizes[i], pattern, sizes[i]);
            const uint64_t room = sizeof want / sizes[i] - 1;
            CTS_OK(
                haly_fill(t->stream, device + sizes[i], pattern, sizes[i], (count < room ? count : room) * sizes[i]));
            cts_sync(t, t->stream);
            cts_expect_bytes(t, device, want, sizeof want);
        }
    }
}

CTS_CASE(stream, a_fills_pattern_is_read_before_the_call_returns, "COPY-005")
{
    uint32_t pattern = 0x12345678, want[50];
    void *device = cts_device(t, sizeof want);
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(haly_fill(t->stream, device, &pattern, 4, sizeof want));
    pattern = 0;
    cts_open(t, gate);
    cts_sync(t, t->stream);
    for (unsigned i = 0; i < 50; i++)
        want[i] = 0x12345678;
    cts_expect_bytes(t, device, want, sizeof want);
}

CTS_CASE(stream, a_fill_that_does_not_fit_its_pattern_is_invalid, "COPY-005 COPY-003")
{
    const uint8_t pattern[32] = {1};
    char *device = cts_device(t, 64);
    CTS_INVALID(haly_fill(t->stream, device, pattern, 3, 63));
    CTS_INVALID(haly_fill(t->stream, device, pattern, 32, 64));
    CTS_INVALID(haly_fill(t->stream, device, pattern, 0, 64));
    CTS_INVALID(haly_fill(t->stream, device, pattern, 4, 62));
    CTS_INVALID(haly_fill(t->stream, device + 2, pattern, 4, 8));
    CTS_INVALID(haly_fill(t->stream, device, NULL, 4, 8));
    CTS_INVALID(haly_fill(t->stream, device, pattern, 1, 100000000));
    CTS_OK(haly_stream_query(t->stream));
    cts_expect_filled(t, device, 0xA5, 64);
}

CTS_CASE(stream, fills_work_on_pinned_memory_and_not_on_pageable, "COPY-005")
{
    const uint8_t pattern[2] = {2, 1};
    uint8_t pageable[64] = {0}, *pinned = NULL;
    CTS_OK(haly_host_alloc(t->context, 64, (void **)&pinned));
    CTS_OK(haly_fill(t->stream, pinned, pattern, 2, 64));
    cts_sync(t, t->stream);
    CTS_EQUAL(2, pinned[62]);
    CTS_EQUAL(1, pinned[63]);
    CTS_INVALID(haly_fill(t->stream, pageable, pattern, 2, 64));
    CTS_EQUAL(0, pageable[0]);
    CTS_OK(haly_host_free(t->context, pinned));
}

CTS_CASE(stream, copies_and_fills_of_a_stream_keep_their_order, "STR-001 COPY-001 COPY-005")
{
    enum { SIZE = 200000 };
    uint8_t *target = cts_host(t, SIZE);
    char *a = cts_device(t, SIZE), *b = cts_device(t, SIZE);
    for (unsigned round = 0; round < 50; round++) {
        const uint8_t byte = (uint8_t)round;
        CTS_OK(haly_fill(t->stream, a, &byte, 1, SIZE));
        CTS_OK(haly_copy(t->stream, b, a, SIZE));
        CTS_OK(haly_copy(t->stream, target, b, SIZE)); /* pageable between device commands */
        CTS_OK(haly_copy(t->stream, a + 1, target, SIZE - 1));
    }
    cts_sync(t, t->stream);
    cts_expect_filled(t, a, 49, SIZE);
}
