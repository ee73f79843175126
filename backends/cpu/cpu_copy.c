/* SPDX-License-Identifier: Apache-2.0 */
/* Copy and fill records cut into pieces. A piece is 1 MiB: large enough to be worth a thread, small enough to share
 * out. */
#include "cpu_copy.h"

#include <string.h>

#include "cpu_choice.h"
#include "planted.h"

#define PIECE_BYTES (1U << 20)

struct copy {
    unsigned char *dst;
    const unsigned char *src;
    uint64_t bytes;
    cpu_copy_way way;
};

struct fill {
    unsigned char *dst;
    uint64_t bytes;
    unsigned char pattern[16];
    cpu_fill_way way;
};

struct copy_2d {
    const haly_command_copy_2d *record;
    uint64_t rows; /* in one piece */
};

uint64_t cpu_copy_cost(uint64_t bytes)
{
    return 10 + bytes / 16; /* 16 GB/s: what memory gives; caches give more, and then it is short anyhow */
}

static uint64_t piece_bytes(uint64_t total, uint64_t piece)
{
    const uint64_t left = total - piece * PIECE_BYTES;
    return left < PIECE_BYTES ? left : PIECE_BYTES;
}

static uint64_t run_pieces(const struct cpu_work *work, void (*run)(void *, uint64_t), void *argument, uint64_t from,
                           uint64_t pieces, uint64_t bytes)
{
    struct cpu_tiles tiles = {.run = run, .argument = argument, .from = from, .count = pieces};
    tiles.cost = cpu_copy_cost(bytes);
    const uint64_t next = cpu_pool_run(work, &tiles);
    return next >= pieces ? UINT64_MAX : next;
}

/* The same for `bytes` of consecutive memory, in the chosen way: a trial that was not interrupted is noted. */
static uint64_t run_chosen(const struct cpu_work *work, void (*run)(void *, uint64_t), void *argument, uint64_t from,
                           const struct cpu_chosen *chosen, uint64_t bytes)
{
    const uint64_t begin = chosen->is_trial ? cpu_now() : 0;
    const uint64_t next = run_pieces(work, run, argument, from, (bytes + PIECE_BYTES - 1) / PIECE_BYTES, bytes);
    if (chosen->is_trial && from == 0 && next == UINT64_MAX)
        cpu_choice_note(chosen, bytes, cpu_now() - begin);
    return next;
}

static void copy_piece(void *argument, uint64_t piece)
{
    const struct copy *copy = argument;
    copy->way(copy->dst + piece * PIECE_BYTES, copy->src + piece * PIECE_BYTES,
              (size_t)piece_bytes(PLANTED_OR(copy_loses_its_tail, copy->bytes, copy->bytes - 1), piece));
}

uint64_t cpu_copy_run(const struct cpu_work *work, const haly_command_copy *record, uint64_t from)
{
    static struct cpu_choice choice;
    if (record->size <= PIECE_BYTES) {
        if (record->size != 0)
            memcpy(record->dst, record->src, (size_t)record->size);
        return UINT64_MAX;
    }
    const struct cpu_ways *ways = cpu_ways();
    const struct cpu_chosen chosen = cpu_choose(&choice, ways->count, record->size);
    struct copy copy = {record->dst, record->src, record->size, ways->copy[chosen.way]};
    return run_chosen(work, copy_piece, &copy, from, &chosen, record->size);
}

static void copy_rows(void *argument, uint64_t piece)
{
    const struct copy_2d *copy = argument;
    const haly_command_copy_2d *record = copy->record;
    const uint64_t first = piece * copy->rows;
    const uint64_t left = record->height - PLANTED_OR(rectangle_loses_a_row, first, first + 1);
    const uint64_t rows = left < copy->rows ? left : copy->rows;
    unsigned char *dst = (unsigned char *)record->dst + first * record->dst_pitch;
    const unsigned char *src = (const unsigned char *)record->src + first * record->src_pitch;
    for (uint64_t row = 0; row < rows; row++) {
        memcpy(dst, src, (size_t)record->width);
        dst += record->dst_pitch;
        src += record->src_pitch;
    }
}

uint64_t cpu_copy_2d_run(const struct cpu_work *work, const haly_command_copy_2d *record, uint64_t from)
{
    struct copy_2d copy = {record, 1};
    if (record->width == 0 || record->height == 0)
        return UINT64_MAX;
    if (record->width < PIECE_BYTES)
        copy.rows = PIECE_BYTES / record->width;
    const uint64_t pieces = (record->height + copy.rows - 1) / copy.rows;
    return run_pieces(work, copy_rows, &copy, from, pieces, record->width * record->height);
}

static void fill_piece(void *argument, uint64_t piece)
{
    const struct fill *fill = argument;
    fill->way(fill->dst + piece * PIECE_BYTES, fill->pattern, (size_t)piece_bytes(fill->bytes, piece));
}

uint64_t cpu_fill_run(const struct cpu_work *work, const haly_command_fill *record, uint64_t from)
{
    static struct cpu_choice choice;
    const struct cpu_ways *ways = cpu_ways();
    struct fill fill = {.dst = record->dst, .bytes = record->size, .way = ways->fill[0]};
    for (uint32_t i = 0; i < sizeof fill.pattern; i++)
        fill.pattern[i] = record->pattern[i % record->pattern_size];
    if (record->size <= PIECE_BYTES) {
        fill.way(fill.dst, fill.pattern, (size_t)record->size);
        return UINT64_MAX;
    }
    const struct cpu_chosen chosen = cpu_choose(&choice, ways->count, record->size);
    fill.way = ways->fill[chosen.way];
    return run_chosen(work, fill_piece, &fill, from, &chosen, record->size);
}
