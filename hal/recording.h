/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recorded commands: records in public form, one behind the other, cut into nodes. A node is what one submitting call
 * made: usually one command, several for an operator that runs as kernels, none when the call had nothing to do.
 */
#ifndef HAL_RECORDING_H
#define HAL_RECORDING_H

#include "stream.h"

struct recorded_node {
    uint64_t offset, bytes; /* of its records */
    uint32_t command_count;
    uint16_t kind; /* haly_command_kind; OP for all operators */
    void *object;  /* its kernel, plan or event, which whoever owns the recording counts; else NULL */
};

struct recording {
    char *records;
    uint64_t bytes, capacity;
    uint64_t command_count;
    struct recorded_node *nodes;
    uint64_t node_count, node_capacity;
};

/* "copy", "kernel launch", … */
const char *command_kind_name(uint16_t kind);

/* Makes room for one node of so many bytes, so that the next append cannot fail. */
haly_status recording_reserve(struct recording *recording, uint64_t bytes);

/* Appends a node; `node->offset` is filled in. There is room. */
void recording_append(struct recording *recording, const struct recorded_node *node, const void *records);

/* Puts the nodes of `edits` in the place of those from `first_node` on. Either all or, out of memory, none. */
haly_status recording_replace(struct recording *recording, uint64_t first_node, const struct recording *edits);

/* Frees the storage, not the objects. */
void recording_free(struct recording *recording);

static inline const haly_command *recording_end(const struct recording *recording)
{
    return (const haly_command *)(const void *)(recording->records + recording->bytes);
}

#endif
