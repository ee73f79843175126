/* SPDX-License-Identifier: Apache-2.0 */
/* Writing, finding and removing notes. */
#include "layers/note.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "plan_object.h"

static void write_operands(struct note *note, const struct operator_run *run)
{
    const haly_plan *plan = run->plan;
    note->op = plan->op;
    note->operand_count = plan->info.address_count;
    snprintf(note->path, sizeof note->path, "%s", plan->info.path);
    for (uint32_t i = 0; i < note->operand_count; i++) {
        const struct plan_tensor *tensor = &plan->tensors[i];
        struct region region = region_of_range(NULL, 0);
        if (tensor->bytes != 0)
            region = region_of_tensor(&plan->descriptions[i], run->addresses[i]);
        note->operands[i] =
            (struct note_operand){.region = region, .is_written = tensor->is_written, .slot = plan->slots[i]};
    }
}

uint32_t note_write(struct note *note, const struct operator_run *run, uint64_t memory_moment)
{
    *note = (struct note){.memory_moment = memory_moment};
    if (run != NULL)
        write_operands(note, run);
    const size_t bytes = offsetof(struct note, operands) + note->operand_count * sizeof *note->operands;
    note->head = (haly_command){(uint32_t)bytes, COMMAND_NOTE, 0};
    return note->head.size;
}

const struct note *note_behind(const haly_command *record, const void *end)
{
    while ((const void *)record != end && !is_note(record))
        record = command_next(record);
    return (const void *)record != end ? (const struct note *)(const void *)record : NULL;
}

uint64_t notes_remove(char *records, uint64_t bytes)
{
    uint64_t kept = 0;
    for (uint64_t at = 0, size; at < bytes; at += size) {
        const haly_command *record = (const void *)(records + at);
        size = record->size;
        if (is_note(record))
            continue;
        if (kept != at)
            memmove(records + kept, record, size);
        kept += size;
    }
    return kept;
}
