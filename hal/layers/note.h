/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notes: records that only layers read. One stands behind the records that an operator was turned into, and says which
 * operator that was and what it touches; in a capture one stands behind the records of every call, and says when they
 * were recorded. They are taken out before anything reaches the backend, and do not count as commands.
 */
#ifndef HAL_LAYERS_NOTE_H
#define HAL_LAYERS_NOTE_H

#include "layers/region.h"
#include "operator.h"
#include "stream.h"

/* Beyond all kinds of haly_command_kind. */
#define COMMAND_NOTE 0x8000U

struct note_operand {
    struct region region; /* empty: absent, or without elements */
    bool is_written;
    uint8_t slot; /* of the operator's tensors */
};

struct note {
    haly_command head;
    const struct op *op;    /* NULL: no operator */
    uint64_t memory_moment; /* of layers_memory_moment(), when it was captured; 0: it was not */
    uint32_t operand_count;
    char path[96]; /* of haly_plan_info */
    struct note_operand operands[OP_TENSORS];
};

/* Writes the note of a call; `run` is NULL when that is no operator's. Returns its bytes, at most sizeof(struct note).
 */
uint32_t note_write(struct note *note, const struct operator_run *run, uint64_t memory_moment);

static inline bool is_note(const haly_command *record)
{
    return record->kind == COMMAND_NOTE;
}

/* The note that speaks of a record: the next one at or behind it, as far as `end`; NULL when there is none. */
const struct note *note_behind(const haly_command *record, const void *end);

/* Takes the notes out, in place; returns the bytes that are left. */
uint64_t notes_remove(char *records, uint64_t bytes);

#endif
