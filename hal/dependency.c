/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What streams depend on, and how failures reach everybody who depends on them. Each wait is an edge between two
 * timelines, kept until what it waits for is known to have finished: by then every failure before that point was
 * reported. A failure is handed on along the edges the moment it is known, and a wait for a point that has failed
 * already fails at once, so asking for a status looks at one timeline alone, however many it waited for.
 *
 * One lock of the process guards all edges and failures: edges join streams of any two contexts, and it is taken by
 * waits for unfinished work, by failures, and by who looks for a path; never by submits.
 */
#include <pthread.h>
#include <stdlib.h>

#include "layers/layers.h"
#include "object.h"
#include "timeline.h"

/* Looking for a path gives up beyond so many points or edges: the answer is then "not known to be behind", which is
 * right, if later than could be. */
#define POINTS_MOST 32U
#define EDGES_MOST 512U

/* Waits that a timeline keeps before it looks which of them are over. */
#define WAITS_LEAST 16U

struct timeline_wait {
    struct timeline_wait *next;                           /* among the waiter's, newest first */
    struct timeline_wait *next_of_other, **link_of_other; /* among the dependents of `other` */
    struct timeline *waiter;
    struct timeline *other;  /* counted */
    uint64_t other_sequence; /* waited for */
    uint64_t own_sequence;   /* commands from here on depend on it */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void dependencies_forked(void)
{
    pthread_mutex_init(&lock, NULL);
}

/* ---- failures ---- */

/* The timelines whose failure has to be handed on. */
struct news {
    struct timeline *first;
};

/* Whether a failure at `sequence` takes the place of the one that is kept: it comes before it, or at the same point
 * from an earlier command of the same stream. */
static bool is_earlier(const struct timeline *timeline, uint64_t sequence, const haly_error *error)
{
    const haly_error *kept = &timeline->failure;
    if (timeline->failed == 0 || sequence < timeline->failed_at)
        return true;
    return sequence == timeline->failed_at && error->stream_id == kept->stream_id &&
           error->first_sequence < kept->first_sequence;
}

static void keep(struct timeline *timeline, uint64_t sequence, const haly_error *error, struct news *news)
{
    if (!is_earlier(timeline, sequence, error))
        return;
    timeline->failure = *error;
    timeline->failed_at = sequence;
    atomic_store_explicit(&timeline->failed, (uint32_t)error->status, memory_order_release);
    if (timeline->is_news)
        return;
    timeline->is_news = true;
    timeline->next_news = news->first;
    news->first = timeline;
}

/* What another context failed of concerns here the stream alone. */
static void keep_inherited(struct timeline *timeline, uint64_t sequence, const haly_context *context,
                           const haly_error *error, struct news *news)
{
    if (context == timeline->context || error->scope <= HALY_SCOPE_STREAM) {
        keep(timeline, sequence, error, news);
        return;
    }
    haly_error inherited = *error;
    inherited.scope = HALY_SCOPE_STREAM;
    keep(timeline, sequence, &inherited, news);
}

/* It ends, since every round makes a failure earlier. */
static void hand_on(struct news *news)
{
    while (news->first != NULL) {
        struct timeline *timeline = news->first;
        news->first = timeline->next_news;
        timeline->is_news = false;
        for (const struct timeline_wait *wait = timeline->dependents; wait != NULL; wait = wait->next_of_other)
            if (wait->other_sequence >= timeline->failed_at)
                keep_inherited(wait->waiter, wait->own_sequence, timeline->context, &timeline->failure, news);
    }
}

void timeline_fail(struct timeline *timeline, uint64_t sequence, haly_error *error)
{
    struct news news = {NULL};
    if (error->stream_id == 0) {
        error->stream_id = timeline->stream_id;
        error->first_sequence = error->last_sequence = layers_program_sequence(timeline, sequence);
        timeline_label_at(timeline, sequence, error->label);
    }
    if (error->scope < HALY_SCOPE_STREAM) {
        error->scope = HALY_SCOPE_STREAM;
        error->recovery = error->recovery > HALY_RECOVER_RECREATE ? error->recovery : HALY_RECOVER_RECREATE;
    }
    pthread_mutex_lock(&lock);
    keep(timeline, sequence, error, &news);
    hand_on(&news);
    pthread_mutex_unlock(&lock);
}

void timeline_inherit(struct timeline *timeline, uint64_t sequence, const haly_context *context,
                      const haly_error *error)
{
    struct news news = {NULL};
    pthread_mutex_lock(&lock);
    keep_inherited(timeline, sequence, context, error, &news);
    hand_on(&news);
    pthread_mutex_unlock(&lock);
}

haly_status timeline_status_quiet(struct timeline *timeline, uint64_t sequence)
{
    if (LIKELY(atomic_load_explicit(&timeline->failed, memory_order_acquire) == 0))
        return HALY_OK;
    pthread_mutex_lock(&lock);
    const haly_status status = timeline->failed_at <= sequence ? timeline->failure.status : HALY_OK;
    pthread_mutex_unlock(&lock);
    return status;
}

haly_status timeline_status(struct timeline *timeline, uint64_t sequence)
{
    if (timeline_status_quiet(timeline, sequence) == HALY_OK)
        return HALY_OK;
    pthread_mutex_lock(&lock);
    const haly_error failure = timeline->failure; /* never a later one than a moment ago */
    pthread_mutex_unlock(&lock);
    return error_restore(&failure);
}

/* ---- waits ---- */

static void link_wait(struct timeline_wait *wait)
{
    struct timeline *waiter = wait->waiter, *other = wait->other;
    wait->next = waiter->waits;
    waiter->waits = wait;
    waiter->wait_count++;
    wait->next_of_other = other->dependents;
    wait->link_of_other = &other->dependents;
    if (wait->next_of_other != NULL)
        wait->next_of_other->link_of_other = &wait->next_of_other;
    other->dependents = wait;
}

/* Takes a wait out; `link` is what points at it among the waiter's. */
static struct timeline_wait *unlink_wait(struct timeline_wait **link)
{
    struct timeline_wait *wait = *link;
    *link = wait->next;
    wait->waiter->wait_count--;
    *wait->link_of_other = wait->next_of_other;
    if (wait->next_of_other != NULL)
        wait->next_of_other->link_of_other = wait->link_of_other;
    return wait;
}

/* Frees waits that were taken out. Not under the lock. */
static void drop_waits(struct timeline_wait *wait)
{
    while (wait != NULL) {
        struct timeline_wait *next = wait->next;
        timeline_release(wait->other);
        free(wait);
        wait = next;
    }
}

static bool is_over(const struct timeline_wait *wait)
{
    return timeline_is_known_finished(wait->other, wait->other_sequence);
}

/* Asks the backends of streams how far these are. The caller is the only one who changes the list. */
static void ask_others(const struct timeline *timeline)
{
    const struct timeline *asked = NULL;
    for (const struct timeline_wait *wait = timeline->waits; wait != NULL; wait = wait->next) {
        if (wait->other != asked)
            timeline_has_finished(wait->other, wait->other_sequence);
        asked = wait->other;
    }
}

/* Takes the waits out that are over, and says when to look again: so late that looking costs a fixed share of noting.
 */
static struct timeline_wait *take_over(struct timeline *timeline)
{
    struct timeline_wait *over = NULL;
    for (struct timeline_wait **link = &timeline->waits; *link != NULL;) {
        if (!is_over(*link)) {
            link = &(*link)->next;
            continue;
        }
        struct timeline_wait *wait = unlink_wait(link);
        wait->next = over;
        over = wait;
    }
    timeline->wait_limit = 2 * timeline->wait_count > WAITS_LEAST ? 2 * timeline->wait_count : WAITS_LEAST;
    return over;
}

haly_status timeline_note_wait(struct timeline *timeline, struct timeline *other, uint64_t sequence)
{
    struct timeline_wait *over = NULL, *wait = NULL;
    struct news news = {NULL};
    if (timeline_is_known_finished(other, sequence) && timeline_status_quiet(other, sequence) == HALY_OK)
        return HALY_OK;
    const bool is_crowded = timeline->wait_count >= timeline->wait_limit;
    if (is_crowded)
        ask_others(timeline);
    wait = malloc(sizeof *wait);
    if (wait == NULL)
        return fail_host_oom("a stream's wait", sizeof *wait);
    timeline_retain(other);
    *wait = (struct timeline_wait){.waiter = timeline,
                                   .other = other,
                                   .other_sequence = sequence,
                                   .own_sequence = timeline_submitted(timeline) + 1};
    pthread_mutex_lock(&lock);
    link_wait(wait);
    if (is_crowded)
        over = take_over(timeline);
    if (other->failed != 0 && other->failed_at <= sequence)
        keep_inherited(timeline, wait->own_sequence, other->context, &other->failure, &news);
    hand_on(&news);
    pthread_mutex_unlock(&lock);
    drop_waits(over);
    return HALY_OK;
}

void timeline_forget_wait(struct timeline *timeline, const struct timeline *other, uint64_t sequence)
{
    struct timeline_wait *wait = NULL;
    pthread_mutex_lock(&lock);
    struct timeline_wait **link = &timeline->waits;
    while (*link != NULL && ((*link)->other != other || (*link)->other_sequence != sequence))
        link = &(*link)->next;
    if (*link != NULL) {
        wait = unlink_wait(link);
        wait->next = NULL;
    }
    pthread_mutex_unlock(&lock);
    drop_waits(wait);
}

void timeline_forget_waits(struct timeline *timeline)
{
    pthread_mutex_lock(&lock);
    struct timeline_wait *waits = timeline->waits;
    while (timeline->waits != NULL)
        unlink_wait(&timeline->waits);
    pthread_mutex_unlock(&lock);
    drop_waits(waits);
}

/* ---- paths ---- */

/* Points that something is behind, with what is left of the patience for looking. */
struct path {
    struct timeline_point points[POINTS_MOST];
    uint32_t count;
    uint32_t edges; /* looked at */
};

static void add_point(struct path *path, struct timeline *timeline, uint64_t sequence)
{
    for (uint32_t i = 0; i < path->count; i++)
        if (path->points[i].timeline == timeline && path->points[i].sequence >= sequence)
            return;
    if (path->count < POINTS_MOST)
        path->points[path->count++] = (struct timeline_point){timeline, sequence};
}

/* Whether the point has waited for the sought one itself; what else it waited for is looked at later. What is over
 * leads nowhere: all before it is over too, and the sought point is not. */
static bool is_next(struct path *path, struct timeline_point point, const struct timeline_point *sought)
{
    for (const struct timeline_wait *wait = point.timeline->waits; wait != NULL; wait = wait->next) {
        if (path->edges++ >= EDGES_MOST)
            return false;
        if (wait->own_sequence > point.sequence || is_over(wait))
            continue;
        if (wait->other == sought->timeline && wait->other_sequence >= sought->sequence)
            return true;
        add_point(path, wait->other, wait->other_sequence);
    }
    return false;
}

static bool has_path(struct timeline *timeline, struct timeline_point sought)
{
    struct path path = {.count = 0};
    bool is_found = false;
    add_point(&path, timeline, UINT64_MAX);
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < path.count && !is_found; i++)
        is_found = is_next(&path, path.points[i], &sought);
    pthread_mutex_unlock(&lock);
    return is_found;
}

bool timeline_is_after(struct timeline *timeline, struct timeline *other, uint64_t sequence)
{
    if (timeline == other || timeline_is_known_finished(other, sequence))
        return true;
    return has_path(timeline, (struct timeline_point){other, sequence}) || timeline_has_finished(other, sequence);
}
