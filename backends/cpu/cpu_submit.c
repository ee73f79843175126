/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking records. All of them are checked before anything is queued. A short batch on an idle stream runs at once on
 * the caller's thread, from the caller's records: that is cheaper than any hand-over, and nobody can tell. What may
 * take long, or must wait, is queued.
 */
#include "cpu_stream.h"

#include <string.h>

#include "cpu_event.h"
#include "cpu_execute.h"
#include "cpu_float.h"
#include "cpu_kernel.h"
#include "cpu_plan.h"
#include "planted.h"

/* What may run inside submit, in nanoseconds. Waking a parked worker costs some 5000 here and 25000 until it runs,
 * handing over to one that is awake 100; with one computing thread nobody else would be quicker. */
#define INLINE_AWAKE 2000U
#define INLINE_PARKED 20000U
#define INLINE_ALONE 1000000U

#define NEXT(record) ((const haly_command *)(const void *)((const char *)(record) + (record)->size))

static uint32_t least_bytes(uint16_t kind)
{
    switch (kind) {
    case HALY_COMMAND_COPY:
        return sizeof(haly_command_copy);
    case HALY_COMMAND_COPY_2D:
        return sizeof(haly_command_copy_2d);
    case HALY_COMMAND_FILL:
        return sizeof(haly_command_fill);
    case HALY_COMMAND_LAUNCH:
        return sizeof(haly_command_launch);
    case HALY_COMMAND_OP:
        return sizeof(haly_command_op);
    case HALY_COMMAND_RECORD:
        return sizeof(haly_command_record);
    case HALY_COMMAND_WAIT:
        return sizeof(haly_command_wait);
    case HALY_COMMAND_HOST_CALL:
        return sizeof(haly_command_host_call);
    default:
        return 0;
    }
}

static haly_status check_fill(const haly_command_fill *fill)
{
    const uint32_t size = fill->pattern_size;
    if (size == 0 || size > 16 || (size & (size - 1)) != 0)
        return FAIL(HALY_ERR_INVALID, "a fill pattern of %u bytes; expected 1, 2, 4, 8 or 16", size);
    return HALY_OK;
}

/* Strict mode has none of the capabilities that these records ask for. */
static haly_status check_strict(const haly_command *record)
{
    uint32_t dst_class = HALY_MEMORY_DEVICE, src_class = HALY_MEMORY_DEVICE;
    if (record->kind == HALY_COMMAND_HOST_CALL)
        return FAIL(HALY_ERR_UNSUPPORTED, "strict mode runs no host calls in its queues");
    if (record->kind == HALY_COMMAND_COPY) {
        dst_class = ((const haly_command_copy *)record)->dst_class;
        src_class = ((const haly_command_copy *)record)->src_class;
    } else if (record->kind == HALY_COMMAND_COPY_2D) {
        dst_class = ((const haly_command_copy_2d *)record)->dst_class;
        src_class = ((const haly_command_copy_2d *)record)->src_class;
    }
    if (dst_class == HALY_MEMORY_UNKNOWN || src_class == HALY_MEMORY_UNKNOWN)
        return FAIL(HALY_ERR_UNSUPPORTED, "strict mode copies no pageable host memory");
    return HALY_OK;
}

static haly_status check_record(const struct cpu_queue *queue, const haly_command *record, uint64_t left)
{
    if (left < sizeof *record || record->size > left || record->size % 8 != 0 || record->size < sizeof *record)
        return FAIL(HALY_ERR_INVALID, "a record of %u bytes with %llu left", left < sizeof *record ? 0 : record->size,
                    (unsigned long long)left);
    const uint32_t least = least_bytes(record->kind);
    if (least == 0)
        return FAIL(HALY_ERR_UNSUPPORTED, "command kind %u is not known to the cpu backend", record->kind);
    if (record->size < least)
        return FAIL(HALY_ERR_INVALID, "a record of kind %u has %u bytes; expected at least %u", record->kind,
                    record->size, least);
    if (queue->is_strict)
        TRY(check_strict(record));
    switch (record->kind) {
    case HALY_COMMAND_FILL:
        return check_fill((const haly_command_fill *)record);
    case HALY_COMMAND_LAUNCH:
        return cpu_launch_check((const haly_command_launch *)record);
    case HALY_COMMAND_OP:
        return cpu_op_check((const haly_command_op *)record);
    default:
        return HALY_OK;
    }
}

/* ---- at once ---- */

static uint64_t inline_limit(const struct cpu_queue *queue)
{
    if (queue->threads == 1)
        return INLINE_ALONE;
    return cpu_pool_is_awake() ? INLINE_AWAKE : INLINE_PARKED;
}

/* Whether the wait is over already. */
static bool is_past(const haly_command_wait *record)
{
    return PLANTED_OR(wait_is_lost_on_an_idle_stream, cpu_event_query(record->event) == HALY_OK, true);
}

/* Checks the records and adds up what they are likely to take; UINT64_MAX when one must not run inside submit. */
static haly_status examine(const struct cpu_queue *queue, const haly_command *record, uint64_t bytes,
                           uint64_t *out_cost)
{
    const char *end = (const char *)record + bytes;
    uint64_t total = 0;
    for (; (const char *)record < end; record = NEXT(record)) {
        if ((record->flags & HALY_COMMAND_AGAIN) == 0)
            TRY(check_record(queue, record, (uint64_t)(end - (const char *)record)));
        uint64_t cost = cpu_record_cost(record);
        if (record->kind == HALY_COMMAND_WAIT && !is_past((const haly_command_wait *)record))
            cost = UINT64_MAX;
        total = cost > UINT64_MAX - total ? UINT64_MAX : total + cost;
    }
    *out_cost = total;
    return HALY_OK;
}

/* Records that can fail the stream, or bring in the failure of another one; copies, fills and launches cannot. */
static bool may_fail(const haly_command *record)
{
    return record->kind == HALY_COMMAND_OP || record->kind == HALY_COMMAND_WAIT;
}

/* A wait that is past brings in nothing but the failures of the stream it waited for, and those the core knows. */
static haly_status run_now(struct cpu_queue *queue, const haly_command *record, const char *end, uint64_t sequence)
{
    const struct cpu_work work = {queue, queue->threads, CPU_NEVER};
    bool is_healthy = cpu_core->stream_status(queue->token, sequence) == HALY_OK;
    for (; (const char *)record < end; record = NEXT(record), sequence++) {
        if (record->kind == HALY_COMMAND_RECORD) {
            struct cpu_clock_mark *mark;
            TRY(cpu_event_record(((const haly_command_record *)record)->event, queue, sequence, &mark));
            if (mark != NULL) {
                cpu_mark_stamp(mark);
                cpu_mark_release(mark);
            }
        } else if (is_healthy) {
            cpu_record_run(&work, record, 0, sequence);
            if (may_fail(record))
                is_healthy = cpu_core->stream_status(queue->token, sequence + 1) == HALY_OK;
        }
        atomic_store_explicit(&queue->submitted, sequence, memory_order_relaxed);
        atomic_store_explicit(&queue->completed, sequence, memory_order_release);
    }
    return HALY_OK;
}

/* ---- later ---- */

static haly_status out_of_memory(void)
{
    return FAIL(HALY_ERR_HOST_OOM, "out of memory for a stream's queue");
}

static haly_status queue_record(struct cpu_queue *queue, const haly_command_record *record, uint64_t sequence)
{
    struct cpu_entry *entry = cpu_ring_reserve(&queue->ring, sizeof(struct cpu_queued_record));
    struct cpu_clock_mark *mark;
    if (entry == NULL)
        return out_of_memory();
    const haly_status status = cpu_event_record(record->event, queue, sequence, &mark);
    if (status != HALY_OK) {
        cpu_ring_cancel(&queue->ring, sizeof(struct cpu_queued_record));
        return status;
    }
    struct cpu_queued_record *queued = (struct cpu_queued_record *)(void *)&entry->head;
    *queued = (struct cpu_queued_record){{sizeof *queued, HALY_COMMAND_RECORD, 0}, mark};
    entry->sequence = sequence;
    return HALY_OK;
}

static haly_status queue_wait(struct cpu_queue *queue, const haly_command_wait *record, uint64_t sequence)
{
    struct cpu_entry *entry = cpu_ring_reserve(&queue->ring, sizeof(struct cpu_queued_wait));
    if (entry == NULL)
        return out_of_memory();
    struct cpu_queued_wait *queued = (struct cpu_queued_wait *)(void *)&entry->head;
    *queued = (struct cpu_queued_wait){.head = {sizeof *queued, HALY_COMMAND_WAIT, 0}};
    if (!cpu_event_point(record->event, &queued->queue, &queued->sequence)) {
        cpu_queue_retain(queue); /* never recorded: a wait for what is past */
        queued->queue = queue;
        queued->sequence = 0;
    }
    entry->sequence = sequence;
    return HALY_OK;
}

static haly_status queue_plain(struct cpu_queue *queue, const haly_command *record, uint64_t sequence)
{
    struct cpu_entry *entry = cpu_ring_reserve(&queue->ring, record->size);
    if (entry == NULL)
        return out_of_memory();
    memcpy(&entry->head, record, record->size);
    entry->sequence = sequence;
    return HALY_OK;
}

static haly_status queue_one(struct cpu_queue *queue, const haly_command *record, uint64_t sequence)
{
    if (record->kind == HALY_COMMAND_RECORD)
        return queue_record(queue, (const haly_command_record *)record, sequence);
    if (record->kind == HALY_COMMAND_WAIT)
        return queue_wait(queue, (const haly_command_wait *)record, sequence);
    return queue_plain(queue, record, sequence);
}

static haly_status queue_all(struct cpu_queue *queue, const haly_command *record, const char *end, uint64_t first,
                             uint64_t *out_accepted)
{
    if (!cpu_pool_start())
        return FAIL(HALY_ERR_RESOURCE_EXHAUSTED, "no worker thread could be started");
    haly_status status = HALY_OK;
    uint64_t sequence = first;
    for (; (const char *)record < end && status == HALY_OK; record = NEXT(record)) {
        status = queue_one(queue, record, sequence);
        if (status == HALY_OK)
            sequence++;
    }
    *out_accepted = sequence - first;
    if (sequence != first) {
        cpu_ring_publish(&queue->ring);
        atomic_store(&queue->submitted, sequence - 1);
        cpu_queue_offer(queue);
    }
    return status;
}

haly_status cpu_stream_submit(void *stream, const void *records, uint64_t bytes, uint64_t first_sequence,
                              uint64_t *out_accepted)
{
    struct cpu_queue *queue = ((struct cpu_stream *)stream)->queue;
    const haly_command *first = records;
    const char *end = (const char *)records + bytes;
    uint64_t cost = 0;
    *out_accepted = 0;
    if (UNLIKELY(atomic_load_explicit(&queue->is_abandoned, memory_order_relaxed)))
        return FAIL(HALY_ERR_ABANDONED, "the context was abandoned");
    TRY(examine(queue, first, bytes, &cost));
    if (PLANTED_OR(command_overtakes_the_queue, !cpu_queue_is_idle(queue), false) || cost > inline_limit(queue))
        return queue_all(queue, first, end, first_sequence, out_accepted);
    const cpu_float_state state = cpu_float_enter();
    const haly_status status = run_now(queue, first, end, first_sequence);
    cpu_float_leave(state);
    const uint64_t completed = atomic_load_explicit(&queue->completed, memory_order_relaxed);
    *out_accepted = completed >= first_sequence ? completed - first_sequence + 1 : 0;
    return status;
}
