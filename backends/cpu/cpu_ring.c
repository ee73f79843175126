/* SPDX-License-Identifier: Apache-2.0 */
/* Linked blocks with one writer and one reader. A block's `next` is set after its last byte was published. */
#include "cpu_ring.h"

#include <stddef.h>
#include <stdlib.h>

#include "planted.h"

#define BLOCK_BYTES 16384U

#define ENTRY_BYTES(record_bytes) ((uint32_t)offsetof(struct cpu_entry, head) + (record_bytes))

static struct cpu_block *block_create(uint32_t bytes)
{
    const uint32_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    struct cpu_block *block = malloc(sizeof *block + size);
    if (block != NULL) {
        atomic_init(&block->next, NULL);
        atomic_init(&block->filled, 0);
        block->size = size;
    }
    return block;
}

bool cpu_ring_create(struct cpu_ring *ring)
{
    ring->head = ring->tail = block_create(0);
    return ring->head != NULL;
}

void cpu_ring_destroy(struct cpu_ring *ring)
{
    while (ring->head != NULL) {
        struct cpu_block *block = ring->head;
        ring->head = atomic_load(&block->next);
        free(block);
    }
    free(atomic_load(&ring->spare));
}

/* The spare if it is large enough, else a new one. */
static struct cpu_block *block_take(struct cpu_ring *ring, uint32_t bytes)
{
    struct cpu_block *block = atomic_exchange_explicit(&ring->spare, NULL, memory_order_acquire);
    if (block == NULL || block->size < bytes) {
        free(block);
        return block_create(bytes);
    }
    atomic_store_explicit(&block->next, NULL, memory_order_relaxed);
    atomic_store_explicit(&block->filled, 0, memory_order_relaxed);
    return block;
}

struct cpu_entry *cpu_ring_reserve(struct cpu_ring *ring, uint32_t bytes)
{
    const uint32_t need = ENTRY_BYTES(bytes);
    if (ring->tail->size - ring->written < need) {
        struct cpu_block *block = block_take(ring, need);
        if (block == NULL)
            return NULL;
        PLANTED_OR(ring_leaves_a_block_early, cpu_ring_publish(ring), (void)0);
        atomic_store_explicit(&ring->tail->next, block, memory_order_release);
        ring->tail = block;
        ring->written = 0;
    }
    struct cpu_entry *entry = (struct cpu_entry *)(void *)(ring->tail->data + ring->written);
    ring->written += need;
    return entry;
}

void cpu_ring_cancel(struct cpu_ring *ring, uint32_t bytes)
{
    ring->written -= ENTRY_BYTES(bytes);
}

void cpu_ring_publish(struct cpu_ring *ring)
{
    atomic_store_explicit(&ring->tail->filled, ring->written, memory_order_release);
}

static void block_leave(struct cpu_ring *ring, struct cpu_block *next)
{
    struct cpu_block *old = ring->head;
    ring->head = next;
    ring->read = 0;
    free(atomic_exchange_explicit(&ring->spare, old, memory_order_acq_rel));
}

struct cpu_entry *cpu_ring_peek(struct cpu_ring *ring)
{
    for (;;) {
        struct cpu_block *next = atomic_load_explicit(&ring->head->next, memory_order_acquire);
        if (ring->read < atomic_load_explicit(&ring->head->filled, memory_order_acquire))
            return (struct cpu_entry *)(void *)(ring->head->data + ring->read);
        if (next == NULL)
            return NULL;
        block_leave(ring, next);
    }
}

void cpu_ring_drop(struct cpu_ring *ring)
{
    const struct cpu_entry *entry = (const struct cpu_entry *)(void *)(ring->head->data + ring->read);
    ring->read += ENTRY_BYTES(entry->head.size);
}
