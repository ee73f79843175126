/* SPDX-License-Identifier: Apache-2.0 */
/* Quick lists, bins and the best fit. */
#include "free_pool.h"
#include "planted.h"

/* Chunks looked at in one list: enough to tell sizes apart that share one, few enough to bound the time. */
#define QUICK_SEARCH 8
#define FIT_SEARCH 32

/* Eight bins for each power of two. */
static uint32_t bin_index(uint32_t units)
{
    if (units < 8)
        return units;
    const uint32_t power = 31U - (uint32_t)__builtin_clz(units);
    return (power - 2) * 8 + ((units >> (power - 3)) & 7);
}

static void set_state(struct chunk *chunk, enum chunk_state state)
{
    atomic_store_explicit(&chunk->state, (uint8_t)state, memory_order_release);
}

struct chunk *free_pool_take_same(struct free_pool *pool, const struct chunk_request *request)
{
    struct chunk **link = free_pool_list(pool, request->family, request->units);
    for (int i = 0; i < QUICK_SEARCH && *link != NULL; i++, link = &(*link)->next) {
        struct chunk *chunk = *link;
        if (chunk->units != request->units ||
            PLANTED_OR(block_freed_later_is_taken, chunk->sequence > request->latest, false) ||
            (chunk_address(chunk) & (request->alignment - 1)) != 0)
            continue;
        *link = chunk->next;
        pool->bytes -= chunk_bytes(chunk);
        return chunk;
    }
    return NULL;
}

static void bin_add(struct free_pool *pool, struct chunk *chunk)
{
    struct bins *bins = &pool->bins[chunk_segment(chunk)->family];
    const uint32_t bin = bin_index(chunk->units);
    chunk->pool = pool;
    chunk->previous = NULL;
    chunk->next = bins->first[bin];
    if (chunk->next != NULL)
        chunk->next->previous = chunk;
    bins->first[bin] = chunk;
    bins->occupied[bin / 64] |= UINT64_C(1) << bin % 64;
    pool->bytes += chunk_bytes(chunk);
    set_state(chunk, CHUNK_FREE);
}

void free_pool_remove(struct free_pool *pool, struct chunk *chunk)
{
    struct bins *bins = &pool->bins[chunk_segment(chunk)->family];
    const uint32_t bin = bin_index(chunk->units);
    if (chunk->next != NULL)
        chunk->next->previous = chunk->previous;
    if (chunk->previous != NULL)
        chunk->previous->next = chunk->next;
    else
        bins->first[bin] = chunk->next;
    if (bins->first[bin] == NULL)
        bins->occupied[bin / 64] &= ~(UINT64_C(1) << bin % 64);
    pool->bytes -= chunk_bytes(chunk);
}

static bool is_mergeable(const struct free_pool *pool, struct chunk *chunk)
{
    return chunk != NULL && atomic_load_explicit(&chunk->state, memory_order_relaxed) == CHUNK_FREE &&
           chunk->pool == pool;
}

void free_pool_insert(struct free_pool *pool, struct chunk *chunk)
{
    struct chunk *next = segment_next(chunk), *previous = segment_previous(chunk);
    if (is_mergeable(pool, next)) {
        free_pool_remove(pool, next);
        if (next->sequence > chunk->sequence)
            chunk->sequence = next->sequence;
        segment_join(chunk, next);
    }
    if (is_mergeable(pool, previous)) {
        free_pool_remove(pool, previous);
        if (chunk->sequence > previous->sequence)
            previous->sequence = chunk->sequence;
        segment_join(previous, chunk);
        chunk = previous;
    }
    bin_add(pool, chunk);
}

void free_pool_merge(struct free_pool *pool)
{
    for (uint32_t i = 0; i < FAMILY_COUNT * QUICK_LISTS; i++) {
        struct chunk **list = &pool->quick[i / QUICK_LISTS][i % QUICK_LISTS];
        for (struct chunk *chunk = *list, *next; chunk != NULL; chunk = next) {
            next = chunk->next;
            pool->bytes -= chunk_bytes(chunk);
            free_pool_insert(pool, chunk);
        }
        *list = NULL;
    }
}

/* Units in front of the first place in the chunk that fits; UINT32_MAX when none does. */
static uint32_t fit_offset(struct chunk *chunk, const struct chunk_request *request)
{
    const uint64_t address = chunk_address(chunk);
    const uint64_t aligned =
        PLANTED_OR(cut_block_of_any_alignment, (address + request->alignment - 1) & ~(request->alignment - 1), address);
    const uint64_t front = (aligned - address) >> chunk_segment(chunk)->unit_shift;
    if (chunk->sequence > request->latest || front + request->units > chunk->units)
        return UINT32_MAX;
    return (uint32_t)front;
}

/* The smallest of the first chunks of a bin that fits. */
static struct chunk *best_of_bin(struct chunk *chunk, const struct chunk_request *request)
{
    struct chunk *best = NULL;
    for (int i = 0; i < FIT_SEARCH && chunk != NULL; i++, chunk = chunk->next)
        if ((best == NULL || chunk->units < best->units) && fit_offset(chunk, request) != UINT32_MAX)
            best = chunk;
    return best;
}

static struct chunk *find_fit(struct free_pool *pool, const struct chunk_request *request)
{
    const struct bins *bins = &pool->bins[request->family];
    const uint32_t from = bin_index(request->units);
    for (uint32_t word = from / 64; word < sizeof bins->occupied / sizeof *bins->occupied; word++) {
        uint64_t bits = bins->occupied[word];
        if (word == from / 64)
            bits &= ~UINT64_C(0) << from % 64;
        for (; bits != 0; bits &= bits - 1) {
            struct chunk *found = best_of_bin(bins->first[word * 64 + (uint32_t)__builtin_ctzll(bits)], request);
            if (found != NULL)
                return found;
        }
    }
    return NULL;
}

struct chunk *free_pool_take_fit(struct free_pool *pool, const struct chunk_request *request)
{
    struct chunk *chunk = find_fit(pool, request);
    if (chunk == NULL)
        return NULL;
    const uint32_t front = fit_offset(chunk, request);
    free_pool_remove(pool, chunk);
    if (front != 0) {
        struct chunk *fitting = segment_split(chunk, front);
        bin_add(pool, chunk);
        chunk = fitting;
    }
    if (chunk->units > request->units)
        bin_add(pool, segment_split(chunk, request->units));
    return chunk;
}

/* Moves what was freed up to `latest` from one list to the front of another. */
static void drain_quick(struct free_pool *pool, struct chunk **list, uint64_t latest, struct chunk **drained)
{
    for (struct chunk **link = list; *link != NULL;) {
        struct chunk *chunk = *link;
        if (chunk->sequence > latest) {
            link = &chunk->next;
            continue;
        }
        *link = chunk->next;
        pool->bytes -= chunk_bytes(chunk);
        chunk->next = *drained;
        *drained = chunk;
    }
}

struct chunk *free_pool_drain(struct free_pool *pool, uint64_t latest)
{
    struct chunk *drained = NULL;
    for (uint32_t i = 0; i < FAMILY_COUNT * QUICK_LISTS; i++)
        drain_quick(pool, &pool->quick[i / QUICK_LISTS][i % QUICK_LISTS], latest, &drained);
    for (uint32_t i = 0; i < FAMILY_COUNT * BINS; i++) {
        for (struct chunk *chunk = pool->bins[i / BINS].first[i % BINS], *next; chunk != NULL; chunk = next) {
            next = chunk->next;
            if (chunk->sequence > latest)
                continue;
            free_pool_remove(pool, chunk);
            chunk->next = drained;
            drained = chunk;
        }
    }
    return drained;
}

uint64_t free_pool_largest(struct free_pool *pool)
{
    uint64_t largest = 0;
    for (uint32_t family = 0; family < FAMILY_COUNT; family++) {
        uint32_t bin = BINS;
        while (bin > 0 && pool->bins[family].first[bin - 1] == NULL)
            bin--;
        if (bin == 0)
            continue;
        for (struct chunk *chunk = pool->bins[family].first[bin - 1]; chunk != NULL; chunk = chunk->next)
            if (chunk_bytes(chunk) > largest)
                largest = chunk_bytes(chunk);
    }
    return largest;
}

uint64_t free_pool_lowest(struct free_pool *pool)
{
    uint64_t lowest = UINT64_MAX;
    for (uint32_t i = 0; i < FAMILY_COUNT * QUICK_LISTS; i++)
        for (struct chunk *chunk = pool->quick[i / QUICK_LISTS][i % QUICK_LISTS]; chunk != NULL; chunk = chunk->next)
            if (chunk->sequence > pool->completed && chunk->sequence < lowest)
                lowest = chunk->sequence;
    for (uint32_t i = 0; i < FAMILY_COUNT * BINS; i++)
        for (struct chunk *chunk = pool->bins[i / BINS].first[i % BINS]; chunk != NULL; chunk = chunk->next)
            if (chunk->sequence > pool->completed && chunk->sequence < lowest)
                lowest = chunk->sequence;
    return lowest;
}
