/* SPDX-License-Identifier: Apache-2.0 */
/* Which case runs in which contexts, and what a finished child means: the verdict is decided here and nowhere else. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cts_runner.h"

#define MAX_ARGUMENTS 24

/* Command line of a child; numbers are kept in `numbers`. */
struct command_line {
    char *arguments[MAX_ARGUMENTS];
    uint32_t count;
    char numbers[4][32];
    uint32_t number_count;
};

static void add_argument(struct command_line *line, const char *option, const char *value)
{
    if (line->count + 3 > MAX_ARGUMENTS)
        abort();
    line->arguments[line->count++] = (char *)(uintptr_t)option; /* execv() takes them as not const, and reads only */
    if (value != NULL)
        line->arguments[line->count++] = (char *)(uintptr_t)value;
    line->arguments[line->count] = NULL;
}

static void add_number(struct command_line *line, const char *option, uint64_t value)
{
    char *text = line->numbers[line->number_count++];
    (void)snprintf(text, sizeof line->numbers[0], "%" PRIu64, value);
    add_argument(line, option, text);
}

static void begin_line(struct command_line *line, const struct cts_options *options)
{
    memset(line, 0, sizeof *line);
    if (options->emulator != NULL)
        add_argument(line, options->emulator, NULL);
    add_argument(line, options->program, NULL);
    add_number(line, "--result-fd", 3);
    add_number(line, "--seed", options->seed);
    if (options->backend_path != NULL || options->backend != NULL)
        add_argument(line, "--backend", options->backend_path != NULL ? options->backend_path : options->backend);
    if (options->device != NULL)
        add_argument(line, "--device", options->device);
    if (options->data_path != NULL)
        add_argument(line, "--data", options->data_path);
}

static char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *text_format(const char *format, ...)
{
    va_list list;
    char *text = NULL;
    va_start(list, format);
    const int length = vasprintf(&text, format, list);
    va_end(list);
    if (length < 0)
        abort();
    return text;
}

/* How a process ended, in words. */
static void describe_end(int wait_status, char *out, size_t size)
{
    if (WIFSIGNALED(wait_status))
        (void)snprintf(out, size, "signal %d (%s)", WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
    else
        (void)snprintf(out, size, "exit code %d", WEXITSTATUS(wait_status));
}

static void fail_with(struct cts_result *result, char *reason)
{
    free(result->reason);
    result->reason = reason;
    result->verdict = CTS_FAIL;
}

static void judge(const struct cts_options *options, const struct cts_child_result *child, struct cts_result *result)
{
    char end[128];
    describe_end(child->wait_status, end, sizeof end);
    const bool has_verdict = child->text[0] >= '0' && child->text[0] <= '2' && child->text[1] == '\n';
    result->reason = text_format("%s", has_verdict ? child->text + 2 : "");
    if (child->timed_out) {
        fail_with(result, text_format("did not end within %u s", options->timeout_s));
    } else if (!has_verdict) {
        fail_with(result, text_format("ended with %s before its verdict", end));
    } else {
        result->verdict = (enum cts_verdict)(child->text[0] - '0');
        if (result->verdict != CTS_FAIL && child->wait_status != 0)
            fail_with(result, text_format("met its expectations, then ended with %s", end));
        else if (result->verdict == CTS_PASS && child->output[0] != '\0')
            fail_with(result, text_format("printed without being asked (see the output)"));
    }
}

static void apply_expectation(struct cts_result *result, const char *expected)
{
    if (expected == NULL)
        return;
    if (result->verdict == CTS_PASS) {
        fail_with(result, text_format("unexpected pass: listed as an expected failure (%s)", expected));
    } else if (result->verdict == CTS_FAIL) {
        char *reason = text_format("%s; it was: %s", expected, result->reason);
        free(result->reason);
        result->reason = reason;
        result->verdict = CTS_EXPECTED_FAILURE;
    }
}

static struct cts_result *add_result(struct cts_run *run, const struct cts_case *info, enum cts_variant variant)
{
    struct cts_result *results = realloc(run->results, (run->count + 1) * sizeof *results);
    if (results == NULL)
        abort();
    run->results = results;
    struct cts_result *result = &results[run->count++];
    *result = (struct cts_result){.info = info, .variant = variant, .verdict = CTS_NOT_RUN};
    return result;
}

static void add_without_running(struct cts_run *run, const struct cts_case *info, enum cts_verdict verdict,
                                const char *reason)
{
    struct cts_result *result = add_result(run, info, CTS_NONE);
    result->verdict = verdict;
    result->reason = text_format("%s", reason);
    result->output = text_format("%s", "");
    if (run->probe.is_usable)
        cts_report_result(run->options, result);
}

static void run_one(struct cts_run *run, const struct cts_expectations *expected, const struct cts_case *info,
                    enum cts_variant variant)
{
    struct command_line line;
    char name[256];
    (void)snprintf(name, sizeof name, "%s.%s", info->group, info->name);
    begin_line(&line, run->options);
    add_argument(&line, "--run-case", name);
    add_number(&line, "--run-variant", variant);
    if (run->probe.strict_param[0] != '\0')
        add_argument(&line, "--strict-param", run->probe.strict_param);
    struct cts_result *result = add_result(run, info, variant);
    struct cts_child_result child;
    if (cts_spawn(run->options, line.arguments, &child)) {
        judge(run->options, &child, result);
        apply_expectation(result, cts_expected_reason(expected, run->probe.backend, info, variant));
    } else {
        result->reason = text_format("no process could be started");
    }
    result->seconds = child.seconds;
    result->output = child.output != NULL ? child.output : text_format("%s", "");
    free(child.text);
    cts_report_result(run->options, result);
}

static uint32_t case_variants(const struct cts_case *info)
{
    uint32_t mask = 0;
    if ((info->flags & (CTS_NO_CONTEXT | CTS_NO_INSTANCE)) != 0)
        return 1U << CTS_NONE;
    if ((info->flags & CTS_ONLY_ORDINARY) != 0)
        mask |= 1U << CTS_ORDINARY | 1U << CTS_STRICT;
    if ((info->flags & CTS_ONLY_MOVABLE) != 0)
        mask |= 1U << CTS_MOVABLE;
    if ((info->flags & CTS_ONLY_STRICT) != 0)
        mask |= 1U << CTS_STRICT;
    return mask != 0 ? mask : 1U << CTS_ORDINARY | 1U << CTS_MOVABLE | 1U << CTS_STRICT;
}

static void run_case(struct cts_run *run, const struct cts_expectations *expected, const struct cts_case *info,
                     uint32_t available)
{
    const uint32_t wanted = case_variants(info);
    run->distinct++;
    if ((wanted & available) == 0) {
        const bool lacks_strict = (wanted & ~(1U << CTS_STRICT)) == 0 && run->probe.strict_param[0] == '\0';
        add_without_running(run, info, lacks_strict ? CTS_UNSUPPORTED : CTS_NOT_RUN,
                            lacks_strict ? "the backend has no strict mode" : "its kind of context was not selected");
        return;
    }
    for (uint32_t variant = 0; variant < CTS_VARIANTS; variant++)
        if ((wanted & available & 1U << variant) != 0)
            run_one(run, expected, info, (enum cts_variant)variant);
}

static void probe_device(struct cts_run *run)
{
    struct command_line line;
    struct cts_child_result child;
    begin_line(&line, run->options);
    add_argument(&line, "--probe", NULL);
    if (cts_spawn(run->options, line.arguments, &child))
        cts_probe_read(&run->probe, child.text);
    else
        (void)snprintf(run->probe.message, sizeof run->probe.message, "no process could be started");
    if (!run->probe.is_usable && (child.wait_status != 0 || child.timed_out)) {
        char end[128];
        describe_end(child.wait_status, end, sizeof end);
        (void)snprintf(run->probe.message, sizeof run->probe.message, "the probing process ended with %s", end);
    }
    free(child.text);
    free(child.output);
}

static bool check_variants(struct cts_run *run, uint32_t *out_available)
{
    const bool has_strict = run->probe.strict_param[0] != '\0';
    uint32_t available = run->options->variants;
    if ((available & 1U << CTS_STRICT) != 0 && !has_strict) {
        (void)snprintf(run->probe.message, sizeof run->probe.message, "backend %s has no strict mode",
                       run->probe.backend);
        return false;
    }
    if (available == 0)
        available = 1U << CTS_ORDINARY | 1U << CTS_MOVABLE | (has_strict ? 1U << CTS_STRICT : 0);
    *out_available = available | 1U << CTS_NONE;
    return true;
}

bool cts_run_all(struct cts_run *run)
{
    struct cts_expectations expected;
    uint32_t available = 0;
    if (!cts_expected_load(run->options->expected_path, &expected)) {
        (void)snprintf(run->probe.message, sizeof run->probe.message, "the list of expected failures is not usable");
        return false;
    }
    probe_device(run);
    const bool is_good = run->probe.is_usable && check_variants(run, &available);
    if (!is_good)
        (void)fprintf(stderr, "halyard-cts: the backend cannot be tested: %s\n", run->probe.message);
    if (is_good && !run->options->quiet)
        (void)printf("backend %s, device %s (%s), seed %" PRIu64 "\n", run->probe.backend, run->probe.name,
                     run->probe.architecture, run->options->seed);
    for (uint32_t i = 0; i < cts_case_count(); i++) {
        const struct cts_case *info = cts_case_at(i);
        if (!cts_case_selected(run->options, info))
            continue;
        if (is_good)
            run_case(run, &expected, info, available);
        else
            add_without_running(run, info, CTS_NOT_RUN, run->probe.message);
    }
    free(expected.rows);
    return is_good;
}

void cts_run_free(struct cts_run *run)
{
    for (uint32_t i = 0; i < run->count; i++) {
        free(run->results[i].reason);
        free(run->results[i].output);
    }
    free(run->results);
    run->results = NULL;
    run->count = 0;
}
