/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file command.h
 * Commands as data: the records that go from the core to a backend.
 *
 * A record starts with its own size, so a walker steps over kinds it does not know:
 *     for (const char *at = records; at < end; at += ((const haly_command *)at)->size) …
 * Sizes are multiples of 8 and records are 8-byte aligned. Records are self-contained except for memory named by copies
 * and host calls. Objects are the backend's private blocks; addresses are the backend's own (translated already).
 */
#ifndef HALYARD_COMMAND_H
#define HALYARD_COMMAND_H

#include <halyard/stream.h>

HALY_BEGIN_DECLS

typedef enum haly_command_kind {
    HALY_COMMAND_COPY = 1,
    HALY_COMMAND_COPY_2D = 2,
    HALY_COMMAND_FILL = 3,
    HALY_COMMAND_LAUNCH = 4,
    HALY_COMMAND_OP = 5,
    HALY_COMMAND_RECORD = 6,
    HALY_COMMAND_WAIT = 7,
    HALY_COMMAND_HOST_CALL = 8,
    HALY_COMMAND_COLLECTIVE = 9, /* reserved */
    HALY_COMMAND_KIND_MAX_ENUM = 0x7fffffff
} haly_command_kind;

enum {
    /** The very same record was accepted by this stream's context before, as part of a graph: a backend may leave out
     *  its checks. */
    HALY_COMMAND_AGAIN = 1 << 0,
    HALY_COMMAND_FLAGS_MAX_ENUM = 0x7fffffff
};

/** The head of every record. */
typedef struct haly_command {
    uint32_t size;  /**< of the whole record, a multiple of 8 */
    uint16_t kind;  /**< haly_command_kind */
    uint16_t flags; /**< HALY_COMMAND_… bits; a backend ignores those it does not know */
} haly_command;

typedef struct haly_command_copy {
    haly_command head;
    void *dst;
    const void *src;
    uint64_t size;
    uint32_t dst_class; /**< haly_memory_class; HALY_MEMORY_UNKNOWN is pageable host memory */
    uint32_t src_class;
} haly_command_copy;

typedef struct haly_command_copy_2d {
    haly_command head;
    void *dst;
    const void *src;
    uint64_t dst_pitch, src_pitch, width, height;
    uint32_t dst_class, src_class;
} haly_command_copy_2d;

typedef struct haly_command_fill {
    haly_command head;
    void *dst;
    uint64_t size;
    uint32_t pattern_size; /**< 1, 2, 4, 8 or 16 */
    uint32_t reserved;
    uint8_t pattern[16];
} haly_command_fill;

/** Followed by argument_bytes of packed arguments, padded to 8, then by the structs of the extension chain, each
 *  padded to 8. */
typedef struct haly_command_launch {
    haly_command head;
    void *kernel; /**< private block */
    uint64_t grid[3];
    uint32_t group[3];
    uint32_t dynamic_local_bytes;
    uint32_t argument_bytes;
    uint32_t ext_bytes;  /**< of the extension chain behind the arguments */
    const haly_ext *ext; /**< first of the chain, inside this record; valid where the record stands */
} haly_command_launch;

/** Followed by address_count addresses (void *), then value_count host values (int64_t). */
typedef struct haly_command_op {
    haly_command head;
    void *plan; /**< private block */
    void *workspace;
    uint64_t workspace_bytes;
    uint32_t address_count;
    uint32_t value_count;
} haly_command_op;

/** Records the private event. */
typedef struct haly_command_record {
    haly_command head;
    void *event;
} haly_command_record;

/** Waits for what the private event stands for at submit: recording it again later changes nothing. */
typedef struct haly_command_wait {
    haly_command head;
    void *event;
} haly_command_wait;

typedef struct haly_command_host_call {
    haly_command head;
    haly_host_fn fn;
    void *user;
} haly_command_host_call;

HALY_END_DECLS

#endif
