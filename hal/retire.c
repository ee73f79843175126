/* SPDX-License-Identifier: Apache-2.0 */
/* Objects and contexts that wait for queued work before they are destroyed, and the thread that waits for it. */
#include "retire.h"

#include <stdlib.h>

#include "context.h"
#include "process.h"
#include "timeline.h"

/* How long the thread waits for one of the points before it looks at the others. */
#define PATIENCE 2000000U
#define LONGEST_PAUSE 50000000U

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct object *waiting;
static struct object *given_up; /* of abandoned contexts: kept for ever, where leak checkers and debuggers find them */
static bool is_sweeping;        /* one thread at a time takes entries out of the list */
static bool has_thread;
static bool stopping;
static pthread_t thread;

/* Remembers what has been submitted so far to each stream of the context. */
static void note_points(struct object *object)
{
    struct retirement *retirement = &object->retirement;
    const haly_error before = *error_detail(); /* releasing writes none */
    if (timelines_take(object->context, &retirement->points, &retirement->point_count) == HALY_OK)
        return;
    *error_detail() = before;
    retirement->waits_for_idle = true;
}

/* A stream of the context that is not known to be idle, counted; NULL when there is none. */
static struct timeline *find_busy(haly_context *context)
{
    short_lock_acquire(&context->timelines_lock);
    struct timeline *timeline = context->timelines;
    while (timeline != NULL && timeline_is_known_finished(timeline, timeline_submitted(timeline)))
        timeline = timeline->next;
    if (timeline != NULL)
        timeline_retain(timeline);
    short_lock_release(&context->timelines_lock);
    return timeline;
}

/* Whether all streams are idle at one moment: then nothing is left of what had been submitted before. */
static bool is_idle(haly_context *context)
{
    bool has_finished = true;
    struct timeline *timeline;
    while (has_finished && (timeline = find_busy(context)) != NULL) {
        has_finished = timeline_has_finished(timeline, timeline_submitted(timeline));
        timeline_release(timeline);
    }
    return has_finished;
}

/* Forgets the points that have been reached; whether none is left. */
static bool is_due(struct object *object, uint64_t patience)
{
    struct retirement *retirement = &object->retirement;
    if (retirement->waits_for_idle)
        return is_idle(object->context);
    while (retirement->point_count > 0) {
        struct timeline_point *point = &retirement->points[retirement->point_count - 1];
        if (!timeline_has_finished(point->timeline, point->sequence)) {
            if (patience == 0 || timeline_wait(point->timeline, point->sequence, patience) != HALY_OK)
                return false;
            patience = 0;
            continue;
        }
        timeline_release(point->timeline);
        retirement->point_count--;
    }
    return true;
}

static bool is_context(const struct object *object)
{
    return &object->context->object == object;
}

static bool is_ready(struct object *object, uint64_t patience)
{
    return is_due(object, patience) && (!is_context(object) || atomic_load(&object->context->retiring) == 0);
}

static void take_out(struct object *object)
{
    pthread_mutex_lock(&lock);
    struct object **link = &waiting;
    while (*link != object)
        link = &(*link)->retirement.next;
    *link = object->retirement.next;
    pthread_mutex_unlock(&lock);
}

/* A context counts what of it is being retired until that is gone: its own end must not overtake it. */
static void finish_one(struct object *object)
{
    haly_context *context = is_context(object) ? NULL : object->context;
    free(object->retirement.points);
    object->retirement.destroy(object);
    if (context != NULL)
        atomic_fetch_sub(&context->retiring, 1);
}

static void give_up(struct object *object)
{
    pthread_mutex_lock(&lock);
    object->retirement.next = given_up;
    given_up = object;
    pthread_mutex_unlock(&lock);
}

/* Goes once over the list; whether anything could be destroyed. Entries are only removed here. */
static bool sweep(uint64_t patience)
{
    bool progress = false;
    pthread_mutex_lock(&lock);
    struct object *object = waiting;
    pthread_mutex_unlock(&lock);
    while (object != NULL) {
        struct object *next = object->retirement.next; /* new entries come in front: behind this one nothing changes */
        if (context_is_abandoned(object->context)) {
            take_out(object);
            give_up(object);
        } else if (is_ready(object, patience)) {
            take_out(object);
            finish_one(object);
            progress = true;
        } else {
            patience = 0; /* one wait a sweep is enough */
        }
        object = next;
    }
    return progress;
}

static void *run(void *unused)
{
    (void)unused;
    uint64_t pause = PATIENCE;
    pthread_mutex_lock(&lock);
    while (!stopping) {
        if (waiting == NULL) {
            pthread_cond_wait(&changed, &lock);
            continue;
        }
        pthread_mutex_unlock(&lock);
        pause = sweep(PATIENCE) ? PATIENCE : pause < LONGEST_PAUSE ? 2 * pause : pause;
        pthread_mutex_lock(&lock);
        if (pause > PATIENCE && !stopping)
            process_timed_wait(&changed, &lock, pause);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* The system refused the thread, which nobody can be told here: whoever releases next looks after what waits. */
static void sweep_in_its_place(void)
{
    pthread_mutex_lock(&lock);
    const bool is_ours = !has_thread && !is_sweeping && !stopping && waiting != NULL;
    is_sweeping = is_sweeping || is_ours;
    pthread_mutex_unlock(&lock);
    if (!is_ours)
        return;
    sweep(0);
    pthread_mutex_lock(&lock);
    is_sweeping = false;
    pthread_mutex_unlock(&lock);
}

/* Starting the thread may fail, and releasing writes no detail. Under the lock. */
static void start_thread(void)
{
    const haly_error before = *error_detail();
    has_thread = process_thread_start(&thread, "haly-retire", run, NULL) == HALY_OK;
    *error_detail() = before;
}

static void put_in(struct object *object)
{
    pthread_mutex_lock(&lock);
    object->retirement.next = waiting;
    waiting = object;
    if (!has_thread && !is_sweeping && !stopping)
        start_thread();
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void retire_object(struct object *object, void (*destroy)(struct object *object))
{
    note_points(object);
    object->retirement.destroy = destroy;
    if (context_is_abandoned(object->context))
        give_up(object);
    else if (is_ready(object, 0))
        finish_one(object);
    else
        put_in(object);
    sweep_in_its_place();
}

void retire(struct object *object, void (*destroy)(struct object *object))
{
    atomic_fetch_add(&object->context->retiring, 1);
    retire_object(object, destroy);
}

void retire_idle(struct object *object, void (*destroy)(struct object *object))
{
    if (context_is_abandoned(object->context))
        retire(object, destroy);
    else
        destroy(object);
}

void retire_context(haly_context *context, void (*destroy)(struct object *object))
{
    retire_object(&context->object, destroy);
}

void retire_forked(void)
{
    pthread_mutex_init(&lock, NULL);
    pthread_cond_init(&changed, NULL);
    has_thread = is_sweeping = false;
    waiting = NULL;
}

void retire_stop(void)
{
    pthread_mutex_lock(&lock);
    const bool must_join = has_thread;
    stopping = true;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    if (must_join && !pthread_equal(pthread_self(), thread))
        pthread_join(thread, NULL);
}
