/* SPDX-License-Identifier: Apache-2.0 */
/* Reserving address windows, and handing out their granules. */
#define _GNU_SOURCE
#include "window.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "address.h"
#include "planted.h"

#define GIB (UINT64_C(1) << 30)
#define DEFAULT_MOST (256 * GIB)
#define LEAST_BYTES (64 * GRANULE_BYTES)

/* Tries in one of the places, before it counts as taken, or as beyond what the system can map. */
#define TRIES_MOST 256U

/*
 * Where windows may stand, best first. The first two were free in plain, ASan and TSan processes, with 340 GiB behind
 * them; the others only in the former two, with room for windows of many contexts. 7 to 24 TiB is CANN's own.
 */
static const struct {
    uint64_t base, bytes;
} places[] = {
    {UINT64_C(0x550000000000), 340 * GIB},  {UINT64_C(0x7e8000000000), 340 * GIB},
    {UINT64_C(0x200000000000), 8192 * GIB}, {UINT64_C(0x280000000000), 8192 * GIB},
    {UINT64_C(0x300000000000), 8192 * GIB}, {UINT64_C(0x380000000000), 8192 * GIB},
};

/* Windows of the process, to tell their addresses from ordinary ones. One beyond these loses only that. */
#define LISTED_WINDOWS 256
static struct {
    _Atomic uint64_t base, bytes;
} listed[LISTED_WINDOWS];
static _Atomic uint32_t listed_end;
static struct short_lock list_lock = SHORT_LOCK_INIT;

uint64_t window_default_bytes(uint64_t device_bytes)
{
    const uint64_t most = device_bytes > DEFAULT_MOST ? device_bytes : DEFAULT_MOST;
    return device_bytes == 0 || device_bytes > most / 4 ? most : 4 * device_bytes;
}

/* Reserves at the address if it is free, anywhere for 0. Never MAP_FIXED_NOREPLACE: ThreadSanitizer aborts on it. */
static void *reserve(uint64_t address, uint64_t bytes)
{
    void *mapped =
        mmap((void *)(uintptr_t)address, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return mapped == MAP_FAILED ? NULL : mapped;
}

/* At one of the listed places. Sets *out_refused when the system refuses so much, wherever. */
static uint64_t reserve_listed(uint64_t bytes, bool *out_refused)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        uint64_t offset = 0;
        for (uint32_t tries = 0; tries < TRIES_MOST && offset + bytes <= places[i].bytes; tries++, offset += bytes) {
            void *mapped = reserve(places[i].base + offset, bytes);
            if (mapped == (void *)(uintptr_t)(places[i].base + offset))
                return places[i].base + offset;
            *out_refused = mapped == NULL;
            if (mapped == NULL)
                return 0;
            munmap(mapped, bytes);
        }
    }
    return 0;
}

/* Wherever the system puts it, on a granule. */
static uint64_t reserve_anywhere(uint64_t bytes)
{
    char *mapped = reserve(0, bytes + GRANULE_BYTES);
    if (mapped == NULL)
        return 0;
    const uint64_t start = (uint64_t)(uintptr_t)mapped;
    const uint64_t base = (start + GRANULE_BYTES - 1) & ~(GRANULE_BYTES - 1);
    if (base != start)
        munmap(mapped, base - start);
    if (base - start != GRANULE_BYTES)
        munmap(mapped + (base - start) + bytes, GRANULE_BYTES - (base - start));
    return base;
}

static void enlist(const struct window *window)
{
    short_lock_acquire_process(&list_lock);
    for (uint32_t i = 0; i < LISTED_WINDOWS; i++) {
        if (listed[i].bytes != 0)
            continue;
        listed[i].base = window->base;
        listed[i].bytes = window->bytes;
        if (i >= listed_end)
            listed_end = i + 1;
        break;
    }
    short_lock_release(&list_lock);
}

static void delist(const struct window *window)
{
    short_lock_acquire_process(&list_lock);
    for (uint32_t i = 0; i < listed_end; i++)
        if (listed[i].base == window->base && listed[i].bytes == window->bytes)
            listed[i].bytes = 0;
    short_lock_release(&list_lock);
}

bool window_is_inside_any(const void *address)
{
    const uint64_t at = (uint64_t)(uintptr_t)address;
    const uint32_t end = atomic_load_explicit(&listed_end, memory_order_acquire);
    for (uint32_t i = 0; i < end; i++)
        if (at - atomic_load_explicit(&listed[i].base, memory_order_relaxed) <
            atomic_load_explicit(&listed[i].bytes, memory_order_relaxed))
            return true;
    return false;
}

haly_status window_open(struct window *window, uint64_t bytes, bool is_exact)
{
    if (bytes > (UINT64_C(1) << ADDRESS_BITS) / 2)
        return FAIL(HALY_ERR_INVALID, "an address window of %llu bytes does not fit the address space",
                    (unsigned long long)bytes);
    uint64_t size = (bytes + GRANULE_BYTES - 1) & ~(GRANULE_BYTES - 1);
    uint64_t base = 0;
    for (;; size = (size / 2 + GRANULE_BYTES - 1) & ~(GRANULE_BYTES - 1)) {
        bool is_refused = false;
        base = reserve_listed(size, &is_refused);
        if (base == 0 && !is_refused)
            base = reserve_anywhere(size);
        if (base != 0 || is_exact || size / 2 < LEAST_BYTES)
            break;
    }
    if (base == 0)
        return FAIL(HALY_ERR_RESOURCE_EXHAUSTED, "no address range of %llu bytes is free for the context's window",
                    (unsigned long long)size);
    *window = (struct window){.base = base, .bytes = size, .granules = size / GRANULE_BYTES};
    madvise((void *)(uintptr_t)base, size, MADV_DONTDUMP);
    window->used = calloc((window->granules + 63) / 64, sizeof *window->used);
    if (window->used == NULL) {
        munmap((void *)(uintptr_t)base, size);
        return fail_host_oom("the map of an address window", window->granules / 8);
    }
    enlist(window);
    return HALY_OK;
}

void window_close(struct window *window)
{
    delist(window);
    munmap((void *)(uintptr_t)window->base, window->bytes);
    free(window->used);
    window->used = NULL;
}

static bool is_used(const struct window *window, uint64_t granule)
{
    return (window->used[granule / 64] >> granule % 64 & 1) != 0;
}

static void mark(struct window *window, uint64_t first, uint64_t count, bool is_used_now)
{
    for (uint64_t i = first; i < first + count; i++) {
        const uint64_t bit = UINT64_C(1) << i % 64;
        window->used[i / 64] = is_used_now ? window->used[i / 64] | bit : window->used[i / 64] & ~bit;
    }
}

/* The lowest run of free granules; `granules` when there is none. */
static uint64_t find_run(const struct window *window, uint64_t count)
{
    uint64_t run = 0;
    for (uint64_t i = 0; i < window->granules; i++) {
        if (i % 64 == 0 && window->used[i / 64] == UINT64_MAX) {
            run = 0;
            i += 63;
            continue;
        }
        run = is_used(window, i) ? 0 : run + 1;
        if (run == count)
            return i + 1 - count;
    }
    return window->granules;
}

haly_status window_take(struct window *window, uint64_t bytes, void **out_address)
{
    const uint64_t count = (bytes + GRANULE_BYTES - 1) / GRANULE_BYTES;
    short_lock_acquire(&window->lock);
    const uint64_t first = find_run(window, count);
    const bool is_found = first < window->granules;
    if (is_found)
        mark(window, first, count, true);
    short_lock_release(&window->lock);
    if (!is_found)
        return FAIL(HALY_ERR_DEVICE_OOM, "the address window of %llu bytes has no %llu bytes free in one piece",
                    (unsigned long long)window->bytes, (unsigned long long)bytes);
    *out_address = (void *)(uintptr_t)(window->base + first * GRANULE_BYTES);
    return HALY_OK;
}

void window_give(struct window *window, void *address, uint64_t bytes)
{
    short_lock_acquire(&window->lock);
    mark(window, ((uint64_t)(uintptr_t)address - window->base) / GRANULE_BYTES,
         PLANTED_OR(window_forgets_what_is_given_back, (bytes + GRANULE_BYTES - 1) / GRANULE_BYTES, 1), false);
    short_lock_release(&window->lock);
}
