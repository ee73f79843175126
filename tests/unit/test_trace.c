/* SPDX-License-Identifier: Apache-2.0 */
/* What the trace layer writes, and that it stays whole. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fakes/manual_backend.h"
#include "layer_fixture.h"
#include "process.h"

#define TRACE_MOST ((size_t)4 << 20)

static char path[64];
static char *trace; /* the file as it was read last */

static void open_traced_on(struct layer_fixture *f, const char *backend, const char *folder)
{
    snprintf(path, sizeof path, "/tmp/halyard-trace-%ld.json", (long)getpid());
    layer_trace_file = path;
    layer_open_on(f, backend, folder, "trace", "report", 0);
}

static void open_traced(struct layer_fixture *f)
{
    open_traced_on(f, "cpu", CPU_BACKEND_DIR);
}

/* Reads the file: an array with one event to a line. */
static void read_trace(void)
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    trace = trace != NULL ? trace : malloc(TRACE_MOST);
    const size_t size = fread(trace, 1, TRACE_MOST - 1, file);
    fclose(file);
    assert_true(size < TRACE_MOST - 1);
    trace[size] = '\0';
    assert_int_equal(strncmp(trace, "[\n", 2), 0);
    assert_string_equal(trace + size - 3, "\n]\n");
    for (const char *line = trace + 2; *line != ']'; line = strchr(line, '\n') + 1)
        assert_true(*line == '{' && strstr(line, "}\n") != NULL);
}

static void close_traced(struct layer_fixture *f)
{
    layer_close(f);
    read_trace();
    unlink(path);
}

/* The first line behind `*line` (NULL: of all) that holds the text; its end is cut off in `out`. */
static bool find_line(const char **line, const char *text, char out[4096])
{
    const char *at = *line == NULL ? trace : *line;
    for (const char *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        snprintf(out, 4096, "%.*s", (int)(end - at), at);
        if (strstr(out, text) == NULL)
            continue;
        *line = end + 1;
        return true;
    }
    return false;
}

/* One line holds all of these texts, up to a NULL. */
static void expect_event(const char *text, ...)
{
    char found[4096];
    const char *line = NULL;
    bool has_all = false;
    while (!has_all && find_line(&line, text, found)) {
        va_list others;
        va_start(others, text);
        has_all = true;
        for (const char *other; (other = va_arg(others, const char *)) != NULL;)
            has_all = has_all && strstr(found, other) != NULL;
        va_end(others);
    }
    if (!has_all)
        fail_msg("no event with all of the texts, of which the first is %s, in\n%s", text, trace);
}

static uint32_t count_events(const char *text)
{
    char found[4096];
    uint32_t count = 0;
    for (const char *line = NULL; find_line(&line, text, found);)
        count++;
    return count;
}

/* The first event with the text: begin and duration in microseconds. */
static void times_of(const char *text, double *begin, double *duration)
{
    char found[4096];
    const char *line = NULL;
    assert_true(find_line(&line, text, found));
    const char *ts = strstr(found, "\"ts\":"), *dur = strstr(found, "\"dur\":");
    assert_true(ts != NULL && dur != NULL);
    *begin = strtod(ts + 5, NULL);
    *duration = strtod(dur + 6, NULL);
}

static void commands_stand_there_with_arguments_and_labels(void **state)
{
    struct layer_fixture f;
    const uint8_t seven = 7;
    const uint32_t n = 16;
    const float factor = 1;
    char host[64], address[32];
    (void)state;
    open_traced(&f);
    char *x = layer_memory(&f, 64), *y = layer_memory(&f, 64);
    haly_kernel *kernel = layer_kernel(&f, "scale");
    OK(haly_stream_set_label(f.one, "a \"label\" \\ of text"));
    OK(haly_fill(f.one, x, &seven, 1, 64));
    OK(haly_launch_1d(f.one, kernel, n, 0, HALY_ARGS(x, y, factor, n)));
    OK(haly_copy(f.one, host, y, 64));
    OK(haly_copy_2d(f.one, &(haly_copy_2d_desc){HALY_COPY_2D_DESC_INIT, .dst = x, .dst_pitch = 16, .src = y,
                                                .src_pitch = 8, .width = 4, .height = 3}));
    OK(haly_stream_sync(f.one, 20 * SECOND));
    haly_kernel_release(kernel);
    close_traced(&f);
    snprintf(address, sizeof address, "\"to\":\"%p\"", (void *)x);
    expect_event("\"name\":\"fill\"", "\"command\":1", "\"pattern\":\"07\"", address, "\"bytes\":64",
                 "\"label\":\"a \\\"label\\\" \\\\ of text\"", "\"cat\":\"command\"", NULL);
    snprintf(address, sizeof address, "\"arguments\":[\"%p\"", (void *)x);
    const bool is_little = *(const uint8_t *)&(const uint16_t){1} == 1;
    expect_event("\"name\":\"scale\"", "\"command\":2", address,
                 is_little ? "\"0000803f\",\"10000000\"]" : "\"3f800000\",\"00000010\"]", "\"grid\":[", NULL);
    expect_event("\"name\":\"copy\"", "\"command\":3", "\"bytes\":64", NULL);
    expect_event("\"name\":\"copy 2-D\"", "\"bytes\":12", "\"to_pitch\":16", "\"from_pitch\":8", NULL);
    expect_event("\"thread_name\"", " one\"}}", NULL);
    expect_event("\"process_name\"", "\"cpu:0, context", NULL);
    expect_event("haly_stream_sync", "\"ph\":\"B\"", NULL);
    expect_event("haly_stream_sync", "\"ph\":\"E\"", NULL);
}

static haly_status sleep_a_little(void *user, haly_status status)
{
    (void)user;
    usleep(20000);
    return status;
}

static void times_are_those_of_the_device_on_the_hosts_clock(void **state)
{
    struct layer_fixture f;
    const uint8_t zero = 0;
    double call, call_took, fill, fill_took;
    (void)state;
    open_traced(&f);
    char *x = layer_memory(&f, 64);
    const double before = (double)process_now() / 1000;
    OK(haly_host_call(f.two, sleep_a_little, NULL));
    OK(haly_fill(f.two, x, &zero, 1, 64));
    OK(haly_stream_sync(f.two, 20 * SECOND));
    const double after = (double)process_now() / 1000;
    close_traced(&f);
    times_of("\"name\":\"host call\"", &call, &call_took);
    times_of("\"name\":\"fill\"", &fill, &fill_took);
    assert_true(call + call_took <= fill + 1);
    /* The anchor's moment is known to within the time that its wait took, which a busy machine makes long. */
    assert_true(before - 200000 <= call && fill + fill_took <= after + 200000);
    assert_true(call_took >= 20000);
}

static void operators_and_replays_are_told_as_such(void **state)
{
    struct layer_fixture f;
    haly_graph *graph = NULL;
    (void)state;
    open_traced(&f);
    float *x = layer_memory(&f, 64), *y = layer_memory(&f, 64);
    OK(haly_op_add(f.one, haly_f32_1d(y, 16), haly_f32_1d(x, 16), haly_f32_1d(x, 16)));
    OK(haly_stream_capture_begin(f.one));
    OK(haly_op_add(f.one, haly_f32_1d(y, 16), haly_f32_1d(x, 16), haly_f32_1d(x, 16)));
    OK(haly_stream_capture_end(f.one, &graph));
    for (int i = 0; i < 3; i++)
        OK(haly_graph_launch(f.one, graph));
    OK(haly_stream_sync(f.one, 20 * SECOND));
    haly_graph_release(graph);
    close_traced(&f);
    assert_int_equal(count_events("\"name\":\"Add\""), 4);
    assert_int_equal(count_events("\"from_graph\":true"), 3);
    expect_event("\"name\":\"Add\"", "\"path\":\"", "output 0 (C)\":\"", ", 64 bytes\"", NULL);
}

static void memory_is_a_curve_that_ends_at_zero(void **state)
{
    struct layer_fixture f;
    void *pinned = NULL;
    (void)state;
    open_traced(&f);
    char *x = layer_memory(&f, 4096);
    OK(haly_host_alloc(f.context, 256, &pinned));
    OK(haly_free(f.context, x));
    close_traced(&f); /* which gives back the pinned block */
    expect_event("\"name\":\"allocate\"", "\"bytes\":4096", NULL);
    expect_event("\"name\":\"free\"", "\"bytes\":4096", NULL);
    expect_event("\"ph\":\"C\"", "\"device bytes\":4096,\"pinned bytes\":256", NULL);
    expect_event("\"ph\":\"C\"", "\"device bytes\":0,\"pinned bytes\":0", NULL);
}

static haly_status refuse(void *user, haly_status status)
{
    (void)user;
    return status == HALY_OK ? HALY_ERR_IO : status;
}

static void a_failed_command_keeps_its_number(void **state)
{
    struct layer_fixture f;
    haly_error error = {HALY_ERROR_INIT};
    const uint8_t zero = 0;
    (void)state;
    open_traced(&f);
    char *x = layer_memory(&f, 64);
    OK(haly_fill(f.one, x, &zero, 1, 64));
    OK(haly_fill(f.one, x, &zero, 1, 64));
    OK(haly_host_call(f.one, refuse, NULL));
    OK(haly_fill(f.one, x, &zero, 1, 64));
    assert_int_not_equal(haly_stream_sync(f.one, 20 * SECOND), HALY_OK);
    haly_error_last(&error);
    assert_int_equal(error.first_sequence, 3);
    assert_int_equal(error.last_sequence, 3);
    close_traced(&f);
}

/* The backend has room for the layer's event, and not for the command behind it. */
static void a_refused_command_fails_its_call_alone(void **state)
{
    struct layer_fixture f;
    haly_native native = {HALY_NATIVE_INIT};
    haly_error error = {HALY_ERROR_INIT};
    const uint8_t zero = 0;
    (void)state;
    open_traced_on(&f, "manual", MANUAL_BACKEND_DIR);
    char *x = layer_memory(&f, 64);
    OK(haly_native_get(f.context, &native));
    struct manual_control *control = ((struct manual_device *)native.handle)->latest; /* of stream two */
    control->refuse_after = 1;
    assert_int_equal(haly_fill(f.two, x, &zero, 1, 64), HALY_ERR_RESOURCE_EXHAUSTED);
    assert_int_equal(control->refusals, 1);
    assert_int_equal(control->submitted, 1);
    OK(haly_error_last(&error));
    assert_int_equal(error.scope, HALY_SCOPE_CALL);
    assert_int_equal(error.recovery, HALY_RECOVER_RETRY);
    control->refuse_after = UINT64_MAX;
    OK(haly_stream_sync(f.two, 20 * SECOND));
    OK(haly_fill(f.two, x, &zero, 1, 64));
    OK(haly_stream_sync(f.two, 20 * SECOND));
    close_traced(&f);
    assert_int_equal(count_events("\"name\":\"fill\""), 1);
}

static void a_wait_leaves_a_whole_file_behind_it_whatever_comes(void **state)
{
    struct layer_fixture f;
    const uint8_t zero = 0;
    int status = 0;
    (void)state;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        open_traced(&f);
        char *x = layer_memory(&f, 64);
        for (int i = 0; i < 1000; i++)
            OK(haly_fill(f.one, x, &zero, 1, 64));
        OK(haly_stream_sync(f.one, 20 * SECOND));
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    snprintf(path, sizeof path, "/tmp/halyard-trace-%ld.json", (long)child);
    read_trace();
    unlink(path);
    assert_int_equal(count_events("\"name\":\"fill\""), 1000);
}

static void a_file_that_cannot_be_had_fails_the_instance(void **state)
{
    static const char *const wrong[] = {"x%", "%d.json", "/no/such/folder/x.json", "/tmp", "/dev/null"};
    struct layer_fixture f;
    haly_instance *instance = NULL;
    (void)state;
    open_traced(&f);
    for (unsigned i = 0; i <= sizeof wrong / sizeof *wrong; i++) {
        const char *name = i == sizeof wrong / sizeof *wrong ? path : wrong[i];
        const haly_param params[] = {{"layers", "trace"}, {"trace_file", name}};
        const haly_instance_desc desc = {HALY_INSTANCE_DESC_INIT, .params = params, .param_count = 2,
                                         .param_size = sizeof *params};
        const haly_status status = haly_instance_create(&desc, &instance);
        haly_error error = {HALY_ERROR_INIT};
        haly_error_last(&error);
        if (status == HALY_OK || instance != NULL || strstr(error.message, name) == NULL)
            fail_msg("\"%s\": %s, \"%s\"", name, haly_status_name(status), error.message);
        assert_int_equal(status == HALY_ERR_BUSY, name == path);
    }
    close_traced(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_stand_there_with_arguments_and_labels),
        cmocka_unit_test(times_are_those_of_the_device_on_the_hosts_clock),
        cmocka_unit_test(operators_and_replays_are_told_as_such),
        cmocka_unit_test(memory_is_a_curve_that_ends_at_zero),
        cmocka_unit_test(a_failed_command_keeps_its_number),
        cmocka_unit_test(a_refused_command_fails_its_call_alone),
        cmocka_unit_test(a_wait_leaves_a_whole_file_behind_it_whatever_comes),
        cmocka_unit_test(a_file_that_cannot_be_had_fails_the_instance),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(trace);
    return failed;
}
