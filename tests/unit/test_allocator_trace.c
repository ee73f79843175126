/* SPDX-License-Identifier: Apache-2.0 */
/* The allocator under random traces, checked against a model that knows who may have which memory when, and under
 * threads that mark what they own. SEED in the environment starts at another trace. */
#define _GNU_SOURCE
#include "memory_fixture.h"

#include <pthread.h>
#include <sched.h>

#define LIVE_MOST 256U
#define GHOST_MOST 4096
#define TRACE_STREAMS 4
#define WAIT_MOST 1024

/* A range, and once it is freed what must have finished before anybody else may have it, whoever owned it meanwhile. */
struct model_range {
    uint64_t start, size;
    uint64_t points[TRACE_STREAMS];
};

/* Command `own` of a stream waits for `sequence` of another. */
struct model_wait {
    uint32_t stream, other;
    uint64_t own, sequence;
};

struct model {
    struct fixture *f;
    uint64_t random;
    struct model_wait waits[WAIT_MOST];
    uint32_t wait_count;
    struct model_range live[LIVE_MOST];
    uint32_t live_count;
    struct model_range ghosts[GHOST_MOST]; /* freed, perhaps still in use by queued work */
    uint32_t ghost_count;
};

static uint64_t draw(struct model *model, uint64_t below)
{
    model->random = model->random * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (model->random >> 33) % below;
}

static uint64_t draw_size(struct model *model)
{
    static const uint64_t most[] = {4 * KIB, 64 * KIB, MIB, 4 * MIB, 24 * MIB};
    return 1 + draw(model, most[draw(model, 5)]);
}

static bool overlaps(const struct model_range *a, const struct model_range *b)
{
    return a->start < b->start + b->size && b->start < a->start + a->size;
}

/* `stream` is who may have it in its order, or -1. */
static void check_new(struct model *model, const struct model_range *range, int stream)
{
    for (uint32_t i = 0; i < model->live_count; i++)
        assert_false(overlaps(range, &model->live[i]));
    for (uint32_t i = 0; i < model->ghost_count;) {
        const struct model_range *ghost = &model->ghosts[i];
        bool is_over = true;
        for (int s = 0; s < TRACE_STREAMS; s++) {
            const uint64_t completed = ((struct fake_stream *)model->f->streams[s].block)->completed;
            if (ghost->points[s] <= completed)
                continue;
            is_over = false;
            if (overlaps(range, ghost))
                assert_true(stream >= 0 && timeline_is_after(model->f->streams[stream].timeline,
                                                             model->f->streams[s].timeline, ghost->points[s]));
        }
        if (is_over)
            model->ghosts[i] = model->ghosts[--model->ghost_count];
        else
            i++;
    }
}

static void step_alloc(struct model *model)
{
    const int stream = (int)draw(model, TRACE_STREAMS + 1) - 1;
    const haly_memory_desc desc = {HALY_MEMORY_DESC_INIT, .alignment = UINT64_C(1) << draw(model, 22),
                                   .flags = draw(model, 40) == 0 ? HALY_MEMORY_DEDICATED : 0};
    const haly_memory_desc *chosen = draw(model, 4) == 0 ? &desc : NULL;
    struct model_range range = {.size = draw_size(model)};
    void *address = NULL;
    const haly_status status = stream < 0 ? haly_malloc(model->f->context, range.size, chosen, &address)
                                          : haly_malloc_async(&model->f->streams[stream], range.size, chosen, &address);
    if (status == HALY_ERR_DEVICE_OOM)
        return;
    assert_ok(status);
    range.start = (uint64_t)(uintptr_t)address;
    assert_int_equal(range.start % (chosen != NULL && desc.alignment > 64 ? desc.alignment : 64), 0);
    check_new(model, &range, stream);
    const char *inside = (const char *)address + draw(model, range.size);
    haly_memory_info info = {HALY_MEMORY_INFO_INIT};
    assert_ok(haly_memory_info_get(inside, &info));
    assert_ptr_equal(info.base, address);
    assert_int_equal(info.size, range.size);
    model->live[model->live_count++] = range;
}

static void step_free(struct model *model)
{
    const uint32_t i = (uint32_t)draw(model, model->live_count);
    struct model_range range = model->live[i];
    void *address = (void *)(uintptr_t)range.start;
    const bool is_ordered = draw(model, 3) != 0;
    const int stream = (int)draw(model, TRACE_STREAMS);
    for (int s = 0; s < TRACE_STREAMS; s++) {
        const bool is_used = is_ordered && s != stream && draw(model, 6) == 0;
        if (!is_ordered || s == stream || is_used)
            range.points[s] = timeline_submitted(model->f->streams[s].timeline);
        if (is_used)
            assert_ok(haly_memory_used_on(&model->f->streams[s], address));
    }
    assert_ok(is_ordered ? haly_free_async(&model->f->streams[stream], address)
                         : haly_free(model->f->context, address));
    assert_int_equal(is_ordered ? haly_free_async(&model->f->streams[stream], address)
                                : haly_free(model->f->context, address),
                     HALY_ERR_INVALID);
    model->live[i] = model->live[--model->live_count];
    if (model->ghost_count < GHOST_MOST)
        model->ghosts[model->ghost_count++] = range;
}

/* Finishes some of what is queued, as far as its waits allow. */
static void step_finish(struct model *model, uint32_t stream)
{
    const uint64_t submitted = timeline_submitted(model->f->streams[stream].timeline);
    const uint64_t completed = model->f->blocks[stream].completed;
    uint64_t reached = completed + draw(model, submitted - completed + 1);
    for (uint32_t i = 0; i < model->wait_count; i++) {
        const struct model_wait *wait = &model->waits[i];
        if (wait->stream == stream && wait->own <= reached && model->f->blocks[wait->other].completed < wait->sequence)
            reached = wait->own - 1;
    }
    if (reached > completed)
        stream_finish_to(&model->f->streams[stream], reached);
}

static void step_wait(struct model *model, uint32_t stream)
{
    const uint32_t other = (uint32_t)draw(model, TRACE_STREAMS);
    struct timeline *timeline = model->f->streams[stream].timeline, *others = model->f->streams[other].timeline;
    if (other == stream || model->wait_count == WAIT_MOST || draw(model, 8) != 0)
        return;
    const struct model_wait wait = {stream, other, timeline_submitted(timeline) + 1, timeline_submitted(others)};
    model->waits[model->wait_count++] = wait;
    assert_ok(timeline_note_wait(timeline, others, wait.sequence));
    stream_work(&model->f->streams[stream]);
}

static void step(struct model *model)
{
    const uint32_t stream = (uint32_t)draw(model, TRACE_STREAMS);
    switch (draw(model, 10)) {
    case 0:
        stream_work(&model->f->streams[stream]);
        break;
    case 1:
        step_finish(model, stream);
        break;
    case 2:
        step_wait(model, stream);
        break;
    default:
        if (model->live_count < LIVE_MOST && draw(model, 2U * LIVE_MOST) >= model->live_count + LIVE_MOST / 2)
            step_alloc(model);
        else if (model->live_count > 0)
            step_free(model);
    }
}

static void random_traces_follow_the_rules(void **state)
{
    struct model *model = test_calloc(1, sizeof *model);
    const uint64_t first_seed = getenv("SEED") != NULL ? strtoull(getenv("SEED"), NULL, 0) : 1;
    (void)state;
    for (uint64_t seed = first_seed; seed < first_seed + 6; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        memset(model, 0, sizeof *model);
        model->random = seed;
        /* plain, translated, placed; the odd ones with little memory */
        static const uint64_t capabilities[] = {NATIVE, 0, PLACING};
        model->f = fixture_open(capabilities[seed % 3], seed % 3 == 2 ? HALY_CONTEXT_MOVABLE : 0, 64 * GIB,
                                seed % 2 == 1 ? 100 * MIB : 0);
        for (uint32_t i = 0; i < TRACE_STREAMS; i++)
            fixture_stream(model->f, i);
        for (int i = 0; i < 20000; i++) {
            step(model);
            if (i % 500 == 0) {
                const haly_memory_stats stats = fixture_stats(model->f);
                assert_int_equal(stats.allocation_count, model->live_count);
                assert_true(stats.limit_bytes == 0 || stats.segment_peak <= stats.limit_bytes);
            }
        }
        for (uint32_t i = 0; i < TRACE_STREAMS; i++)
            stream_finish_all(&model->f->streams[i]);
        while (model->live_count > 0)
            step_free(model);
        assert_ok(haly_memory_trim(model->f->context, 0));
        assert_int_equal(fixture_stats(model->f).segment_bytes, 0);
        fixture_close(model->f);
    }
    test_free(model);
}

/* ---- threads ---- */

struct worker {
    struct fixture *f;
    haly_stream *stream;
    pthread_t thread;
    uint64_t random;
    uint64_t id;
    uint64_t errors;
};

static _Atomic bool workers_stop;

/* Owns what it allocates: its mark must still be there when it frees. */
static void *work(void *argument)
{
    struct worker *worker = argument;
    void *live[64] = {NULL};
    for (int i = 0; i < 20000; i++) {
        worker->random = worker->random * UINT64_C(6364136223846793005) + 1442695040888963407U;
        const uint64_t dice = worker->random >> 40;
        void **slot = &live[dice % 64];
        const uint64_t size = 8 + (dice / 64 % 16 == 0 ? dice % (3 * MIB) : dice % 3000);
        const bool is_ordered = (dice / 7 & 1) != 0;
        haly_status status;
        if (*slot != NULL) {
            worker->errors += *(uint64_t *)*slot != worker->id;
            status = is_ordered ? haly_free_async(worker->stream, *slot) : haly_free(worker->f->context, *slot);
            *slot = NULL;
        } else {
            status = is_ordered ? haly_malloc_async(worker->stream, size, NULL, slot)
                                : haly_malloc(worker->f->context, size, NULL, slot);
            if (status == HALY_ERR_DEVICE_OOM)
                status = HALY_OK;
            else if (status == HALY_OK)
                *(uint64_t *)*slot = worker->id;
        }
        worker->errors += status != HALY_OK;
        if (dice % 5 == 0)
            stream_work(worker->stream);
    }
    for (int i = 0; i < 64; i++)
        worker->errors += haly_free(worker->f->context, live[i]) != HALY_OK;
    return NULL;
}

/* The device: finishes what was queued, now and then; and a program that looks at statistics. */
static void *finish_and_look(void *argument)
{
    struct fixture *f = argument;
    while (!workers_stop) {
        haly_memory_stats stats = {HALY_MEMORY_STATS_INIT};
        for (uint32_t i = 0; i < 4; i++)
            stream_finish_all(&f->streams[i]);
        haly_memory_stats_get(f->context, &stats);
        haly_memory_trim(f->context, 32 * MIB);
        sched_yield();
    }
    return NULL;
}

static void threads_share_the_allocator(void **state)
{
    struct fixture *f = fixture_open(NATIVE, 0, 96 * MIB, 0);
    struct worker workers[4];
    pthread_t device;
    (void)state;
    workers_stop = false;
    for (uint32_t i = 0; i < 4; i++)
        workers[i] = (struct worker){.f = f, .stream = fixture_stream(f, i), .random = i + 99, .id = i + 1};
    assert_int_equal(pthread_create(&device, NULL, finish_and_look, f), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(workers[i].thread, NULL);
    workers_stop = true;
    pthread_join(device, NULL);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(workers[i].errors, 0);
        stream_finish_all(&f->streams[i]);
    }
    const haly_memory_stats stats = fixture_stats(f);
    assert_int_equal(stats.allocated_bytes, 0);
    assert_int_equal(stats.pending_bytes, 0);
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_traces_follow_the_rules),
        cmocka_unit_test(threads_share_the_allocator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
