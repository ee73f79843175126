/* SPDX-License-Identifier: Apache-2.0 */
/* Work for a device that can be checked: what scenarios do before, while and after their process forks, exits and so
 * on. */
#ifndef TESTS_PROCESS_WORK_H
#define TESTS_PROCESS_WORK_H

#include <halyard/halyard.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#define SECOND 1000000000ULL
#define MILLISECOND 1000000ULL
#define PATIENCE (60 * SECOND) /* instrumented, beside others, on a small machine */
#define WORK_BYTES 70000U

/* Ends the process at once: some scenarios are in the middle of its end. */
#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition);                                   \
            haly_error_print(stderr);                                                                                  \
            _exit(99);                                                                                                 \
        }                                                                                                              \
    } while (0)
#define EXPECT_OK(call) EXPECT((call) == HALY_OK)

/* A context with a stream, memory on the device and pageable memory of the host; static in most scenarios, so that the
 * memory stays valid and leak checkers find the handles. */
struct work {
    haly_instance *instance;
    haly_context *context;
    haly_stream *stream;
    void *memory;
    _Atomic uint32_t calls; /* that host calls have run */
    uint32_t queued;        /* rounds */
    uint8_t host[WORK_BYTES];
};

/* `backend` is "cpu", or "manual", whose copies and host calls go through the library's own threads. */
haly_status work_instance(const char *backend, haly_log_fn log, haly_instance **out_instance);
void work_open(struct work *work, const char *backend);
/* A stream and memory of its own in a context that is open. */
void work_share(struct work *work, haly_context *context);

/* Fills device memory, copies it to the host and calls the host, `rounds` times; the last round leaves its number. */
haly_status work_queue(struct work *work, uint32_t rounds);
/* The same without memory and functions of the caller's. */
haly_status work_queue_on_device(struct work *work, uint32_t rounds);
/* Waits, and checks what came of it. */
void work_finish(struct work *work);
/* All three, then everything is released. */
void work_close(struct work *work);
void work_do_it_all(const char *backend);

#endif
