/* SPDX-License-Identifier: Apache-2.0 */
/* Device memory: allocating, freeing, and what is known about an address. */
#include "cts.h"

CTS_CASE(memory, malloc_of_zero_bytes_gives_null, "MEM-004")
{
    void *address = t;
    CTS_OK(haly_malloc(t->context, 0, NULL, &address));
    CTS_TRUE(address == NULL);
    CTS_OK(haly_malloc_async(t->stream, 0, NULL, &address));
    CTS_TRUE(address == NULL);
}

CTS_CASE(memory, addresses_have_the_alignment_the_device_declares, "MEM-004")
{
    const uint64_t alignment = t->spec.allocation_alignment;
    for (uint64_t size = 1; size < 100000; size = size * 3 + 1) {
        void *address = NULL;
        CTS_OK(haly_malloc(t->context, size, NULL, &address));
        CTS_CHECK((uintptr_t)address % alignment == 0, "%p is no multiple of %llu", address,
                  (unsigned long long)alignment);
        CTS_OK(haly_free(t->context, address));
    }
}

static void *malloc_aligned(struct cts *t, uint64_t size, uint64_t alignment)
{
    void *address = NULL;
    CTS_OK(haly_malloc(t->context, size, &(haly_memory_desc){HALY_MEMORY_DESC_INIT, .alignment = alignment}, &address));
    CTS_CHECK((uintptr_t)address % alignment == 0, "%p, of %llu bytes, is no multiple of %llu", address,
              (unsigned long long)size, (unsigned long long)alignment);
    return address;
}

CTS_CASE(memory, a_larger_alignment_is_honoured_up_to_2_mib, "MEM-004")
{
    enum { COUNT = 4 };
    void *blocks[COUNT], *between = NULL;
    CTS_OK(haly_malloc(t->context, 300, NULL, &between)); /* so that nothing is aligned by standing first */
    for (uint64_t alignment = 1; alignment <= 2U << 20; alignment *= 2) {
        for (unsigned i = 0; i < COUNT; i++) /* blocks of this size that are aligned to little lie in the cache */
            CTS_OK(haly_malloc(t->context, 100 + 3000 * (i % 2), NULL, &blocks[i]));
        for (unsigned i = 0; i < COUNT; i++)
            CTS_OK(haly_free(t->context, blocks[i]));
        for (unsigned i = 0; i < COUNT; i++)
            blocks[i] = malloc_aligned(t, 100 + 3000 * (i % 2), alignment);
        for (unsigned i = 0; i < COUNT; i++)
            CTS_OK(haly_free(t->context, blocks[i]));
    }
    CTS_OK(haly_free(t->context, between));
}

CTS_CASE(memory, an_alignment_that_is_no_power_of_two_or_too_large_is_invalid, "MEM-004 ABI-005")
{
    static const uint64_t wrong[] = {3, 48, 4U << 20, UINT64_MAX};
    for (unsigned i = 0; i < 4; i++) {
        void *address = t;
        CTS_INVALID(
            haly_malloc(t->context, 64, &(haly_memory_desc){HALY_MEMORY_DESC_INIT, .alignment = wrong[i]}, &address));
        CTS_TRUE(address == (void *)t);
    }
}

CTS_CASE(memory, a_size_that_overflows_is_invalid, "MEM-004 ABI-005")
{
    void *address = t;
    CTS_INVALID(haly_malloc(t->context, UINT64_MAX, NULL, &address));
    CTS_INVALID(haly_malloc_async(t->stream, UINT64_MAX - 1, NULL, &address));
    CTS_TRUE(address == (void *)t);
}

CTS_CASE(memory, more_than_any_device_has_is_device_oom_and_harms_nothing, "MEM-004")
{
    void *address = t;
    CTS_STATUS(HALY_ERR_DEVICE_OOM, haly_malloc(t->context, 1ULL << 55, NULL, &address));
    CTS_TRUE(address == (void *)t);
    CTS_MESSAGE("36028797018963968");
    CTS_OK(haly_malloc(t->context, 4096, NULL, &address));
    CTS_OK(haly_free(t->context, address));
}

CTS_CASE(memory, memory_keeps_what_was_written, "MEM-004 COPY-001")
{
    for (uint64_t size = 1; size < 3000000; size = size * 7 + 13) {
        uint8_t *bytes = cts_host(t, size);
        cts_random_bytes(t, bytes, size);
        void *address = cts_device_from(t, bytes, size);
        cts_expect_bytes(t, address, bytes, size);
    }
}

CTS_CASE(memory, live_allocations_do_not_overlap, "MEM-004")
{
    enum { COUNT = 64 };
    void *addresses[COUNT];
    uint64_t sizes[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        const uint8_t byte = (uint8_t)(i + 1);
        sizes[i] = 1 + cts_below(t, i % 4 == 0 ? 300000 : 3000);
        CTS_OK(haly_malloc(t->context, sizes[i], NULL, &addresses[i]));
        CTS_OK(haly_fill(t->stream, addresses[i], &byte, 1, sizes[i]));
    }
    cts_sync(t, t->stream);
    for (unsigned i = 0; i < COUNT; i++) {
        cts_expect_filled(t, addresses[i], (uint8_t)(i + 1), sizes[i]);
        CTS_OK(haly_free(t->context, addresses[i]));
    }
}

CTS_CASE(memory, the_whole_of_a_large_allocation_is_usable, "MEM-004")
{
    const uint64_t size = (70U << 20) + 12345;
    const uint8_t byte = 0x3C;
    void *address = NULL;
    CTS_OK(haly_malloc(t->context, size, NULL, &address));
    CTS_OK(haly_fill(t->stream, address, &byte, 1, size));
    cts_sync(t, t->stream);
    cts_expect_filled(t, address, byte, size);
    CTS_OK(haly_free(t->context, address));
}

CTS_CASE(memory, interior_addresses_work, "MEM-001 COPY-003")
{
    uint8_t bytes[1000];
    cts_random_bytes(t, bytes, sizeof bytes);
    char *address = cts_device(t, 3000);
    cts_upload(t, address + 1001, bytes, sizeof bytes);
    cts_expect_bytes(t, address + 1001, bytes, sizeof bytes);
    cts_expect_filled(t, address, 0xA5, 1001);
    cts_expect_filled(t, address + 2001, 0xA5, 999);
}

CTS_CASE(memory, free_of_null_is_fine, "MEM-005")
{
    CTS_OK(haly_free(t->context, NULL));
}

CTS_CASE(memory, free_wants_the_start_of_an_allocation, "MEM-005")
{
    char *address = NULL;
    CTS_OK(haly_malloc(t->context, 1000, NULL, (void **)&address));
    CTS_INVALID(haly_free(t->context, address + 1));
    CTS_INVALID(haly_free_async(t->stream, address + 64));
    CTS_OK(haly_free(t->context, address));
}

CTS_CASE(memory, freeing_twice_is_invalid, "MEM-005 MEM-007")
{
    void *address = NULL;
    CTS_OK(haly_malloc(t->context, 1000, NULL, &address));
    CTS_OK(haly_free(t->context, address));
    CTS_INVALID(haly_free(t->context, address));
    CTS_OK(haly_malloc_async(t->stream, 5000, NULL, &address));
    CTS_OK(haly_free_async(t->stream, address));
    CTS_INVALID(haly_free_async(t->stream, address));
}

CTS_CASE(memory, free_of_memory_that_is_not_the_contexts_is_invalid, "MEM-005")
{
    haly_context *other = cts_context(t, NULL);
    void *theirs = NULL;
    int on_the_stack = 0;
    CTS_OK(haly_malloc(other, 1000, NULL, &theirs));
    CTS_INVALID(haly_free(t->context, theirs));
    CTS_INVALID(haly_free_async(t->stream, theirs));
    CTS_INVALID(haly_free(t->context, &on_the_stack));
    CTS_OK(haly_free(other, theirs));
}

CTS_CASE(memory, free_waits_for_nothing_and_queued_work_keeps_its_memory, "MEM-005 MEM-001")
{
    enum { SIZE = 100000 };
    const uint8_t old_byte = 0x11, new_byte = 0x22;
    void *source = NULL, *again = NULL, *result = cts_device(t, SIZE);
    haly_stream *other = cts_stream(t);
    CTS_OK(haly_malloc(t->context, SIZE, NULL, &source));
    CTS_OK(haly_fill(t->stream, source, &old_byte, 1, SIZE));
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(haly_copy(t->stream, result, source, SIZE));
    CTS_OK(haly_free(t->context, source)); /* returns although the copy has not run */
    CTS_STATUS(HALY_NOT_READY, haly_stream_query(t->stream));
    CTS_OK(haly_malloc(t->context, SIZE, NULL, &again));
    CTS_OK(haly_fill(other, again, &new_byte, 1, SIZE));
    cts_sync(t, other);
    cts_open(t, gate);
    cts_sync(t, t->stream);
    cts_expect_filled(t, result, old_byte, SIZE);
    CTS_OK(haly_free(t->context, again));
}

CTS_CASE(memory, the_zero_flag_gives_zeros_even_in_used_memory, "MEM-004 MEM-002")
{
    const haly_memory_desc zero = {HALY_MEMORY_DESC_INIT, .flags = HALY_MEMORY_ZERO};
    for (uint64_t size = 10; size < 1000000; size *= 17) {
        void *address = NULL;
        const uint8_t byte = 0x77;
        CTS_OK(haly_malloc(t->context, size, NULL, &address));
        CTS_OK(haly_fill(t->stream, address, &byte, 1, size));
        CTS_OK(haly_free(t->context, address));
        cts_sync(t, t->stream);
        CTS_OK(haly_malloc(t->context, size, &zero, &address));
        cts_expect_filled(t, address, 0, size);
        CTS_OK(haly_free(t->context, address));
    }
}

CTS_CASE(memory, the_zero_flag_works_in_stream_order, "MEM-006")
{
    enum { SIZE = 50000 };
    const haly_memory_desc zero = {HALY_MEMORY_DESC_INIT, .flags = HALY_MEMORY_ZERO};
    const uint8_t byte = 0x77;
    void *dirty = NULL, *address = NULL;
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(haly_malloc_async(t->stream, SIZE, NULL, &dirty));
    CTS_OK(haly_fill(t->stream, dirty, &byte, 1, SIZE));
    CTS_OK(haly_free_async(t->stream, dirty));
    CTS_OK(haly_malloc_async(t->stream, SIZE, &zero, &address)); /* may be the same block: zeroed behind the fill */
    cts_open(t, gate);
    cts_sync(t, t->stream);
    cts_expect_filled(t, address, 0, SIZE);
    CTS_OK(haly_free_async(t->stream, address));
}

CTS_CASE(memory, an_unknown_flag_is_unsupported, "MEM-004 ABI-005")
{
    void *address = t;
    CTS_STATUS(HALY_ERR_UNSUPPORTED,
               haly_malloc(t->context, 64, &(haly_memory_desc){HALY_MEMORY_DESC_INIT, .flags = 1U << 30}, &address));
    CTS_TRUE(address == (void *)t);
}

CTS_CASE(memory, dedicated_memory_has_a_segment_of_its_own_and_gives_it_back, "MEM-004")
{
    const haly_memory_desc dedicated = {HALY_MEMORY_DESC_INIT, .flags = HALY_MEMORY_DEDICATED};
    void *address = NULL;
    const haly_memory_stats before = cts_stats(t, t->context);
    CTS_OK(haly_malloc(t->context, 100000, &dedicated, &address));
    const haly_memory_stats during = cts_stats(t, t->context);
    CTS_EQUAL(before.segment_count + 1, during.segment_count);
    CTS_TRUE(during.segment_bytes >= before.segment_bytes + 100000);
    haly_memory_info info = {HALY_MEMORY_INFO_INIT};
    CTS_OK(haly_memory_info_get(address, &info));
    CTS_EQUAL(HALY_MEMORY_DEDICATED, info.flags & HALY_MEMORY_DEDICATED);
    CTS_OK(haly_free(t->context, address));
    CTS_OK(haly_context_sync(t->context, CTS_PATIENCE));
    CTS_OK(haly_memory_trim(t->context, UINT64_MAX)); /* keeps the cache: dedicated memory must not be in it */
    CTS_EQUAL(before.segment_bytes, cts_stats(t, t->context).segment_bytes);
}

CTS_CASE(memory, memory_that_holds_addresses_needs_native_ones, "MEM-003 CTX-003")
{
    const haly_memory_desc holds = {HALY_MEMORY_DESC_INIT, .flags = HALY_MEMORY_HOLDS_ADDRESSES};
    haly_context_info info = {HALY_CONTEXT_INFO_INIT};
    void *address = NULL;
    CTS_OK(haly_context_info_get(t->context, &info));
    if (t->variant == CTS_MOVABLE || !info.addresses_are_native) {
        CTS_STATUS(HALY_ERR_UNSUPPORTED, haly_malloc(t->context, 64, &holds, &address));
        CTS_TRUE(address == NULL);
    } else {
        CTS_OK(haly_malloc(t->context, 64, &holds, &address));
        CTS_OK(haly_free(t->context, address));
    }
}

CTS_CASE(memory, info_names_the_allocation_of_any_address_in_it, "MEM-009")
{
    char *address = NULL;
    CTS_OK(haly_malloc(t->context, 1000, NULL, (void **)&address));
    for (uint64_t offset = 0; offset < 1000; offset += 333) {
        haly_memory_info info = {HALY_MEMORY_INFO_INIT};
        CTS_OK(haly_memory_info_get(address + offset, &info));
        CTS_EQUAL(HALY_MEMORY_DEVICE, info.memory_class);
        CTS_TRUE(info.context == t->context);
        CTS_TRUE(info.base == address);
        CTS_EQUAL(1000, info.size);
        CTS_EQUAL(offset, info.offset);
        CTS_EQUAL(HALY_DTYPE_NONE, info.dtype);
        CTS_TRUE(info.name != NULL && info.name[0] == '\0');
    }
    CTS_OK(haly_free(t->context, address));
}

CTS_CASE(memory, host_memory_is_unknown_and_that_is_no_failure, "MEM-009")
{
    static int somewhere;
    const void *const addresses[3] = {NULL, &somewhere, t};
    for (unsigned i = 0; i < 3; i++) {
        haly_memory_info info = {HALY_MEMORY_INFO_INIT, .memory_class = HALY_MEMORY_DEVICE, .context = t->context};
        CTS_OK(haly_memory_info_get(addresses[i], &info));
        CTS_EQUAL(HALY_MEMORY_UNKNOWN, info.memory_class);
        CTS_TRUE(info.context == NULL);
    }
}

CTS_CASE(memory, freed_memory_is_no_longer_device_memory, "MEM-009 MEM-005")
{
    void *address = NULL;
    haly_memory_info info = {HALY_MEMORY_INFO_INIT};
    CTS_OK(haly_malloc(t->context, 1000, NULL, &address));
    CTS_OK(haly_free(t->context, address));
    CTS_OK(haly_memory_info_get(address, &info));
    CTS_TRUE(info.memory_class != HALY_MEMORY_DEVICE);
}

CTS_CASE(memory, a_description_is_kept_and_replaced, "MEM-009")
{
    void *address = NULL;
    haly_memory_info info = {HALY_MEMORY_INFO_INIT};
    CTS_OK(haly_malloc(t->context, 4096, NULL, &address));
    CTS_OK(haly_memory_describe(t->context, address,
                                &(haly_memory_description){HALY_MEMORY_DESCRIPTION_INIT, .name = "weights",
                                                           .retention = HALY_RETAIN_REBUILD, .dtype = HALY_F16,
                                                           .rank = 2, .shape = {32, 64}}));
    CTS_OK(haly_memory_info_get((char *)address + 5, &info));
    CTS_TRUE(strcmp(info.name, "weights") == 0);
    CTS_EQUAL(HALY_RETAIN_REBUILD, info.retention);
    CTS_EQUAL(HALY_F16, info.dtype);
    CTS_EQUAL(2, info.rank);
    CTS_EQUAL(32, info.shape[0]);
    CTS_EQUAL(64, info.shape[1]);
    CTS_OK(haly_memory_describe(
        t->context, address,
        &(haly_memory_description){HALY_MEMORY_DESCRIPTION_INIT, .name = "scratch", .retention = HALY_RETAIN_DISCARD}));
    CTS_OK(haly_memory_info_get(address, &info));
    CTS_TRUE(strcmp(info.name, "scratch") == 0);
    CTS_EQUAL(HALY_RETAIN_DISCARD, info.retention);
    CTS_EQUAL(HALY_DTYPE_NONE, info.dtype);
    CTS_OK(haly_free(t->context, address));
}

CTS_CASE(memory, only_the_start_of_an_allocation_can_be_described, "MEM-009")
{
    const haly_memory_description description = {HALY_MEMORY_DESCRIPTION_INIT, .name = "x"};
    char *address = cts_device(t, 100);
    CTS_INVALID(haly_memory_describe(t->context, address + 1, &description));
    CTS_INVALID(haly_memory_describe(t->context, t, &description));
}

CTS_CASE_WITH(memory, movable_addresses_lie_in_the_contexts_window, "CTX-003 MEM-004", 0, CTS_ONLY_MOVABLE)
{
    haly_context_info info = {HALY_CONTEXT_INFO_INIT};
    CTS_OK(haly_context_info_get(t->context, &info));
    CTS_TRUE(info.window_base != 0 && info.window_bytes != 0);
    for (uint64_t size = 64; size < 50000000; size *= 9) {
        void *address = NULL;
        CTS_OK(haly_malloc(t->context, size, NULL, &address));
        CTS_CHECK((uintptr_t)address >= info.window_base &&
                      (uintptr_t)address + size <= info.window_base + info.window_bytes,
                  "%p is outside the window at 0x%llx", address, (unsigned long long)info.window_base);
        CTS_OK(haly_free(t->context, address));
    }
    haly_context_info later = {HALY_CONTEXT_INFO_INIT};
    CTS_OK(haly_context_info_get(t->context, &later));
    CTS_EQUAL(info.window_base, later.window_base);
}

CTS_CASE_WITH(memory, addresses_that_were_given_back_are_used_again, "CTX-003 MEM-004", 0, CTS_ONLY_MOVABLE)
{
    haly_context_desc desc = cts_context_desc(t);
    const haly_memory_desc dedicated = {HALY_MEMORY_DESC_INIT, .flags = HALY_MEMORY_DEDICATED};
    desc.window_bytes = 256ULL << 20;
    haly_context *context = cts_context(t, &desc);
    for (unsigned round = 0; round < 50; round++) {
        void *address = NULL;
        CTS_OK(haly_malloc(context, 32ULL << 20, &dedicated, &address));
        CTS_OK(haly_free(context, address));
    }
}

/* One kind of context is enough, and this one has address space for it whatever the device's memory is used for. */
CTS_CASE_WITH(memory, an_allocation_beyond_4_gib_ends_where_it_ends, "MEM-001 MEM-009 COPY-003", 0, CTS_ONLY_MOVABLE)
{
    const uint64_t wraps = 1ULL << 32, size = wraps + 3000;
    const uint8_t first = 0x11, second = 0x22;
    char *address = NULL;
    if (t->spec.memory_bytes < 2 * size || t->spec.max_allocation_bytes < size)
        cts_unsupported(t, "the device is too small for an allocation of %llu bytes", (unsigned long long)size);
    CTS_OK(haly_malloc(t->context, size, NULL, (void **)&address));
    CTS_OK(haly_fill(t->stream, address, &first, 1, 3000));
    CTS_OK(haly_fill(t->stream, address + wraps, &second, 1, 3000));
    CTS_INVALID(haly_fill(t->stream, address + wraps, &second, 1, 3001));
    CTS_INVALID(haly_fill(t->stream, address + size - 1, &second, 1, 2));
    cts_sync(t, t->stream);
    cts_expect_filled(t, address, first, 3000);
    cts_expect_filled(t, address + wraps, second, 3000);
    haly_memory_info info = {HALY_MEMORY_INFO_INIT};
    CTS_OK(haly_memory_info_get(address + wraps + 7, &info));
    CTS_EQUAL(wraps + 7, info.offset);
    CTS_EQUAL(size, info.size);
    CTS_OK(haly_free(t->context, address));
}

static int read_device_memory(struct cts *t, void *address)
{
    (void)t;
    return *(volatile uint8_t *)address == 0xA5 ? 1 : 2;
}

static int write_device_memory(struct cts *t, void *address)
{
    (void)t;
    *(volatile uint8_t *)address = 1;
    return 1;
}

CTS_CASE_WITH(memory, a_host_access_to_strict_device_memory_faults, "MEM-001", 0, CTS_ONLY_STRICT)
{
    void *address = cts_device(t, 100);
    const int reading = cts_fork_default(t, read_device_memory, address);
    CTS_CHECK(reading == 64 + 11, "reading should end the process with signal 11, it ended with %d", reading);
    const int writing = cts_fork_default(t, write_device_memory, address);
    CTS_CHECK(writing == 64 + 11, "writing should end the process with signal 11, it ended with %d", writing);
    cts_expect_filled(t, address, 0xA5, 100);
}
