/* SPDX-License-Identifier: Apache-2.0 */
/* What fork, shutdown and wrong handles do to the public interface, on the manual backend. */
#define _GNU_SOURCE
#include <sys/wait.h>
#include <unistd.h>

#include "manual_fixture.h"

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

static int check_forked(struct fixture *f)
{
    haly_stream *stream = NULL;
    haly_instance *fresh = NULL;
    const haly_param params[] = {{"backend", "manual"}, {"backend_path", MANUAL_BACKEND_DIR}};
    const haly_instance_desc desc = {HALY_INSTANCE_DESC_INIT, .params = params, .param_count = 2,
                                     .param_size = sizeof *params};
    if (haly_stream_create(f->context, NULL, &stream) != HALY_ERR_FORKED)
        return 1;
    if (haly_stream_sync(f->stream, 0) != HALY_ERR_FORKED)
        return 2;
    haly_stream_release(f->stream); /* left alone */
    if (haly_instance_create(&desc, &fresh) != HALY_OK)
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
        cmocka_unit_test(wrong_handles_are_refused_by_kind),
        cmocka_unit_test(after_shutdown_everything_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
