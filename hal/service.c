/* SPDX-License-Identifier: Apache-2.0 */
/* The service thread of a context: issues deferred records in order and runs those the backend cannot take. */
#include "service.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "host_threads.h"
#include "memory.h"
#include "process.h"
#include "staging.h"

/* How long the thread sleeps when no deferred stream could move, growing from the first to the second. */
#define SHORTEST_PAUSE 20000U
#define LONGEST_PAUSE 1000000U

/* How long haly_shutdown() waits for host calls to return, and for the backend to let the threads go. */
#define STOP_PATIENCE 1000000000U

/* A host call on its way to a host thread and back. */
enum call_stage { CALL_NOT_STARTED, CALL_RUNNING, CALL_RETURNED };

/* Records of one submit that were not issued yet. */
struct deferred {
    struct deferred *next;
    struct host_job job; /* for the host call at the head */
    _Atomic uint32_t stage;
    struct service *service;
    struct timeline *timeline;
    uint64_t bytes, position; /* of the records, and of the next to issue */
    uint64_t sequence;        /* of the next */
    /* Of the next, which the backend has refused once: it is resolved, and offered again when its turn has come. */
    bool is_refused;
    struct event_record *waited; /* what it waits for; NULL: it is no wait */
    haly_context **kept;         /* behind the records: the next of those whose memory copies touch, each counted */
    uint64_t records[];
};

/* Whoever makes it STOPPING ends the threads; nobody frees the service meanwhile. */
enum service_state { SERVICE_RUNNING, SERVICE_STOPPING, SERVICE_STOPPED };

struct service {
    haly_context *context;
    struct service *next; /* among the process's; with the state under list_lock */
    enum service_state state;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;     /* something was deferred, or stopping */
    pthread_cond_t progress; /* something was issued, or the thread has ended */
    haly_stream *streams;    /* those deferred now */
    bool stopping, has_ended;
    struct host_threads host;
    struct staging staging; /* used by the thread alone */
};

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t stopped = PTHREAD_COND_INITIALIZER; /* a service's state has changed */
static struct service *services;

static haly_command *head_of(struct deferred *deferred)
{
    return (haly_command *)(void *)((char *)deferred->records + deferred->position);
}

/* A record that a deferred wait is bound to is kept, and with it the context it may be alone in. */
static void keep_record(const haly_stream *stream, struct event_record *record)
{
    event_record_retain(record);
    if (record->context != stream->object.context)
        haly_context_retain(record->context);
}

static void drop_record(const haly_stream *stream, struct event_record *record)
{
    haly_context *context = record->context;
    event_record_release(record);
    if (context != stream->object.context)
        haly_context_release(context);
}

/* The record's command is over: the timeline goes past it. */
static void mark_executed(struct timeline *timeline, uint64_t sequence)
{
    timeline_complete(timeline, sequence);
    atomic_store_explicit(&timeline->issued, sequence, memory_order_release);
}

/* On a host thread. */
static void run_host_call(struct host_job *job)
{
    struct deferred *deferred = (struct deferred *)((char *)job - offsetof(struct deferred, job));
    struct service *service = deferred->service;
    const haly_command_host_call *call = (const haly_command_host_call *)head_of(deferred);
    const haly_status before = timeline_status(deferred->timeline, deferred->sequence);
    const haly_status status = call->fn(call->user, before);
    haly_error error = {HALY_ERROR_INIT,
                        .status = HALY_ERR_HOST_CALL,
                        .scope = HALY_SCOPE_STREAM,
                        .recovery = HALY_RECOVER_RECREATE,
                        .native_code = status,
                        .message = "a host call returned an error"};
    if (status != HALY_OK)
        timeline_fail(deferred->timeline, deferred->sequence, &error);
    pthread_mutex_lock(&service->lock);
    deferred->stage = CALL_RETURNED;
    pthread_cond_signal(&service->work);
    pthread_mutex_unlock(&service->lock);
}

/* Moves the host call at the head one stage on; true once it has returned. */
static bool advance_call(struct service *service, struct deferred *deferred)
{
    if (deferred->stage == CALL_NOT_STARTED) {
        deferred->job.run = run_host_call;
        deferred->stage = CALL_RUNNING;
        if (host_threads_queue(&service->host, &deferred->job) != HALY_OK)
            run_host_call(&deferred->job); /* exactly once, even without a thread of its own */
    }
    if (deferred->stage != CALL_RETURNED)
        return false;
    deferred->stage = CALL_NOT_STARTED; /* for the next one of the same submit */
    return true;
}

/* A wait that the host does for the stream: true once it is over. */
static bool run_wait(haly_stream *stream, uint64_t sequence, struct event_record *record)
{
    if (atomic_load_explicit(&record->context->latched, memory_order_acquire) != 0) {
        const haly_error fault = context_fault(record->context);
        timeline_inherit(stream->timeline, sequence, record->context, &fault);
    } else if (!timeline_event_has_finished(record->timeline, record->sequence, record->block)) {
        return false;
    }
    drop_record(stream, record);
    return true;
}

static void copy_for(struct service *service, struct timeline *timeline, uint64_t sequence, const haly_command *record)
{
    if (timeline_status(timeline, sequence) != HALY_OK)
        return; /* it would move garbage */
    if (staging_copy(&service->staging, service->context, record) == HALY_OK)
        return;
    /* What it says of another context, which the copy goes to or comes from, is no fault of this one. */
    if (atomic_load_explicit(&service->context->latched, memory_order_acquire) == 0)
        error_detail()->scope = HALY_SCOPE_STREAM;
    timeline_fail(timeline, sequence, error_detail());
}

/* Like a wait's, the other context is let go before the command counts as finished: until then this one cannot end. */
static void run_copy(struct service *service, struct deferred *deferred, const haly_command *record)
{
    struct copy_sides sides;
    command_copy_sides(record, &sides);
    copy_for(service, deferred->timeline, deferred->sequence, record);
    if (sides.dst_class == MEMORY_ELSEWHERE)
        haly_context_release(*deferred->kept++);
    if (sides.src_class == MEMORY_ELSEWHERE)
        haly_context_release(*deferred->kept++);
}

/* Runs a record in place of the backend, once all before it has finished; false: not yet. */
static bool execute(struct service *service, haly_stream *stream, struct deferred *deferred)
{
    haly_command *record = head_of(deferred);
    const uint64_t sequence = deferred->sequence;
    struct timeline *timeline = stream->timeline;
    if (!timeline_has_finished(timeline, sequence - 1))
        return false;
    if (record->kind == HALY_COMMAND_WAIT) {
        if (!run_wait(stream, sequence, ((haly_command_wait *)record)->event))
            return false;
    } else if (record->kind == HALY_COMMAND_HOST_CALL) {
        if (!advance_call(service, deferred))
            return false;
    } else if (record->kind == HALY_COMMAND_COPY || record->kind == HALY_COMMAND_COPY_2D) {
        run_copy(service, deferred, record);
    }
    mark_executed(timeline, sequence);
    return true;
}

/* Gives the next record to the backend. One that is refused is offered once more when all before it has finished, which
 * may have made room; then it fails the stream, not ahead of its turn, and counts as executed. False: not yet. */
static bool issue(haly_stream *stream, struct deferred *deferred)
{
    haly_command *record = head_of(deferred);
    const uint64_t sequence = deferred->sequence;
    uint64_t accepted = 0;
    if (!deferred->is_refused) {
        deferred->waited = record->kind == HALY_COMMAND_WAIT ? ((haly_command_wait *)record)->event : NULL;
        records_resolve(stream->object.context, record, record->size);
    } else if (!timeline_has_finished(stream->timeline, sequence - 1)) {
        return false;
    }
    const haly_status status = stream_issue(stream, record, record->size, sequence, &accepted);
    const bool is_over = status == HALY_OK || deferred->is_refused;
    deferred->is_refused = !is_over;
    if (!is_over)
        return false;
    if (deferred->waited != NULL)
        drop_record(stream, deferred->waited);
    if (status != HALY_OK) {
        timeline_fail(stream->timeline, sequence, error_detail());
        mark_executed(stream->timeline, sequence);
    }
    return true;
}

/* Issues or executes the stream's next record; whether there was progress. Called without the lock. */
static bool step(struct service *service, haly_stream *stream, struct deferred *deferred)
{
    const haly_command *record = head_of(deferred);
    const bool is_ours = !deferred->is_refused && command_needs_service(stream->object.context, record);
    if (!(is_ours ? execute(service, stream, deferred) : issue(stream, deferred)))
        return false;
    deferred->position += record->size;
    deferred->sequence++;
    return true;
}

/* Drops what was issued; a stream without deferred records is direct again. Under the lock. */
static void settle(struct service *service, haly_stream *stream)
{
    struct deferred *deferred = stream->deferred;
    if (deferred->position < deferred->bytes)
        return;
    stream->deferred = deferred->next;
    free(deferred);
    if (stream->deferred != NULL)
        return;
    stream->deferred_last = NULL;
    haly_stream **link = &service->streams;
    while (*link != stream)
        link = &(*link)->next_deferred;
    *link = stream->next_deferred;
    atomic_fetch_and_explicit(&stream->gate, ~(uint32_t)STREAM_DEFERRED, memory_order_release);
}

/* One step of each deferred stream; whether any moved. Under the lock, which is given up in between; streams leave the
 * list only here, and a deferred stream is not destroyed. */
static bool sweep(struct service *service)
{
    bool progress = false;
    for (haly_stream *stream = service->streams, *next; stream != NULL; stream = next) {
        struct deferred *deferred = stream->deferred;
        pthread_mutex_unlock(&service->lock);
        const bool moved = !context_is_abandoned(service->context) && step(service, stream, deferred);
        pthread_mutex_lock(&service->lock);
        next = stream->next_deferred;
        if (moved)
            settle(service, stream);
        progress = progress || moved;
    }
    return progress;
}

static void *run(void *argument)
{
    struct service *service = argument;
    uint64_t pause = SHORTEST_PAUSE;
    pthread_mutex_lock(&service->lock);
    while (!service->stopping) {
        if (service->streams == NULL || context_is_abandoned(service->context)) {
            pthread_cond_wait(&service->work, &service->lock);
            continue;
        }
        if (sweep(service)) {
            pause = SHORTEST_PAUSE;
            pthread_cond_broadcast(&service->progress);
        } else {
            process_timed_wait(&service->work, &service->lock, pause);
            pause = pause < LONGEST_PAUSE ? 2 * pause : pause;
        }
    }
    service->has_ended = true;
    pthread_cond_broadcast(&service->progress);
    pthread_mutex_unlock(&service->lock);
    return NULL;
}

static haly_status service_start(haly_context *context, struct service **out_service)
{
    struct service *service = calloc(1, sizeof *service);
    if (service == NULL)
        return fail_host_oom("a context's service thread", sizeof *service);
    service->context = context;
    pthread_mutex_init(&service->lock, NULL);
    pthread_cond_init(&service->work, NULL);
    pthread_cond_init(&service->progress, NULL);
    host_threads_init(&service->host);
    pthread_mutex_lock(&list_lock); /* either services_stop() sees it, or no thread is started any more */
    const haly_status status = process_thread_start(&service->thread, "haly-service", run, service);
    if (status == HALY_OK) {
        service->next = services;
        services = service;
    }
    pthread_mutex_unlock(&list_lock);
    if (status != HALY_OK) {
        free(service);
        return status;
    }
    *out_service = service;
    return HALY_OK;
}

static haly_status service_get(haly_context *context, struct service **out_service)
{
    haly_status status = HALY_OK;
    pthread_mutex_lock(&context->lock);
    if (context->service == NULL)
        status = service_start(context, &context->service);
    *out_service = context->service;
    pthread_mutex_unlock(&context->lock);
    return status;
}

/* Gives record commands their place and keeps the records that waits are bound to. */
static void bind(haly_stream *stream, const void *records, uint64_t bytes, uint64_t sequence)
{
    const char *end = (const char *)records + bytes;
    for (const haly_command *record = records; (const char *)record < end; record = command_next(record), sequence++) {
        if (record->kind == HALY_COMMAND_RECORD)
            event_record_bind(((const haly_command_record *)record)->event, stream->timeline, sequence);
        else if (record->kind == HALY_COMMAND_WAIT)
            keep_record(stream, ((const haly_command_wait *)record)->event);
    }
}

static void append(struct service *service, haly_stream *stream, struct deferred *deferred)
{
    if (stream->deferred_last != NULL)
        stream->deferred_last->next = deferred;
    else
        stream->deferred = deferred;
    stream->deferred_last = deferred;
    if ((atomic_fetch_or(&stream->gate, STREAM_DEFERRED) & STREAM_DEFERRED) != 0)
        return;
    stream->next_deferred = service->streams;
    service->streams = stream;
}

static uint32_t count_elsewhere(const void *records, uint64_t bytes)
{
    uint32_t count = 0;
    struct copy_sides sides;
    const char *end = (const char *)records + bytes;
    for (const haly_command *record = records; (const char *)record < end; record = command_next(record))
        if (command_copy_sides(record, &sides))
            count += (sides.dst_class == MEMORY_ELSEWHERE ? 1U : 0U) + (sides.src_class == MEMORY_ELSEWHERE ? 1U : 0U);
    return count;
}

/* Keeps the context of a side that lies in another one. */
static haly_status keep_side(haly_context *context, const void *address, uint32_t memory_class, haly_context ***kept)
{
    struct memory_view view;
    if (memory_class != MEMORY_ELSEWHERE)
        return HALY_OK;
    TRY(memory_resolve(context, address, 1, "the memory of another context", &view));
    TRY(memory_check_owner(&view, address));
    haly_context_retain(view.context);
    *(*kept)++ = view.context;
    return HALY_OK;
}

/* Keeps those of all copies; *kept becomes the end of what is kept, also on failure. */
static haly_status keep_contexts(haly_context *context, const void *records, uint64_t bytes, haly_context ***kept)
{
    struct copy_sides sides;
    const char *end = (const char *)records + bytes;
    for (const haly_command *record = records; (const char *)record < end; record = command_next(record)) {
        if (!command_copy_sides(record, &sides))
            continue;
        TRY(keep_side(context, sides.dst, sides.dst_class, kept));
        TRY(keep_side(context, sides.src, sides.src_class, kept));
    }
    return HALY_OK;
}

static haly_status deferred_create(haly_stream *stream, const void *records, uint64_t bytes,
                                   struct deferred **out_deferred)
{
    const uint64_t all = sizeof(struct deferred) + bytes + count_elsewhere(records, bytes) * sizeof(haly_context *);
    struct deferred *deferred = malloc(all);
    if (deferred == NULL)
        return fail_host_oom("deferred commands", all);
    *deferred = (struct deferred){.timeline = stream->timeline, .bytes = bytes};
    memcpy(deferred->records, records, bytes);
    deferred->kept = (haly_context **)(void *)((char *)deferred->records + bytes);
    haly_context **end = deferred->kept;
    const haly_status status = keep_contexts(stream->object.context, records, bytes, &end);
    if (status == HALY_OK) {
        *out_deferred = deferred;
        return HALY_OK;
    }
    while (end != deferred->kept)
        haly_context_release(*--end);
    free(deferred);
    return status;
}

haly_status service_submit(haly_stream *stream, const void *records, uint64_t bytes, uint32_t count, bool is_needed,
                           bool *out_taken)
{
    struct service *service = NULL;
    TRY(service_get(stream->object.context, &service));
    struct deferred *deferred;
    TRY(deferred_create(stream, records, bytes, &deferred));
    pthread_mutex_lock(&service->lock);
    *out_taken = is_needed || (stream->gate & STREAM_DEFERRED) != 0; /* needed when anything was kept */
    if (*out_taken) {
        const uint64_t first = timeline_submitted(stream->timeline) + 1;
        deferred->service = service;
        deferred->sequence = first;
        bind(stream, records, bytes, first);
        append(service, stream, deferred);
        atomic_store_explicit(&stream->timeline->submitted, first + count - 1, memory_order_release);
        pthread_cond_signal(&service->work);
    }
    pthread_mutex_unlock(&service->lock);
    if (!*out_taken)
        free(deferred);
    return HALY_OK;
}

void service_wait(haly_context *context, struct timeline *timeline, uint64_t sequence, uint64_t deadline)
{
    struct service *service = NULL;
    if (deadline == 0 || service_get(context, &service) != HALY_OK)
        return;
    pthread_mutex_lock(&service->lock);
    if (sequence > timeline->issued && context->latched == 0)
        process_timed_wait(&service->progress, &service->lock, deadline);
    pthread_mutex_unlock(&service->lock);
}

static struct service *service_of(haly_context *context)
{
    pthread_mutex_lock(&context->lock);
    struct service *service = context->service;
    pthread_mutex_unlock(&context->lock);
    return service;
}

void service_detach(haly_stream *stream)
{
    struct service *service = service_of(stream->object.context);
    if (service == NULL)
        return;
    pthread_mutex_lock(&service->lock);
    while ((atomic_load(&stream->gate) & STREAM_DEFERRED) != 0 && !service->stopping)
        pthread_cond_wait(&service->progress, &service->lock);
    pthread_mutex_unlock(&service->lock);
}

void service_wake(haly_context *context)
{
    struct service *service = service_of(context);
    if (service == NULL)
        return;
    pthread_mutex_lock(&service->lock);
    pthread_cond_broadcast(&service->progress);
    pthread_mutex_unlock(&service->lock);
}

/* Ends the threads. False when one of them is still inside a host call or the backend at `moment`: then they are left
 * to themselves, and the service must stay. */
static bool stop(struct service *service, uint64_t moment)
{
    uint64_t left;
    pthread_mutex_lock(&service->lock);
    service->stopping = true;
    pthread_cond_broadcast(&service->work);
    pthread_cond_broadcast(&service->progress);
    while (!service->has_ended && (left = process_remaining(moment)) > 0)
        process_timed_wait(&service->progress, &service->lock, left);
    const bool has_ended = service->has_ended;
    pthread_mutex_unlock(&service->lock);
    if (!has_ended) {
        pthread_detach(service->thread);
        return false;
    }
    pthread_join(service->thread, NULL);
    return host_threads_end(&service->host, moment);
}

/* Whether it falls to the caller to stop the service; waits for whom it fell to before. */
static bool claim(struct service *service)
{
    pthread_mutex_lock(&list_lock);
    while (service->state == SERVICE_STOPPING)
        pthread_cond_wait(&stopped, &list_lock);
    const bool is_ours = service->state == SERVICE_RUNNING;
    if (is_ours)
        service->state = SERVICE_STOPPING;
    pthread_mutex_unlock(&list_lock);
    return is_ours;
}

static void delist(struct service *service)
{
    pthread_mutex_lock(&list_lock);
    struct service **link = &services;
    while (*link != NULL && *link != service)
        link = &(*link)->next;
    if (*link != NULL)
        *link = service->next;
    pthread_mutex_unlock(&list_lock);
}

void service_end(haly_context *context)
{
    struct service *service = context->service;
    if (service == NULL)
        return;
    if (claim(service))
        stop(service, UINT64_MAX);
    delist(service);
    staging_end(&service->staging, context);
    context->service = NULL;
    pthread_mutex_destroy(&service->lock);
    pthread_cond_destroy(&service->work);
    pthread_cond_destroy(&service->progress);
    free(service);
}

void services_forked(void)
{
    pthread_mutex_init(&list_lock, NULL);
    pthread_cond_init(&stopped, NULL);
    services = NULL;
}

/* Each is stopped; one whose threads do not end stays, and its context is never idle, so nobody ends it. */
void services_stop(void)
{
    const uint64_t moment = process_deadline(STOP_PATIENCE);
    for (;;) {
        pthread_mutex_lock(&list_lock);
        struct service *service = services;
        while (service != NULL && service->state != SERVICE_RUNNING)
            service = service->next;
        if (service != NULL)
            service->state = SERVICE_STOPPING;
        pthread_mutex_unlock(&list_lock);
        if (service == NULL)
            return;
        stop(service, moment);
        pthread_mutex_lock(&list_lock);
        service->state = SERVICE_STOPPED;
        pthread_cond_broadcast(&stopped);
        pthread_mutex_unlock(&list_lock);
    }
}
