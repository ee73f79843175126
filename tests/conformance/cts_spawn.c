/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs this program again in a process of its own: output captured, a deadline, and nothing left behind. The result
 * comes through a pipe whose end of file also says that the child has ended.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cts_runner.h"

#define OUTPUT_LIMIT 65536U /* what is kept of a case's output; the rest is read and dropped */

struct text {
    char *bytes;
    size_t size, limit;
};

static void text_add(struct text *text, const char *bytes, size_t size)
{
    if (size > text->limit - text->size)
        size = text->limit - text->size;
    char *grown = realloc(text->bytes, text->size + size + 1);
    if (grown == NULL)
        return;
    memcpy(grown + text->size, bytes, size);
    text->bytes = grown;
    text->size += size;
    text->bytes[text->size] = '\0';
}

/* Reads what is there. False at the end of the file. */
static bool text_read(struct text *text, int fd)
{
    char chunk[4096];
    const ssize_t got = read(fd, chunk, sizeof chunk);
    if (got > 0)
        text_add(text, chunk, (size_t)got);
    return got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN));
}

static void child_exec(char *const *arguments, int result_fd, int output_fd)
{
    const struct rlimit no_core = {0, 0};
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setrlimit(RLIMIT_CORE, &no_core);
    const int nothing = open("/dev/null", O_RDONLY);
    if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(output_fd, 1) < 0 || dup2(output_fd, 2) < 0 ||
        dup2(result_fd, 3) < 0)
        _exit(126);
    (void)close_range(4, ~0U, 0);
    (void)fcntl(3, F_SETFD, 0);
    (void)execv(arguments[0], arguments);
    _exit(127);
}

/* Collects until the result pipe ends. False when the deadline passed first. */
static bool collect(int result_fd, int output_fd, uint64_t deadline_ns, struct text *result, struct text *output)
{
    bool is_output_open = true;
    for (;;) {
        const uint64_t now = cts_now_ns();
        if (now >= deadline_ns)
            return false;
        struct pollfd fds[2] = {{.fd = result_fd, .events = POLLIN},
                                {.fd = is_output_open ? output_fd : -1, .events = POLLIN}};
        const int ready = poll(fds, 2, (int)((deadline_ns - now) / 1000000) + 1);
        if (ready < 0 && errno != EINTR)
            return false;
        if (ready > 0 && fds[1].revents != 0 && !text_read(output, output_fd))
            is_output_open = false;
        if (ready > 0 && fds[0].revents != 0 && !text_read(result, result_fd))
            return true;
    }
}

static bool make_pipes(int result_pipe[2], int output_pipe[2])
{
    if (pipe2(result_pipe, O_CLOEXEC) != 0)
        return false;
    if (pipe2(output_pipe, O_CLOEXEC) == 0)
        return true;
    (void)close(result_pipe[0]);
    (void)close(result_pipe[1]);
    return false;
}

bool cts_spawn(const struct cts_options *options, char *const *arguments, struct cts_child_result *out_result)
{
    int result_pipe[2], output_pipe[2];
    if (!make_pipes(result_pipe, output_pipe))
        return false;
    const uint64_t start = cts_now_ns();
    const pid_t child = fork();
    if (child == 0)
        child_exec(arguments, result_pipe[1], output_pipe[1]);
    (void)close(result_pipe[1]);
    (void)close(output_pipe[1]);
    struct text result = {NULL, 0, OUTPUT_LIMIT}, output = {NULL, 0, OUTPUT_LIMIT};
    memset(out_result, 0, sizeof *out_result);
    if (child > 0) {
        const uint64_t deadline = start + CTS_SECONDS(options->timeout_s);
        out_result->timed_out = !collect(result_pipe[0], output_pipe[0], deadline, &result, &output);
        if (out_result->timed_out)
            (void)kill(-child, SIGKILL);
        while (waitpid(child, &out_result->wait_status, 0) < 0 && errno == EINTR) {
        }
        (void)kill(-child, SIGKILL); /* what the case itself left behind */
        (void)fcntl(output_pipe[0], F_SETFL, O_NONBLOCK);
        while (output.size < output.limit && text_read(&output, output_pipe[0]) && errno != EAGAIN)
            errno = 0;
    }
    (void)close(result_pipe[0]);
    (void)close(output_pipe[0]);
    text_add(&result, "", 0);
    text_add(&output, "", 0);
    out_result->text = result.bytes;
    out_result->output = output.bytes;
    out_result->seconds = (double)(cts_now_ns() - start) / 1e9;
    return child > 0 && result.bytes != NULL && output.bytes != NULL;
}
