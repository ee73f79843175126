/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the conformance runner writes and reads: reports hold whatever a case printed and are JSON and XML all the same,
 * with every result in them; what the probing child found arrives as it was sent; and an answer that is none makes a
 * device that cannot be used, with the reason, never half a one.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cts_runner.h"
#include "fuzz_markup.h"

enum { MOST = 6 };

const char *cts_verdict_name(enum cts_verdict verdict)
{
    static const char *const names[] = {"pass", "fail", "unsupported", "expected", "not run"};
    return names[verdict];
}

const char *cts_variant_name(enum cts_variant variant)
{
    (void)variant;
    return "ordinary";
}

const char *haly_capability_name(uint64_t capability)
{
    return capability != 0 ? "kernels" : NULL;
}

const char *haly_version_text(void)
{
    return "1.0.0";
}

/* Lines part the input, so a byte that nobody misses stands for a newline within a text. */
static char *next_text(const uint8_t **data, size_t *size)
{
    char *text = fuzz_line(data, size);
    for (char *at = text; at != NULL && (at = strchr(at, '\v')) != NULL;)
        *at = '\n';
    return text;
}

/* ---- writing reports ---- */

static char *read_back(const char *path, size_t *out_size)
{
    static uint8_t bytes[1 << 18];
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t size = read(file, bytes, sizeof bytes);
    FUZZ_CHECK(file >= 0 && size >= 0 && size < (ssize_t)sizeof bytes, "%zd bytes", size);
    close(file);
    *out_size = (size_t)size;
    return fuzz_text(bytes, (size_t)size);
}

static void check_reports(const struct cts_run *run)
{
    const char *path = fuzz_file("", 0);
    struct fuzz_markup found;
    size_t size;
    FUZZ_CHECK(cts_report_json(run, path), "no JSON report");
    char *text = read_back(path, &size);
    FUZZ_CHECK(fuzz_read_json(text, size, &found), "no JSON: %s", text);
    FUZZ_CHECK(found.members == 8 + CTS_VERDICTS + 1 + 8 * run->count && found.elements == run->count + 3U,
               "%zu members for %u results", found.members, run->count);
    free(text);
    FUZZ_CHECK(cts_report_junit(run, path), "no XML report");
    text = read_back(path, &size);
    size_t elements = run->was_run ? 1 : 3;
    for (uint32_t i = 0; i < run->count; i++)
        elements += 1U + (run->results[i].verdict != CTS_PASS) + (run->results[i].output[0] != '\0');
    FUZZ_CHECK(fuzz_read_xml(text, size, &found), "no XML: %s", text);
    FUZZ_CHECK(found.elements == elements, "%zu elements, expected %zu", found.elements, elements);
    free(text);
}

/* ---- the probe, there and back ---- */

static void check_answer(const char *answer)
{
    struct cts_probe probe, again;
    cts_probe_read(&probe, answer);
    FUZZ_CHECK(probe.is_usable || probe.message[0] != '\0' || strstr(answer, "\"message\"") != NULL, "no reason");
    if (!probe.is_usable && strcmp(probe.message, "the probing process gave no answer") == 0)
        FUZZ_CHECK(probe.backend[0] == '\0' && probe.name[0] == '\0' && probe.capabilities == 0, "half an answer");
    size_t size;
    const char *path = fuzz_file("", 0);
    const int file = open(path, O_WRONLY | O_CLOEXEC);
    FUZZ_CHECK(file >= 0 && cts_probe_send(&probe, file), "the probe cannot be sent");
    close(file);
    char *text = read_back(path, &size);
    struct fuzz_markup found;
    FUZZ_CHECK(fuzz_read_json(text, size, &found) && found.members == 7, "sent: %s", text);
    cts_probe_read(&again, text);
    char name[sizeof probe.name];
    cts_printable(probe.name, name, sizeof name);
    FUZZ_CHECK(again.is_usable == probe.is_usable && again.capabilities == probe.capabilities &&
                   strcmp(again.name, name) == 0,
               "sent and received: %s", text);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cts_case info = {.group = "memory", .name = "a_case", .requirements = "MEM-001"};
    struct cts_options options = {.seed = 1};
    struct cts_result results[MOST];
    struct cts_run run = {.options = &options, .results = results, .was_run = size % 2 != 0};
    run.probe.capabilities = 1 | 1 << 9 | UINT64_C(1) << 63;
    char *answer = fuzz_text(data, size);
    check_answer(answer);
    free(answer);
    char *line = next_text(&data, &size);
    snprintf(run.probe.backend, sizeof run.probe.backend, "%s", line != NULL ? line : "");
    snprintf(run.probe.message, sizeof run.probe.message, "%s", line != NULL ? line : "");
    snprintf(run.probe.name, sizeof run.probe.name, "%s", line != NULL ? line : "");
    snprintf(run.probe.architecture, sizeof run.probe.architecture, "%s", line != NULL ? line : "");
    free(line);
    while (run.count < MOST && (line = next_text(&data, &size)) != NULL) {
        const enum cts_verdict verdict = (enum cts_verdict)((unsigned char)line[0] % CTS_VERDICTS);
        char *output = next_text(&data, &size);
        results[run.count++] = (struct cts_result){.info = &info,
                                                   .verdict = verdict,
                                                   .seconds = 0.25,
                                                   .reason = line,
                                                   .output = output != NULL ? output : fuzz_text("", 0)};
    }
    check_reports(&run);
    for (uint32_t i = 0; i < run.count; i++) {
        free(results[i].reason);
        free(results[i].output);
    }
    return 0;
}
