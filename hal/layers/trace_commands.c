/* SPDX-License-Identifier: Apache-2.0 */
/* Commands in words: name and arguments, as the program gave them. */
#include <string.h>

#include "layers/trace.h"
#include "operator_call.h"

/* Bytes of a kernel's argument that are shown; longer ones are cut. */
#define ARGUMENT_BYTES 16U

typedef unsigned long long ull; /* for formats */

static void describe_copy(struct trace_text *text, const haly_command_copy *copy)
{
    trace_text_format(text, ",\"to\":\"%p\",\"from\":\"%p\",\"bytes\":%llu", copy->dst, copy->src, (ull)copy->size);
}

static void describe_copy_2d(struct trace_text *text, const haly_command_copy_2d *copy)
{
    trace_text_format(text,
                      ",\"to\":\"%p\",\"from\":\"%p\",\"bytes\":%llu,\"width\":%llu,\"height\":%llu,\"to_pitch\":%llu,"
                      "\"from_pitch\":%llu",
                      copy->dst, copy->src, (ull)copy->width * copy->height, (ull)copy->width, (ull)copy->height,
                      (ull)copy->dst_pitch, (ull)copy->src_pitch);
}

static void add_bytes(struct trace_text *text, const uint8_t *bytes, uint32_t size)
{
    for (uint32_t i = 0; i < size && i < ARGUMENT_BYTES; i++)
        trace_text_format(text, "%02x", bytes[i]);
}

static void describe_fill(struct trace_text *text, const haly_command_fill *fill)
{
    trace_text_format(text, ",\"to\":\"%p\",\"bytes\":%llu,\"pattern\":\"", fill->dst, (ull)fill->size);
    add_bytes(text, fill->pattern, fill->pattern_size);
    trace_text_format(text, "\"");
}

/* Addresses as such, everything else byte by byte as it lies in memory. */
static void describe_arguments(struct trace_text *text, const haly_command_launch *launch)
{
    const haly_kernel *kernel = launch->kernel;
    const uint8_t *block = (const uint8_t *)(launch + 1);
    trace_text_format(text, ",\"arguments\":[");
    for (uint32_t i = 0; i < kernel->info.argument_count; i++) {
        const haly_argument_info *argument = &kernel->arguments[i];
        const void *address;
        trace_text_format(text, i != 0 ? ",\"" : "\"");
        if (argument->is_address != 0) {
            memcpy(&address, block + argument->offset, sizeof address);
            trace_text_format(text, "%p", address);
        } else {
            add_bytes(text, block + argument->offset, argument->size);
        }
        trace_text_format(text, "\"");
    }
    trace_text_format(text, "]");
}

static void describe_launch(struct trace_text *text, const haly_command_launch *launch)
{
    const haly_kernel *kernel = launch->kernel;
    trace_text_format(text, ",\"kernel\":");
    trace_text_quote(text, kernel->name);
    trace_text_format(text, ",\"grid\":[%llu,%llu,%llu],\"group\":[%u,%u,%u],\"dynamic_local_bytes\":%u",
                      (ull)launch->grid[0], (ull)launch->grid[1], (ull)launch->grid[2], launch->group[0],
                      launch->group[1], launch->group[2], launch->dynamic_local_bytes);
    describe_arguments(text, launch);
}

static void describe_operator(struct trace_text *text, const struct note *note)
{
    char name[OP_TENSOR_TEXT];
    trace_text_format(text, ",\"path\":");
    trace_text_quote(text, note->path);
    for (uint32_t i = 0; i < note->operand_count; i++) {
        const struct region *region = &note->operands[i].region;
        if (region->rows == 0)
            continue;
        op_tensor_text(note->op, note->operands[i].slot, name);
        trace_text_format(text, ",");
        trace_text_quote(text, name);
        trace_text_format(text, ":\"0x%llx, %llu bytes\"", (ull)region->start, (ull)region->width * region->rows);
    }
}

/* An operator's name says more than that of the kernel it became. */
static const char *name_of(const haly_command *record, const struct note *note)
{
    static const char *const names[] = {[HALY_COMMAND_COPY] = "copy",           [HALY_COMMAND_COPY_2D] = "copy 2-D",
                                        [HALY_COMMAND_FILL] = "fill",           [HALY_COMMAND_LAUNCH] = "launch",
                                        [HALY_COMMAND_OP] = "operator",         [HALY_COMMAND_RECORD] = "record event",
                                        [HALY_COMMAND_WAIT] = "wait for event", [HALY_COMMAND_HOST_CALL] = "host call"};
    if (note != NULL && note->op != NULL)
        return note->op->name;
    if (record->kind == HALY_COMMAND_LAUNCH)
        return ((const haly_kernel *)((const haly_command_launch *)record)->kernel)->name;
    return record->kind < sizeof names / sizeof *names && names[record->kind] != NULL ? names[record->kind] : "command";
}

void trace_describe(struct trace_text *text, const haly_command *record, const struct note *note, uint64_t number,
                    const char *label)
{
    trace_text_format(text, "\"name\":");
    trace_text_quote(text, name_of(record, note));
    trace_text_format(text, ",\"args\":{\"command\":%llu", (ull)number);
    if (label[0] != '\0') {
        trace_text_format(text, ",\"label\":");
        trace_text_quote(text, label);
    }
    if (record->kind == HALY_COMMAND_COPY)
        describe_copy(text, (const haly_command_copy *)record);
    else if (record->kind == HALY_COMMAND_COPY_2D)
        describe_copy_2d(text, (const haly_command_copy_2d *)record);
    else if (record->kind == HALY_COMMAND_FILL)
        describe_fill(text, (const haly_command_fill *)record);
    else if (record->kind == HALY_COMMAND_LAUNCH)
        describe_launch(text, (const haly_command_launch *)record);
    if (note != NULL && note->op != NULL)
        describe_operator(text, note);
    if (note != NULL && note->memory_moment != 0)
        trace_text_format(text, ",\"from_graph\":true");
    trace_text_format(text, "}");
}
