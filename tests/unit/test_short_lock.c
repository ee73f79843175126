/* SPDX-License-Identifier: Apache-2.0 */
/* Locks of the process: nobody alive loses one, and a child of fork waits for no thread of its parent's. */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "instance.h"
#include "short_lock.h"

static struct short_lock lock = SHORT_LOCK_INIT;
static _Atomic uint32_t taken;

static void *take_and_give(void *unused)
{
    short_lock_acquire_process(&lock);
    taken = 1;
    short_lock_release(&lock);
    return unused;
}

/* Another thread wants the lock that this one holds while `change` runs. */
static void assert_kept_over(void (*change)(void))
{
    pthread_t other;
    taken = 0;
    short_lock_acquire_process(&lock);
    change();
    assert_int_equal(pthread_create(&other, NULL, take_and_give, NULL), 0);
    usleep(20000);
    assert_int_equal(taken, 0);
    short_lock_release(&lock);
    assert_int_equal(pthread_join(other, NULL), 0);
    assert_int_equal(taken, 1);
}

static void begin_first_generation(void)
{
    const struct instance_sources nothing = {.policy_file = "/nonexistent/policy.conf"};
    haly_instance *instance = NULL;
    assert_int_equal(instance_create(NULL, &nothing, &instance), HALY_OK);
    haly_instance_release(instance);
}

static void a_lock_taken_before_the_first_instance_is_kept(void **state)
{
    (void)state;
    assert_int_equal(process_current_generation(), 0);
    assert_kept_over(begin_first_generation);
    assert_int_not_equal(process_current_generation(), 0);
}

static int child_of_fork(void)
{
    short_lock_acquire_process(&lock); /* held by a thread of the parent's */
    pthread_t other;
    taken = 0;
    if (pthread_create(&other, NULL, take_and_give, NULL) != 0)
        return 1;
    usleep(20000);
    if (taken != 0)
        return 2; /* in the child it is a lock like any other */
    short_lock_release(&lock);
    return pthread_join(other, NULL) == 0 && taken == 1 ? 0 : 3;
}

static void a_child_of_fork_takes_what_a_thread_of_the_parent_held(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        int status = 0;
        short_lock_acquire_process(&lock);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(20);
            _exit(child_of_fork());
        }
        short_lock_release(&lock);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

/* Last in the list: nothing works behind it. */
static void a_lock_is_kept_over_shutdown(void **state)
{
    (void)state;
    assert_kept_over(haly_shutdown);
    assert_int_equal(process_current_generation(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lock_taken_before_the_first_instance_is_kept),
        cmocka_unit_test(a_child_of_fork_takes_what_a_thread_of_the_parent_held),
        cmocka_unit_test(a_lock_is_kept_over_shutdown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
