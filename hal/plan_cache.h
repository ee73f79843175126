/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plans of operators run by their description, found again by comparing the whole description but for its
 * addresses. Bounded: the least recently used of a bucket makes room.
 */
#ifndef HAL_PLAN_CACHE_H
#define HAL_PLAN_CACHE_H

#include "operator_call.h"
#include "operator_kernels.h"
#include "plan.h"

#define PLAN_CACHE_BUCKETS 64
#define PLAN_CACHE_WAYS 8

/* A description as comparable bytes. */
struct plan_key {
    uint64_t hash;
    uint32_t words;
    uint64_t data[256];
};

struct plan_cache {
    struct operator_kernels *kernels;
    pthread_mutex_t lock; /* what follows */
    uint64_t clock;
    struct plan_cache_entry {
        struct haly_plan *plan; /* NULL: free; the cache's reference */
        uint64_t hash;
        uint64_t used; /* clock at its last use */
        uint64_t *data;
        uint32_t words;
    } entries[PLAN_CACHE_BUCKETS][PLAN_CACHE_WAYS];
};

/* False when the description is too long to be kept (long texts as attributes): it is then never in the cache. */
bool plan_key_make(const struct op_call *call, struct plan_key *key);

/* With a reference for the caller, or NULL. */
haly_plan *plan_cache_find(struct plan_cache *cache, const struct plan_key *key);

/* Keeps a plan; the cache takes a reference of its own. Without memory for the key nothing is kept. */
void plan_cache_put(struct plan_cache *cache, const struct plan_key *key, haly_plan *plan);

#endif
