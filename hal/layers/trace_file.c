/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a trace so that it is whole at any moment. */
#define _GNU_SOURCE
#include "layers/trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "process.h"
#include "text.h"

#define BUFFERED ((size_t)64 << 10)

static const char closing[] = "\n]\n";

bool trace_file_check(const char *pattern, char *why, size_t why_size)
{
    for (const char *at = pattern; *at != '\0'; at++)
        if (*at == '%' && *++at != 'p' && *at != 'i') {
            text_set(why, why_size, "only %%p and %%i may follow a percent sign");
            return false;
        }
    return true;
}

static void expand(const char *pattern, char path[PATH_MAX])
{
    static _Atomic unsigned traces;
    const unsigned number = atomic_fetch_add(&traces, 1);
    path[0] = '\0';
    for (const char *at = pattern; *at != '\0'; at++) {
        if (*at != '%')
            text_append(path, PATH_MAX, "%c", *at);
        else if (*++at == 'p')
            text_append(path, PATH_MAX, "%ld", (long)getpid());
        else
            text_append(path, PATH_MAX, "%u", number);
    }
}

/* Ordinary, and nobody else's. */
static haly_status take(int descriptor, const char *path)
{
    struct stat info;
    if (fstat(descriptor, &info) != 0)
        return FAIL_ERRNO(errno, "the trace's file %s cannot be examined", path);
    if (!S_ISREG(info.st_mode))
        return FAIL(HALY_ERR_INVALID, "the trace's file %s is not an ordinary file", path);
    const int error = flock(descriptor, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    if (error == EWOULDBLOCK)
        return FAIL(HALY_ERR_BUSY,
                    "another instance writes its trace to %s; with %%p or %%i in the name each has its "
                    "own file",
                    path);
    if (error != 0)
        return FAIL_ERRNO(error, "the trace's file %s cannot be locked", path);
    if (ftruncate(descriptor, 0) != 0)
        return FAIL_ERRNO(errno, "the trace's file %s cannot be emptied", path);
    return HALY_OK;
}

haly_status trace_file_open(struct trace_file *file, const char *pattern)
{
    char path[PATH_MAX];
    expand(pattern, path);
    *file = (struct trace_file){.descriptor = -1};
    const int descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644);
    if (descriptor < 0)
        return FAIL_ERRNO(errno, "the trace's file %s cannot be written", path);
    const haly_status status = take(descriptor, path);
    if (status != HALY_OK) {
        close(descriptor);
        return status;
    }
    file->descriptor = descriptor;
    trace_file_flush(file);
    return HALY_OK;
}

void trace_file_add(struct trace_file *file, const struct trace_text *event)
{
    if (event->is_lost || file->is_broken)
        return;
    const size_t before = file->buffer.size;
    trace_text_add(&file->buffer, file->is_begun ? ",\n" : "[\n", 2);
    trace_text_add(&file->buffer, event->bytes, event->size);
    if (file->buffer.is_lost) { /* what was there before is whole */
        file->buffer.size = before;
        file->buffer.is_lost = false;
        return;
    }
    file->is_begun = true;
    if (file->buffer.size >= BUFFERED)
        trace_file_flush(file);
}

/* All of it, or false with errno. */
static bool write_at(int descriptor, const char *bytes, size_t size, uint64_t offset)
{
    while (size > 0) {
        const ssize_t written = pwrite(descriptor, bytes, size, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes += written;
        size -= (size_t)written;
        offset += (uint64_t)written;
    }
    return true;
}

void trace_file_flush(struct trace_file *file)
{
    PUT_OFF_CANCELLATION(); /* writing is a point of cancellation, and submitting none */
    struct trace_text *buffer = &file->buffer;
    if (file->is_broken || (buffer->size == 0 && file->end != 0))
        return;
    if (!file->is_begun) {
        file->is_broken = !write_at(file->descriptor, "[\n]\n", 4, 0);
        return;
    }
    const size_t events = buffer->size;
    trace_text_add(buffer, closing, sizeof closing - 1);
    if (buffer->is_lost || !write_at(file->descriptor, buffer->bytes, buffer->size, file->end)) {
        LOG(HALY_LOG_WARN, "trace: the file cannot be written further (errno %d); the trace ends here", errno);
        file->is_broken = true;
        if (ftruncate(file->descriptor, (off_t)file->end) == 0) /* the disk is full, say: whole again up to here */
            write_at(file->descriptor, file->end != 0 ? closing : "[\n]\n", file->end != 0 ? sizeof closing - 1 : 4,
                     file->end);
    }
    file->end += events;
    buffer->size = 0;
    buffer->is_lost = false;
}

void trace_file_close(struct trace_file *file)
{
    if (file->descriptor < 0)
        return;
    trace_file_flush(file);
    flock(file->descriptor, LOCK_UN); /* a child of fork may hold the descriptor still */
    close(file->descriptor);
    trace_text_clear(&file->buffer);
    file->descriptor = -1;
}
