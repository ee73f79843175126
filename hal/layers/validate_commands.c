/* SPDX-License-Identifier: Apache-2.0 */
/* What commands touch: each record becomes uses of memory, in the order of its stream. */
#include <string.h>

#include "hash.h"
#include "layers/note.h"
#include "layers/validate.h"
#include "memory.h"
#include "operator_call.h"
#include "text.h"

/* A batch on its way through the layer. */
struct pass {
    struct tracked_stream *stream;
    const struct note *note; /* that speaks of the present record, or NULL */
    bool fails;
    struct findings *findings;
    struct touch touch; /* of the present record, but for region and direction */
};

/* Replayed commands were checked when they were captured; memory may have gone since. */
static void check_replay(struct pass *pass, const void *address)
{
    char how[480], here[PLACE_TEXT];
    if (pass->note == NULL || pass->note->memory_moment == 0 ||
        !memory_was_freed(address, pass->note->memory_moment, how, sizeof how))
        return;
    const uint64_t key[] = {(uint64_t)(uintptr_t)address, hash_text(pass->touch.what), pass->touch.place.key,
                            pass->note->memory_moment};
    findings_add(pass->findings, HALY_LOG_ERROR, hash_words(key, sizeof key / sizeof *key),
                 "graph: %s at %p, replayed at %s: the memory %s", pass->touch.what, address,
                 place_text(&pass->touch.place, here), how);
}

static void touch(struct pass *pass, const struct region *region, bool is_write)
{
    if (region->rows == 0)
        return;
    check_replay(pass, (const void *)(uintptr_t)region->start);
    pass->touch.region = *region;
    pass->touch.is_write = is_write;
    memory_touch(pass->stream, &pass->touch, pass->fails, pass->findings);
}

static void touch_range(struct pass *pass, const void *address, uint64_t bytes, bool is_write)
{
    const struct region region = region_of_range(address, bytes);
    touch(pass, &region, is_write);
}

static void touch_copy(struct pass *pass, const haly_command_copy *copy)
{
    touch_range(pass, copy->src, copy->size, false);
    touch_range(pass, copy->dst, copy->size, true);
}

static void touch_copy_2d(struct pass *pass, const haly_command_copy_2d *copy)
{
    const struct region src = region_of_rectangle(copy->src, copy->src_pitch, copy->width, copy->height);
    const struct region dst = region_of_rectangle(copy->dst, copy->dst_pitch, copy->width, copy->height);
    touch(pass, &src, false);
    touch(pass, &dst, true);
}

/* A kernel's table says which arguments are addresses, not how far behind them it goes. */
static void touch_launch(struct pass *pass, const haly_command_launch *launch)
{
    const haly_kernel *kernel = launch->kernel;
    for (uint32_t i = 0; i < kernel->info.argument_count; i++) {
        const haly_argument_info *argument = &kernel->arguments[i];
        const void *address;
        if (argument->is_address == 0)
            continue;
        memcpy(&address, (const char *)(launch + 1) + argument->offset, sizeof address);
        struct region region = region_of_range(address, memory_bytes_behind(address));
        region.is_exact = false;
        text_set(pass->touch.what, sizeof pass->touch.what, "%.40s: argument %u", kernel->name, i);
        if (region.rows != 0)
            touch(pass, &region, argument->is_const == 0);
        else if (address != NULL)
            check_replay(pass, address);
    }
}

static void touch_operands(struct pass *pass, const struct note *note)
{
    char name[OP_TENSOR_TEXT];
    for (uint32_t i = 0; i < note->operand_count; i++) {
        const struct note_operand *operand = &note->operands[i];
        op_tensor_text(note->op, operand->slot, name);
        text_set(pass->touch.what, sizeof pass->touch.what, "%.24s: %s", note->op->name, name);
        touch(pass, &operand->region, operand->is_written);
    }
}

static void visit(struct pass *pass, const haly_command *record)
{
    static const char *const names[] = {
        [HALY_COMMAND_COPY] = "copy", [HALY_COMMAND_COPY_2D] = "2-D copy", [HALY_COMMAND_FILL] = "fill"};
    pass->touch.moment = stream_advance(pass->stream, true);
    if (record->kind <= HALY_COMMAND_FILL)
        text_set(pass->touch.what, sizeof pass->touch.what, "%s", names[record->kind]);
    if (record->kind == HALY_COMMAND_COPY) {
        touch_copy(pass, (const haly_command_copy *)record);
    } else if (record->kind == HALY_COMMAND_COPY_2D) {
        touch_copy_2d(pass, (const haly_command_copy_2d *)record);
    } else if (record->kind == HALY_COMMAND_FILL) {
        const haly_command_fill *fill = (const haly_command_fill *)record;
        touch_range(pass, fill->dst, fill->size, true);
    } else if (record->kind == HALY_COMMAND_LAUNCH) {
        if (pass->note == NULL || pass->note->op == NULL) /* else the operator's operands say it better */
            touch_launch(pass, (const haly_command_launch *)record);
    } else if (record->kind == HALY_COMMAND_RECORD) {
        order_record(pass->stream, ((const haly_command_record *)record)->event);
    } else if (record->kind == HALY_COMMAND_HOST_CALL) {
        struct layer_host_call *call = ((const haly_command_host_call *)record)->user;
        call->moment = pass->touch.moment.moment;
    }
}

static void walk(struct pass *pass, const struct layer_batch *batch)
{
    const haly_command *record = (const void *)batch->records;
    const void *end = batch->records + batch->bytes;
    pass->note = note_behind(record, end);
    for (; (const void *)record != end; record = command_next(record)) {
        if (!is_note(record)) {
            visit(pass, record);
            continue;
        }
        touch_operands(pass, pass->note);
        pass->note = note_behind(command_next(record), end);
    }
}

/* The public function that a batch comes from, for error details. */
static const char *function_of(const struct layer_batch *batch)
{
    static const char *const names[] = {
        [HALY_COMMAND_COPY] = "haly_copy",        [HALY_COMMAND_COPY_2D] = "haly_copy_2d",
        [HALY_COMMAND_FILL] = "haly_fill",        [HALY_COMMAND_LAUNCH] = "haly_launch",
        [HALY_COMMAND_OP] = "haly_plan_run",      [HALY_COMMAND_RECORD] = "haly_event_record",
        [HALY_COMMAND_WAIT] = "haly_stream_wait", [HALY_COMMAND_HOST_CALL] = "haly_host_call"};
    const haly_command *first = (const void *)batch->records;
    const struct note *note = note_behind(first, batch->records + batch->bytes);
    if (note != NULL)
        return note->memory_moment != 0 ? "haly_graph_launch" : "haly_plan_run";
    return first->kind < sizeof names / sizeof *names && names[first->kind] != NULL ? names[first->kind] : __func__;
}

#define GAPS_KEY 1U /* told once, as findings are; theirs are hashes */

/* Looks at a batch; whether this thread is the stream's only submitter now. */
static bool examine(const struct validate *validate, struct tracked_stream *stream, const struct layer_batch *batch,
                    struct findings *findings)
{
    char label[TIMELINE_LABEL_BYTES], moment[MOMENT_TEXT], here[PLACE_TEXT];
    struct pass pass = {.stream = stream, .fails = validate->fails, .findings = findings};
    timeline_label_at(batch->stream->timeline, UINT64_MAX, label);
    text_set(pass.touch.label, sizeof pass.touch.label, "%.31s", label);
    pass.touch.place = place_here();
    const bool is_alone = stream_enter(stream);
    if (!is_alone)
        findings_add(findings, HALY_LOG_ERROR, 0,
                     "thread: two threads submit to one stream at the same time (%s); the second is at %s",
                     moment_text(stream_now(stream), moment), place_text(&pass.touch.place, here));
    walk(&pass, batch);
    if (order_has_gaps())
        findings_add(findings, HALY_LOG_WARN, GAPS_KEY,
                     "memory ran out: races and frees in front of their users are no longer found");
    return is_alone;
}

haly_status validate_submit(void *state, struct layer_batch *batch, const struct layer_chain *chain)
{
    const struct validate *validate = state;
    const uint64_t queued = layer_submitted(batch->stream);
    struct findings findings = {0};
    validate_lock();
    struct tracked_stream *stream = stream_track(batch->stream);
    const struct moment before = stream != NULL ? stream_now(stream) : (struct moment){0};
    const bool is_alone = stream != NULL && examine(validate, stream, batch, &findings);
    validate_unlock();
    haly_status status = findings_tell(&findings, function_of(batch), validate->fails);
    if (status == HALY_OK)
        status = layer_pass(chain, batch);
    validate_lock();
    if (stream != NULL && status != HALY_OK && layer_submitted(batch->stream) == queued) {
        stream_rewind(stream, before);
        memory_rewind(before);
    }
    if (is_alone)
        stream_leave(stream);
    validate_unlock();
    return status;
}
