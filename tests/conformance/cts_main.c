/* SPDX-License-Identifier: Apache-2.0 */
/* halyard-cts: runs the conformance suite against one backend. Exit codes: 0 nothing failed, 1 failures, 2 usage, 3 the
 * backend cannot be tested. */
#include <stdio.h>

#include "cts_runner.h"

static int run_suite(const struct cts_options *options)
{
    struct cts_run run = {.options = options};
    run.was_run = cts_run_all(&run);
    bool is_good = true;
    if (run.was_run && !options->has_no_text)
        cts_report_summary(&run);
    for (uint32_t i = 0; i < run.count; i++)
        is_good = is_good && run.results[i].verdict != CTS_FAIL;
    if (options->json_path != NULL)
        is_good = cts_report_json(&run, options->json_path) && is_good;
    if (options->junit_path != NULL)
        is_good = cts_report_junit(&run, options->junit_path) && is_good;
    cts_run_free(&run);
    return !run.was_run ? 3 : is_good ? 0 : 1;
}

static int act(const struct cts_options *options)
{
    if (options->list) {
        cts_print_list(options);
        return 0;
    }
    if (options->requirements || options->check_requirements)
        return cts_print_requirements(options->check_requirements) == 0 ? 0 : 1;
    return run_suite(options);
}

int main(int argc, char **argv)
{
    static struct cts_options options; /* large: it holds a path */
    const int stop = cts_options_parse(&options, argc, argv);
    if (stop == 0 && options.probe)
        return cts_child_probe(&options);
    if (stop == 0 && options.run_case != NULL)
        return cts_child_run(&options);
    const int result = stop != 0 ? stop - 1 : act(&options);
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return result;
    (void)fprintf(stderr, "halyard-cts: cannot write to standard output\n");
    return 1;
}
