/* SPDX-License-Identifier: Apache-2.0 */
/* Growing, appending to and replacing parts of recorded commands. */
#include "recording.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 4096U
#define FIRST_NODES 32U

const char *command_kind_name(uint16_t kind)
{
    static const char *const names[] = {
        [HALY_COMMAND_COPY] = "copy",
        [HALY_COMMAND_COPY_2D] = "2-D copy",
        [HALY_COMMAND_FILL] = "fill",
        [HALY_COMMAND_LAUNCH] = "kernel launch",
        [HALY_COMMAND_OP] = "operator",
        [HALY_COMMAND_RECORD] = "event record",
        [HALY_COMMAND_WAIT] = "wait for an event",
        [HALY_COMMAND_HOST_CALL] = "host call",
    };
    return kind < sizeof names / sizeof names[0] && names[kind] != NULL ? names[kind] : "command of unknown kind";
}

static haly_status reserve_bytes(struct recording *recording, uint64_t bytes)
{
    const uint64_t needed = recording->bytes + bytes;
    if (needed <= recording->capacity)
        return HALY_OK;
    const uint64_t wanted = 2 * recording->capacity > needed ? 2 * recording->capacity : needed + FIRST_BYTES;
    char *grown = realloc(recording->records, wanted);
    if (grown == NULL)
        return fail_host_oom("a graph's commands", wanted);
    recording->records = grown;
    recording->capacity = wanted;
    return HALY_OK;
}

static haly_status reserve_node(struct recording *recording)
{
    if (recording->node_count < recording->node_capacity)
        return HALY_OK;
    const uint64_t wanted = recording->node_capacity != 0 ? 2 * recording->node_capacity : FIRST_NODES;
    struct recorded_node *grown = realloc(recording->nodes, wanted * sizeof *grown);
    if (grown == NULL)
        return fail_host_oom("a graph's nodes", wanted * sizeof *grown);
    recording->nodes = grown;
    recording->node_capacity = wanted;
    return HALY_OK;
}

haly_status recording_reserve(struct recording *recording, uint64_t bytes)
{
    TRY(reserve_bytes(recording, bytes));
    return reserve_node(recording);
}

void recording_append(struct recording *recording, const struct recorded_node *node, const void *records)
{
    struct recorded_node *added = &recording->nodes[recording->node_count++];
    *added = *node;
    added->offset = recording->bytes;
    if (node->bytes != 0)
        memcpy(recording->records + recording->bytes, records, node->bytes);
    recording->bytes += node->bytes;
    recording->command_count += node->command_count;
}

/* Puts the records of one edited node in the place of `node`; those behind move. There is room. */
static void replace_one(struct recording *recording, uint64_t node, const struct recorded_node *edit,
                        const char *records)
{
    struct recorded_node *old = &recording->nodes[node];
    if (old->bytes != edit->bytes) {
        const uint64_t behind = old->offset + old->bytes;
        memmove(recording->records + old->offset + edit->bytes, recording->records + behind, recording->bytes - behind);
        for (uint64_t i = node + 1; i < recording->node_count; i++)
            recording->nodes[i].offset += edit->bytes - old->bytes;
        recording->bytes += edit->bytes - old->bytes;
    }
    if (edit->bytes != 0)
        memcpy(recording->records + old->offset, records, edit->bytes);
    recording->command_count += edit->command_count;
    recording->command_count -= old->command_count;
    old->bytes = edit->bytes;
    old->command_count = edit->command_count;
}

haly_status recording_replace(struct recording *recording, uint64_t first_node, const struct recording *edits)
{
    TRY(reserve_bytes(recording, edits->bytes)); /* while they are replaced one by one it never grows by more */
    for (uint64_t i = 0; i < edits->node_count; i++)
        replace_one(recording, first_node + i, &edits->nodes[i], edits->records + edits->nodes[i].offset);
    return HALY_OK;
}

void recording_free(struct recording *recording)
{
    free(recording->records);
    free(recording->nodes);
    *recording = (struct recording){0};
}
