/* SPDX-License-Identifier: Apache-2.0 */
/* Staged copies. A copy is a rectangle, a plain one of one row; it is cut into pieces that fit a chunk. */
#include "staging.h"

#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "memory.h"
#include "retire.h"

#define CHUNK_BYTES (4U << 20)

struct rectangle {
    char *dst;
    const char *src;
    uint64_t dst_pitch, src_pitch, width, height;
    uint32_t dst_class, src_class; /* haly_memory_class, or MEMORY_ELSEWHERE */
};

/* The host cannot touch it: only the backend copies from and to it. */
static bool is_device(uint32_t memory_class)
{
    return memory_class == HALY_MEMORY_DEVICE || memory_class == HALY_MEMORY_FOREIGN;
}

static haly_status take_chunk(struct staging *staging, haly_context *context, int chunk)
{
    if (staging->chunks[chunk] != NULL)
        return HALY_OK;
    TRY_CONTEXT(context, context->backend->host_alloc(context->block, CHUNK_BYTES, &staging->chunks[chunk]));
    memory_note_pinned(context, CHUNK_BYTES);
    return HALY_OK;
}

static void give_chunk(struct staging *staging, haly_context *context, int chunk)
{
    if (staging->chunks[chunk] == NULL)
        return;
    context->backend->host_free(context->block, staging->chunks[chunk], CHUNK_BYTES);
    memory_note_pinned(context, -(int64_t)CHUNK_BYTES);
}

static haly_status staging_begin(struct staging *staging, haly_context *context)
{
    const haly_stream_desc desc = {HALY_STREAM_DESC_INIT, .name = "staging"};
    if (staging->block != NULL)
        return HALY_OK;
    for (int i = 0; i < 2; i++)
        TRY(take_chunk(staging, context, i));
    void *block = block_create(context->backend->stream_size);
    if (block == NULL)
        return fail_host_oom("the staging stream", context->backend->stream_size);
    struct timeline *timeline = timeline_create(context, block, 0);
    const uint64_t serial = error_serial();
    haly_status status = timeline == NULL ? fail_host_oom("the staging stream", sizeof *timeline)
                                          : context->backend->stream_create(context->block, block, &desc, timeline);
    if (status != HALY_OK) {
        if (timeline != NULL) {
            timeline_end(timeline);
            timeline_release(timeline);
        }
        block_destroy(block);
        return context_failed(context, serial, status);
    }
    staging->block = block;
    staging->timeline = timeline;
    return HALY_OK;
}

void staging_end(struct staging *staging, haly_context *context)
{
    if (staging->block != NULL) {
        timeline_end(staging->timeline);
        context->backend->stream_destroy(staging->block);
        timeline_release(staging->timeline);
        block_destroy(staging->block);
    }
    for (int i = 0; i < 2; i++)
        give_chunk(staging, context, i);
    *staging = (struct staging){0};
}

/* What is left of a copy whose stream cannot be waited for. */
struct stray {
    struct object object;
    struct staging staging;
};

static void stray_destroy(struct object *object)
{
    staging_end(&((struct stray *)object)->staging, object->context);
    free(object);
}

/* Lets go of stream and chunks: now when they are idle, else when they will be; in an abandoned context never. */
static void staging_leave(struct staging *staging, haly_context *context)
{
    const bool is_idle =
        staging->block == NULL || timeline_has_finished(staging->timeline, timeline_submitted(staging->timeline));
    if (is_idle && !context_is_abandoned(context)) {
        staging_end(staging, context);
        return;
    }
    struct stray *stray = calloc(1, sizeof *stray);
    if (stray != NULL) { /* else leaked: running work may use it */
        object_init(&stray->object, HALY_OBJECT_STREAM, context);
        stray->staging = *staging;
        retire(&stray->object, stray_destroy);
    }
    *staging = (struct staging){0};
}

/* A copy failed: nothing of it may be on its way when the command counts as finished, and its stream, which has failed
 * perhaps, must not fail the next copy. */
static void recover(struct staging *staging, haly_context *context)
{
    const haly_error failure = *error_detail();
    if (staging->timeline != NULL)
        timeline_wait(staging->timeline, timeline_submitted(staging->timeline), HALY_FOREVER);
    staging_leave(staging, context);
    *error_detail() = failure;
}

static haly_status wait_for_chunk(struct staging *staging, int chunk)
{
    TRY(timeline_wait(staging->timeline, staging->sequences[chunk], HALY_FOREVER));
    return timeline_status(staging->timeline, staging->sequences[chunk]);
}

/* Queues the device's half of a piece. */
static haly_status submit_piece(struct staging *staging, haly_context *context, int chunk,
                                const struct rectangle *piece)
{
    const haly_command_copy_2d copy = {
        {sizeof copy, HALY_COMMAND_COPY_2D, 0},
        piece->dst,
        piece->src,
        piece->dst_pitch,
        piece->src_pitch,
        piece->width,
        piece->height,
        piece->dst_class,
        piece->src_class,
    };
    struct timeline *timeline = staging->timeline;
    const uint64_t sequence = timeline_submitted(timeline) + 1;
    uint64_t accepted = 0;
    TRY_CONTEXT(context, context->backend->submit(staging->block, &copy, sizeof copy, sequence, &accepted));
    atomic_store_explicit(&timeline->issued, sequence, memory_order_release);
    atomic_store_explicit(&timeline->submitted, sequence, memory_order_release);
    staging->sequences[chunk] = sequence;
    return HALY_OK;
}

static void copy_rows(char *dst, uint64_t dst_pitch, const char *src, uint64_t src_pitch, uint64_t width,
                      uint64_t height)
{
    for (uint64_t row = 0; row < height; row++)
        memcpy(dst + row * dst_pitch, src + row * src_pitch, width);
}

static haly_status piece_to_device(struct staging *staging, haly_context *context, int chunk,
                                   const struct rectangle *piece)
{
    struct rectangle half = *piece;
    TRY(wait_for_chunk(staging, chunk));
    copy_rows(staging->chunks[chunk], piece->width, piece->src, piece->src_pitch, piece->width, piece->height);
    half.src = staging->chunks[chunk];
    half.src_pitch = piece->width;
    half.src_class = HALY_MEMORY_PINNED;
    return submit_piece(staging, context, chunk, &half);
}

static haly_status piece_from_device(struct staging *staging, haly_context *context, int chunk,
                                     const struct rectangle *piece)
{
    struct rectangle half = *piece;
    half.dst = staging->chunks[chunk];
    half.dst_pitch = piece->width;
    half.dst_class = HALY_MEMORY_PINNED;
    return submit_piece(staging, context, chunk, &half);
}

/* Takes a piece that came from the device out of its chunk. */
static haly_status unload(struct staging *staging, int chunk, const struct rectangle *piece)
{
    if (piece->height == 0)
        return HALY_OK;
    TRY(wait_for_chunk(staging, chunk));
    copy_rows(piece->dst, piece->dst_pitch, staging->chunks[chunk], piece->width, piece->width, piece->height);
    return HALY_OK;
}

/* The next piece of a rectangle: whole rows when several fit a chunk, else a part of one. */
static struct rectangle cut(const struct rectangle *whole, uint64_t row, uint64_t column)
{
    struct rectangle piece = *whole;
    piece.dst += row * whole->dst_pitch + column;
    piece.src += row * whole->src_pitch + column;
    if (whole->width < CHUNK_BYTES) {
        const uint64_t rows = CHUNK_BYTES / whole->width;
        piece.height = whole->height - row < rows ? whole->height - row : rows;
    } else {
        piece.height = 1;
        piece.width = whole->width - column < CHUNK_BYTES ? whole->width - column : CHUNK_BYTES;
    }
    return piece;
}

static haly_status copy_through_chunks(struct staging *staging, haly_context *context, const struct rectangle *whole)
{
    const bool to_device = is_device(whole->dst_class);
    struct rectangle pending[2] = {{0}, {0}};
    uint64_t row = 0, column = 0;
    int chunk = 0;
    for (; row < whole->height; chunk ^= 1) {
        const struct rectangle piece = cut(whole, row, column);
        if (to_device) {
            TRY(piece_to_device(staging, context, chunk, &piece));
        } else {
            TRY(unload(staging, chunk, &pending[chunk]));
            TRY(piece_from_device(staging, context, chunk, &piece));
            pending[chunk] = piece;
        }
        column += piece.width;
        if (column == whole->width) {
            row += piece.height;
            column = 0;
        }
    }
    for (int i = 0; i < 2; i++)
        TRY(to_device ? wait_for_chunk(staging, i) : unload(staging, chunk ^ i, &pending[chunk ^ i]));
    return HALY_OK;
}

/* The rectangle of a COPY or COPY_2D record, addresses in public form. */
static struct rectangle rectangle_of(const haly_command *record)
{
    if (record->kind == HALY_COMMAND_COPY) {
        const haly_command_copy *copy = (const haly_command_copy *)record;
        return (struct rectangle){copy->dst,  copy->src, copy->size,      copy->size,
                                  copy->size, 1,         copy->dst_class, copy->src_class};
    }
    const haly_command_copy_2d *copy = (const haly_command_copy_2d *)record;
    return (struct rectangle){copy->dst,   copy->src,    copy->dst_pitch, copy->src_pitch,
                              copy->width, copy->height, copy->dst_class, copy->src_class};
}

/* One rectangle between host memory and a device of `context`, or within host memory. */
static haly_status copy_rectangle(struct staging *staging, haly_context *context, struct rectangle whole)
{
    if (!is_device(whole.dst_class) && !is_device(whole.src_class)) {
        copy_rows(whole.dst, whole.dst_pitch, whole.src, whole.src_pitch, whole.width, whole.height);
        return HALY_OK;
    }
    whole.dst = memory_translate(context, whole.dst);
    whole.src = memory_translate(context, whole.src);
    haly_status status = staging_begin(staging, context);
    if (status == HALY_OK)
        status = copy_through_chunks(staging, context, &whole);
    if (status != HALY_OK)
        recover(staging, context);
    return status;
}

/* One side of a copy across contexts. */
struct side {
    haly_context *context;
    uint32_t memory_class;
    struct staging *staging, other; /* the service's own, or one for this copy */
};

static haly_status side_open(struct side *side, struct staging *staging, haly_context *context, const void *address,
                             const char *what)
{
    struct memory_view view;
    TRY(memory_resolve(context, address, 1, what, &view));
    side->memory_class = (uint32_t)view.memory_class;
    side->context = is_device(side->memory_class) ? view.context : context;
    side->other = (struct staging){0};
    side->staging = side->context == context ? staging : &side->other;
    return HALY_OK;
}

static void side_close(struct side *side)
{
    if (side->staging == &side->other)
        staging_leave(&side->other, side->context);
}

/* Piece by piece into `bounce` and out of it. */
static haly_status copy_between(struct side *dst, struct side *src, const struct rectangle *whole, char *bounce)
{
    for (uint64_t row = 0, column = 0; row < whole->height;) {
        const struct rectangle piece = cut(whole, row, column);
        struct rectangle in = piece, out = piece;
        in.dst = bounce;
        out.src = bounce;
        in.dst_pitch = out.src_pitch = piece.width;
        in.dst_class = out.src_class = HALY_MEMORY_UNKNOWN;
        in.src_class = src->memory_class;
        out.dst_class = dst->memory_class;
        TRY(copy_rectangle(src->staging, src->context, in));
        TRY(copy_rectangle(dst->staging, dst->context, out));
        column += piece.width;
        if (column == whole->width) {
            row += piece.height;
            column = 0;
        }
    }
    return HALY_OK;
}

static haly_status copy_across(struct staging *staging, haly_context *context, const struct rectangle *whole)
{
    struct side dst, src;
    TRY(side_open(&dst, staging, context, whole->dst, "dst"));
    TRY(side_open(&src, staging, context, whole->src, "src"));
    char *bounce = malloc(CHUNK_BYTES);
    if (bounce == NULL)
        return fail_host_oom("a copy between contexts", CHUNK_BYTES);
    const haly_status status = copy_between(&dst, &src, whole, bounce);
    side_close(&dst);
    side_close(&src);
    free(bounce);
    return status;
}

haly_status staging_copy(struct staging *staging, haly_context *context, const haly_command *record)
{
    const struct rectangle whole = rectangle_of(record);
    if (whole.dst_class == MEMORY_ELSEWHERE || whole.src_class == MEMORY_ELSEWHERE)
        return copy_across(staging, context, &whole);
    return copy_rectangle(staging, context, whole);
}
