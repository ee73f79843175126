/* SPDX-License-Identifier: Apache-2.0 */
/* Pinned and registered host memory. */
#include "cts.h"

CTS_CASE(memory, pinned_memory_is_aligned_host_memory, "MEM-010")
{
    for (uint64_t size = 1; size < 5000000; size *= 23) {
        uint8_t *address = NULL;
        CTS_OK(haly_host_alloc(t->context, size, (void **)&address));
        CTS_EQUAL(0, (uintptr_t)address % 64);
        memset(address, 0x42, size);
        CTS_EQUAL(0x42, address[size - 1]);
        CTS_OK(haly_host_free(t->context, address));
    }
}

CTS_CASE(memory, pinned_memory_is_known_and_counted, "MEM-009 MEM-010")
{
    char *address = NULL;
    haly_memory_info info = {HALY_MEMORY_INFO_INIT};
    const haly_memory_stats before = cts_stats(t, t->context);
    CTS_OK(haly_host_alloc(t->context, 100000, (void **)&address));
    CTS_TRUE(cts_stats(t, t->context).pinned_bytes >= before.pinned_bytes + 100000);
    CTS_OK(haly_memory_info_get(address + 777, &info));
    CTS_EQUAL(HALY_MEMORY_PINNED, info.memory_class);
    CTS_TRUE(info.base == address && info.context == t->context);
    CTS_EQUAL(777, info.offset);
    CTS_EQUAL(100000, info.size);
    CTS_OK(haly_host_free(t->context, address));
    CTS_OK(haly_memory_info_get(address, &info));
    CTS_TRUE(info.memory_class != HALY_MEMORY_PINNED);
}

CTS_CASE(memory, pinned_memory_is_copied_both_ways, "MEM-010 COPY-001")
{
    enum { SIZE = 300000 };
    uint8_t *source = NULL, *target = NULL;
    void *device = cts_device(t, SIZE);
    CTS_OK(haly_host_alloc(t->context, SIZE, (void **)&source));
    CTS_OK(haly_host_alloc(t->context, SIZE, (void **)&target));
    cts_random_bytes(t, source, SIZE);
    CTS_OK(haly_copy(t->stream, device, source, SIZE));
    CTS_OK(haly_copy(t->stream, target, device, SIZE));
    cts_sync(t, t->stream);
    CTS_EQUAL(0, memcmp(source, target, SIZE));
    CTS_OK(haly_host_free(t->context, source));
    CTS_OK(haly_host_free(t->context, target));
}

CTS_CASE(memory, host_free_wants_the_start_of_pinned_memory, "MEM-011")
{
    char *address = NULL;
    int host = 0;
    void *device = cts_device(t, 64);
    CTS_OK(haly_host_alloc(t->context, 1000, (void **)&address));
    CTS_INVALID(haly_host_free(t->context, address + 64));
    CTS_INVALID(haly_host_free(t->context, &host));
    CTS_INVALID(haly_host_free(t->context, device));
    CTS_OK(haly_host_free(t->context, NULL));
    CTS_OK(haly_host_free(t->context, address));
    CTS_INVALID(haly_host_free(t->context, address));
}

CTS_CASE(memory, pinned_memory_belongs_to_its_context, "MEM-011 CTX-001")
{
    haly_context *other = cts_context(t, NULL);
    void *address = NULL;
    CTS_OK(haly_host_alloc(other, 1000, &address));
    CTS_INVALID(haly_host_free(t->context, address));
    CTS_OK(haly_host_free(other, address));
}

CTS_CASE(memory, a_pinned_size_that_cannot_be_had_is_refused, "MEM-010 ABI-005")
{
    void *address = t;
    const haly_status status = haly_host_alloc(t->context, 1ULL << 55, &address);
    CTS_CHECK(status == HALY_ERR_HOST_OOM || status == HALY_ERR_UNSUPPORTED, "got %s", haly_status_name(status));
    t->failures_expected++;
    CTS_TRUE(address == (void *)t);
    const haly_status overflow = haly_host_alloc(t->context, UINT64_MAX, &address);
    CTS_CHECK(overflow == HALY_ERR_HOST_OOM || overflow == HALY_ERR_INVALID, "got %s", haly_status_name(overflow));
    CTS_TRUE(address == (void *)t);
}

CTS_CASE(memory, registering_without_the_capability_is_unsupported, "MEM-012")
{
    uint8_t *memory = cts_host(t, 8192);
    if (!cts_has(t, HALY_CAP_HOST_REGISTER)) {
        CTS_STATUS(HALY_ERR_UNSUPPORTED, haly_host_register(t->context, memory, 8192));
        return;
    }
    CTS_OK(haly_host_register(t->context, memory, 8192));
    CTS_OK(haly_host_unregister(t->context, memory));
}

CTS_CASE_CAP(memory, registered_memory_is_known_and_copied, "MEM-012 MEM-009", HALY_CAP_HOST_REGISTER)
{
    enum { SIZE = 100000 };
    uint8_t *memory = cts_host(t, SIZE), *back = cts_host(t, SIZE);
    void *device = cts_device(t, SIZE);
    haly_memory_info info = {HALY_MEMORY_INFO_INIT};
    cts_random_bytes(t, memory, SIZE);
    CTS_OK(haly_host_register(t->context, memory, SIZE));
    CTS_OK(haly_memory_info_get(memory + 99, &info));
    CTS_EQUAL(HALY_MEMORY_REGISTERED, info.memory_class);
    CTS_TRUE(info.base == memory && info.context == t->context);
    CTS_EQUAL(SIZE, info.size);
    CTS_EQUAL(99, info.offset);
    CTS_OK(haly_copy(t->stream, device, memory, SIZE));
    CTS_OK(haly_copy(t->stream, back, device, SIZE));
    cts_sync(t, t->stream);
    CTS_EQUAL(0, memcmp(memory, back, SIZE));
    CTS_OK(haly_host_unregister(t->context, memory));
    CTS_OK(haly_memory_info_get(memory, &info));
    CTS_EQUAL(HALY_MEMORY_UNKNOWN, info.memory_class);
}

CTS_CASE_CAP(memory, registered_ranges_must_not_overlap, "MEM-012", HALY_CAP_HOST_REGISTER)
{
    uint8_t *memory = cts_host(t, 40960);
    CTS_OK(haly_host_register(t->context, memory, 20480));
    CTS_INVALID(haly_host_register(t->context, memory + 8192, 20480));
    CTS_INVALID(haly_host_register(t->context, memory, 20480));
    CTS_OK(haly_host_unregister(t->context, memory));
    CTS_OK(haly_host_register(t->context, memory + 8192, 20480));
    CTS_OK(haly_host_unregister(t->context, memory + 8192));
}

CTS_CASE_CAP(memory, unregister_wants_the_start_of_a_registration, "MEM-012", HALY_CAP_HOST_REGISTER)
{
    uint8_t *memory = cts_host(t, 8192);
    CTS_INVALID(haly_host_unregister(t->context, memory));
    CTS_OK(haly_host_register(t->context, memory, 8192));
    CTS_INVALID(haly_host_unregister(t->context, memory + 64));
    CTS_OK(haly_host_unregister(t->context, memory));
    CTS_INVALID(haly_host_unregister(t->context, memory));
}
