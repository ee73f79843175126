/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/*
 * Segments are anonymous mappings aligned to 2 MiB with huge pages asked for: the first touch of fresh memory is what
 * an allocation costs, and huge pages make it eight times cheaper. The device's memory is a limit on the sum of
 * segments, so that a program gets HALY_ERR_DEVICE_OOM where the system would otherwise kill it later.
 */
#include "cpu_memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu_context.h"
#include "planted.h"

#define HUGE_BYTES (2U << 20)
#define POISON 0xCD

static haly_status take_budget(struct cpu_device *device, uint64_t size)
{
    uint64_t used = atomic_load_explicit(&device->allocated, memory_order_relaxed);
    do {
        if (device->memory_bytes != 0 && (size > device->memory_bytes || used > device->memory_bytes - size))
            return FAIL(HALY_ERR_DEVICE_OOM, "%llu bytes of device memory: %llu of %llu are in use",
                        (unsigned long long)size, (unsigned long long)used, (unsigned long long)device->memory_bytes);
    } while (!atomic_compare_exchange_weak_explicit(&device->allocated, &used, used + size, memory_order_relaxed,
                                                    memory_order_relaxed));
    return HALY_OK;
}

static void return_budget(struct cpu_device *device, uint64_t size)
{
    atomic_fetch_sub_explicit(&device->allocated, size, memory_order_relaxed);
}

/* Maps `size` bytes aligned to `alignment`; NULL with errno. */
static void *map_aligned(uint64_t size, uint64_t alignment)
{
    if (size > SIZE_MAX - alignment) {
        errno = ENOMEM;
        return NULL;
    }
    char *base = mmap(NULL, (size_t)(size + alignment), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return NULL;
    const size_t head = (size_t)((alignment - (uintptr_t)base % alignment) % alignment);
    if (head != 0)
        munmap(base, head);
    if (alignment - head != 0)
        munmap(base + head + size, (size_t)(alignment - head));
    return base + head;
}

static void *map_segment(const haly_segment_desc *desc, uint64_t size)
{
    if (desc->place == NULL)
        return map_aligned(size, desc->alignment > HUGE_BYTES ? desc->alignment : HUGE_BYTES);
    void *address =
        mmap(desc->place, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    return address != MAP_FAILED ? address : NULL;
}

haly_status cpu_segment_alloc(void *context, void *segment, const haly_segment_desc *desc, void **out_address)
{
    struct cpu_context *owner = context;
    struct cpu_segment *self = segment;
    if (desc->place != NULL && (owner->device->config.is_strict || (uintptr_t)desc->place % 4096 != 0))
        return FAIL(HALY_ERR_UNSUPPORTED, owner->device->config.is_strict ? "strict mode places no memory"
                                                                          : "a place must be a multiple of 4096");
    if (desc->size == 0 || desc->size > UINT64_MAX - 4095)
        return FAIL(HALY_ERR_DEVICE_OOM, "%llu bytes of device memory", (unsigned long long)desc->size);
    const uint64_t size = (desc->size + 4095) / 4096 * 4096;
    TRY(take_budget(owner->device, size));
    void *address = map_segment(desc, size);
    if (address == NULL) {
        const int error = errno;
        return_budget(owner->device, size);
        return cpu_fail_errno_as(HALY_ERR_DEVICE_OOM, error, "mapping device memory");
    }
    madvise(address, (size_t)size, MADV_HUGEPAGE); /* advice: where it is refused, small pages serve */
    if (owner->device->config.is_strict)
        memset(address, POISON, (size_t)size);
    *self = (struct cpu_segment){address, size, desc->place != NULL};
    *out_address = address;
    return HALY_OK;
}

void cpu_segment_free(void *context, void *segment)
{
    struct cpu_context *owner = context;
    struct cpu_segment *self = segment;
    /* One call replaces the mapping: nobody else can be given the range in between. Should the kernel have no memory
     * even for that, the pages are given back and the range keeps its protection. */
    if (!self->is_placed)
        munmap(self->address, (size_t)self->size);
    else if (mmap(self->address, (size_t)self->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
                  -1, 0) == MAP_FAILED)
        madvise(self->address, (size_t)self->size, MADV_DONTNEED);
    return_budget(owner->device, self->size);
    *self = (struct cpu_segment){0};
}

haly_status cpu_host_alloc(void *context, uint64_t size, void **out_address)
{
    (void)context;
    void *address = NULL;
    if (size > SIZE_MAX - HUGE_BYTES)
        return FAIL(HALY_ERR_HOST_OOM, "%llu bytes of host memory", (unsigned long long)size);
    if (size >= HUGE_BYTES) {
        address = map_aligned((size + 4095) / 4096 * 4096, HUGE_BYTES);
        if (address != NULL)
            madvise(address, (size_t)size, MADV_HUGEPAGE);
    } else {
        address = aligned_alloc(CPU_ALIGNMENT, (size_t)(size / CPU_ALIGNMENT + 1) * CPU_ALIGNMENT);
    }
    if (address == NULL)
        return cpu_fail_errno_as(HALY_ERR_HOST_OOM, errno, "allocating host memory");
    *out_address = address;
    return HALY_OK;
}

void cpu_host_free(void *context, void *address, uint64_t size)
{
    (void)context;
    if (size >= HUGE_BYTES)
        munmap(address, (size_t)((size + 4095) / 4096 * 4096));
    else
        free(address);
}

haly_status cpu_host_register(void *context, void *address, uint64_t size)
{
    (void)context;
    (void)address;
    (void)size;
    return HALY_OK; /* all host memory is as good as pinned here */
}

void cpu_host_unregister(void *context, void *address, uint64_t size)
{
    (void)context;
    (void)address;
    (void)size;
}

haly_memory_class cpu_pointer_info(void *context, const void *address)
{
    (void)context;
    (void)address;
    return PLANTED_OR(every_pointer_is_the_devices, HALY_MEMORY_UNKNOWN,
                      HALY_MEMORY_FOREIGN); /* this vendor has no memory that the core did not allocate */
}
