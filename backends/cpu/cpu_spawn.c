/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/* The child inherits nothing of the program but its environment and working directory. */
#include "cpu_spawn.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int set_descriptors(posix_spawn_file_actions_t *actions, int input, int output)
{
    int error = posix_spawn_file_actions_adddup2(actions, input, 0);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(actions, output, 1);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(actions, output, 2);
    return error != 0 ? error : posix_spawn_file_actions_addclosefrom_np(actions, 3);
}

static int set_signals(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int error = posix_spawnattr_setsigmask(attributes, &none);
    if (error == 0)
        error = posix_spawnattr_setsigdefault(attributes, &all);
    return error != 0 ? error : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int start(const char *path, char *const *arguments, int input, int output, pid_t *out_child)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return error;
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
        error = set_descriptors(&actions, input, output);
        if (error == 0)
            error = set_signals(&attributes);
        if (error == 0)
            error = posix_spawn(out_child, path, &actions, &attributes, arguments, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

haly_status cpu_spawn(const char *path, char *const *arguments, int input, int output, int *out_exit)
{
    pid_t child;
    int status = 0;
    const int error = start(path, arguments, input, output, &child);
    if (error != 0)
        return cpu_fail_errno(error, path);
    pid_t ended;
    do {
        ended = waitpid(child, &status, 0);
    } while (ended < 0 && errno == EINTR);
    *out_exit =
        ended == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1; /* ECHILD: the program ignores SIGCHLD */
    return HALY_OK;
}
