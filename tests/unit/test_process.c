/* SPDX-License-Identifier: Apache-2.0 */
/* What fork, shutdown and wrong handles do to the public interface, on the manual backend. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "manual_fixture.h"
#include "object.h"

/* Runs a check in a child; 0 when all it asked held. */
static int in_child(int (*check)(struct fixture *f), struct fixture *f)
{
    int status = 0;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(check(f));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static haly_instance *create_instance(void)
{
    haly_instance *instance = NULL;
    const haly_param params[] = {{"backend", "manual"}, {"backend_path", MANUAL_BACKEND_DIR}};
    const haly_instance_desc desc = {HALY_INSTANCE_DESC_INIT, .params = params, .param_count = 2,
                                     .param_size = sizeof *params};
    return haly_instance_create(&desc, &instance) == HALY_OK ? instance : NULL;
}

static int check_forked(struct fixture *f)
{
    haly_stream *stream = NULL;
    if (haly_stream_create(f->context, NULL, &stream) != HALY_ERR_FORKED)
        return 1;
    if (haly_stream_sync(f->stream, 0) != HALY_ERR_FORKED)
        return 2;
    haly_stream_release(f->stream); /* left alone */
    haly_instance *fresh = create_instance();
    if (fresh == NULL)
        return 3;
    haly_context *context = NULL;
    if (haly_context_open(fresh, NULL, &context) != HALY_OK || haly_stream_create(context, NULL, &stream) != HALY_OK)
        return 4;
    if (haly_stream_sync(f->stream, 0) != HALY_ERR_FORKED) /* still, in the new generation */
        return 5;
    haly_context_release(context);
    haly_instance_release(fresh);
    return 0;
}

static void handles_from_before_a_fork_are_refused_and_a_new_instance_works(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, CAPS_NO_HELP);
    assert_int_equal(in_child(check_forked, &f), 0);
    assert_int_equal(haly_stream_sync(f.stream, SECOND), HALY_OK); /* the parent is untouched */
    close_fixture(&f);
}

static struct manual_device *device;
static void *memory_of_parent;

/* What the parent allocated and opened is not looked at, with a context of the child's own or without. */
static int check_memory_of_parent(struct fixture *f)
{
    (void)f;
    static char foreign[4096];
    haly_context *context = NULL;
    haly_stream *stream = NULL;
    void *memory = NULL;
    haly_memory_info info = {HALY_MEMORY_INFO_INIT};
    device->foreign = foreign;
    device->questions = 0;
    if (haly_memory_info_get(foreign, &info) != HALY_OK || info.memory_class != HALY_MEMORY_UNKNOWN)
        return 1;
    if (device->questions != 0)
        return 2;
    if (haly_memory_info_get(memory_of_parent, &info) != HALY_OK || info.memory_class != HALY_MEMORY_UNKNOWN)
        return 3;
    haly_instance *instance = create_instance();
    if (haly_context_open(instance, NULL, &context) != HALY_OK || haly_stream_create(context, NULL, &stream) != HALY_OK)
        return 4;
    if (haly_memory_info_get(foreign, &info) != HALY_OK || info.context != context || device->questions != 1)
        return 5;
    if (haly_malloc(context, 64, NULL, &memory) != HALY_OK)
        return 6;
    if (haly_copy(stream, memory, memory_of_parent, 64) != HALY_ERR_INVALID)
        return 7;
    return strstr(last_error().message, "fork") != NULL ? 0 : 8;
}

static void a_child_leaves_the_memory_of_its_parent_alone(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, CAPS_ALL);
    device = device_of(f.context);
    memory_of_parent = device_memory(&f, 64);
    assert_int_equal(in_child(check_memory_of_parent, &f), 0);
    close_fixture(&f);
}

static _Atomic uint32_t is_enough;

static void *keep_renaming(void *context)
{
    while (is_enough == 0)
        haly_object_name_set(context, "renamed");
    return NULL;
}

static int check_opening(struct fixture *f)
{
    (void)f;
    haly_context *context = NULL;
    alarm(20);
    return haly_context_open(create_instance(), NULL, &context) == HALY_OK ? 0 : 1;
}

static void a_child_can_be_forked_at_any_moment(void **state)
{
    (void)state;
    struct fixture f;
    pthread_t renaming;
    open_fixture(&f, CAPS_ALL);
    assert_int_equal(pthread_create(&renaming, NULL, keep_renaming, f.context), 0);
    for (int i = 0; i < 50; i++)
        assert_int_equal(in_child(check_opening, &f), 0);
    is_enough = 1;
    assert_int_equal(pthread_join(renaming, NULL), 0);
    close_fixture(&f);
}

static void *keep_creating(void *unused)
{
    for (haly_instance *instance; (instance = create_instance()) != NULL;)
        haly_instance_release(instance);
    return unused;
}

/* Instances are created while another thread shuts down: once that has returned, none can be any more. */
static int check_racing_shutdown(struct fixture *f)
{
    pthread_t threads[2];
    (void)f;
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, keep_creating, NULL) != 0)
            return 1;
    usleep(2000);
    haly_shutdown();
    haly_instance *late = create_instance();
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    return late == NULL && process_current_generation() == 0 ? 0 : 2;
}

static void nothing_comes_alive_again_after_shutdown(void **state)
{
    (void)state;
    struct fixture f = {.instance = NULL};
    for (int i = 0; i < 50; i++)
        assert_int_equal(in_child(check_racing_shutdown, &f), 0);
}

/* A fixture of a child's own. */
static int open_in_child(struct fixture *f)
{
    haly_instance *instance;
    const haly_param params[] = {
        {"backend", "manual"}, {"backend_path", MANUAL_BACKEND_DIR}, {"manual.caps", CAPS_NO_HELP}};
    const haly_instance_desc desc = {HALY_INSTANCE_DESC_INIT, .params = params, .param_count = 3,
                                     .param_size = sizeof *params};
    haly_native native = {HALY_NATIVE_INIT};
    alarm(20);
    if (haly_instance_create(&desc, &instance) != HALY_OK ||
        haly_context_open(instance, NULL, &f->context) != HALY_OK ||
        haly_stream_create(f->context, NULL, &f->stream) != HALY_OK || haly_native_get(f->context, &native) != HALY_OK)
        return 0;
    f->control = ((struct manual_device *)native.handle)->latest;
    return 1;
}

static void *sync_for_ever(void *stream)
{
    return (void *)(uintptr_t)haly_stream_sync(stream, HALY_FOREVER);
}

static int check_waiter(struct fixture *f)
{
    pthread_t waiter;
    void *result = NULL;
    _Atomic uint32_t calls = 0;
    const uint8_t byte = 1;
    void *memory = NULL;
    if (!open_in_child(f) || haly_malloc(f->context, 64, NULL, &memory) != HALY_OK)
        return 1;
    f->control->allowed = 0;
    if (haly_fill(f->stream, memory, &byte, 1, 64) != HALY_OK ||
        haly_host_call(f->stream, count_call, &calls) != HALY_OK) /* deferred, behind what is stuck */
        return 2;
    if (pthread_create(&waiter, NULL, sync_for_ever, f->stream) != 0)
        return 3;
    usleep(20000);
    haly_shutdown();
    pthread_join(waiter, &result);
    return (uintptr_t)result == HALY_ERR_SHUTTING_DOWN && calls == 0 ? 0 : 4;
}

static void shutdown_wakes_who_waits_for_ever(void **state)
{
    (void)state;
    struct fixture f = {.instance = NULL};
    assert_int_equal(in_child(check_waiter, &f), 0);
}

static int check_hung_staging(struct fixture *f)
{
    static char in[64];
    haly_native native = {HALY_NATIVE_INIT};
    void *memory = NULL;
    if (!open_in_child(f) || haly_malloc(f->context, 64, NULL, &memory) != HALY_OK ||
        haly_native_get(f->context, &native) != HALY_OK)
        return 1;
    ((struct manual_device *)native.handle)->allow_new_stream = 0;
    if (haly_copy(f->stream, memory, in, sizeof in) != HALY_OK)
        return 2;
    if (haly_stream_sync(f->stream, 20 * MILLISECOND) != HALY_TIMEOUT)
        return 3;
    haly_shutdown(); /* comes back although the copy never will */
    return 0;
}

static void shutdown_does_not_wait_for_a_hung_device(void **state)
{
    (void)state;
    struct fixture f = {.instance = NULL};
    assert_int_equal(in_child(check_hung_staging, &f), 0);
}

static _Atomic uint32_t may_return, has_returned;

static haly_status slow_call(void *user, haly_status status)
{
    (void)user, (void)status;
    while (may_return == 0)
        usleep(200);
    usleep(20000);
    has_returned = 1;
    return HALY_OK;
}

static void *shut_down(void *unused)
{
    haly_shutdown();
    return has_returned != 0 ? unused : NULL;
}

static int check_two_shutdowns(struct fixture *f)
{
    pthread_t threads[2];
    void *results[2] = {NULL, NULL};
    if (!open_in_child(f) || haly_host_call(f->stream, slow_call, NULL) != HALY_OK)
        return 1;
    usleep(20000);
    for (int i = 0; i < 2; i++) {
        if (pthread_create(&threads[i], NULL, shut_down, f) != 0)
            return 2;
        usleep(20000);
    }
    may_return = 1;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], &results[i]);
    return results[0] == f && results[1] == f ? 0 : 3;
}

static void every_shutdown_returns_when_all_has_stopped(void **state)
{
    (void)state;
    struct fixture f = {.instance = NULL};
    assert_int_equal(in_child(check_two_shutdowns, &f), 0);
}

/* Last in the list: nothing works behind it. */
static void after_shutdown_everything_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    haly_instance *instance = NULL;
    _Atomic uint32_t calls = 0;
    open_fixture(&f, CAPS_NO_HELP);
    assert_int_equal(haly_host_call(f.stream, count_call, &calls), HALY_OK); /* starts the service thread */
    assert_int_equal(haly_stream_sync(f.stream, SECOND), HALY_OK);
    haly_shutdown();
    haly_shutdown();
    assert_int_equal(haly_stream_sync(f.stream, 0), HALY_ERR_SHUTTING_DOWN);
    assert_int_equal(haly_instance_create(NULL, &instance), HALY_ERR_SHUTTING_DOWN);
    close_fixture(&f);
}

static void wrong_handles_are_refused_by_kind(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, CAPS_ALL);
    assert_int_equal(haly_stream_sync((haly_stream *)f.context, 0), HALY_ERR_INVALID);
    assert_non_null(strstr(last_error().message, "expected a stream, found a context"));
    assert_int_equal(haly_event_sync((haly_event *)f.context, 0), HALY_ERR_INVALID);
    assert_non_null(strstr(last_error().message, "expected an event, found a context"));
    uint64_t zeros[64] = {0}, garbage[64];
    memset(garbage, 0x5A, sizeof garbage);
    assert_int_equal(haly_stream_sync((haly_stream *)(void *)zeros, 0), HALY_ERR_INVALID);
    assert_non_null(strstr(last_error().message, "expected a stream, found what is no live object"));
    assert_int_equal(haly_stream_sync((haly_stream *)(void *)garbage, 0), HALY_ERR_INVALID);
    assert_non_null(strstr(last_error().message, "expected a stream, found what is no live object"));
    assert_int_equal(haly_object_name_set(garbage, "x"), HALY_ERR_INVALID);
    assert_non_null(strstr(last_error().message, "expected an object, found what is no live object"));
    haly_native native = {HALY_NATIVE_INIT};
    assert_int_equal(haly_native_get(f.instance, &native), HALY_ERR_INVALID);
    assert_non_null(strstr(last_error().message, "expected a context, stream, event, module or kernel"));
    assert_int_equal(haly_context_sync(NULL, 0), HALY_ERR_INVALID);
    assert_non_null(strstr(last_error().message, "NULL"));
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handles_from_before_a_fork_are_refused_and_a_new_instance_works),
        cmocka_unit_test(a_child_leaves_the_memory_of_its_parent_alone),
        cmocka_unit_test(a_child_can_be_forked_at_any_moment),
        cmocka_unit_test(nothing_comes_alive_again_after_shutdown),
        cmocka_unit_test(shutdown_wakes_who_waits_for_ever),
        cmocka_unit_test(shutdown_does_not_wait_for_a_hung_device),
        cmocka_unit_test(every_shutdown_returns_when_all_has_stopped),
        cmocka_unit_test(wrong_handles_are_refused_by_kind),
        cmocka_unit_test(after_shutdown_everything_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
