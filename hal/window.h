/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address window of a movable or translated context: a range of addresses reserved without memory behind it, from
 * which its segments get their addresses. Bases come from a short fixed list, so that another process can hold the same
 * range when work is restored there. Nothing in it can be touched by the host, and it stays out of core dumps.
 */
#ifndef HAL_WINDOW_H
#define HAL_WINDOW_H

#include "short_lock.h"

struct window {
    uint64_t base;
    uint64_t bytes;
    struct short_lock lock; /* what follows */
    uint64_t granules;
    uint64_t *used; /* bit per 2 MiB granule */
};

/* What is reserved for a device when nobody says: 4 x its memory, at most 256 GiB unless the device is larger. */
uint64_t window_default_bytes(uint64_t device_bytes);

/*
 * Reserves `bytes`, rounded up to 2 MiB. Unless `is_exact`, half of it when that much is not to be had, and so on.
 * HALY_ERR_RESOURCE_EXHAUSTED (names the size), HALY_ERR_HOST_OOM, HALY_ERR_INVALID (more than addresses have).
 */
haly_status window_open(struct window *window, uint64_t bytes, bool is_exact);

/* Gives the range back. Nothing in it is mapped any more. */
void window_close(struct window *window);

/* A free run of granules, lowest first. HALY_ERR_DEVICE_OOM when there is none so long. */
haly_status window_take(struct window *window, uint64_t bytes, void **out_address);
void window_give(struct window *window, void *address, uint64_t bytes);

/* Whether an address lies in any window of the process. No lock. */
bool window_is_inside_any(const void *address);

#endif
