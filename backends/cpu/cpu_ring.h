/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of a queue: records one after another in linked blocks, written by one thread and read by one other. A
 * block that was read to its end is kept as a spare, so a queue in steady use allocates nothing, and one that grows
 * never blocks.
 */
#ifndef CPU_RING_H
#define CPU_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <halyard/command.h>

struct cpu_block {
    struct cpu_block *_Atomic next;
    _Atomic uint32_t filled; /* bytes that may be read */
    uint32_t size;
    _Alignas(8) unsigned char data[];
};

/* A record as it stands in a block. */
struct cpu_entry {
    uint64_t sequence;
    haly_command head; /* and the rest of the record */
};

struct cpu_ring {
    struct cpu_block *tail; /* written here */
    uint32_t written;       /* bytes of it, published or not */
    struct cpu_block *_Atomic spare;
    _Alignas(64) struct cpu_block *head; /* read here */
    uint32_t read;
};

bool cpu_ring_create(struct cpu_ring *ring);
void cpu_ring_destroy(struct cpu_ring *ring);

/* Room for a record of `bytes`, to be filled in and then published; NULL: out of memory. */
struct cpu_entry *cpu_ring_reserve(struct cpu_ring *ring, uint32_t bytes);
void cpu_ring_publish(struct cpu_ring *ring);
/* Gives the latest reservation back, before it is published. */
void cpu_ring_cancel(struct cpu_ring *ring, uint32_t bytes);

/* The oldest entry, or NULL; it stays until it is dropped. */
struct cpu_entry *cpu_ring_peek(struct cpu_ring *ring);
void cpu_ring_drop(struct cpu_ring *ring);

#endif
