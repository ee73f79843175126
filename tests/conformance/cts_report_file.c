/* SPDX-License-Identifier: Apache-2.0 */
/* The same results for machines: JSON and JUnit XML. */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "cts_runner.h"

static FILE *open_output(const char *path)
{
    if (strcmp(path, "-") == 0)
        return stdout;
    FILE *file = fopen(path, "we");
    if (file == NULL)
        (void)fprintf(stderr, "halyard-cts: cannot write %s: %s\n", path, strerror(errno));
    return file;
}

static bool close_output(FILE *file, const char *path, bool is_good)
{
    is_good = fflush(file) == 0 && is_good;
    if (file != stdout)
        is_good = fclose(file) == 0 && is_good;
    if (!is_good)
        (void)fprintf(stderr, "halyard-cts: cannot write %s\n", path);
    return is_good;
}

void cts_printable(const char *text, char *out, size_t size)
{
    size_t at = 0;
    for (; *text != '\0' && at + 1 < size; text++) {
        const unsigned char byte = (unsigned char)*text;
        out[at++] = (byte >= 0x20 && byte < 0x7F) || byte == '\n' || byte == '\t' ? (char)byte : '?';
    }
    out[at] = '\0';
}

static json_t *result_object(const struct cts_result *result)
{
    char reason[4096], output[8192];
    cts_printable(result->reason, reason, sizeof reason);
    cts_printable(result->output, output, sizeof output);
    return json_pack("{s:s, s:s, s:s, s:s, s:f, s:s, s:s, s:s}", "group", result->info->group, "name",
                     result->info->name, "context", cts_variant_name(result->variant), "verdict",
                     cts_verdict_name(result->verdict), "seconds", result->seconds, "requirements",
                     result->info->requirements, "reason", reason, "output", output);
}

static json_t *capability_array(uint64_t capabilities)
{
    json_t *array = json_array();
    for (int i = 0; i < 64; i++) {
        const char *name = haly_capability_name(capabilities & UINT64_C(1) << i);
        if (name != NULL)
            (void)json_array_append_new(array, json_string(name));
    }
    return array;
}

bool cts_report_json(const struct cts_run *run, const char *path)
{
    char backend[sizeof run->probe.backend], name[sizeof run->probe.name];
    char architecture[sizeof run->probe.architecture];
    uint32_t counts[CTS_VERDICTS] = {0};
    cts_printable(run->probe.backend, backend, sizeof backend);
    cts_printable(run->probe.name, name, sizeof name);
    cts_printable(run->probe.architecture, architecture, sizeof architecture);
    json_t *results = json_array(), *summary = json_object();
    for (uint32_t i = 0; i < run->count; i++) {
        counts[run->results[i].verdict]++;
        (void)json_array_append_new(results, result_object(&run->results[i]));
    }
    for (uint32_t verdict = 0; verdict < CTS_VERDICTS; verdict++)
        (void)json_object_set_new(summary, cts_verdict_name((enum cts_verdict)verdict),
                                  json_integer((json_int_t)counts[verdict]));
    (void)json_object_set_new(summary, "cases", json_integer((json_int_t)run->distinct));
    json_t *root = json_pack("{s:s, s:s, s:s, s:s, s:o, s:I, s:o, s:o}", "suite", haly_version_text(), "backend",
                             backend, "device", name, "architecture", architecture, "capabilities",
                             capability_array(run->probe.capabilities), "seed", (json_int_t)run->options->seed,
                             "summary", summary, "results", results);
    FILE *file = root == NULL ? NULL : open_output(path);
    bool is_good = file != NULL;
    if (is_good)
        is_good = close_output(file, path, json_dumpf(root, file, JSON_INDENT(1)) == 0 && fputc('\n', file) != EOF);
    json_decref(root);
    return is_good;
}

static void write_escaped(FILE *file, const char *text)
{
    char clean[8192];
    cts_printable(text, clean, sizeof clean);
    for (const char *at = clean; *at != '\0'; at++) {
        switch (*at) {
        case '<':
            (void)fputs("&lt;", file);
            break;
        case '>':
            (void)fputs("&gt;", file);
            break;
        case '&':
            (void)fputs("&amp;", file);
            break;
        case '"':
            (void)fputs("&quot;", file);
            break;
        case '\n':
            (void)fputs("&#10;", file);
            break;
        default:
            (void)fputc(*at, file);
        }
    }
}

static void write_junit_case(FILE *file, const struct cts_result *result)
{
    (void)fprintf(file, "  <testcase classname=\"%s\" name=\"%s [%s]\" time=\"%.3f\">\n", result->info->group,
                  result->info->name, cts_variant_name(result->variant), result->seconds);
    if (result->verdict != CTS_PASS) {
        (void)fprintf(file, "    <%s message=\"%s: ", result->verdict == CTS_FAIL ? "failure" : "skipped",
                      cts_verdict_name(result->verdict));
        write_escaped(file, result->reason);
        (void)fputs("\"/>\n", file);
    }
    if (result->output[0] != '\0') {
        (void)fputs("    <system-out>", file);
        write_escaped(file, result->output);
        (void)fputs("</system-out>\n", file);
    }
    (void)fputs("  </testcase>\n", file);
}

/* Nothing ran, which must not look like a suite that passed. */
static void write_junit_error(FILE *file, const struct cts_run *run)
{
    (void)fputs("  <testcase classname=\"suite\" name=\"the backend can be tested\" time=\"0\">\n    <error message=\"",
                file);
    write_escaped(file, run->probe.message);
    (void)fputs("\"/>\n  </testcase>\n", file);
}

bool cts_report_junit(const struct cts_run *run, const char *path)
{
    uint32_t failures = 0, skipped = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        failures += run->results[i].verdict == CTS_FAIL;
        skipped += run->results[i].verdict != CTS_FAIL && run->results[i].verdict != CTS_PASS;
    }
    FILE *file = open_output(path);
    if (file == NULL)
        return false;
    (void)fprintf(file, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    const uint32_t errors = run->was_run ? 0 : 1;
    (void)fputs("<testsuite name=\"halyard-cts ", file);
    write_escaped(file, run->probe.backend);
    (void)fprintf(file, "\" tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\">\n", run->count + errors,
                  failures, errors, skipped);
    if (!run->was_run)
        write_junit_error(file, run);
    for (uint32_t i = 0; i < run->count; i++)
        write_junit_case(file, &run->results[i]);
    (void)fputs("</testsuite>\n", file);
    return close_output(file, path, ferror(file) == 0);
}
