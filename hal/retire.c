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

struct retirement {
    struct retirement *next;
    haly_context *context;
    struct object *object; /* NULL: the context itself */
    void (*destroy)(struct object *object);
    void (*finish)(haly_context *context);
    uint32_t point_count;
    struct timeline_point *points; /* counted timelines */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct retirement *waiting;
static struct retirement
    *given_up; /* of abandoned contexts: kept for ever, where leak checkers and debuggers find them */
static bool has_thread;
static bool stopping;
static pthread_t thread;

/* Remembers what has been submitted so far to each stream of the context. NULL: out of memory. */
static struct retirement *retirement_create(haly_context *context)
{
    const haly_error before = *error_detail(); /* releasing writes none */
    struct retirement *retirement = calloc(1, sizeof *retirement);
    if (retirement == NULL)
        return NULL;
    retirement->context = context;
    if (timelines_take(context, &retirement->points, &retirement->point_count) == HALY_OK)
        return retirement;
    *error_detail() = before;
    free(retirement);
    return NULL;
}

static void retirement_free(struct retirement *retirement)
{
    free(retirement->points);
    free(retirement);
}

/* Forgets the points that have been reached; whether none is left. */
static bool is_due(struct retirement *retirement, uint64_t patience)
{
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

static bool is_last_of_context(const struct retirement *retirement)
{
    pthread_mutex_lock(&lock);
    bool is_last = true;
    for (const struct retirement *other = waiting; other != NULL; other = other->next)
        is_last = is_last && (other == retirement || other->context != retirement->context);
    pthread_mutex_unlock(&lock);
    return is_last;
}

static void take_out(struct retirement *retirement)
{
    pthread_mutex_lock(&lock);
    struct retirement **link = &waiting;
    while (*link != NULL && *link != retirement)
        link = &(*link)->next;
    if (*link != NULL)
        *link = retirement->next;
    pthread_mutex_unlock(&lock);
}

/* Destroys what is due. It stays listed until it is gone: the context's own end must see it until then. */
static void finish_one(struct retirement *retirement)
{
    if (retirement->object != NULL)
        retirement->destroy(retirement->object);
    take_out(retirement);
    if (retirement->object == NULL)
        retirement->finish(retirement->context);
    retirement_free(retirement);
}

static void give_up(struct retirement *retirement)
{
    take_out(retirement);
    pthread_mutex_lock(&lock);
    retirement->next = given_up;
    given_up = retirement;
    pthread_mutex_unlock(&lock);
}

static bool is_ready(struct retirement *retirement, uint64_t patience)
{
    return is_due(retirement, patience) && (retirement->object != NULL || is_last_of_context(retirement));
}

/* Goes once over the list; whether anything could be destroyed. Entries are only removed here. */
static bool sweep(void)
{
    bool progress = false;
    uint64_t patience = PATIENCE;
    pthread_mutex_lock(&lock);
    struct retirement *retirement = waiting;
    pthread_mutex_unlock(&lock);
    while (retirement != NULL) {
        struct retirement *next = retirement->next; /* new entries come in front: behind this one nothing changes */
        if (context_is_abandoned(retirement->context)) {
            give_up(retirement);
        } else if (is_ready(retirement, patience)) {
            finish_one(retirement);
            progress = true;
        } else {
            patience = 0; /* one wait a sweep is enough */
        }
        retirement = next;
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
        pause = sweep() ? PATIENCE : pause < LONGEST_PAUSE ? 2 * pause : pause;
        pthread_mutex_lock(&lock);
        if (pause > PATIENCE && !stopping)
            process_timed_wait(&changed, &lock, pause);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void put_in(struct retirement *retirement)
{
    pthread_mutex_lock(&lock);
    retirement->next = waiting;
    waiting = retirement;
    if (!has_thread && !stopping)
        has_thread = process_thread_start(&thread, "haly-retire", run, NULL) == HALY_OK;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

void retire(struct object *object, void (*destroy)(struct object *object))
{
    struct retirement *retirement = retirement_create(object->context);
    if (retirement == NULL)
        return;
    retirement->object = object;
    retirement->destroy = destroy;
    if (context_is_abandoned(object->context))
        give_up(retirement);
    else if (is_due(retirement, 0))
        finish_one(retirement);
    else
        put_in(retirement);
}

void retire_idle(struct object *object, void (*destroy)(struct object *object))
{
    if (context_is_abandoned(object->context))
        retire(object, destroy);
    else
        destroy(object);
}

void retire_context(haly_context *context, void (*finish)(haly_context *context))
{
    struct retirement *retirement = retirement_create(context);
    if (retirement == NULL)
        return;
    retirement->finish = finish;
    if (is_due(retirement, 0) && is_last_of_context(retirement))
        finish_one(retirement);
    else
        put_in(retirement);
}

void retire_forked(void)
{
    pthread_mutex_init(&lock, NULL);
    pthread_cond_init(&changed, NULL);
    has_thread = false;
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
