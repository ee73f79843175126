/* SPDX-License-Identifier: Apache-2.0 */
/* The command line, and the places where the suite's own files are looked for. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cts_runner.h"

enum option_key {
    KEY_BACKEND = 1000,
    KEY_DEVICE,
    KEY_CONTEXTS,
    KEY_FILTER,
    KEY_SEED,
    KEY_TIMEOUT,
    KEY_TEXT,
    KEY_JSON,
    KEY_JUNIT,
    KEY_LIST,
    KEY_REQUIREMENTS,
    KEY_CHECK_REQUIREMENTS,
    KEY_EXPECTED,
    KEY_DATA,
    KEY_EMULATOR,
    KEY_QUIET,
    KEY_VERBOSE,
    KEY_HELP,
    KEY_VERSION,
    KEY_RUN_CASE,
    KEY_RUN_VARIANT,
    KEY_STRICT_PARAM,
    KEY_RESULT_FD,
    KEY_PROBE
};

static const struct option long_options[] = {
    {"backend", required_argument, NULL, KEY_BACKEND},
    {"device", required_argument, NULL, KEY_DEVICE},
    {"contexts", required_argument, NULL, KEY_CONTEXTS},
    {"filter", required_argument, NULL, KEY_FILTER},
    {"seed", required_argument, NULL, KEY_SEED},
    {"timeout", required_argument, NULL, KEY_TIMEOUT},
    {"text", no_argument, NULL, KEY_TEXT},
    {"json", required_argument, NULL, KEY_JSON},
    {"junit", required_argument, NULL, KEY_JUNIT},
    {"list", no_argument, NULL, KEY_LIST},
    {"requirements", no_argument, NULL, KEY_REQUIREMENTS},
    {"check-requirements", no_argument, NULL, KEY_CHECK_REQUIREMENTS},
    {"expected", required_argument, NULL, KEY_EXPECTED},
    {"data", required_argument, NULL, KEY_DATA},
    {"emulator", required_argument, NULL, KEY_EMULATOR},
    {"quiet", no_argument, NULL, KEY_QUIET},
    {"verbose", no_argument, NULL, KEY_VERBOSE},
    {"help", no_argument, NULL, KEY_HELP},
    {"version", no_argument, NULL, KEY_VERSION},
    {"run-case", required_argument, NULL, KEY_RUN_CASE}, /* these five: the runner to its children */
    {"run-variant", required_argument, NULL, KEY_RUN_VARIANT},
    {"strict-param", required_argument, NULL, KEY_STRICT_PARAM},
    {"result-fd", required_argument, NULL, KEY_RESULT_FD},
    {"probe", no_argument, NULL, KEY_PROBE},
    {NULL, 0, NULL, 0}};

static const char help_text[] =
    "Usage: halyard-cts [options]\n"
    "Runs the Halyard conformance suite against one backend. Every case has a process of its own.\n"
    "\n"
    "What to test\n"
    "  --backend NAME|FILE     a backend by name, or by the path of libhalyard_backend_<name>.so (with a \"/\")\n"
    "                          (default: HALYARD_BACKEND, or the best device of this machine)\n"
    "  --device SELECTOR       the device, as in HALYARD_DEVICE\n"
    "  --contexts LIST         of ordinary, movable, strict (default: all that the backend has)\n"
    "  --filter GLOB           only cases whose group.name matches; may be given several times\n"
    "  --seed N                of all random inputs (default: from the clock; always printed)\n"
    "  --timeout SECONDS       for one case (default: 60)\n"
    "  --expected FILE         list of expected failures (default: the one installed with the suite)\n"
    "  --data DIRECTORY        where the suite's kernel objects are\n"
    "  --emulator PROGRAM      the absolute path of what this program itself runs under; starts each case, too\n"
    "\n"
    "What to print\n"
    "  --text                  text on standard output (the default)\n"
    "  --verbose, --quiet      a line for every case; the summary alone\n"
    "  --json FILE             results as JSON as well (\"-\": on standard output, and no text)\n"
    "  --junit FILE            results as JUnit XML as well\n"
    "  --list                  the cases with the requirements they check\n"
    "  --requirements          the requirements of the headers with the cases that check them\n"
    "  --check-requirements    only what is wrong with that table; exit code 1 if anything is\n"
    "  --help, --version\n"
    "\n"
    "Verdicts: pass, fail, unsupported (the device does not declare it), expected failure (listed, with a reason;\n"
    "passing one fails), not run. Exit code: 0 nothing failed, 1 something did, 2 wrong usage, 3 the backend cannot "
    "be\n"
    "tested.\n";

static int usage_error(const char *what, const char *value)
{
    (void)fprintf(stderr, "halyard-cts: %s: \"%s\"; try --help\n", what, value);
    return 2 + 1;
}

static bool parse_number(const char *text, uint64_t limit, uint64_t *out_number)
{
    char *end = NULL;
    errno = 0;
    const unsigned long long number = strtoull(text, &end, 0);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || number > limit)
        return false;
    *out_number = number;
    return true;
}

static bool parse_variants(const char *text, uint32_t *out_mask)
{
    uint32_t mask = 0;
    while (*text != '\0') {
        const size_t length = strcspn(text, ",");
        uint32_t variant = 0;
        for (; variant < CTS_NONE; variant++) {
            const char *name = cts_variant_name((enum cts_variant)variant);
            if (strlen(name) == length && strncmp(name, text, length) == 0)
                break;
        }
        if (variant == CTS_NONE)
            return false;
        mask |= 1U << variant;
        text += length;
        text += *text == ',';
    }
    *out_mask = mask;
    return mask != 0;
}

/* As an absolute path, since every case is a process that searches anew. Links stay: the file's name counts. */
static const char *absolute_path(const char *path)
{
    static char absolute[2 * 4096];
    char folder[4096];
    if (path[0] == '/')
        return path;
    if (getcwd(folder, sizeof folder) == NULL)
        return NULL;
    (void)snprintf(absolute, sizeof absolute, "%s/%s", folder, path);
    return absolute;
}

/* A backend given by path: its name is in the file's. */
static bool parse_backend(struct cts_options *options, const char *value)
{
    static char name[64];
    static const char prefix[] = "libhalyard_backend_";
    if (strchr(value, '/') == NULL) {
        options->backend = value;
        return *value != '\0';
    }
    const char *base = strrchr(value, '/') + 1;
    const size_t length = strlen(base), extra = sizeof prefix - 1 + 3;
    if (strncmp(base, prefix, sizeof prefix - 1) != 0 || length <= extra || length - extra >= sizeof name ||
        strcmp(base + length - 3, ".so") != 0)
        return false;
    memcpy(name, base + sizeof prefix - 1, length - extra);
    options->backend = name;
    options->backend_path = absolute_path(value);
    return options->backend_path != NULL;
}

static int parse_child_option(struct cts_options *options, int key, const char *value)
{
    uint64_t number = 0;
    switch (key) {
    case KEY_RUN_CASE:
        options->run_case = value;
        return 0;
    case KEY_RUN_VARIANT:
        if (!parse_number(value, CTS_NONE, &number))
            return usage_error("not a variant", value);
        options->run_variant = (enum cts_variant)number;
        return 0;
    case KEY_STRICT_PARAM:
        options->strict_param = value;
        return 0;
    case KEY_RESULT_FD:
        if (!parse_number(value, 1 << 20, &number))
            return usage_error("not a descriptor", value);
        options->result_fd = (int)number;
        return 0;
    default:
        options->probe = true;
        return 0;
    }
}

static int parse_output_option(struct cts_options *options, int key, const char *value)
{
    switch (key) {
    case KEY_TEXT:
        return 0;
    case KEY_JSON:
        options->json_path = value;
        return 0;
    case KEY_JUNIT:
        options->junit_path = value;
        return 0;
    case KEY_LIST:
        options->list = true;
        return 0;
    case KEY_REQUIREMENTS:
        options->requirements = true;
        return 0;
    case KEY_CHECK_REQUIREMENTS:
        options->check_requirements = true;
        return 0;
    case KEY_QUIET:
        options->quiet = true;
        return 0;
    case KEY_VERBOSE:
        options->verbose = true;
        return 0;
    case KEY_HELP:
        (void)fputs(help_text, stdout);
        return 0 + 1;
    case KEY_VERSION:
        (void)printf("halyard-cts %s\n", haly_version_text());
        return 0 + 1;
    default:
        return parse_child_option(options, key, value);
    }
}

static int parse_option(struct cts_options *options, int key, const char *value)
{
    uint64_t number = 0;
    switch (key) {
    case KEY_BACKEND:
        return parse_backend(options, value)
                   ? 0
                   : usage_error("--backend wants a name or …/libhalyard_backend_<name>.so", value);
    case KEY_DEVICE:
        options->device = value;
        return 0;
    case KEY_CONTEXTS:
        return parse_variants(value, &options->variants)
                   ? 0
                   : usage_error("--contexts wants a list of ordinary, movable, strict", value);
    case KEY_FILTER:
        if (options->filter_count == CTS_MAX_FILTERS)
            return usage_error("too many filters", value);
        options->filters[options->filter_count++] = value;
        return 0;
    case KEY_SEED:
        return parse_number(value, INT64_MAX, &options->seed) ? 0 : usage_error("--seed wants a number", value);
    case KEY_TIMEOUT:
        if (!parse_number(value, 86400, &number) || number == 0)
            return usage_error("--timeout wants seconds, 1 to 86400", value);
        options->timeout_s = (uint32_t)number;
        return 0;
    case KEY_EXPECTED:
        options->expected_path = value;
        return 0;
    case KEY_DATA:
        options->data_path = value;
        return 0;
    case KEY_EMULATOR:
        if (value[0] != '/' || access(value, X_OK) != 0)
            return usage_error("--emulator wants the absolute path of a program", value);
        options->emulator = value;
        return 0;
    default:
        return parse_output_option(options, key, value);
    }
}

/* The data folder stands at a fixed place relative to the program, in the build tree and installed alike. */
static void find_data(struct cts_options *options)
{
    static const char *const relative[] = {CTS_DATA_RELATIVE, "../lib/halyard/conformance"};
    static char path[2][4400];
    const ssize_t length = readlink("/proc/self/exe", options->program, sizeof options->program - 1);
    options->program[length > 0 ? length : 0] = '\0';
    for (unsigned i = 0; i < 2 && options->data_path == NULL; i++) {
        const char *slash = strrchr(options->program, '/');
        (void)snprintf(path[0], sizeof path[0], "%.*s/%s", slash == NULL ? 0 : (int)(slash - options->program),
                       options->program, relative[i]);
        if (access(path[0], R_OK) == 0)
            options->data_path = path[0];
    }
    if (options->expected_path == NULL && options->data_path != NULL) {
        (void)snprintf(path[1], sizeof path[1], "%s/expected_failures.txt", options->data_path);
        options->expected_path = path[1];
    }
}

static int check_filters(const struct cts_options *options)
{
    for (uint32_t i = 0; i < cts_case_count(); i++)
        if (cts_case_selected(options, cts_case_at(i)))
            return 0;
    return usage_error("no case matches the filter", options->filters[0]);
}

int cts_options_parse(struct cts_options *options, int argc, char **argv)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    options->seed = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    options->timeout_s = 60;
    options->run_variant = CTS_NONE;
    options->result_fd = -1;
    opterr = 0;
    int key, index = 0;
    while ((key = getopt_long(argc, argv, "", long_options, &index)) != -1) {
        if (key == '?')
            return usage_error("unknown option, or one that lacks its value", argv[optind - 1]);
        const int stop = parse_option(options, key, optarg);
        if (stop != 0)
            return stop;
    }
    if (optind < argc)
        return usage_error("unexpected argument", argv[optind]);
    const bool json_is_text = options->json_path != NULL && strcmp(options->json_path, "-") == 0;
    const bool junit_is_text = options->junit_path != NULL && strcmp(options->junit_path, "-") == 0;
    if (json_is_text && junit_is_text)
        return usage_error("--json and --junit exclude each other on standard output", "-");
    if (options->quiet && options->verbose)
        return usage_error("--quiet excludes", "--verbose");
    options->has_no_text = json_is_text || junit_is_text;
    options->quiet = options->quiet || options->has_no_text;
    find_data(options);
    return options->filter_count == 0 ? 0 : check_filters(options);
}
