/* SPDX-License-Identifier: Apache-2.0 */
/* An instance on the cpu backend with layers, a context with two streams, and what was logged. */
#ifndef TESTS_UNIT_LAYER_FIXTURE_H
#define TESTS_UNIT_LAYER_FIXTURE_H

#include <halyard/halyard.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "instance.h"

#define UNUSED __attribute__((unused))
#define LINES_KEPT 64U
#define SECOND UINT64_C(1000000000)

/* Lines of one kind: "race", "handle", … */
struct layer_log {
    pthread_mutex_t lock;
    uint32_t errors, infos; /* that begin with "validate: " */
    char lines[LINES_KEPT][1024];
    void (*on_error)(void *user); /* called once, by the next error */
    void *user;
};

struct layer_fixture {
    struct layer_log log;
    haly_instance *instance;
    haly_context *context;
    haly_stream *one, *two;
};

static void layer_log_line(void *user, haly_log_level level, const char *text)
{
    struct layer_log *log = user;
    void (*on_error)(void *user) = NULL;
    if (strncmp(text, "validate: ", 10) != 0)
        return;
    pthread_mutex_lock(&log->lock);
    if (log->errors + log->infos < LINES_KEPT)
        snprintf(log->lines[log->errors + log->infos], sizeof log->lines[0], "%s", text + 10);
    log->errors += level == HALY_LOG_ERROR;
    log->infos += level == HALY_LOG_INFO;
    if (level == HALY_LOG_ERROR) {
        on_error = log->on_error;
        log->on_error = NULL;
    }
    pthread_mutex_unlock(&log->lock);
    if (on_error != NULL)
        on_error(log->user);
}

static void layer_assert_ok(haly_status status)
{
    if (status != HALY_OK)
        haly_error_print(stderr);
    assert_int_equal(status, HALY_OK);
}
#define OK(expression_) layer_assert_ok(expression_)

/* Where layer trace writes to. */
static const char *layer_trace_file = "/nowhere/at/all";

static void layer_open_on(struct layer_fixture *f, const char *backend, const char *folder, const char *layers,
                          const char *validate, uint32_t flags)
{
    const haly_param params[] = {{"backend", backend},
                                 {"backend_path", folder},
                                 {"layers", layers},
                                 {"validate", validate},
                                 {"trace_file", layer_trace_file}};
    memset(f, 0, sizeof *f);
    pthread_mutex_init(&f->log.lock, NULL);
    const haly_instance_desc desc = {HALY_INSTANCE_DESC_INIT,      .params = params,      .param_count = 5,
                                     .param_size = sizeof *params, .log = layer_log_line, .log_user = &f->log,
                                     .log_level = HALY_LOG_INFO};
    OK(haly_instance_create(&desc, &f->instance));
    const haly_context_desc context = {HALY_CONTEXT_DESC_INIT, .flags = flags};
    OK(haly_context_open(f->instance, &context, &f->context));
    OK(haly_stream_create(f->context, &(haly_stream_desc){HALY_STREAM_DESC_INIT, .name = "one"}, &f->one));
    OK(haly_stream_create(f->context, &(haly_stream_desc){HALY_STREAM_DESC_INIT, .name = "two"}, &f->two));
}

static UNUSED void layer_open(struct layer_fixture *f, const char *layers, const char *validate, uint32_t flags)
{
    layer_open_on(f, "cpu", CPU_BACKEND_DIR, layers, validate, flags);
}

static UNUSED void layer_close(struct layer_fixture *f)
{
    haly_context_sync(f->context, 20 * SECOND);
    haly_context_release(f->context);
    while (f->instance->open_contexts != 0) /* what is retired may hold it a moment longer, and the log with it */
        usleep(100);
    haly_instance_release(f->instance);
}

static UNUSED void *layer_memory(struct layer_fixture *f, uint64_t size)
{
    void *address = NULL;
    OK(haly_malloc(f->context, size, NULL, &address));
    return address;
}

/* How many lines begin so. */
static UNUSED uint32_t layer_lines(struct layer_fixture *f, const char *beginning)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->log.errors + f->log.infos && i < LINES_KEPT; i++)
        count += strncmp(f->log.lines[i], beginning, strlen(beginning)) == 0;
    return count;
}

/* The latest line contains all of these texts, up to a NULL. */
static UNUSED void layer_line_has(struct layer_fixture *f, ...)
{
    const uint32_t count = f->log.errors + f->log.infos;
    va_list texts;
    assert_true(count > 0 && count <= LINES_KEPT);
    va_start(texts, f);
    for (const char *text; (text = va_arg(texts, const char *)) != NULL;)
        if (strstr(f->log.lines[count - 1], text) == NULL)
            fail_msg("\"%s\" is not in \"%s\"", text, f->log.lines[count - 1]);
    va_end(texts);
}

static UNUSED haly_kernel *layer_kernel(struct layer_fixture *f, const char *name)
{
    haly_module *module = NULL;
    haly_kernel *kernel = NULL;
    OK(haly_module_load_file(f->context, TEST_KERNELS, &module));
    OK(haly_kernel_get(module, name, &kernel));
    haly_module_release(module);
    return kernel;
}

static UNUSED void open_reporting(struct layer_fixture *f)
{
    layer_open(f, "validate", "report", 0);
}

static UNUSED void open_failing(struct layer_fixture *f)
{
    layer_open(f, "validate", "fail", 0);
}

static UNUSED void expect_clean(struct layer_fixture *f)
{
    if (f->log.errors != 0)
        fail_msg("%s", f->log.lines[0]);
    layer_close(f);
}

#endif
